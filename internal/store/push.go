package store

import "github.com/parley-im/parley/internal/im"

// PushCandidate is somebody a message may be pushed to, with what he has said
// about being disturbed.
type PushCandidate struct {
	UserID    string
	GlobalOpt im.RecvOpt // for everything
	RecvOpt   im.RecvOpt // for the conversation
	ReadSeq   im.Seq     // up to which he has read it

	member int64
}

func candidateFields(c *PushCandidate) []any {
	return []any{&c.member, &c.UserID, &c.GlobalOpt, &c.RecvOpt, &c.ReadSeq}
}

// PushCandidates returns those of some users who exist, in no order.
func (tx *Tx) PushCandidates(c im.ConversationID, userIDs []string) ([]PushCandidate, error) {
	return queryIn(tx, candidateFields, `SELECT u.id, u.user_id, u.recv_opt, COALESCE(c.recv_opt, 0), COALESCE(r.seq, 0) FROM users u
		LEFT JOIN conversation c ON c.owner_id = u.user_id AND c.conversation_id = $1
		LEFT JOIN log l ON l.conversation_id = $1
		LEFT JOIN read_position r ON r.user_id = u.user_id AND r.log = l.id
		WHERE u.user_id IN (%s)`, []any{c}, userIDs)
}

// GroupPushCandidates returns up to limit members of a group from a place on,
// and the next place; 0 is the first, and none is left when the next one is 0.
func (tx *Tx) GroupPushCandidates(groupID string, c im.ConversationID, after int64, limit int) (page []PushCandidate, next int64, err error) {
	page, err = queryAll(tx, candidateFields, `SELECT m.id, m.user_id, COALESCE(u.recv_opt, 0), COALESCE(c.recv_opt, 0), COALESCE(r.seq, 0) FROM group_member m
		LEFT JOIN users u ON u.user_id = m.user_id
		LEFT JOIN conversation c ON c.owner_id = m.user_id AND c.conversation_id = $2
		LEFT JOIN log l ON l.conversation_id = $2
		LEFT JOIN read_position r ON r.user_id = m.user_id AND r.log = l.id
		WHERE m.group_id = $1 AND m.id > $3 ORDER BY m.id LIMIT $4`, groupID, c, after, limit)
	if len(page) == limit {
		next = page[len(page)-1].member
	}
	return page, next, err
}

// AppBadges returns the numbers on the app icons of some users.
func (tx *Tx) AppBadges(userIDs []string) (map[string]int64, error) {
	type badge struct {
		userID string
		unread int64
	}
	found, err := queryIn(tx, func(b *badge) []any { return []any{&b.userID, &b.unread} },
		`SELECT user_id, unread FROM app_badge WHERE $1 = 1 AND user_id IN (%s)`, []any{1}, userIDs)
	badges := make(map[string]int64, len(found))
	for _, b := range found {
		badges[b.userID] = b.unread
	}
	return badges, err
}
