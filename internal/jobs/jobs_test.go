package jobs_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/cron"
	"github.com/parley-im/parley/internal/jobs"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// clock stands still until it is moved. Every timer that somebody waits for is
// announced on waiting.
type clock struct {
	mu      sync.Mutex
	now     time.Time
	timers  map[chan time.Time]time.Time
	waiting chan time.Duration
}

func newClock(at time.Time) *clock {
	return &clock{now: at, timers: map[chan time.Time]time.Time{}, waiting: make(chan time.Duration, 16)}
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Timer(d time.Duration) (<-chan time.Time, func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fired := make(chan time.Time, 1)
	c.timers[fired] = c.now.Add(d)
	c.waiting <- d
	return fired, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.timers, fired)
	}
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	for fired, at := range c.timers {
		if !at.After(c.now) {
			fired <- c.now
			delete(c.timers, fired)
		}
	}
}

// noon is when the tests begin; jobs are due at two in the morning.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

type rig struct {
	t     *testing.T
	store *store.Store
	clock *clock
}

func newRig(t *testing.T, open storetest.Open) *rig {
	c := newClock(noon)
	return &rig{t, open(store.Options{Now: c.Now}), c}
}

// node starts a runner; stop ends it.
func (r *rig) node(c *clock, list ...jobs.Job) (stop func()) {
	r.t.Helper()
	nightly, err := cron.Parse("0 2 * * *")
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(r.t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- jobs.New(r.store, jobs.Options{Schedule: nightly, Clock: c, Location: time.UTC}, list...).Run(ctx)
	}()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				r.t.Errorf("runner: %v", err)
			}
		})
	}
	r.t.Cleanup(stop)
	return stop
}

// counted is a job of some steps that announces each.
func counted(steps int) (jobs.Job, chan time.Time) {
	ran := make(chan time.Time, 64)
	return jobs.Job{Name: "counted", Begin: func(now time.Time) jobs.Step {
		left := steps
		return func(context.Context) (bool, error) {
			left--
			ran <- now
			return left == 0, nil
		}
	}}, ran
}

func (r *rig) nothing(ran chan time.Time) {
	r.t.Helper()
	select {
	case at := <-ran:
		r.t.Fatalf("ran at %s", at)
	default:
	}
}

func TestRunsWhenDue(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		r := newRig(t, open)
		job, ran := counted(3)
		r.node(r.clock, job)
		<-r.clock.waiting
		r.clock.move(10 * time.Minute)
		<-r.clock.waiting
		r.nothing(ran)
		for night := range 2 {
			r.clock.move(14*time.Hour + time.Duration(night)*10*time.Hour)
			<-r.clock.waiting
			for range 3 {
				if at := <-ran; at.Day() != 2+night {
					t.Errorf("night %d: ran at %s", night, at)
				}
			}
			r.nothing(ran)
			r.clock.move(time.Minute)
			r.nothing(ran)
		}
	})
}

func TestMissedRunIsMadeUpFor(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		r := newRig(t, open)
		job, ran := counted(1)
		stop := r.node(r.clock, job)
		<-r.clock.waiting
		stop()
		r.clock.move(72 * time.Hour)
		r.node(r.clock, job)
		<-r.clock.waiting
		<-ran
		r.nothing(ran) // once for all three nights
	})
}

func TestOneNodeAtATime(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		r := newRig(t, open)
		entered, leave := make(chan struct{}), make(chan struct{})
		slow := jobs.Job{Name: "counted", Begin: func(time.Time) jobs.Step {
			return func(context.Context) (bool, error) {
				entered <- struct{}{}
				<-leave
				return true, nil
			}
		}}
		job, ran := counted(1)
		other := newClock(noon)
		r.node(r.clock, slow)
		<-r.clock.waiting
		r.clock.move(24 * time.Hour)
		<-entered
		other.move(24 * time.Hour)
		r.node(other, job)
		if wait := <-other.waiting; wait != jobs.Lease {
			t.Errorf("the other node waits %s for the lease", wait)
		}
		r.nothing(ran)
		close(leave)
		<-r.clock.waiting // it is finished
		other.move(jobs.Lease)
		<-other.waiting
		r.nothing(ran)
	})
}

func TestAnotherNodeTakesOverADeadOnesJob(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		r := newRig(t, open)
		entered := make(chan struct{})
		dies := jobs.Job{Name: "counted", Begin: func(time.Time) jobs.Step {
			return func(ctx context.Context) (bool, error) {
				entered <- struct{}{}
				<-ctx.Done()
				return false, ctx.Err()
			}
		}}
		job, ran := counted(1)
		stop := r.node(r.clock, dies)
		<-r.clock.waiting
		r.clock.move(24 * time.Hour)
		<-entered
		stop()
		other := newClock(r.clock.Now())
		r.node(other, job)
		<-other.waiting
		r.nothing(ran)
		other.move(jobs.Lease)
		<-ran
	})
}

func TestFailedRunIsTriedAgain(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		r := newRig(t, open)
		attempts := make(chan int, 8)
		n := 0
		fails := jobs.Job{Name: "fails", Begin: func(time.Time) jobs.Step {
			return func(context.Context) (bool, error) {
				n++
				attempts <- n
				if n == 1 {
					return false, errors.New("the first one fails")
				}
				return true, nil
			}
		}}
		r.node(r.clock, fails)
		<-r.clock.waiting
		r.clock.move(24 * time.Hour)
		<-attempts
		<-r.clock.waiting
		r.clock.move(jobs.Lease)
		if got := <-attempts; got != 2 {
			t.Errorf("attempt %d", got)
		}
	})
}
