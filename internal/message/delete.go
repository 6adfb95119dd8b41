package message

import (
	"context"
	"slices"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// Reach says for whom messages are deleted or conversations cleared.
type Reach uint8

// Reaches.
const (
	ForSelf      Reach = iota // the user; other devices find out by pulling
	ForSelfTold               // the user, and his other devices are told
	ForEverybody              // all who see the conversation
)

// maxDelete is the most messages deleted, or conversations cleared, by one
// request.
const maxDelete = 1000

// Delete removes messages from a user's view, or for everybody. Deleting for
// everybody takes the rights of revoking each of them (websocket-and-messages
// 8.3).
func (s *Service) Delete(ctx context.Context, userID string, c im.ConversationID, seqs []im.Seq, reach Reach) error {
	caller := im.CallerOf(ctx)
	switch {
	case !caller.May(userID):
		return im.ErrNoPermission.With("cannot delete for %s", userID)
	case len(seqs) == 0 || len(seqs) > maxDelete:
		return im.ErrArgs.With("seqs must list 1 to %d messages", maxDelete)
	case c.IsNotification():
		return im.ErrArgs.With("%s holds notifications", c)
	}
	notice := im.MessagesDeleted{UserID: userID, ConversationID: c, Seqs: seqs}
	n := Notification{SendID: userID, RecvID: userID, Stored: true}
	var row im.Conversation
	if err := s.store.Read(ctx, func(tx *store.Tx) (err error) {
		var found bool
		if row, found, err = tx.Conversation(userID, c); err != nil {
			return err
		}
		if !found {
			return im.ErrNotFound.With("conversation %s", c)
		}
		if reach != ForEverybody || caller.Admin {
			return nil
		}
		u, _, err := tx.User(userID)
		if err != nil {
			return err
		}
		for part := range slices.Chunk(seqs, readStep) {
			msgs, err := tx.MessagesBySeq(c, part)
			if err != nil {
				return err
			}
			for _, m := range msgs {
				if _, err := mayRemove(tx, u, m); err != nil {
					return err
				}
			}
		}
		return nil
	}); err != nil {
		return err
	}
	switch reach {
	case ForEverybody:
		n.RecvID, n.GroupID = row.UserID, row.GroupID
		n.Change = func(tx *store.Tx) (im.Notice, error) { return notice, tx.RemoveMessages(c, seqs) }
		return s.Notify(ctx, n)
	case ForSelfTold:
		n.Change = func(tx *store.Tx) (im.Notice, error) { return notice, tx.HideMessages(userID, c, seqs) }
		return s.Notify(ctx, n)
	default:
		return s.store.Write(ctx, func(tx *store.Tx) error { return tx.HideMessages(userID, c, seqs) })
	}
}

// RemovePhysically deletes messages for everybody without telling anybody; for
// administrators.
func (s *Service) RemovePhysically(ctx context.Context, c im.ConversationID, seqs []im.Seq) error {
	if !im.CallerOf(ctx).Admin {
		return im.ErrNoPermission.With("only administrators remove messages")
	}
	if len(seqs) > maxDelete {
		return im.ErrArgs.With("more than %d messages", maxDelete)
	}
	return s.store.Write(ctx, func(tx *store.Tx) error { return tx.RemoveMessages(c, seqs) })
}

// Clear empties conversations: what is in them now is seen no more, by the user
// or, with ForEverybody, by anybody. The latter takes an administrator, or the
// owner of the group. Conversations the user does not have are left out
// (websocket-and-messages 8.4).
func (s *Service) Clear(ctx context.Context, userID string, ids []im.ConversationID, reach Reach) error {
	if !im.CallerOf(ctx).May(userID) {
		return im.ErrNoPermission.With("cannot clear for %s", userID)
	}
	if len(ids) == 0 || len(ids) > maxDelete {
		return im.ErrArgs.With("conversationIDs must list 1 to %d conversations", maxDelete)
	}
	rows, err := s.clearable(ctx, userID, ids, reach)
	if err != nil || len(rows) == 0 {
		return err
	}
	for _, row := range rows {
		if err := s.store.Write(ctx, func(tx *store.Tx) error { return clearOne(tx, row, reach) }); err != nil {
			return err
		}
		n := Notification{SendID: userID, RecvID: userID, Notice: im.ConversationsChanged{UserID: userID, ConversationIDs: []im.ConversationID{row.ConversationID}}}
		if reach == ForEverybody {
			n.RecvID, n.GroupID = row.UserID, row.GroupID
			n.Notice = im.ConversationsCleared{UserID: userID, ConversationIDs: []im.ConversationID{row.ConversationID}}
		}
		if err := s.Notify(ctx, n); err != nil {
			return err
		}
	}
	if reach != ForSelfTold {
		return nil
	}
	return s.Notify(ctx, Notification{SendID: userID, RecvID: userID, Notice: im.ConversationsCleared{UserID: userID, ConversationIDs: ids}})
}

// ClearAll clears every conversation of a user.
func (s *Service) ClearAll(ctx context.Context, userID string, reach Reach) error {
	if !im.CallerOf(ctx).May(userID) {
		return im.ErrNoPermission.With("cannot clear for %s", userID)
	}
	var ids []im.ConversationID
	if err := s.store.Read(ctx, func(tx *store.Tx) (err error) {
		ids, err = tx.ConversationIDs(userID)
		return err
	}); err != nil {
		return err
	}
	for len(ids) > 0 {
		n := min(len(ids), maxDelete)
		if err := s.Clear(ctx, userID, ids[:n], reach); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}

// clearable returns the user's rows that he may clear.
func (s *Service) clearable(ctx context.Context, userID string, ids []im.ConversationID, reach Reach) (rows []im.Conversation, err error) {
	admin := im.CallerOf(ctx).Admin
	err = s.store.Read(ctx, func(tx *store.Tx) error {
		if rows, err = tx.Conversations(userID, ids); err != nil || reach != ForEverybody || admin {
			return err
		}
		for _, row := range rows {
			rules, err := tx.GroupRules(row.GroupID, userID)
			if err != nil {
				return err
			}
			if row.Type != im.GroupChat || rules.Role != im.RoleOwner {
				return im.ErrNoPermission.With("conversation %s is others' too", row.ConversationID)
			}
		}
		return nil
	})
	return rows, err
}

// clearOne moves the beginning behind the last message, which is then read.
func clearOne(tx *store.Tx, row im.Conversation, reach Reach) error {
	last, err := tx.MaxSeq(row.ConversationID)
	if err != nil {
		return err
	}
	if reach == ForEverybody {
		err = tx.RaiseMinSeq(row.ConversationID, last+1)
	} else {
		first := last + 1
		_, err = tx.UpdateConversation(row.OwnerID, row.ConversationID, store.ConversationChange{MinSeq: &first})
	}
	if err != nil {
		return err
	}
	_, err = tx.AdvanceReadSeq(row.OwnerID, row.ConversationID, last)
	return err
}

// chatMessage returns a stored message.
func chatMessage(tx *store.Tx, c im.ConversationID, seq im.Seq) (*im.Message, error) {
	msgs, err := tx.MessagesBySeq(c, []im.Seq{seq})
	if err != nil {
		return nil, err
	}
	if len(msgs) == 0 {
		return nil, im.ErrNotFound.With("message %d of %s", seq, c)
	}
	return msgs[0], nil
}
