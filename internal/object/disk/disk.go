// Package disk keeps the contents of objects in a directory.
//
//	<dir>/content/<two letters>/<key>   whole contents
//	<dir>/upload/<upload>/<part>.<md5>  parts, each written whole or not at all
//	<dir>/new/                          files being written
//
// A file appears under its name only when it is complete and on disk, so a crash
// leaves nothing half. Names are made by the server; anything else is refused
// before it becomes a path, and the directory is opened as a root that no path
// can leave.
package disk

import (
	"context"
	"crypto/md5" //nolint:gosec // the protocol's hash of parts
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/google/uuid"

	"github.com/parley-im/parley/internal/object"
	"github.com/parley-im/parley/internal/store"
)

const (
	contentDir = "content"
	uploadDir  = "upload"
	newDir     = "new"
)

// Store is an object.Backend on a file system. It is safe for concurrent use.
type Store struct{ root *os.Root }

// Open opens a directory, making it when it is not there, and clears away what
// an earlier process left half written.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("object directory: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("object directory: %w", err)
	}
	if err := root.RemoveAll(newDir); err != nil {
		return nil, fmt.Errorf("object directory: %w", err)
	}
	for _, d := range []string{contentDir, uploadDir, newDir} {
		if err := root.Mkdir(d, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("object directory: %w", err)
		}
	}
	return &Store{root}, nil
}

// Close closes the directory.
func (s *Store) Close() error { return s.root.Close() }

// Limits are those of OpenIM's object stores.
func (s *Store) Limits() object.Limits {
	return object.Limits{MinPart: 5 << 20, MaxPart: 5 << 30, MaxParts: 10000}
}

// Begin implements object.Backend.
func (s *Store) Begin(_ context.Context, u *store.Upload) (string, error) {
	dir, err := uploadPath(u.ID)
	if err != nil {
		return "", err
	}
	return "", s.root.Mkdir(dir, 0o700)
}

// Receive implements object.Receiver.
func (s *Store) Receive(ctx context.Context, u *store.Upload, number int, length int64, r io.Reader) error {
	dir, err := uploadPath(u.ID)
	if err != nil {
		return err
	}
	sum := md5.New() //nolint:gosec // the protocol's hash of parts
	written, err := s.writeNew(ctx, io.TeeReader(io.LimitReader(r, length+1), sum))
	if err != nil {
		return err
	}
	defer s.root.Remove(written.name) // gone after the rename
	if written.size != length {
		return fmt.Errorf("%w: %d bytes instead of %d", io.ErrUnexpectedEOF, written.size, length)
	}
	part := path.Join(dir, partName(number, hex.EncodeToString(sum.Sum(nil))))
	if err := s.rename(written.name, part); err != nil {
		return err
	}
	return s.removeOthers(dir, number, part)
}

