package store

import (
	"fmt"

	"github.com/parley-im/parley/internal/im"
)

// LockGroup returns a group and keeps other transactions that lock it, or
// change it, waiting until this one ends.
func (tx *Tx) LockGroup(groupID string) (g im.Group, found bool, err error) {
	if !tx.writing {
		return g, false, errReadOnly
	}
	if tx.dialect.postgres {
		found, err = tx.queryRow(`SELECT `+groupColumns+` FROM chat_group WHERE group_id = $1 FOR UPDATE`, []any{groupID}, groupFields(&g)...)
		return g, found, err
	}
	return tx.Group(groupID)
}

// AddMembers adds members to an existing group as one operation.
func (tx *Tx) AddMembers(groupID string, members []im.Member) (im.Version, error) {
	v, err := tx.InsertMembers(groupID, members)
	if err != nil {
		return v, err
	}
	return v, tx.countMembers(groupID, len(members))
}

// RemoveMembers takes members out of a group as one operation: one version of
// the group's member log, one of each member's joined-groups log.
func (tx *Tx) RemoveMembers(groupID string, userIDs []string) (im.Version, error) {
	v, err := tx.nextVersion(im.VersionGroupMembers, groupID)
	if err != nil {
		return v, err
	}
	if err := tx.nextVersions(im.VersionJoinedGroups, userIDs); err != nil {
		return v, err
	}
	if err := tx.removedFrom(im.VersionJoinedGroups, userIDs, groupID); err != nil {
		return v, fmt.Errorf("note who left %s: %w", groupID, err)
	}
	if err := tx.removedAll(im.VersionGroupMembers, groupID, userIDs, v.Version); err != nil {
		return v, fmt.Errorf("note whom %s lost: %w", groupID, err)
	}
	d := tx.dialect
	gone, err := tx.exec(`DELETE FROM group_member WHERE group_id = $1 AND user_id IN `+d.ids(2), groupID, d.list(userIDs))
	if err != nil {
		return v, fmt.Errorf("remove members of %s: %w", groupID, err)
	}
	tx.touch(groupID)
	tx.rosters = append(tx.rosters, rosterChange{groupID: groupID, version: v.Version, left: userIDs})
	return v, tx.countMembers(groupID, -int(gone))
}

// countMembers keeps a group's number of members in step with their rows.
func (tx *Tx) countMembers(groupID string, change int) error {
	if _, err := tx.exec(`UPDATE chat_group SET member_count = member_count + $1 WHERE group_id = $2`, change, groupID); err != nil {
		return fmt.Errorf("count members of %s: %w", groupID, err)
	}
	return nil
}

// GroupChange is a partial update; nil leaves a field as it is.
type GroupChange struct {
	Name, Notification, Introduction, FaceURL, Ex *string

	NeedVerification, LookMemberInfo, ApplyMemberFriend *int32

	Status                *int32
	OwnerID               *string
	NotificationUpdatedAt *im.Millis
	NotificationUserID    *string
}

// UpdateGroup changes a group's profile and counts that in its member log.
func (tx *Tx) UpdateGroup(groupID string, c GroupChange) (im.Version, error) {
	v, err := tx.nextVersion(im.VersionGroupMembers, groupID)
	if err != nil {
		return v, err
	}
	if err := tx.setGroup(groupID, c); err != nil {
		return v, err
	}
	return v, tx.markLog(groupID, "self_version", v.Version)
}

func (tx *Tx) setGroup(groupID string, c GroupChange) error {
	_, err := tx.exec(`UPDATE chat_group SET name = coalesce($1, name), notification = coalesce($2, notification),
		introduction = coalesce($3, introduction), face_url = coalesce($4, face_url), ex = coalesce($5, ex),
		need_verification = coalesce($6, need_verification), look_member_info = coalesce($7, look_member_info),
		apply_member_friend = coalesce($8, apply_member_friend), status = coalesce($9, status), owner_id = coalesce($10, owner_id),
		notification_updated_at = coalesce($11, notification_updated_at), notification_user_id = coalesce($12, notification_user_id)
		WHERE group_id = $13`,
		c.Name, c.Notification, c.Introduction, c.FaceURL, c.Ex, c.NeedVerification, c.LookMemberInfo, c.ApplyMemberFriend,
		c.Status, c.OwnerID, c.NotificationUpdatedAt, c.NotificationUserID, groupID)
	if err != nil {
		return fmt.Errorf("update group %s: %w", groupID, err)
	}
	tx.touch(groupID)
	return nil
}

// markLog notes in a group's member log when its order ("sort_version") or its
// profile ("self_version") last changed.
func (tx *Tx) markLog(groupID, marker string, version uint64) error {
	_, err := tx.exec(`UPDATE version_log SET `+marker+` = $1 WHERE kind = $2 AND owner_id = $3`, version, im.VersionGroupMembers, groupID)
	if err != nil {
		return fmt.Errorf("mark member log of %s: %w", groupID, err)
	}
	return nil
}

// MemberChange is a partial update of a member; nil leaves a field as it is.
type MemberChange struct {
	UserID                string
	Role                  *int32
	Nickname, FaceURL, Ex *string
	MuteUntil             *im.Millis
}

// UpdateMembers changes members of a group as one operation. sort is the
// version if roles changed, and with them the order of members, else 0.
func (tx *Tx) UpdateMembers(groupID string, changes ...MemberChange) (v im.Version, sort uint64, err error) {
	if v, err = tx.nextVersion(im.VersionGroupMembers, groupID); err != nil {
		return v, 0, err
	}
	for _, c := range changes {
		if _, err := tx.exec(`UPDATE group_member SET role = coalesce($1, role), nickname = coalesce($2, nickname),
			face_url = coalesce($3, face_url), ex = coalesce($4, ex), mute_until = coalesce($5, mute_until), version = $6
			WHERE group_id = $7 AND user_id = $8`,
			c.Role, c.Nickname, c.FaceURL, c.Ex, c.MuteUntil, v.Version, groupID, c.UserID); err != nil {
			return v, 0, fmt.Errorf("update member %s of %s: %w", c.UserID, groupID, err)
		}
		if c.Role != nil {
			sort = v.Version
		}
	}
	if sort > 0 {
		if err := tx.markLog(groupID, "sort_version", sort); err != nil {
			return v, 0, err
		}
	}
	tx.touch(groupID)
	return v, sort, nil
}

// TransferGroup gives a group to another member as one operation; the former
// owner gets the role that member had.
func (tx *Tx) TransferGroup(groupID string, from string, to im.Member) (v im.Version, sort uint64, err error) {
	if err := tx.setGroup(groupID, GroupChange{OwnerID: &to.UserID}); err != nil {
		return v, 0, err
	}
	owner, unmuted, former := im.RoleOwner, im.Millis(0), to.Role
	if v, sort, err = tx.UpdateMembers(groupID,
		MemberChange{UserID: from, Role: &former}, MemberChange{UserID: to.UserID, Role: &owner, MuteUntil: &unmuted}); err != nil {
		return v, 0, err
	}
	return v, sort, tx.markLog(groupID, "self_version", v.Version)
}

// Managers returns a group's owner and administrators.
func (tx *Tx) Managers(groupID string) ([]im.Member, error) {
	return queryAll(tx, memberFields, memberColumns+memberFrom+`WHERE m.group_id = $1 AND m.role >= $2 ORDER BY m.role DESC, m.id`, groupID, im.RoleAdmin)
}
