package store

import (
	"fmt"

	"github.com/parley-im/parley/internal/im"
)

// A user may be in a hundred thousand friend lists, more than one transaction
// can count a change of his profile in. The change is noted with its own
// transaction, then spread in chunks; what a crash leaves over is found again.

// BeginProfileSpread notes that no friend list has counted a change of the
// user's profile yet, also if an earlier change is still being spread.
func (tx *Tx) BeginProfileSpread(userID string) error {
	_, err := tx.exec(`INSERT INTO profile_spread (user_id, after_owner) VALUES ($1, '')
		ON CONFLICT (user_id) DO UPDATE SET after_owner = ''`, userID)
	return err
}

// SpreadProfile counts the change in up to limit more friend lists and returns
// their owners; done tells that these were the last.
func (tx *Tx) SpreadProfile(userID string, limit int) (owners []string, done bool, err error) {
	var after string
	found, err := tx.queryRow(`UPDATE profile_spread SET user_id = user_id WHERE user_id = $1 RETURNING after_owner`, []any{userID}, &after) // locks it
	if err != nil || !found {
		return nil, true, err
	}
	owners, err = queryAll(tx, one[string], `SELECT owner_id FROM friend WHERE friend_id = $1 AND owner_id > $2 ORDER BY owner_id LIMIT $3`,
		userID, after, limit)
	if err != nil {
		return nil, false, err
	}
	for _, ownerID := range owners {
		v, err := tx.nextVersion(im.VersionFriends, ownerID)
		if err != nil {
			return nil, false, err
		}
		if _, err := tx.exec(`UPDATE friend SET version = $1 WHERE owner_id = $2 AND friend_id = $3`, v.Version, ownerID, userID); err != nil {
			return nil, false, fmt.Errorf("count profile of %s for %s: %w", userID, ownerID, err)
		}
	}
	if len(owners) < limit {
		_, err = tx.exec(`DELETE FROM profile_spread WHERE user_id = $1`, userID)
		return owners, true, err
	}
	_, err = tx.exec(`UPDATE profile_spread SET after_owner = $1 WHERE user_id = $2`, owners[len(owners)-1], userID)
	return owners, false, err
}

// ProfileSpreads returns the users whose changed profiles not every friend
// list has counted.
func (tx *Tx) ProfileSpreads() ([]string, error) {
	return queryAll(tx, one[string], `SELECT user_id FROM profile_spread ORDER BY user_id`)
}
