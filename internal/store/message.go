package store

import (
	"fmt"
	"slices"

	"github.com/parley-im/parley/internal/im"
)

// LogState is a conversation's log as readers see it.
type LogState struct {
	ConversationID im.ConversationID
	MaxSeq         im.Seq
	MinSeq         im.Seq // first seq still there, 0: all
	MaxSeqTime     im.Millis
}

func logStateFields(l *LogState) []any {
	return []any{&l.ConversationID, &l.MaxSeq, &l.MinSeq, &l.MaxSeqTime}
}

// LogStates returns the logs that exist among the given conversations.
func (tx *Tx) LogStates(ids []im.ConversationID) ([]LogState, error) {
	return queryIn(tx, logStateFields, `SELECT l.conversation_id, `+tx.dialect.maxSeq()+`, l.min_seq, `+tx.dialect.maxTime()+`
		FROM log l WHERE l.conversation_id IN (%s)`, nil, ids)
}

// MaxSeq returns the last seq of a conversation, 0 if it has none.
func (tx *Tx) MaxSeq(c im.ConversationID) (seq im.Seq, err error) {
	_, err = tx.queryRow(`SELECT `+tx.dialect.maxSeq()+` FROM log l WHERE l.conversation_id = $1`, []any{c}, &seq)
	return seq, err
}

// ReadSeqs returns how far a user has read, for the conversations in which he
// has read anything.
func (tx *Tx) ReadSeqs(userID string, ids []im.ConversationID) (map[im.ConversationID]im.Seq, error) {
	type row struct {
		id  im.ConversationID
		seq im.Seq
	}
	rows, err := queryIn(tx, func(r *row) []any { return []any{&r.id, &r.seq} },
		`SELECT l.conversation_id, r.seq FROM log l JOIN read_position r ON r.log = l.id
		WHERE r.user_id = $1 AND l.conversation_id IN (%s)`, []any{userID}, ids)
	if err != nil {
		return nil, err
	}
	out := make(map[im.ConversationID]im.Seq, len(rows))
	for _, r := range rows {
		out[r.id] = r.seq
	}
	return out, nil
}

// AdvanceReadSeq raises a user's read position; it never goes back. It reports
// false if the conversation has no log.
func (tx *Tx) AdvanceReadSeq(userID string, c im.ConversationID, seq im.Seq) (bool, error) {
	var log int64
	found, err := tx.queryRow(`SELECT id FROM log WHERE conversation_id = $1`, []any{c}, &log)
	if err != nil || !found {
		return false, err
	}
	if _, err := tx.exec(advanceRead, userID, log, seq); err != nil {
		return false, fmt.Errorf("advance read position: %w", err)
	}
	return true, nil
}

// MessagesBySeq returns the stored messages with the given seqs, ascending.
// Seqs without a message are left out.
func (tx *Tx) MessagesBySeq(c im.ConversationID, seqs []im.Seq) ([]*im.Message, error) {
	rows, err := queryIn(tx, storedFields, `SELECT m.seq, m.client_id, m.send_time, m.data FROM log l JOIN message m ON m.log = l.id
		WHERE l.conversation_id = $1 AND m.seq IN (%s)`, []any{c}, seqs)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(rows, func(a, b storedMessage) int { return int(a.seq - b.seq) })
	return decodeRows(c, rows)
}

// MessageRange returns the stored messages from first to last, ascending.
func (tx *Tx) MessageRange(c im.ConversationID, first, last im.Seq) ([]*im.Message, error) {
	rows, err := queryAll(tx, storedFields, `SELECT m.seq, m.client_id, m.send_time, m.data FROM log l JOIN message m ON m.log = l.id
		WHERE l.conversation_id = $1 AND m.seq >= $2 AND m.seq <= $3 ORDER BY m.seq`, c, first, last)
	if err != nil {
		return nil, err
	}
	return decodeRows(c, rows)
}

// LastMessage returns the newest message from first to last that the user did not
// delete for himself, or nil.
func (tx *Tx) LastMessage(userID string, c im.ConversationID, first, last im.Seq) (*im.Message, error) {
	rows, err := queryAll(tx, storedFields, `SELECT m.seq, m.client_id, m.send_time, m.data FROM log l JOIN message m ON m.log = l.id
		WHERE l.conversation_id = $1 AND m.seq >= $2 AND m.seq <= $3
		AND NOT EXISTS (SELECT 1 FROM hidden_message h WHERE h.user_id = $4 AND h.log = l.id AND h.seq = m.seq)
		ORDER BY m.seq DESC LIMIT 1`, c, first, last, userID)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return rows[0].message(c)
}

func decodeRows(c im.ConversationID, rows []storedMessage) ([]*im.Message, error) {
	out := make([]*im.Message, 0, len(rows))
	for i := range rows {
		m, err := rows[i].message(c)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}
