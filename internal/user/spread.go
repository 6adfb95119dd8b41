package user

import (
	"context"
	"fmt"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/store"
)

// spreadSize is how many friend lists one transaction counts a changed profile
// in.
const spreadSize = 200

func spreadChunk(tx *store.Tx, userID string) (friends []string, rest bool, err error) {
	friends, done, err := tx.SpreadProfile(userID, spreadSize)
	return friends, !done, err
}

// spread counts a changed profile in the friend lists that are left, and tells
// their owners. Two at once share the work.
func (s *Service) spread(ctx context.Context, operatorID, userID string) error {
	for rest := true; rest; {
		var friends []string
		err := s.store.Write(ctx, func(tx *store.Tx) (err error) {
			friends, rest, err = spreadChunk(tx, userID)
			return err
		})
		if err != nil {
			return fmt.Errorf("spread profile of %s: %w", userID, err)
		}
		s.tellFriends(ctx, operatorID, userID, friends)
	}
	return nil
}

// FinishSpreads counts the changed profiles that a crash kept from being
// counted in every friend list. It is called at the start.
func (s *Service) FinishSpreads(ctx context.Context) error {
	var userIDs []string
	if err := s.store.Read(ctx, func(tx *store.Tx) (err error) {
		userIDs, err = tx.ProfileSpreads()
		return err
	}); err != nil {
		return err
	}
	for _, userID := range userIDs {
		if err := s.spread(ctx, userID, userID); err != nil {
			return err
		}
	}
	return nil
}

// tellFriends announces a changed profile to those who have the user in their
// list.
func (s *Service) tellFriends(ctx context.Context, operatorID, userID string, friends []string) {
	for _, id := range friends {
		s.tell(ctx, message.Notification{SendID: operatorID, RecvID: id, Notice: im.FriendProfileChanged{UserID: userID}})
	}
}

func (s *Service) tell(ctx context.Context, n message.Notification) {
	if err := s.messages.Notify(ctx, n); err != nil {
		s.log.WarnContext(ctx, "profile change was not announced", "user", n.RecvID, "error", err)
	}
}
