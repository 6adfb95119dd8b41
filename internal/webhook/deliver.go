package webhook

import (
	"context"
	"errors"
	"fmt"
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
	cb := e.plan.Load().byKey[ev.Callback]
	row := store.Delivery{
		EventID: ev.EventID, Callback: ev.Callback, Command: ev.Command, Kind: store.DeliveryAfter,
		OperationID: ev.OperationID, Subject: ev.Subject, ClientMsgID: ev.ClientMsgID, ServerMsgID: ev.ServerMsgID,
		Attempt: attempt, StartedAt: im.MillisOf(e.o.Now()),
	}
	if cb == nil {
		// Recorded while the callback was on; there is no address to send it to.
		row.Outcome, row.Reason = outcomeDead, "the callback was switched off after the event was recorded"
		return outbox.Result{Verdict: outbox.Dead, Reason: row.Reason, Log: &row}
	}
	call, cancel := context.WithTimeoutCause(ctx, cb.timeout, errTimeUp)
	defer cancel()
	began := time.Now()
	resp, err := e.client.post(call, request{
		url: cb.target.url(ev.Query), operationID: ev.OperationID,
		eventID: ev.EventID, at: e.o.Now(), body: ev.Body,
	})
	row.DurationMS, row.Status, row.Answer = time.Since(began).Milliseconds(), resp.status, resp.body

	res := outbox.Result{Log: &row}
	switch {
	case resp.status >= 200 && resp.status <= 299:
		// Any 2xx delivers. The answer is only logged, whatever became of it.
		res.Verdict, row.Outcome = outbox.Delivered, outcomeDelivered
	case ctx.Err() != nil:
		res.Verdict, row.Outcome = outbox.Interrupted, outcomeInterrupted
		row.Reason = "the server is stopping"
	case err != nil:
		if errors.Is(context.Cause(call), errTimeUp) {
			err = &timeoutError{after: cb.timeout}
		}
		res.Verdict, row.Outcome, row.Reason = outbox.Retrying, outcomeRetry, err.Error()
	case retriable(resp.status) || attempt < fewTries:
		res.Verdict, row.Outcome, row.Reason = outbox.Retrying, outcomeRetry, resp.statusCause(resp.redirectTo())
		res.After = retryAfter(resp.retryAfter, e.o.Now())
	default:
		row.Outcome = outcomeDead
		row.Reason = fmt.Sprintf("%s, %d times", resp.statusCause(""), attempt)
		res.Verdict = outbox.Dead
	}
	res.Reason = row.Reason
	e.logCall(ctx, cb, row)
	return res
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
