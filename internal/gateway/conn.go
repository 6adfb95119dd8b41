package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/parley-im/parley/internal/edge"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/wire"
)

// closeReason says why a connection ended.
type closeReason uint8

const (
	closeClient closeReason = iota
	closeSlow
	closeBadFrame
	closeFlood
	closeKicked
	closeLogout
	closeShutdown
	closePanic
	closeWriteFail
)

// closeReasons is what metrics and logs call them.
var closeReasons = [...]struct{ label, text string }{
	closeClient:    {"client", "client went away"},
	closeSlow:      {"slow", "slow client: its queue is full"},
	closeBadFrame:  {"malformed", "malformed frame"},
	closeFlood:     {"flood", "heartbeats come too fast"},
	closeKicked:    {"kicked", "kicked"},
	closeLogout:    {"logout", "logged out"},
	closeShutdown:  {"shutdown", "server shutting down"},
	closePanic:     {"crash", "request handler failed"},
	closeWriteFail: {"write", "write failed or timed out"},
}

// conn is one long connection.
type conn struct {
	// Set once in newConn.
	server  *Server
	session im.Session
	token   string
	form    wire.Form
	gzip    bool
	from    netip.Addr
	ctx     context.Context // carries the caller; never cancelled by the connection

	background atomic.Bool
	watching   map[string]struct{} // guarded by hub.watchMu

	mu        sync.Mutex
	ws        *websocket.Conn // nil until the handshake is answered
	out       []frame
	waiting   int  // bytes of content in out
	writing   bool // a flusher runs, or must not run yet
	last      bool // nothing more is taken: the queue ends with the last word
	closed    bool
	reason    closeReason
	pinger    *time.Timer
	sends     []func()
	sending   bool
	finishing bool       // takes no more sends
	room      *sync.Cond // sends has room again

	// Owned by readLoop.
	request wire.Request
	pace    edge.Pace
}

func (s *Server) newConn(a arguments, from netip.Addr) *conn {
	c := &conn{
		server:  s,
		session: im.Session{ConnID: newConnID(), UserID: a.userID, Platform: a.platform},
		token:   a.token,
		form:    a.form,
		gzip:    a.gzip,
		from:    from,
		writing: true, // until start
	}
	c.room = sync.NewCond(&c.mu)
	c.background.Store(a.background)
	c.ctx = im.WithCaller(context.Background(), c.caller())
	return c
}

func (c *conn) caller() im.Caller {
	return im.Caller{UserID: c.session.UserID, Platform: c.session.Platform, Admin: c.server.options.Auth.IsAdmin(c.session.UserID)}
}

