package store

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/parley-im/parley/internal/im"
)

const groupColumns = `group_id, name, notification, introduction, face_url, ex, owner_id, creator_id, status, type, member_count,
	need_verification, look_member_info, apply_member_friend, notification_updated_at, notification_user_id, created_at`

func groupFields(g *im.Group) []any {
	return []any{
		&g.GroupID, &g.Name, &g.Notification, &g.Introduction, &g.FaceURL, &g.Ex, &g.OwnerID, &g.CreatorID, &g.Status, &g.Type,
		&g.MemberCount, &g.NeedVerification, &g.LookMemberInfo, &g.ApplyMemberFriend, &g.NotificationUpdatedAt, &g.NotificationUserID, &g.CreatedAt,
	}
}

// Own names are defaulted from the profile when members are read.
const (
	memberColumns = `SELECT m.group_id, m.user_id, m.role, CASE WHEN m.nickname = '' THEN coalesce(u.nickname, '') ELSE m.nickname END,
	CASE WHEN m.face_url = '' THEN coalesce(u.face_url, '') ELSE m.face_url END, m.ex, m.join_source, m.inviter_id, m.operator_id,
	m.mute_until, m.joined_at, coalesce(u.app_level, 0)`
	memberFrom = ` FROM group_member m LEFT JOIN users u ON u.user_id = m.user_id `
)

func memberFields(m *im.Member) []any {
	return []any{
		&m.GroupID, &m.UserID, &m.Role, &m.Nickname, &m.FaceURL, &m.Ex, &m.JoinSource, &m.InviterID, &m.OperatorID,
		&m.MuteUntil, &m.JoinedAt, &m.AppLevel,
	}
}

