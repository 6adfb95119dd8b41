package api

import (
	"context"

	"github.com/parley-im/parley/internal/webhook/explain"
)

// webhookWhy tells why a callback was called or not, and what became of it.
func (s *server) webhookWhy(ctx context.Context, q *explain.Question) (explain.Report, error) {
	return s.Why(ctx, *q)
}
