package app

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	"github.com/parley-im/parley/internal/api"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/trial"
	"github.com/parley-im/parley/internal/webhook/desk"
	"github.com/parley-im/parley/internal/webhook/listen"
)

// listenHub builds what lets people who write handlers receive callbacks.
func (s *server) listenHub() *listen.Hub {
	return listen.New(listen.Options{
		Changed: s.reloadWebhooks,
		Gone:    s.dropListener,
		Logger:  s.log,
	})
}

// dropListener forgets the events of a session that ended: nobody will fetch
// them. Those in work just then are left for another time.
func (s *server) dropListener(ctx context.Context, endpoint string) (more bool) {
	waiting, err := s.store.Backlogs(ctx)
	if err == nil && !slices.ContainsFunc(waiting, func(b store.Backlog) bool { return b.Endpoint == endpoint }) {
		return false
	}
	if endpoint == trial.Endpoint && s.trial.State().Running {
		return false // another began, which will end
	}
	if err == nil {
		_, err = s.hooks.Drop(ctx, endpoint)
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrClosed) {
		s.log.WarnContext(ctx, "events of a webhook listener could not be dropped", slog.String("endpoint", endpoint), slog.Any("error", err))
	}
	return true
}

// runListens ends sessions that stand still. First it forgets what sessions of an
// earlier process left.
func (s *server) runListens(ctx context.Context) error {
	waiting, err := s.store.Backlogs(ctx)
	if err != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, "webhook events that wait cannot be listed", slog.Any("error", err))
	}
	for _, b := range waiting {
		if temporary(b.Endpoint) {
			s.listens.Left(b.Endpoint)
		}
	}
	return s.listens.Run(ctx)
}

// handlerTools are what the API offers to people who write handlers.
type handlerTools struct {
	*listen.Hub
	*desk.Desk
}

// Test implements api.HandlerTools.
func (t handlerTools) Test(ctx context.Context, key string) (any, error) {
	return t.Desk.Test(ctx, key)
}

var _ api.HandlerTools = handlerTools{}
