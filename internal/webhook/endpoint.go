package webhook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/parley-im/parley/hooks/signature"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/outbox"
	"github.com/parley-im/parley/internal/store"
)

// endpoint is a place that calls go to, with its settings of one configuration.
// Its state outlives them.
type endpoint struct {
	name    string
	base    string // "" if it fetches
	keys    []signature.Key
	tokens  [][32]byte    // hashes of the secrets of one that fetches
	slots   int           // lanes of after-events in work at a time
	rate    *rate.Limiter // of after-events; nil for none
	perSec  float64
	shadow  bool
	pull    bool
	timeout time.Duration // of the callbacks that have none of their own, 0 for the default
	events  []string      // patterns over callback keys; of endpoints of the list only

	longest time.Duration // of one attempt
	copies  *queue        // of a shadow

	*state
}

// state is what is known of an endpoint, whatever configuration comes and goes.
type state struct {
	breaker *breaker

	mu        sync.Mutex
	callbacks map[string]*breaker // those that ever failed by themselves
	paused    map[string]pause    // by callback, "" for the endpoint itself
	full      bool                // more than 80 % of its outbox is used
}

// pause is a stop by an administrator, or for good by the handler's 410.
type pause struct {
	since  time.Time
	reason string
}

func newState(o Breaker) *state {
	return &state{breaker: &breaker{o: o}, callbacks: map[string]*breaker{}, paused: map[string]pause{}}
}

// configure takes over settings of the breakers.
func (s *state) configure(o Breaker) {
	s.breaker.configure(o)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.callbacks {
		b.configure(o)
	}
}

// of is the breaker of one callback, nil while none is needed and make is false.
func (s *state) of(key string, create bool) *breaker {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.callbacks[key]
	if b == nil && create {
		b = &breaker{o: s.breaker.o}
		s.callbacks[key] = b
	}
	return b
}

func (s *state) pausedFor(key string) (pause, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, paused := s.paused[key]
	return p, paused
}

// leave is permission to call a callback of an endpoint.
type leave struct {
	endpoint, callback pass
	refusal            error // why not; nil to go ahead
	parked             bool  // the callback alone is set aside
}

// probes reports whether the call is to find out if something works again.
func (l leave) probes() bool { return l.endpoint == probing || l.callback == probing }

// refusedError says why no call was made.
type refusedError struct {
	public string // for the caller of the operation
	reason string
}

func (e *refusedError) Error() string { return e.reason }

func refuse(public, format string, args ...any) error {
	return &refusedError{public, fmt.Sprintf(format, args...)}
}

