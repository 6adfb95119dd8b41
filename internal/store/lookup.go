package store

import (
	"github.com/parley-im/parley/internal/im"
)

// FindLogs returns up to limit logs whose conversation id begins with a text, in
// order of their ids, from after one on.
func (tx *Tx) FindLogs(prefix string, after im.ConversationID, limit int) ([]LogState, error) {
	const last = "\U0010FFFF" // sorts behind everything that goes on
	return queryAll(tx, logStateFields, `SELECT l.conversation_id, `+tx.dialect.maxSeq()+`, l.min_seq, `+tx.dialect.maxTime()+`
		FROM log l WHERE l.conversation_id >= $1 AND l.conversation_id < $2 AND l.conversation_id > $3 ORDER BY l.conversation_id LIMIT $4`,
		prefix, prefix+last, after, limit)
}

// Hidden is a message that a user deleted for himself.
type Hidden struct {
	Seq    im.Seq
	UserID string
}

// HiddenFrom returns who deleted messages from first to last for himself, up to
// limit of them in order of their seqs.
func (tx *Tx) HiddenFrom(c im.ConversationID, first, last im.Seq, limit int) ([]Hidden, error) {
	return queryAll(tx, func(h *Hidden) []any { return []any{&h.Seq, &h.UserID} }, `SELECT h.seq, h.user_id FROM log l JOIN hidden_message h ON h.log = l.id
		WHERE l.conversation_id = $1 AND h.seq >= $2 AND h.seq <= $3 ORDER BY h.seq, h.user_id LIMIT $4`, c, first, last, limit)
}

// ReadPositions returns how far users have read a conversation; who has read
// nothing is left out.
func (tx *Tx) ReadPositions(c im.ConversationID, userIDs []string) (map[string]im.Seq, error) {
	type row struct {
		userID string
		seq    im.Seq
	}
	rows, err := queryIn(tx, func(r *row) []any { return []any{&r.userID, &r.seq} },
		`SELECT r.user_id, r.seq FROM log l JOIN read_position r ON r.log = l.id WHERE l.conversation_id = $1 AND r.user_id IN (%s)`, []any{c}, userIDs)
	if err != nil {
		return nil, err
	}
	out := make(map[string]im.Seq, len(rows))
	for _, r := range rows {
		out[r.userID] = r.seq
	}
	return out, nil
}

// ChatsOf returns the rows that users have of one conversation.
func (tx *Tx) ChatsOf(c im.ConversationID, ownerIDs []string) ([]im.Conversation, error) {
	return queryIn(tx, conversationFields, `SELECT `+conversationColumns+` FROM conversation WHERE conversation_id = $1 AND owner_id IN (%s)`, []any{c}, ownerIDs)
}
