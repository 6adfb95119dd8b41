package message

import (
	"context"
	"fmt"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// Sizes of the steps in which old messages go. Other writes get their turn in
// between.
const (
	trimStep     = 500 // messages
	expireLogs   = 200 // logs looked at
	destructStep = 100 // conversations looked at
)

// RemoveOlder removes the messages at the beginning of conversations that were
// sent before a time, for everybody and without telling anybody; for
// administrators.
func (s *Service) RemoveOlder(ctx context.Context, ids []im.ConversationID, before im.Millis) error {
	switch {
	case !im.CallerOf(ctx).Admin:
		return im.ErrNoPermission.With("only administrators remove messages")
	case len(ids) > maxDelete:
		return im.ErrArgs.With("more than %d conversations", maxDelete)
	}
	for _, c := range ids {
		for {
			n, err := s.trim(ctx, c, before)
			if err != nil {
				return err
			}
			if n < trimStep {
				break
			}
		}
	}
	return nil
}

// trim removes one step of a log's old messages and returns how many.
func (s *Service) trim(ctx context.Context, c im.ConversationID, before im.Millis) (n int, err error) {
	err = s.store.Write(ctx, func(tx *store.Tx) (err error) {
		n, err = tx.TrimLog(c, before, trimStep)
		return err
	})
	return n, err
}

// Expire returns the steps of removing all messages sent before a time, of chats
// and notifications alike: each call does one and reports whether it was the
// last. Logs then begin behind what was removed, for everybody; nobody is told.
func (s *Service) Expire(before im.Millis) func(context.Context) (done bool, err error) {
	var after int64
	var old []store.LogAge // of the page being worked on
	return func(ctx context.Context) (bool, error) {
		if len(old) > 0 {
			n, err := s.trim(ctx, old[0].ConversationID, before)
			if err != nil {
				return false, fmt.Errorf("expire messages: %w", err)
			}
			if n < trimStep {
				old = old[1:]
			}
			return false, nil
		}
		var page []store.LogAge
		if err := s.store.Read(ctx, func(tx *store.Tx) (err error) {
			page, err = tx.LogAges(after, expireLogs)
			return err
		}); err != nil {
			return false, fmt.Errorf("look for old messages: %w", err)
		}
		for _, l := range page {
			after = l.ID
			if l.Oldest > 0 && l.Oldest < before {
				old = append(old, l)
			}
		}
		return len(page) == 0, nil
	}
}

// Destruct returns the steps of hiding from users the messages that are older
// than they want to see in a conversation (isMsgDestruct, msgDestructTime): each
// call does one and reports whether it was the last. Each conversation that
// changes is told to its user's devices.
func (s *Service) Destruct(now im.Millis) func(context.Context) (done bool, err error) {
	var after int64
	return func(ctx context.Context) (bool, error) {
		var rows []im.Conversation
		var last int64
		var upTo []im.Seq // of each row, what disappears; 0 for nothing
		if err := s.store.Read(ctx, func(tx *store.Tx) (err error) {
			if rows, last, err = tx.Destructing(after, destructStep); err != nil {
				return err
			}
			upTo = make([]im.Seq, len(rows))
			for i, row := range rows {
				upTo[i], err = tx.LastSeqBefore(row.ConversationID, max(row.MinSeq, 1), now-im.Millis(row.DestructTime)*1000)
				if err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return false, fmt.Errorf("look for messages to destruct: %w", err)
		}
		for i, row := range rows {
			if upTo[i] == 0 {
				continue
			}
			if err := s.hideUpTo(ctx, row, upTo[i], now); err != nil {
				return false, fmt.Errorf("destruct messages: %w", err)
			}
		}
		after = last
		return len(rows) < destructStep, nil
	}
}

// hideUpTo moves the beginning of a user's conversation behind seq, unless he
// changed his mind meanwhile.
func (s *Service) hideUpTo(ctx context.Context, row im.Conversation, seq im.Seq, now im.Millis) error {
	changed := false
	err := s.store.Write(ctx, func(tx *store.Tx) error {
		changed = false
		current, found, err := tx.Conversation(row.OwnerID, row.ConversationID)
		if err != nil || !found || !current.Destruct || current.DestructTime != row.DestructTime || current.MinSeq > seq {
			return err
		}
		first := seq + 1
		changed, err = tx.UpdateConversation(row.OwnerID, row.ConversationID, store.ConversationChange{MinSeq: &first, DestructedAt: &now})
		return err
	})
	if err != nil || !changed {
		return err
	}
	if err := s.Notify(ctx, Notification{
		SendID: row.OwnerID, RecvID: row.OwnerID,
		Notice: im.ConversationsChanged{UserID: row.OwnerID, ConversationIDs: []im.ConversationID{row.ConversationID}},
	}); err != nil {
		s.options.Logger.WarnContext(ctx, "conversation change was not announced", "error", err)
	}
	return nil
}
