package conform

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
)

// api stands in for the IM server's API. A handler that calls it from inside a
// callback is asked another question before its call is answered, as a server
// would that runs into a callback.
type api struct {
	server *http.Server
	url    string

	mu     sync.Mutex
	during func() // what a call sets off; nil outside of the check
	calls  int
}

func (p *player) listen() error {
	address := p.options.API
	if address == "" {
		address = "127.0.0.1:0"
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", address)
	if err != nil {
		return fmt.Errorf("listen as the API: %w", err)
	}
	a := &api{url: "http://" + listener.Addr().String()}
	a.server = &http.Server{Handler: a, ReadHeaderTimeout: p.options.Timeout}
	p.api = a
	go func() { _ = a.server.Serve(listener) }() // until close
	return nil
}

// ServeHTTP answers every route with success and no data.
func (a *api) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	a.mu.Lock()
	during := a.during
	a.during = nil // one nested question is enough
	a.calls++
	a.mu.Unlock()
	if during != nil {
		during()
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"errCode":0,"errMsg":"","errDlt":"","data":{}}`)) // the handler may be gone
}

// watch sets what the next call sets off, and forgets earlier calls.
func (a *api) watch(during func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.during, a.calls = during, 0
}

func (a *api) called() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.calls > 0
}

func (a *api) close() { _ = a.server.Close() }
