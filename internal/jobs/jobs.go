// Package jobs does work on schedule: what is to be deleted by age and the like.
//
// A job is done in small steps, so that it delays nobody, by one node at a time:
// its row in the database holds a lease. A run that was missed, because no node
// was up or because it failed, is made up for. The package knows no job: app
// puts them together.
package jobs

import (
	"context"
	"log/slog"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// Job is work that is done on schedule.
type Job struct {
	Name string // in the database; do not change it
	// Begin starts a run and returns its steps: each call does a small part of
	// the work, far shorter than a lease, and reports whether it was the last. A
	// run that is broken off begins anew.
	Begin func(now time.Time) Step
}

// Step does a part of a run.
type Step func(ctx context.Context) (done bool, err error)

// Schedule says when a run is due; cron.Schedule is one.
type Schedule interface {
	// Next returns the first time after t, the zero Time if there is none.
	Next(t time.Time) time.Time
}

// Clock is the time that schedules and leases go by. Tests move it.
type Clock interface {
	Now() time.Time
	// Timer sends once after d. stop releases it.
	Timer(d time.Duration) (fired <-chan time.Time, stop func())
}

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) Timer(d time.Duration) (<-chan time.Time, func()) {
	t := time.NewTimer(d)
	return t.C, func() { t.Stop() }
}

const (
	// Lease is how long a node holds a job without being heard of.
	Lease = time.Minute
	// renewAfter is when a running job's lease is renewed.
	renewAfter = Lease / 4
	// longestWait bounds how long a changed system time goes unnoticed.
	longestWait = 10 * time.Minute
)

// Options configures a Runner.
type Options struct {
	Schedule Schedule
	Clock    Clock          // default: the system's
	Location *time.Location // of the schedule's times, default: local
	// Ran, if set, is told of every run that this node finished or that failed.
	Ran    func(job string, err error)
	Logger *slog.Logger // default: discards
}

// Runner does jobs when they are due.
type Runner struct {
	store    *store.Store
	schedule Schedule
	clock    Clock
	location *time.Location
	log      *slog.Logger
	jobs     []Job
	owner    string // this node
	ran      func(job string, err error)
}

// New returns a Runner of jobs, which it does one after the other.
func New(s *store.Store, o Options, jobs ...Job) *Runner {
	r := &Runner{store: s, schedule: o.Schedule, clock: o.Clock, location: o.Location, log: o.Logger, jobs: jobs, owner: im.NewMessageID()}
	if r.ran = o.Ran; r.ran == nil {
		r.ran = func(string, error) {}
	}
	if r.clock == nil {
		r.clock = systemClock{}
	}
	if r.location == nil {
		r.location = time.Local
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	return r
}

// Names lists the jobs.
func (r *Runner) Names() []string {
	names := make([]string, len(r.jobs))
	for i, j := range r.jobs {
		names[i] = j.Name
	}
	return names
}

// Run does jobs when they are due until ctx is done.
func (r *Runner) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		wait := longestWait
		for _, j := range r.jobs {
			again, err := r.visit(ctx, j)
			if err != nil && ctx.Err() == nil {
				r.ran(j.Name, err)
				r.log.ErrorContext(ctx, "scheduled job failed", "job", j.Name, "error", err)
			}
			wait = min(wait, again)
		}
		fired, stop := r.clock.Timer(max(wait, time.Second))
		select {
		case <-fired:
		case <-ctx.Done():
		}
		stop()
	}
	return nil
}

// visit does a job if it is due and free, and returns when to look again.
func (r *Runner) visit(ctx context.Context, j Job) (again time.Duration, err error) {
	start := r.clock.Now()
	var finished im.Millis
	if err := r.store.Write(ctx, func(tx *store.Tx) (err error) {
		finished, err = tx.JobFinished(j.Name, im.MillisOf(start))
		return err
	}); err != nil {
		return Lease, err
	}
	due := r.schedule.Next(finished.Time().In(r.location))
	switch {
	case due.IsZero():
		return longestWait, nil
	case due.After(start):
		return due.Sub(start), nil
	}
	done, err := r.run(ctx, j, finished)
	if err != nil || !done {
		return Lease, err
	}
	if err := r.store.Write(ctx, func(tx *store.Tx) error { return tx.FinishJob(j.Name, r.owner, im.MillisOf(start)) }); err != nil {
		return Lease, err
	}
	now := r.clock.Now()
	r.ran(j.Name, nil)
	r.log.InfoContext(ctx, "scheduled job done", "job", j.Name, "duration", now.Sub(start))
	return max(r.schedule.Next(start.In(r.location)).Sub(now), 0), nil
}

// run does all steps of a job while this node holds it.
func (r *Runner) run(ctx context.Context, j Job, finished im.Millis) (done bool, err error) {
	step := j.Begin(r.clock.Now())
	var renewed time.Time
	for !done {
		if now := r.clock.Now(); now.Sub(renewed) >= renewAfter {
			held := false
			if err := r.store.Write(ctx, func(tx *store.Tx) (err error) {
				held, err = tx.ClaimJob(j.Name, r.owner, finished, im.MillisOf(now), im.MillisOf(now.Add(Lease)))
				return err
			}); err != nil || !held {
				return false, err
			}
			renewed = now
		}
		if done, err = step(ctx); err != nil {
			return false, err
		}
	}
	return true, nil
}
