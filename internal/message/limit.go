package message

import (
	"sync"
	"time"

	"github.com/parley-im/parley/internal/im"
)

// SendLimit is how fast one user may send, over all his devices.
type SendLimit struct {
	PerSecond int // on average; 0 means no limit
	Burst     int // at once, at least 1
}

// maxLimited is how many users a limiter knows at a time.
const maxLimited = 1 << 18

// limiter says which sends come too fast. It keeps one number per user: the time
// at which his sends so far would have been due at the allowed rate.
type limiter struct {
	interval time.Duration // between two sends at the allowed rate
	ahead    time.Duration // how far a user may be ahead of it

	mu  sync.Mutex
	due map[string]time.Duration // since the epoch
}

// newLimiter returns nil for no limit.
func newLimiter(l SendLimit) *limiter {
	if l.PerSecond <= 0 {
		return nil
	}
	interval := time.Second / time.Duration(l.PerSecond)
	return &limiter{interval: interval, ahead: interval * time.Duration(max(l.Burst, 1)-1), due: make(map[string]time.Duration)}
}

// allow counts a send, or refuses it.
func (l *limiter) allow(userID string, at im.Millis) error {
	now := time.Duration(at) * time.Millisecond
	l.mu.Lock()
	defer l.mu.Unlock()
	due, known := l.due[userID]
	if due-now > l.ahead {
		return im.ErrTooManyRequests.With("more than %d messages a second", time.Second/l.interval)
	}
	if !known && len(l.due) >= maxLimited {
		l.forget(now)
	}
	l.due[userID] = max(due, now) + l.interval
	return nil
}

// forget drops the users who have sent nothing for so long that they may send as
// if they were new; if there are none, everybody starts over.
func (l *limiter) forget(now time.Duration) {
	for userID, due := range l.due {
		if due <= now {
			delete(l.due, userID)
		}
	}
	if len(l.due) >= maxLimited {
		clear(l.due)
	}
}
