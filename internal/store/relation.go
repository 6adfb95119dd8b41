package store

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/parley-im/parley/internal/im"
)

// InsertBlock makes owner refuse messages of blocked; ErrDuplicateKey if he
// does already.
func (tx *Tx) InsertBlock(ownerID, blockedID, ex, operatorID string, at im.Millis) error {
	v, err := tx.nextVersion(im.VersionBlocks, ownerID) // first: it locks the list
	if err != nil {
		return err
	}
	var already int
	found, err := tx.queryRow(`SELECT 1 FROM block WHERE owner_id = $1 AND blocked_id = $2`, []any{ownerID, blockedID}, &already)
	if err != nil {
		return err
	}
	if found {
		if err := tx.takeBackVersion(im.VersionBlocks, ownerID); err != nil {
			return err
		}
		return ErrDuplicateKey
	}
	if _, err := tx.exec(`INSERT INTO block (owner_id, blocked_id, ex, operator_id, created_at, version) VALUES ($1, $2, $3, $4, $5, $6)`,
		ownerID, blockedID, ex, operatorID, at, v.Version); err != nil {
		return fmt.Errorf("insert block of %s by %s: %w", blockedID, ownerID, err)
	}
	tx.touch(ownerID)
	return tx.restored(im.VersionBlocks, ownerID, blockedID)
}

// ErrNotListed: what was to be removed from a list is not in it.
var ErrNotListed = errors.New("store: not in the list")

// DeleteBlock lets blocked write to owner again; ErrNotListed if he could.
func (tx *Tx) DeleteBlock(ownerID, blockedID string) error {
	tx.touch(ownerID)
	return tx.deleteListed(im.VersionBlocks, `DELETE FROM block WHERE owner_id = $1 AND blocked_id = $2`, ownerID, blockedID)
}

// DeleteFriend removes a friend from an owner's list, not the owner from the
// friend's; ErrNotListed if he was not in it.
func (tx *Tx) DeleteFriend(ownerID, friendID string) error {
	tx.touch(ownerID)
	return tx.deleteListed(im.VersionFriends, `DELETE FROM friend WHERE owner_id = $1 AND friend_id = $2`, ownerID, friendID)
}

// deleteListed removes an element from a list with a statement; without such
// an element nothing is counted.
func (tx *Tx) deleteListed(kind im.VersionKind, statement, ownerID, elementID string) error {
	v, err := tx.nextVersion(kind, ownerID) // first: it locks the list
	if err != nil {
		return err
	}
	n, err := tx.exec(statement, ownerID, elementID)
	if err != nil {
		return fmt.Errorf("delete %s from list %d of %s: %w", elementID, kind, ownerID, err)
	}
	if n == 0 {
		if err := tx.takeBackVersion(kind, ownerID); err != nil {
			return err
		}
		return ErrNotListed
	}
	return tx.removed(kind, ownerID, elementID, v.Version)
}

// UpdateFriends changes entries of an owner's list as one operation and
// returns how many of the friends are in it. With a pin the order of the list
// counts as changed.
func (tx *Tx) UpdateFriends(ownerID string, friendIDs []string, c im.FriendChange) (int64, error) {
	v, err := tx.nextVersion(im.VersionFriends, ownerID)
	if err != nil {
		return 0, err
	}
	var pinned *int
	if c.Pinned != nil {
		p := boolInt(*c.Pinned)
		pinned = &p
	}
	var changed int64
	err = inChunks(friendIDs, 6, func(list string, ids []any) error {
		n, err := tx.exec(`UPDATE friend SET remark = coalesce($1, remark), ex = coalesce($2, ex), pinned = coalesce($3, pinned), version = $4
			WHERE owner_id = $5 AND friend_id IN (`+list+`)`, append([]any{c.Remark, c.Ex, pinned, v.Version, ownerID}, ids...)...)
		changed += n
		return err
	})
	switch {
	case err != nil:
		return 0, fmt.Errorf("update friends of %s: %w", ownerID, err)
	case changed == 0:
		return 0, tx.takeBackVersion(im.VersionFriends, ownerID)
	case c.Pinned != nil:
		err = tx.sortChanged(im.VersionFriends, ownerID)
	}
	return changed, err
}

// InsertFriends adds friends to an owner's list as one operation. Those who
// are in it already stay as they are.
func (tx *Tx) InsertFriends(ownerID string, friendIDs []string, addSource int32, operatorID string, at im.Millis) error {
	v, err := tx.nextVersion(im.VersionFriends, ownerID) // first: it locks the list
	if err != nil {
		return err
	}
	known, err := queryIn(tx, one[string], `SELECT friend_id FROM friend WHERE owner_id = $1 AND friend_id IN (%s)`, []any{ownerID}, friendIDs)
	if err != nil {
		return err
	}
	if len(known) == len(friendIDs) {
		return tx.takeBackVersion(im.VersionFriends, ownerID)
	}
	for _, friendID := range friendIDs {
		if slices.Contains(known, friendID) {
			continue
		}
		if _, err := tx.exec(`INSERT INTO friend (owner_id, friend_id, add_source, operator_id, created_at, created_version, version)
			VALUES ($1, $2, $3, $4, $5, $6, $6)`,
			ownerID, friendID, addSource, operatorID, at, v.Version); err != nil {
			return fmt.Errorf("insert friend %s of %s: %w", friendID, ownerID, err)
		}
		if err := tx.restored(im.VersionFriends, ownerID, friendID); err != nil {
			return err
		}
	}
	tx.touch(ownerID)
	return nil
}

