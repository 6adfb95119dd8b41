package webhook

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/webhook/registry"
)

// watchEvery is how often endpoints are looked after when nothing happens.
const watchEvery = 5 * time.Second

// watch looks after endpoints until ctx ends: it finds out whether those that are
// down and have no traffic are back, makes scheduled checks, and warns of full
// outboxes.
func (e *Engine) watch(ctx context.Context, s *store.Store) {
	checked := e.o.Now()
	for {
		fired, stop := e.clock.Timer(watchEvery)
		select {
		case <-ctx.Done():
			stop()
			return
		case <-fired:
		}
		p := e.plan.Load()
		now := e.o.Now()
		check := p.verify.Every > 0 && now.Sub(checked) >= p.verify.Every
		if check {
			checked = now
		}
		for _, ep := range p.endpoints {
			e.fill(ctx, s, ep)
			if ep.base == "" {
				continue
			}
			waiting, _ := s.WaitingBytes(ep.name)
			switch {
			case check:
				e.background.Go(func() { e.verify(ctx, p, ep) })
			case waiting <= 0 && ep.breaker.view().open:
				e.background.Go(func() { e.reach(ctx, p, ep) })
			}
		}
	}
}

// fill tells once when 80 % of an endpoint's outbox is used, and forgets it below
// 60 %.
func (e *Engine) fill(ctx context.Context, s *store.Store, ep *endpoint) {
	bytes, bound := s.WaitingBytes(ep.name)
	ep.mu.Lock()
	told := ep.full
	switch {
	case bytes >= bound/10*8:
		ep.full = true
	case bytes < bound/10*6:
		ep.full = false
	}
	tell := ep.full && !told
	ep.mu.Unlock()
	if !tell {
		return
	}
	e.log.ErrorContext(ctx, "webhook outbox is more than 80 % full; beyond its bound events are not kept",
		slog.String("endpoint", ep.name), slog.Int64("bytes", bytes), slog.Int64("bound", bound))
	a := alertFor(ep, "")
	a.Event, a.Reason = AlertFilled, fmt.Sprintf("%d of %d bytes wait; beyond that events are not kept", bytes, bound)
	e.alert(ctx, a)
}

// reach opens a connection to an endpoint that is down and has nothing to send.
// That it can be opened says something only if that was the fault.
func (e *Engine) reach(ctx context.Context, p *plan, ep *endpoint) {
	pass := ep.breaker.acquire(e.o.Now())
	if pass == refused {
		return
	}
	last := ep.breaker.view().fault
	h, why := unknown, fault{}
	if err := p.client.connect(ctx, ep.base); err != nil {
		h, why = sick, fault{reason: err.Error(), dial: true}
	} else if last.dial {
		h = healthy
	}
	if ctx.Err() != nil {
		h = unknown
	}
	e.turned(ctx, ep, "", ep.breaker, ep.breaker.release(pass, h, e.o.Now(), why))
}

// verify checks an endpoint by plan: its outcome counts for the breaker as that
// of any call.
func (e *Engine) verify(ctx context.Context, p *plan, ep *endpoint) {
	desc, call := registry.Lookup(p.verify.Callback)
	l := ep.admit(desc.Key, e.o.Now())
	if l.refusal != nil {
		return
	}
	row := store.Delivery{Callback: desc.Key, Command: desc.Command, Kind: store.DeliveryCheck, Attempt: 1, StartedAt: im.MillisOf(e.o.Now()), Endpoint: ep.name, Outcome: outcomeProbe}
	if !call {
		err := p.client.connect(ctx, ep.base)
		b := blame{endpoint: healthy}
		if err != nil {
			b = blame{endpoint: sick, fault: fault{reason: err.Error(), dial: true}}
		}
		e.settle(ctx, ep, desc.Key, l, b)
		row.Reason = b.reason
		e.record(ctx, row)
		return
	}
	body, err := json.Marshal(map[string]any{"callbackCommand": desc.Command, "operationID": "verification", "verification": true})
	to, badBase := newTarget(ep.base, desc.Command, p.inQuery)
	if err = errors.Join(err, badBase); err != nil {
		e.settle(ctx, ep, desc.Key, l, blame{})
		return
	}
	r := e.requestOf(ep, request{url: to.url(""), operationID: "verification", eventID: uuid.Must(uuid.NewV7()).String(), body: append(body, '\n')})
	resp, took, failure := e.timed(p, ep.timeoutOf(p, desc.Key), r)
	usable := resp.status >= 200 && resp.status <= 299
	if desc.Kind == registry.Before {
		usable = decide(&callback{Callback: desc}, p.strict, resp, failure).usable()
	}
	b := judge(resp, failure, usable)
	row.EventID, row.DurationMS, row.Status, row.Answer, row.Reason = r.eventID, took.Milliseconds(), resp.status, resp.body, b.reason
	e.record(ctx, row)
	e.watched(row, to.shown, r, resp)
	e.settle(ctx, ep, desc.Key, l, b)
}

// connect opens a connection to a base URL, with TLS if it says so, and closes
// it.
func (c *client) connect(ctx context.Context, base string) error {
	u, err := url.Parse(base)
	if err != nil {
		return err
	}
	if u.Scheme == ListenScheme {
		return nil // nothing to connect to
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	transport, ok := c.http.Transport.(*http.Transport)
	if !ok {
		return nil // a test's
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := transport.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return err
	}
	defer conn.Close()
	if u.Scheme != "https" {
		return nil
	}
	settings := transport.TLSClientConfig.Clone()
	settings.ServerName = u.Hostname()
	return tls.Client(conn, settings).HandshakeContext(ctx)
}
