package webhook

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/webhook/registry"
)

// Verdict is how an answer is read.
type Verdict struct {
	Callback    string `json:"callback"`
	OperationID string `json:"operationID"`
	EventID     string `json:"eventID,omitempty"`
	URL         string `json:"url"`
	Status      int    `json:"status"` // of HTTP, 0 when no answer came
	DurationMS  int64  `json:"durationMS"`
	Outcome     string `json:"outcome"`
	Reason      string `json:"reason,omitempty"`  // when something is not as it should be
	ErrCode     int    `json:"errCode,omitempty"` // what the caller of the operation gets
	ErrMsg      string `json:"errMsg,omitempty"`
	ErrDlt      string `json:"errDlt,omitempty"`
	Signed      bool   `json:"signed"`
	Answer      string `json:"answer"` // its first bytes
}

// Test sends a sample of a callback to where it is configured to go, or would
// go if it were on, and reads the answer as the real call would be read. Nothing
// is decided by it, queued or retried.
func (e *Engine) Test(ctx context.Context, key string) (Verdict, error) {
	desc, known := registry.Lookup(key)
	if !known {
		return Verdict{}, im.ErrArgs.With("'%s' is no callback of webhooks.yml", key)
	}
	p := e.plan.Load()
	cb := p.byKey[key]
	if cb == nil {
		cb = &callback{Callback: desc, timeout: defaultTimeout, endpoint: p.endpoints[DefaultEndpoint]}
	}
	ep := cb.endpoint
	if ep == nil && len(cb.routes) > 0 {
		ep = cb.routes[0].endpoint
	}
	if ep == nil || ep.pull {
		return Verdict{}, im.ErrArgs.With("%s has no address to call: set url in webhooks.yml", key)
	}
	to, err := newTarget(ep.base, cb.Command, p.inQuery)
	if err != nil {
		return Verdict{}, err
	}
	v := Verdict{Callback: key, OperationID: "test-" + uuid.NewString(), URL: to.shown(), Signed: len(ep.keys) > 0}
	r := e.requestOf(ep, request{url: to.url(""), operationID: v.OperationID, body: render(desc.Sample(cb.Command))})
	if desc.Kind == registry.After && r.eventID == "" {
		r.eventID = uuid.Must(uuid.NewV7()).String()
	}
	v.EventID = r.eventID
	resp, took, failure := e.timed(p, cb.timeout, r)
	v.Status, v.DurationMS, v.Answer = resp.status, took.Milliseconds(), short(string(resp.body), store.AnswerKept)
	if desc.Kind == registry.After {
		v.Outcome = outcomeDelivered
		switch {
		case failure != nil:
			v.Outcome, v.Reason = outcomeRetry, failure.Error()
		case resp.status < 200 || resp.status > 299:
			v.Outcome, v.Reason = outcomeRetry, resp.statusCause(resp.redirectTo())
		}
		return v, nil
	}
	d := decide(cb, p.strict, resp, failure)
	v.Outcome, v.Reason = d.outcome, d.reason
	if d.refusal != nil {
		v.ErrCode, v.ErrMsg, v.ErrDlt = d.refusal.Code, d.refusal.Msg, d.refusal.Detail
	}
	return v, nil
}

// Trigger puts a sample of a callback through all that a real one goes through:
// an after-event is recorded and delivered to every endpoint that wants it, a
// before-call obeys breakers and limits and is logged. No operation stands
// behind it. The operation's id finds what became of it in the delivery log.
func (e *Engine) Trigger(ctx context.Context, key string) (operationID string, err error) {
	desc, known := registry.Lookup(key)
	if !known {
		return "", im.ErrArgs.With("'%s' is no callback of webhooks.yml", key)
	}
	p := e.plan.Load()
	cb := p.byKey[key]
	if cb == nil {
		return "", im.ErrArgs.With("%s is off: switch it on in webhooks.yml, or listen to it", key)
	}
	operationID = "trigger-" + uuid.NewString()
	ctx = im.WithOperation(ctx, operationID)
	body := render(desc.Sample(cb.Command))
	if desc.Kind == registry.Before {
		_, err := e.ask(ctx, p, cb, subject{id: "trigger"}, body)
		if _, refused := errors.AsType[*im.Error](err); refused {
			err = nil // the log has it
		}
		return operationID, err
	}
	s := e.store.Load()
	if s == nil {
		return "", store.ErrClosed
	}
	kind, ok := kindOf(cb.ID)
	if !ok {
		return "", fmt.Errorf("%s is never sent by this version", key)
	}
	rows := []store.OutboxEvent{e.event(cb, "trigger", operationID, body)}
	return operationID, s.Write(ctx, func(tx *store.Tx) error { return tx.Record(triggered{kind, slices.Clone(rows)}) })
}

// triggered is an event that did not happen.
type triggered struct {
	kind im.EventKind
	rows []store.OutboxEvent
}

func (t triggered) Kind() im.EventKind { return t.kind }

// kindOf is a kind of event that the callback reports.
func kindOf(id registry.ID) (im.EventKind, bool) {
	for kind, ids := range reports {
		if slices.Contains(ids, id) {
			return im.EventKind(kind), true
		}
	}
	return 0, false
}

// On lists the keys of the callbacks that somebody wants, in order of the table.
func (e *Engine) On() []string {
	p := e.plan.Load()
	var keys []string
	for _, c := range registry.All() {
		if p.byKey[c.Key] != nil {
			keys = append(keys, c.Key)
		}
	}
	return keys
}
