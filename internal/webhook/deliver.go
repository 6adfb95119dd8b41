package webhook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/outbox"
	"github.com/parley-im/parley/internal/store"
)

// fewTries is how often an event is sent that the handler answers with a status
// no later attempt is likely to change.
const fewTries = 3

// longestRetryAfter bounds what a handler may ask for.
const longestRetryAfter = time.Hour

// Deliver implements outbox.Handler: one attempt to tell the business server.
func (e *Engine) Deliver(ctx context.Context, ev *store.OutboxEvent, attempt int) outbox.Result {
	ctx = im.WithOperation(ctx, ev.OperationID)
	p := e.plan.Load()
	ep := p.endpoints[store.EndpointOf(ev.Lane)]
	if ep == nil || ep.shadow || ep.pull {
		return outbox.Result{Verdict: outbox.Held, Reason: "the endpoint is not configured any more"}
	}
	to, err := newTarget(ep.base, ev.Command, p.inQuery)
	if err != nil {
		return outbox.Result{Verdict: outbox.Held, Reason: err.Error()}
	}
	if wait := ep.throttle(ctx, e.o.Now()); wait > 0 {
		return outbox.Result{Verdict: outbox.Held, After: wait, Reason: "the endpoint's rate is used up"}
	}
	l := ep.admit(ev.Callback, e.o.Now())
	switch {
	case l.parked:
		return outbox.Result{Verdict: outbox.Parked, Reason: l.refusal.Error()}
	case l.refusal != nil:
		return outbox.Result{Verdict: outbox.Held, Reason: l.refusal.Error()}
	}
	timeout := ep.timeoutOf(p, ev.Callback)
	row := store.Delivery{
		EventID: ev.EventID, Callback: ev.Callback, Command: ev.Command, Kind: store.DeliveryAfter,
		OperationID: ev.OperationID, Subject: ev.Subject, ClientMsgID: ev.ClientMsgID, ServerMsgID: ev.ServerMsgID,
		Attempt: attempt, StartedAt: im.MillisOf(e.o.Now()), Endpoint: ep.name,
	}
	call, cancel := context.WithTimeoutCause(ctx, timeout, errTimeUp)
	defer cancel()
	began := time.Now()
	r := request{
		url: to.url(ev.Query), operationID: ev.OperationID,
		eventID: ev.EventID, at: e.o.Now(), keys: ep.keys, body: ev.Body,
	}
	resp, err := p.client.post(call, r)
	took := time.Since(began)
	e.o.Called(store.DeliveryAfter, took)
	row.DurationMS, row.Status, row.Answer = took.Milliseconds(), resp.status, resp.body
	taken := resp.status >= 200 && resp.status <= 299
	if err != nil && errors.Is(context.Cause(call), errTimeUp) {
		err = &timeoutError{after: timeout}
	}
	b := judge(resp, err, taken)
	if ctx.Err() != nil && !taken {
		b = blame{}
	}
	e.settle(ctx, ep, ev.Callback, l, b)

	res := outbox.Result{Log: &row}
	switch {
	case taken:
		// Any 2xx delivers. The answer is only logged, whatever became of it.
		res.Verdict, row.Outcome = outbox.Delivered, outcomeDelivered
	case ctx.Err() != nil:
		res.Verdict, row.Outcome = outbox.Interrupted, outcomeInterrupted
		row.Reason = "the server is stopping"
	case err != nil:
		res.Verdict, row.Outcome, row.Reason = outbox.Retrying, outcomeRetry, err.Error()
	case b.gone:
		e.gone(ctx, ep, ev.Callback)
		res.Verdict, row.Outcome, row.Reason = outbox.Parked, outcomeDead, resp.statusCause("")
	case retriable(resp.status) || attempt < fewTries:
		res.Verdict, row.Outcome, row.Reason = outbox.Retrying, outcomeRetry, resp.statusCause(resp.redirectTo())
		res.After = retryAfter(resp.retryAfter, e.o.Now())
	default:
		row.Outcome = outcomeDead
		row.Reason = fmt.Sprintf("%s, %d times", resp.statusCause(""), attempt)
		res.Verdict = outbox.Dead
	}
	res.Reason = row.Reason
	e.logCall(ctx, to.shown, row)
	p.saw(row, ev.Body)
	e.watched(row, to.shown, r, resp)
	return res
}

