package store

import (
	"fmt"

	"github.com/parley-im/parley/internal/im"
)

// ConfigVersion is a configuration that took effect, or an edit that was refused.
type ConfigVersion struct {
	ID      int64
	At      im.Millis
	Applied bool
	Cause   string // start, file, signal or request
	Hash    string // of the values; "" when refused
	Body    []byte // the snapshot, or what was wrong, as JSON
}

// configVersionsKept bounds the history.
const configVersionsKept = 200

// InsertConfigVersion adds to the history and forgets what is too old.
func (tx *Tx) InsertConfigVersion(v ConfigVersion) error {
	var id int64
	if _, err := tx.queryRow(`INSERT INTO config_history (at, applied, cause, hash, body) VALUES ($1, $2, $3, $4, $5) RETURNING id`,
		[]any{v.At, boolInt(v.Applied), v.Cause, v.Hash, v.Body}, &id); err != nil {
		return fmt.Errorf("insert configuration version: %w", err)
	}
	// The one in effect stays, however many edits were refused since.
	_, err := tx.exec(`DELETE FROM config_history WHERE id <= $1 AND id <> (SELECT max(id) FROM config_history WHERE applied = 1)`, id-configVersionsKept)
	return err
}

// ConfigVersions lists the history, newest first: what was recorded at or before
// the time given, 0 for all.
func (tx *Tx) ConfigVersions(until im.Millis, limit int) ([]ConfigVersion, error) {
	rows, err := queryAll(tx, configVersionFields, `SELECT id, at, applied, cause, hash, body FROM config_history
		WHERE at <= $1 OR $1 = 0 ORDER BY id DESC LIMIT $2`, until, limitOr(limit, configVersionsKept))
	if err != nil {
		return nil, fmt.Errorf("list configuration versions: %w", err)
	}
	return rows, nil
}

// ConfigInEffect returns the configuration that applied at a time, 0 for now.
func (tx *Tx) ConfigInEffect(at im.Millis) (v ConfigVersion, found bool, err error) {
	found, err = tx.queryRow(`SELECT id, at, applied, cause, hash, body FROM config_history
		WHERE applied = 1 AND (at <= $1 OR $1 = 0) ORDER BY id DESC LIMIT 1`, []any{at}, configVersionFields(&v)...)
	return v, found, err
}

func configVersionFields(v *ConfigVersion) []any {
	return []any{&v.ID, &v.At, (*flag)(&v.Applied), &v.Cause, &v.Hash, &v.Body}
}
