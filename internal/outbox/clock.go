package outbox

import "time"

// Clock is the time that retries go by. Tests move it.
type Clock interface {
	Now() time.Time
	// Timer sends once after d. stop releases it.
	Timer(d time.Duration) (fired <-chan time.Time, stop func())
}

// SystemClock is the machine's.
type SystemClock struct{}

// Now implements Clock.
func (SystemClock) Now() time.Time { return time.Now() }

// Timer implements Clock.
func (SystemClock) Timer(d time.Duration) (<-chan time.Time, func()) {
	t := time.NewTimer(d)
	return t.C, func() { t.Stop() }
}
