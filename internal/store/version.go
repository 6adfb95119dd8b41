package store

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"

	"github.com/parley-im/parley/internal/im"
)

// newVersionID returns 24 random hex digits.
func newVersionID() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand aborts the process instead
	return hex.EncodeToString(b[:])
}

// Version returns the state of a list, creating its log on first use. In a
// read transaction a missing log is the zero Version.
func (tx *Tx) Version(kind im.VersionKind, ownerID string) (v im.Version, err error) {
	found, err := tx.queryRow(`SELECT version_id, version FROM version_log WHERE kind = $1 AND owner_id = $2`,
		[]any{kind, ownerID}, &v.ID, &v.Version)
	if err != nil || found || !tx.writing {
		return v, err
	}
	return tx.nextVersion(kind, ownerID)
}

// nextVersion counts one operation on a list and returns the state after it.
// Everything the operation changes is stamped with this version.
func (tx *Tx) nextVersion(kind im.VersionKind, ownerID string) (v im.Version, err error) {
	_, err = tx.queryRow(`INSERT INTO version_log (kind, owner_id, version_id, version) VALUES ($1, $2, $3, 1)
		ON CONFLICT (kind, owner_id) DO UPDATE SET version = version_log.version + 1 RETURNING version_id, version`,
		[]any{kind, ownerID, newVersionID()}, &v.ID, &v.Version)
	if err != nil {
		return v, fmt.Errorf("next version of list %d of %s: %w", kind, ownerID, err)
	}
	return v, nil
}

// takeBackVersion undoes nextVersion when nothing was changed after all. The
// list is locked since then, so nobody has seen the version.
func (tx *Tx) takeBackVersion(kind im.VersionKind, ownerID string) error {
	opened, err := tx.exec(`DELETE FROM version_log WHERE kind = $1 AND owner_id = $2 AND version = 1`, kind, ownerID)
	if err != nil || opened > 0 {
		return err
	}
	_, err = tx.exec(`UPDATE version_log SET version = version - 1 WHERE kind = $1 AND owner_id = $2`, kind, ownerID)
	return err
}

// sortChanged notes that the order of a list changed with its last operation.
func (tx *Tx) sortChanged(kind im.VersionKind, ownerID string) error {
	_, err := tx.exec(`UPDATE version_log SET sort_version = version WHERE kind = $1 AND owner_id = $2`, kind, ownerID)
	return err
}

// removed notes that an element left a list, at the version of that operation.
func (tx *Tx) removed(kind im.VersionKind, ownerID, elementID string, version uint64) error {
	_, err := tx.exec(`INSERT INTO tombstone (kind, owner_id, element_id, version) VALUES ($1, $2, $3, $4)
		ON CONFLICT (kind, owner_id, element_id) DO UPDATE SET version = excluded.version`, kind, ownerID, elementID, version)
	return err
}

// restored forgets a tombstone: the element is back, at the end of the list. To a
// client that does not know yet that it was gone, the order changed.
func (tx *Tx) restored(kind im.VersionKind, ownerID, elementID string) error {
	var gone uint64
	found, err := tx.queryRow(`DELETE FROM tombstone WHERE kind = $1 AND owner_id = $2 AND element_id = $3 RETURNING version`,
		[]any{kind, ownerID, elementID}, &gone)
	if err != nil || !found {
		return err
	}
	_, err = tx.exec(`UPDATE version_log SET sort_version = $1 WHERE kind = $2 AND owner_id = $3 AND sort_version < $1`, gone, kind, ownerID)
	return err
}

// Removed returns the elements removed from a list after a version, at most
// limit of them.
func (tx *Tx) Removed(kind im.VersionKind, ownerID string, after uint64, limit int) ([]string, error) {
	return queryAll(tx, one[string], `SELECT element_id FROM tombstone WHERE kind = $1 AND owner_id = $2 AND version > $3 LIMIT $4`,
		kind, ownerID, after, limit)
}
