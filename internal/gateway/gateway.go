package gateway

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/parley-im/parley/internal/auth"
	"github.com/parley-im/parley/internal/edge"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/presence"
	"github.com/parley-im/parley/internal/trace"
)

// Options configures a Server. Zero values are replaced by the defaults.
type Options struct {
	MaxConns         int           // connections of this node, default 100,000
	MaxFrameBytes    int           // of one client frame on the wire, default 51,200
	MaxInflatedBytes int           // of one client frame after gzip, default 512 KiB
	HandshakeTimeout time.Duration // default 10 s

	Auth     *auth.Service
	Messages *message.Service
	Presence *presence.Tracker
	Hub      *Hub
	Peers    *edge.Peers   // knows clients' addresses; nil trusts no proxy
	Origins  *edge.Origins // nil allows all
	Limits   *edge.Limiter // nil has none
	Load     *edge.Shedder // of handshakes; nil refuses none
	Tracer   *trace.Tracer // nil for none
	Logger   *slog.Logger
	Now      func() time.Time
}

// Limits and intervals of the protocol.
const (
	readWait      = 30 * time.Second // without any frame or ping the connection ends
	pingEvery     = 27 * time.Second
	controlWait   = time.Second
	writeWait     = 10 * time.Second // for one batch of frames to a client
	outQueue      = 2048             // frames waiting for one client …
	outBytes      = 4 << 20          // … and bytes of their content; a client with more is disconnected
	keptQueue     = 64               // frames an idle connection keeps room for
	sendQueue     = 64               // sends of one client waiting their turn; a full queue stops the reading
	maxSubscribed = 5000             // users one connection watches
)

// Server accepts long connections.
type Server struct {
	options  Options
	hub      *Hub
	log      *slog.Logger
	upgrader websocket.Upgrader
	buffers  sync.Pool

	count    atomic.Int64
	closed   [len(closeReasons)]atomic.Int64 // connections, by reason
	closing  atomic.Bool
	handlers sync.WaitGroup // one per connection
}

// New returns a Server for the hub's connections.
func New(o Options) *Server {
	if o.MaxConns == 0 {
		o.MaxConns = 100_000
	}
	if o.MaxFrameBytes == 0 {
		o.MaxFrameBytes = 51_200
	}
	if o.MaxInflatedBytes == 0 {
		o.MaxInflatedBytes = 512 << 10
	}
	if o.HandshakeTimeout == 0 {
		o.HandshakeTimeout = 10 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{options: o, hub: o.Hub, log: o.Logger}
	s.upgrader = websocket.Upgrader{
		HandshakeTimeout: o.HandshakeTimeout,
		ReadBufferSize:   1024,
		WriteBufferSize:  4096,
		WriteBufferPool:  &sync.Pool{},
		CheckOrigin:      func(*http.Request) bool { return true }, // handshake has asked Origins
	}
	s.buffers.New = func() any { b := make([]byte, 0, 4096); return &b }
	return s
}

// ServeHTTP answers a handshake on any path.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.handshake(w, r)
}

// Shutdown refuses new connections, lets begun sends finish, and closes all
// connections. Clients reconnect elsewhere or later.
func (s *Server) Shutdown(ctx context.Context) error {
	s.closing.Store(true)
	for _, c := range s.hub.all() {
		c.drain()
	}
	done := make(chan struct{})
	go func() {
		s.handlers.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		for _, c := range s.hub.all() {
			c.close(closeShutdown)
		}
		return ctx.Err()
	}
}
