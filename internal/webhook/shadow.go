package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/google/uuid"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// Outcomes of copies, compared with what was decided.
const (
	outcomeAgrees  = "shadow_agrees"
	outcomeDiffers = "shadow_differs"
	outcomeNoWord  = "shadow_failed"
	outcomeProbe   = "probe" // a copy that finds out whether a handler is back
	shadowsWaiting = 1024
)

// copied is a before-call that an endpoint gets a copy of.
type copied struct {
	ctx      context.Context
	plan     *plan
	callback *callback
	subject  subject
	request  request
	shown    func() string // the address, without what is secret in it
	decided  decision      // what became of the call itself
}

// queue holds copies for one shadow endpoint. Workers come when there is
// something to do and go when there is not.
type queue struct {
	waiting chan copied
	running chan struct{}
}

func newQueue(workers int) *queue {
	return &queue{waiting: make(chan copied, shadowsWaiting), running: make(chan struct{}, workers)}
}

// requestOf completes a request with what its endpoint adds.
func (e *Engine) requestOf(ep *endpoint, r request) request {
	r.at, r.keys = e.o.Now(), ep.keys
	if r.eventID == "" && len(ep.keys) > 0 {
		r.eventID = uuid.Must(uuid.NewV7()).String()
	}
	return r
}

// mirror sends copies of a before-call to its shadows. It never waits: what
// finds no room is left out and counted.
func (e *Engine) mirror(ctx context.Context, p *plan, cb *callback, s subject, r request, d decision) {
	for _, ep := range cb.shadows {
		target, err := newTarget(ep.base, cb.Command, p.inQuery)
		if err != nil {
			continue // checked when the plan was made
		}
		copy := copied{
			ctx: context.WithoutCancel(ctx), plan: p, callback: cb, subject: s, decided: d,
			request: e.requestOf(ep, request{url: target.url(""), operationID: r.operationID, body: r.body}), shown: target.shown,
		}
		select {
		case ep.copies.waiting <- copy:
		default:
			e.count(ep.name, cb.Key, "shadow_left_out")
			continue
		}
		select {
		case ep.copies.running <- struct{}{}:
			e.background.Go(func() { e.workOff(ep) })
		default: // a worker will come to it
		}
	}
}

// workOff makes the calls that wait, and looks again after it gave its place
// back: a copy may have come just before.
func (e *Engine) workOff(ep *endpoint) {
	for {
		select {
		case c := <-ep.copies.waiting:
			if e.work.Err() == nil {
				e.compare(ep, c)
			}
			continue
		default:
		}
		<-ep.copies.running
		if len(ep.copies.waiting) == 0 {
			return
		}
		select {
		case ep.copies.running <- struct{}{}:
		default:
			return
		}
	}
}

// compare asks a shadow and records whether it agrees.
func (e *Engine) compare(ep *endpoint, c copied) {
	cb := c.callback
	timeout := cb.timeout
	if ep.timeout > 0 {
		timeout = ep.timeout
	}
	row := e.rowOf(c, ep.name, store.DeliveryShadow)
	l := ep.admit(cb.Key, e.o.Now())
	if l.refusal != nil {
		return // it is down, which was told
	}
	resp, took, failure := e.timed(c.plan, timeout, c.request)
	d := decide(cb, c.plan.strict, resp, failure)
	e.settle(c.ctx, ep, cb.Key, l, judge(resp, failure, d.usable()))
	row.DurationMS, row.Status, row.Answer = took.Milliseconds(), resp.status, resp.body
	if d.refusal != nil {
		row.ErrCode = d.refusal.Code
	}
	switch {
	case !d.usable():
		row.Outcome, row.Reason = outcomeNoWord, d.reason
	case d.same(c.decided):
		row.Outcome = outcomeAgrees
	default:
		row.Outcome, row.Reason = outcomeDiffers, fmt.Sprintf("decided: %s; the shadow says: %s", c.decided.said(), d.said())
	}
	e.record(c.ctx, row)
	e.watched(row, c.shown, c.request, resp)
	e.count(ep.name, cb.Key, row.Outcome)
}

// same reports whether two decisions have the same effect.
func (d decision) same(other decision) bool {
	if (d.refusal == nil) != (other.refusal == nil) || d.refusal != nil && d.refusal.Code != other.refusal.Code {
		return false
	}
	return d.refusal != nil || maps.EqualFunc(d.overrides(), other.overrides(), func(a, b json.RawMessage) bool { return bytes.Equal(a, b) })
}

func (d decision) overrides() map[string]json.RawMessage {
	if d.answer == nil {
		return nil
	}
	return d.answer.overrides
}

func (d decision) said() string {
	switch {
	case d.refusal != nil:
		return fmt.Sprintf("%s %d", d.outcome, d.refusal.Code)
	case len(d.overrides()) > 0:
		return d.outcome + " with changes"
	}
	return d.outcome
}

// probe sends a copy of a call to a handler that is down. Nobody obeys the
// answer; it closes the breaker or not.
func (e *Engine) probe(ctx context.Context, p *plan, cb *callback, l leave, r request) {
	ctx = context.WithoutCancel(ctx)
	e.background.Go(func() {
		c := copied{ctx: ctx, plan: p, callback: cb, request: r}
		row := e.rowOf(c, cb.endpoint.name, store.DeliveryCheck)
		resp, took, failure := e.timed(p, cb.timeout, r)
		d := decide(cb, p.strict, resp, failure)
		row.DurationMS, row.Status, row.Answer, row.Outcome, row.Reason = took.Milliseconds(), resp.status, resp.body, outcomeProbe, d.reason
		e.record(ctx, row)
		e.watched(row, cb.target.shown, r, resp)
		e.settle(ctx, cb.endpoint, cb.Key, l, judge(resp, failure, d.usable()))
	})
}

func (e *Engine) rowOf(c copied, endpoint string, kind store.DeliveryKind) store.Delivery {
	return store.Delivery{
		EventID: c.request.eventID, Callback: c.callback.Key, Command: c.callback.Command, Kind: kind, OperationID: im.OperationOf(c.ctx),
		Subject: c.subject.id, ClientMsgID: c.subject.clientMsgID, ServerMsgID: c.subject.serverMsgID, Attempt: 1,
		StartedAt: im.MillisOf(e.o.Now()), Endpoint: endpoint,
	}
}

// timed makes a call that ends with the engine, or at its timeout.
func (e *Engine) timed(p *plan, timeout time.Duration, r request) (_ response, took time.Duration, failure error) {
	call, cancel := context.WithTimeoutCause(e.work, timeout, errTimeUp)
	defer cancel()
	began := time.Now()
	resp, err := p.client.post(call, r)
	if err != nil && errors.Is(context.Cause(call), errTimeUp) {
		err = &timeoutError{after: timeout}
	}
	return resp, time.Since(began), err
}