// FriendIDs returns a user's friends, pinned first, then by age.
func (tx *Tx) FriendIDs(ownerID string) ([]string, error) {
	return queryAll(tx, one[string], `SELECT friend_id FROM friend WHERE owner_id = $1 ORDER BY pinned DESC, id`, ownerID)
}

// A friend is read with the parts of his profile that lists show.
const (
	friendColumns = `SELECT f.owner_id, f.friend_id, f.remark, f.ex, f.pinned, f.add_source, f.operator_id, f.created_at,
	coalesce(u.nickname, ''), coalesce(u.face_url, ''), coalesce(u.ex, '')`
	friendFrom = ` FROM friend f LEFT JOIN users u ON u.user_id = f.friend_id `
)

func friendFields(f *im.Friend) []any {
	return []any{
		&f.OwnerID, &f.User.UserID, &f.Remark, &f.Ex, (*flag)(&f.Pinned), &f.AddSource, &f.OperatorID, &f.CreatedAt,
		&f.User.Nickname, &f.User.FaceURL, &f.User.Ex,
	}
}

// FriendPage returns a user's friends in the order of FriendIDs.
func (tx *Tx) FriendPage(ownerID string, offset, limit int) ([]im.Friend, error) {
	return queryAll(tx, friendFields, friendColumns+friendFrom+`WHERE f.owner_id = $1 ORDER BY f.pinned DESC, f.id LIMIT $2 OFFSET $3`,
		ownerID, limit, offset)
}

// Friends returns those of the users who are in the owner's list.
func (tx *Tx) Friends(ownerID string, userIDs []string) ([]im.Friend, error) {
	return queryIn(tx, friendFields, friendColumns+friendFrom+`WHERE f.owner_id = $1 AND f.friend_id IN (%s) ORDER BY f.pinned DESC, f.id`,
		[]any{ownerID}, userIDs)
}

// FriendCount returns the length of a user's friend list.
func (tx *Tx) FriendCount(ownerID string) (n int64, err error) {
	_, err = tx.queryRow(`SELECT count(*) FROM friend WHERE owner_id = $1`, []any{ownerID}, &n)
	return n, err
}

// FriendChanges are the friends that were added or changed after a version of
// the owner's list, in the order they were added; at most limit. Who was added since
// counts as added, changed or not: clients keep the order of the list by what was
// added to it.
func (tx *Tx) FriendChanges(ownerID string, after uint64, limit int) (inserted, updated []im.Friend, err error) {
	type row struct {
		im.Friend
		created uint64
		id      int64
	}
	rows, err := queryAll(tx, func(r *row) []any { return append(friendFields(&r.Friend), &r.created, &r.id) },
		friendColumns+`, f.created_version, f.id`+friendFrom+`WHERE f.owner_id = $1 AND f.version > $2 ORDER BY f.version, f.id LIMIT $3`,
		ownerID, after, limit)
	// Read by version, which has an index; told in the order of the list.
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.id, b.id) })
	for _, r := range rows {
		if r.created > after {
			inserted = append(inserted, r.Friend)
		} else {
			updated = append(updated, r.Friend)
		}
	}
	return inserted, updated, err
}

const blockQuery = `SELECT b.owner_id, b.blocked_id, b.ex, b.add_source, b.operator_id, b.created_at,
	coalesce(u.nickname, ''), coalesce(u.face_url, ''), coalesce(u.ex, '')
	FROM block b LEFT JOIN users u ON u.user_id = b.blocked_id WHERE b.owner_id = $1`

func blockFields(b *im.Block) []any {
	return []any{&b.OwnerID, &b.User.UserID, &b.Ex, &b.AddSource, &b.OperatorID, &b.CreatedAt, &b.User.Nickname, &b.User.FaceURL, &b.User.Ex}
}

// BlockPage returns whom a user blocks, oldest first.
func (tx *Tx) BlockPage(ownerID string, offset, limit int) ([]im.Block, error) {
	return queryAll(tx, blockFields, blockQuery+` ORDER BY b.id LIMIT $2 OFFSET $3`, ownerID, limit, offset)
}

// Blocks returns those of the users whom the owner blocks.
func (tx *Tx) Blocks(ownerID string, userIDs []string) ([]im.Block, error) {
	return queryIn(tx, blockFields, blockQuery+` AND b.blocked_id IN (%s) ORDER BY b.id`, []any{ownerID}, userIDs)
}

// BlockChanges returns those who were blocked after a version of the owner's
// list, at most limit.
func (tx *Tx) BlockChanges(ownerID string, after uint64, limit int) ([]im.Block, error) {
	return queryAll(tx, blockFields, blockQuery+` AND b.version > $2 ORDER BY b.version, b.id LIMIT $3`, ownerID, after, limit)
}

// BlockCount returns how many users a user blocks.
func (tx *Tx) BlockCount(ownerID string) (n int64, err error) {
	_, err = tx.queryRow(`SELECT count(*) FROM block WHERE owner_id = $1`, []any{ownerID}, &n)
	return n, err
}
