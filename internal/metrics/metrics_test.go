package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/metrics"
)

// scrape returns the value of every series; of a histogram its number of
// observations.
func scrape(t *testing.T, m *metrics.Metrics) map[string]float64 {
	t.Helper()
	families, err := m.Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, s := range f.GetMetric() {
			name := f.GetName()
			for _, l := range s.GetLabel() {
				name += "," + l.GetValue()
			}
			switch f.GetType() {
			case dto.MetricType_COUNTER:
				out[name] = s.GetCounter().GetValue()
			case dto.MetricType_GAUGE:
				out[name] = s.GetGauge().GetValue()
			case dto.MetricType_HISTOGRAM:
				out[name] = float64(s.GetHistogram().GetSampleCount())
			default: // no others are used
			}
		}
	}
	return out
}

func TestCounting(t *testing.T) {
	t.Parallel()
	m := metrics.New("1.2.3")
	m.Sent(im.SingleChat, nil)
	m.Sent(im.GroupChat, nil)
	m.Sent(im.GroupChat, nil)
	m.Sent(99, nil) // there is no such thing
	m.Sent(im.SingleChat, im.ErrBlocked)
	m.Sent(im.SingleChat, fmt.Errorf("wrapped: %w", im.ErrMuted.With("until tomorrow")))
	m.Sent(im.SingleChat, im.ErrGroupMuted)
	m.Sent(99, &im.Error{Code: 70001, Msg: "of the business server"})
	m.Sent(im.SingleChat, context.Canceled)
	m.Sent(im.SingleChat, errors.New("disk on fire"))
	m.Committed(3, time.Millisecond)
	m.Called(true, time.Second)
	m.Pushed("fcm", "gone")
	m.JobRan("sweep", nil)
	m.JobRan("sweep", errors.New("no"))
	route := m.Route("/msg/send_msg")
	route(200, 0, time.Millisecond)
	route(200, 1002, time.Millisecond)
	route(404, 0, time.Millisecond)
	route(200, 500, time.Millisecond)
	route(500, 0, 0) // waited on purpose
	m.From(func(emit metrics.Emit) { emit(metrics.Connections, 7, "IOS") }, func(emit metrics.Emit) { emit(metrics.OutboxMissed, 2) })
	got := scrape(t, m)
	for series, want := range map[string]float64{
		"parley_build_info,1.2.3":                          1,
		"parley_messages_accepted_total,single":            1,
		"parley_messages_accepted_total,group":             2,
		"parley_messages_accepted_total,notification":      0,
		"parley_messages_refused_total,blocked":            1,
		"parley_messages_refused_total,muted":              2,
		"parley_messages_refused_total,other":              1,
		"parley_messages_refused_total,gave_up":            1,
		"parley_messages_refused_total,internal":           1,
		"parley_messages_refused_total,permission":         0,
		"parley_commit_seconds":                            1,
		"parley_commit_requests":                           1,
		"parley_webhook_call_seconds,before":               1,
		"parley_webhook_call_seconds,after":                0,
		"parley_push_results_total,gone,fcm":               1,
		"parley_job_runs_total,sweep,done":                 1,
		"parley_job_runs_total,sweep,failed":               1,
		"parley_http_requests_total,ok,/msg/send_msg":      1,
		"parley_http_requests_total,refused,/msg/send_msg": 2,
		"parley_http_requests_total,failed,/msg/send_msg":  2,
		"parley_http_request_seconds,failed":               1,
		"parley_connections,IOS":                           7,
		"parley_outbox_missed_total":                       2,
	} {
		if v, found := got[series]; !found || v != want {
			t.Errorf("%s is %v (%v), want %v", series, v, found, want)
		}
	}
	for _, runtime := range []string{"go_goroutines", "process_start_time_seconds"} {
		if got[runtime] == 0 {
			t.Errorf("%s is missing", runtime)
		}
	}
}

// Labels that do not fit their figure are found by the scrape, not hidden.
func TestWrongLabels(t *testing.T) {
	t.Parallel()
	m := metrics.New("")
	m.From(func(emit metrics.Emit) { emit(metrics.Connections, 7) })
	if _, err := m.Gatherer().Gather(); err == nil || !strings.Contains(err.Error(), "parley_connections") {
		t.Errorf("got %v", err)
	}
}

