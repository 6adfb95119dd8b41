package store

import (
	"context"
	"fmt"

	"github.com/parley-im/parley/internal/im"
)

// A list keeps the tombstones of its newest removals: with more than SyncLimit
// of them to tell, a client loads the whole list anyway. Older ones go when
// there are crowded of them.
const (
	keptTombstones = im.SyncLimit + 1
	crowded        = 2 * keptTombstones
	pruneStep      = 500
)

// crowdedList is a list with more tombstones than it needs.
type crowdedList struct {
	kind    im.VersionKind
	ownerID string
}

// PruneTombstones returns the steps of forgetting the removals that no client
// can be told of one by one: each call does one and reports whether it was the
// last. What a list is bounded by is then its own length and what is removed in
// a day.
func (s *Store) PruneTombstones() func(context.Context) (done bool, err error) {
	var lists []crowdedList
	looked := false
	return func(ctx context.Context) (bool, error) {
		if len(lists) > 0 {
			n, err := s.pruneTombstones(ctx, lists[0])
			if err != nil {
				return false, err
			}
			if n < pruneStep {
				lists = lists[1:]
			}
			return false, nil
		}
		if looked && len(lists) == 0 {
			return true, nil
		}
		looked = true
		err := s.Read(ctx, func(tx *Tx) (err error) {
			lists, err = queryAll(tx, func(l *crowdedList) []any { return []any{&l.kind, &l.ownerID} },
				`SELECT kind, owner_id FROM tombstone GROUP BY kind, owner_id HAVING count(*) > $1`, crowded)
			return err
		})
		if err != nil {
			return false, fmt.Errorf("look for old tombstones: %w", err)
		}
		return len(lists) == 0, nil
	}
}

// pruneTombstones forgets up to pruneStep of a list's oldest removals and
// returns how many.
func (s *Store) pruneTombstones(ctx context.Context, l crowdedList) (n int64, err error) {
	err = s.Write(ctx, func(tx *Tx) error {
		n = 0
		// Lock the list first: nothing is removed from it meanwhile.
		if _, err := tx.exec(`UPDATE version_log SET floor = floor WHERE kind = $1 AND owner_id = $2`, l.kind, l.ownerID); err != nil {
			return err
		}
		var floor uint64
		found, err := tx.queryRow(`SELECT version FROM tombstone WHERE kind = $1 AND owner_id = $2 ORDER BY version DESC LIMIT 1 OFFSET $3`,
			[]any{l.kind, l.ownerID, keptTombstones}, &floor)
		if err != nil || !found {
			return err
		}
		if _, err := tx.exec(`UPDATE version_log SET floor = $1 WHERE kind = $2 AND owner_id = $3 AND floor < $1`, floor, l.kind, l.ownerID); err != nil {
			return err
		}
		n, err = tx.exec(`DELETE FROM tombstone WHERE kind = $1 AND owner_id = $2 AND element_id IN
			(SELECT element_id FROM tombstone WHERE kind = $1 AND owner_id = $2 AND version <= $3 LIMIT $4)`, l.kind, l.ownerID, floor, pruneStep)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("prune tombstones of list %d of %s: %w", l.kind, l.ownerID, err)
	}
	return n, nil
}
