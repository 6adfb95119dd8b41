package app

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// Gaps are stretches of lanes whose events were not kept.
type Gaps struct {
	Passed  []store.Gap // newest first
	Waiting []store.Gap // whose place in their lane has not come
}

// endpointControls are what commands do with webhook endpoints.
func (s *server) endpointControls(mux *http.ServeMux) {
	named := func(f func(ctx context.Context, endpoint, callback string, r *http.Request) (any, error)) http.HandlerFunc {
		return control(func(ctx context.Context, r *http.Request) (any, error) {
			return f(ctx, r.FormValue("endpoint"), r.FormValue("callback"), r)
		})
	}
	mux.HandleFunc("GET /webhook/endpoints", control(func(ctx context.Context, _ *http.Request) (any, error) { return s.hooks.States(ctx) }))
	mux.HandleFunc("GET /webhook/tallies", control(func(context.Context, *http.Request) (any, error) { return s.hooks.Tallies(), nil }))
	mux.HandleFunc("POST /webhook/pause", named(func(ctx context.Context, endpoint, callback string, r *http.Request) (any, error) {
		return nil, s.hooks.Pause(ctx, endpoint, callback, r.FormValue("reason"))
	}))
	mux.HandleFunc("POST /webhook/resume", named(func(ctx context.Context, endpoint, callback string, _ *http.Request) (any, error) {
		return nil, s.hooks.Resume(ctx, endpoint, callback)
	}))
	mux.HandleFunc("POST /webhook/drop", named(func(ctx context.Context, endpoint, _ string, _ *http.Request) (any, error) {
		n, err := s.hooks.Drop(ctx, endpoint)
		return map[string]int64{"dropped": n}, err
	}))
	mux.HandleFunc("POST /webhook/recover", named(func(ctx context.Context, endpoint, callback string, r *http.Request) (any, error) {
		from, to, err := span(r)
		if err != nil {
			return nil, err
		}
		n, err := s.store.ReplayDead(ctx, store.DeadFilter{Endpoint: endpoint, Callback: callback, From: from, To: to, Unseen: true})
		return map[string]int{"replayed": n}, err
	}))
	mux.HandleFunc("GET /webhook/gaps", control(func(ctx context.Context, r *http.Request) (any, error) {
		var g Gaps
		err := s.store.Read(ctx, func(tx *store.Tx) (err error) {
			g.Passed, g.Waiting, err = tx.Gaps(number(r, "limit"))
			return err
		})
		return g, err
	}))
}

// span reads a range of times, RFC 3339.
func span(r *http.Request) (from, to im.Millis, err error) {
	for _, end := range []struct {
		name string
		to   *im.Millis
	}{{"from", &from}, {"to", &to}} {
		text := r.FormValue(end.name)
		if text == "" {
			continue
		}
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return 0, 0, fmt.Errorf("%s: expected a time such as 2006-01-02T15:04:05Z, got %q", end.name, text)
		}
		*end.to = im.MillisOf(t)
	}
	return from, to, nil
}
