package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/gateway"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/outbox"
	"github.com/parley-im/parley/internal/push"
	"github.com/parley-im/parley/internal/push/apns"
	"github.com/parley-im/parley/internal/push/fcm"
	"github.com/parley-im/parley/internal/push/getui"
	"github.com/parley-im/parley/internal/push/jpush"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/trace"
	"github.com/parley-im/parley/internal/webhook"
)

// pushOptions builds the vendors that the configuration names.
func pushOptions(ctx context.Context, c *config.Config) (o push.Options, err error) {
	p := c.Push
	switch p.Vendor {
	case "getui":
		o.Vendor, err = getui.New(getui.Options{
			URL: p.GeTui.PushURL, AppKey: p.GeTui.AppKey, MasterSecret: p.GeTui.MasterSecret, Intent: p.GeTui.Intent,
			ChannelID: p.GeTui.ChannelID, ChannelName: p.GeTui.ChannelName,
		})
	case "jpush":
		o.Vendor, err = jpush.New(jpush.Options{
			URL: p.JPush.PushURL, AppKey: p.JPush.AppKey, MasterSecret: p.JPush.MasterSecret, Intent: p.JPush.PushIntent, Production: p.IOS.Production,
		})
	case "fcm":
		var account []byte
		if account, err = serviceAccount(ctx, c); err == nil {
			o.Vendor, err = fcm.New(fcm.Options{ServiceAccount: account, Endpoint: strings.TrimRight(p.FCM.URL, "/")})
		}
	}
	if err != nil {
		return o, fmt.Errorf("offline push: %w", err)
	}
	if a := p.APNs; a.KeyFile != "" {
		key, err := os.ReadFile(besideConfig(c, a.KeyFile))
		if err != nil {
			return o, fmt.Errorf("offline push: %w", err)
		}
		if o.Apple, err = apns.New(apns.Options{
			Key: key, KeyID: a.KeyID, TeamID: a.TeamID, Topic: a.Topic, Production: p.IOS.Production, Endpoint: strings.TrimRight(a.URL, "/"),
		}); err != nil {
			return o, fmt.Errorf("offline push: %w", err)
		}
	}
	o.Sound, o.Badge = p.IOS.PushSound, p.IOS.BadgeCount
	return o, nil
}

func besideConfig(c *config.Config, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(c.Dir, path)
}

// serviceAccount reads FCM's credentials from a file or an address; the file
// wins.
func serviceAccount(ctx context.Context, c *config.Config) ([]byte, error) {
	from := c.Push.FCM.FilePath
	if from == "" {
		from = c.Push.FCM.AuthURL
	}
	if !strings.HasPrefix(from, "http://") && !strings.HasPrefix(from, "https://") {
		return os.ReadFile(besideConfig(c, from))
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, fmt.Errorf("FCM service account: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("FCM service account: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("FCM service account: status %d from %s", resp.StatusCode, req.URL.Host)
	}
	return io.ReadAll(io.LimitReader(resp.Body, 1<<20))
}

// reachedBy reports whether a user has a phone at hand: an iPhone with the app in
// front, or an Android device. Others do not spare him a push.
func reachedBy(hub *gateway.Hub) func(userID string) bool {
	return func(userID string) bool {
		for _, s := range hub.Sessions(userID) {
			if s.Platform == im.PlatformAndroid || s.Platform == im.PlatformIOS && !s.Background {
				return true
			}
		}
		return false
	}
}

// recorders make outbox rows of events, each of those it wants.
type recorders []store.Recorder

// Enabled implements store.Recorder.
func (rs recorders) Enabled(kind im.EventKind) bool {
	for _, r := range rs {
		if r.Enabled(kind) {
			return true
		}
	}
	return false
}

// Render implements store.Recorder.
func (rs recorders) Render(e im.Event) (rows []store.OutboxEvent) {
	for _, r := range rs {
		if r.Enabled(e.Kind()) {
			rows = append(rows, r.Render(e)...)
		}
	}
	return rows
}

// pushAttempt is how long one page of a push may take: a batch of every vendor.
const pushAttempt = time.Minute

// outboxWork gives every row of the outbox to who made it.
type outboxWork struct {
	*webhook.Engine
	push   *push.Service
	slots  int
	log    *slog.Logger
	tracer *trace.Tracer
}

func pushes(lane string) bool { return store.EndpointOf(lane) == push.Endpoint }

// Deliver implements outbox.Handler.
func (w *outboxWork) Deliver(ctx context.Context, e *store.OutboxEvent, attempt int) outbox.Result {
	ctx, span := w.tracer.After(ctx, "outbox.attempt", e.OperationID)
	span.Set(trace.Callback, e.Callback)
	span.Set(trace.Endpoint, store.EndpointOf(e.Lane))
	span.Set(trace.Event, e.EventID)
	span.SetInt(trace.Attempt, attempt)
	res := w.deliver(ctx, e, attempt)
	span.Set(trace.Outcome, res.Verdict.String())
	if res.Log != nil {
		span.SetInt(trace.Status, res.Log.Status)
	}
	span.End(nil)
	return res
}

func (w *outboxWork) deliver(ctx context.Context, e *store.OutboxEvent, attempt int) outbox.Result {
	if !pushes(e.Lane) {
		return w.Engine.Deliver(ctx, e, attempt)
	}
	ctx, cancel := context.WithTimeout(ctx, pushAttempt)
	defer cancel()
	return w.push.Deliver(ctx, e, attempt)
}

// Endpoints implements outbox.Handler.
func (w *outboxWork) Endpoints() []outbox.Endpoint {
	return append(w.Engine.Endpoints(), outbox.Endpoint{Name: push.Endpoint, Slots: w.slots, Attempt: pushAttempt})
}

// Missed implements outbox.Handler.
func (w *outboxWork) Missed(ctx context.Context, mark *store.OutboxEvent) {
	if !pushes(mark.Lane) {
		w.Engine.Missed(ctx, mark)
		return
	}
	w.log.ErrorContext(ctx, "offline pushes were not kept because the outbox was full", "lane", mark.Lane, "pushes", mark.Missing)
}

// Buried implements outbox.Handler.
func (w *outboxWork) Buried(ctx context.Context, d *store.DeadEvent) {
	if !pushes(d.Lane) {
		w.Engine.Buried(ctx, d)
		return
	}
	w.log.ErrorContext(ctx, "offline push given up", "conversation", d.Subject, "reason", d.Reason)
}
