package webhook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/webhook/registry"
)

// ErrNoEndpoint is returned for a name that is not configured.
var ErrNoEndpoint = errors.New("no such webhook endpoint")

// Restore takes over the pauses that were recorded, before anything is
// delivered.
func (e *Engine) Restore(ctx context.Context, s *store.Store) error {
	e.store.Store(s)
	var rows []store.Pause
	if err := s.Read(ctx, func(tx *store.Tx) (err error) {
		rows, err = tx.Pauses()
		return err
	}); err != nil {
		return fmt.Errorf("restore webhook pauses: %w", err)
	}
	e.reloading.Lock()
	defer e.reloading.Unlock()
	e.pauses = rows
	for _, ep := range e.plan.Load().endpoints {
		ep.restore(rows)
	}
	return nil
}

func (e *endpoint) restore(rows []store.Pause) {
	e.mu.Lock()
	defer e.mu.Unlock()
	clear(e.paused)
	for _, r := range rows {
		if r.Endpoint == e.name {
			e.paused[r.Callback] = pause{r.Since.Time(), r.Reason}
		}
	}
}

// Pause stops an endpoint, or with a callback's key one callback of it, until
// Resume, across restarts. Before-calls end as if the handler were down, events of
// the endpoint stay queued, and those of a callback alone are set aside.
func (e *Engine) Pause(ctx context.Context, endpoint, callback, reason string) error {
	ep, err := e.endpoint(endpoint, callback)
	if err != nil {
		return err
	}
	if reason == "" {
		reason = "by an administrator"
	}
	if err := e.pause(ctx, ep, callback, reason); err != nil {
		return err
	}
	a := alertFor(ep, callback)
	a.Event, a.Reason = AlertPaused, reason
	e.alert(ctx, a)
	e.log.WarnContext(ctx, "webhook paused", slog.String("endpoint", endpoint), slog.String("callback", callback), slog.String("reason", reason))
	return nil
}

func (e *Engine) pause(ctx context.Context, ep *endpoint, callback, reason string) error {
	row := pauseRow(ep.name, callback, pause{e.o.Now(), reason})
	e.reloading.Lock()
	defer e.reloading.Unlock()
	if s := e.store.Load(); s != nil {
		if err := s.Write(ctx, func(tx *store.Tx) error { return tx.PutPause(row) }); err != nil {
			return fmt.Errorf("pause webhook: %w", err)
		}
	}
	e.pauses = append(e.pauses, row)
	ep.restore(e.pauses)
	e.signal()
	return nil
}

// Resume ends a pause, and closes breakers that are open: of the endpoint with
// all of its callbacks, or of one callback.
func (e *Engine) Resume(ctx context.Context, endpoint, callback string) error {
	ep, err := e.endpoint(endpoint, callback)
	if err != nil {
		return err
	}
	keys := ep.known(callback)
	if err := e.unpause(ctx, ep, keys); err != nil {
		return err
	}
	now := e.o.Now()
	for _, key := range keys {
		b := ep.breaker
		if key != "" {
			b = ep.of(key, false)
			e.unpark(ep.name, key)
		}
		if b != nil {
			e.turned(ctx, ep, key, b, b.reset(now))
		}
	}
	a := alertFor(ep, callback)
	a.Event = AlertResume
	e.alert(ctx, a)
	e.log.WarnContext(ctx, "webhook resumed", slog.String("endpoint", endpoint), slog.String("callback", callback))
	e.signal()
	return nil
}

