// Package metrics holds the server's figures: what parts count as it happens,
// what is asked of them when somebody looks, and the last hour of the few that an
// overview shows.
//
// figures.go is the list of all of them, and the only place that names one.
// Counting costs an atomic addition and no memory; labels come from sets that
// are known beforehand, so that no client can make a new series. The package
// knows no part of the server: app hands its methods to them, and their state to
// it. Names, ids and contents of users never become labels.
package metrics

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/parley-im/parley/internal/im"
)

// Metrics are the figures of one server. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	state    *state

	accepted map[im.SessionType]prometheus.Counter
	refused  map[string]prometheus.Counter
	commits  prometheus.Histogram
	batches  prometheus.Histogram
	requests *prometheus.CounterVec
	answers  map[class]prometheus.Observer
	calls    map[bool]prometheus.Observer
	pushes   *prometheus.CounterVec
	jobs     *prometheus.CounterVec
}

// seconds are the bounds of durations, each twice the one before: 100 µs to 6.5 s
// for commits, 1 ms to 33 s for what goes over a network.
var (
	commitSeconds  = prometheus.ExponentialBuckets(0.0001, 2, 17)
	networkSeconds = prometheus.ExponentialBuckets(0.001, 2, 16)
)

// New returns metrics in which nothing happened yet. version is the server's.
func New(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(), state: newState(),
		accepted: map[im.SessionType]prometheus.Counter{}, refused: map[string]prometheus.Counter{}, answers: map[class]prometheus.Observer{}, calls: map[bool]prometheus.Observer{},
		commits: histogram(commitTime, commitSeconds),
		batches: histogram(commitRequests, prometheus.ExponentialBuckets(1, 2, 10)),
	}
	accepted, refused := counters(messagesAccepted), counters(messagesRefused)
	for kind, chat := range chats {
		m.accepted[kind] = accepted.WithLabelValues(chat)
	}
	for _, reason := range reasons() {
		m.refused[reason] = refused.WithLabelValues(reason)
	}
	m.requests = counters(httpRequests)
	answers := histograms(httpTime, networkSeconds)
	for _, c := range []class{answeredOK, answeredRefused, answeredFailed} {
		m.answers[c] = answers.WithLabelValues(string(c))
	}
	calls := histograms(webhookTime, networkSeconds)
	m.calls[true], m.calls[false] = calls.WithLabelValues("before"), calls.WithLabelValues("after")
	m.pushes, m.jobs = counters(pushResults), counters(jobRuns)
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: buildInfo.Name, Help: buildInfo.Help, ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	m.registry.MustRegister(
		accepted, refused, m.commits, m.batches, m.requests, answers, calls, m.pushes, m.jobs, build, m.state,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// Gatherer is what a scrape reads.
func (m *Metrics) Gatherer() prometheus.Gatherer { return m.registry }

// chats is what session types are called; there are no others.
var chats = map[im.SessionType]string{im.SingleChat: "single", im.GroupChat: "group", im.AccountChat: "notification"}

// Sent counts a send that ended: with nil it was accepted.
func (m *Metrics) Sent(kind im.SessionType, err error) {
	if err != nil {
		m.refused[reason(err)].Inc()
		return
	}
	if c := m.accepted[kind]; c != nil {
		c.Inc()
	}
}

// refusals are the codes that sends are refused with, as the label says.
var refusals = map[int]string{
	im.ErrArgs.Code: "arguments", im.ErrNoPermission.Code: "permission", im.ErrTooManyRequests.Code: "rate",
	im.ErrNotFound.Code: "unknown", im.ErrUserNotFound.Code: "unknown", im.ErrGroupNotFound.Code: "unknown",
	im.ErrNotInGroup.Code: "not_in_group", im.ErrGroupDismissed.Code: "dismissed", im.ErrBlocked.Code: "blocked",
	im.ErrNotFriend.Code: "not_friend", im.ErrMuted.Code: "muted", im.ErrGroupMuted.Code: "muted",
	im.ErrCallback.Code: "callback", im.ErrInternal.Code: "internal",
}

// Refusals that have no code of their own.
const (
	refusedOther    = "other"    // a code of the business server's own, mostly
	refusedGaveUp   = "gave_up"  // the caller went away, or its time was up
	refusedInternal = "internal" // our fault
)

func reasons() []string {
	seen := map[string]bool{refusedOther: true, refusedGaveUp: true, refusedInternal: true}
	for _, r := range refusals {
		seen[r] = true
	}
	var out []string
	for r := range seen {
		out = append(out, r)
	}
	return out
}

func reason(err error) string {
	known, ok := errors.AsType[*im.Error](err)
	switch {
	case ok && refusals[known.Code] != "":
		return refusals[known.Code]
	case ok:
		return refusedOther
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return refusedGaveUp
	}
	return refusedInternal
}

// Committed counts a commit of the store.
func (m *Metrics) Committed(requests int, took time.Duration) {
	m.commits.Observe(took.Seconds())
	m.batches.Observe(float64(requests))
}

// Called counts a call to a handler; before says that an operation waited for it.
func (m *Metrics) Called(before bool, took time.Duration) { m.calls[before].Observe(took.Seconds()) }

// Pushed counts what became of a push at its vendor.
func (m *Metrics) Pushed(vendor, outcome string) { m.pushes.WithLabelValues(vendor, outcome).Inc() }

// Expect makes the series of jobs and push vendors before anything happens to
// them: what rises from nothing is no rise to Prometheus.
func (m *Metrics) Expect(jobs, vendors, pushOutcomes []string) {
	for _, j := range jobs {
		m.jobs.WithLabelValues(j, jobDone)
		m.jobs.WithLabelValues(j, jobFailed)
	}
	for _, v := range vendors {
		for _, o := range pushOutcomes {
			m.pushes.WithLabelValues(v, o)
		}
	}
}

const (
	jobDone   = "done"
	jobFailed = "failed"
)

// JobRan counts a run of a job.
func (m *Metrics) JobRan(job string, err error) {
	outcome := jobDone
	if err != nil {
		outcome = jobFailed
	}
	m.jobs.WithLabelValues(job, outcome).Inc()
}

// class is how an HTTP request was answered. The status alone does not say:
// OpenIM's is 200 for errors too.
type class string

const (
	answeredOK      class = "ok"
	answeredRefused class = "refused" // the caller's mistake, or not his to ask
	answeredFailed  class = "failed"  // ours
)

func classOf(status, errCode int) class {
	switch {
	case status >= 500 || errCode == im.ErrInternal.Code:
		return answeredFailed
	case status >= 400 || errCode != 0:
		return answeredRefused
	}
	return answeredOK
}

// Route returns what counts the requests of one route: with the HTTP status, the
// answer's errCode and the time it took, 0 for not to be observed.
func (m *Metrics) Route(route string) func(status, errCode int, took time.Duration) {
	by := map[class]prometheus.Counter{}
	for _, c := range []class{answeredOK, answeredRefused, answeredFailed} {
		by[c] = m.requests.WithLabelValues(route, string(c))
	}
	return func(status, errCode int, took time.Duration) {
		c := classOf(status, errCode)
		by[c].Inc()
		if took > 0 {
			m.answers[c].Observe(took.Seconds())
		}
	}
}
