package message

import (
	"context"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// SetReadSeq raises how far a user has read a conversation and tells his other
// devices.
func (s *Service) SetReadSeq(ctx context.Context, userID string, c im.ConversationID, seq im.Seq) error {
	row, err := s.raise(ctx, userID, c, seq, true)
	if err != nil {
		return err
	}
	return s.notifyRead(ctx, row, userID, im.MessagesRead{ReaderID: userID, ConversationID: c, ReadSeq: seq})
}

// MarkConversationRead raises the read position; the peer of a single chat is
// told, other devices of the user otherwise (websocket-and-messages 8.1).
func (s *Service) MarkConversationRead(ctx context.Context, userID string, c im.ConversationID, seq im.Seq, seqs []im.Seq) error {
	row, err := s.raise(ctx, userID, c, seq, false)
	if err != nil {
		return err
	}
	n := im.MessagesRead{ReaderID: userID, ConversationID: c, ReadSeq: seq}
	to := userID
	if row.Type == im.SingleChat {
		n.Seqs, to = seqs, row.UserID
	}
	return s.notifyRead(ctx, row, to, n)
}

// MarkMessagesRead marks single messages read, raises the read position to the
// last of them, and tells the peer or group.
func (s *Service) MarkMessagesRead(ctx context.Context, userID string, c im.ConversationID, seqs []im.Seq) error {
	if len(seqs) == 0 {
		return im.ErrArgs.With("seqs is empty")
	}
	var last im.Seq
	for _, q := range seqs {
		last = max(last, q)
	}
	row, err := s.raise(ctx, userID, c, last, true)
	if err != nil {
		return err
	}
	n := im.MessagesRead{ReaderID: userID, ConversationID: c, Seqs: seqs, ReadSeq: last}
	return s.notifyRead(ctx, row, row.UserID, n)
}

// raise checks rights and bounds and stores the read position.
func (s *Service) raise(ctx context.Context, userID string, c im.ConversationID, seq im.Seq, strict bool) (row im.Conversation, err error) {
	if !im.CallerOf(ctx).May(userID) {
		return row, im.ErrNoPermission.With("cannot read for %s", userID)
	}
	if seq < 1 {
		return row, im.ErrArgs.With("hasReadSeq must be 1 or more")
	}
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		var found bool
		var err error
		if row, found, err = tx.Conversation(userID, c); err != nil {
			return err
		}
		last, err := tx.MaxSeq(c)
		if err != nil {
			return err
		}
		if strict && seq > last {
			return im.ErrArgs.With("hasReadSeq %d is beyond the last message, %d", seq, last)
		}
		if !found {
			return im.ErrNotFound.With("conversation %s", c)
		}
		_, err = tx.AdvanceReadSeq(userID, c, min(seq, last))
		return err
	})
	return row, err
}

// notifyRead sends a read receipt: stored if it goes to somebody else.
func (s *Service) notifyRead(ctx context.Context, row im.Conversation, to string, n im.MessagesRead) error {
	out := Notification{SendID: n.ReaderID, RecvID: to, Notice: n, Stored: to != n.ReaderID}
	if to == "" {
		out.RecvID, out.GroupID = "", row.GroupID
	}
	return s.Notify(ctx, out)
}
