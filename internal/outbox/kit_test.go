package outbox_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/outbox"
	"github.com/parley-im/parley/internal/store"
)

// told is an event whose only content is its outbox rows.
type told []store.OutboxEvent

func (told) Kind() im.EventKind { return im.EventUserOnline }

type recorder struct{}

func (recorder) Enabled(im.EventKind) bool             { return true }
func (recorder) Render(e im.Event) []store.OutboxEvent { return e.(told) }

var epoch = time.UnixMilli(1_700_000_000_000)

// event is the n-th event of a lane.
func event(lane string, n int) store.OutboxEvent {
	return store.OutboxEvent{
		Lane: "default/" + lane, EventID: fmt.Sprintf("%s-%d", lane, n), Callback: "afterSendSingleMsg",
		Command: "callbackAfterSendSingleMsgCommand", Subject: lane, Body: fmt.Appendf(nil, "body %s %d", lane, n),
		CreatedAt: im.MillisOf(epoch),
	}
}

func write(t testing.TB, s *store.Store, events ...store.OutboxEvent) {
	t.Helper()
	if err := s.Write(context.Background(), func(tx *store.Tx) error { return tx.Record(told(events)) }); err != nil {
		t.Errorf("record: %v", err)
	}
}

func stats(t testing.TB, s *store.Store) (out store.OutboxStats) {
	t.Helper()
	if err := s.Read(context.Background(), func(tx *store.Tx) (err error) {
		out, err = tx.OutboxStats()
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// clock stands still, except that a timer of at most jump passes at once.
type clock struct {
	mu   sync.Mutex
	now  time.Time
	jump time.Duration
}

func newClock(jump time.Duration) *clock { return &clock{now: epoch, jump: jump} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func (c *clock) Timer(d time.Duration) (<-chan time.Time, func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fired := make(chan time.Time, 1)
	if d <= c.jump {
		c.now = c.now.Add(d)
		fired <- c.now
	}
	return fired, func() {}
}

// attempt is one call of a scripted handler.
type attempt struct {
	event  store.OutboxEvent
	number int
	at     time.Time
	answer chan outbox.Result
	ctx    context.Context
}

// scripted hands every attempt to the test, which answers it.
type scripted struct {
	clock    *clock
	attempts chan attempt
}

func newScripted(c *clock) *scripted { return &scripted{clock: c, attempts: make(chan attempt)} }

func (h *scripted) Deliver(ctx context.Context, e *store.OutboxEvent, number int) outbox.Result {
	a := attempt{event: *e, number: number, at: h.clock.Now(), answer: make(chan outbox.Result, 1), ctx: ctx}
	select {
	case h.attempts <- a:
	case <-ctx.Done():
		return outbox.Result{Verdict: outbox.Interrupted}
	}
	select {
	case r := <-a.answer:
		return r
	case <-ctx.Done():
		return outbox.Result{Verdict: outbox.Interrupted}
	}
}

var onlyDefault = []outbox.Endpoint{{Name: "default", Slots: 256}}

func (*scripted) Endpoints() []outbox.Endpoint               { return onlyDefault }
func (*scripted) Changed() <-chan struct{}                   { return nil }
func (*scripted) Buried(context.Context, *store.DeadEvent)   {}
func (*scripted) Missed(context.Context, *store.OutboxEvent) {}

// limited is a handler with endpoints of its own.
type limited struct {
	outbox.Handler
	endpoints []outbox.Endpoint
}

func (l limited) Endpoints() []outbox.Endpoint { return l.endpoints }

var (
	delivered = outbox.Result{Verdict: outbox.Delivered}
	failed    = outbox.Result{Verdict: outbox.Retrying, Reason: "connection refused"}
)

// run starts an outbox; the function returned stops it and waits for its end.
func run(t testing.TB, s *store.Store, o outbox.Options, h outbox.Handler) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- outbox.New(s, o, h).Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// forever is longer than any test's time, so that only what is due by itself
// makes the clock jump.
const forever = 10_000 * time.Hour
