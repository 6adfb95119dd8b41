package store

import (
	"fmt"

	"github.com/parley-im/parley/internal/im"
)

const conversationColumns = `owner_id, conversation_id, type, user_id, group_id, recv_opt, pinned, private_chat, burn_duration,
	group_at_type, attached_info, ex, min_seq, max_seq, destruct, destruct_time, latest_destruct_time`

// conversationRow adds to a conversation what only sync looks at.
type conversationRow struct {
	im.Conversation
	createdVersion, version uint64
}

func conversationFields(c *im.Conversation) []any {
	return []any{
		&c.OwnerID, &c.ConversationID, &c.Type, &c.UserID, &c.GroupID, &c.RecvOpt, (*flag)(&c.Pinned), (*flag)(&c.PrivateChat),
		&c.BurnDuration, &c.GroupAtType, &c.AttachedInfo, &c.Ex, &c.MinSeq, &c.MaxSeq, (*flag)(&c.Destruct), &c.DestructTime, &c.LatestDestructTime,
	}
}

func conversationRowFields(r *conversationRow) []any {
	return append(conversationFields(&r.Conversation), &r.createdVersion, &r.version)
}

// InsertConversation creates a user's row of a conversation if he has none,
// counts it in his version log, and reports whether it did.
func (tx *Tx) InsertConversation(c im.Conversation) (bool, error) {
	found, err := tx.exists(`SELECT 1 FROM conversation WHERE owner_id = $1 AND conversation_id = $2`, c.OwnerID, c.ConversationID)
	if err != nil || found {
		return false, err
	}
	v, err := tx.nextVersion(im.VersionConversations, c.OwnerID)
	if err != nil {
		return false, err
	}
	n, err := tx.exec(`INSERT INTO conversation (`+conversationColumns+`, created_version, version)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $18)
		ON CONFLICT (owner_id, conversation_id) DO NOTHING`,
		c.OwnerID, c.ConversationID, c.Type, c.UserID, c.GroupID, c.RecvOpt, boolInt(c.Pinned), boolInt(c.PrivateChat), c.BurnDuration,
		c.GroupAtType, c.AttachedInfo, c.Ex, c.MinSeq, c.MaxSeq, boolInt(c.Destruct), c.DestructTime, c.LatestDestructTime, v.Version)
	if err != nil {
		return false, fmt.Errorf("insert conversation %s of %s: %w", c.ConversationID, c.OwnerID, err)
	}
	if n == 0 { // made by another transaction since we looked
		return false, tx.takeBackVersion(im.VersionConversations, c.OwnerID)
	}
	if c.RecvOpt != im.RecvNotify {
		tx.touch(c.OwnerID)
	}
	if c.Type == im.GroupChat {
		if _, err := tx.exec(`DELETE FROM closed_chat WHERE conversation_id = $1 AND owner_id = $2`, c.ConversationID, c.OwnerID); err != nil {
			return false, err
		}
	}
	return true, tx.restored(im.VersionConversations, c.OwnerID, string(c.ConversationID))
}

// SetChats gives users a row like the given one of a group's chat, as one
// operation on each list; those who have a row get the change of its bounds. It
// reports whether there is a new row.
func (tx *Tx) SetChats(like im.Conversation, ownerIDs []string, minSeq, maxSeq *im.Seq) (opened bool, err error) {
	if len(ownerIDs) == 0 {
		return false, nil
	}
	// This locks the lists: nobody else makes the rows meanwhile.
	if err := tx.nextVersions(im.VersionConversations, ownerIDs); err != nil {
		return false, err
	}
	d, owners, c := tx.dialect, tx.dialect.list(ownerIDs), like.ConversationID
	if _, err := tx.exec(`UPDATE conversation SET min_seq = coalesce($1, min_seq), max_seq = coalesce($2, max_seq), version = `+versionOf("$3", "conversation.owner_id")+`
		WHERE conversation_id = $4 AND owner_id IN `+d.ids(5), minSeq, maxSeq, im.VersionConversations, c, owners); err != nil {
		return false, fmt.Errorf("bound chats of %s: %w", c, err)
	}
	made, err := tx.exec(`INSERT INTO conversation (`+conversationColumns+`, created_version, version)
		SELECT q.id, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, `+versionOf("$17", "q.id")+`, `+versionOf("$17", "q.id")+`
		FROM `+d.each(18)+` WHERE true ON CONFLICT (owner_id, conversation_id) DO NOTHING`,
		c, like.Type, like.UserID, like.GroupID, like.RecvOpt, boolInt(like.Pinned), boolInt(like.PrivateChat), like.BurnDuration,
		like.GroupAtType, like.AttachedInfo, like.Ex, like.MinSeq, like.MaxSeq, boolInt(like.Destruct), like.DestructTime, like.LatestDestructTime,
		im.VersionConversations, owners)
	if err != nil {
		return false, fmt.Errorf("insert chats of %s: %w", c, err)
	}
	if _, err := tx.exec(`DELETE FROM closed_chat WHERE conversation_id = $1 AND owner_id IN `+d.ids(2), c, owners); err != nil {
		return false, err
	}
	if like.RecvOpt != im.RecvNotify {
		tx.touch(ownerIDs...)
	}
	return made > 0, tx.restoredTo(im.VersionConversations, ownerIDs, string(c))
}

