package gateway

import (
	"net"
	"sync"
	"time"
)

// CorkListener makes the connections it accepts able to hold back small writes,
// so that the frames of one batch leave in one system call. Without it frames
// are written one by one.
func CorkListener(l net.Listener) net.Listener { return corkListener{l} }

type corkListener struct{ net.Listener }

// Accept implements net.Listener.
func (l corkListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &corkConn{Conn: c}, nil
}

// corkLimit is how much is held back at most, in bytes.
const corkLimit = 64 << 10

var corkBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 4096); return &b }}

// corkConn is a connection whose writes can be held back for a moment.
type corkConn struct {
	net.Conn

	mu   sync.Mutex
	held *[]byte // nil: not corked
}

// Write implements net.Conn.
func (c *corkConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held == nil {
		return c.Conn.Write(b)
	}
	if len(*c.held)+len(b) > corkLimit {
		if err := c.release(); err != nil {
			return 0, err
		}
		return c.Conn.Write(b)
	}
	*c.held = append(*c.held, b...)
	return len(b), nil
}

// SetWriteDeadline implements net.Conn. It waits for a write under way, or the
// short patience of a heartbeat would become that of a batch of frames. While
// corked, the deadline given to cork holds.
func (c *corkConn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held != nil {
		return nil
	}
	return c.Conn.SetWriteDeadline(t)
}

// cork holds back what is written until uncork, which must be done by deadline.
func (c *corkConn) cork(deadline time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = corkBuffers.Get().(*[]byte)
	return c.Conn.SetWriteDeadline(deadline)
}

// uncork writes what was held back.
func (c *corkConn) uncork() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.release()
	if cap(*c.held) <= corkLimit {
		corkBuffers.Put(c.held)
	}
	c.held = nil
	return err
}

func (c *corkConn) release() error {
	if len(*c.held) == 0 {
		return nil
	}
	_, err := c.Conn.Write(*c.held)
	*c.held = (*c.held)[:0]
	return err
}
