package webhook

import (
	"sync"
	"time"
)

// Breaker says when an endpoint, or one callback of it, counts as down.
type Breaker struct {
	// Failures in a row that open it, default 10.
	Failures int
	// Rate in percent of at least RateOf calls within Window that opens it too,
	// default 50; below 0 for none.
	Rate   int
	Window time.Duration // default 30 s
	// Probe is the wait between attempts while it is open, default 10 s.
	Probe time.Duration
}

// rateOf is the least number of calls a failure rate is taken of.
const rateOf = 20

func (b Breaker) withDefaults() Breaker {
	if b.Failures <= 0 {
		b.Failures = 10
	}
	if b.Rate == 0 {
		b.Rate = 50
	}
	if b.Window <= 0 {
		b.Window = 30 * time.Second
	}
	if b.Probe <= 0 {
		b.Probe = 10 * time.Second
	}
	return b
}

// health is what a call says about the one it was made to.
type health uint8

const (
	unknown health = iota // nothing: it never came that far, or the fault was ours
	healthy
	sick
)

// pass is a breaker's leave to make a call. It must be handed back.
type pass uint8

const (
	refused pass = iota
	allowed
	probing // the one call that finds out whether an open breaker can be closed
)

// breaker is closed, and counts, or open, and lets one call through at a time
// and Probe apart. It closes with the first of them that succeeds.
type breaker struct {
	mu      sync.Mutex
	o       Breaker
	counts  [10]bucket // of Window, by time
	streak  int        // failures since the last success
	open    bool
	since   time.Time // when it last opened or closed
	next    time.Time // of the next probe
	probing bool
	probes  int // since it opened
	last    fault
}

// fault is what went wrong last.
type fault struct {
	reason string
	answer string // the beginning of what came back, for the operator
	dial   bool   // there was no connection
}

// bucket counts the calls of a tenth of the window.
type bucket struct {
	slot      int64
	good, bad int
}

// acquire asks for leave to make a call.
func (b *breaker) acquire(now time.Time) pass {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !b.open:
		return allowed
	case b.probing || now.Before(b.next):
		return refused
	}
	b.probing = true
	b.probes++
	return probing
}

// turn is how a breaker changed.
type turn uint8

const (
	unchanged turn = iota
	opened
	closed
)

// release hands a leave back with what was learned, and why if that is no good.
func (b *breaker) release(p pass, h health, now time.Time, why fault) turn {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p == probing {
		b.probing = false
	}
	if h == sick {
		b.last = why
	}
	switch {
	case b.open && p != probing:
		return unchanged // begun before it opened
	case b.open && h == healthy:
		b.open, b.since, b.streak, b.counts = false, now, 0, [10]bucket{}
		return closed
	case b.open && h == sick:
		b.next = now.Add(b.o.Probe)
		return unchanged
	case b.open || h == unknown:
		return unchanged
	}
	b.count(h, now)
	if h == healthy {
		b.streak = 0
		return unchanged
	}
	if b.streak++; b.streak < b.o.Failures && !b.tooMany(now) {
		return unchanged
	}
	b.open, b.since, b.next, b.probes = true, now, now.Add(b.o.Probe), 0
	return opened
}

func (b *breaker) count(h health, now time.Time) {
	slot := b.slot(now)
	c := &b.counts[slot%int64(len(b.counts))]
	if c.slot != slot {
		*c = bucket{slot: slot}
	}
	if h == healthy {
		c.good++
	} else {
		c.bad++
	}
}

func (b *breaker) slot(now time.Time) int64 {
	return now.UnixMilli() / max(1, b.o.Window.Milliseconds()/int64(len(b.counts)))
}

func (b *breaker) tooMany(now time.Time) bool {
	if b.o.Rate < 0 {
		return false
	}
	newest, good, bad := b.slot(now), 0, 0
	for _, c := range b.counts {
		if newest-c.slot < int64(len(b.counts)) {
			good, bad = good+c.good, bad+c.bad
		}
	}
	return good+bad >= rateOf && 100*bad >= b.o.Rate*(good+bad)
}

// reset closes an open breaker by hand.
func (b *breaker) reset(now time.Time) turn {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.streak, b.counts = 0, [10]bucket{}
	if !b.open {
		return unchanged
	}
	b.open, b.since = false, now
	return closed
}

// configure takes over new settings, keeping the state.
func (b *breaker) configure(o Breaker) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.o != o {
		b.o, b.counts = o, [10]bucket{}
	}
}

// view is a breaker's state at one moment.
type view struct {
	open, probing bool
	since, next   time.Time
	probes        int
	fault
}

func (b *breaker) view() view {
	b.mu.Lock()
	defer b.mu.Unlock()
	return view{b.open, b.probing, b.since, b.next, b.probes, b.last}
}