// MarkChats shows those of the owners who have a row of a group's chat that they
// are concerned, and returns whose mark is another now.
func (tx *Tx) MarkChats(c im.ConversationID, ownerIDs []string, mark int32) (changed []string, err error) {
	d := tx.dialect
	changed, err = queryAll(tx, one[string], `SELECT owner_id FROM conversation WHERE conversation_id = $1 AND group_at_type <> $2
		AND owner_id IN `+d.ids(3)+` ORDER BY owner_id`, c, mark, d.list(ownerIDs))
	if err != nil || len(changed) == 0 {
		return nil, err
	}
	if err := tx.nextVersions(im.VersionConversations, changed); err != nil {
		return nil, err
	}
	_, err = tx.exec(`UPDATE conversation SET group_at_type = $1, version = `+versionOf("$2", "conversation.owner_id")+`
		WHERE conversation_id = $3 AND owner_id IN `+d.ids(4), mark, im.VersionConversations, c, d.list(changed))
	if err != nil {
		return nil, fmt.Errorf("mark chats of %s: %w", c, err)
	}
	return changed, nil
}

// OpenClosedChats gives members of a group who deleted its chat, up to limit of
// them, their row of it again, and returns who they are.
func (tx *Tx) OpenClosedChats(c im.ConversationID, groupID string, limit int) ([]string, error) {
	closed, err := queryAll(tx, one[string], `SELECT owner_id FROM closed_chat WHERE conversation_id = $1 ORDER BY owner_id LIMIT $2`, c, limit)
	if err != nil || len(closed) == 0 {
		return nil, err
	}
	d := tx.dialect
	owners, err := queryAll(tx, one[string], `SELECT user_id FROM group_member WHERE group_id = $1 AND user_id IN `+d.ids(2), groupID, d.list(closed))
	if err != nil {
		return nil, err
	}
	if _, err := tx.SetChats(im.Conversation{ConversationID: c, Type: im.GroupChat, GroupID: groupID}, owners, nil, nil); err != nil {
		return nil, err
	}
	_, err = tx.exec(`DELETE FROM closed_chat WHERE conversation_id = $1 AND owner_id IN `+d.ids(2), c, d.list(closed)) // others left the group
	return closed, err
}

// Conversation returns a user's row of a conversation.
func (tx *Tx) Conversation(ownerID string, c im.ConversationID) (row im.Conversation, found bool, err error) {
	found, err = tx.queryRow(`SELECT `+conversationColumns+` FROM conversation WHERE owner_id = $1 AND conversation_id = $2`,
		[]any{ownerID, c}, conversationFields(&row)...)
	return row, found, err
}

// Conversations returns a user's rows of the given conversations.
func (tx *Tx) Conversations(ownerID string, ids []im.ConversationID) ([]im.Conversation, error) {
	return queryIn(tx, conversationFields, `SELECT `+conversationColumns+` FROM conversation
		WHERE owner_id = $1 AND conversation_id IN (%s) ORDER BY id`, []any{ownerID}, ids)
}

// ConversationPage returns a user's rows in order of creation.
func (tx *Tx) ConversationPage(ownerID string, offset, limit int) ([]im.Conversation, error) {
	return queryAll(tx, conversationFields, `SELECT `+conversationColumns+` FROM conversation WHERE owner_id = $1
		ORDER BY id LIMIT $2 OFFSET $3`, ownerID, limit, offset)
}

// ConversationCount returns the number of a user's conversations.
func (tx *Tx) ConversationCount(ownerID string) (n int64, err error) {
	_, err = tx.queryRow(`SELECT count(*) FROM conversation WHERE owner_id = $1`, []any{ownerID}, &n)
	return n, err
}

// ConversationIDs returns the ids of a user's conversations in order of creation.
func (tx *Tx) ConversationIDs(ownerID string) ([]im.ConversationID, error) {
	return queryAll(tx, one[im.ConversationID], `SELECT conversation_id FROM conversation WHERE owner_id = $1 ORDER BY id`, ownerID)
}

// PinnedConversationIDs returns the ids of a user's pinned conversations.
func (tx *Tx) PinnedConversationIDs(ownerID string) ([]im.ConversationID, error) {
	return queryAll(tx, one[im.ConversationID], `SELECT conversation_id FROM conversation WHERE owner_id = $1 AND pinned = 1 ORDER BY id`, ownerID)
}

