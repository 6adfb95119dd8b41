package store

import (
	"fmt"

	"github.com/parley-im/parley/internal/im"
)

// LogAge is a log with the time of its oldest message.
type LogAge struct {
	ID             int64
	ConversationID im.ConversationID
	Oldest         im.Millis // 0 if it holds no message
}

// LogAges returns up to limit logs with an id greater than after, by id.
func (tx *Tx) LogAges(after int64, limit int) ([]LogAge, error) {
	return queryAll(tx, func(l *LogAge) []any { return []any{&l.ID, &l.ConversationID, &l.Oldest} },
		`SELECT l.id, l.conversation_id, coalesce((SELECT m.send_time FROM message m WHERE m.log = l.id ORDER BY m.seq LIMIT 1), 0)
		FROM log l WHERE l.id > $1 ORDER BY l.id LIMIT $2`, after, limit)
}

// TrimLog removes messages from the beginning of a log for everybody, up to the
// first that was sent at or after a time, and at most limit of them. The log
// then begins behind them; their seqs are not used again. It returns how many
// there were.
func (tx *Tx) TrimLog(c im.ConversationID, before im.Millis, limit int) (int, error) {
	log, err := tx.logID(c)
	if err != nil || log == 0 {
		return 0, err
	}
	old, last, err := tx.oldest(log, before, limit)
	if err != nil || old == 0 {
		return 0, err
	}
	// As in RemoveMessages: the last seq must not depend on the rows.
	if _, err := tx.exec(`UPDATE log AS l SET max_seq = `+tx.dialect.maxSeq()+`, max_time = `+tx.dialect.maxTime()+` WHERE l.id = $1`, log); err != nil {
		return 0, fmt.Errorf("keep the last seq of %s: %w", c, err)
	}
	if _, err := tx.exec(`DELETE FROM message WHERE log = $1 AND seq <= $2`, log, last); err != nil {
		return 0, fmt.Errorf("trim %s: %w", c, err)
	}
	if _, err := tx.exec(`DELETE FROM hidden_message WHERE log = $1 AND seq <= $2`, log, last); err != nil {
		return 0, fmt.Errorf("trim what is hidden of %s: %w", c, err)
	}
	return old, tx.RaiseMinSeq(c, last+1)
}

// LastSeqBefore returns the last seq of a log whose message was sent before a
// time, looking from first on, and 0 if there is none. It relies on times rising
// with seqs.
func (tx *Tx) LastSeqBefore(c im.ConversationID, first im.Seq, before im.Millis) (im.Seq, error) {
	last, err := tx.MaxSeq(c)
	if err != nil {
		return 0, err
	}
	low, high := first, last+1
	for low < high {
		middle := low + (high-low)/2
		var next sentAt
		found, err := tx.queryRow(`SELECT m.seq, m.send_time FROM log l JOIN message m ON m.log = l.id
			WHERE l.conversation_id = $1 AND m.seq >= $2 ORDER BY m.seq LIMIT 1`, []any{c, middle}, sentAtFields(&next)...)
		switch {
		case err != nil:
			return 0, err
		case !found || next.at >= before:
			high = middle
		default:
			low = next.seq + 1
		}
	}
	if low == first {
		return 0, nil
	}
	return low - 1, nil
}

type sentAt struct {
	seq im.Seq
	at  im.Millis
}

func sentAtFields(r *sentAt) []any { return []any{&r.seq, &r.at} }

func (tx *Tx) oldest(log int64, before im.Millis, limit int) (n int, last im.Seq, err error) {
	rows, err := queryAll(tx, sentAtFields, `SELECT seq, send_time FROM message WHERE log = $1 ORDER BY seq LIMIT $2`, log, limit)
	for _, r := range rows {
		if r.at >= before {
			break
		}
		n, last = n+1, r.seq
	}
	return n, last, err
}

// Destructing returns up to limit conversation rows whose messages disappear by
// age, with a row id greater than after, and the id of the last of them.
func (tx *Tx) Destructing(after int64, limit int) (rows []im.Conversation, last int64, err error) {
	type row struct {
		im.Conversation
		id int64
	}
	found, err := queryAll(tx, func(r *row) []any { return append(conversationFields(&r.Conversation), &r.id) },
		`SELECT `+conversationColumns+`, id FROM conversation WHERE destruct = 1 AND destruct_time > 0 AND id > $1 ORDER BY id LIMIT $2`, after, limit)
	for _, r := range found {
		rows, last = append(rows, r.Conversation), r.id
	}
	return rows, last, err
}
