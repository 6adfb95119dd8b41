package store

import "github.com/parley-im/parley/internal/im"

// JobFinished returns when a job was last finished; a job seen for the first
// time counts as finished now.
func (tx *Tx) JobFinished(name string, now im.Millis) (at im.Millis, err error) {
	found, err := tx.queryRow(`SELECT finished_at FROM job WHERE name = $1`, []any{name}, &at)
	if err != nil || found {
		return at, err
	}
	if _, err := tx.exec(`INSERT INTO job (name, finished_at, owner, lease_until) VALUES ($1, $2, '', 0) ON CONFLICT DO NOTHING`, name, now); err != nil {
		return 0, err
	}
	return now, nil
}

// ClaimJob gives a job to owner until a time, unless somebody else holds it, or
// finished it since the claimant looked. Its holder claims it again to go on.
func (tx *Tx) ClaimJob(name, owner string, finished, now, until im.Millis) (bool, error) {
	n, err := tx.exec(`UPDATE job SET owner = $1, lease_until = $2 WHERE name = $3 AND finished_at = $4 AND (owner = $1 OR lease_until <= $5)`,
		owner, until, name, finished, now)
	return n > 0, err
}

// FinishJob ends owner's hold of a job that is done.
func (tx *Tx) FinishJob(name, owner string, at im.Millis) error {
	_, err := tx.exec(`UPDATE job SET owner = '', lease_until = 0, finished_at = $1 WHERE name = $2 AND owner = $3`, at, name, owner)
	return err
}
