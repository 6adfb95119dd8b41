package bench

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path"
	"strings"
	"sync/atomic"
	"time"
)

// business is a business server of the run's own: it answers callbacks as its
// mode says and tells whoever follows it about them. A callback is known by its
// operationID, which is the id of the message it is about.
type business struct {
	address  string
	server   *http.Server
	mode     atomic.Int32
	released atomic.Pointer[chan struct{}] // closed when the mode changes
	follower atomic.Pointer[follower]
}

// Modes of a business server.
const (
	answers200 int32 = iota
	answers503
	hangs // answers nothing until the mode changes
)

// follower is told of callbacks, of those that it asks for.
type follower struct {
	asked   func(id messageID)
	told    func(id messageID)
	handled func(d time.Duration) // the handler's own time
}

const approval = `{"actionCode":0,"errCode":0,"errMsg":"","errDlt":"","nextCode":0}`

func startBusiness(ctx context.Context) (*business, error) {
	b := &business{address: "127.0.0.1:0"}
	b.answer(answers200)
	return b, b.open(ctx)
}

// open listens, at the address it had before if it was closed.
func (b *business) open(ctx context.Context) error {
	var l net.Listener
	for give := time.Now().Add(stopPatience); ; {
		var err error
		if l, err = new(net.ListenConfig).Listen(ctx, "tcp", b.address); err == nil {
			break
		}
		if time.Now().After(give) || sleep(ctx, probeEvery) != nil {
			return fmt.Errorf("business server: %w", err)
		}
	}
	b.address = l.Addr().String()
	b.server = &http.Server{Handler: b, ReadHeaderTimeout: restTimeout}
	go func(s *http.Server) {
		_ = s.Serve(l) // ends with close
	}(b.server)
	return nil
}

// close refuses connections and ends those there are.
func (b *business) close() { _ = b.server.Close() }

func (b *business) url() string { return "http://" + b.address + "/webhook" }

// answer changes the mode; calls that hang are answered by the new one.
func (b *business) answer(mode int32) {
	b.mode.Store(mode)
	next := make(chan struct{})
	if before := b.released.Swap(&next); before != nil {
		close(*before)
	}
}

// ServeHTTP implements http.Handler.
func (b *business) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begin := time.Now()
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return // the server hung up
	}
	for {
		released := *b.released.Load()
		mode := b.mode.Load()
		if mode == hangs {
			select {
			case <-released:
				continue
			case <-r.Context().Done():
				return
			}
		}
		if mode == answers503 {
			http.Error(w, "back soon", http.StatusServiceUnavailable)
			return
		}
		break
	}
	_, err := io.WriteString(w, approval)
	f := b.follower.Load()
	id, ok := parseMessageID(r.Header.Get("operationID"))
	if err != nil || f == nil || !ok {
		return
	}
	tell := f.told
	if strings.HasPrefix(path.Base(r.URL.Path), "callbackBefore") {
		tell = f.asked
	}
	if tell != nil {
		tell(id)
	}
	if f.handled != nil {
		f.handled(time.Since(begin))
	}
}
