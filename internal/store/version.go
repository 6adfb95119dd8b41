package store

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"

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

// nextVersions counts one operation on a list of each of the owners, in the
// order of their ids: two operations on the same ones would otherwise wait for
// each other. What it changes is stamped with versionOf.
func (tx *Tx) nextVersions(kind im.VersionKind, ownerIDs []string) error {
	d := tx.dialect
	sorted := slices.Compact(slices.Sorted(slices.Values(ownerIDs)))
	_, err := tx.exec(`INSERT INTO version_log (kind, owner_id, version_id, version) SELECT $1, q.id, `+d.randomID()+`, 1 FROM `+d.each(2)+` WHERE true
		ON CONFLICT (kind, owner_id) DO UPDATE SET version = version_log.version + 1`, kind, d.list(sorted))
	if err != nil {
		return fmt.Errorf("next versions of lists %d: %w", kind, err)
	}
	return nil
}

// versionOf is an expression for the version of a list as nextVersions left it.
func versionOf(kind, owner string) string {
	return `(SELECT v.version FROM version_log v WHERE v.kind = ` + kind + ` AND v.owner_id = ` + owner + `)`
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

// removedAll and restoredAll are removed and restored for many elements of a
// list.
func (tx *Tx) removedAll(kind im.VersionKind, ownerID string, elementIDs []string, version uint64) error {
	d := tx.dialect
	_, err := tx.exec(`INSERT INTO tombstone (kind, owner_id, element_id, version) SELECT $1, $2, q.id, $3 FROM `+d.each(4)+` WHERE true
		ON CONFLICT (kind, owner_id, element_id) DO UPDATE SET version = excluded.version`, kind, ownerID, version, d.list(elementIDs))
	return err
}

func (tx *Tx) restoredAll(kind im.VersionKind, ownerID string, elementIDs []string) error {
	d := tx.dialect
	if _, err := tx.exec(`UPDATE version_log SET sort_version = (SELECT max(t.version) FROM tombstone t WHERE t.kind = $1 AND t.owner_id = $2 AND t.element_id IN `+d.ids(3)+`)
		WHERE kind = $1 AND owner_id = $2 AND EXISTS (SELECT 1 FROM tombstone t WHERE t.kind = $1 AND t.owner_id = $2 AND t.version > version_log.sort_version
		AND t.element_id IN `+d.ids(3)+`)`, kind, ownerID, d.list(elementIDs)); err != nil {
		return err
	}
	_, err := tx.exec(`DELETE FROM tombstone WHERE kind = $1 AND owner_id = $2 AND element_id IN `+d.ids(3), kind, ownerID, d.list(elementIDs))
	return err
}

// removedFrom and restoredTo are removed and restored for one element of many
// lists, which nextVersions counted.
func (tx *Tx) removedFrom(kind im.VersionKind, ownerIDs []string, elementID string) error {
	d := tx.dialect
	_, err := tx.exec(`INSERT INTO tombstone (kind, owner_id, element_id, version) SELECT $1, q.id, $2, `+versionOf("$1", "q.id")+` FROM `+d.each(3)+` WHERE true
		ON CONFLICT (kind, owner_id, element_id) DO UPDATE SET version = excluded.version`, kind, elementID, d.list(ownerIDs))
	return err
}

func (tx *Tx) restoredTo(kind im.VersionKind, ownerIDs []string, elementID string) error {
	d := tx.dialect
	if _, err := tx.exec(`UPDATE version_log SET sort_version = (SELECT t.version FROM tombstone t WHERE t.kind = $1 AND t.owner_id = version_log.owner_id AND t.element_id = $2)
		WHERE kind = $1 AND owner_id IN `+d.ids(3)+` AND EXISTS (SELECT 1 FROM tombstone t WHERE t.kind = $1 AND t.owner_id = version_log.owner_id
		AND t.element_id = $2 AND t.version > version_log.sort_version)`, kind, elementID, d.list(ownerIDs)); err != nil {
		return err
	}
	_, err := tx.exec(`DELETE FROM tombstone WHERE kind = $1 AND element_id = $2 AND owner_id IN `+d.ids(3), kind, elementID, d.list(ownerIDs))
	return err
}

// Removed returns the elements removed from a list after a version, at most
// limit of them.
func (tx *Tx) Removed(kind im.VersionKind, ownerID string, after uint64, limit int) ([]string, error) {
	return queryAll(tx, one[string], `SELECT element_id FROM tombstone WHERE kind = $1 AND owner_id = $2 AND version > $3 LIMIT $4`,
		kind, ownerID, after, limit)
}
