package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/parley-im/parley/internal/im"
)

// Append is a request to accept one message. The store fills Message.Seq; from
// then on the message is shared and must not be changed.
type Append struct {
	Message     *im.Message
	OperationID string

	// Unstored messages (option history off) get no seq and no row; their
	// events are recorded all the same.
	Unstored bool
	// Dedup looks for an earlier send with the same sender, conversation and
	// client id within DedupWindow. Off for what the server writes itself.
	Dedup bool
	// Sent records im.MessageSent. Off for messages that report an event.
	Sent bool
	// Check runs inside the transaction, before anything of the message is
	// written. It decides once more by the rules that were checked before a
	// handler was waited for, and makes the change that a notification reports.
	// It must decide before it writes: an *im.Error refuses the message alone,
	// any other error voids the transaction.
	Check func(*Tx) error
	// Placed runs after Check, once it is known which seq the message has: before
	// is the last seq of the log before it, last the last one now. They are equal
	// for an unstored message. An error voids the transaction. Not for requests
	// that are unstored from the start.
	Placed func(tx *Tx, before, last im.Seq) error
	// Skip, when Check sets it, means that there is no message after all. What
	// Check wrote stays.
	Skip bool
	// Then are further messages of the same transaction, in order. They are
	// stored, and their Committed runs, only if this message is accepted; none of
	// them may be refused.
	Then []*Append
	// Owners are the users whose conversation rows must exist with the message.
	Owners []im.Conversation
	// Incomplete: somebody who takes part is not among the Owners, and may get his
	// row with a later message.
	Incomplete bool
	// Reopen is instead of Owners for a message in a group, whose members have
	// rows since they came: who deleted his gets one again.
	Reopen bool

	// Committed runs right after the durable commit, in commit order within a
	// conversation, before Append returns. It must not block. It does not run
	// for a duplicate.
	Committed func(*im.Message)

	// Reopens is set when more members than one transaction may concern are to
	// get their rows again: the rest is a spread of the kind SpreadClosedChats.
	Reopens bool
	// Duplicate is set to the first message when this one repeats it.
	Duplicate *im.Message
}

// all is the request with those that follow it.
func (a *Append) all() []*Append { return append([]*Append{a}, a.Then...) }

// placed runs Placed when last is the last seq of the log.
func (a *Append) placed(tx *Tx, last im.Seq) error {
	before := last
	if !a.Unstored {
		before--
	}
	return protect(func(tx *Tx) error { return a.Placed(tx, before, last) }, tx)
}

// ErrDuplicateSend is returned by Append when Duplicate was set.
var ErrDuplicateSend = errors.New("store: message was sent before")

// Append stores a message as the next of its conversation, together with its
// conversation rows, the sender's read position and its outbox rows, and
// returns after the durable commit. The caller's context is obeyed only until
// the store starts on the message: after that the outcome is always reported.
func (s *Store) Append(ctx context.Context, a *Append) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.engine.append(ctx, a)
}

// opens reports whether conversation rows must exist with the message.
func (a *Append) opens() bool { return len(a.Owners) > 0 || a.Reopen }

// reopenedAtOnce is how many members get their rows again with the message.
const reopenedAtOnce = 100

// openConversations creates the missing conversation rows of a message and
// counts each in its owner's version log.
func (tx *Tx) openConversations(a *Append) error {
	a.Reopens = false
	if m := a.Message; a.Reopen {
		reopened, err := tx.OpenClosedChats(m.ConversationID, m.GroupID, reopenedAtOnce)
		if err != nil {
			return fmt.Errorf("open %s: %w", m.ConversationID, err)
		}
		if len(reopened) == reopenedAtOnce {
			a.Reopens = true
			return tx.BeginSpread(Spread{Kind: SpreadClosedChats, Subject: m.GroupID})
		}
		return nil
	}
	for _, c := range a.Owners {
		made, err := tx.InsertConversation(c)
		if err != nil {
			return fmt.Errorf("open conversation %s of %s: %w", c.ConversationID, c.OwnerID, err)
		}
		if !made || !tx.Wanted(im.EventChatOpened) {
			continue
		}
		if err := tx.Record(im.ChatOpened{Row: c, OperationID: a.OperationID}); err != nil {
			return err
		}
	}
	return nil
}

