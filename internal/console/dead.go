package console

import (
	"strconv"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/webhook/desk"
)

// deadPage lists events that were given up, and delivers them again: one, those
// of a callback, all, or what is missing of a range of time.
func deadPage(c *Console) *page {
	return &page{
		path: "webhooks/dead", title: "dead.title", section: webhookSection, template: "dead.html",
		show: func(r *request) (any, error) {
			f := store.DeadFilter{Endpoint: r.FormValue("endpoint"), Callback: r.FormValue("callback"), Limit: 50}
			f.Before, _ = strconv.ParseInt(r.FormValue("before"), 10, 64) // absent: from the newest on
			v := deadView{Filter: f, Keys: callbackKeys()}
			var err error
			if v.Events, err = c.Desk.Dead(r.Context(), f); err != nil {
				return v, err
			}
			if len(v.Events) == f.Limit {
				v.Next = v.Events[len(v.Events)-1].ID
			}
			v.Stats, err = c.Desk.Stats(r.Context())
			return v, err
		},
		actions: []action{
			{name: "replay", do: func(r *request) (done, error) {
				event, callback := r.PostFormValue("event"), r.PostFormValue("callback")
				if event == "" && callback == "" && r.PostFormValue("all") == "" {
					return done{}, im.ErrArgs.With("%s", r.lang.text("dead.which"))
				}
				n, err := c.Desk.Replay(r.Context(), event, callback)
				return done{say: "done.replayed", n: int64(n)}, err
			}},
			{name: "recover", do: func(r *request) (done, error) {
				from, err := minuteOf(r, "from")
				if err != nil {
					return done{}, err
				}
				to, err := minuteOf(r, "to")
				if err != nil {
					return done{}, err
				}
				if from == 0 {
					return done{}, im.ErrArgs.With("%s", r.lang.text("dead.from"))
				}
				n, err := c.Desk.Recover(r.Context(), desk.Range{Endpoint: r.PostFormValue("endpoint"), Callback: r.PostFormValue("callback"), From: from, To: to})
				return done{say: "done.replayed", n: int64(n)}, err
			}},
		},
	}
}

type deadView struct {
	Filter store.DeadFilter
	Keys   []string
	Events []store.DeadEvent
	Stats  store.OutboxStats
	Next   int64 // where the next page begins, 0 for none
}

// minuteOf reads a time as browsers send it, in UTC; 0 for none.
func minuteOf(r *request, field string) (im.Millis, error) {
	text := r.PostFormValue(field)
	if text == "" {
		return 0, nil
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return im.MillisOf(t), nil
		}
	}
	return 0, im.ErrArgs.With("%s", r.lang.text("dead.time", text))
}
