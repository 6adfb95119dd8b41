package group

import (
	"context"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// Foundings counts groups, dismissed ones included: all, those founded before
// start, and those of each UTC day from start up to end, as "2006-01-02".
func (s *Service) Foundings(ctx context.Context, start, end im.Millis) (total, before int64, days map[string]int64, err error) {
	if start > end {
		return 0, 0, nil, im.ErrArgs.With("start is after end")
	}
	err = s.store.Read(ctx, func(tx *store.Tx) (err error) {
		total, before, days, err = tx.GroupsByDay(start, end)
		return err
	})
	return total, before, days, err
}
