package app

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strings"

	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/relation"
	"github.com/parley-im/parley/internal/trial"
	"github.com/parley-im/parley/internal/user"
	"github.com/parley-im/parley/internal/webhook"
	"github.com/parley-im/parley/internal/webhook/listen"
)

// webhooks is what the engine goes by: the configuration, who listens, and the
// trial's users.
func (s *server) webhooks(c *config.Config) webhook.Config {
	w := s.listens.Overlay(webhookConfig(c))
	w.Trial = s.trial.Webhook()
	return w
}

// reloadWebhooks takes over what the configuration does not say.
func (s *server) reloadWebhooks(context.Context) error {
	return s.config.With(func(c *config.Config) error { return s.hooks.Reload(s.webhooks(c)) })
}

// newTrial builds what the page "Try it" works with. The nouns come later.
func (s *server) newTrial() *trial.Service {
	return trial.New(trial.Options{
		Prepare: func(ctx context.Context, users []im.User) error {
			return prepareTrial(asServer(ctx), s.services.Users, s.services.Relations, users)
		},
		Token: func(ctx context.Context, userID string, p im.Platform) (string, error) {
			token, _, err := s.auth.UserToken(ctx, userID, p)
			return token, err
		},
		Logout: func(ctx context.Context, userID string, p im.Platform) error {
			return s.auth.ForceLogout(ctx, userID, p)
		},
		Address: func() string { return s.wsAddress },
		// The phones call this very process, whatever name its certificate has.
		TLS:     &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // as said
		Changed: s.reloadWebhooks,
		Left:    func() { s.listens.Left(trial.Endpoint) },
		Logger:  s.log,
	})
}

func asServer(ctx context.Context) context.Context {
	return im.WithCaller(ctx, im.Caller{Server: true, Admin: true})
}

// prepareTrial makes the users, if they are not there, and friends of each other,
// which the configuration may demand of who writes.
func prepareTrial(ctx context.Context, users *user.Service, relations *relation.Service, wanted []im.User) error {
	ids := []string{wanted[0].UserID, wanted[1].UserID}
	known, err := users.Registered(ctx, ids)
	if err != nil {
		return err
	}
	for i, u := range wanted {
		if known[i] {
			continue
		}
		if err := users.Register(ctx, []im.User{u}); err != nil && !errors.Is(err, im.ErrRegistered) {
			return err
		}
	}
	oneWay, other, err := relations.IsFriend(ctx, ids[0], ids[1])
	if err != nil || oneWay && other {
		return err
	}
	return relations.Import(ctx, ids[0], ids[1:])
}

// socketURL is where this process reaches its own long connection.
func (s *server) socketURL(l net.Listener) string {
	if s.certificate != nil {
		return "wss://" + reachable(l)
	}
	return "ws://" + reachable(l)
}

// handlers answers for the addresses that are inside the server.
type handlers struct{ s *server }

func (h handlers) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host == trial.Endpoint {
		return h.s.trial.RoundTrip(r)
	}
	return h.s.listens.RoundTrip(r)
}

// temporary reports whether an endpoint is one that comes and goes by itself.
func temporary(endpoint string) bool {
	return strings.HasPrefix(endpoint, listen.EndpointPrefix) || endpoint == trial.Endpoint
}
