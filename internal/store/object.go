package store

import (
	"fmt"
	"slices"

	"github.com/parley-im/parley/internal/im"
)

// Object is a named file.
type Object struct {
	Name        string
	Key         string // of its content in the object store
	UserID      string // who uploaded it
	Size        int64  // bytes
	ContentType string
	Cause       string // what it was uploaded for, for example "msg-picture"
	CreatedAt   im.Millis
}

// Upload is an upload that is not finished.
type Upload struct {
	ID          string
	UserID      string
	Key         string // the content's, once it is whole
	Hash        string // of the part sums; "" when the content comes as a form
	Size        int64  // bytes
	PartSize    int64  // bytes of every part but the last
	BackendID   string // what the object store calls it
	Name        string // of forms: what the object will be called
	ContentType string // of forms
	Cause       string // of forms
	ExpiresAt   im.Millis
}

// Parts is the number of an upload's parts.
func (u *Upload) Parts() int {
	if u.PartSize <= 0 {
		return 1
	}
	return int((u.Size + u.PartSize - 1) / u.PartSize)
}

// PartLength is the size in bytes of part number, which counts from 1.
func (u *Upload) PartLength(number int) int64 {
	return min(u.PartSize, u.Size-int64(number-1)*u.PartSize)
}

const objectColumns = `name, key, user_id, size, content_type, cause, created_at`

func objectFields(o *Object) []any {
	return []any{&o.Name, &o.Key, &o.UserID, &o.Size, &o.ContentType, &o.Cause, &o.CreatedAt}
}

// Object returns a named file.
func (tx *Tx) Object(name string) (o Object, found bool, err error) {
	found, err = tx.queryRow(`SELECT `+objectColumns+` FROM object WHERE name = $1`, []any{name}, objectFields(&o)...)
	return o, found, err
}

// ContentOf returns the key of the content with a hash. A size of 0 takes any.
func (tx *Tx) ContentOf(hash string, size int64) (key string, stored int64, found bool, err error) {
	found, err = tx.queryRow(`SELECT key, size FROM blob WHERE hash = $1 AND (size = $2 OR $2 = 0) ORDER BY size LIMIT 1`, []any{hash, size}, &key, &stored)
	return key, stored, found, err
}

// PutContent says that the object store holds key. If a content of the same hash
// and size is there already, its key is returned and key goes to the trash.
func (tx *Tx) PutContent(key, hash string, size int64, at im.Millis) (kept string, err error) {
	var unique any
	if hash != "" {
		unique = hash
	}
	n, err := tx.exec(`INSERT INTO blob (key, hash, size, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`, key, unique, size, at)
	if err != nil || n > 0 {
		return key, err
	}
	if hash == "" { // sent again
		_, err := tx.exec(`UPDATE blob SET size = $1 WHERE key = $2`, size, key)
		return key, err
	}
	kept, _, found, err := tx.ContentOf(hash, size)
	if err != nil || !found {
		return key, err
	}
	if kept != key {
		err = tx.discard(key)
	}
	return kept, err
}

