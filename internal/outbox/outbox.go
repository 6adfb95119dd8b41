package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"slices"
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
	// Endpoints says whose lanes may be taken now. Lanes of others stay as they
	// are. It is called often and must be quick.
	Endpoints() []Endpoint
	// Changed signals that Endpoints would say something else.
	Changed() <-chan struct{}
	// Missed tells that a lane came past events that had not been kept.
	Missed(ctx context.Context, mark *store.OutboxEvent)
	// Buried tells of an event that is given up or set aside.
	Buried(ctx context.Context, e *store.DeadEvent)
}

// Endpoint is where events go. What one has under way never keeps those of
// another waiting: each has workers of its own.
type Endpoint struct {
	Name string
	// Slots is how many lanes may be in work at a time; none, when it is 0.
	Slots int
	// Backlog, unless zero, is when the endpoint came back after a failure. Lanes
	// that were due before it take BacklogSlots of the slots at most, so that what
	// happens now need not wait for what happened then.
	Backlog      time.Time
	BacklogSlots int
	// Pull moves events to the endpoint's log, from which they are fetched; there
	// is nobody to deliver to.
	Pull bool
	// Attempt is how long one attempt may take; lanes are leased for longer.
	Attempt time.Duration
	// Again is when to ask again, 0 if Changed will tell.
	Again time.Duration
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
	// Held: no attempt was made, because the endpoint takes nothing now. The lane
	// waits for Result.After.
	Held
	// Parked: no attempt was made, because the event's callback is set aside. It
	// is buried, and marked so that it can be put back with its like.
	Parked
)

func (v Verdict) String() string {
	switch v {
	case Delivered:
		return "delivered"
	case Retrying:
		return "retrying"
	case Dead:
		return "dead"
	case Interrupted:
		return "interrupted"
	case Held:
		return "held"
	case Parked:
		return "parked"
	}
	return "unknown"
}

// Result is the outcome of one attempt.
type Result struct {
	Verdict Verdict
	After   time.Duration   // Retrying: at least this long, 0 for the usual pause; Held: this long
	Reason  string          // why not Delivered
	Log     *store.Delivery // for the delivery log
}

// Options of an Outbox.
type Options struct {
	Prefetch int // events of a lane read at a time, default 20
	// Lease is how long a lane is ours without a word from us, default 20 s, and
	// at least twice Endpoint.Attempt and 10 s.
	Lease time.Duration
	Drain time.Duration // how long attempts may go on at shutdown, default 5 s
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

	done  chan worked   // lanes on their way to finishLoop
	freed chan struct{} // workers became free
	retry atomic.Pointer[Retry]

	mu   sync.Mutex
	busy map[slot]int // lanes in work
}

// Tune gives the outbox another Options.Retry while it runs.
func (o *Outbox) Tune(r Retry) {
	r = r.withDefaults()
	o.retry.Store(&r)
}

// slot is what a lane in work takes from its endpoint.
type slot struct {
	endpoint string
	backlog  bool
}

