package console

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/metrics"
)

// lookEvery is how often an open overview asks whether there is something new. It
// is asked of memory; drawing is done once for all who look.
const lookEvery = time.Second

// Check is one thing the server needs, and how it is.
type Check struct{ Name, State, Reason string } // State: ok, warning or failed

// overviewPage answers whether the server is healthy and what it does: figures of
// the last hour, live, kept in memory.
func overviewPage(c *Console) *page {
	drawn := &overviewCache{console: c}
	return &page{
		path: "overview", title: "overview.title", section: "nav.overview", template: "overview.html",
		show: func(r *request) (any, error) { return c.overview(r.Context()), nil },
		streams: []stream{{name: "figures", run: func(ctx context.Context, r *request, out *sender) error {
			var seen overviewState
			tick := time.NewTicker(lookEvery)
			defer tick.Stop()
			for {
				if now := c.overviewState(); now != seen {
					seen = now
					html, err := drawn.html(ctx, r.lang, now)
					if err != nil {
						return err
					}
					if err := out.raw("figures", html); err != nil {
						return err
					}
				}
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-tick.C:
				}
			}
		}}},
	}
}

// overviewState tells whether a drawing is still true.
type overviewState struct {
	point    im.Millis
	warnings int64
}

func (c *Console) overviewState() overviewState {
	var s overviewState
	if points := c.History.Points(im.MillisOf(c.Now().Add(-time.Minute))); len(points) > 0 {
		s.point = points[len(points)-1].At
	}
	_, s.warnings = c.Warnings.recent()
	return s
}

// overviewCache keeps the last drawing of each language.
type overviewCache struct {
	console *Console

	mu    sync.Mutex // held while drawing: others wait for it instead of drawing it too
	state overviewState
	drawn map[language]string
}

func (o *overviewCache) html(ctx context.Context, l language, s overviewState) (string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.state != s || o.drawn == nil {
		o.state, o.drawn = s, map[language]string{}
	}
	if html, ok := o.drawn[l]; ok {
		return html, nil
	}
	var b bytes.Buffer
	if err := o.console.templates.fragment(&b, l, "overview.html", "figures", o.console.overview(ctx)); err != nil {
		return "", err
	}
	o.drawn[l] = b.String()
	return b.String(), nil
}

// overviewView is what the overview shows.
type overviewView struct {
	Now       im.Millis
	Checks    []Check
	Figures   []figure
	Platforms []named
	Endpoints []metrics.Endpoint
	Pushes    []metrics.PushResult // of the last hour
	Warnings  []Warning
	Healthy   bool
}

type figure struct {
	Title  string // key of the catalogue
	Value  string
	Unit   string // key of the catalogue, "" for none
	Note   string // beside it, under the key Beside
	Beside string
	Bad    bool
	Chart  chart
}

type named struct {
	Name  string
	Value int64
}

func (c *Console) overview(ctx context.Context) overviewView {
	now := c.Now()
	points := c.History.Points(im.MillisOf(now.Add(-time.Hour)))
	v := overviewView{Now: im.MillisOf(now), Healthy: true}
	if c.Health != nil {
		v.Checks = c.Health(ctx)
	}
	v.Warnings, _ = c.Warnings.recent()
	var last metrics.Point
	if len(points) > 0 {
		last = points[len(points)-1]
	}
	v.Figures = figures(v.Now, points, last)
	for platform, n := range last.Connections {
		if n > 0 {
			v.Platforms = append(v.Platforms, named{platform, n})
		}
	}
	slices.SortFunc(v.Platforms, func(a, b named) int { return cmp.Or(cmp.Compare(b.Value, a.Value), cmp.Compare(a.Name, b.Name)) })
	if v.Endpoints = last.Outbox; len(points) == 0 {
		v.Endpoints = c.endpointsNow(ctx)
	}
	v.Pushes = pushesOf(points)
	// Rows of others, such as @push, wait in the outbox too.
	v.Endpoints = slices.DeleteFunc(slices.Clone(v.Endpoints), func(e metrics.Endpoint) bool { return strings.HasPrefix(e.Name, "@") })
	for _, e := range v.Endpoints {
		v.Healthy = v.Healthy && e.State == "ok"
	}
	for _, check := range v.Checks {
		v.Healthy = v.Healthy && check.State == "ok"
	}
	return v
}

