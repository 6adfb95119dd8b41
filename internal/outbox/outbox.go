package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// Handler delivers events.
type Handler interface {
	// Deliver makes one attempt, the given number for this event, and says what
	// became of it. When ctx ends it returns Interrupted soon.
	Deliver(ctx context.Context, e *store.OutboxEvent, attempt int) Result
}

// Verdict is what became of an attempt.
type Verdict uint8

// Verdicts.
const (
	// Delivered: the event is done with.
	Delivered Verdict = iota + 1
	// Retrying: the lane waits, then goes on with the same event.
	Retrying
	// Dead: no attempt can succeed; the event is buried, the lane goes on.
	Dead
	// Interrupted: the attempt was broken off by us and does not count.
	Interrupted
)

// Result is the outcome of one attempt.
type Result struct {
	Verdict Verdict
	After   time.Duration   // Retrying: at least this long, 0 for the usual pause
	Reason  string          // why not Delivered
	Log     *store.Delivery // for the delivery log
}

// Options of an Outbox.
type Options struct {
	Workers  int           // lanes in work at a time, default 256
	Prefetch int           // events of a lane read at a time, default 20
	Lease    time.Duration // default 60 s; at least twice the longest attempt
	Drain    time.Duration // how long attempts may go on at shutdown, default 5 s
	// Poll is how often events of other nodes are looked for, default 10 s. A
	// node is woken by its own producers, but not by those of a node that died.
	Poll   time.Duration
	Retry  Retry
	Clock  Clock
	Logger *slog.Logger
}

// Outbox works off the store's outbox.
type Outbox struct {
	store   *store.Store
	handler Handler
	o       Options
	log     *slog.Logger

	done  chan store.LaneResult // worked lanes on their way to finishLoop
	freed chan struct{}         // workers became free
	times atomic.Pointer[times] // replaced by Tune
}

// times are the options that may change while the outbox runs.
type times struct {
	retry Retry
	lease time.Duration
}

// Tune gives the outbox another Options.Retry and Options.Lease. Lanes in work
// keep their lease.
func (o *Outbox) Tune(r Retry, lease time.Duration) {
	if lease <= 0 {
		lease = time.Minute
	}
	o.times.Store(&times{retry: r.withDefaults(), lease: lease})
}

const (
	// sweepEvery is how often events without a lane are looked for.
	sweepEvery = 10 * time.Minute
	// lockedPause is the wait for a lane that is due, but locked.
	lockedPause = 10 * time.Millisecond
	// finishBatch is the most lanes given back in one transaction.
	finishBatch = 64
)

