package webhook

import (
	"testing"
	"time"
)

// A breaker's life: each step is a moment, what a call at it is allowed, and
// what it then learns.
func TestBreaker(t *testing.T) {
	t.Parallel()
	type step struct {
		at   time.Duration
		want pass
		h    health
		turn turn
	}
	repeat := func(n int, s step) (list []step) {
		for range n {
			list = append(list, s)
		}
		return list
	}
	join := func(parts ...[]step) (all []step) {
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	bad := step{0, allowed, sick, unchanged}
	for _, c := range []struct {
		name  string
		o     Breaker
		steps []step
	}{
		{"ten failures in a row open it", Breaker{}, join(repeat(9, bad), []step{{0, allowed, sick, opened}, {time.Second, refused, unknown, unchanged}})},
		{"a success in between does not", Breaker{}, join(repeat(9, bad), []step{{0, allowed, healthy, unchanged}}, repeat(9, bad))},
		{"what says nothing does not count", Breaker{}, join(repeat(9, bad), repeat(5, step{0, allowed, unknown, unchanged}), []step{{0, allowed, sick, opened}})},
		{
			"half of twenty open it",
			Breaker{},
			join(repeat(8, bad), repeat(10, step{time.Second, allowed, healthy, unchanged}), repeat(1, step{2 * time.Second, allowed, sick, unchanged}), []step{{3 * time.Second, allowed, sick, opened}}),
		},
		{
			"half of twenty of which some are long ago do not",
			Breaker{},
			join(repeat(8, bad), repeat(10, step{time.Second, allowed, healthy, unchanged}), repeat(9, step{40 * time.Second, allowed, sick, unchanged})),
		},
		{"without a rate half of them do not", Breaker{Rate: -1}, join(repeat(9, bad), repeat(20, step{0, allowed, healthy, unchanged}), repeat(9, bad))},
		{
			"probes are ten seconds apart, one at a time, until one succeeds",
			Breaker{},
			join(repeat(9, bad), []step{
				{0, allowed, sick, opened},
				{9 * time.Second, refused, unknown, unchanged},
				{10 * time.Second, probing, sick, unchanged},
				{19 * time.Second, refused, unknown, unchanged},
				{20 * time.Second, probing, unknown, unchanged}, // the server stopped, or the like
				{20 * time.Second, probing, healthy, closed},
				{20 * time.Second, allowed, sick, unchanged}, // counted from the beginning
			}, repeat(8, step{21 * time.Second, allowed, sick, unchanged}), []step{{22 * time.Second, allowed, sick, opened}}),
		},
		{"its own numbers", Breaker{Failures: 2, Probe: time.Second}, []step{{0, allowed, sick, unchanged}, {0, allowed, sick, opened}, {time.Second, probing, healthy, closed}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := &breaker{o: c.o.withDefaults()}
			start := time.UnixMilli(1_700_000_000_000)
			for i, s := range c.steps {
				now := start.Add(s.at)
				p := b.acquire(now)
				if p != s.want {
					t.Fatalf("step %d at %s: leave %d, want %d", i, s.at, p, s.want)
				}
				if p == refused {
					continue
				}
				if got := b.release(p, s.h, now, fault{reason: "no"}); got != s.turn {
					t.Fatalf("step %d at %s: turn %d, want %d", i, s.at, got, s.turn)
				}
			}
		})
	}
	t.Run("one probe at a time", func(t *testing.T) {
		t.Parallel()
		b := &breaker{o: Breaker{Failures: 1}.withDefaults()}
		now := time.UnixMilli(1_700_000_000_000)
		late := b.acquire(now)
		b.release(b.acquire(now), sick, now, fault{})
		if got := b.release(late, healthy, now, fault{}); got != unchanged {
			t.Errorf("a call from before it opened closed it: %d", got)
		}
		later := now.Add(10 * time.Second)
		if b.acquire(later) != probing || b.acquire(later) != refused {
			t.Error("two probes at once")
		}
	})
}

func TestMatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, key string
		want         bool
	}{
		{"after*", "afterUserOnline", true},
		{"after*", "beforeAddFriend", false},
		{"*Msg", "afterSendSingleMsg", true},
		{"*Msg", "afterMsgSaveDB", false},
		{"after*Msg", "afterSendGroupMsg", true},
		{"*Group*", "afterCreateGroup", true},
		{"*Group*Msg", "afterSendGroupMsg", true},
		{"after*r*r", "afterUserRegister", true},
		{"*", "anything", true},
		{"afterUserOnline", "afterUserOnline", true},
		{"afterUser", "afterUserOnline", false},
		{"AFTER*", "afterUserOnline", false},
		{"a*a", "a", false},
	} {
		if got := Match(c.pattern, c.key); got != c.want {
			t.Errorf("%s and %s: %v", c.pattern, c.key, got)
		}
	}
}