// endpointsNow stands in for the first point.
func (c *Console) endpointsNow(ctx context.Context) []metrics.Endpoint {
	states, err := c.Desk.Endpoints(ctx)
	if err != nil {
		c.Logger.WarnContext(ctx, "webhook endpoints cannot be listed", "error", err)
	}
	out := make([]metrics.Endpoint, len(states))
	for i, s := range states {
		out[i] = metrics.Endpoint{Name: s.Name, State: s.State, Events: s.Events}
	}
	return out
}

// figures are the charts, in order.
func figures(now im.Millis, points []metrics.Point, last metrics.Point) []figure {
	times := make([]im.Millis, len(points))
	series := func(of func(metrics.Point) float64) []float64 {
		out := make([]float64, len(points))
		for i, p := range points {
			out[i] = of(p)
		}
		return out
	}
	for i, p := range points {
		times[i] = p.At
	}
	connections := func(p metrics.Point) (n float64) {
		for _, c := range p.Connections {
			n += float64(c)
		}
		return n
	}
	waiting := func(p metrics.Point) (n float64) {
		for _, e := range p.Outbox {
			n += float64(e.Events)
		}
		return n
	}
	oldest := func(p metrics.Point) (age float64) {
		for _, e := range p.Outbox {
			age = max(age, e.Oldest)
		}
		return age
	}
	p50 := func(p metrics.Point) float64 { return p.CommitP50 * 1000 }
	p99 := func(p metrics.Point) float64 { return p.CommitP99 * 1000 }
	accepted := func(p metrics.Point) float64 { return p.Accepted }
	refused := func(p metrics.Point) float64 { return p.Refused }
	return []figure{
		{Title: "overview.connections", Value: whole(connections(last)), Chart: drawChart(now, times, whole, series(connections))},
		{
			Title: "overview.messages", Value: decimal(last.Accepted), Unit: "overview.persecond", Note: decimal(last.Refused), Beside: "overview.refused",
			Chart: drawChart(now, times, decimal, series(accepted), series(refused)),
		},
		{
			Title: "overview.commit", Value: decimal(p50(last)), Unit: "overview.ms", Note: decimal(p99(last)), Beside: "overview.p99",
			Chart: drawChart(now, times, decimal, series(p99), series(p50)),
		},
		{
			Title: "overview.outbox", Value: whole(waiting(last)), Note: age(oldest(last)), Beside: "overview.oldest", Bad: oldest(last) > 60,
			Chart: drawChart(now, times, whole, series(waiting)),
		},
	}
}

// pushesOf adds up what push vendors answered.
func pushesOf(points []metrics.Point) []metrics.PushResult {
	sums := map[metrics.PushResult]int64{}
	for _, p := range points {
		for _, r := range p.Pushes {
			n := r.Count
			r.Count = 0
			sums[r] += n
		}
	}
	out := make([]metrics.PushResult, 0, len(sums))
	for r, n := range sums {
		r.Count = n
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b metrics.PushResult) int {
		return cmp.Or(cmp.Compare(a.Vendor, b.Vendor), cmp.Compare(a.Outcome, b.Outcome))
	})
	return out
}

func whole(f float64) string { return strconv.FormatFloat(f, 'f', 0, 64) }

func decimal(f float64) string {
	switch {
	case f == 0:
		return "0"
	case f < 10:
		return fmt.Sprintf("%.1f", f)
	default:
		return whole(f)
	}
}

// age is a number of seconds for people.
func age(seconds float64) string {
	return time.Duration(seconds * float64(time.Second)).Round(time.Second).String()
}
