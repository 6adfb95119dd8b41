package store

import (
	"context"

	"github.com/parley-im/parley/internal/im"
)

// Delta is what changed in a list since the version a client has of it.
type Delta[T any] struct {
	Version im.Version
	Full    bool // the client must load the whole list anew; there are no lists here

	Deleted           []string
	Inserted, Updated []T
	SortVersion       uint64 // when the order changed since then, 0 if it did not
	OwnerChanged      bool   // the list's owner itself changed (a group's profile)
}

// Changed reports whether anything is new to the client.
func (d Delta[T]) Changed() bool {
	return len(d.Deleted)+len(d.Inserted)+len(d.Updated) > 0 || d.OwnerChanged || d.SortVersion > 0
}

// Sync compares a client's version of a list with the store's and reads what
// changed since, all in one snapshot (websocket-and-messages 9.4). changes
// returns at most limit elements that are new or changed after a version.
func Sync[T any](ctx context.Context, s *Store, kind im.VersionKind, ownerID string, client im.Version,
	changes func(tx *Tx, after uint64, limit int) (inserted, updated []T, err error),
) (Delta[T], error) {
	var d Delta[T]
	err := s.Read(ctx, func(tx *Tx) error {
		d = Delta[T]{}
		log, err := tx.versionLog(kind, ownerID)
		if err != nil {
			return err
		}
		d.Version = log.Version
		if client.Version == 0 || client.ID != d.Version.ID || client.Version > d.Version.Version || client.Version < log.floor {
			d.Full = true
			return nil
		}
		if client.Version == d.Version.Version {
			return nil
		}
		after, limit := client.Version, im.SyncLimit+1
		if d.Deleted, err = tx.Removed(kind, ownerID, after, limit); err != nil {
			return err
		}
		if d.Inserted, d.Updated, err = changes(tx, after, limit); err != nil {
			return err
		}
		if len(d.Deleted)+len(d.Inserted)+len(d.Updated) > im.SyncLimit {
			d = Delta[T]{Version: d.Version, Full: true}
			return nil
		}
		if log.sort > after {
			d.SortVersion = log.sort
		}
		d.OwnerChanged = log.self > after
		return nil
	})
	if err == nil && d.Version.ID == "" {
		d.Version, err = s.openVersionLog(ctx, kind, ownerID)
	}
	return d, err
}

// Listed reads a whole list together with its version.
func Listed[T any](ctx context.Context, s *Store, kind im.VersionKind, ownerID string, list func(*Tx) ([]T, error)) (im.Version, []T, error) {
	var v im.Version
	var all []T
	err := s.Read(ctx, func(tx *Tx) (err error) {
		if v, err = tx.Version(kind, ownerID); err != nil {
			return err
		}
		all, err = list(tx)
		return err
	})
	if err == nil && v.ID == "" {
		v, err = s.openVersionLog(ctx, kind, ownerID)
	}
	return v, all, err
}

// openVersionLog makes the log that a list gets when it is first asked for.
func (s *Store) openVersionLog(ctx context.Context, kind im.VersionKind, ownerID string) (v im.Version, err error) {
	err = s.Write(ctx, func(tx *Tx) (err error) {
		v, err = tx.Version(kind, ownerID)
		return err
	})
	return v, err
}

// versionLog is a list's state with the versions of its two markers: when its
// order last changed, and when its owner last did.
type versionLog struct {
	im.Version
	sort, self uint64
	floor      uint64 // tombstones up to this version may be forgotten
}

func (tx *Tx) versionLog(kind im.VersionKind, ownerID string) (l versionLog, err error) {
	_, err = tx.queryRow(`SELECT version_id, version, sort_version, self_version, floor FROM version_log WHERE kind = $1 AND owner_id = $2`,
		[]any{kind, ownerID}, &l.ID, &l.Version.Version, &l.sort, &l.self, &l.floor)
	return l, err
}
