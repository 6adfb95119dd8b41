// Package spread carries changes that concern very many rows to their end: a
// mention of everybody, the end of a large group, a profile that a hundred
// thousand lists show. Such a change is noted in its own transaction
// (store.Spread) and expanded in chunks, each in one short transaction, so that
// nobody else's writes wait for more than a chunk. What the end of the process
// leaves over is carried on at the next start.
//
// It must not know what is spread: nouns say that, one Step for each kind.
package spread

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// Chunk is how many rows of a table a step should change, at most.
const Chunk = 250

// Result is what one step came to.
type Result struct {
	Next string // the cursor for the next step
	Done bool   // there is none
	// Tell, if set, runs after the commit: what was changed is announced. It may
	// be lost with the process, as every announcement may.
	Tell func(ctx context.Context)
}

// Step expands one chunk of a spread inside a transaction. It may run more than
// once.
type Step func(tx *store.Tx, s store.Spread) (Result, error)

// Spreader expands spreads. It is safe for concurrent use once every kind has
// its step.
type Spreader struct {
	store *store.Store
	log   *slog.Logger
	steps map[store.SpreadKind]Step
	wake  chan struct{}
}

// New returns a Spreader without steps.
func New(s *store.Store, log *slog.Logger) *Spreader {
	return &Spreader{store: s, log: log, steps: make(map[store.SpreadKind]Step), wake: make(chan struct{}, 1)}
}

// Handle says how a kind is expanded. It is called before anything runs.
func (s *Spreader) Handle(kind store.SpreadKind, step Step) { s.steps[kind] = step }

// Begin expands the first chunk of a spread that was committed, on the caller's
// goroutine, and leaves the others to Run. For most there are no others.
func (s *Spreader) Begin(ctx context.Context, kind store.SpreadKind, subject string) {
	if done, err := s.step(context.WithoutCancel(ctx), kind, subject); err != nil || !done {
		if err != nil {
			s.log.WarnContext(ctx, "spread is tried again", "kind", kind, "subject", subject, "error", err)
		}
		s.signal()
	}
}

// Finish expands a spread to its end on the caller's goroutine.
func (s *Spreader) Finish(ctx context.Context, kind store.SpreadKind, subject string) error {
	ctx = context.WithoutCancel(ctx)
	for {
		done, err := s.step(ctx, kind, subject)
		if err != nil {
			s.signal()
			return err
		}
		if done {
			return nil
		}
	}
}

func (s *Spreader) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// step runs one chunk; done tells that nothing is left.
func (s *Spreader) step(ctx context.Context, kind store.SpreadKind, subject string) (done bool, err error) {
	step, ok := s.steps[kind]
	if !ok {
		return false, fmt.Errorf("spread of kind %d: nobody knows how", kind)
	}
	var r Result
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		r = Result{Done: true}
		sp, found, err := tx.LockSpread(kind, subject)
		if err != nil || !found {
			return err
		}
		if r, err = step(tx, sp); err != nil {
			return err
		}
		if r.Done {
			return tx.EndSpread(sp)
		}
		return tx.MoveSpread(sp, r.Next)
	})
	if err != nil {
		return false, fmt.Errorf("spread %d of %s: %w", kind, subject, err)
	}
	if r.Tell != nil {
		r.Tell(ctx)
	}
	return r.Done, nil
}

const (
	roundSize  = 64              // spreads that take turns
	retryAfter = 5 * time.Second // after a step failed: the database did
)

// Run expands what is left over from before and what is begun, until ctx is
// done. Spreads take turns, a chunk each.
func (s *Spreader) Run(ctx context.Context) error {
	s.signal()
	retry := time.NewTimer(0)
	<-retry.C
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		case <-retry.C:
		}
		if err := s.Drain(ctx); err != nil {
			s.log.ErrorContext(ctx, "spread failed and is tried again", "error", err)
			retry.Reset(retryAfter)
		}
	}
}

// Drain runs every spread to its end on the caller's goroutine, or until ctx is
// done. It returns the error of a spread that it left.
func (s *Spreader) Drain(ctx context.Context) error {
	background := im.WithOperation(context.WithoutCancel(ctx), "")
	for ctx.Err() == nil {
		var round []store.Spread
		if err := s.store.Read(background, func(tx *store.Tx) (err error) {
			round, err = tx.Spreads(roundSize)
			return err
		}); err != nil {
			return err
		}
		var failed error
		moved := false
		for _, sp := range round {
			if ctx.Err() != nil {
				return nil
			}
			if _, err := s.step(background, sp.Kind, sp.Subject); err != nil {
				failed = err
				continue
			}
			moved = true
		}
		if !moved {
			return failed
		}
	}
	return nil
}
