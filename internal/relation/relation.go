// Package relation keeps friend lists and whom a user blocks.
//
// Friendship is two entries, one in each list, and either may be removed alone;
// blocking is one and does not end a friendship. A change and the version of
// the list it is in are one transaction. What a user does to his own list, only
// his own devices are told. Who may call is decided by the edges.
package relation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/store"
)

// MaxBatch is the most users one call may name.
const MaxBatch = 1000

// Service keeps relations. It is safe for concurrent use.
type Service struct {
	store    *store.Store
	messages *message.Service
	hooks    im.Hooks
	log      *slog.Logger
}

// New returns a service that announces changes through messages.
func New(s *store.Store, m *message.Service, h im.Hooks, log *slog.Logger) *Service {
	return &Service{store: s, messages: m, hooks: h, log: log}
}

var errTooLong = im.ErrArgs.With("a text is longer than %d bytes", im.MaxText)

func tooLong(text *string) bool { return text != nil && len(*text) > im.MaxText }

// Import makes users friends without asking them.
func (s *Service) Import(ctx context.Context, ownerID string, friendIDs []string) error {
	if err := checkImport(ownerID, friendIDs); err != nil {
		return err
	}
	if s.hooks.Wants(im.AskImportFriends) {
		q := im.MayImportFriends{OwnerID: ownerID, FriendIDs: friendIDs}
		if err := s.ask(ctx, &q, func(tx *store.Tx) error { return known(tx, append([]string{ownerID}, friendIDs...)) }); err != nil {
			return err
		}
		if err := checkImport(ownerID, q.FriendIDs); err != nil {
			return err
		}
		ctx, friendIDs = context.WithoutCancel(ctx), q.FriendIDs
	}
	ctx = context.WithoutCancel(ctx)
	if err := s.store.Read(ctx, func(tx *store.Tx) error { return known(tx, append([]string{ownerID}, friendIDs...)) }); err != nil {
		return fmt.Errorf("import friends: %w", err)
	}
	for some := range slices.Chunk(friendIDs, importAtOnce) {
		if err := s.importSome(ctx, ownerID, some); err != nil {
			return fmt.Errorf("import friends: %w", err)
		}
	}
	return nil
}

// importAtOnce is how many become friends in one transaction, with the line in
// their chats that says so.
const importAtOnce = 100

// importSome makes users friends and announces those who were not, each in the
// chat with him as the configuration has it.
func (s *Service) importSome(ctx context.Context, ownerID string, friendIDs []string) error {
	var before []im.Friend
	notices := make([]message.Notification, len(friendIDs))
	for i, id := range friendIDs {
		notices[i] = message.Notification{SendID: id, RecvID: ownerID, Change: func(tx *store.Tx) (im.Notice, error) {
			if i == 0 {
				var err error
				if before, err = s.insertImported(ctx, tx, ownerID, friendIDs); err != nil {
					return nil, err
				}
			}
			if slices.ContainsFunc(before, func(f im.Friend) bool { return f.User.UserID == id }) {
				return nil, nil
			}
			return im.FriendRequestAgreed{ApplicantID: ownerID, ApproverID: id}, nil
		}}
	}
	return s.messages.Notify(ctx, notices[0], notices[1:]...)
}

// insertImported stores friendships and returns those there were.
func (s *Service) insertImported(ctx context.Context, tx *store.Tx, ownerID string, friendIDs []string) (before []im.Friend, err error) {
	if before, err = tx.Friends(ownerID, friendIDs); err != nil {
		return nil, err
	}
	operator, now := im.CallerOf(ctx).UserID, s.store.Now()
	for _, listOwner := range slices.Sorted(slices.Values(append(slices.Clone(friendIDs), ownerID))) { // locked in user order
		added := []string{ownerID}
		if listOwner == ownerID {
			added = friendIDs
		}
		if err := tx.InsertFriends(listOwner, added, im.FriendImported, operator, now); err != nil {
			return nil, err
		}
	}
	if !tx.Wanted(im.EventFriendsImported) {
		return before, nil
	}
	return before, tx.Record(im.FriendsImported{OwnerID: ownerID, FriendIDs: friendIDs, OperationID: im.OperationOf(ctx)})
}

func checkImport(ownerID string, friendIDs []string) error {
	switch {
	case len(friendIDs) > MaxBatch:
		return im.ErrArgs.With("more than %d friends", MaxBatch)
	case slices.Contains(friendIDs, ownerID):
		return im.ErrOwnFriend.With("user %s", ownerID)
	case len(slices.Compact(slices.Sorted(slices.Values(friendIDs)))) != len(friendIDs):
		return im.ErrArgs.With("friend userID repeated")
	}
	return nil
}

// ask puts a question to the business server if the rules, by reading, allow
// what it is about.
func (s *Service) ask(ctx context.Context, q im.Question, rules func(*store.Tx) error) error {
	if err := s.store.Read(ctx, rules); err != nil {
		return err
	}
	return s.hooks.Ask(s.hooks.WithDeadline(ctx), q)
}