// worked is a lane whose worker is done.
type worked struct {
	store.LaneResult
	slot slot
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
	if o.Prefetch <= 0 {
		o.Prefetch = 20
	}
	if o.Lease <= 0 {
		o.Lease = 20 * time.Second
	}
	if o.Poll <= 0 {
		o.Poll = 10 * time.Second
	}
	if o.Drain <= 0 {
		o.Drain = 5 * time.Second
	}
	if o.Clock == nil {
		o.Clock = SystemClock{}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	out := &Outbox{
		store: s, handler: handler, o: o, log: o.Logger,
		done:  make(chan worked, finishBatch),
		freed: make(chan struct{}, 1),
		busy:  make(map[slot]int),
	}
	out.Tune(o.Retry)
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

	var finisher sync.WaitGroup
	finisher.Go(func() { o.finishLoop(context.WithoutCancel(ctx)) })

	var workers sync.WaitGroup
	o.claimLoop(ctx, func(c *claimed, i int) {
		workers.Go(func() {
			if c.pull {
				o.done <- worked{o.move(ctx, c.lanes[i], c.events[i]), c.slot}
				return
			}
			o.done <- worked{o.work(ctx, work, c.lease, c.lanes[i], c.events[i]), c.slot}
		})
	})
	workers.Wait()
	close(o.done)
	finisher.Wait()
	return nil
}

// claimLoop takes lanes while workers are free, and otherwise waits for what
// could change that: new rows, a lane given back, a lane falling due, an endpoint
// that comes or goes.
func (o *Outbox) claimLoop(ctx context.Context, start func(*claimed, int)) {
	var nextSweep time.Time
	for ctx.Err() == nil {
		now := o.o.Clock.Now()
		if !now.Before(nextSweep) {
			if !nextSweep.IsZero() { // opening the store has counted
				o.count(ctx)
			}
			o.sweep(ctx)
			nextSweep = now.Add(sweepEvery)
		}
		wait := o.o.Poll
		claims, pause, err := o.wanted(ctx)
		wait = min(wait, pause)
		taken := 0
		if err == nil && len(claims) > 0 {
			taken, err = o.claim(ctx, claims, start)
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			o.log.ErrorContext(ctx, "outbox: cannot take webhook events from the database, trying again", slog.Any("error", err))
			wait = time.Second
		case taken > 0:
			continue // perhaps there are more
		case len(claims) > 0:
			// Due, but locked: by a producer, whose commit wakes us, or by
			// another node.
			wait = lockedPause
		}
		fired, stop := o.o.Clock.Timer(wait)
		select {
		case <-ctx.Done():
		case <-o.store.OutboxWake():
		case <-o.handler.Changed():
		case <-o.freed:
		case <-fired:
		}
		stop()
	}
}

// claimed are lanes of one endpoint that were taken together.
type claimed struct {
	store.Claim
	lease  time.Duration
	slot   slot
	pull   bool
	lanes  []store.Lane
	events [][]store.OutboxEvent
}

// wanted says what to take: lanes that are due, of endpoints with room. Without
// any, wait is how long until that can change by itself.
func (o *Outbox) wanted(ctx context.Context) (claims []claimed, wait time.Duration, err error) {
	wait = o.o.Poll
	now := o.o.Clock.Now()
	want := func(e Endpoint, slot slot, from, to time.Time, limit int) {
		if limit > 0 {
			claims = append(claims, claimed{
				Claim: store.Claim{Endpoint: e.Name, From: im.MillisOf(from), To: im.MillisOf(to), Limit: limit},
				lease: max(o.o.Lease, 2*e.Attempt+10*time.Second), slot: slot, pull: e.Pull,
			})
		}
	}
	err = o.store.Read(ctx, func(tx *store.Tx) error {
		for _, e := range o.handler.Endpoints() {
			if e.Again > 0 {
				wait = min(wait, e.Again)
			}
			live, old := slot{e.Name, false}, slot{e.Name, true}
			busy, busyOld := o.busyOf(live, old)
			free := e.Slots - busy - busyOld
			if free <= 0 {
				continue // freed tells
			}
			first, found, err := tx.NextDue(e.Name)
			if err != nil {
				return err
			}
			due := first.Time()
			switch {
			case !found:
			case due.After(now):
				wait = min(wait, due.Sub(now))
			case due.Before(e.Backlog):
				n := min(free, e.BacklogSlots-busyOld)
				want(e, old, time.UnixMilli(0), e.Backlog.Add(-time.Millisecond), n)
				if next, found, err := tx.NextDueFrom(e.Name, im.MillisOf(e.Backlog)); err != nil {
					return err
				} else if found && !next.Time().After(now) {
					want(e, live, e.Backlog, now, free-max(n, 0))
				}
			default:
				want(e, live, time.UnixMilli(0), now, free)
			}
		}
		return nil
	})
	return claims, wait, err
}

func (o *Outbox) busyOf(a, b slot) (int, int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.busy[a], o.busy[b]
}

// claim takes lanes and starts a worker for each.
func (o *Outbox) claim(ctx context.Context, claims []claimed, start func(*claimed, int)) (int, error) {
	now := o.o.Clock.Now()
	owner := 1 + rand.Int64N(1<<62) //nolint:gosec // it only has to differ
	err := o.store.Write(ctx, func(tx *store.Tx) error {
		for i := range claims {
			c := &claims[i]
			c.Lease, c.Owner = im.MillisOf(now.Add(c.lease)), owner
			lanes, err := tx.ClaimLanes(c.Claim)
			if err != nil {
				return err
			}
			c.lanes = lanes
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	// Read after the claim, so that the version is never newer than the events.
	taken := 0
	err = o.store.Read(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		for i := range claims {
			c := &claims[i]
			c.events = make([][]store.OutboxEvent, len(c.lanes))
			for j, l := range c.lanes {
				var err error
				if c.events[j], err = tx.LaneEvents(l.Name, o.o.Prefetch); err != nil {
					return err
				}
			}
			taken += len(c.lanes)
		}
		return nil
	})
	if err != nil {
		return 0, err // the leases run out
	}
	o.mu.Lock()
	for i := range claims {
		o.busy[claims[i].slot] += len(claims[i].lanes)
	}
	o.mu.Unlock()
	for i := range claims {
		for j := range claims[i].lanes {
			start(&claims[i], j)
		}
	}
	return taken, nil
}

func (o *Outbox) count(ctx context.Context) {
	if err := o.store.CountOutbox(ctx); err != nil && ctx.Err() == nil {
		o.log.ErrorContext(ctx, "outbox: cannot count what waits", slog.Any("error", err))
	}
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

// move hands the events of a lane to the log of an endpoint that fetches them.
func (o *Outbox) move(ctx context.Context, lane store.Lane, events []store.OutboxEvent) store.LaneResult {
	r := store.LaneResult{Lane: lane, Due: im.MillisOf(o.o.Clock.Now()), Pulled: events}
	for i := range events {
		o.pass(ctx, &r, &events[i])
	}
	return r
}

// pass is done with an event.
func (o *Outbox) pass(ctx context.Context, r *store.LaneResult, e *store.OutboxEvent) {
	r.Done, r.Freed = append(r.Done, e.ID), r.Freed+e.Size()
	if e.Missing > 0 {
		r.Passed = append(r.Passed, e.ID)
		o.handler.Missed(ctx, e)
	}
}

// work delivers the events of one lane in order, as far as it comes. stop says
// that no further attempt shall begin; ctx ends the one under way.
func (o *Outbox) work(stop, ctx context.Context, lease time.Duration, lane store.Lane, events []store.OutboxEvent) store.LaneResult {
	r := store.LaneResult{Lane: lane, Attempts: lane.Attempts, Failing: lane.FailingSince}
	// Half of the lease is for going on, the other for the last attempt and for
	// recording the result.
	goOn := lane.Lease.Time().Add(-lease / 2)
	var givenUp string  // why events past their time are buried without an attempt
	var pause im.Millis // until when the first event with time left waits
	for i := range events {
		e := &events[i]
		if e.Missing > 0 {
			o.pass(ctx, &r, e)
			continue
		}
		now := o.o.Clock.Now()
		if givenUp != "" {
			if !o.expired(e, r.Failing, now) {
				r.Due = pause
				return r
			}
			o.bury(ctx, &r, e, 0, givenUp, false)
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
			o.pass(ctx, &r, e)
			r.Attempts, r.Failing = 0, 0
		case Dead:
			o.bury(ctx, &r, e, attempt, res.Reason, false)
		case Parked:
			o.bury(ctx, &r, e, r.Attempts, res.Reason, true)
		case Held:
			r.Due = im.MillisOf(now.Add(res.After))
			return r
		case Retrying:
			if r.Failing == 0 {
				r.Failing = im.MillisOf(now)
			}
			pause = im.MillisOf(now.Add(max(o.retry.Load().pause(attempt), res.After)))
			if !o.expired(e, r.Failing, now) {
				r.Attempts, r.Due = attempt, pause
				return r
			}
			o.bury(ctx, &r, e, attempt, "given up: "+res.Reason, false)
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
	return now.Sub(max(e.CreatedAt, failing).Time()) >= o.retry.Load().GiveUpAfter
}

func (o *Outbox) bury(ctx context.Context, r *store.LaneResult, e *store.OutboxEvent, attempts int, reason string, parked bool) {
	dead := store.DeadEvent{OutboxEvent: *e, Attempts: attempts, DiedAt: im.MillisOf(o.o.Clock.Now()), Reason: reason, Parked: parked}
	o.handler.Buried(ctx, &dead)
	r.Dead = append(r.Dead, dead)
	o.pass(ctx, r, e)
	r.Attempts = 0
}

// gaveUp logs the events that are now recorded as given up.
func (o *Outbox) gaveUp(ctx context.Context, batch []store.LaneResult, lost []string) {
	for _, r := range batch {
		if slices.Contains(lost, r.Lane.Name) {
			continue
		}
		for i := range r.Dead {
			d := &r.Dead[i]
			if d.Parked {
				continue // told once, when its callback was set aside
			}
			o.log.WarnContext(ctx, "webhook event given up: see parley webhook replay",
				slog.String("callback", d.Callback), slog.String("event_id", d.EventID), slog.String("operation_id", d.OperationID),
				slog.String("subject", d.Subject), slog.Int("attempts", d.Attempts), slog.String("reason", d.Reason))
		}
	}
}

// finishLoop gives lanes back, as many in one transaction as came together.
func (o *Outbox) finishLoop(ctx context.Context) {
	for r := range o.done {
		batch, slots := []store.LaneResult{r.LaneResult}, []slot{r.slot}
	collect:
		for len(batch) < finishBatch {
			select {
			case r, open := <-o.done:
				if !open {
					break collect
				}
				batch, slots = append(batch, r.LaneResult), append(slots, r.slot)
			default:
				break collect
			}
		}
		o.finish(ctx, batch)
		o.mu.Lock()
		for _, s := range slots {
			o.busy[s]--
		}
		o.mu.Unlock()
		select {
		case o.freed <- struct{}{}:
		default:
		}
	}
}

func (o *Outbox) finish(ctx context.Context, batch []store.LaneResult) {
	var lost []string
	err := o.store.Write(ctx, func(tx *store.Tx) (err error) {
		lost, err = tx.FinishLanes(batch)
		return err
	})
	switch {
	case errors.Is(err, store.ErrClosed):
		o.log.WarnContext(ctx, "outbox: store closed before delivered events were recorded; they will be sent again")
	case err != nil:
		// The leases run out and the events are sent again.
		o.log.ErrorContext(ctx, "outbox: cannot record deliveries; they will be sent again", slog.Any("error", fmt.Errorf("finish lanes: %w", err)))
	default:
		if len(lost) > 0 {
			o.log.WarnContext(ctx, "outbox: lease lost before deliveries were recorded; they will be sent again", slog.Int("lanes", len(lost)))
		}
		o.gaveUp(ctx, batch, lost)
	}
}

// Busy is how many lanes are in work, by endpoint.
func (o *Outbox) Busy() map[string]int {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := make(map[string]int)
	for s, n := range o.busy {
		out[s.endpoint] += n
	}
	return out
}
