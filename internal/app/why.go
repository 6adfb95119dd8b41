package app

import (
	"context"
	"time"

	"github.com/parley-im/parley/internal/presence"
	"github.com/parley-im/parley/internal/trial"
	"github.com/parley-im/parley/internal/webhook/explain"
)

// explainer answers why a callback was called or not.
func (s *server) explainer() *explain.Explainer {
	return &explain.Explainer{
		Store: s.store, Config: s.config, IsAdmin: s.auth.IsAdmin, Online: platformNames(s.presence), Endpoints: s.endpointStates,
		LostLogRows: s.hooks.LostLogRows, Now: time.Now, MadeUp: trial.IsUser,
	}
}

func platformNames(p *presence.Tracker) func(userID string) []string {
	return func(userID string) []string {
		var out []string
		for _, platform := range p.Platforms(userID) {
			out = append(out, platform.String())
		}
		return out
	}
}

// endpointStates tells which places calls go to, and whether they do.
func (s *server) endpointStates(ctx context.Context) ([]explain.Endpoint, error) {
	states, err := s.hooks.States(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]explain.Endpoint, len(states))
	for i, st := range states {
		out[i] = explain.Endpoint{Name: st.Name, URL: st.URL, State: st.State, Since: st.Since, Reason: st.Reason, Callbacks: map[string]string{}}
		for _, cb := range st.Callbacks {
			out[i].Callbacks[cb.Callback] = cb.State + ": " + cb.Reason
		}
	}
	return out, nil
}
