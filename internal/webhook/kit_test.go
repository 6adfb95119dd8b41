package webhook

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

const approval = `{"actionCode":0,"errCode":0,"errMsg":"","errDlt":"","nextCode":0}`

// handler is a business server that remembers its calls.
type handler struct {
	*httptest.Server
	mu     sync.Mutex
	calls  []call
	answer http.HandlerFunc
}

type call struct {
	path, query string
	header      http.Header
	body        []byte
}

// serve starts a business server; answer gets requests whose body was read.
func serve(t testing.TB, answer http.HandlerFunc) *handler {
	t.Helper()
	h := &handler{answer: answer}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read request: %v", err)
		}
		h.mu.Lock()
		h.calls = append(h.calls, call{r.URL.Path, r.URL.RawQuery, r.Header, body})
		answer := h.answer
		h.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *handler) got() []call {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]call(nil), h.calls...)
}

func says(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
}

// logged is a log that tests read.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logged) lines(with string) (n int) {
	for line := range strings.Lines(l.String()) {
		if strings.Contains(line, with) {
			n++
		}
	}
	return n
}

func (l *logged) logger(level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: level}))
}

func newEngine(t testing.TB, cfg Config, o Options) *Engine {
	t.Helper()
	e, err := New(cfg, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.plan.Load().client.http.CloseIdleConnections)
	return e
}

func on(c Callback, keys ...string) map[string]Callback {
	c.Enable = true
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second // no test waits for it
	}
	all := map[string]Callback{}
	for _, k := range keys {
		all[k] = c
	}
	return all
}

func text(content string) *im.Message {
	return &im.Message{
		SessionType: im.SingleChat, SendID: "alice", RecvID: "bob", ClientMsgID: "c1", ServerMsgID: "s1",
		ContentType: im.ContentText, Content: []byte(`{"content":"` + content + `"}`), Status: im.StatusSending, Options: im.Options{},
	}
}

func operation() context.Context { return im.WithOperation(context.Background(), "op-1") }
