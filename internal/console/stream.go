package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// stream keeps part of a page live by server-sent events. It is a GET of the
// page's path and its name.
type stream struct {
	name string
	// run sends until ctx ends or sending fails.
	run func(ctx context.Context, r *request, out *sender) error
}

const (
	maxStreams   = 64
	writeTimeout = 10 * time.Second // of one event; then the reader is gone
	checkEvery   = 15 * time.Second // that the session goes on
)

// streams are those that are open.
type streams struct {
	mu    sync.Mutex
	open  int
	ended bool
	end   chan struct{} // closed by shutdown
}

func (s *streams) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || s.open >= maxStreams {
		return false
	}
	s.open++
	return true
}

func (s *streams) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
}

func (s *streams) shutdown() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.ended = true
		close(s.end)
	}
}

// sender writes events: a name, which the page's script puts into the element
// with data-slot of that name, and HTML.
type sender struct {
	console  *Console
	w        http.ResponseWriter
	control  *http.ResponseController
	lang     language
	template string // file whose definitions are used
	buf      bytes.Buffer
}

// send renders a definition of the page's template as one event.
func (s *sender) send(event, definition string, data any) error {
	s.buf.Reset()
	if err := s.console.templates.fragment(&s.buf, s.lang, s.template, definition, data); err != nil {
		return err
	}
	return s.raw(event, s.buf.String())
}

// raw sends text that is HTML already.
func (s *sender) raw(event, html string) error {
	if err := s.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "event: %s\n", event)
	for line := range strings.SplitSeq(strings.TrimRight(html, "\n"), "\n") {
		b.WriteString("data: " + strings.TrimSuffix(line, "\r") + "\n")
	}
	b.WriteByte('\n')
	if _, err := s.w.Write([]byte(b.String())); err != nil {
		return err
	}
	return s.control.Flush()
}

// stream serves one stream of a page until the browser leaves, the session is
// over, or the server stops.
func (c *Console) stream(w http.ResponseWriter, r *request, p *page, s *stream) {
	if !c.streams.enter() {
		w.Header().Set("Retry-After", "30")
		http.Error(w, "too many open pages", http.StatusServiceUnavailable)
		return
	}
	defer c.streams.leave()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	var watch sync.WaitGroup
	defer watch.Wait()
	defer cancel()
	watch.Go(func() { c.watchSession(ctx, cancel, r) })

	out := &sender{console: c, w: w, control: http.NewResponseController(w), lang: r.lang, template: p.template}
	_ = out.control.SetReadDeadline(time.Time{}) // of the server, for requests that end
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // of proxies
	if _, err := w.Write([]byte("retry: 2000\n\n")); err != nil {
		return
	}
	if err := out.control.Flush(); err != nil {
		return
	}
	if err := s.run(ctx, r, out); err != nil && ctx.Err() == nil {
		c.Logger.DebugContext(ctx, "console stream ended", "stream", s.name, "error", err)
	}
}

// watchSession ends a stream whose session is over.
func (c *Console) watchSession(ctx context.Context, cancel context.CancelFunc, r *request) {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.streams.end:
			cancel()
			return
		case <-tick.C:
			if s, err := c.lookUp(r.Request, r.session.Hash); err == nil && s == nil {
				cancel()
				return
			}
		}
	}
}
