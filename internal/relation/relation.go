// Package relation keeps friend lists and whom a user blocks.
//
// Friendship is two entries, one in each list; blocking is one and does not end
// a friendship. Who may call is decided by the edges.
package relation

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// MaxBatch is the most users one call may name.
const MaxBatch = 1000

// Service keeps relations. It is safe for concurrent use.
type Service struct {
	store *store.Store
}

// New returns a service on the store.
func New(s *store.Store) *Service { return &Service{store: s} }

// Import makes users friends without asking them.
func (s *Service) Import(ctx context.Context, ownerID string, friendIDs []string) error {
	distinct := slices.Compact(slices.Sorted(slices.Values(friendIDs)))
	switch {
	case len(friendIDs) > MaxBatch:
		return im.ErrArgs.With("more than %d friends", MaxBatch)
	case slices.Contains(friendIDs, ownerID):
		return im.ErrOwnFriend.With("user %s", ownerID)
	case len(distinct) != len(friendIDs):
		return im.ErrArgs.With("friend userID repeated")
	}
	operator := im.CallerOf(ctx).UserID
	lists := slices.Sorted(slices.Values(append(distinct, ownerID))) // locked in user order
	err := s.store.Write(ctx, func(tx *store.Tx) error {
		if err := known(tx, append([]string{ownerID}, friendIDs...)); err != nil {
			return err
		}
		now := s.store.Now()
		for _, listOwner := range lists {
			added := []string{ownerID}
			if listOwner == ownerID {
				added = friendIDs
			}
			if err := tx.InsertFriends(listOwner, added, im.FriendImported, operator, now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("import friends: %w", err)
	}
	return nil
}

// known refuses unknown users.
func known(tx *store.Tx, userIDs []string) error {
	users, err := tx.Users(userIDs)
	if err == nil && len(users) != len(userIDs) {
		err = im.ErrNotFound.With("user not found")
	}
	return err
}

// Friends returns a page of a user's friends, pinned ones first, and their
// number.
func (s *Service) Friends(ctx context.Context, ownerID string, offset, limit int) (total int64, page []im.Friend, err error) {
	err = s.store.Read(ctx, func(tx *store.Tx) (err error) {
		if total, err = tx.FriendCount(ownerID); err != nil {
			return err
		}
		page, err = tx.FriendPage(ownerID, offset, limit)
		return err
	})
	return total, page, err
}

// SomeFriends returns those of the users who are in the owner's list.
func (s *Service) SomeFriends(ctx context.Context, ownerID string, userIDs []string) (friends []im.Friend, err error) {
	if err := checkIDs(userIDs); err != nil {
		return nil, err
	}
	err = s.store.Read(ctx, func(tx *store.Tx) (err error) {
		friends, err = tx.Friends(ownerID, userIDs)
		return err
	})
	return friends, err
}

// FriendIDs returns the ids of a user's friends, pinned ones first, with the
// version of the list.
func (s *Service) FriendIDs(ctx context.Context, ownerID string) (im.Version, []string, error) {
	return store.Listed(ctx, s.store, im.VersionFriends, ownerID, func(tx *store.Tx) ([]string, error) {
		return tx.FriendIDs(ownerID)
	})
}

// FriendChanges returns what changed in a user's friend list since a version.
func (s *Service) FriendChanges(ctx context.Context, ownerID string, since im.Version) (store.Delta[im.Friend], error) {
	return store.Sync(ctx, s.store, im.VersionFriends, ownerID, since, func(tx *store.Tx, after uint64, limit int) (_, _ []im.Friend, err error) {
		return tx.FriendChanges(ownerID, after, limit)
	})
}

// IsFriend reports whether each of two users is in the other's list.
func (s *Service) IsFriend(ctx context.Context, a, b string) (bInA, aInB bool, err error) {
	err = s.store.Read(ctx, func(tx *store.Tx) error {
		ofA, err := tx.Friends(a, []string{b})
		if err != nil {
			return err
		}
		ofB, err := tx.Friends(b, []string{a})
		bInA, aInB = len(ofA) > 0, len(ofB) > 0
		return err
	})
	return bInA, aInB, err
}

// Block makes a user refuse another's messages.
func (s *Service) Block(ctx context.Context, ownerID, blockedID, ex string) error {
	if ownerID == blockedID {
		return im.ErrNotFound.With("user not found")
	}
	if len(ex) > im.MaxText {
		return im.ErrArgs.With("a text is longer than %d bytes", im.MaxText)
	}
	operator := im.CallerOf(ctx).UserID
	err := s.store.Write(ctx, func(tx *store.Tx) error {
		if err := known(tx, []string{ownerID, blockedID}); err != nil {
			return err
		}
		return tx.InsertBlock(ownerID, blockedID, ex, operator, s.store.Now())
	})
	if errors.Is(err, store.ErrDuplicateKey) {
		return im.ErrDuplicate.With("user %s is blocked already", blockedID)
	}
	return err
}

// Unblock takes a block back; without one it does nothing.
func (s *Service) Unblock(ctx context.Context, ownerID, blockedID string) error {
	return s.store.Write(ctx, func(tx *store.Tx) error { return tx.DeleteBlock(ownerID, blockedID) })
}

// Blocks returns a page of whom a user blocks, oldest first, and their number.
func (s *Service) Blocks(ctx context.Context, ownerID string, offset, limit int) (total int64, page []im.Block, err error) {
	err = s.store.Read(ctx, func(tx *store.Tx) (err error) {
		if total, err = tx.BlockCount(ownerID); err != nil {
			return err
		}
		page, err = tx.BlockPage(ownerID, offset, limit)
		return err
	})
	return total, page, err
}

// SomeBlocks returns those of the users whom the owner blocks.
func (s *Service) SomeBlocks(ctx context.Context, ownerID string, userIDs []string) (blocks []im.Block, err error) {
	if err := checkIDs(userIDs); err != nil {
		return nil, err
	}
	err = s.store.Read(ctx, func(tx *store.Tx) (err error) {
		blocks, err = tx.Blocks(ownerID, userIDs)
		return err
	})
	return blocks, err
}

func checkIDs(userIDs []string) error {
	if len(userIDs) > MaxBatch {
		return im.ErrArgs.With("more than %d users", MaxBatch)
	}
	if len(slices.Compact(slices.Sorted(slices.Values(userIDs)))) != len(userIDs) {
		return im.ErrArgs.With("userIDList repeated")
	}
	return nil
}