// PutObject names a content. An object of that name is replaced, and its content
// goes to the trash when nothing else names it. stored is false when the content
// is not there any more.
func (tx *Tx) PutObject(o Object) (stored bool, err error) {
	if alive, err := tx.holdContent(o.Key); err != nil || !alive {
		return false, err
	}
	old, replaced, err := tx.Object(o.Name)
	if err != nil {
		return false, err
	}
	if _, err := tx.exec(`INSERT INTO object (`+objectColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (name) DO UPDATE SET key = excluded.key, user_id = excluded.user_id, size = excluded.size,
		content_type = excluded.content_type, cause = excluded.cause, created_at = excluded.created_at`,
		o.Name, o.Key, o.UserID, o.Size, o.ContentType, o.Cause, o.CreatedAt); err != nil {
		return false, fmt.Errorf("put object: %w", err)
	}
	if replaced && old.Key != o.Key {
		return true, tx.releaseContent(old.Key)
	}
	return true, nil
}

// holdContent keeps others from throwing a content away, or from naming it,
// until the transaction ends.
func (tx *Tx) holdContent(key string) (alive bool, err error) {
	n, err := tx.exec(`UPDATE blob SET size = size WHERE key = $1`, key)
	return n > 0, err
}

// DeleteObjects deletes up to limit objects of a cause that are older than
// before, and their contents where nothing else names them.
func (tx *Tx) DeleteObjects(cause string, before im.Millis, limit int) (deleted int, err error) {
	old, err := queryAll(tx, objectFields, `SELECT `+objectColumns+` FROM object WHERE cause = $1 AND created_at < $2 ORDER BY created_at LIMIT $3`,
		cause, before, limit)
	if err != nil {
		return 0, err
	}
	for _, o := range old {
		if _, err := tx.exec(`DELETE FROM object WHERE name = $1`, o.Name); err != nil {
			return 0, err
		}
		if err := tx.releaseContent(o.Key); err != nil {
			return 0, err
		}
	}
	return len(old), nil
}

// releaseContent throws a content away unless an object names it.
func (tx *Tx) releaseContent(key string) error {
	if alive, err := tx.holdContent(key); err != nil || !alive {
		return err
	}
	var one int
	used, err := tx.queryRow(`SELECT 1 FROM object WHERE key = $1 LIMIT 1`, []any{key}, &one)
	if err != nil || used {
		return err
	}
	if _, err := tx.exec(`DELETE FROM blob WHERE key = $1`, key); err != nil {
		return err
	}
	if _, err := tx.exec(`INSERT INTO object_trash (key) SELECT key FROM thumbnail WHERE blob_key = $1 ON CONFLICT DO NOTHING`, key); err != nil {
		return err
	}
	if _, err := tx.exec(`DELETE FROM thumbnail WHERE blob_key = $1`, key); err != nil {
		return err
	}
	return tx.discard(key)
}

// TrashContent throws away bytes that no object names.
func (tx *Tx) TrashContent(key string) error {
	known, err := tx.holdContent(key)
	switch {
	case err != nil:
		return err
	case known:
		return tx.releaseContent(key)
	}
	return tx.discard(key)
}

// ContentSize returns the size in bytes of a content.
func (tx *Tx) ContentSize(key string) (size int64, found bool, err error) {
	found, err = tx.queryRow(`SELECT size FROM blob WHERE key = $1`, []any{key}, &size)
	return size, found, err
}

func (tx *Tx) discard(key string) error {
	_, err := tx.exec(`INSERT INTO object_trash (key) VALUES ($1) ON CONFLICT DO NOTHING`, key)
	return err
}

// ObjectTrash returns up to limit keys whose bytes are to be deleted.
func (tx *Tx) ObjectTrash(limit int) ([]string, error) {
	return queryAll(tx, one[string], `SELECT key FROM object_trash ORDER BY key LIMIT $1`, limit)
}

// ForgetTrash says that the bytes of keys are gone.
func (tx *Tx) ForgetTrash(keys []string) error {
	for _, key := range keys {
		if _, err := tx.exec(`DELETE FROM object_trash WHERE key = $1`, key); err != nil {
			return err
		}
	}
	return nil
}

// BytesOf sums up what a user has stored and is uploading, and counts his
// unfinished uploads. Contents that are shared count for each of their names.
func (tx *Tx) BytesOf(userID string) (bytes int64, uploads int, err error) {
	if _, err = tx.queryRow(`SELECT COALESCE(SUM(size), 0) FROM object WHERE user_id = $1`, []any{userID}, &bytes); err != nil {
		return 0, 0, err
	}
	var pending int64
	if _, err = tx.queryRow(`SELECT COALESCE(SUM(size), 0), COUNT(*) FROM upload WHERE user_id = $1`, []any{userID}, &pending, &uploads); err != nil {
		return 0, 0, err
	}
	return bytes + pending, uploads, nil
}

// BytesOfAll sums up the contents that are stored and the uploads that are not
// finished.
func (tx *Tx) BytesOfAll() (bytes int64, err error) {
	_, err = tx.queryRow(`SELECT CAST((SELECT COALESCE(SUM(size), 0) FROM blob) + (SELECT COALESCE(SUM(size), 0) FROM upload) AS BIGINT)`, nil, &bytes)
	return bytes, err
}

const uploadColumns = `id, user_id, key, hash, size, part_size, backend_id, name, content_type, cause, expires_at`

func uploadFields(u *Upload) []any {
	return []any{&u.ID, &u.UserID, &u.Key, &u.Hash, &u.Size, &u.PartSize, &u.BackendID, &u.Name, &u.ContentType, &u.Cause, &u.ExpiresAt}
}

// InsertUpload remembers an upload that begins.
func (tx *Tx) InsertUpload(u Upload) error {
	_, err := tx.exec(`INSERT INTO upload (`+uploadColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		u.ID, u.UserID, u.Key, u.Hash, u.Size, u.PartSize, u.BackendID, u.Name, u.ContentType, u.Cause, u.ExpiresAt)
	if err != nil {
		return fmt.Errorf("insert upload: %w", err)
	}
	return nil
}

// Upload returns an upload that is not finished.
func (tx *Tx) Upload(id string) (u Upload, found bool, err error) {
	found, err = tx.queryRow(`SELECT `+uploadColumns+` FROM upload WHERE id = $1`, []any{id}, uploadFields(&u)...)
	return u, found, err
}

// DeleteUpload forgets an upload that is finished or given up.
func (tx *Tx) DeleteUpload(id string) error {
	_, err := tx.exec(`DELETE FROM upload WHERE id = $1`, id)
	return err
}

// ExpiredUploads returns up to limit uploads that ended without being finished.
func (tx *Tx) ExpiredUploads(before im.Millis, limit int) ([]Upload, error) {
	return queryAll(tx, uploadFields, `SELECT `+uploadColumns+` FROM upload WHERE expires_at < $1 ORDER BY expires_at LIMIT $2`, before, limit)
}

// PutThumbnail remembers a picture made of a content, unless there are limit of
// them already or the content is gone. The object store has it under key.
func (tx *Tx) PutThumbnail(key, blobKey string, limit int) (kept bool, err error) {
	var alive int
	if _, err := tx.queryRow(`SELECT COUNT(*) FROM blob WHERE key = $1`, []any{blobKey}, &alive); err != nil {
		return false, err
	}
	var n int
	if _, err := tx.queryRow(`SELECT COUNT(*) FROM thumbnail WHERE blob_key = $1`, []any{blobKey}, &n); err != nil {
		return false, err
	}
	if alive == 0 || n >= limit {
		return false, nil
	}
	_, err = tx.exec(`INSERT INTO thumbnail (key, blob_key) VALUES ($1, $2) ON CONFLICT DO NOTHING`, key, blobKey)
	return err == nil, err
}

// Thumbnail reports whether the object store has a picture under key, and how
// many it has of the content.
func (tx *Tx) Thumbnail(key, blobKey string) (kept bool, all int, err error) {
	keys, err := queryAll(tx, one[string], `SELECT key FROM thumbnail WHERE blob_key = $1`, blobKey)
	return slices.Contains(keys, key), len(keys), err
}