// atOnce is how many questions of one call are under way together.
const atOnce = 16

// errNothing refuses a change that would change nothing, so that nobody is
// told of it.
var errNothing = &im.Error{Msg: "nothing to change"}

// change makes a change to a user's own list and tells his devices, nobody
// else's. A change that returns errNothing is none.
func (s *Service) change(ctx context.Context, ownerID string, f func(*store.Tx) (im.Notice, error)) error {
	err := s.messages.Notify(ctx, message.Notification{SendID: ownerID, RecvID: ownerID, Change: f})
	if errors.Is(err, errNothing) {
		return nil
	}
	return err
}

// Delete removes a friend from a user's list; he stays in the friend's. That he
// was not in it is no error.
func (s *Service) Delete(ctx context.Context, ownerID, friendID string) error {
	operationID := im.OperationOf(ctx)
	return s.change(ctx, ownerID, func(tx *store.Tx) (im.Notice, error) {
		err := tx.DeleteFriend(ownerID, friendID)
		switch {
		case errors.Is(err, store.ErrNotListed):
			err = errNothing
		case err == nil && tx.Wanted(im.EventFriendDeleted):
			err = tx.Record(im.FriendRemoved{OwnerID: ownerID, FriendID: friendID, OperationID: operationID})
		}
		return im.FriendDeleted{OwnerID: ownerID, FriendID: friendID}, err
	})
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
	err = s.store.Read(ctx, func(tx *store.Tx) (err error) {
		bInA, aInB, err = areFriends(tx, a, b)
		return err
	})
	return bInA, aInB, err
}

func areFriends(tx *store.Tx, a, b string) (bInA, aInB bool, err error) {
	ofA, err := tx.Friends(a, []string{b})
	if err != nil {
		return false, false, err
	}
	ofB, err := tx.Friends(b, []string{a})
	return len(ofA) > 0, len(ofB) > 0, err
}

// Block makes a user refuse another's messages. Only he is told.
func (s *Service) Block(ctx context.Context, ownerID, blockedID, ex string) error {
	switch {
	case ownerID == blockedID:
		return im.ErrNotFound.With("user not found")
	case tooLong(&ex):
		return errTooLong
	}
	if s.hooks.Wants(im.AskBlock) {
		if err := s.ask(ctx, &im.MayBlock{OwnerID: ownerID, BlockedID: blockedID}, func(tx *store.Tx) error {
			return mayBlock(tx, ownerID, blockedID)
		}); err != nil {
			return err
		}
		ctx = context.WithoutCancel(ctx)
	}
	operator := im.CallerOf(ctx).UserID
	return s.change(ctx, ownerID, func(tx *store.Tx) (im.Notice, error) {
		if err := known(tx, []string{ownerID, blockedID}); err != nil {
			return nil, err
		}
		err := tx.InsertBlock(ownerID, blockedID, ex, operator, s.store.Now())
		if errors.Is(err, store.ErrDuplicateKey) {
			err = im.ErrDuplicate.With("user %s is blocked already", blockedID)
		}
		return im.UserBlocked{OwnerID: ownerID, BlockedID: blockedID}, err
	})
}

func mayBlock(tx *store.Tx, ownerID, blockedID string) error {
	if err := known(tx, []string{ownerID, blockedID}); err != nil {
		return err
	}
	blocks, err := tx.Blocks(ownerID, []string{blockedID})
	if err == nil && len(blocks) > 0 {
		err = im.ErrDuplicate.With("user %s is blocked already", blockedID)
	}
	return err
}

// Unblock takes a block back; without one it does nothing.
func (s *Service) Unblock(ctx context.Context, ownerID, blockedID string) error {
	operationID := im.OperationOf(ctx)
	return s.change(ctx, ownerID, func(tx *store.Tx) (im.Notice, error) {
		err := tx.DeleteBlock(ownerID, blockedID)
		switch {
		case errors.Is(err, store.ErrNotListed):
			err = errNothing
		case err == nil && tx.Wanted(im.EventUserUnblocked):
			err = tx.Record(im.BlockRemoved{OwnerID: ownerID, BlockedID: blockedID, OperationID: operationID})
		}
		return im.UserUnblocked{OwnerID: ownerID, BlockedID: blockedID}, err
	})
}

// BlockChanges returns what changed in the list of whom a user blocks since a
// version. Changes of their profiles do not count.
func (s *Service) BlockChanges(ctx context.Context, ownerID string, since im.Version) (store.Delta[im.Block], error) {
	return store.Sync(ctx, s.store, im.VersionBlocks, ownerID, since, func(tx *store.Tx, after uint64, limit int) (inserted, _ []im.Block, err error) {
		inserted, err = tx.BlockChanges(ownerID, after, limit)
		return inserted, nil, err
	})
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
