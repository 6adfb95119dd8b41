package app

import (
	"context"
	"time"

	"github.com/parley-im/parley/internal/api"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/webhook"
)

// administered is the webhook engine as the API wants it.
type administered struct{ *webhook.Engine }

func (a administered) Fetch(ctx context.Context, endpoint string, after int64, limit int, wait time.Duration) ([]store.PulledEvent, store.PullRange, error) {
	return a.Engine.Fetch(ctx, webhook.FetchRequest{Endpoint: endpoint, After: after, Limit: limit, Wait: wait})
}

func (a administered) States(ctx context.Context) (any, error) { return a.Engine.States(ctx) }

var _ api.Webhooks = administered{}
