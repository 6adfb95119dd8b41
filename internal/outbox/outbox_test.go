package outbox_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/outbox"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
)

// each runs f on both engines, with a clock that passes pauses up to 20 h.
func each(t *testing.T, f func(t *testing.T, open func() *store.Store, c *clock, o outbox.Options)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		c := newClock(20 * time.Hour)
		reopen := func() *store.Store { return open(store.Options{Recorder: recorder{}, Now: c.Now}) }
		f(t, reopen, c, outbox.Options{Clock: c, Lease: forever, Poll: forever, Drain: time.Minute})
	})
}

func TestOrderInsideALane(t *testing.T) {
	each(t, func(t *testing.T, open func() *store.Store, c *clock, o outbox.Options) {
		s := open()
		const lanes, perLane = 40, 30 // more than a claim reads of a lane
		for n := range perLane {
			var events []store.OutboxEvent
			for lane := range lanes {
				events = append(events, event(fmt.Sprintf("lane%02d", lane), n))
			}
			write(t, s, events...)
		}
		write(t, s, event("stuck", 0))

		var mu sync.Mutex
		got := map[string][]string{}
		all := make(chan struct{})
		h := handlerFunc(func(ctx context.Context, e *store.OutboxEvent, _ int) outbox.Result {
			if e.Subject == "stuck" {
				<-ctx.Done() // a handler that hangs
				return outbox.Result{Verdict: outbox.Interrupted}
			}
			mu.Lock()
			defer mu.Unlock()
			got[e.Subject] = append(got[e.Subject], e.EventID)
			if total(got) == lanes*perLane {
				close(all)
			}
			return delivered
		})
		o.Drain = time.Millisecond
		stop := run(t, s, o, limited{h, []outbox.Endpoint{{Name: "default", Slots: 8}}})
		<-all
		stop()
		for lane, ids := range got {
			for n, id := range ids {
				if want := fmt.Sprintf("%s-%d", lane, n); id != want {
					t.Fatalf("event %d of %s is %s, want %s", n, lane, id, want)
				}
			}
		}
		if st := stats(t, s); st.Events != 1 || st.Lanes != 1 || st.Dead != 0 {
			t.Errorf("left behind: %+v, want the stuck event only", st)
		}
	})
}

func TestRetrySchedule(t *testing.T) {
	each(t, func(t *testing.T, open func() *store.Store, c *clock, o outbox.Options) {
		s := open()
		h := newScripted(c)
		run(t, s, o, h)
		write(t, s, event("a", 0), event("a", 1))

		pauses := []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300}
		last := time.Time{}
		for i := range len(pauses) + 1 {
			a := <-h.attempts
			if a.event.EventID != "a-0" || a.number != i+1 || string(a.event.Body) != "body a 0" {
				t.Fatalf("attempt %d is %s number %d", i+1, a.event.EventID, a.number)
			}
			if i > 0 {
				full := pauses[i-1] * time.Second
				if gap := a.at.Sub(last); gap > full || gap < full*3/4-time.Millisecond {
					t.Errorf("pause before attempt %d is %s, want %s less up to a quarter", i+1, gap, full)
				}
			}
			last = a.at
			if i < len(pauses) {
				a.answer <- failed
			} else {
				a.answer <- delivered
			}
		}
		// The next event begins anew.
		a := <-h.attempts
		if a.event.EventID != "a-1" || a.number != 1 {
			t.Fatalf("then came %s number %d, want a-1 number 1", a.event.EventID, a.number)
		}
		a.answer <- outbox.Result{Verdict: outbox.Retrying, After: 7 * time.Hour}
		b := <-h.attempts
		if gap := b.at.Sub(a.at); gap != 7*time.Hour {
			t.Errorf("Retry-After of 7 h gave a pause of %s", gap)
		}
		b.answer <- delivered
	})
}

