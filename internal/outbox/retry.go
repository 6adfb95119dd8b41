package outbox

import (
	"math/rand/v2"
	"time"
)

// Retry spaces the attempts of an event.
type Retry struct {
	Initial     time.Duration // default 1 s
	Max         time.Duration // default 5 min
	GiveUpAfter time.Duration // default 24 h
}

func (r Retry) withDefaults() Retry {
	if r.Initial <= 0 {
		r.Initial = time.Second
	}
	if r.Max <= 0 {
		r.Max = 5 * time.Minute
	}
	if r.Max < r.Initial {
		r.Max = r.Initial
	}
	if r.GiveUpAfter <= 0 {
		r.GiveUpAfter = 24 * time.Hour
	}
	return r
}

// pause is the wait after so many failed attempts: it doubles from Initial to
// Max, less up to a quarter, so that lanes which failed together do not come
// back together.
func (r Retry) pause(attempts int) time.Duration {
	d := r.Initial
	for range attempts - 1 {
		if d *= 2; d >= r.Max {
			d = r.Max
			break
		}
	}
	if quarter := int64(d / 4); quarter > 0 {
		d -= time.Duration(rand.Int64N(quarter)) //nolint:gosec // nobody gains by guessing it
	}
	return d
}