func TestCountingTakesNoMemory(t *testing.T) {
	m := metrics.New("")
	route := m.Route("/msg/send_msg")
	refused := im.ErrMuted.With("until tomorrow")
	for name, f := range map[string]func(){
		"accepted":  func() { m.Sent(im.SingleChat, nil) },
		"refused":   func() { m.Sent(im.SingleChat, refused) },
		"committed": func() { m.Committed(3, time.Millisecond) },
		"called":    func() { m.Called(true, time.Millisecond) },
		"answered":  func() { route(200, 0, time.Millisecond) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestFiguresAreListedOnce(t *testing.T) {
	t.Parallel()
	list := metrics.Figures()
	names := make([]string, len(list))
	for i, f := range list {
		names[i] = f.Name
		if f.Help == "" || !strings.HasPrefix(f.Name, "parley_") {
			t.Errorf("%+v", f)
		}
	}
	if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("not sorted, or one twice: %v", names)
	}
}

// clock is a time that the test moves.
type clock struct {
	now   time.Time
	fired chan time.Time
	asked chan time.Duration
}

func (c *clock) Now() time.Time { return c.now }

func (c *clock) Timer(d time.Duration) (<-chan time.Time, func()) {
	c.asked <- d
	return c.fired, func() {}
}

func TestHistory(t *testing.T) {
	t.Parallel()
	c := &clock{now: time.Unix(1_000_000, 0), fired: make(chan time.Time), asked: make(chan time.Duration)}
	m := metrics.New("")
	m.Committed(1, time.Hour) // before the history begins
	waiting := int64(0)
	h := metrics.NewHistory(m, c, func(context.Context) metrics.Now {
		return metrics.Now{Connections: map[string]int64{"IOS": 3}, Outbox: []metrics.Endpoint{{Name: "default", State: "ok", Events: waiting}}}
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	if d := <-c.asked; d != metrics.Every {
		t.Errorf("the first point after %s", d)
	}
	tick := func() {
		c.now = c.now.Add(metrics.Every)
		c.fired <- c.now
		<-c.asked // the point is taken
	}

	for range 10 {
		m.Sent(im.SingleChat, nil)
		m.Sent(im.SingleChat, im.ErrMuted)
	}
	m.Sent(im.SingleChat, nil)
	for range 99 {
		m.Committed(1, time.Millisecond)
	}
	m.Committed(1, 30*time.Millisecond)
	m.Pushed("fcm", "accepted")
	m.Pushed("apns", "gone")
	m.Pushed("fcm", "accepted")
	waiting = 5
	tick()
	list := h.Points(0)
	if len(list) != 1 {
		t.Fatalf("%d points", len(list))
	}
	p := list[0]
	if p.At != im.MillisOf(c.now) || p.Accepted != 11.0/5 || p.Refused != 2 || p.Connections["IOS"] != 3 || p.Outbox[0].Events != 5 {
		t.Errorf("got %+v", p)
	}
	if p.CommitP50 < 0.0008 || p.CommitP50 > 0.0016 || p.CommitP99 > 0.0016 {
		t.Errorf("half in %v, 99 %% in %v", p.CommitP50, p.CommitP99)
	}
	if want := []metrics.PushResult{{"apns", "gone", 1}, {"fcm", "accepted", 2}}; !slices.Equal(p.Pushes, want) {
		t.Errorf("pushes %v, want %v", p.Pushes, want)
	}

	m.Committed(1, 30*time.Millisecond)
	m.Committed(1, time.Hour) // beyond all bounds
	tick()
	p = h.Points(p.At)[0]
	if p.Accepted != 0 || len(p.Pushes) != 0 || p.CommitP50 < 0.0256 || p.CommitP50 > 0.0512 || p.CommitP99 < 6 || p.CommitP99 > 7 {
		t.Errorf("got %+v", p)
	}
	tick()
	if p = h.Points(p.At)[0]; p.CommitP50 != 0 || p.CommitP99 != 0 {
		t.Errorf("without commits: %+v", p)
	}

	for range metrics.Kept {
		tick()
	}
	list = h.Points(0)
	if len(list) != metrics.Kept || list[0].At <= p.At || list[len(list)-1].At != im.MillisOf(c.now) ||
		!slices.IsSortedFunc(list, func(a, b metrics.Point) int { return int(a.At - b.At) }) {
		t.Errorf("%d points from %d to %d", len(list), list[0].At, list[len(list)-1].At)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