func TestGiveUpAndReplay(t *testing.T) {
	each(t, func(t *testing.T, open func() *store.Store, c *clock, o outbox.Options) {
		s := open()
		h := newScripted(c)
		o.Retry.GiveUpAfter = time.Hour
		stop := run(t, s, o, h)
		write(t, s, event("a", 0), event("a", 1))
		var late store.OutboxEvent
		for begun := false; ; {
			a := <-h.attempts
			if a.event.EventID == "a-2" {
				a.answer <- delivered
				break
			}
			if a.event.EventID != "a-0" {
				t.Fatalf("%s was tried; it had its time with a-0", a.event.EventID)
			}
			if !begun && a.at.Sub(epoch) > 30*time.Minute {
				begun = true
				late = event("a", 2)
				late.CreatedAt = im.MillisOf(a.at)
				write(t, s, late)
			}
			a.answer <- failed
		}
		stop()

		dead := deadEvents(t, s)
		if len(dead) != 2 || dead[0].EventID != "a-1" || dead[1].EventID != "a-0" {
			t.Fatalf("dead: %+v, want a-1 and a-0", dead)
		}
		if dead[1].Attempts < 10 || dead[1].Reason != "given up: connection refused" || dead[0].Attempts != 0 {
			t.Errorf("dead: %+v", dead)
		}
		if after := dead[1].DiedAt.Time().Sub(epoch); after < time.Hour || after > time.Hour+6*time.Minute {
			t.Errorf("given up after %s, want an hour", after)
		}

		n, err := s.ReplayDead(t.Context(), store.DeadFilter{})
		if n != 2 || err != nil {
			t.Fatalf("replay: %d, %v", n, err)
		}
		run(t, s, o, h)
		for _, want := range []string{"a-0", "a-1"} {
			a := <-h.attempts
			if a.event.EventID != want || a.number != 1 || string(a.event.Body) != "body a "+want[2:] {
				t.Errorf("replayed %s (%q) number %d, want %s", a.event.EventID, a.event.Body, a.number, want)
			}
			a.answer <- delivered
		}
	})
}

func TestDeadGoesOn(t *testing.T) {
	each(t, func(t *testing.T, open func() *store.Store, c *clock, o outbox.Options) {
		s := open()
		h := newScripted(c)
		stop := run(t, s, o, h)
		write(t, s, event("a", 0), event("a", 1))
		a := <-h.attempts
		a.answer <- outbox.Result{Verdict: outbox.Dead, Reason: "HTTP status 404", Log: &store.Delivery{
			EventID: a.event.EventID, Callback: a.event.Callback, Kind: store.DeliveryAfter, Attempt: a.number, Outcome: "dead_letter",
		}}
		a = <-h.attempts
		if a.event.EventID != "a-1" {
			t.Fatalf("after a dead event came %s", a.event.EventID)
		}
		a.answer <- delivered
		stop()
		if dead := deadEvents(t, s); len(dead) != 1 || dead[0].EventID != "a-0" || dead[0].Reason != "HTTP status 404" {
			t.Errorf("dead: %+v", dead)
		}
		if st := stats(t, s); st.Events != 0 || st.Lanes != 0 {
			t.Errorf("left behind: %+v", st)
		}
		var log []store.Delivery
		if err := s.Read(t.Context(), func(tx *store.Tx) (err error) {
			log, err = tx.Deliveries(store.DeliveryFilter{EventID: "a-0"})
			return err
		}); err != nil || len(log) != 1 || log[0].Outcome != "dead_letter" {
			t.Errorf("delivery log: %+v, %v", log, err)
		}
	})
}

func TestPanicIsAFailedAttempt(t *testing.T) {
	each(t, func(t *testing.T, open func() *store.Store, c *clock, o outbox.Options) {
		s := open()
		done := make(chan int, 1)
		run(t, s, o, handlerFunc(func(_ context.Context, _ *store.OutboxEvent, number int) outbox.Result {
			if number < 3 {
				panic("boom")
			}
			done <- number
			return delivered
		}))
		write(t, s, event("a", 0))
		if n := <-done; n != 3 {
			t.Errorf("delivered by attempt %d, want 3", n)
		}
	})
}

