package app

import (
	"context"
	"path/filepath"

	"github.com/parley-im/parley/internal/api"
	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/conversation"
	"github.com/parley-im/parley/internal/device"
	"github.com/parley-im/parley/internal/gateway"
	"github.com/parley-im/parley/internal/group"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/object"
	"github.com/parley-im/parley/internal/object/disk"
	"github.com/parley-im/parley/internal/object/s3"
	"github.com/parley-im/parley/internal/presence"
	"github.com/parley-im/parley/internal/relation"
	"github.com/parley-im/parley/internal/user"
	"github.com/parley-im/parley/internal/webhook"
	"github.com/parley-im/parley/internal/webhook/desk"
	"github.com/parley-im/parley/internal/wire"
)

// services builds the nouns that the API calls, and makes sure that the
// administrators exist.
func services(ctx context.Context, s *server, messages *message.Service, o online) (api.Options, error) {
	c := s.options.Config
	users := user.New(s.store, messages, s.hooks, s.log)
	if err := users.EnsureAdmins(ctx, adminUsers(c)); err != nil {
		return api.Options{}, err
	}
	s.watchConfig(users)
	s.desk = &desk.Desk{Store: s.store, Hooks: s.hooks, Config: s.config, Explainer: s.explainer()}
	groups := group.New(s.store, messages, group.Options{HideHistory: !c.Group.EnableHistoryForNewMembers, Hooks: s.hooks, Logger: s.log})
	objects, err := s.openObjects(ctx)
	if err != nil {
		return api.Options{}, err
	}
	return api.Options{
		Auth:          s.auth,
		Users:         users,
		Relations:     relation.New(s.store, messages, s.hooks, s.log),
		Groups:        groups,
		Conversations: conversation.New(s.store, messages, s.log),
		Messages:      messages,
		Objects:       objects,
		Devices:       device.New(s.store),
		Online:        o,
		Webhooks:      administered{s.hooks},
		Kick: func(ctx context.Context, userID string, p im.Platform) {
			o.hub.Kick(ctx, userID, []im.Platform{p}, "")
		},
		Tools: handlerTools{s.listens, s.desk}, Why: s.desk.Why, Config: s.config, Restart: s.restart, Version: s.options.Version, Peers: s.front.peers, Origins: s.front.origins, Limits: s.front.limits, Load: s.front.calls,
		MaxBody: c.API.MaxBodyBytes, CompressionLevel: c.API.CompressionLevel, PublicURL: c.Object.PublicURL, GrafanaURL: c.API.GrafanaURL, Meter: s.metrics.Route, Tracer: s.tracer, Logger: s.log,
	}, nil
}

// openObjects opens the store of files.
func (s *server) openObjects(ctx context.Context) (*object.Service, error) {
	c := s.options.Config
	var backend object.Backend
	if o := c.Object.S3; o != nil {
		b, err := s3.Open(ctx, s3.Options{
			Endpoint: o.Endpoint, PublicEndpoint: o.PublicEndpoint, Region: o.Region, Bucket: o.Bucket,
			AccessKey: o.AccessKey, SecretKey: o.SecretKey, SessionToken: o.SessionToken, BucketInHost: o.BucketInHost, PublicRead: o.PublicRead, Logger: s.log,
		})
		if err != nil {
			return nil, err
		}
		backend = b
	} else {
		b, err := disk.Open(filepath.Join(c.DataDir, objectsPath(c)))
		if err != nil {
			return nil, err
		}
		s.closers = append(s.closers, b.Close)
		s.backups.files, backend = b, b
	}
	return object.New(s.store, backend, object.Options{
		Secret: []byte(s.secret), MaxSize: c.Object.MaxSize, Quota: c.Object.UserQuota, TotalQuota: c.Object.TotalQuota, Logger: s.log,
	}), nil
}

// online answers the API's questions about connections.
type online struct {
	hub      *gateway.Hub
	presence *presence.Tracker
}

