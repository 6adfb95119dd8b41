package store

import (
	"fmt"

	"github.com/parley-im/parley/internal/im"
)

// Revoke marks a stored message as taken back. The message keeps its place and
// everything else. It reports false if it was revoked before, and
// im.ErrNotFound if it does not exist.
func (tx *Tx) Revoke(c im.ConversationID, seq im.Seq, r im.Revocation) (bool, error) {
	msgs, err := tx.MessagesBySeq(c, []im.Seq{seq})
	if err != nil {
		return false, err
	}
	if len(msgs) == 0 {
		return false, im.ErrNotFound.With("message %d of %s", seq, c)
	}
	m := msgs[0]
	if m.Revoked != nil {
		return false, nil
	}
	m.Revoked = &r
	_, err = tx.exec(`UPDATE message SET data = $1 WHERE log = (SELECT id FROM log WHERE conversation_id = $2) AND seq = $3`,
		encodeMessage(nil, m), c, seq)
	return err == nil, err
}

// HideMessages deletes messages for one user. Seqs that were never given are
// left out: a client could list them without end.
func (tx *Tx) HideMessages(userID string, c im.ConversationID, seqs []im.Seq) error {
	log, err := tx.logID(c)
	if err != nil || log == 0 {
		return err
	}
	last, err := tx.MaxSeq(c)
	if err != nil {
		return err
	}
	for _, seq := range seqs {
		if seq < 1 || seq > last {
			continue
		}
		if _, err := tx.exec(`INSERT INTO hidden_message (user_id, log, seq) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, userID, log, seq); err != nil {
			return fmt.Errorf("hide message %d of %s: %w", seq, c, err)
		}
	}
	return nil
}

// HiddenMessages returns the seqs from first to last that the user deleted for
// himself.
func (tx *Tx) HiddenMessages(userID string, c im.ConversationID, first, last im.Seq) ([]im.Seq, error) {
	return queryAll(tx, one[im.Seq], `SELECT h.seq FROM log l JOIN hidden_message h ON h.log = l.id
		WHERE l.conversation_id = $1 AND h.user_id = $2 AND h.seq >= $3 AND h.seq <= $4`, c, userID, first, last)
}

// HidesMessages reports whether the user ever deleted a message for himself.
func (tx *Tx) HidesMessages(userID string) (bool, error) {
	return tx.exists(`SELECT 1 FROM hidden_message WHERE user_id = $1 LIMIT 1`, userID)
}

// RemoveMessages deletes messages for everybody. Their seqs are not used again.
func (tx *Tx) RemoveMessages(c im.ConversationID, seqs []im.Seq) error {
	// The last seq is kept where it does not depend on the message row.
	if _, err := tx.exec(`UPDATE log AS l SET max_seq = `+tx.dialect.maxSeq()+`, max_time = `+tx.dialect.maxTime()+` WHERE l.conversation_id = $1`, c); err != nil {
		return fmt.Errorf("keep the last seq of %s: %w", c, err)
	}
	log, err := tx.logID(c)
	if err != nil || log == 0 {
		return err
	}
	return inChunks(seqs, 2, func(list string, args []any) error {
		_, err := tx.exec(`DELETE FROM message WHERE log = $1 AND seq IN (`+list+`)`, append([]any{log}, args...)...)
		return err
	})
}

// RaiseMinSeq hides everything before seq from everybody.
func (tx *Tx) RaiseMinSeq(c im.ConversationID, seq im.Seq) error {
	_, err := tx.exec(`UPDATE log SET min_seq = $1 WHERE conversation_id = $2 AND min_seq < $1`, seq, c)
	return err
}

// logID is 0 for a conversation without a log.
func (tx *Tx) logID(c im.ConversationID) (id int64, err error) {
	_, err = tx.queryRow(`SELECT id FROM log WHERE conversation_id = $1`, []any{c}, &id)
	return id, err
}
