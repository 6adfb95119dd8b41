package message

import (
	"errors"
	"fmt"
	"testing"

	"github.com/parley-im/parley/internal/im"
)

func TestLimiter(t *testing.T) {
	l := newLimiter(SendLimit{PerSecond: 10, Burst: 5})
	now := im.Millis(1_000_000)
	count := func(userID string) (allowed int) {
		for range 100 {
			if err := l.allow(userID, now); err == nil {
				allowed++
			} else if !errors.Is(err, im.ErrTooManyRequests) {
				t.Fatal(err)
			}
		}
		return allowed
	}
	if n := count("a"); n != 5 {
		t.Errorf("%d at once", n)
	}
	if n := count("b"); n != 5 {
		t.Errorf("another user: %d at once", n)
	}
	now += 100
	if n := count("a"); n != 1 {
		t.Errorf("%d after a tenth of a second", n)
	}
	now += 100_000
	if n := count("a"); n != 5 {
		t.Errorf("%d after a pause", n)
	}
	if newLimiter(SendLimit{}) != nil {
		t.Error("there is a limit by default")
	}
}

// Users who may send as if they were new are forgotten; the others are not
// while there is room.
func TestLimiterIsBounded(t *testing.T) {
	l := newLimiter(SendLimit{PerSecond: 1, Burst: 1})
	now := im.Millis(1_000_000)
	for i := range maxLimited {
		if err := l.allow(fmt.Sprint(i), now); err != nil {
			t.Fatal(err)
		}
	}
	now += 999
	if err := l.allow("0", now); err == nil {
		t.Error("forgotten while he had to wait")
	}
	now++
	if err := l.allow("new", now); err != nil || len(l.due) != 1 {
		t.Errorf("%v, %d users known", err, len(l.due))
	}
	for i := range maxLimited {
		if err := l.allow(fmt.Sprint("x", i), now); err != nil {
			t.Fatal(err)
		}
	}
	if len(l.due) > maxLimited {
		t.Errorf("%d users known", len(l.due))
	}
}
