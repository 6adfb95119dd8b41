package console

import (
	"context"
	"html/template"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/webhook/tail"
)

const (
	liveRows  = 50                     // at once
	liveEvery = 250 * time.Millisecond // between two looks
)

// livePage shows calls as they are made, and the log of earlier ones.
func livePage(c *Console) *page {
	return &page{
		path: "webhooks/live", title: "live.title", section: webhookSection, template: "live.html",
		show: func(r *request) (any, error) {
			f := callFilterOf(r.URL.Query())
			v := liveView{Filter: f, Keys: callbackKeys(), Outcomes: callOutcomes}
			before, _ := strconv.ParseInt(r.FormValue("before"), 10, 64) // absent: from the newest on
			until := im.Millis(0)
			if v.Live = before == 0; v.Live {
				var calls []tail.Call
				calls, v.Seen, _ = c.Calls.After(0, liveRows, f.matches)
				slices.Reverse(calls)
				for _, call := range calls {
					v.Rows = append(v.Rows, callRow{N: call.N, Delivery: call.Delivery})
					until = call.StartedAt
				}
			}
			// What happened before this process, or longer ago than memory goes.
			log, err := c.Desk.Deliveries(r.Context(), store.DeliveryFilter{
				Callback: f.Callback, Endpoint: f.Endpoint, Outcome: f.Outcome, Subject: f.Subject, Before: before, Until: until, Limit: liveRows,
			})
			for _, d := range log {
				v.Rows = append(v.Rows, callRow{Delivery: d})
				v.Next = d.ID
			}
			if len(log) < liveRows {
				v.Next = 0
			}
			return v, err
		},
		streams: []stream{{name: "calls", run: func(ctx context.Context, r *request, out *sender) error {
			f := callFilterOf(r.URL.Query())
			seen, _ := strconv.ParseInt(r.FormValue("after"), 10, 64) // absent: all that is kept
			return c.followCalls(ctx, seen, f, out)
		}}},
	}
}

// followCalls sends what happens to one reader, a handful of times a second at
// most. A reader that is slow, or gone and not known to be, holds up nobody: what
// it did not take in time is left out, and counted.
func (c *Console) followCalls(ctx context.Context, seen int64, f callFilter, out *sender) error {
	var left int64
	for {
		if err := c.Calls.Wait(ctx, seen); err != nil {
			return err
		}
		calls, now, missed := c.Calls.After(seen, liveRows, f.matches)
		seen = now
		if missed > 0 {
			left += missed
			if err := out.send("left", "left", left); err != nil {
				return err
			}
		}
		if len(calls) > 0 {
			rows := make([]callRow, 0, len(calls))
			for _, call := range slices.Backward(calls) {
				rows = append(rows, callRow{N: call.N, Delivery: call.Delivery})
			}
			if err := out.send("calls", "rows", rows); err != nil {
				return err
			}
		}
		pause := time.NewTimer(liveEvery)
		select {
		case <-ctx.Done():
			pause.Stop()
			return ctx.Err()
		case <-pause.C:
		}
	}
}

type liveView struct {
	Filter   callFilter
	Keys     []string
	Outcomes []string
	Rows     []callRow
	Live     bool
	Seen     int64 // number of the newest call in Rows
	Next     int64 // where the next page begins, 0 for none
}

// callRow is a call in a list. N is its number while it is in memory.
type callRow struct {
	N int64
	store.Delivery
}

// Link is the query that finds the call on its own page.
func (r callRow) Link() template.URL {
	q := url.Values{}
	switch {
	case r.N > 0:
		q.Set("call", number(r.N))
	default:
		q.Set("row", number(r.ID))
	}
	return template.URL(q.Encode()) //nolint:gosec // numbers
}

// About is what the page "why" is asked with.
func (r callRow) About() string {
	switch {
	case r.Kind == store.DeliveryAfter && r.EventID != "":
		return r.EventID
	case r.OperationID != "":
		return r.OperationID
	}
	return r.EventID
}

// callFilter chooses calls; empty fields choose all.
type callFilter struct{ Callback, Endpoint, Outcome, Subject string }

func callFilterOf(q url.Values) callFilter {
	return callFilter{strings.TrimSpace(q.Get("callback")), strings.TrimSpace(q.Get("endpoint")), q.Get("outcome"), strings.TrimSpace(q.Get("subject"))}
}

func (f callFilter) matches(c *tail.Call) bool {
	return (f.Callback == "" || f.Callback == c.Callback) && (f.Endpoint == "" || f.Endpoint == c.Endpoint) &&
		(f.Outcome == "" || f.Outcome == c.Outcome) && (f.Subject == "" || f.Subject == c.Subject)
}

// callOutcomes are what the log says of calls.
var callOutcomes = []string{
	"approve", "reject", "failed_continue", "failed_refuse", "delivered", "retry", "dead_letter", "interrupted",
	"shadow_agrees", "shadow_differs", "shadow_failed", "probe",
}

// outcomeClass is how good an outcome is.
func outcomeClass(outcome string) string {
	switch outcome {
	case "approve", "delivered", "shadow_agrees":
		return "ok"
	case "reject", "retry", "shadow_differs", "interrupted":
		return "warn"
	case "failed_continue", "failed_refuse", "dead_letter", "shadow_failed":
		return "bad"
	}
	return ""
}