// removeOthers deletes earlier versions of a part.
func (s *Store) removeOthers(dir string, number int, keep string) error {
	parts, err := fs.Glob(s.root.FS(), path.Join(dir, partName(number, "*")))
	if err != nil {
		return err
	}
	for _, p := range parts {
		if p != keep {
			if err := s.root.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// Finish implements object.Backend.
func (s *Store) Finish(ctx context.Context, u *store.Upload, sums []string) error {
	dir, err := uploadPath(u.ID)
	if err != nil {
		return err
	}
	to, err := contentPath(u.Key)
	if err != nil {
		return err
	}
	if info, err := s.root.Stat(to); err == nil && info.Size() == u.Size {
		return nil // repeated
	}
	names := make([]string, len(sums))
	for i, sum := range sums {
		if !isSum(sum) {
			return object.ErrParts
		}
		names[i] = path.Join(dir, partName(i+1, sum))
		info, err := s.root.Stat(names[i])
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: part %d", object.ErrParts, i+1)
		}
		if err != nil || info.Size() != u.PartLength(i+1) {
			return errors.Join(err, fmt.Errorf("%w: size of part %d", object.ErrParts, i+1))
		}
	}
	parts := &joined{root: s.root, names: names}
	defer parts.Close()
	return s.write(ctx, to, parts)
}

// Discard implements object.Backend.
func (s *Store) Discard(_ context.Context, u *store.Upload) error {
	dir, err := uploadPath(u.ID)
	if err != nil {
		return err
	}
	return s.root.RemoveAll(dir)
}

// Put implements object.Backend.
func (s *Store) Put(ctx context.Context, key, _ string, _ int64, r io.Reader) error {
	to, err := contentPath(key)
	if err != nil {
		return err
	}
	return s.write(ctx, to, r)
}

// Open implements object.Backend.
func (s *Store) Open(_ context.Context, key string) (object.Content, error) {
	from, err := contentPath(key)
	if err != nil {
		return nil, err
	}
	return s.root.Open(from)
}

// Delete implements object.Backend.
func (s *Store) Delete(_ context.Context, key string) error {
	at, err := contentPath(key)
	if err != nil {
		return err
	}
	if err := s.root.Remove(at); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// write makes a file that appears whole.
func (s *Store) write(ctx context.Context, to string, r io.Reader) error {
	written, err := s.writeNew(ctx, r)
	if err != nil {
		return err
	}
	defer s.root.Remove(written.name) // gone after the rename
	if err := s.root.Mkdir(path.Dir(to), 0o700); err == nil {
		if err := s.sync(contentDir); err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrExist) {
		return err
	}
	return s.rename(written.name, to)
}

type newFile struct {
	name string
	size int64
}

// writeNew writes a file of its own and syncs it.
func (s *Store) writeNew(ctx context.Context, r io.Reader) (_ newFile, err error) {
	n := newFile{name: path.Join(newDir, uuid.NewString())}
	f, err := s.root.OpenFile(n.name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return n, err
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			err = errors.Join(err, s.root.Remove(n.name))
		}
	}()
	if n.size, err = io.Copy(f, &cancelable{ctx, r}); err != nil {
		return n, err
	}
	return n, f.Sync()
}

// rename moves a synced file to its place, durably.
func (s *Store) rename(from, to string) error {
	if err := s.root.Rename(from, to); err != nil {
		return err
	}
	return s.sync(path.Dir(to))
}

func (s *Store) sync(dir string) error {
	d, err := s.root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// joined reads files one after the other, with one of them open at a time.
type joined struct {
	root  *os.Root
	names []string
	open  *os.File
}

func (j *joined) Read(b []byte) (int, error) {
	for {
		if j.open == nil {
			if len(j.names) == 0 {
				return 0, io.EOF
			}
			f, err := j.root.Open(j.names[0])
			if err != nil {
				return 0, err
			}
			j.open, j.names = f, j.names[1:]
		}
		n, err := j.open.Read(b)
		if err != io.EOF {
			return n, err
		}
		if err := j.Close(); err != nil {
			return n, err
		}
		if n > 0 {
			return n, nil
		}
	}
}

func (j *joined) Close() error {
	if j.open == nil {
		return nil
	}
	f := j.open
	j.open = nil
	return f.Close()
}

// cancelable stops copying when its context ends.
type cancelable struct {
	ctx context.Context
	r   io.Reader
}

func (c *cancelable) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(b)
}

func partName(number int, sum string) string { return fmt.Sprintf("%d.%s", number, sum) }

func isSum(s string) bool {
	raw, err := hex.DecodeString(s)
	return err == nil && len(raw) == md5.Size && s == strings.ToLower(s)
}

func contentPath(key string) (string, error) {
	if !isKey(key) {
		return "", fmt.Errorf("object key %q: %w", key, fs.ErrInvalid)
	}
	return path.Join(contentDir, shard(key), key), nil
}

// shard spreads contents over directories by the letters that differ.
func shard(key string) string {
	_, rest, _ := strings.Cut(key, "-")
	if i := strings.IndexByte(key, '-'); i > 0 && strings.HasPrefix(rest, "b-") {
		rest = rest[2:] // a picture's key has its content's inside
	}
	if len(rest) < 2 {
		return "00"
	}
	return rest[:2]
}

func uploadPath(id string) (string, error) {
	if !isKey(id) {
		return "", fmt.Errorf("upload %q: %w", id, fs.ErrInvalid)
	}
	return path.Join(uploadDir, id), nil
}

// isKey reports whether a name can only be one file.
func isKey(s string) bool {
	if s == "" || len(s) > 200 || s[0] == '.' {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

var (
	_ object.Backend  = (*Store)(nil)
	_ object.Receiver = (*Store)(nil)
)
