package console

import (
	"bufio"
	"context"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/webhook"
)

// tail opens a stream and returns its lines.
func (b *browser) tail(ctx context.Context, path string) (*http.Response, *bufio.Reader) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.url+Base+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp, bufio.NewReader(resp.Body)
}

// awaitLine reads until a line has a part.
func awaitLine(t *testing.T, lines *bufio.Reader, part string) {
	t.Helper()
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("waited for %q: %v", part, err)
		}
		if strings.Contains(line, part) {
			return
		}
	}
}

// Ten people look on, one of them stopped reading: calls go on, nine are shown the
// newest, and are told how much was left out.
func TestTenTails(t *testing.T) {
	s := newSite(t)
	b := s.loggedIn()
	ctx, leave := context.WithCancel(t.Context())
	var readers []*bufio.Reader
	for i := range 10 {
		resp, lines := b.tail(ctx, "/webhooks/live/calls")
		defer resp.Body.Close()
		awaitLine(t, lines, "retry:")
		if i > 0 {
			readers = append(readers, lines)
		}
	}
	call := webhook.Exchange{
		Delivery: store.Delivery{Callback: "afterSendSingleMsg", Reason: strings.Repeat("long ", 100)}, Body: make([]byte, 1000), URL: func() string { return "" },
	}
	for range 50_000 {
		s.Calls.Add(call) // takes a lock and nothing of the readers'
	}
	call.Callback = "afterUserOnline"
	s.Calls.Add(call)
	for _, lines := range readers {
		awaitLine(t, lines, "calls left out here")
		awaitLine(t, lines, "afterUserOnline")
	}
	leave()
	s.awaitStreams(0)
}

// awaitStreams waits until so many streams are open.
func (s *site) awaitStreams(n int) {
	s.t.Helper()
	for {
		s.streams.mu.Lock()
		open := s.streams.open
		s.streams.mu.Unlock()
		if open == n {
			return
		}
		runtime.Gosched()
	}
}

// Streams are bounded, and end with the server.
func TestStreamsEnd(t *testing.T) {
	s := newSite(t)
	b := s.loggedIn()
	for range maxStreams {
		if !s.streams.enter() {
			t.Fatal("no room for a stream")
		}
	}
	resp, _ := b.tail(t.Context(), "/overview/figures")
	resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("one stream too many: %d", resp.StatusCode)
	}
	s.streams.leave()
	resp, lines := b.tail(t.Context(), "/overview/figures")
	defer resp.Body.Close()
	awaitLine(t, lines, "retry:")
	s.Shutdown()
	for {
		if _, err := lines.ReadString('\n'); err != nil {
			break
		}
	}
	if s.streams.enter() {
		t.Error("a stream begins after the shutdown")
	}
}