func (o online) Platforms(userID string) []im.Platform { return o.presence.Platforms(userID) }

func (o online) Sessions(userID string) []api.OnlineSession {
	var out []api.OnlineSession
	for _, s := range o.hub.Sessions(userID) {
		out = append(out, api.OnlineSession{Platform: s.Platform, ConnID: s.ConnID, Background: s.Background, Token: s.Token})
	}
	return out
}

// noticeStyles says how notification.yml wants each kind of notification shown.
func noticeStyles(c *config.Config) func(im.ContentType) message.NoticeStyle {
	styles := make(map[im.ContentType]message.NoticeStyle, len(wire.NoticeEvents))
	for event, contentType := range wire.NoticeEvents {
		n := c.Notification[event]
		p := n.OfflinePush
		style := message.NoticeStyle{
			Chat: n.IsSendMsg, Offline: p.Enable, Push: &im.PushInfo{Title: p.Title, Desc: p.Desc, Ex: p.Ext},
		}
		styles[contentType] = style
	}
	return func(t im.ContentType) message.NoticeStyle { return styles[t] }
}

// webhookConfig hands the webhook engine its part of the configuration.
func webhookConfig(c *config.Config) webhook.Config {
	w := c.Webhooks
	out := webhook.Config{
		URL: w.URL, BeforeDeadline: w.BeforeDeadline, StrictActionCode: w.StrictActionCode, CommandInQuery: w.CommandInQuery,
		MaxConcurrency: w.MaxConcurrency, Strict: c.Strict, InsecureSkipVerify: w.InsecureSkipVerify, Callbacks: make(map[string]webhook.Callback, len(w.Callbacks)),
	}
	out.Secrets = []string{w.Secret, w.PreviousSecret}
	out.Concurrency, out.Rate = w.Concurrency, float64(w.Rate)
	out.Breaker = webhook.Breaker{Failures: w.Breaker.Failures, Rate: w.Breaker.Rate, Window: w.Breaker.Window, Probe: w.Breaker.Probe}
	if out.Breaker.Rate == 0 {
		out.Breaker.Rate = -1 // none
	}
	out.Alert = webhook.AlertHook{URL: w.Alert.URL, Secrets: []string{w.Alert.Secret}}
	out.Verify = webhook.Verify(w.Verify)
	out.Keep = webhook.Keep{
		Deliveries: w.DeliveryLog.Keep, DeliveryRows: w.DeliveryLog.Rows, Dead: w.DeadLetters.Keep, DeadRows: w.DeadLetters.Rows,
		Pull: w.PullLog.Keep, PullBytes: w.PullLog.MaxBytes,
	}
	for _, e := range w.Endpoints {
		out.Endpoints = append(out.Endpoints, webhook.Endpoint{
			Name: e.Name, URL: e.URL, Secrets: []string{e.Secret, e.PreviousSecret}, Events: e.Events, AttentionIDs: e.AttentionIDs,
			AllowedTypes: ranges(e.AllowedTypes), DeniedTypes: ranges(e.DeniedTypes), Timeout: e.Timeout, Concurrency: e.Concurrency,
			Rate: float64(e.Rate), Shadow: e.Shadow, Pull: e.Pull,
		})
	}
	for key, cb := range w.Callbacks {
		out.Callbacks[key] = webhook.Callback{
			Enable: cb.Enable, Command: cb.Command, URL: cb.URL, Timeout: cb.Timeout, FailedContinue: cb.FailedContinue,
			AttentionIDs: cb.AttentionIDs, AllowedTypes: ranges(cb.AllowedTypes), DeniedTypes: ranges(cb.DeniedTypes),
		}
	}
	return out
}

func ranges(in []config.TypeRange) []webhook.TypeRange {
	out := make([]webhook.TypeRange, len(in))
	for i, r := range in {
		out[i] = webhook.TypeRange(r)
	}
	return out
}