// admit asks the pauses and both breakers.
func (e *endpoint) admit(key string, now time.Time) leave {
	if p, paused := e.pausedFor(""); paused {
		return leave{refusal: refuse("handler is paused", "endpoint %s is paused since %s: %s", e.name, stamp(p.since), p.reason)}
	}
	if p, paused := e.pausedFor(key); paused {
		return leave{refusal: refuse("handler is paused", "%s is paused at endpoint %s since %s: %s", key, e.name, stamp(p.since), p.reason), parked: true}
	}
	l := leave{callback: allowed}
	if l.endpoint = e.breaker.acquire(now); l.endpoint == refused {
		v := e.breaker.view()
		l.refusal = refuse("handler is down", "endpoint %s is down since %s: %s", e.name, stamp(v.since), v.reason)
		return l
	}
	b := e.of(key, false)
	if b == nil {
		return l
	}
	if l.callback = b.acquire(now); l.callback == refused {
		e.breaker.release(l.endpoint, unknown, now, fault{})
		v := b.view()
		return leave{refusal: refuse("handler is down", "%s is set aside at endpoint %s since %s: %s", key, e.name, stamp(v.since), v.reason), parked: true}
	}
	return l
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// blame says whose health a call tells about.
type blame struct {
	endpoint, callback health
	gone               bool // 410: this callback is not wanted any more
	fault
}

// judge reads a call's outcome. Who cannot be reached, or has no answer to
// give, is ill as a whole; an answer that makes no sense, or the word that there
// is no such thing, is about the callback.
func judge(r response, failure error, usable bool) blame {
	b := blame{fault: fault{answer: short(string(r.body), 256)}}
	var ours *refusedError
	var op *net.OpError
	switch {
	case usable:
		b.endpoint, b.callback = healthy, healthy
	case errors.As(failure, &ours), errors.Is(failure, errSaturated), errors.Is(failure, context.Canceled):
		return blame{}
	case failure != nil && r.status == 0:
		b.endpoint, b.reason = sick, failure.Error()
		b.dial = errors.As(failure, &op) && op.Op == "dial"
	case r.status >= 500, r.status == 408, r.status == 425, r.status == 429, r.status >= 300 && r.status <= 399:
		b.endpoint, b.reason = sick, r.statusCause(r.redirectTo())
	case r.status >= 400:
		b.endpoint, b.callback, b.reason = healthy, sick, r.statusCause("")
		b.gone = r.status == 410
	case failure != nil:
		b.endpoint, b.reason = sick, failure.Error()
	default:
		b.endpoint, b.callback, b.reason = healthy, sick, "the answer makes no sense"
	}
	return b
}

// settle hands a leave back with what the call said.
func (e *Engine) settle(ctx context.Context, ep *endpoint, key string, l leave, b blame) {
	now := e.o.Now()
	e.turned(ctx, ep, "", ep.breaker, ep.breaker.release(l.endpoint, b.endpoint, now, b.fault))
	if cb := ep.of(key, b.callback == sick); cb != nil {
		e.turned(ctx, ep, key, cb, cb.release(l.callback, b.callback, now, b.fault))
	}
	if l.probes() {
		e.signal()
	}
}

// turned tells of a breaker that opened or closed: once, whoever asks.
func (e *Engine) turned(ctx context.Context, ep *endpoint, key string, b *breaker, t turn) {
	if t == unchanged {
		return
	}
	v := b.view()
	a := alertFor(ep, key)
	attrs := []slog.Attr{slog.String("endpoint", ep.name), slog.String("url", ep.shown())}
	if key != "" {
		attrs = append(attrs, slog.String("callback", key))
	}
	if t == opened {
		e.count(ep.name, key, "breaker_open")
		attrs = append(attrs, slog.String("reason", v.reason), slog.String("answer", v.answer))
		e.log.LogAttrs(ctx, slog.LevelError, "webhook breaker opened: no calls but probes until one succeeds", attrs...)
		a.Event, a.Reason, a.Answer = AlertDown, v.reason, v.answer
		a.Help = "resumes by itself once a probe succeeds; at once with: parley webhook resume " + strings.TrimSpace(ep.name+" "+key)
	} else {
		e.count(ep.name, key, "breaker_closed")
		attrs = append(attrs, slog.Int("probes", v.probes))
		e.log.LogAttrs(ctx, slog.LevelWarn, "webhook breaker closed: the endpoint works again", attrs...)
		a.Event = AlertUp
		if key != "" {
			e.unpark(ep.name, key)
		}
	}
	e.alert(ctx, a)
	e.signal()
}

// shown is the address for logs and lists.
func (e *endpoint) shown() string {
	if e.base == "" {
		return ""
	}
	t, err := newTarget(e.base, "", true)
	if err != nil {
		return ""
	}
	return t.shown()
}

// matches reports whether an endpoint of the list wants a callback.
func (e *endpoint) matches(key string) bool {
	return slices.ContainsFunc(e.events, func(pattern string) bool { return Match(pattern, key) })
}

// Match reports whether a pattern such as "after*" or "*Msg" covers a callback's
// key. A star stands for any number of letters; letter case counts.
func Match(pattern, key string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == key
	}
	rest, ok := strings.CutPrefix(key, parts[0])
	if !ok {
		return false
	}
	for _, middle := range parts[1 : len(parts)-1] {
		i := strings.Index(rest, middle)
		if i < 0 {
			return false
		}
		rest = rest[i+len(middle):]
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}

// Endpoints implements outbox.Handler.
func (e *Engine) Endpoints() []outbox.Endpoint {
	p := e.plan.Load()
	now := e.o.Now()
	out := make([]outbox.Endpoint, 0, len(p.endpoints))
	for _, ep := range p.endpoints {
		if !ep.shadow {
			out = append(out, ep.room(now))
		}
	}
	return out
}

// room is how many lanes an endpoint takes now. After a failure the backlog
// begins with one lane, and doubles each second up to half of the slots: a
// handler that came back is not run over, and what happens now has the rest.
func (e *endpoint) room(now time.Time) outbox.Endpoint {
	out := outbox.Endpoint{Name: e.name, Slots: e.slots, Pull: e.pull, Attempt: e.longest}
	if _, paused := e.pausedFor(""); paused {
		out.Slots = 0
		return out
	}
	if e.perSec > 0 {
		out.Slots = max(1, min(out.Slots, int(math.Ceil(e.perSec))))
	}
	v := e.breaker.view()
	switch {
	case v.open && (v.probing || now.Before(v.next)):
		out.Slots = 0
		if !v.probing {
			out.Again = v.next.Sub(now)
		}
	case v.open:
		out.Slots = 1
	case !v.since.IsZero(): // it was down before
		share := max(1, out.Slots/2)
		since := int(now.Sub(v.since) / time.Second)
		if since < 20 {
			share = min(share, 1<<since)
		}
		out.Backlog, out.BacklogSlots = v.since, share
		if since < 10 {
			out.Again = v.since.Add(time.Duration(since+1) * time.Second).Sub(now)
		}
	}
	return out
}

// Changed implements outbox.Handler.
func (e *Engine) Changed() <-chan struct{} { return e.changed }

func (e *Engine) signal() {
	select {
	case e.changed <- struct{}{}:
	default:
	}
}

// Missed implements outbox.Handler.
func (e *Engine) Missed(ctx context.Context, mark *store.OutboxEvent) {
	e.log.ErrorContext(ctx, "webhook events were not kept because the outbox of the endpoint was full",
		slog.String("lane", mark.Lane), slog.Int64("events", mark.Missing),
		slog.Time("first", mark.CreatedAt.Time()), slog.Time("last", mark.MissingUntil.Time()))
	e.count(store.EndpointOf(mark.Lane), "", "gap")
	e.alert(ctx, Alert{
		Event: AlertGap, Endpoint: store.EndpointOf(mark.Lane), Events: mark.Missing,
		Reason: fmt.Sprintf("%d events of lane %s from %s to %s were not kept", mark.Missing, mark.Lane, stamp(mark.CreatedAt.Time()), stamp(mark.MissingUntil.Time())),
	})
}

// throttle waits for the endpoint's rate, or says how long to wait when that is
// more than a worker should.
func (e *endpoint) throttle(ctx context.Context, now time.Time) (wait time.Duration) {
	if e.rate == nil {
		return 0
	}
	r := e.rate.ReserveN(now, 1)
	d := r.DelayFrom(now)
	if d > time.Second {
		r.CancelAt(now)
		return d
	}
	if d <= 0 {
		return 0
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return 0
}

// subjectLane is the lane of a subject at an endpoint.
func subjectLane(endpoint, subject string) string { return endpoint + "/" + subject }

// pauseRow is a pause for the store.
func pauseRow(endpoint, key string, p pause) store.Pause {
	return store.Pause{Endpoint: endpoint, Callback: key, Since: im.MillisOf(p.since), Reason: p.reason}
}
