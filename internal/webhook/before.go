package webhook

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/trace"
	"github.com/parley-im/parley/internal/webhook/registry"
)

type deadlineKey struct{}

// WithDeadline starts the time that all before-calls of one operation share.
// It does not limit anything else the operation does.
func (e *Engine) WithDeadline(ctx context.Context) context.Context {
	p := e.plan.Load()
	if _, begun := ctx.Value(deadlineKey{}).(time.Time); begun || !p.asks {
		return ctx
	}
	return context.WithValue(ctx, deadlineKey{}, time.Now().Add(p.deadline))
}

// BeforeSend asks beforeSendSingleMsg or beforeSendGroupMsg. A refusal is an
// *im.Error. asked tells whether a handler was called: time went by, and rules
// must be checked again.
func (e *Engine) BeforeSend(ctx context.Context, m *im.Message) (asked bool, err error) {
	p := e.plan.Load().ofMessage(m)
	cb := e.sendCallback(p, m)
	if cb == nil {
		return false, nil
	}
	_, err = e.ask(ctx, p, cb, about(m), renderMessage(m, cb, im.OperationOf(ctx)))
	return true, err
}

// Modify asks beforeMsgModify and applies its overrides to m, which must be the
// caller's own copy. changed lists the fields that got another value, by their
// wire names; ids and times are not listed. asked is as for BeforeSend.
func (e *Engine) Modify(ctx context.Context, m *im.Message) (asked bool, changed []string, err error) {
	p := e.plan.Load().ofMessage(m)
	cb := p.modifyCallback(m)
	if cb == nil {
		return false, nil, nil
	}
	a, err := e.ask(ctx, p, cb, about(m), renderAddressed(m, cb, im.OperationOf(ctx)))
	if err != nil || a == nil {
		return true, nil, err
	}
	changed, dropped, err := a.modify(m)
	if len(dropped) > 0 {
		e.warnDropped(ctx, cb, dropped)
	}
	return true, changed, err
}

// Asks reports whether a handler would be asked about m before it is sent.
func (e *Engine) Asks(m *im.Message) bool {
	p := e.plan.Load().ofMessage(m)
	return e.sendCallback(p, m) != nil || p.modifyCallback(m) != nil
}

// sendCallback is what BeforeSend asks about m, nil for nobody.
func (e *Engine) sendCallback(p *plan, m *im.Message) *callback {
	var cb *callback
	switch m.SessionType {
	case im.SingleChat:
		cb = p.on[registry.BeforeSendSingleMsg]
	case im.GroupChat:
		cb = p.on[registry.BeforeSendGroupMsg]
	default: // nobody is asked about notices of accounts
	}
	if cb == nil || !cb.filter.admits(m) || m.SessionType == im.SingleChat && e.o.IsAdmin(m.SendID) {
		return nil
	}
	return cb
}

// modifyCallback is what Modify asks about m, nil for nobody.
func (p *plan) modifyCallback(m *im.Message) *callback {
	cb := p.on[registry.BeforeMsgModify]
	if cb == nil || m.SessionType != im.SingleChat && m.SessionType != im.GroupChat || !cb.filter.admits(m) {
		return nil
	}
	return cb
}

// subject is what a before-call is about, for the delivery log.
type subject struct{ id, clientMsgID, serverMsgID string }

func about(m *im.Message) subject { return subject{string(m.LogID()), m.ClientMsgID, m.ServerMsgID} }

// ask makes one before-call and decides. It returns the answer whose
// overrides apply, if any, or the refusal.
func (e *Engine) ask(ctx context.Context, p *plan, cb *callback, s subject, body []byte) (*answer, error) {
	ctx, span := trace.Call(ctx, "webhook.before")
	span.Set(trace.Callback, cb.Key)
	span.Set(trace.Endpoint, cb.endpoint.name)
	// A client that hangs up does not take back what it asked for.
	call, cancel := callContext(ctx, p, cb)
	defer cancel()
	began := time.Now()
	r := e.requestOf(cb.endpoint, request{url: cb.target.url(""), operationID: im.OperationOf(ctx), body: body})
	l := cb.endpoint.admit(cb.Key, e.o.Now())
	var resp response
	failure := l.refusal
	switch {
	case l.probes():
		// Nobody waits for it to be found out whether the handler is back.
		e.probe(ctx, p, cb, l, r)
		failure = refuse("handler is down", "endpoint %s is down, a copy of this call finds out whether it still is", cb.endpoint.name)
	case failure == nil:
		resp, failure = e.call(call, p, cb, r)
		e.o.Called(store.DeliveryBefore, time.Since(began))
	}
	if failure != nil {
		from := im.CallerOf(ctx).Addr
		own := from.IsValid() && from == resp.peer
		switch cause := context.Cause(call); {
		case errors.Is(cause, errOperationTimeUp):
			failure = &timeoutError{after: time.Since(began).Round(time.Millisecond), shared: true, own: own}
		case errors.Is(cause, errTimeUp), errors.Is(failure, context.DeadlineExceeded):
			failure = &timeoutError{after: cb.timeout, own: own}
		}
	}
	d := decide(cb, p.strict, resp, failure)
	if l.refusal == nil && !l.probes() {
		e.settle(ctx, cb.endpoint, cb.Key, l, judge(resp, failure, d.usable()))
	}
	e.mirror(ctx, p, cb, s, r, d)
	row := e.report(ctx, cb, s, resp, d, time.Since(began))
	p.saw(row, body)
	e.watched(row, cb.target.shown, r, resp)
	span.Set(trace.Outcome, d.outcome)
	span.SetInt(trace.Status, resp.status)
	if d.refusal != nil {
		span.End(d.refusal)
		return nil, d.refusal
	}
	span.End(nil)
	return d.answer, nil
}