// timeoutOf is how long an attempt may take.
func (e *endpoint) timeoutOf(p *plan, key string) time.Duration {
	if e.timeout > 0 {
		return e.timeout
	}
	if cb := p.byKey[key]; cb != nil {
		return cb.timeout
	}
	return defaultTimeout
}

// gone sets a callback aside for good: its handler answered that it wants no
// more of it. Its before-calls, if that is what it is, are not concerned.
func (e *Engine) gone(ctx context.Context, ep *endpoint, key string) {
	if _, paused := ep.pausedFor(key); paused {
		return
	}
	const reason = "the handler answered 410 Gone"
	if err := e.pause(context.WithoutCancel(ctx), ep, key, reason); err != nil {
		e.log.ErrorContext(ctx, "webhook callback cannot be set aside", slog.String("callback", key), slog.Any("error", err))
		return
	}
	e.log.ErrorContext(ctx, "webhook callback set aside: its events are kept until it is resumed",
		slog.String("endpoint", ep.name), slog.String("callback", key), slog.String("reason", reason))
	a := alertFor(ep, key)
	a.Event, a.Reason, a.Help = AlertGone, reason, "parley webhook resume "+ep.name+" "+key
	e.alert(ctx, a)
}

// unpark puts the events of a callback back that were set aside unsent.
func (e *Engine) unpark(endpoint, key string) {
	s := e.store.Load()
	if s == nil {
		return
	}
	e.background.Go(func() {
		n, err := s.ReplayDead(e.work, store.DeadFilter{Endpoint: endpoint, Callback: key, Parked: true})
		if err != nil && e.work.Err() == nil {
			e.log.ErrorContext(e.work, "webhook events that were set aside cannot be put back", slog.String("endpoint", endpoint),
				slog.String("callback", key), slog.Any("error", err))
		}
		if n > 0 {
			e.log.InfoContext(e.work, "webhook events that were set aside are delivered now", slog.String("endpoint", endpoint),
				slog.String("callback", key), slog.Int("events", n))
		}
	})
}

// Buried implements outbox.Handler.
func (e *Engine) Buried(ctx context.Context, d *store.DeadEvent) {
	endpoint := store.EndpointOf(d.Lane)
	if d.Parked {
		e.count(endpoint, d.Callback, "parked")
		return
	}
	e.count(endpoint, d.Callback, "buried")
	e.alert(ctx, Alert{
		Event: AlertDead, Endpoint: endpoint, Callback: d.Callback, Events: 1, Reason: d.Reason,
		Help: "parley webhook dead, then parley webhook recover or replay",
	})
}

// retriable reports whether a status may pass by itself. A redirect means that
// the address is wrong, which the operator can repair without losing events.
func retriable(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return status >= 500 || status >= 300 && status <= 399
}

// retryAfter reads the header, which is a number of seconds or a date.
func retryAfter(header string, now time.Time) time.Duration {
	header = strings.TrimSpace(header)
	if header == "" {
		return 0
	}
	if seconds, err := strconv.ParseInt(header, 10, 64); err == nil {
		if seconds > int64(longestRetryAfter/time.Second) {
			return longestRetryAfter
		}
		return max(0, time.Duration(seconds)*time.Second)
	}
	if at, err := http.ParseTime(header); err == nil {
		return min(max(0, at.Sub(now)), longestRetryAfter)
	}
	return 0
}

var _ outbox.Handler = (*Engine)(nil)
