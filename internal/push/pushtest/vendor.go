// Package pushtest is a push vendor for tests: it answers by a script and keeps
// what it was asked.
package pushtest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/parley-im/parley/internal/push"
)

// Request is one call to a vendor.
type Request struct {
	Path   string
	Header http.Header
	Body   string
}

// Answer is what the vendor says to it.
type Answer struct {
	Status     int // default 200
	Body       string
	RetryAfter string
	Header     map[string]string // further headers
	HangUp     bool              // close the connection instead
}

// Vendor is an HTTP server that plays a vendor.
type Vendor struct {
	URL    string
	Client *http.Client

	mu   sync.Mutex
	seen []Request
}

// Start starts a vendor that answers with answer, over TLS and HTTP/2 when
// secure. It ends with the test.
func Start(t testing.TB, secure bool, answer func(Request) Answer) *Vendor {
	t.Helper()
	v := &Vendor{}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read request: %v", err)
		}
		req := Request{r.URL.Path, r.Header, string(body)}
		v.mu.Lock()
		v.seen = append(v.seen, req)
		v.mu.Unlock()
		a := answer(req)
		if a.HangUp {
			panic(http.ErrAbortHandler)
		}
		if a.RetryAfter != "" {
			w.Header().Set("Retry-After", a.RetryAfter)
		}
		for k, v := range a.Header {
			w.Header().Set(k, v)
		}
		if a.Status != 0 {
			w.WriteHeader(a.Status)
		}
		_, _ = io.WriteString(w, a.Body)
	}))
	if secure {
		s.EnableHTTP2 = true
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	v.URL, v.Client = s.URL, s.Client()
	return v
}

// Seen returns the calls since the last time.
func (v *Vendor) Seen() []Request {
	v.mu.Lock()
	defer v.mu.Unlock()
	seen := v.seen
	v.seen = nil
	return seen
}

// Outcomes lists what became of each target, by token or user id.
func Outcomes(results []push.Result) map[string]push.Outcome {
	out := make(map[string]push.Outcome, len(results))
	for _, r := range results {
		id := r.Target.Token
		if id == "" {
			id = r.Target.UserID
		}
		out[id] = r.Outcome
	}
	return out
}
