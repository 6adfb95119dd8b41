package metrics

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/parley-im/parley/internal/im"
)

// How much a History keeps, and how densely.
const (
	Every = 5 * time.Second
	Kept  = int(time.Hour / Every)
)

// Point is the server at one moment, and since the point before.
type Point struct {
	At          im.Millis        `json:"at"`
	Connections map[string]int64 `json:"connections"` // by platform
	Accepted    float64          `json:"accepted"`    // messages a second
	Refused     float64          `json:"refused"`     // messages a second
	// Seconds of half and of 99 of 100 commits, 0 without any.
	CommitP50 float64      `json:"commitP50"`
	CommitP99 float64      `json:"commitP99"`
	Outbox    []Endpoint   `json:"outbox"`
	Pushes    []PushResult `json:"pushes,omitempty"` // of the time since the point before
}

// Endpoint is what waits for a webhook endpoint, and whether it is called.
type Endpoint struct {
	Name   string  `json:"endpoint"`
	State  string  `json:"state"` // ok, down or paused
	Events int64   `json:"events"`
	Oldest float64 `json:"oldest"` // seconds, 0 if nothing waits
}

// PushResult is how often a vendor answered in a way.
type PushResult struct {
	Vendor  string `json:"vendor"`
	Outcome string `json:"outcome"`
	Count   int64  `json:"count"`
}

// Now is what a History asks of the server for a point.
type Now struct {
	Connections map[string]int64
	Outbox      []Endpoint
}

// Clock is the time that points are taken by. Tests move it.
type Clock interface {
	Now() time.Time
	// Timer sends once after d. stop releases it.
	Timer(d time.Duration) (fired <-chan time.Time, stop func())
}

// History keeps the last hour in memory. It is safe for concurrent use.
type History struct {
	metrics *Metrics
	now     func(context.Context) Now
	clock   Clock

	last totals // owned by Run

	mu     sync.Mutex
	points []Point // a ring once it is full
	next   int     // where the next point goes then
}

// totals are counters at one moment.
type totals struct {
	at                time.Time
	accepted, refused float64
	commits           []uint64 // by bound, each with those below
	count             uint64
	pushes            map[PushResult]float64 // Count is 0 in the keys
}

// NewHistory returns an empty history of m. now must be cheap: it is asked every
// five seconds.
func NewHistory(m *Metrics, clock Clock, now func(context.Context) Now) *History {
	return &History{metrics: m, now: now, clock: clock, last: m.totals(clock.Now())}
}

// Run takes points until ctx ends.
func (h *History) Run(ctx context.Context) error {
	for {
		fired, stop := h.clock.Timer(Every)
		select {
		case <-ctx.Done():
			stop()
			return nil
		case <-fired:
			h.take(ctx)
		}
	}
}

// Points returns the points taken after a time, the oldest first. What they hold
// must not be changed.
func (h *History) Points(after im.Millis) []Point {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []Point
	for i := range h.points {
		if p := h.points[(h.next+i)%len(h.points)]; p.At > after {
			out = append(out, p)
		}
	}
	return out
}

func (h *History) take(ctx context.Context) {
	now := h.metrics.totals(h.clock.Now())
	p := now.since(h.last)
	h.last = now
	state := h.now(ctx)
	p.Connections, p.Outbox = state.Connections, state.Outbox
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.points) < Kept {
		h.points = append(h.points, p)
		return
	}
	h.points[h.next] = p
	h.next = (h.next + 1) % Kept
}

// since is what happened between two moments.
func (t totals) since(before totals) Point {
	p := Point{At: im.MillisOf(t.at)}
	if seconds := t.at.Sub(before.at).Seconds(); seconds > 0 {
		p.Accepted, p.Refused = (t.accepted-before.accepted)/seconds, (t.refused-before.refused)/seconds
	}
	p.CommitP50, p.CommitP99 = t.quantile(before, 0.50), t.quantile(before, 0.99)
	for r, n := range t.pushes {
		if r.Count = int64(n - before.pushes[r]); r.Count > 0 {
			p.Pushes = append(p.Pushes, r)
		}
	}
	slices.SortFunc(p.Pushes, func(a, b PushResult) int {
		return cmp.Or(cmp.Compare(a.Vendor, b.Vendor), cmp.Compare(a.Outcome, b.Outcome))
	})
	return p
}

// quantile of the commits between two moments, evenly spread inside a bucket as
// Prometheus' histogram_quantile has it. Those above the last bound count as it.
func (t totals) quantile(before totals, q float64) float64 {
	at := func(i int) float64 {
		n := t.commits[i]
		if before.commits != nil {
			n -= before.commits[i]
		}
		return float64(n)
	}
	total := float64(t.count - before.count)
	if total == 0 {
		return 0
	}
	rank, below, from := q*total, 0.0, 0.0
	for i, to := range commitSeconds {
		n := at(i)
		if n >= rank && n > below {
			return from + (to-from)*(rank-below)/(n-below)
		}
		below, from = n, to
	}
	return from
}

// totals reads the counters.
func (m *Metrics) totals(at time.Time) totals {
	t := totals{at: at, pushes: map[PushResult]float64{}}
	for _, c := range m.accepted {
		t.accepted += value(c)
	}
	for _, c := range m.refused {
		t.refused += value(c)
	}
	var d dto.Metric
	if err := m.commits.Write(&d); err == nil { // it never fails
		t.count = d.GetHistogram().GetSampleCount()
		for _, b := range d.GetHistogram().GetBucket() {
			t.commits = append(t.commits, b.GetCumulativeCount())
		}
	}
	series := make(chan prometheus.Metric)
	go func() {
		m.pushes.Collect(series)
		close(series)
	}()
	for s := range series {
		var d dto.Metric
		if err := s.Write(&d); err != nil {
			continue // it never fails
		}
		var r PushResult
		for _, l := range d.GetLabel() {
			switch l.GetName() {
			case "vendor":
				r.Vendor = l.GetValue()
			case "outcome":
				r.Outcome = l.GetValue()
			}
		}
		t.pushes[r] = d.GetCounter().GetValue()
	}
	return t
}

func value(c prometheus.Counter) float64 {
	var d dto.Metric
	if err := c.Write(&d); err != nil {
		return 0 // it never fails
	}
	return d.GetCounter().GetValue()
}