// A node that dies keeps its lanes until its leases end, and what it says
// afterwards does not count.
func TestLeaseExpires(t *testing.T) {
	each(t, func(t *testing.T, open func() *store.Store, c *clock, o outbox.Options) {
		s := open()
		write(t, s, event("a", 0), event("a", 1))
		lanes := claim(t, s, c, 30*time.Second)
		if len(lanes) != 1 {
			t.Fatalf("claimed %d lanes, want 1", len(lanes))
		}
		if again := claim(t, s, c, 30*time.Second); len(again) != 0 {
			t.Fatalf("a leased lane was claimed again")
		}
		h := newScripted(c)
		run(t, s, o, h)
		a := <-h.attempts
		if waited := a.at.Sub(epoch); a.event.EventID != "a-0" || waited < 30*time.Second {
			t.Errorf("%s was delivered after %s, before the lease ended", a.event.EventID, waited)
		}
		var lost []string
		var done []int64
		if err := s.Read(t.Context(), func(tx *store.Tx) error {
			events, err := tx.LaneEvents(lanes[0].Name, 10)
			for _, e := range events {
				done = append(done, e.ID)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if err := s.Write(t.Context(), func(tx *store.Tx) (err error) {
			lost, err = tx.FinishLanes([]store.LaneResult{{Lane: lanes[0], Done: done}})
			return err
		}); err != nil || len(lost) != 1 {
			t.Errorf("late finish: lost %v, %v; want one lane", lost, err)
		}
		if st := stats(t, s); st.Events != 2 {
			t.Errorf("the late finish deleted events: %+v", st)
		}
		a.answer <- delivered
		a = <-h.attempts
		if a.event.EventID != "a-1" {
			t.Errorf("then came %s", a.event.EventID)
		}
		a.answer <- delivered
	})
}

func TestRestartAfterCrash(t *testing.T) {
	each(t, func(t *testing.T, open func() *store.Store, c *clock, o outbox.Options) {
		s := open()
		const lanes = 20
		for i := range lanes {
			write(t, s, event(fmt.Sprint("lane", i), 0))
		}
		if n := len(claim(t, s, c, time.Minute)); n != lanes {
			t.Fatalf("claimed %d lanes", n)
		}
		if err := s.Close(); err != nil { // nothing was finished
			t.Fatal(err)
		}
		c.advance(time.Minute)
		s = open()
		seen := make(chan string, lanes)
		run(t, s, o, handlerFunc(func(_ context.Context, e *store.OutboxEvent, _ int) outbox.Result {
			seen <- e.EventID
			return delivered
		}))
		var ids []string
		for range lanes {
			ids = append(ids, <-seen)
		}
		slices.Sort(ids)
		if n := len(slices.Compact(ids)); n != lanes {
			t.Errorf("%d different events, want %d", n, lanes)
		}
	})
}

// An embedded store belongs to one process, so nobody waits for the leases of
// the one before.
func TestEmbeddedStoreForgetsLeases(t *testing.T) {
	open := storetest.SQLite(t)
	s := open(store.Options{Recorder: recorder{}})
	write(t, s, event("a", 0))
	c := newClock(0)
	if n := len(claim(t, s, c, time.Hour)); n != 1 {
		t.Fatalf("claimed %d lanes", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := len(claim(t, open(store.Options{Recorder: recorder{}}), c, time.Hour)); n != 1 {
		t.Errorf("%d lanes can be claimed after a restart, want 1", n)
	}
}

func TestShutdownGivesLanesBack(t *testing.T) {
	each(t, func(t *testing.T, open func() *store.Store, c *clock, o outbox.Options) {
		s := open()
		h := newScripted(c)
		o.Drain = time.Hour
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- outbox.New(s, o, h).Run(ctx) }()
		write(t, s, event("a", 0), event("a", 1), event("b", 0))
		first, second := <-h.attempts, <-h.attempts
		cancel()
		// One attempt comes to its end, the other is broken off.
		first.answer <- delivered
		second.answer <- outbox.Result{Verdict: outbox.Interrupted}
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		want := int64(2)
		if st := stats(t, s); st.Events != want || st.Dead != 0 {
			t.Errorf("after shutdown: %+v, want %d events", st, want)
		}
		for _, l := range claim(t, s, c, time.Minute) { // at once: the leases were given up
			if l.Attempts != 0 || l.FailingSince != 0 {
				t.Errorf("lane %s counts %d attempts after an interruption", l.Name, l.Attempts)
			}
			want--
		}
		if first.event.Subject == "a" && want != 0 || first.event.Subject == "b" && want != 1 {
			t.Errorf("lanes to claim do not match: first was %s, %d missing", first.event.EventID, want)
		}
	})
}

// Producers and two sets of workers at once: no event is stranded, doubled
// without a lost lease, or out of order. On PostgreSQL this is the race between
// a producer's commit and the worker that deletes the lane.
func TestNoEventIsStranded(t *testing.T) {
	each(t, func(t *testing.T, open func() *store.Store, _ *clock, o outbox.Options) {
		s := open()
		const producers, each, lanes = 6, 60, 3
		var mu sync.Mutex
		got := map[string][]string{} // by producer and lane
		seen := map[string]bool{}
		all := make(chan struct{})
		h := handlerFunc(func(_ context.Context, e *store.OutboxEvent, _ int) outbox.Result {
			mu.Lock()
			defer mu.Unlock()
			if seen[e.EventID] {
				t.Errorf("%s was delivered twice", e.EventID)
			}
			seen[e.EventID] = true
			got[e.OperationID] = append(got[e.OperationID], e.EventID)
			if len(seen) == producers*each {
				close(all)
			}
			return delivered
		})
		o.Clock, o.Poll, o.Lease = nil, time.Hour, time.Hour // the real time: nothing here depends on it
		stopOne := run(t, s, o, h)
		stopTwo := run(t, s, o, h)
		var group sync.WaitGroup
		for p := range producers {
			group.Go(func() {
				for n := range each {
					lane := fmt.Sprint("lane", (p+n)%lanes)
					e := event(lane, n)
					e.EventID, e.OperationID = fmt.Sprintf("%d-%03d", p, n), fmt.Sprint(p, lane)
					write(t, s, e)
				}
			})
		}
		group.Wait()
		<-all
		// A lane that got an event while it was being finished is looked at once more.
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		deadline := time.After(time.Minute)
		for st := stats(t, s); st.Events+st.Lanes > 0; st = stats(t, s) {
			select {
			case <-tick.C:
			case <-deadline:
				t.Fatalf("left behind: %+v", st)
			}
		}
		stopOne()
		stopTwo()
		for from, ids := range got {
			if !slices.IsSorted(ids) {
				t.Errorf("events of %s came as %v", from, ids)
			}
		}
	})
}

func BenchmarkDrain(b *testing.B) {
	for _, engine := range []struct {
		name string
		open func(testing.TB) *store.Store
	}{{"sqlite", func(t testing.TB) *store.Store {
		s, err := store.Open(context.Background(), store.Options{Dir: t.TempDir(), Recorder: recorder{}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}}} {
		b.Run(engine.name, func(b *testing.B) {
			s := engine.open(b)
			const lanes, batch = 1000, 500
			for n := 0; n < b.N; n += batch {
				var events []store.OutboxEvent
				for i := range min(batch, b.N-n) {
					events = append(events, event(fmt.Sprint("lane", (n+i)%lanes), n+i))
				}
				write(b, s, events...)
			}
			var mu sync.Mutex
			left := b.N
			all := make(chan struct{})
			b.ResetTimer()
			stop := run(b, s, outbox.Options{}, handlerFunc(func(context.Context, *store.OutboxEvent, int) outbox.Result {
				mu.Lock()
				defer mu.Unlock()
				if left--; left == 0 {
					close(all)
				}
				return delivered
			}))
			<-all
			stop()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

type handlerFunc func(context.Context, *store.OutboxEvent, int) outbox.Result

func (f handlerFunc) Deliver(ctx context.Context, e *store.OutboxEvent, attempt int) outbox.Result {
	return f(ctx, e, attempt)
}

func (handlerFunc) Endpoints() []outbox.Endpoint               { return onlyDefault }
func (handlerFunc) Changed() <-chan struct{}                   { return nil }
func (handlerFunc) Buried(context.Context, *store.DeadEvent)   {}
func (handlerFunc) Missed(context.Context, *store.OutboxEvent) {}

func total(m map[string][]string) (n int) {
	for _, ids := range m {
		n += len(ids)
	}
	return n
}

func claim(t *testing.T, s *store.Store, c *clock, lease time.Duration) (lanes []store.Lane) {
	t.Helper()
	if err := s.Write(t.Context(), func(tx *store.Tx) error {
		taken, err := tx.ClaimLanes(store.Claim{
			Endpoint: "default", To: im.MillisOf(c.Now()), Lease: im.MillisOf(c.Now().Add(lease)), Owner: 42, Limit: 100,
		})
		lanes = taken
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return lanes
}

func deadEvents(t *testing.T, s *store.Store) (dead []store.DeadEvent) {
	t.Helper()
	if err := s.Read(t.Context(), func(tx *store.Tx) (err error) {
		dead, err = tx.DeadEvents(store.DeadFilter{})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return dead
}