// New returns an Outbox that hands the store's events to handler.
func New(s *store.Store, o Options, handler Handler) *Outbox {
	if o.Workers <= 0 {
		o.Workers = 256
	}
	if o.Prefetch <= 0 {
		o.Prefetch = 20
	}
	if o.Poll <= 0 {
		o.Poll = 10 * time.Second
	}
	if o.Drain <= 0 {
		o.Drain = 5 * time.Second
	}
	if o.Clock == nil {
		o.Clock = systemClock{}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	out := &Outbox{
		store: s, handler: handler, o: o, log: o.Logger,
		done:  make(chan store.LaneResult, o.Workers),
		freed: make(chan struct{}, 1),
	}
	out.Tune(o.Retry, o.Lease)
	return out
}

// Run works until ctx ends, then lets attempts that are under way come to an
// end, gives the lanes back and returns nil.
func (o *Outbox) Run(ctx context.Context) error {
	// Attempts and the transactions that record them outlive ctx by Drain.
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stopDrain := context.AfterFunc(ctx, func() {
		time.AfterFunc(o.o.Drain, cancel)
	})
	defer stopDrain()

	busy := make(chan struct{}, o.o.Workers)
	var finisher sync.WaitGroup
	finisher.Go(func() { o.finishLoop(context.WithoutCancel(ctx), busy) })

	var workers sync.WaitGroup
	o.claimLoop(ctx, busy, func(lane store.Lane, events []store.OutboxEvent) {
		workers.Go(func() { o.done <- o.work(ctx, work, lane, events) })
	})
	workers.Wait()
	close(o.done)
	finisher.Wait()
	return nil
}

// claimLoop takes lanes while workers are free, and otherwise waits for what
// could change that: new rows, a lane given back, a lane falling due.
func (o *Outbox) claimLoop(ctx context.Context, busy chan struct{}, start func(store.Lane, []store.OutboxEvent)) {
	var nextSweep time.Time
	for ctx.Err() == nil {
		now := o.o.Clock.Now()
		if !now.Before(nextSweep) {
			o.sweep(ctx)
			nextSweep = now.Add(sweepEvery)
		}
		wait := o.o.Poll
		if free := cap(busy) - len(busy); free > 0 {
			due, err := o.untilDue(ctx)
			claimed := 0
			if err == nil && due <= 0 {
				claimed, err = o.claim(ctx, free, busy, start)
			}
			switch {
			case ctx.Err() != nil:
				return
			case err != nil:
				o.log.ErrorContext(ctx, "outbox: cannot take webhook events from the database, trying again", slog.Any("error", err))
				wait = time.Second
			case claimed > 0:
				continue // perhaps there are more
			case due <= 0:
				// Due, but locked: by a producer, whose commit wakes us, or by
				// another node.
				wait = lockedPause
			default:
				wait = min(wait, due)
			}
		}
		fired, stop := o.o.Clock.Timer(wait)
		select {
		case <-ctx.Done():
		case <-o.store.OutboxWake():
		case <-o.freed:
		case <-fired:
		}
		stop()
	}
}

func (o *Outbox) claim(ctx context.Context, limit int, busy chan struct{}, start func(store.Lane, []store.OutboxEvent)) (int, error) {
	now := o.o.Clock.Now()
	owner := 1 + rand.Int64N(1<<62) //nolint:gosec // it only has to differ
	var lanes []store.Lane
	err := o.store.Write(ctx, func(tx *store.Tx) error {
		taken, err := tx.ClaimLanes(im.MillisOf(now), im.MillisOf(now.Add(o.times.Load().lease)), owner, limit)
		lanes = taken
		return err
	})
	if err != nil || len(lanes) == 0 {
		return 0, err
	}
	// Read after the claim, so that the version is never newer than the events.
	events := make([][]store.OutboxEvent, len(lanes))
	err = o.store.Read(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		for i, l := range lanes {
			var err error
			if events[i], err = tx.LaneEvents(l.Name, o.o.Prefetch); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err // the leases run out
	}
	for i, l := range lanes {
		busy <- struct{}{} // never blocks: limit was the room, and we alone fill it
		start(l, events[i])
	}
	return len(lanes), nil
}

// untilDue is how long until the first lane is due, or Poll.
func (o *Outbox) untilDue(ctx context.Context) (time.Duration, error) {
	wait := o.o.Poll
	err := o.store.Read(ctx, func(tx *store.Tx) error {
		due, found, err := tx.NextDue()
		if found {
			wait = time.UnixMilli(int64(due)).Sub(o.o.Clock.Now())
		}
		return err
	})
	return wait, err
}

func (o *Outbox) sweep(ctx context.Context) {
	var stranded int64
	err := o.store.Write(ctx, func(tx *store.Tx) error {
		n, err := tx.SweepOutbox(im.MillisOf(o.o.Clock.Now()))
		stranded = n
		return err
	})
	switch {
	case err != nil && ctx.Err() == nil:
		o.log.ErrorContext(ctx, "outbox: sweep failed", slog.Any("error", err))
	case stranded > 0:
		o.log.WarnContext(ctx, "outbox: found webhook events without a lane", slog.Int64("lanes", stranded))
	}
}

// work delivers the events of one lane in order, as far as it comes. stop says
// that no further attempt shall begin; ctx ends the one under way.
func (o *Outbox) work(stop, ctx context.Context, lane store.Lane, events []store.OutboxEvent) store.LaneResult {
	r := store.LaneResult{Lane: lane, Attempts: lane.Attempts, Failing: lane.FailingSince}
	// Half of the lease is for going on, the other for the last attempt and for
	// recording the result.
	goOn := lane.Lease.Time().Add(-o.times.Load().lease / 2)
	var givenUp string  // why events past their time are buried without an attempt
	var pause im.Millis // until when the first event with time left waits
	for i := range events {
		e := &events[i]
		now := o.o.Clock.Now()
		if givenUp != "" {
			if !o.expired(e, r.Failing, now) {
				r.Due = pause
				return r
			}
			o.bury(ctx, &r, e, 0, givenUp)
			continue
		}
		if stop.Err() != nil || (i > 0 && now.After(goOn)) {
			break
		}
		attempt := r.Attempts + 1
		res := o.deliver(ctx, e, attempt)
		now = o.o.Clock.Now()
		if res.Log != nil {
			r.Deliveries = append(r.Deliveries, *res.Log)
		}
		switch res.Verdict {
		case Delivered:
			r.Done, r.Attempts, r.Failing = append(r.Done, e.ID), 0, 0
		case Dead:
			o.bury(ctx, &r, e, attempt, res.Reason)
		case Retrying:
			if r.Failing == 0 {
				r.Failing = im.MillisOf(now)
			}
			pause = im.MillisOf(now.Add(max(o.times.Load().retry.pause(attempt), res.After)))
			if !o.expired(e, r.Failing, now) {
				r.Attempts, r.Due = attempt, pause
				return r
			}
			o.bury(ctx, &r, e, attempt, "given up: "+res.Reason)
			givenUp = "given up with the lane: " + res.Reason
		default: // Interrupted
			r.Due = im.MillisOf(now)
			return r
		}
	}
	r.Due = im.MillisOf(o.o.Clock.Now())
	return r
}

// deliver calls the handler; a panic there is a failed attempt.
func (o *Outbox) deliver(ctx context.Context, e *store.OutboxEvent, attempt int) (res Result) {
	defer func() {
		if p := recover(); p != nil {
			o.log.ErrorContext(ctx, "outbox: panic while delivering a webhook event", slog.Any("panic", p),
				slog.String("event_id", e.EventID), slog.String("stack", string(debug.Stack())))
			res = Result{Verdict: Retrying, Reason: "internal error"}
		}
	}()
	return o.handler.Deliver(ctx, e, attempt)
}

// expired reports whether an event had its time: GiveUpAfter since it was
// recorded, or since its lane began to fail, whichever is later.
func (o *Outbox) expired(e *store.OutboxEvent, failing im.Millis, now time.Time) bool {
	return now.Sub(max(e.CreatedAt, failing).Time()) >= o.times.Load().retry.GiveUpAfter
}

func (o *Outbox) bury(ctx context.Context, r *store.LaneResult, e *store.OutboxEvent, attempts int, reason string) {
	dead := store.DeadEvent{OutboxEvent: *e, Attempts: attempts, DiedAt: im.MillisOf(o.o.Clock.Now()), Reason: reason}
	r.Dead = append(r.Dead, dead)
	r.Done, r.Attempts = append(r.Done, e.ID), 0
	o.log.WarnContext(ctx, "webhook event given up: see parley webhook replay",
		slog.String("callback", e.Callback), slog.String("event_id", e.EventID), slog.String("operation_id", e.OperationID),
		slog.String("subject", e.Subject), slog.Int("attempts", attempts), slog.String("reason", reason))
}

// finishLoop gives lanes back, as many in one transaction as came together.
func (o *Outbox) finishLoop(ctx context.Context, busy chan struct{}) {
	for r := range o.done {
		batch := []store.LaneResult{r}
	collect:
		for len(batch) < finishBatch {
			select {
			case r, open := <-o.done:
				if !open {
					break collect
				}
				batch = append(batch, r)
			default:
				break collect
			}
		}
		o.finish(ctx, batch)
		for range batch {
			<-busy
		}
		select {
		case o.freed <- struct{}{}:
		default:
		}
	}
}

func (o *Outbox) finish(ctx context.Context, batch []store.LaneResult) {
	var lost int
	err := o.store.Write(ctx, func(tx *store.Tx) error {
		n, err := tx.FinishLanes(batch)
		lost = n
		return err
	})
	switch {
	case errors.Is(err, store.ErrClosed):
		o.log.WarnContext(ctx, "outbox: store closed before delivered events were recorded; they will be sent again")
	case err != nil:
		// The leases run out and the events are sent again.
		o.log.ErrorContext(ctx, "outbox: cannot record deliveries; they will be sent again", slog.Any("error", fmt.Errorf("finish lanes: %w", err)))
	case lost > 0:
		o.log.WarnContext(ctx, "outbox: lease lost before deliveries were recorded; they will be sent again", slog.Int("lanes", lost))
	}
}
