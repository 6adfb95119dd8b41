package store

import (
	"fmt"
	"slices"

	"github.com/parley-im/parley/internal/im"
)

// SpreadKind says what a spread does.
type SpreadKind int

// The kinds are stored: they keep their numbers.
const (
	SpreadToFriends   SpreadKind = 1 // a changed profile, to the friend lists that show it
	SpreadToGroups    SpreadKind = 2 // a changed profile, to the groups that show it
	SpreadMarks       SpreadKind = 3 // a mention or announcement, to the lists of those it concerns
	SpreadDismissal   SpreadKind = 4 // the end of a group, to its members
	SpreadFounding    SpreadKind = 5 // a new group, to the members there was no room for at once
	SpreadClosedChats SpreadKind = 6 // a message, to the members who deleted the chat
)

// Spread is a change that concerns more rows than one transaction may touch. It
// is noted in the transaction of the change and expanded in chunks, each in a
// transaction together with the move of the cursor; what a crash leaves over is
// found again. Kind and Subject are its name: beginning it again starts it over.
type Spread struct {
	Kind    SpreadKind
	Subject string
	Cursor  string // where the next chunk begins, in the kind's own words
	Payload []byte
}

// BeginSpread notes a change that is to be spread.
func (tx *Tx) BeginSpread(s Spread) error {
	if s.Payload == nil {
		s.Payload = []byte{}
	}
	_, err := tx.exec(`INSERT INTO spread (kind, subject, cursor, payload) VALUES ($1, $2, $3, $4)
		ON CONFLICT (kind, subject) DO UPDATE SET cursor = excluded.cursor, payload = excluded.payload`, s.Kind, s.Subject, s.Cursor, s.Payload)
	if err != nil {
		return fmt.Errorf("begin spread %d of %s: %w", s.Kind, s.Subject, err)
	}
	return nil
}

// LockSpread returns a spread and keeps others who lock it waiting until this
// transaction ends; found is false when it is done.
func (tx *Tx) LockSpread(kind SpreadKind, subject string) (s Spread, found bool, err error) {
	s.Kind, s.Subject = kind, subject
	found, err = tx.queryRow(`UPDATE spread SET kind = kind WHERE kind = $1 AND subject = $2 RETURNING cursor, payload`,
		[]any{kind, subject}, &s.Cursor, &s.Payload)
	return s, found, err
}

// MoveSpread notes how far a spread has come.
func (tx *Tx) MoveSpread(s Spread, cursor string) error {
	_, err := tx.exec(`UPDATE spread SET cursor = $1 WHERE kind = $2 AND subject = $3`, cursor, s.Kind, s.Subject)
	return err
}

// EndSpread notes that a spread is done.
func (tx *Tx) EndSpread(s Spread) error {
	_, err := tx.exec(`DELETE FROM spread WHERE kind = $1 AND subject = $2`, s.Kind, s.Subject)
	return err
}

// Spreads returns some of the spreads that are not done, the oldest first.
func (tx *Tx) Spreads(limit int) ([]Spread, error) {
	return queryAll(tx, func(s *Spread) []any { return []any{&s.Kind, &s.Subject, &s.Cursor} },
		`SELECT kind, subject, cursor FROM spread ORDER BY id LIMIT $1`, limit)
}

// SpreadToFriendLists counts a change of a user's profile in up to limit friend
// lists, of owners after a user id, and returns their owners.
func (tx *Tx) SpreadToFriendLists(userID, after string, limit int) (owners []string, err error) {
	owners, err = queryAll(tx, one[string], `SELECT owner_id FROM friend WHERE friend_id = $1 AND owner_id > $2 ORDER BY owner_id LIMIT $3`,
		userID, after, limit)
	if err != nil || len(owners) == 0 {
		return nil, err
	}
	if err := tx.nextVersions(im.VersionFriends, owners); err != nil {
		return nil, err
	}
	d := tx.dialect
	_, err = tx.exec(`UPDATE friend SET version = `+versionOf("$1", "friend.owner_id")+` WHERE friend_id = $2 AND owner_id IN `+d.ids(3),
		im.VersionFriends, userID, d.list(owners))
	if err != nil {
		return nil, fmt.Errorf("count profile of %s: %w", userID, err)
	}
	return owners, nil
}

// ProfileInGroup is a change of a profile as one of the user's groups counts it.
type ProfileInGroup struct {
	Group   im.Group
	Member  im.Member
	Version im.Version
}

// SpreadToMemberships counts a change of a user's profile in up to limit of the
// groups that show it, with ids after one: those in which he has no name or no
// face of his own.
func (tx *Tx) SpreadToMemberships(userID, after string, limit int) ([]ProfileInGroup, error) {
	ids, err := queryAll(tx, one[string], `SELECT group_id FROM group_member WHERE user_id = $1 AND group_id > $2 AND (nickname = '' OR face_url = '')
		ORDER BY group_id LIMIT $3`, userID, after, limit)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	if err := tx.nextVersions(im.VersionGroupMembers, ids); err != nil {
		return nil, err
	}
	d := tx.dialect
	if _, err := tx.exec(`UPDATE group_member SET version = `+versionOf("$1", "group_member.group_id")+` WHERE user_id = $2 AND group_id IN `+d.ids(3),
		im.VersionGroupMembers, userID, d.list(ids)); err != nil {
		return nil, fmt.Errorf("count profile of %s: %w", userID, err)
	}
	members, err := queryAll(tx, memberFields, memberColumns+memberFrom+`WHERE m.user_id = $1 AND m.group_id IN `+d.ids(2)+` ORDER BY m.group_id`,
		userID, d.list(ids))
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if slices.ContainsFunc(members, func(m im.Member) bool { return m.GroupID == id }) {
			continue
		}
		// He left since we looked: this version would tell nobody of anything.
		if err := tx.takeBackVersion(im.VersionGroupMembers, id); err != nil {
			return nil, err
		}
	}
	groups, err := tx.Groups(ids)
	if err != nil {
		return nil, err
	}
	byID := make(map[string]im.Group, len(groups))
	for _, g := range groups {
		byID[g.GroupID] = g
	}
	out := make([]ProfileInGroup, len(members))
	for i, m := range members {
		out[i] = ProfileInGroup{Group: byID[m.GroupID], Member: m}
		if out[i].Version, err = tx.Version(im.VersionGroupMembers, m.GroupID); err != nil {
			return nil, err
		}
	}
	return out, nil
}