// Why a call's context ended.
var (
	errTimeUp          = errors.New("webhook: time is up")
	errOperationTimeUp = errors.New("webhook: time of the operation is up")
)

// callContext ends at the callback's timeout or at the operation's deadline; its
// cause says at which.
func callContext(ctx context.Context, p *plan, cb *callback) (context.Context, context.CancelFunc) {
	now := time.Now()
	until := now.Add(p.deadline)
	if shared, ok := ctx.Value(deadlineKey{}).(time.Time); ok {
		until = shared
	}
	cause := errOperationTimeUp
	if own := now.Add(cb.timeout); !own.After(until) {
		until, cause = own, errTimeUp
	}
	return context.WithDeadlineCause(context.WithoutCancel(ctx), until, cause)
}

func (e *Engine) call(ctx context.Context, p *plan, cb *callback, r request) (response, error) {
	if err := ctx.Err(); err != nil {
		return response{}, err
	}
	if err := cb.limit.acquire(ctx); err != nil {
		return response{}, err
	}
	defer cb.limit.release()
	return p.client.post(ctx, r)
}

// report logs a before-call and puts it into the delivery log, and returns its row.
func (e *Engine) report(ctx context.Context, cb *callback, s subject, resp response, d decision, took time.Duration) store.Delivery {
	row := store.Delivery{
		Callback: cb.Key, Command: cb.Command, Kind: store.DeliveryBefore,
		OperationID: im.OperationOf(ctx), Subject: s.id, ClientMsgID: s.clientMsgID, ServerMsgID: s.serverMsgID,
		Attempt: 1, StartedAt: im.MillisOf(e.o.Now().Add(-took)), DurationMS: took.Milliseconds(), Status: resp.status,
		Outcome: d.outcome, Reason: d.reason, Answer: resp.body, Endpoint: cb.endpoint.name,
	}
	if d.refusal != nil {
		row.ErrCode = d.refusal.Code
	}
	e.record(ctx, row)

	e.logCall(ctx, cb.target.shown, row)
	if d.outcome == outcomeReject && logsOut(d.refusal.Code) {
		e.log.WarnContext(ctx, "webhook refuses with a code that makes clients log out",
			slog.String("callback", cb.Key), slog.Int("err_code", d.refusal.Code))
	}
	if d.answer != nil && !d.answer.protocol && len(d.answer.overrides) == 0 && !cb.hinted.Swap(true) {
		e.log.WarnContext(ctx, "webhook answers hold no actionCode and no nextCode, which approves (said once)",
			slog.String("callback", cb.Key))
	}
	return row
}

// logCall writes one line about one call: a warning if something was not as it
// should be. Answers are shown only then; requests never.
func (e *Engine) logCall(ctx context.Context, url func() string, row store.Delivery) {
	e.count(row.Endpoint, row.Callback, row.Outcome)
	level := slog.LevelInfo
	if row.Reason != "" {
		level = slog.LevelWarn
	}
	if !e.log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("callback", row.Callback),
		slog.String("endpoint", row.Endpoint),
		slog.String("url", url()),
		slog.String("outcome", row.Outcome),
		slog.Int64("duration_ms", row.DurationMS),
	}
	if row.EventID != "" {
		attrs = append(attrs, slog.String("event_id", row.EventID), slog.Int("attempt", row.Attempt))
	}
	if row.ServerMsgID != "" {
		attrs = append(attrs, slog.String("server_msg_id", row.ServerMsgID))
	}
	if row.Status != 0 {
		attrs = append(attrs, slog.Int("status", row.Status))
	}
	if row.ErrCode != 0 {
		attrs = append(attrs, slog.Int("err_code", row.ErrCode))
	}
	if row.Reason != "" {
		attrs = append(attrs, slog.String("reason", row.Reason))
	}
	if level >= slog.LevelWarn && len(row.Answer) > 0 {
		attrs = append(attrs, slog.String("answer", short(string(row.Answer), store.AnswerKept)))
	}
	switch row.Outcome {
	case outcomeApprove, outcomeDelivered:
		e.log.LogAttrs(ctx, level, "webhook success", attrs...)
	case outcomeReject:
		e.log.LogAttrs(ctx, level, "webhook refused the operation", attrs...)
	case outcomeFailedContinue:
		e.log.LogAttrs(ctx, level, "webhook failed, going on without it", attrs...)
	case outcomeFailedRefuse:
		e.log.LogAttrs(ctx, level, "webhook failed, operation refused", attrs...)
	default:
		e.log.LogAttrs(ctx, level, "webhook failed", attrs...)
	}
}
