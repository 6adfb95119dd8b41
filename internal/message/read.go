package message

import (
	"context"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// SetReadSeq raises how far a user has read a conversation and tells his other
// devices.
func (s *Service) SetReadSeq(ctx context.Context, userID string, c im.ConversationID, seq im.Seq) error {
	row, err := s.reader(ctx, userID, c, seq, true)
	if err != nil {
		return err
	}
	return s.raise(ctx, row, userID, im.MessagesRead{ReaderID: userID, ConversationID: c, ReadSeq: seq}, nil)
}

// MarkConversationRead raises the read position; the peer of a single chat is
// told, other devices of the user otherwise (websocket-and-messages 8.1).
func (s *Service) MarkConversationRead(ctx context.Context, userID string, c im.ConversationID, seq im.Seq, seqs []im.Seq) error {
	row, err := s.reader(ctx, userID, c, seq, false)
	if err != nil {
		return err
	}
	n := im.MessagesRead{ReaderID: userID, ConversationID: c, ReadSeq: seq}
	to := userID
	if row.Type == im.SingleChat {
		n.Seqs, to = receiptSeqs(seqs), row.UserID
	}
	e := reported(ctx, row, n)
	e.Whole = true
	return s.raise(ctx, row, to, n, &e)
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
	row, err := s.reader(ctx, userID, c, last, true)
	if err != nil {
		return err
	}
	n := im.MessagesRead{ReaderID: userID, ConversationID: c, Seqs: receiptSeqs(seqs), ReadSeq: last}
	e := reported(ctx, row, n)
	return s.raise(ctx, row, row.UserID, n, &e)
}

// reported is the event of a read.
func reported(ctx context.Context, row im.Conversation, n im.MessagesRead) im.ReadReported {
	return im.ReadReported{
		ReaderID: n.ReaderID, ConversationID: n.ConversationID, Type: row.Type, GroupID: row.GroupID,
		Seqs: n.Seqs, ReadSeq: n.ReadSeq, OperationID: im.OperationOf(ctx),
	}
}

// maxReceiptSeqs bounds a receipt like any other message: its readers could not
// read it otherwise. The read position says the same of older messages.
const maxReceiptSeqs = 5000

func receiptSeqs(seqs []im.Seq) []im.Seq {
	return seqs[max(0, len(seqs)-maxReceiptSeqs):]
}

// newlyRead lists what a receipt for a whole conversation must name: clients
// mark by seq, and a freshly installed one reports only what it has pulled.
// listed are seqs that it named; those outside of the new range follow it.
func newlyRead(old, now im.Seq, listed []im.Seq) []im.Seq {
	var seqs []im.Seq
	for q := max(old, now-maxReceiptSeqs) + 1; q <= now; q++ {
		seqs = append(seqs, q)
	}
	for _, q := range listed {
		if q <= old || q > now {
			seqs = append(seqs, q)
		}
	}
	return receiptSeqs(seqs)
}

// reader checks rights and bounds and returns the user's row.
func (s *Service) reader(ctx context.Context, userID string, c im.ConversationID, seq im.Seq, strict bool) (row im.Conversation, err error) {
	if !im.CallerOf(ctx).May(userID) {
		return row, im.ErrNoPermission.With("cannot read for %s", userID)
	}
	if seq < 1 {
		return row, im.ErrArgs.With("hasReadSeq must be 1 or more")
	}
	err = s.store.Read(ctx, func(tx *store.Tx) error {
		var found bool
		var err error
		if row, found, err = tx.Conversation(userID, c); err != nil {
			return err
		}
		last, err := tx.MaxSeq(c)
		switch {
		case err != nil:
			return err
		case strict && seq > last:
			return im.ErrArgs.With("hasReadSeq %d is beyond the last message, %d", seq, last)
		case !found:
			return im.ErrNotFound.With("conversation %s", c)
		}
		return nil
	})
	return row, err
}

// raise stores the read position together with its receipt and its event, if it
// is one that is reported. to is who is told: "" means the group.
func (s *Service) raise(ctx context.Context, row im.Conversation, to string, n im.MessagesRead, e *im.ReadReported) error {
	out := Notification{SendID: n.ReaderID, RecvID: to, Stored: to != n.ReaderID}
	if to == "" {
		out.GroupID = row.GroupID
	}
	out.Change = func(tx *store.Tx) (im.Notice, error) {
		last, err := tx.MaxSeq(n.ConversationID)
		if err != nil {
			return nil, err
		}
		told := n
		told.ReadSeq = min(n.ReadSeq, last)
		if e != nil && e.Whole && row.Type == im.SingleChat {
			read, err := tx.ReadSeqs(n.ReaderID, []im.ConversationID{n.ConversationID})
			if err != nil {
				return nil, err
			}
			told.Seqs = newlyRead(read[n.ConversationID], told.ReadSeq, n.Seqs)
		}
		if _, err = tx.AdvanceReadSeq(n.ReaderID, n.ConversationID, told.ReadSeq); err == nil && e != nil {
			reported := *e
			reported.ReadSeq = told.ReadSeq
			err = tx.Record(reported)
		}
		return told, err
	}
	return s.Notify(ctx, out)
}
