package metrics

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// Figure is one thing that is measured, a series for every value of its labels.
type Figure struct {
	Name   string // as Prometheus sees it
	Help   string
	Labels []string
	kind   kind

	desc *prometheus.Desc
}

// Figures lists all of them in order of their names, but those of the Go runtime
// and the process, which have the names that every Go program gives them.
func Figures() []Figure {
	out := make([]Figure, len(figures))
	for i, f := range figures {
		out[i] = *f
	}
	slices.SortFunc(out, func(a, b Figure) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return out
}

var figures []*Figure

func figure(k kind, name, help string, labels ...string) *Figure {
	f := &Figure{Name: "parley_" + name, Help: help, Labels: labels, kind: k}
	f.desc = prometheus.NewDesc(f.Name, help, labels, nil)
	figures = append(figures, f)
	return f
}

// kind is what a figure is to Prometheus, and where it is kept.
type kind uint8

const (
	counted  kind = iota + 1 // as it happens, a counter
	observed                 // as it happens, a histogram
	fixed                    // never changes
	gauge                    // read from state
	counter                  // read from state
)

// read reports whether a figure is asked for when somebody looks.
func (k kind) read() bool { return k == gauge || k == counter }

func (k kind) valueType() prometheus.ValueType {
	if k == counter {
		return prometheus.CounterValue
	}
	return prometheus.GaugeValue
}

// Kind is the figure's type as Prometheus names it.
func (f Figure) Kind() string {
	switch f.kind {
	case counted, counter:
		return "counter"
	case observed:
		return "histogram"
	default:
		return "gauge"
	}
}

// What is counted as it happens.
var (
	buildInfo        = figure(fixed, "build_info", "1; the label is the server's version.", "version")
	messagesAccepted = figure(counted, "messages_accepted_total", "Sends of clients and REST callers that were accepted, repeats included.", "chat")
	messagesRefused  = figure(counted, "messages_refused_total", "Sends that were not accepted.", "reason")
	commitTime       = figure(observed, "commit_seconds", "Time of a transaction from its begin until it is durable.")
	commitRequests   = figure(observed, "commit_requests", "Callers whose work was committed together.")
	httpRequests     = figure(counted, "http_requests_total", "Requests to the API port; class is ok, refused (the caller's mistake) or failed (ours).", "route", "class")
	httpTime         = figure(observed, "http_request_seconds", "Time until a request was answered.", "class")
	webhookTime      = figure(observed, "webhook_call_seconds", "Time of calls to handlers; of kind before an operation waited.", "kind")
	pushResults      = figure(counted, "push_results_total", "Devices or users handed to a push vendor: accepted, gone (token deleted), refused, later (tried again).", "vendor", "outcome")
	jobRuns          = figure(counted, "job_runs_total", "Scheduled jobs this node finished (done) or gave up until the next attempt (failed).", "name", "outcome")
)

// What is read when somebody looks.
var (
	Connections         = figure(gauge, "connections", "Open long connections.", "platform")
	ConnectionsLimit    = figure(gauge, "connections_limit", "Long connections this node takes.")
	ConnectedUsers      = figure(gauge, "connected_users", "Users with a long connection.")
	ConnectionsClosed   = figure(counter, "connections_closed_total", "Long connections that ended; slow: its queue was full.", "reason")
	LimitRefusals       = figure(counter, "limit_refusals_total", "What was refused because a limit per address, user or connection was reached.", "limit")
	CertificateUnusable = figure(gauge, "certificate_unusable", "1 while the certificate's files hold what cannot be used; what they held before is in use.")
	CertificateEnds     = figure(gauge, "certificate_not_after_timestamp_seconds", "When the certificate of the ports expires; 0 without TLS.")
	ConnectionFrames    = figure(gauge, "connection_queued_frames", "Frames that wait to be written, over all connections.")
	ConnectionBytes     = figure(gauge, "connection_queued_bytes", "Bytes of content that wait to be written, over all connections.")
	ConnectionSends     = figure(gauge, "connection_queued_sends", "Sends that wait behind earlier ones of their connection.")
	CheckState          = figure(gauge, "check_state", "What /readyz finds: 0 all right, 1 a warning, 2 not ready.", "check")
	DiskFree            = figure(gauge, "disk_free_bytes", "Free in the file system of the data directory.")
	DiskSize            = figure(gauge, "disk_size_bytes", "Size of the file system of the data directory.")
	LogLines            = figure(counter, "log_lines_total", "Lines of the log that were written.", "level")
	LimitRefused        = figure(counter, "limit_refused_total", "What limits on addresses, users and connections forbade.", "limit")
	SendsInFlight       = figure(gauge, "sends_in_flight", "Sends under way, handlers being asked included.")
	QueueLength         = figure(gauge, "queue_length", "What waits in a queue in memory.", "queue")
	QueueLimit          = figure(gauge, "queue_limit", "What a queue in memory holds at most.", "queue")
	SpreadsWaiting      = figure(gauge, "spreads_waiting", "Changes still being carried to all the rows they concern.")
	DeliveriesSkipped   = figure(counter, "deliveries_skipped_total", "Messages not shown live because too many of their conversation waited for a callback; clients fetch them.")
	OutboxEvents        = figure(gauge, "outbox_events", "After-events (and pushes, @push) that wait for an endpoint.", "endpoint")
	OutboxBytes         = figure(gauge, "outbox_bytes", "Their size.", "endpoint")
	OutboxLimit         = figure(gauge, "outbox_limit_bytes", "Size from which an endpoint's further events are not kept.")
	OutboxOldest        = figure(gauge, "outbox_oldest_seconds", "Age of the oldest event that waits for an endpoint.", "endpoint")
	OutboxBusy          = figure(gauge, "outbox_lanes_busy", "Lanes of an endpoint that are being delivered.", "endpoint")
	OutboxMissed        = figure(counter, "outbox_missed_total", "Events that were not kept because the outbox was full; gaps tell which.")
	DeadLetters         = figure(gauge, "dead_letters", "Events that were given up and are kept.")
	WebhookOutcomes     = figure(counter, "webhook_outcomes_total", "What became of calls and events, by endpoint and callback.", "endpoint", "callback", "outcome")
	WebhookBreaker      = figure(gauge, "webhook_breaker_open", "1 while an endpoint (callback is empty) or one callback of it is not called because it failed.", "endpoint", "callback")
	WebhookPaused       = figure(gauge, "webhook_paused", "1 while an endpoint (callback is empty) or one callback of it is paused.", "endpoint", "callback")
	WebhookLogLost      = figure(counter, "webhook_log_lost_total", "Before-calls missing in the delivery log because it could not keep up.")
	ObjectFiles         = figure(gauge, "object_files", "Stored contents; equal ones count once.")
	ObjectBytes         = figure(gauge, "object_bytes", "Their size.")
	JobLastRun          = figure(gauge, "job_last_run_timestamp_seconds", "When a job was last finished by any node.", "name")
)

func counters(f *Figure) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: f.Name, Help: f.Help}, f.Labels)
}

func histogram(f *Figure, bounds []float64) prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{Name: f.Name, Help: f.Help, Buckets: bounds})
}

func histograms(f *Figure, bounds []float64) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: f.Name, Help: f.Help, Buckets: bounds}, f.Labels)
}
