package console

import (
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/webhook"
	"github.com/parley-im/parley/internal/webhook/desk"
	"github.com/parley-im/parley/internal/webhook/registry"
)

// endpointsPage shows where callbacks go and what waits there; it pauses, resumes,
// forgets, and changes secrets.
func endpointsPage(c *Console) *page {
	named := func(r *request) (endpoint, callback string) {
		return r.PostFormValue("endpoint"), r.PostFormValue("callback")
	}
	return &page{
		path: "webhooks/endpoints", title: "endpoints.title", section: webhookSection, template: "endpoints.html",
		show: func(r *request) (any, error) {
			v := endpointsView{Keys: callbackKeys(), Now: im.MillisOf(c.Now())}
			var err error
			if v.Endpoints, err = c.Desk.Endpoints(r.Context()); err != nil {
				return v, err
			}
			v.Gaps, err = c.Desk.Gaps(r.Context(), 50)
			return v, err
		},
		actions: []action{
			{name: "pause", do: func(r *request) (done, error) {
				endpoint, callback := named(r)
				return done{say: "done.paused"}, c.Desk.Pause(r.Context(), endpoint, callback, r.PostFormValue("reason"))
			}},
			{name: "resume", do: func(r *request) (done, error) {
				endpoint, callback := named(r)
				return done{say: "done.resumed"}, c.Desk.Resume(r.Context(), endpoint, callback)
			}},
			{name: "drop", do: func(r *request) (done, error) {
				endpoint, _ := named(r)
				n, err := c.Desk.Drop(r.Context(), endpoint)
				return done{say: "done.dropped", n: n}, err
			}},
			{name: "rotate", do: func(r *request) (done, error) {
				endpoint, _ := named(r)
				secret, err := c.Desk.Rotate(r.Context(), endpoint)
				return done{result: rotated{endpoint, secret}}, err
			}},
			{name: "finish", do: func(r *request) (done, error) {
				endpoint, _ := named(r)
				return done{say: "done.finished"}, c.Desk.FinishRotation(r.Context(), endpoint)
			}},
		},
	}
}

type endpointsView struct {
	Endpoints []webhook.EndpointState
	Gaps      desk.Gaps
	Keys      []string // of all callbacks
	Now       im.Millis
}

// rotated is shown once.
type rotated struct{ Endpoint, Secret string }

// callbackKeys lists the keys of all callbacks in order of the table.
func callbackKeys() []string {
	all := registry.All()
	keys := make([]string, len(all))
	for i, cb := range all {
		keys[i] = cb.Key
	}
	return keys
}