// InsertGroup stores a group; ErrDuplicateKey if the id is taken.
func (tx *Tx) InsertGroup(g im.Group) error {
	_, err := tx.exec(`INSERT INTO chat_group (`+groupColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`,
		g.GroupID, g.Name, g.Notification, g.Introduction, g.FaceURL, g.Ex, g.OwnerID, g.CreatorID, g.Status, g.Type, g.MemberCount,
		g.NeedVerification, g.LookMemberInfo, g.ApplyMemberFriend, g.NotificationUpdatedAt, g.NotificationUserID, g.CreatedAt)
	if err != nil {
		return fmt.Errorf("insert group %s: %w", g.GroupID, err)
	}
	tx.touch(g.GroupID)
	return nil
}

// InsertMembers adds members to a group as one operation: one version of the
// group's member log, one of each member's joined-groups log.
func (tx *Tx) InsertMembers(groupID string, members []im.Member) (im.Version, error) {
	v, err := tx.nextVersion(im.VersionGroupMembers, groupID)
	if err != nil {
		return v, err
	}
	ids := make([]string, len(members))
	for i, m := range members {
		ids[i] = m.UserID
	}
	if err := tx.nextVersions(im.VersionJoinedGroups, ids); err != nil {
		return v, err
	}
	for rest := members; len(rest) > 0; {
		n := alike(rest)
		if err := tx.insertAlike(groupID, rest[:n], v.Version); err != nil {
			return v, fmt.Errorf("insert members of %s: %w", groupID, err)
		}
		rest = rest[n:]
	}
	if err := tx.restoredAll(im.VersionGroupMembers, groupID, ids); err != nil {
		return v, err
	}
	if err := tx.restoredTo(im.VersionJoinedGroups, ids, groupID); err != nil {
		return v, err
	}
	tx.touch(groupID)
	tx.rosters = append(tx.rosters, rosterChange{groupID: groupID, version: v.Version, joined: ids})
	return v, nil
}

// alike is how many of the first members differ in nothing but who they are.
func alike(members []im.Member) int {
	like := members[0]
	for i, m := range members {
		if like.UserID = m.UserID; m != like {
			return i
		}
	}
	return len(members)
}

func (tx *Tx) insertAlike(groupID string, members []im.Member, version uint64) error {
	ids := make([]string, len(members))
	for i, m := range members {
		ids[i] = m.UserID
	}
	m, d := members[0], tx.dialect
	_, err := tx.exec(`INSERT INTO group_member (group_id, user_id, role, nickname, face_url, ex, join_source, inviter_id, operator_id,
		mute_until, joined_at, created_version, version, joined_version)
		SELECT $1, q.id, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, `+versionOf("$12", "q.id")+` FROM `+d.each(13),
		groupID, m.Role, m.Nickname, m.FaceURL, m.Ex, m.JoinSource, m.InviterID, m.OperatorID, m.MuteUntil, m.JoinedAt, version,
		im.VersionJoinedGroups, d.list(ids))
	return err
}

// Groups returns the groups that exist among the ids.
func (tx *Tx) Groups(groupIDs []string) ([]im.Group, error) {
	return queryIn(tx, groupFields, `SELECT `+groupColumns+` FROM chat_group WHERE group_id IN (%s)`, nil, groupIDs)
}

// JoinedGroups returns a user's groups that are not dismissed, in the order
// clients page them: by name, then age.
func (tx *Tx) JoinedGroups(userID string) ([]im.Group, error) {
	return queryAll(tx, groupFields, `SELECT `+groupColumns+` FROM chat_group WHERE status <> $1 AND group_id IN
		(SELECT group_id FROM group_member WHERE user_id = $2) ORDER BY name, created_at, id`, im.GroupDismissed, userID)
}

// JoinedCount returns the number of groups JoinedGroups would return.
func (tx *Tx) JoinedCount(userID string) (n int64, err error) {
	_, err = tx.queryRow(`SELECT count(*) FROM group_member m JOIN chat_group g ON g.group_id = m.group_id
		WHERE m.user_id = $1 AND g.status <> $2`, []any{userID, im.GroupDismissed}, &n)
	return n, err
}

// JoinedPage returns a part of JoinedGroups.
func (tx *Tx) JoinedPage(userID string, offset, limit int) ([]im.Group, error) {
	return queryAll(tx, groupFields, `SELECT `+groupColumns+` FROM chat_group WHERE status <> $1 AND group_id IN
		(SELECT group_id FROM group_member WHERE user_id = $2) ORDER BY name, created_at, id LIMIT $3 OFFSET $4`,
		im.GroupDismissed, userID, limit, offset)
}

// Group returns a group; found is false for an unknown id.
func (tx *Tx) Group(groupID string) (g im.Group, found bool, err error) {
	found, err = tx.queryRow(`SELECT `+groupColumns+` FROM chat_group WHERE group_id = $1`, []any{groupID}, groupFields(&g)...)
	return g, found, err
}

// JoinedSince returns the ids of the groups a user joined after a version of
// his joined-groups log; at most limit.
func (tx *Tx) JoinedSince(userID string, after uint64, limit int) ([]string, error) {
	return queryAll(tx, one[string], `SELECT group_id FROM group_member WHERE user_id = $1 AND joined_version > $2 ORDER BY joined_version LIMIT $3`,
		userID, after, limit)
}

// MemberIDPage returns up to limit of a group's members in order of user id,
// after one, who were in it at a time.
func (tx *Tx) MemberIDPage(groupID, after string, at im.Millis, limit int) ([]string, error) {
	return queryAll(tx, one[string], `SELECT user_id FROM group_member WHERE group_id = $1 AND user_id > $2 AND joined_at <= $3 ORDER BY user_id LIMIT $4`,
		groupID, after, at, limit)
}

// GroupMemberIDs returns a group's members, roles first, then age.
func (tx *Tx) GroupMemberIDs(groupID string) ([]string, error) {
	return queryAll(tx, one[string], `SELECT user_id FROM group_member WHERE group_id = $1 ORDER BY role DESC, id`, groupID)
}

// MemberCount returns the number of a group's members, as its row counts them.
func (tx *Tx) MemberCount(groupID string) (n int64, err error) {
	_, err = tx.queryRow(`SELECT member_count FROM chat_group WHERE group_id = $1`, []any{groupID}, &n)
	return n, err
}

// MemberPage returns a group's members in the order of GroupMemberIDs.
func (tx *Tx) MemberPage(groupID string, offset, limit int) ([]im.Member, error) {
	return queryAll(tx, memberFields, memberColumns+memberFrom+`WHERE m.id IN
		(SELECT id FROM group_member WHERE group_id = $1 ORDER BY role DESC, id LIMIT $2 OFFSET $3) ORDER BY m.role DESC, m.id`, groupID, limit, offset)
}

const findMembers = memberFrom + `WHERE m.group_id = $1 AND lower(CASE WHEN m.nickname = '' THEN coalesce(u.nickname, '') ELSE m.nickname END) LIKE $2 ESCAPE '\'`

// FindMembers returns a page of the members whose name in the group holds a
// text, whatever its case, and their number.
func (tx *Tx) FindMembers(groupID, namePart string, offset, limit int) (total int64, page []im.Member, err error) {
	args := []any{groupID, likePattern(namePart)}
	if _, err := tx.queryRow(`SELECT count(*)`+findMembers, args, &total); err != nil {
		return 0, nil, err
	}
	page, err = queryAll(tx, memberFields, memberColumns+findMembers+` ORDER BY m.role DESC, m.id LIMIT $3 OFFSET $4`, append(args, limit, offset)...)
	return total, page, err
}

// FindGroups returns a page of the groups that are not dismissed and whose name
// holds a text, whatever its case, the newest first, and their number.
func (tx *Tx) FindGroups(namePart string, offset, limit int) (total int64, page []im.Group, err error) {
	args := []any{im.GroupDismissed, likePattern(namePart)}
	const where = ` FROM chat_group WHERE status <> $1 AND ($2 = '' OR lower(name) LIKE $2 ESCAPE '\')`
	if _, err := tx.queryRow(`SELECT count(*)`+where, args, &total); err != nil {
		return 0, nil, err
	}
	page, err = queryAll(tx, groupFields, `SELECT `+groupColumns+where+` ORDER BY created_at DESC, id DESC LIMIT $3 OFFSET $4`, append(args, limit, offset)...)
	return total, page, err
}

// Members returns the members among the given users. The sign keeps SQLite from
// reading the whole group in the order of its index.
func (tx *Tx) Members(groupID string, userIDs []string) ([]im.Member, error) {
	return queryIn(tx, memberFields, memberColumns+memberFrom+`WHERE m.group_id = $1 AND m.user_id IN (%s) ORDER BY +m.role DESC, m.id`, []any{groupID}, userIDs)
}

// MembersSince returns the members that joined or changed after a version of
// the group's member log; at most limit.
func (tx *Tx) MembersSince(groupID string, after uint64, limit int) (inserted, updated []im.Member, err error) {
	type row struct {
		im.Member
		created uint64
		id      int64
	}
	rows, err := queryAll(tx, func(r *row) []any { return append(memberFields(&r.Member), &r.created, &r.id) },
		memberColumns+`, m.created_version, m.id`+memberFrom+
			`WHERE m.group_id = $1 AND m.version > $2 ORDER BY m.version, m.id LIMIT $3`, groupID, after, limit)
	// Read by version, which has an index; told in the order of the list.
	slices.SortFunc(rows, func(a, b row) int { return cmp.Or(cmp.Compare(b.Role, a.Role), cmp.Compare(a.id, b.id)) })
	for _, r := range rows {
		if r.created > after {
			inserted = append(inserted, r.Member)
		} else {
			updated = append(updated, r.Member)
		}
	}
	return inserted, updated, err
}

// GroupsByDay counts the groups there are, those founded before start, and
// those of each UTC day from start up to end.
func (tx *Tx) GroupsByDay(start, end im.Millis) (total, before int64, days map[string]int64, err error) {
	if _, err := tx.queryRow(`SELECT count(*) FROM chat_group`, nil, &total); err != nil {
		return 0, 0, nil, err
	}
	before, days, err = tx.countByDay("chat_group", start, end)
	return total, before, days, err
}
