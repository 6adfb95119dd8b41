package app

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/webhook/desk"
	"github.com/parley-im/parley/internal/webhook/explain"
)

// webhookControls are what commands do with webhooks.
func (s *server) webhookControls(mux *http.ServeMux) {
	d := s.desk
	on := func(pattern string, f func(ctx context.Context, r *http.Request) (any, error)) {
		mux.HandleFunc(pattern, control(f))
	}
	// Looking.
	on("GET /webhook/deliveries", func(ctx context.Context, r *http.Request) (any, error) {
		return d.Deliveries(ctx, store.DeliveryFilter{
			EventID: r.FormValue("event"), Callback: r.FormValue("callback"), OperationID: r.FormValue("operation"),
			Subject: r.FormValue("subject"), MsgID: r.FormValue("message"), Outcome: r.FormValue("outcome"),
			Before: int64(number(r, "before")), Limit: number(r, "limit"),
		})
	})
	on("GET /webhook/dead", func(ctx context.Context, r *http.Request) (any, error) {
		return d.Dead(ctx, store.DeadFilter{Endpoint: r.FormValue("endpoint"), Callback: r.FormValue("callback"), Limit: number(r, "limit")})
	})
	on("GET /webhook/event", func(ctx context.Context, r *http.Request) (any, error) { return d.Event(ctx, r.FormValue("id")) })
	on("GET /webhook/why", func(ctx context.Context, r *http.Request) (any, error) {
		q := explain.Question{ID: r.FormValue("id"), Callback: r.FormValue("callback")}
		if env := r.FormValue("env"); env != "" {
			q.Env = strings.Split(env, ",")
		}
		return d.Why(ctx, q)
	})
	on("GET /webhook/stats", func(ctx context.Context, _ *http.Request) (any, error) { return d.Stats(ctx) })
	on("GET /webhook/endpoints", func(ctx context.Context, _ *http.Request) (any, error) { return d.Endpoints(ctx) })
	on("GET /webhook/tallies", func(context.Context, *http.Request) (any, error) { return s.hooks.Tallies(), nil })
	on("GET /webhook/gaps", func(ctx context.Context, r *http.Request) (any, error) { return d.Gaps(ctx, number(r, "limit")) })

	// Changing.
	on("POST /webhook/replay", func(ctx context.Context, r *http.Request) (any, error) {
		n, err := d.Replay(ctx, r.FormValue("event"), r.FormValue("callback"))
		return map[string]int{"replayed": n}, err
	})
	on("POST /webhook/recover", func(ctx context.Context, r *http.Request) (any, error) {
		from, to, err := span(r)
		if err != nil {
			return nil, err
		}
		n, err := d.Recover(ctx, desk.Range{Endpoint: r.FormValue("endpoint"), Callback: r.FormValue("callback"), From: from, To: to})
		return map[string]int{"replayed": n}, err
	})
	on("POST /webhook/pause", func(ctx context.Context, r *http.Request) (any, error) {
		return nil, d.Pause(ctx, r.FormValue("endpoint"), r.FormValue("callback"), r.FormValue("reason"))
	})
	on("POST /webhook/resume", func(ctx context.Context, r *http.Request) (any, error) {
		return nil, d.Resume(ctx, r.FormValue("endpoint"), r.FormValue("callback"))
	})
	on("POST /webhook/drop", func(ctx context.Context, r *http.Request) (any, error) {
		n, err := d.Drop(ctx, r.FormValue("endpoint"))
		return map[string]int64{"dropped": n}, err
	})
	on("POST /webhook/rotate", func(ctx context.Context, r *http.Request) (any, error) {
		if r.FormValue("finish") != "" {
			return nil, d.FinishRotation(ctx, r.FormValue("endpoint"))
		}
		secret, err := d.Rotate(ctx, r.FormValue("endpoint"))
		return map[string]string{"secret": secret}, err
	})
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
