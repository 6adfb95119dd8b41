package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/webhook/desk"
	"github.com/parley-im/parley/internal/webhook/tail"
)

// deliveryPage shows one call or event: headers, attempts, answers, and on demand
// what was said. It delivers again.
func deliveryPage(c *Console) *page {
	return &page{
		path: "webhooks/delivery", title: "delivery.title", section: webhookSection, template: "delivery.html", hidden: true,
		show: func(r *request) (any, error) {
			v, err := c.findDelivery(r)
			v.MayRead = r.readsContent()
			return v, err
		},
		actions: []action{
			// Bodies hold what people write.
			{name: "content", do: func(r *request) (done, error) {
				if !r.readsContent() {
					return done{}, im.ErrNoPermission.With("%s", r.lang.text("content.forbidden"))
				}
				v, err := c.findDelivery(r)
				return done{result: v.content()}, err
			}},
			{name: "replay", do: func(r *request) (done, error) {
				event := r.PostFormValue("event")
				n, err := c.Desk.Replay(r.Context(), event, "")
				if err == nil && n == 0 {
					err = im.ErrNotFound.With("%s", r.lang.text("delivery.notdead"))
				}
				return done{to: "webhooks/delivery?" + url.Values{"event": {event}}.Encode(), say: "done.replayed", n: int64(n)}, err
			}},
		},
	}
}

// deliveryView is everything that is known of a call or an event.
type deliveryView struct {
	Row      callRow          // the call, or the event's newest
	Event    desk.Event       // for an event
	Attempts []callRow        // newest first
	Call     *tail.Call       // as it went over the wire, while it is in memory
	Sent     []headerLine     // of Call
	Answered []headerLine     // of Call
	Dead     *store.DeadEvent // the event, if it was given up
	MayRead  bool
}

type headerLine struct{ Name, Value string }

// findDelivery looks a call up by its number in memory, by its row in the log, or
// by the event it tells of.
func (c *Console) findDelivery(r *request) (v deliveryView, err error) {
	n, _ := strconv.ParseInt(r.FormValue("call"), 10, 64) // absent: another way
	row, _ := strconv.ParseInt(r.FormValue("row"), 10, 64)
	event := r.FormValue("event")
	switch {
	case n > 0:
		found := c.Calls.Find(func(call *tail.Call) bool { return call.N == n })
		if len(found) == 0 {
			return v, im.ErrNotFound.With("%s", r.lang.text("delivery.forgotten"))
		}
		v.Row, v.Call = callRow{N: n, Delivery: found[0].Delivery}, &found[0]
	case row > 0:
		list, err := c.Desk.Deliveries(r.Context(), store.DeliveryFilter{After: row - 1, Before: row + 1, Limit: 1})
		if err != nil {
			return v, err
		}
		if len(list) == 0 {
			return v, im.ErrNotFound.With("%s", r.lang.text("delivery.forgotten"))
		}
		v.Row = callRow{Delivery: list[0]}
	}
	if event == "" && v.Row.Kind == store.DeliveryAfter {
		event = v.Row.EventID
	}
	if event != "" {
		if v.Event, err = c.Desk.Event(r.Context(), event); err != nil {
			return v, err
		}
		for _, d := range v.Event.Deliveries {
			v.Attempts = append(v.Attempts, callRow{Delivery: d})
		}
		v.fill(event)
	} else {
		v.Attempts = []callRow{v.Row}
	}
	if v.Call == nil {
		if found := c.Calls.Find(v.isOf); len(found) > 0 {
			v.Call = &found[0]
		}
	}
	if v.Row.Callback == "" {
		return v, im.ErrNotFound.With("%s", r.lang.text("delivery.unknown"))
	}
	if v.Call != nil {
		v.Sent, v.Answered = headerLines(v.Call.Sent), headerLines(v.Call.Header)
	}
	return v, nil
}

// fill takes from the event what no call says.
func (v *deliveryView) fill(event string) {
	if len(v.Event.Dead) > 0 {
		v.Dead = &v.Event.Dead[0]
	}
	if v.Row.Callback != "" {
		return
	}
	of := func(e store.OutboxEvent) store.Delivery {
		return store.Delivery{
			EventID: event, Callback: e.Callback, Command: e.Command, Kind: store.DeliveryAfter, OperationID: e.OperationID, Subject: e.Subject,
			ClientMsgID: e.ClientMsgID, ServerMsgID: e.ServerMsgID, Endpoint: store.EndpointOf(e.Lane),
		}
	}
	switch {
	case len(v.Attempts) > 0:
		v.Row = v.Attempts[0]
	case v.Event.Pending != nil:
		v.Row.Delivery = of(*v.Event.Pending)
	case v.Dead != nil:
		v.Row.Delivery = of(v.Dead.OutboxEvent)
	}
}

// isOf reports whether a call in memory is the one that is shown.
func (v *deliveryView) isOf(c *tail.Call) bool {
	d := v.Row.Delivery
	if c.Callback != d.Callback || c.Endpoint != d.Endpoint {
		return false
	}
	if d.Kind == store.DeliveryAfter {
		return c.EventID == d.EventID
	}
	return c.OperationID == d.OperationID && c.Kind == d.Kind && c.StartedAt == d.StartedAt
}

// deliveryContent is what was said.
type deliveryContent struct {
	Body, Answer string
	Kept         bool // otherwise nobody knows the body any more
}

func (v *deliveryView) content() deliveryContent {
	switch {
	case v.Call != nil:
		return deliveryContent{readable(v.Call.Body), readable(v.Call.Full), true}
	case v.Event.Pending != nil:
		return deliveryContent{Body: readable(v.Event.Pending.Body), Answer: readable(v.Row.Answer), Kept: true}
	case v.Dead != nil:
		return deliveryContent{Body: readable(v.Dead.Body), Answer: readable(v.Row.Answer), Kept: true}
	}
	return deliveryContent{Answer: readable(v.Row.Answer)}
}

// readable indents JSON and shows everything else as it is.
func readable(b []byte) string {
	var out bytes.Buffer
	if json.Indent(&out, b, "", "  ") == nil {
		return out.String()
	}
	if !utf8.Valid(b) {
		return fmt.Sprintf("%q", b)
	}
	return string(b)
}

func headerLines(h http.Header) []headerLine {
	var out []headerLine
	for name, values := range h {
		for _, value := range values {
			out = append(out, headerLine{name, value})
		}
	}
	slices.SortFunc(out, func(a, b headerLine) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	return out
}
