package webhook

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
)

// tallies count what became of calls and events. There is one for every endpoint,
// callback and outcome that occurred.
type tallies struct {
	mu sync.RWMutex
	by map[tallied]*atomic.Int64
}

type tallied struct{ endpoint, callback, outcome string }

func (e *Engine) count(endpoint, callback, outcome string) {
	t := &e.tallies
	k := tallied{endpoint, callback, outcome}
	t.mu.RLock()
	n := t.by[k]
	t.mu.RUnlock()
	if n == nil {
		t.mu.Lock()
		if t.by == nil {
			t.by = map[tallied]*atomic.Int64{}
		}
		if n = t.by[k]; n == nil {
			n = new(atomic.Int64)
			t.by[k] = n
		}
		t.mu.Unlock()
	}
	n.Add(1)
}

// Tally is how often something happened since the start: an outcome of calls
// (approve, reject, failed_continue, failed_refuse, delivered, retry,
// dead_letter, shadow_differs …) or a change (breaker_open, breaker_closed, gap,
// parked, buried).
type Tally struct {
	Endpoint, Callback, Outcome string
	Count                       int64
}

// Tallies lists the counters, for metrics.
func (e *Engine) Tallies() []Tally {
	t := &e.tallies
	t.mu.RLock()
	out := make([]Tally, 0, len(t.by))
	for k, n := range t.by {
		out = append(out, Tally{k.endpoint, k.callback, k.outcome, n.Load()})
	}
	t.mu.RUnlock()
	slices.SortFunc(out, func(a, b Tally) int {
		return cmp.Or(cmp.Compare(a.Endpoint, b.Endpoint), cmp.Compare(a.Callback, b.Callback), cmp.Compare(a.Outcome, b.Outcome))
	})
	return out
}

func (e *Engine) tally(endpoint, callback, outcome string) (n int64) {
	for _, t := range e.Tallies() {
		if t.Endpoint == endpoint && t.Callback == callback && t.Outcome == outcome {
			n = t.Count
		}
	}
	return n
}