// sendTimeSlack is how far a log's last send time may be ahead of a new
// message's for the new one to be moved behind it. Larger gaps come from an
// administrator who sends with a time of his own.
const sendTimeSlack = 10_000

// followSendTime keeps send times rising with seqs: clients sort a history by
// send time and lose a message at a page's edge if two are equal.
func followSendTime(m *im.Message, last im.Millis) {
	if ahead := last - m.SendTime; ahead >= 0 && ahead < sendTimeSlack {
		m.SendTime = last + 1
	}
}

// isSameSend reports whether the stored message is an earlier attempt of m.
func isSameSend(stored, m *im.Message) bool {
	return stored.ClientMsgID == m.ClientMsgID && stored.SendID == m.SendID
}

// FindSend looks for a message with the sender and client id of m, stored
// within DedupWindow, and returns nil if there is none.
func (s *Store) FindSend(ctx context.Context, m *im.Message) (*im.Message, error) {
	if lite, ok := s.engine.(*sqliteEngine); ok && !lite.recent.mayHold(m.SendID, m.ConversationID, m.ClientMsgID) {
		return nil, nil
	}
	var found *im.Message
	err := s.Read(ctx, func(tx *Tx) (err error) {
		found, err = tx.findSend(m)
		return err
	})
	return found, err
}

// findSend looks for an earlier send of m: PostgreSQL has a table of them,
// SQLite walks the conversation backwards to the start of the window.
func (tx *Tx) findSend(m *im.Message) (*im.Message, error) {
	since := tx.store.Now() - dedupMillis
	if tx.dialect.postgres {
		var seq im.Seq
		found, err := tx.queryRow(`SELECT r.seq FROM log l JOIN recent_send r ON r.log = l.id
			WHERE l.conversation_id = $1 AND r.client_id = $2 AND r.sender_id = $3 AND r.send_time >= $4`,
			[]any{m.ConversationID, m.ClientMsgID, m.SendID, since}, &seq)
		if err != nil || !found {
			return nil, err
		}
		first, err := tx.MessagesBySeq(m.ConversationID, []im.Seq{seq})
		if err != nil || len(first) == 0 {
			return nil, err
		}
		return first[0], nil
	}
	var before im.Seq = 1 << 62
	for {
		page, err := queryAll(tx, storedFields, `SELECT m.seq, m.client_id, m.send_time, m.data FROM log l JOIN message m ON m.log = l.id
			WHERE l.conversation_id = $1 AND m.seq < $2 ORDER BY m.seq DESC LIMIT 200`, m.ConversationID, before)
		if err != nil {
			return nil, err
		}
		old := 0
		for _, row := range page {
			if row.sendTime < since {
				old++
				continue
			}
			if row.clientID != m.ClientMsgID {
				continue
			}
			stored, err := row.message(m.ConversationID)
			if err != nil {
				return nil, err
			}
			if isSameSend(stored, m) {
				return stored, nil
			}
		}
		// An administrator may have sent with a time of long ago in between; a
		// whole page of old ones is the end.
		if old == len(page) || len(page) < 200 {
			return nil, nil
		}
		before = page[len(page)-1].seq
	}
}

// storedMessage is a row of the message table.
type storedMessage struct {
	seq      im.Seq
	clientID string
	sendTime im.Millis
	data     []byte
}

func storedFields(r *storedMessage) []any { return []any{&r.seq, &r.clientID, &r.sendTime, &r.data} }

func (r *storedMessage) message(c im.ConversationID) (*im.Message, error) {
	m := &im.Message{ConversationID: c, Seq: r.seq, ClientMsgID: r.clientID, SendTime: r.sendTime}
	if err := decodeMessage(r.data, m); err != nil {
		return nil, fmt.Errorf("message %d of %s: %w", r.seq, c, err)
	}
	return m, nil
}
