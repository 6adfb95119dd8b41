package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/time/rate"

	"github.com/parley-im/parley/hooks/signature"
)

// Events that the alert webhook is told.
const (
	AlertDown   = "endpoint.down"
	AlertUp     = "endpoint.up"
	AlertGone   = "callback.gone"   // the handler answered 410
	AlertDead   = "event.dead"      // an event was given up
	AlertFilled = "outbox.filled"   // 80 % of an endpoint's bound wait
	AlertGap    = "outbox.gap"      // events were not kept
	AlertPaused = "endpoint.paused" // by an administrator
	AlertResume = "endpoint.resumed"
)

// Alert is the body of the alert webhook: the operator's, not the business
// server's. It holds no secrets and no message content.
type Alert struct {
	Event      string `json:"event"`
	Time       string `json:"time"` // RFC 3339
	Endpoint   string `json:"endpoint"`
	URL        string `json:"url,omitempty"`
	Callback   string `json:"callback,omitempty"`
	Reason     string `json:"reason,omitempty"`
	Answer     string `json:"answer,omitempty"` // the last one, its beginning
	Events     int64  `json:"events,omitempty"`
	Help       string `json:"help,omitempty"`
	Suppressed int64  `json:"suppressed,omitempty"` // alerts left out before this one, by the rate limit
}

// AlertHook is where alerts go. No URL, no alerts.
type AlertHook struct {
	URL     string
	Secrets []string
}

const (
	alertsWaiting = 64
	alertTries    = 3
	alertTimeout  = 10 * time.Second
)

// alerts hands alerts to their one sender: at most one in six seconds, twenty
// at once, and none of them ever waits for anything but the queue.
type alerts struct {
	queue chan Alert
	limit *rate.Limiter
	left  atomic.Int64 // out, since the last one that was sent
}

func newAlerts() *alerts {
	return &alerts{queue: make(chan Alert, alertsWaiting), limit: rate.NewLimiter(rate.Every(6*time.Second), 20)}
}

func alertFor(ep *endpoint, key string) Alert {
	return Alert{Endpoint: ep.name, URL: ep.shown(), Callback: key}
}

func (e *Engine) alert(ctx context.Context, a Alert) {
	if e.plan.Load().alertHook.URL == "" {
		return
	}
	now := e.o.Now()
	if !e.alerts.limit.AllowN(now, 1) {
		e.alerts.left.Add(1)
		return
	}
	a.Time = stamp(now)
	a.Suppressed = e.alerts.left.Swap(0)
	select {
	case e.alerts.queue <- a:
	default:
		e.alerts.left.Add(a.Suppressed + 1)
		e.log.WarnContext(ctx, "webhook alerts pile up, one was left out", slog.String("event", a.Event))
	}
}

// tellAlerts sends alerts until ctx ends, then those that wait.
func (e *Engine) tellAlerts(ctx context.Context) {
	for {
		select {
		case a := <-e.alerts.queue:
			e.tellAlert(ctx, a)
		case <-ctx.Done():
			for {
				select {
				case a := <-e.alerts.queue:
					e.tellAlert(ctx, a)
				default:
					return
				}
			}
		}
	}
}

// tellAlert sends one. While ctx lasts it tries again, seconds apart.
func (e *Engine) tellAlert(ctx context.Context, a Alert) {
	p := e.plan.Load()
	body, err := json.Marshal(a)
	if err != nil || p.alertHook.URL == "" {
		return
	}
	id := uuid.Must(uuid.NewV7()).String()
	for try := 1; ; try++ {
		if err = e.postAlert(ctx, p, id, body); err == nil {
			return
		}
		if try == alertTries || ctx.Err() != nil {
			break
		}
		fired, stop := e.clock.Timer(time.Duration(try) * time.Second)
		select {
		case <-fired:
		case <-ctx.Done():
		}
		stop()
	}
	e.log.WarnContext(ctx, "webhook alert not delivered", slog.String("event", a.Event), slog.Any("error", err))
}

func (e *Engine) postAlert(ctx context.Context, p *plan, id string, body []byte) error {
	call, cancel := context.WithTimeout(context.WithoutCancel(ctx), alertTimeout)
	defer cancel()
	resp, err := p.client.post(call, request{url: p.alertHook.URL, eventID: id, at: e.o.Now(), body: body, keys: p.alertHook.keys})
	switch {
	case err != nil:
		return err
	case resp.status < 200 || resp.status > 299:
		return errors.New(resp.statusCause(""))
	}
	return nil
}

// alertTarget is an AlertHook made ready.
type alertTarget struct {
	URL  string
	keys []signature.Key
}
