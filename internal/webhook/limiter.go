package webhook

import (
	"context"
	"errors"
	"sync/atomic"
)

// limiter bounds the calls in flight and those waiting for their turn: as many
// wait as run, and who comes then fails at once.
type limiter struct {
	slots   chan struct{}
	waiting atomic.Int64
}

var errSaturated = errors.New("too many calls of this callback wait already")

func newLimiter(n int) *limiter { return &limiter{slots: make(chan struct{}, n)} }

func (l *limiter) acquire(ctx context.Context) error {
	select {
	case l.slots <- struct{}{}:
		return nil
	default:
	}
	if l.waiting.Add(1) > int64(cap(l.slots)) {
		l.waiting.Add(-1)
		return errSaturated
	}
	defer l.waiting.Add(-1)
	select {
	case l.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *limiter) release() { <-l.slots }
