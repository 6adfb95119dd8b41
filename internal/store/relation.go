package store

import (
	"fmt"

	"github.com/parley-im/parley/internal/im"
)

// InsertBlock makes owner refuse messages of blocked; ErrDuplicateKey if he
// does already.
func (tx *Tx) InsertBlock(ownerID, blockedID, ex, operatorID string, at im.Millis) error {
	if _, err := tx.exec(`INSERT INTO block (owner_id, blocked_id, ex, operator_id, created_at) VALUES ($1, $2, $3, $4, $5)`,
		ownerID, blockedID, ex, operatorID, at); err != nil {
		return fmt.Errorf("insert block of %s by %s: %w", blockedID, ownerID, err)
	}
	tx.touch(ownerID)
	return nil
}

// DeleteBlock lets blocked write to owner again; a missing block is no error.
func (tx *Tx) DeleteBlock(ownerID, blockedID string) error {
	tx.touch(ownerID)
	_, err := tx.exec(`DELETE FROM block WHERE owner_id = $1 AND blocked_id = $2`, ownerID, blockedID)
	return err
}

// InsertFriend adds friend to owner's list; ErrDuplicateKey if he is in it.
func (tx *Tx) InsertFriend(ownerID, friendID string, addSource int32, operatorID string, at im.Millis) error {
	v, err := tx.nextVersion(im.VersionFriends, ownerID)
	if err != nil {
		return err
	}
	if _, err := tx.exec(`INSERT INTO friend (owner_id, friend_id, add_source, operator_id, created_at, created_version, version)
		VALUES ($1, $2, $3, $4, $5, $6, $6)`, ownerID, friendID, addSource, operatorID, at, v.Version); err != nil {
		return fmt.Errorf("insert friend %s of %s: %w", friendID, ownerID, err)
	}
	tx.touch(ownerID)
	return tx.restored(im.VersionFriends, ownerID, friendID)
}

// FriendIDs returns a user's friends, pinned first, then by age.
func (tx *Tx) FriendIDs(ownerID string) ([]string, error) {
	return queryAll(tx, one[string], `SELECT friend_id FROM friend WHERE owner_id = $1 ORDER BY pinned DESC, id`, ownerID)
}
