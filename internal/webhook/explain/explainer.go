package explain

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/reload"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/webhook/registry"
)

// Question is what somebody wants to know. One of ID and Callback is needed.
type Question struct {
	ID       string `json:"id"`       // of an event, an operation or a message
	Callback string `json:"callback"` // key in webhooks.yml
	// Env are the names of the IMENV_ variables where the question is asked.
	Env []string `json:"env"`
}

// Explainer collects the facts of a running server.
type Explainer struct {
	Store       *store.Store
	Config      *reload.Service
	IsAdmin     func(userID string) bool
	MadeUp      func(userID string) bool     // one of those who try things; nil for nobody
	Online      func(userID string) []string // platforms
	Endpoints   func(ctx context.Context) ([]Endpoint, error)
	LostLogRows func() int64
	Now         func() time.Time
}

// Why answers a question.
func (e *Explainer) Why(ctx context.Context, q Question) (Report, error) {
	f, err := e.facts(ctx, q)
	if err != nil {
		return Report{}, err
	}
	return Explain(f), nil
}

// recentCalls is how many calls of a callback are looked at without an id.
const recentCalls = 20

func (e *Explainer) facts(ctx context.Context, q Question) (Facts, error) {
	f := Facts{ID: q.ID, Key: q.Callback, Running: true, Now: im.MillisOf(e.Now()), CallerEnv: q.Env, LostLogRows: e.LostLogRows()}
	switch _, known := registry.Lookup(q.Callback); {
	case q.ID == "" && q.Callback == "":
		return f, im.ErrArgs.With("say which event, operation or message, or which callback")
	case q.Callback != "" && !known:
		return f, im.ErrArgs.With("'%s' is no callback of webhooks.yml", q.Callback)
	}
	if err := e.Store.Read(ctx, func(tx *store.Tx) error { return f.read(tx) }); err != nil {
		return f, fmt.Errorf("why: %w", err)
	}
	if err := e.configAt(ctx, &f); err != nil {
		return f, fmt.Errorf("why: %w", err)
	}
	if m := f.Message; m != nil {
		f.SenderAdmin = e.IsAdmin(m.SendID)
		f.MadeUp = e.MadeUp != nil && m.SessionType == im.SingleChat && e.MadeUp(m.SendID) && e.MadeUp(m.RecvID)
		if m.SessionType == im.SingleChat {
			f.OnlineOn = e.Online(m.RecvID)
		}
	}
	var err error
	f.Endpoints, err = e.Endpoints(ctx)
	return f, err
}

// read finds what the database knows of the question.
func (f *Facts) read(tx *store.Tx) error {
	var err error
	if f.ID == "" {
		f.Deliveries, err = tx.Deliveries(store.DeliveryFilter{Callback: f.Key, Limit: recentCalls})
		return err
	}
	if f.Deliveries, err = tx.DeliveriesAbout(f.ID); err != nil {
		return err
	}
	if f.Dead, err = tx.DeadAbout(f.ID); err != nil {
		return err
	}
	waiting, err := tx.EventsAbout(f.ID)
	if err != nil {
		return err
	}
	for _, event := range waiting {
		lane, err := tx.LaneOf(event)
		if err != nil {
			return err
		}
		f.Waiting = append(f.Waiting, Waiting{event, lane})
	}
	if f.Pulled, err = tx.PulledAbout(f.ID); err != nil {
		return err
	}
	msgID := f.ID
	for _, d := range f.Deliveries {
		f.At = earlier(f.At, d.StartedAt)
		if d.ClientMsgID != "" {
			msgID = d.ClientMsgID
		}
	}
	for _, w := range f.Waiting {
		f.At = earlier(f.At, w.Event.CreatedAt)
		if w.Event.ClientMsgID != "" {
			msgID = w.Event.ClientMsgID
		}
	}
	for _, p := range f.Pulled {
		f.At = earlier(f.At, p.CreatedAt)
		if p.ClientMsgID != "" {
			msgID = p.ClientMsgID
		}
	}
	if f.Message, err = tx.FindMessage(msgID); err != nil {
		return err
	}
	if f.Message != nil {
		f.At = earlier(f.At, f.Message.SendTime)
	}
	return nil
}

func earlier(a, b im.Millis) im.Millis {
	if a == 0 || b < a {
		return b
	}
	return a
}

// configAt finds the configuration that applied at f.At, 0 for now, and the edits
// that were refused while it did.
func (e *Explainer) configAt(ctx context.Context, f *Facts) error {
	f.Config, f.Since = e.Config.Snapshot(), e.Config.Status().Since
	var versions []store.ConfigVersion
	if err := e.Store.Read(ctx, func(tx *store.Tx) (err error) {
		versions, err = tx.ConfigVersions(0, 0)
		return err
	}); err != nil {
		return err
	}
	for _, v := range versions { // newest first
		switch {
		case v.Applied && f.At > 0 && v.At > f.At:
			f.Refused = nil // it was followed by a good one
		case v.Applied:
			if f.At > 0 {
				if err := json.Unmarshal(v.Body, &f.Config); err != nil {
					return fmt.Errorf("configuration of %s: %w", stamp(v.At), err)
				}
				f.Since = v.At
			}
			return nil
		default:
			var refused reload.Refused
			if err := json.Unmarshal(v.Body, &refused); err != nil {
				return fmt.Errorf("refused edit of %s: %w", stamp(v.At), err)
			}
			f.Refused = append(f.Refused, RefusedEdit{At: v.At, Problems: refused.Problems})
		}
	}
	return nil
}

// Files answers about a callback from configuration files alone.
func Files(r *config.Report, err error, q Question) Report {
	f := Facts{Key: q.Callback, Config: r.Snapshot(), CallerEnv: q.Env}
	if err != nil {
		f.Refused = []RefusedEdit{{Problems: reload.Problems(err)}}
	}
	return Explain(f)
}