// ConversationsByRecvOpt returns the ids of a user's conversations with a
// receive option.
func (tx *Tx) ConversationsByRecvOpt(ownerID string, opt im.RecvOpt) ([]im.ConversationID, error) {
	return queryAll(tx, one[im.ConversationID], `SELECT conversation_id FROM conversation WHERE owner_id = $1 AND recv_opt = $2 ORDER BY id`, ownerID, opt)
}

// ConversationChanges are the rows of a user's list that were created or
// changed after a version, oldest change first; at most limit.
func (tx *Tx) ConversationChanges(ownerID string, after uint64, limit int) (inserted, updated []im.Conversation, err error) {
	rows, err := queryAll(tx, conversationRowFields, `SELECT `+conversationColumns+`, created_version, version FROM conversation
		WHERE owner_id = $1 AND version > $2 ORDER BY version, id LIMIT $3`, ownerID, after, limit)
	for _, r := range rows {
		if r.createdVersion == r.version { // as in a log that keeps an element's newest entry
			inserted = append(inserted, r.Conversation)
		} else {
			updated = append(updated, r.Conversation)
		}
	}
	return inserted, updated, err
}

// ConversationChange is a partial update; nil leaves a field as it is.
type ConversationChange struct {
	RecvOpt      *im.RecvOpt
	Pinned       *bool
	PrivateChat  *bool
	BurnDuration *int32
	GroupAtType  *int32
	AttachedInfo *string
	Ex           *string
	MinSeq       *im.Seq
	MaxSeq       *im.Seq
	Destruct     *bool
	DestructTime *int64
	DestructedAt *im.Millis // when old messages were last made to disappear
}

// UpdateConversation changes the given fields of a user's row and counts it in
// his version log. It reports whether the row exists.
func (tx *Tx) UpdateConversation(ownerID string, c im.ConversationID, ch ConversationChange) (bool, error) {
	v, err := tx.nextVersion(im.VersionConversations, ownerID)
	if err != nil {
		return false, err
	}
	n, err := tx.exec(`UPDATE conversation SET recv_opt = coalesce($1, recv_opt), pinned = coalesce($2, pinned),
		private_chat = coalesce($3, private_chat), burn_duration = coalesce($4, burn_duration), group_at_type = coalesce($5, group_at_type),
		attached_info = coalesce($6, attached_info), ex = coalesce($7, ex), min_seq = coalesce($8, min_seq), max_seq = coalesce($9, max_seq),
		destruct = coalesce($10, destruct), destruct_time = coalesce($11, destruct_time),
		latest_destruct_time = coalesce($12, latest_destruct_time), version = $13 WHERE owner_id = $14 AND conversation_id = $15`,
		ch.RecvOpt, boolPtr(ch.Pinned), boolPtr(ch.PrivateChat), ch.BurnDuration, ch.GroupAtType, ch.AttachedInfo, ch.Ex, ch.MinSeq, ch.MaxSeq,
		boolPtr(ch.Destruct), ch.DestructTime, ch.DestructedAt, v.Version, ownerID, c)
	if err != nil {
		return false, fmt.Errorf("update conversation %s of %s: %w", c, ownerID, err)
	}
	tx.touch(ownerID)
	return n > 0, nil
}

func boolPtr(b *bool) *int {
	if b == nil {
		return nil
	}
	n := boolInt(*b)
	return &n
}

// DeleteConversations removes rows from a user's list, as one operation, and
// reports how many there were. The next message of such a conversation makes
// its rows anew, for all who take part in it.
func (tx *Tx) DeleteConversations(ownerID string, ids []im.ConversationID) (int, error) {
	rows, err := tx.Conversations(ownerID, ids)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	v, err := tx.nextVersion(im.VersionConversations, ownerID)
	if err != nil {
		return 0, err
	}
	for _, row := range rows {
		if _, err := tx.exec(`DELETE FROM conversation WHERE owner_id = $1 AND conversation_id = $2`, ownerID, row.ConversationID); err != nil {
			return 0, fmt.Errorf("delete conversation %s of %s: %w", row.ConversationID, ownerID, err)
		}
		if err := tx.removed(im.VersionConversations, ownerID, string(row.ConversationID), v.Version); err != nil {
			return 0, err
		}
		if row.Type == im.GroupChat {
			if _, err := tx.exec(`INSERT INTO closed_chat (conversation_id, owner_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`, row.ConversationID, ownerID); err != nil {
				return 0, err
			}
		}
		if _, err := tx.exec(`UPDATE log SET opened = 0 WHERE conversation_id = $1`, row.ConversationID); err != nil {
			return 0, err
		}
		if tx.reopen != nil {
			tx.reopen(row.ConversationID)
		}
	}
	tx.touch(ownerID)
	return len(rows), nil
}

// PeerConversations returns the rows of other users whose peer is userID.
func (tx *Tx) PeerConversations(userID string) ([]im.Conversation, error) {
	return queryAll(tx, conversationFields, `SELECT `+conversationColumns+` FROM conversation WHERE user_id = $1 AND owner_id <> $1 ORDER BY owner_id`, userID)
}