func (e *Engine) unpause(ctx context.Context, ep *endpoint, keys []string) error {
	e.reloading.Lock()
	defer e.reloading.Unlock()
	if s := e.store.Load(); s != nil {
		if err := s.Write(ctx, func(tx *store.Tx) error {
			for _, key := range keys {
				if _, err := tx.DeletePause(ep.name, key); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return fmt.Errorf("resume webhook: %w", err)
		}
	}
	e.pauses = slices.DeleteFunc(e.pauses, func(p store.Pause) bool { return p.Endpoint == ep.name && slices.Contains(keys, p.Callback) })
	ep.restore(e.pauses)
	return nil
}

// known lists what a name stands for: a callback, or with "" the endpoint itself
// and all its callbacks that are paused or failed.
func (e *endpoint) known(callback string) []string {
	if callback != "" {
		return []string{callback}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	keys := []string{""}
	for key := range e.callbacks {
		keys = append(keys, key)
	}
	for key := range e.paused {
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

func (e *Engine) endpoint(name, callback string) (*endpoint, error) {
	p := e.plan.Load()
	ep := p.endpoints[name]
	if ep == nil {
		return nil, fmt.Errorf("%w: %q; there are %s", ErrNoEndpoint, name, strings.Join(p.names(), ", "))
	}
	if _, known := registry.Lookup(callback); callback != "" && !known {
		return nil, fmt.Errorf("no callback has the key %q", callback)
	}
	return ep, nil
}

// EndpointState is what an administrator is shown of an endpoint.
type EndpointState struct {
	Name   string    `json:"name"`
	URL    string    `json:"url,omitempty"`
	Kind   string    `json:"kind"`  // push, pull, shadow; removed for one that only events are left of
	State  string    `json:"state"` // ok, down, paused
	Since  im.Millis `json:"since,omitempty"`
	Reason string    `json:"reason,omitempty"`
	Answer string    `json:"answer,omitempty"` // the last that was of no use
	Probes int       `json:"probes,omitempty"` // since it went down
	Signed bool      `json:"signed"`
	// Callbacks are those that are paused or set aside.
	Callbacks []CallbackState `json:"callbacks,omitempty"`

	Lanes  int64     `json:"lanes"`  // that wait
	Events int64     `json:"events"` // that wait
	Bytes  int64     `json:"bytes"`  // of the outbox
	Bound  int64     `json:"bound"`
	Oldest im.Millis `json:"oldest,omitempty"` // of the events that wait
	Floor  int64     `json:"floor,omitempty"`  // cursors of a pull endpoint's log: of the newest forgotten
	Last   int64     `json:"last,omitempty"`
}

// CallbackState is one callback that is not called now.
type CallbackState struct {
	Callback string    `json:"callback"`
	State    string    `json:"state"` // down, paused
	Since    im.Millis `json:"since"`
	Reason   string    `json:"reason"`
	Answer   string    `json:"answer,omitempty"`
}

// States of endpoints.
const (
	StateOK     = "ok"
	StateDown   = "down"
	StatePaused = "paused"
)

// States lists the endpoints in order of their names, and those that are not
// configured any more and for which events still wait.
func (e *Engine) States(ctx context.Context) ([]EndpointState, error) {
	s := e.store.Load()
	if s == nil {
		return nil, store.ErrClosed
	}
	waiting, err := s.Backlogs(ctx)
	if err != nil {
		return nil, err
	}
	p := e.plan.Load()
	var list []EndpointState
	for _, name := range p.names() {
		ep := p.endpoints[name]
		st := ep.show()
		_, st.Bound = s.WaitingBytes(name)
		if ep.pull {
			if err := s.Read(ctx, func(tx *store.Tx) error {
				r, err := tx.PullRange(name)
				st.Floor, st.Last = r.Floor, r.Last
				return err
			}); err != nil {
				return nil, err
			}
		}
		list = append(list, st)
	}
	for _, b := range waiting {
		if strings.HasPrefix(b.Endpoint, "@") {
			continue // rows of others, which are no webhooks
		}
		i := slices.IndexFunc(list, func(st EndpointState) bool { return st.Name == b.Endpoint })
		if i < 0 {
			i = len(list)
			list = append(list, EndpointState{Name: b.Endpoint, Kind: "removed", State: StatePaused, Reason: "not configured any more: its events wait until it is, or are dropped by an administrator"})
		}
		list[i].Lanes, list[i].Events, list[i].Bytes, list[i].Oldest = b.Lanes, b.Events, b.Bytes, b.Oldest
	}
	return list, nil
}

func (e *endpoint) show() EndpointState {
	st := EndpointState{Name: e.name, URL: e.shown(), Kind: "push", State: StateOK, Signed: len(e.keys) > 0}
	switch {
	case e.pull:
		st.Kind = "pull"
	case e.shadow:
		st.Kind = "shadow"
	}
	v := e.breaker.view()
	if v.open {
		st.State, st.Since, st.Reason, st.Answer, st.Probes = StateDown, im.MillisOf(v.since), v.reason, v.answer, v.probes
	}
	if p, paused := e.pausedFor(""); paused {
		st.State, st.Since, st.Reason = StatePaused, im.MillisOf(p.since), p.reason
	}
	for _, key := range e.known("") {
		if key == "" {
			continue
		}
		if p, paused := e.pausedFor(key); paused {
			st.Callbacks = append(st.Callbacks, CallbackState{Callback: key, State: StatePaused, Since: im.MillisOf(p.since), Reason: p.reason})
		} else if v := e.of(key, true).view(); v.open {
			st.Callbacks = append(st.Callbacks, CallbackState{Callback: key, State: StateDown, Since: im.MillisOf(v.since), Reason: v.reason, Answer: v.answer})
		}
	}
	return st
}

// Drop forgets what waits for an endpoint that is not configured any more, and
// reports how many events that were.
func (e *Engine) Drop(ctx context.Context, endpoint string) (int64, error) {
	if e.plan.Load().endpoints[endpoint] != nil {
		return 0, fmt.Errorf("endpoint %q is configured: remove it from webhooks.yml first", endpoint)
	}
	s := e.store.Load()
	if s == nil {
		return 0, store.ErrClosed
	}
	n, err := s.DropLanes(ctx, endpoint)
	e.log.WarnContext(ctx, "webhook events of a removed endpoint dropped", slog.String("endpoint", endpoint), slog.Int64("events", n))
	return n, err
}