// attach gives the connection its socket.
func (c *conn) attach(ws *websocket.Conn) {
	ws.SetReadLimit(int64(c.server.options.MaxFrameBytes))
	c.extend(ws)
	ws.SetPongHandler(func(string) error { c.extend(ws); return nil })
	ws.SetPingHandler(func(payload string) error {
		c.extend(ws)
		err := ws.WriteControl(websocket.PongMessage, []byte(payload), time.Now().Add(controlWait))
		if _, timeout := errors.AsType[net.Error](err); timeout || errors.Is(err, websocket.ErrCloseSent) {
			return nil
		}
		return err
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ws = ws
	if c.closed { // during the handshake
		go ws.Close()
	}
}

func (c *conn) extend(ws *websocket.Conn) {
	_ = ws.SetReadDeadline(time.Now().Add(readWait)) // fails on a closed connection, which the next read reports
}

// start lets queued frames out and begins the heartbeat.
func (c *conn) start() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.pinger = time.AfterFunc(pingEvery, c.ping)
	if len(c.out) == 0 && !c.last {
		c.writing = false
		return
	}
	go c.flush()
}

func (c *conn) ping() {
	if err := c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(controlWait)); err != nil {
		// A write that takes longer than a heartbeat may wait is no reason to
		// give up pinging; of any other error the reader finds out.
		if busy, ok := errors.AsType[net.Error](err); !ok || !busy.Timeout() {
			return
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.pinger.Reset(pingEvery)
	}
}

// suppressed: an iOS app in the background wants no pushes; it pulls when it
// comes back, and offline push reaches it meanwhile.
func (c *conn) suppressed() bool {
	return c.session.Platform == im.PlatformIOS && c.background.Load()
}

// enqueue queues a frame. It never blocks: a client whose queue is full is
// disconnected, and pulls after it is back.
func (c *conn) enqueue(f frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.last {
		return
	}
	if len(c.out) >= outQueue || c.waiting > outBytes {
		c.closeLocked(closeSlow)
		return
	}
	c.pushLocked(f)
}

// enqueueFirst puts a frame before all that queued up during the handshake.
func (c *conn) enqueueFirst(f frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out = append([]frame{f}, c.out...)
}

// enqueueLast queues the last word; the connection closes when it is written.
func (c *conn) enqueueLast(f frame, why closeReason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.last {
		return
	}
	c.last, c.reason = true, why
	c.pushLocked(f)
}

func (c *conn) pushLocked(f frame) {
	if f != nil {
		c.out = append(c.out, f)
		c.waiting += f.size()
	}
	if !c.writing {
		c.writing = true
		go c.flush()
	}
}

// flush writes until the queue is empty. At most one runs.
func (c *conn) flush() {
	var batch []frame
	for {
		c.mu.Lock()
		if c.closed || len(c.out) == 0 {
			if !c.closed && c.last {
				c.closeLocked(c.reason)
			}
			c.writing = false
			if cap(c.out) > keptQueue {
				c.out = nil // a burst is over; an idle connection keeps no large queue
			}
			c.mu.Unlock()
			return
		}
		batch, c.out, c.waiting = c.out, batch[:0], 0
		c.mu.Unlock()
		if err := c.write(batch); err != nil {
			c.close(closeWriteFail)
			return
		}
		clear(batch)
	}
}

func (c *conn) write(batch []frame) (err error) {
	deadline := time.Now().Add(writeWait)
	if err := c.ws.SetWriteDeadline(deadline); err != nil {
		return err
	}
	if corked, ok := c.ws.NetConn().(*corkConn); ok && len(batch) > 1 {
		err = corked.cork(deadline)
		defer func() { err = errors.Join(err, corked.uncork()) }()
		if err != nil {
			return err
		}
	}
	for _, f := range batch {
		kind, payload := f.encode(c.form, c.gzip)
		if err := c.ws.WriteMessage(kind, payload); err != nil {
			return err
		}
	}
	return nil
}

// close ends the connection at once.
func (c *conn) close(why closeReason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closeLocked(why)
}

func (c *conn) closeLocked(why closeReason) {
	if c.closed {
		return
	}
	c.closed, c.reason = true, why
	c.server.closed[why].Add(1)
	c.out, c.sends = nil, nil
	if c.pinger != nil {
		c.pinger.Stop()
	}
	c.room.Broadcast()
	if c.ws != nil {
		go c.ws.Close() // ends the reader, which cleans up; closing TLS may wait for the peer
	}
}

// kick tells the client that it was displaced and closes. It stops counting as
// online at once.
func (c *conn) kick(operationID string) {
	c.server.options.Presence.Close(c.session, operationID, true)
	c.server.hub.remove(c)
	c.enqueueLast(&reply{wire.Response{ReqIdentifier: wire.KickOnlineMsg, OperationID: operationID}}, closeKicked)
}

// drain lets begun sends finish, then closes.
func (c *conn) drain() { c.finish(nil, closeShutdown) }

// finish takes no more sends and ends the connection behind those it took, with
// a last word. A send that came later would be stored and its answer lost; so
// it is not begun, and the client repeats it. It does not wait for a place among
// the sends: other connections want to be drained meanwhile.
func (c *conn) finish(word frame, why closeReason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.finishing {
		return
	}
	c.submitLocked(func() { c.enqueueLast(word, why) })
	c.finishing = true
}

// forget takes the connection out of everything that knows it.
func (s *Server) forget(c *conn, counted bool) {
	s.hub.remove(c)
	s.options.Presence.Close(c.session, "", false)
	if counted {
		s.count.Add(-1)
		s.options.Limits.Disconnect(c.from)
	}
}

// submit queues a send behind the connection's earlier ones. A full queue makes
// the reader wait, and so the client.
func (c *conn) submit(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.sends) >= sendQueue && !c.closed {
		c.room.Wait()
	}
	c.submitLocked(f)
}

