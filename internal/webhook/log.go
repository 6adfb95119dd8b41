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
			e.prune(ctx, s)
		}
	}
}

// prune forgets what was kept long enough.
func (e *Engine) prune(ctx context.Context, s *store.Store) {
	p := e.plan.Load()
	before := func(d time.Duration) im.Millis { return im.MillisOf(e.o.Now().Add(-d)) }
	done := func(what string, n int64, err error) {
		switch {
		case err != nil && ctx.Err() == nil:
			e.log.WarnContext(ctx, "webhook records cannot be pruned", slog.String("what", what), slog.Any("error", err))
		case n > 0:
			e.log.InfoContext(ctx, "webhook records past their time forgotten", slog.String("what", what), slog.Int64("rows", n))
		}
	}
	n, err := s.PruneDeliveries(ctx, before(p.keep.Deliveries), p.keep.DeliveryRows)
	done("delivery log", n, err)
	n, err = s.PruneDead(ctx, before(p.keep.Dead), p.keep.DeadRows)
	done("dead letters", n, err)
	for name, ep := range p.endpoints {
		if ep.pull {
			n, err = s.PrunePull(ctx, name, before(p.keep.Pull), p.keep.PullBytes)
			done("pull log", n, err)
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
