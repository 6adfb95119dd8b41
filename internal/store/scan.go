package store

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/parley-im/parley/internal/im"
)

// MessageHead is what searches and statistics look at of a stored message.
type MessageHead struct {
	ID             int64 // place in the order of storing, over all logs
	ConversationID im.ConversationID
	Seq            im.Seq
	SendTime       im.Millis
	SendID         string
	RecvID         string
	GroupID        string
	SessionType    im.SessionType
	ContentType    im.ContentType
}

type headRow struct {
	MessageHead
	data []byte
}

func headFields(r *headRow) []any {
	return []any{&r.ID, &r.ConversationID, &r.Seq, &r.SendTime, &r.data}
}

func heads(rows []headRow) ([]MessageHead, error) {
	out := make([]MessageHead, len(rows))
	for i := range rows {
		h := rows[i].MessageHead
		err := eachField(rows[i].data, func(n protowire.Number, v []byte) {
			switch n {
			case fieldSendID:
				h.SendID = string(v)
			case fieldRecvID:
				h.RecvID = string(v)
			case fieldGroupID:
				h.GroupID = string(v)
			}
		}, func(n protowire.Number, v int64) {
			switch n {
			case fieldSession:
				h.SessionType = im.SessionType(v)
			case fieldContentType:
				h.ContentType = im.ContentType(v)
			}
		})
		if err != nil {
			return nil, fmt.Errorf("message %d of %s: %w", h.Seq, h.ConversationID, err)
		}
		out[i] = h
	}
	return out, nil
}

// MessageHeads returns up to limit messages of all logs with an id from first
// on, in the order of storing.
func (tx *Tx) MessageHeads(first int64, limit int) ([]MessageHead, error) {
	rows, err := queryAll(tx, headFields, `SELECT m.id, l.conversation_id, m.seq, m.send_time, m.data FROM message m JOIN log l ON l.id = m.log
		WHERE m.id >= $1 ORDER BY m.id LIMIT $2`, first, limit)
	if err != nil {
		return nil, err
	}
	return heads(rows)
}

// LogHeads returns up to limit messages of one log after a seq.
func (tx *Tx) LogHeads(c im.ConversationID, after im.Seq, limit int) ([]MessageHead, error) {
	rows, err := queryAll(tx, headFields, `SELECT m.id, l.conversation_id, m.seq, m.send_time, m.data FROM log l JOIN message m ON m.log = l.id
		WHERE l.conversation_id = $1 AND m.seq > $2 ORDER BY m.seq LIMIT $3`, c, after, limit)
	if err != nil {
		return nil, err
	}
	return heads(rows)
}

// MessageSpan returns a range of ids, the end not part of it, that holds the
// messages sent from since up to until; 0 is no bound. Messages are stored in
// order of their times, but for what several committers do at once and for those
// that an administrator sent with a time of his own: the latter may be missing.
func (tx *Tx) MessageSpan(since, until im.Millis) (first, end int64, err error) {
	var last int64
	if _, err := tx.queryRow(`SELECT coalesce(max(id), 0) FROM message`, nil, &last); err != nil {
		return 0, 0, err
	}
	const slack = 60_000
	first, end = 1, last+1
	if since > 0 {
		if first, err = tx.firstSince(since-slack, last); err != nil {
			return 0, 0, err
		}
		first = max(first-neighbours, 1)
	}
	if until > 0 {
		if end, err = tx.firstSince(until+slack, last); err != nil {
			return 0, 0, err
		}
		end = min(end+neighbours, last+1)
	}
	return first, end, nil
}

// neighbours is how many messages one step of firstSince looks at: it goes by
// the time in their middle, so that single odd ones do not lead it astray.
const neighbours = 9

func (tx *Tx) firstSince(t im.Millis, last int64) (int64, error) {
	first, end := int64(1), last+1
	for first < end {
		middle := first + (end-first)/2
		times, err := queryAll(tx, one[im.Millis], `SELECT send_time FROM message WHERE id >= $1 ORDER BY id LIMIT $2`, middle, neighbours)
		if err != nil {
			return 0, err
		}
		slices.Sort(times)
		if len(times) == 0 || times[len(times)/2] >= t {
			end = middle
		} else {
			first = middle + 1
		}
	}
	return first, nil
}

// PairLogs returns the single chats of a user, whichever side still lists them.
func (tx *Tx) PairLogs(userID string) ([]im.ConversationID, error) {
	return queryAll(tx, one[im.ConversationID], `SELECT conversation_id FROM conversation WHERE owner_id = $1 AND type = $2
		UNION SELECT conversation_id FROM conversation WHERE user_id = $1 AND type = $2 ORDER BY conversation_id`, userID, im.SingleChat)
}
