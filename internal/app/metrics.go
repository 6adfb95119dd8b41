package app

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/parley-im/parley/internal/delivery"
	"github.com/parley-im/parley/internal/edge"
	"github.com/parley-im/parley/internal/gateway"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/metrics"
	"github.com/parley-im/parley/internal/push"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/webhook"
)

// measured are the parts whose state metrics show.
type measured struct {
	*server
	hub      *gateway.Hub
	messages *message.Service
	asking   *delivery.Asking
	oldest   oldest
	files    files
}

// measure tells metrics where to read.
func (s *server) measure(hub *gateway.Hub, messages *message.Service, asking *delivery.Asking) *measured {
	m := &measured{server: s, hub: hub, messages: messages, asking: asking}
	s.metrics.From(m.gatewayFigures, s.edgeFigures, m.queueFigures, m.edgeFigures, m.outboxFigures, m.webhookFigures, m.tableFigures)
	return m
}

// expect makes the series of what is configured.
func (s *server) expect() {
	var outcomes []string
	for _, o := range push.Outcomes() {
		outcomes = append(outcomes, o.String())
	}
	s.metrics.Expect(s.jobs.Names(), s.push.Vendors(), outcomes)
}

func (s *server) webhookCalled(kind store.DeliveryKind, took time.Duration) {
	s.metrics.Called(kind == store.DeliveryBefore, took)
}

func (m *measured) connections() map[string]int64 {
	out := map[string]int64{}
	for p, n := range m.hub.Connected() {
		out[p.String()] += n
	}
	return out
}

func (m *measured) gatewayFigures(emit metrics.Emit) {
	for platform, n := range m.connections() {
		emit(metrics.Connections, float64(n), platform)
	}
	st := m.gateway.Stats()
	emit(metrics.ConnectionsLimit, float64(m.gateway.MaxConns()))
	emit(metrics.ConnectedUsers, float64(st.Users))
	for reason, n := range st.Closed {
		emit(metrics.ConnectionsClosed, float64(n), reason)
	}
	emit(metrics.ConnectionFrames, float64(st.Frames))
	emit(metrics.ConnectionBytes, float64(st.Bytes))
	emit(metrics.ConnectionSends, float64(st.Sends))
	emit(metrics.SendsInFlight, float64(m.messages.Sending()))
}

func (m *measured) queueFigures(emit metrics.Emit) {
	st := m.store.Stats()
	waiting, room := m.presence.Announcements()
	queues := append(m.hooks.Queues(),
		webhook.Queue{Name: "store_writes", Length: st.Writes, Room: st.WriteRoom},
		webhook.Queue{Name: "store_reads", Length: st.Reads, Room: st.Readers},
		webhook.Queue{Name: "presence", Length: waiting, Room: room},
		webhook.Queue{Name: "delivery", Length: m.asking.Waiting()}, // bounded for every conversation by itself
	)
	for _, q := range queues {
		emit(metrics.QueueLength, float64(q.Length), q.Name)
		if q.Room > 0 {
			emit(metrics.QueueLimit, float64(q.Room), q.Name)
		}
	}
	emit(metrics.DeliveriesSkipped, float64(m.asking.Skipped()))
}

func (m *measured) edgeFigures(emit metrics.Emit) {
	for _, r := range edge.Rules() {
		emit(metrics.LimitRefused, float64(m.front.limits.Refused(r)), r.String())
	}
	if m.options.Logs == nil {
		return
	}
	for level, n := range m.options.Logs.Lines() {
		emit(metrics.LogLines, float64(n), strings.ToLower(level.String()))
	}
}

func (m *measured) outboxFigures(emit metrics.Emit) {
	ages := m.ages(context.Background())
	for _, w := range m.waiting() {
		emit(metrics.OutboxEvents, float64(w.Events), w.Endpoint)
		emit(metrics.OutboxBytes, float64(w.Bytes), w.Endpoint)
		emit(metrics.OutboxOldest, ages[w.Endpoint].Seconds(), w.Endpoint)
	}
	_, bound := m.store.WaitingBytes("")
	emit(metrics.OutboxLimit, float64(bound))
	for endpoint, n := range m.outbox.Busy() {
		emit(metrics.OutboxBusy, float64(n), endpoint)
	}
	emit(metrics.OutboxMissed, float64(m.store.Missed()))
}

