// Package desk is what an operator does with webhooks: look, ask why, try, repeat,
// pause, change a secret. The command line (over the control socket), the
// administrators' API and the console all call it, so that they can do the same
// and say the same.
//
// It holds no state and decides nothing: the engine, the outbox and the
// configuration do. It does not know who asks; its callers let nobody in but
// operators.
package desk

import (
	"context"
	"fmt"

	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/reload"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/webhook"
	"github.com/parley-im/parley/internal/webhook/explain"
)

// Desk works on a running server.
type Desk struct {
	Store     *store.Store
	Hooks     *webhook.Engine
	Config    *reload.Service
	Explainer *explain.Explainer
}

// Table is the configuration of all callbacks as it is in effect, each value
// with its place.
func (d *Desk) Table() config.Snapshot { return d.Config.Snapshot() }

// Endpoints lists where calls go, and what waits there.
func (d *Desk) Endpoints(ctx context.Context) ([]webhook.EndpointState, error) {
	return d.Hooks.States(ctx)
}

// Deliveries lists calls, newest first.
func (d *Desk) Deliveries(ctx context.Context, f store.DeliveryFilter) (out []store.Delivery, err error) {
	err = d.Store.Read(ctx, func(tx *store.Tx) (err error) {
		out, err = tx.Deliveries(f)
		return err
	})
	return out, err
}

// Dead lists events that were given up, newest first.
func (d *Desk) Dead(ctx context.Context, f store.DeadFilter) (out []store.DeadEvent, err error) {
	err = d.Store.Read(ctx, func(tx *store.Tx) (err error) {
		out, err = tx.DeadEvents(f)
		return err
	})
	return out, err
}

// Event is all the server knows of one after-event or call.
type Event struct {
	Deliveries []store.Delivery   // attempts, newest first
	Pending    *store.OutboxEvent `json:",omitempty"` // waits in the outbox
	Dead       []store.DeadEvent  `json:",omitempty"` // was given up
}

// Event finds an event by its id (webhook-id).
func (d *Desk) Event(ctx context.Context, id string) (Event, error) {
	var out Event
	err := d.Store.Read(ctx, func(tx *store.Tx) error {
		var err error
		if out.Deliveries, err = tx.Deliveries(store.DeliveryFilter{EventID: id}); err != nil {
			return err
		}
		if out.Dead, err = tx.DeadEvents(store.DeadFilter{EventID: id}); err != nil {
			return err
		}
		pending, found, err := tx.PendingEvent(id)
		out.Pending = nil
		if found {
			out.Pending = &pending
		}
		return err
	})
	return out, err
}

// Stats tells what waits and what was given up.
func (d *Desk) Stats(ctx context.Context) (out store.OutboxStats, err error) {
	err = d.Store.Read(ctx, func(tx *store.Tx) (err error) {
		out, err = tx.OutboxStats()
		return err
	})
	return out, err
}

// Gaps are stretches of lanes whose events were not kept.
type Gaps struct {
	Passed  []store.Gap // newest first
	Waiting []store.Gap // whose place in their lane has not come
}

// Gaps lists what was not kept because the outbox was full.
func (d *Desk) Gaps(ctx context.Context, limit int) (g Gaps, err error) {
	err = d.Store.Read(ctx, func(tx *store.Tx) (err error) {
		g.Passed, g.Waiting, err = tx.Gaps(limit)
		return err
	})
	return g, err
}

// Why explains why a callback was called or not.
func (d *Desk) Why(ctx context.Context, q explain.Question) (explain.Report, error) {
	return d.Explainer.Why(ctx, q)
}

// Replay puts given-up events back: one by its id, those of a callback, or all.
func (d *Desk) Replay(ctx context.Context, event, callback string) (int, error) {
	return d.Store.ReplayDead(ctx, store.DeadFilter{EventID: event, Callback: callback})
}

// Range is a range of time of events that were given up, of an endpoint and a
// callback or of all.
type Range struct {
	Endpoint, Callback string
	From, To           im.Millis // To 0: until now
}

// Recover puts given-up events back, but for those that were delivered since.
func (d *Desk) Recover(ctx context.Context, r Range) (int, error) {
	if r.To > 0 && r.From >= r.To {
		return 0, im.ErrArgs.With("the range must begin before it ends")
	}
	return d.Store.ReplayDead(ctx, store.DeadFilter{Endpoint: r.Endpoint, Callback: r.Callback, From: r.From, To: r.To, Unseen: true})
}

// Pause stops an endpoint, or one callback of it, until Resume.
func (d *Desk) Pause(ctx context.Context, endpoint, callback, reason string) error {
	return d.Hooks.Pause(ctx, endpoint, callback, reason)
}

// Resume ends a pause, or calls an endpoint that is down again at once.
func (d *Desk) Resume(ctx context.Context, endpoint, callback string) error {
	return d.Hooks.Resume(ctx, endpoint, callback)
}

// Drop forgets what waits for an endpoint that is not configured any more.
func (d *Desk) Drop(ctx context.Context, endpoint string) (int64, error) {
	return d.Hooks.Drop(ctx, endpoint)
}

// Test sends a sample of a callback to its handler and tells how the answer is
// read.
func (d *Desk) Test(ctx context.Context, callback string) (webhook.Verdict, error) {
	return d.Hooks.Test(ctx, callback)
}

// Trigger sends a sample of a callback through the whole pipeline; the operation's
// id finds what became of it.
func (d *Desk) Trigger(ctx context.Context, callback string) (operationID string, err error) {
	return d.Hooks.Trigger(ctx, callback)
}

// On lists the callbacks that somebody wants.
func (d *Desk) On() []string { return d.Hooks.On() }

// Reload reads the configuration's files again.
func (d *Desk) Reload(ctx context.Context) (reload.Outcome, error) {
	return d.Config.Reload(ctx, reload.CauseRequest)
}

// Status tells what is in effect of the files, and what is wrong with them.
func (d *Desk) Status() reload.Status { return d.Config.Status() }

// Rotate gives an endpoint a new secret, which it returns. The old one keeps
// signing beside it, until the rotation is finished.
func (d *Desk) Rotate(ctx context.Context, endpoint string) (secret string, err error) {
	secret, err = d.Config.RotateSecret(ctx, endpoint)
	if err != nil {
		return "", fmt.Errorf("rotate the secret of %s: %w", endpoint, err)
	}
	return secret, nil
}

// FinishRotation ends the use of an endpoint's previous secret.
func (d *Desk) FinishRotation(ctx context.Context, endpoint string) error {
	if err := d.Config.FinishRotation(ctx, endpoint); err != nil {
		return fmt.Errorf("finish the rotation of %s: %w", endpoint, err)
	}
	return nil
}