func (c *conn) submitLocked(f func()) {
	if c.closed || c.finishing {
		return
	}
	c.sends = append(c.sends, f)
	if !c.sending {
		c.sending = true
		go c.runSends()
	}
}

func (c *conn) runSends() {
	for {
		c.mu.Lock()
		if len(c.sends) == 0 {
			c.sending = false
			c.sends = nil
			c.mu.Unlock()
			return
		}
		f := c.sends[0]
		c.sends = c.sends[1:]
		c.room.Signal()
		c.mu.Unlock()
		c.guard(f)
	}
}

// guard closes the connection whose request crashed its handler.
func (c *conn) guard(f func()) {
	defer func() {
		if r := recover(); r != nil {
			c.crashed(r)
		}
	}()
	f()
}

func (c *conn) crashed(r any) {
	c.server.log.Error("panic in request handler", "panic", r, "user_id", c.session.UserID, "stack", string(debug.Stack()))
	c.close(closePanic)
}

// readLoop reads frames until the connection ends, then cleans up. Its frame
// lies on the stack of every idle connection, and a few hundred bytes decide
// whether that shrinks from 8 to 4 kB: what follows the loop, and the catching
// of panics, stand in a function of their own.
func (c *conn) readLoop() {
	defer c.ended()
	c.close(c.read())
}

func (c *conn) ended() {
	if r := recover(); r != nil {
		c.crashed(r)
	}
	c.mu.Lock()
	why := c.reason
	c.mu.Unlock()
	c.server.log.Debug("connection closed", "user_id", c.session.UserID, "platform", c.session.Platform.String(),
		"conn_id", c.session.ConnID, "address", c.from, "reason", closeReasons[why].text)
	c.server.forget(c, true)
	c.server.handlers.Done()
}

func (c *conn) read() closeReason {
	for {
		kind, r, err := c.ws.NextReader()
		if err != nil {
			return closeClient
		}
		buf := c.server.buffers.Get().(*[]byte)
		*buf, err = readAll((*buf)[:0], r)
		ok := err == nil
		if ok {
			c.extend(c.ws)
			switch kind {
			case websocket.TextMessage:
				ok = c.heartbeat(*buf)
			case websocket.BinaryMessage:
				ok = c.serve(*buf)
			}
		}
		if cap(*buf) <= 64<<10 {
			c.server.buffers.Put(buf)
		}
		if err != nil {
			return closeClient
		}
		if !ok {
			return closeBadFrame
		}
	}
}

// flooded counts a frame, and reports whether there were too many.
func (c *conn) flooded() bool {
	return !c.server.options.Limits.Frame(&c.pace).Allowed() && !c.caller().Admin
}

func readAll(b []byte, r io.Reader) ([]byte, error) {
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if errors.Is(err, io.EOF) {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
}

// heartbeat answers a text ping (websocket-and-messages 2) and reports false
// for any other text.
func (c *conn) heartbeat(text []byte) bool {
	if c.flooded() {
		c.close(closeFlood)
		return false
	}
	var m struct {
		Type string          `json:"type"`
		Body json.RawMessage `json:"body"`
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return false
	}
	switch m.Type {
	case "ping":
		if m.Body == nil {
			m.Body = json.RawMessage("null")
		}
		out := append([]byte(`{"type":"pong","body":`), m.Body...)
		c.enqueue(textFrame(append(out, '}')))
		return true
	case "pong":
		return true
	}
	return false
}