// waiting is what waits for each endpoint that is configured or has something
// waiting.
func (m *measured) waiting() []store.Waiting {
	list := m.store.Waiting()
	names := []string{push.Endpoint}
	for _, b := range m.hooks.Breakers() {
		if b.Callback == "" {
			names = append(names, b.Endpoint)
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(list, func(w store.Waiting) bool { return w.Endpoint == name }) {
			list = append(list, store.Waiting{Endpoint: name})
		}
	}
	return list
}

func (m *measured) webhookFigures(emit metrics.Emit) {
	for _, t := range m.hooks.Tallies() {
		emit(metrics.WebhookOutcomes, float64(t.Count), t.Endpoint, t.Callback, t.Outcome)
	}
	for _, b := range m.hooks.Breakers() {
		emit(metrics.WebhookBreaker, oneIf(b.State == webhook.StateDown), b.Endpoint, b.Callback)
		emit(metrics.WebhookPaused, oneIf(b.State == webhook.StatePaused), b.Endpoint, b.Callback)
	}
	emit(metrics.WebhookLogLost, float64(m.hooks.LostLogRows()))
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// tableFigures are those that only the database knows. Without it they are
// missing, and the others are there.
func (m *measured) tableFigures(emit metrics.Emit) {
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	var dead, spreads int64
	var runs []store.JobRun
	err := m.store.Read(ctx, func(tx *store.Tx) (err error) {
		if dead, err = tx.DeadCount(); err != nil {
			return err
		}
		if spreads, err = tx.SpreadCount(); err != nil {
			return err
		}
		runs, err = tx.JobRuns()
		return err
	})
	if err != nil {
		m.log.WarnContext(ctx, "metrics: the database does not answer", slog.Any("error", err))
		return
	}
	emit(metrics.DeadLetters, float64(dead))
	emit(metrics.SpreadsWaiting, float64(spreads))
	for _, r := range runs {
		emit(metrics.JobLastRun, float64(r.Finished)/1000, r.Name)
	}
	if n, bytes, err := m.files.count(ctx, m.store); err == nil {
		emit(metrics.ObjectFiles, float64(n))
		emit(metrics.ObjectBytes, float64(bytes))
	}
}

const (
	askTime  = 5 * time.Second // that the database has to answer
	filesFor = time.Minute     // the size of all files is good, for it takes reading a row of each
	agesFor  = 2 * time.Second // the ages of what waits are good
)

// oldest remembers how old what waits is.
type oldest struct {
	mu   sync.Mutex
	at   time.Time
	ages map[string]time.Duration
}

// ages is how old the oldest event is that waits for each endpoint. While nothing
// waits nobody is asked.
func (m *measured) ages(ctx context.Context) map[string]time.Duration {
	var names []string
	for _, w := range m.store.Waiting() {
		if w.Events > 0 {
			names = append(names, w.Endpoint)
		}
	}
	if len(names) == 0 {
		return nil
	}
	m.oldest.mu.Lock()
	defer m.oldest.mu.Unlock()
	if time.Since(m.oldest.at) < agesFor {
		return m.oldest.ages
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	var since map[string]im.Millis
	if err := m.store.Read(ctx, func(tx *store.Tx) (err error) {
		since, err = tx.OldestWaiting(names)
		return err
	}); err != nil {
		m.log.WarnContext(ctx, "metrics: the database does not answer", slog.Any("error", err))
		return m.oldest.ages
	}
	now := m.store.Now()
	m.oldest.ages = make(map[string]time.Duration, len(since))
	for endpoint, at := range since {
		m.oldest.ages[endpoint] = max(0, time.Duration(now-at)*time.Millisecond)
	}
	m.oldest.at = time.Now()
	return m.oldest.ages
}

// now is what the last hour keeps of a moment.
func (m *measured) now(ctx context.Context) metrics.Now {
	states := map[string]string{}
	for _, b := range m.hooks.Breakers() {
		if b.Callback == "" {
			states[b.Endpoint] = b.State
		}
	}
	ages := m.ages(ctx)
	out := metrics.Now{Connections: m.connections()}
	for _, w := range m.waiting() {
		out.Outbox = append(out.Outbox, metrics.Endpoint{
			Name: w.Endpoint, State: cmp.Or(states[w.Endpoint], webhook.StateOK), Events: w.Events, Oldest: ages[w.Endpoint].Seconds(),
		})
	}
	return out
}

// files remembers how much is stored.
type files struct {
	mu           sync.Mutex
	at           time.Time
	count_, size int64
}

func (f *files) count(ctx context.Context, s *store.Store) (n, bytes int64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.at.IsZero() && time.Since(f.at) < filesFor {
		return f.count_, f.size, nil
	}
	err = s.Read(ctx, func(tx *store.Tx) (err error) {
		n, bytes, err = tx.ContentBytes()
		return err
	})
	if err == nil {
		f.at, f.count_, f.size = time.Now(), n, bytes
	}
	return n, bytes, err
}
