package webhook

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

const (
	callsBuffered = 4096
	callsBatch    = 256
	pruneEvery    = 10 * time.Minute
)

// deliveryLog holds before-calls on their way to the store. An operation never
// waits for its log row: when the buffer is full, the row is lost and counted.
type deliveryLog struct {
	rows    chan store.Delivery
	lost    atomic.Int64
	warning atomic.Bool // a burst of losses was reported
}

func (e *Engine) record(ctx context.Context, row store.Delivery) {
	// The answer shares its memory with up to a megabyte.
	row.Answer = slices.Clone(row.Answer[:min(len(row.Answer), store.AnswerKept)])
	select {
	case e.calls.rows <- row:
	default:
		e.calls.lost.Add(1)
		if !e.calls.warning.Swap(true) {
			e.log.WarnContext(ctx, "webhook delivery log cannot keep up, rows of before-calls are lost")
		}
	}
}

// LostLogRows is how many before-calls are missing in the delivery log.
func (e *Engine) LostLogRows() int64 { return e.calls.lost.Load() }

// Run writes before-calls into the delivery log, keeps the logs in bounds and
// looks after the endpoints, until ctx ends and what was logged until then is
// written.
func (e *Engine) Run(ctx context.Context, s *store.Store) error {
	e.store.Store(s)
	var parts sync.WaitGroup
	parts.Go(func() { e.watch(ctx, s) })
	parts.Go(func() { e.tellAlerts(ctx) })
	prune := time.NewTicker(pruneEvery)
	defer prune.Stop()
	for {
		select {
		case <-ctx.Done():
			parts.Wait()
			e.stop()
			e.background.Wait()
			for e.flush(context.WithoutCancel(ctx), s, nil) > 0 {
			}
			return nil
		case row := <-e.calls.rows:
			e.flush(context.WithoutCancel(ctx), s, []store.Delivery{row})
		case <-prune.C:
			before := im.MillisOf(e.o.Now().Add(-e.o.KeepDeliveries))
			if _, err := s.PruneDeliveries(ctx, before, e.o.KeepRows); err != nil && ctx.Err() == nil {
				e.log.WarnContext(ctx, "webhook delivery log cannot be pruned", slog.Any("error", err))
			}
			before = im.MillisOf(e.o.Now().Add(-e.o.KeepDead))
			n, err := s.PruneDead(ctx, before, e.o.KeepDeadRows)
			if err != nil && ctx.Err() == nil {
				e.log.WarnContext(ctx, "webhook dead letters cannot be pruned", slog.Any("error", err))
			}
			if n > 0 {
				e.log.WarnContext(ctx, "webhook dead letters past their time forgotten", slog.Int64("events", n))
			}
		}
	}
}

// flush writes batch and what else waits, in one transaction, and returns how
// many rows that were.
func (e *Engine) flush(ctx context.Context, s *store.Store, batch []store.Delivery) int {
collect:
	for len(batch) < callsBatch {
		select {
		case row := <-e.calls.rows:
			batch = append(batch, row)
		default:
			e.calls.warning.Store(false)
			break collect
		}
	}
	if len(batch) == 0 {
		return 0
	}
	err := s.Write(ctx, func(tx *store.Tx) error { return tx.InsertDeliveries(batch) })
	if err != nil {
		e.calls.lost.Add(int64(len(batch)))
		e.log.WarnContext(ctx, "webhook delivery log cannot be written", slog.Int("rows", len(batch)), slog.Any("error", err))
	}
	return len(batch)
}
