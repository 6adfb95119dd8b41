package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"sync"
	"time"

	"github.com/parley-im/parley/internal/backup"
	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/object/disk"
	"github.com/parley-im/parley/internal/store"
)

// backupDir is where a backup under way keeps its copy of the database.
const backupDir = "backup.tmp"

// backups writes archives of a running server, one at a time.
type backups struct {
	mu    sync.Mutex
	files *disk.Store // nil when users' files are in an object store
}

// serveBackup streams an archive. One that fails is cut off, which its reader
// notices.
func (s *server) serveBackup(w http.ResponseWriter, r *http.Request) {
	if !s.backups.mu.TryLock() {
		http.Error(w, "a backup is being made", http.StatusConflict)
		return
	}
	defer s.backups.mu.Unlock()
	w.Header().Set("Content-Type", "application/zstd")
	counted := &counter{w: w}
	if err := s.backUp(r.Context(), counted); err != nil {
		s.log.ErrorContext(r.Context(), "backup failed", "error", err)
		if counted.n == 0 {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		panic(http.ErrAbortHandler)
	}
	s.log.InfoContext(r.Context(), "backup written", "bytes", counted.n)
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// backUp writes an archive of what the server holds at one moment. The database
// is copied first; files it names cannot be deleted meanwhile and never change,
// so that they can be read after it.
func (s *server) backUp(ctx context.Context, w io.Writer) (err error) {
	release := s.services.Objects.Keep()
	defer release()
	c := s.options.Config
	dir := filepath.Join(c.DataDir, backupDir)
	if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700)); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	snap, err := s.store.Snapshot(ctx, dir)
	if err != nil {
		return err
	}
	m := backup.Manifest{Version: s.options.Version, CreatedAt: time.Now().UTC().Truncate(time.Second), Engine: snap.Engine, Schema: snap.Schema}
	if m.Tables, err = json.Marshal(snap.Tables); err != nil {
		return err
	}
	if s.backups.files == nil {
		m.Elsewhere = "bucket " + c.Object.S3.Bucket + " at " + c.Object.S3.Endpoint
	}
	archive, err := backup.NewWriter(ctx, w, m)
	if err != nil {
		return err
	}
	to := backup.DataDir
	if snap.Engine == store.EnginePostgres {
		to = backup.PostgresDir
	}
	copied, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, f := range copied {
		if err := addFile(archive, path.Join(to, f.Name()), filepath.Join(dir, f.Name())); err != nil {
			return err
		}
	}
	err = addFile(archive, path.Join(backup.DataDir, secretFile), SecretPath(c.DataDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // it may be in the configuration
		return err
	}
	if s.backups.files != nil {
		under := path.Join(backup.DataDir, filepath.ToSlash(objectsPath(c)))
		err = s.backups.files.Each(ctx, snap.Contents, snap.Uploads,
			func(name string, f fs.File) error { return archive.Add(path.Join(under, name), f) }, archive.Missing)
		if err != nil {
			return err
		}
	}
	return archive.Close()
}

// objectsPath is the directory of users' files inside the data directory.
func objectsPath(c *config.Config) string {
	return filepath.Join("objects", filepath.Base(c.Object.Dir))
}

func addFile(archive *backup.Writer, name, from string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	return errors.Join(archive.Add(name, f), f.Close())
}

// Restore makes a data directory of an archive. c.DataDir must not be there, or
// be empty, and c must name the kind of database the archive is of. The directory
// appears whole or not at all.
func Restore(ctx context.Context, archive io.Reader, c *config.Config) (m *backup.Manifest, err error) {
	dir := filepath.Clean(c.DataDir)
	if there, err := os.ReadDir(dir); err == nil && len(there) > 0 {
		return nil, fmt.Errorf("%s is not empty", dir)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp(filepath.Dir(dir), filepath.Base(dir)+".restoring-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	root, err := os.OpenRoot(temp)
	if err != nil {
		return nil, err
	}
	m, err = backup.Extract(ctx, archive, root)
	if err = errors.Join(err, root.Close()); err != nil {
		return nil, err
	}
	if known := store.LatestSchema(); m.Schema > known {
		return m, fmt.Errorf("%w: the database has schema %d, this program knows %d", backup.ErrNewer, m.Schema, known)
	}
	data := filepath.Join(temp, backup.DataDir)
	if err := os.MkdirAll(data, 0o700); err != nil { // an archive may have no files for it
		return m, err
	}
	if err := restoreDatabase(ctx, c, m, temp); err != nil {
		return m, err
	}
	if err := syncDirs(data); err != nil {
		return m, err
	}
	if err := os.Rename(data, dir); err != nil { // takes the place of an empty directory only
		return m, err
	}
	return m, syncDir(filepath.Dir(dir))
}

func restoreDatabase(ctx context.Context, c *config.Config, m *backup.Manifest, temp string) error {
	url := c.Storage.Postgres.URL
	switch {
	case m.Engine == store.EngineSQLite && url == "":
		return store.RestoreSQLite(ctx, filepath.Join(temp, backup.DataDir))
	case m.Engine == store.EnginePostgres && url != "":
		snap := store.Snapshot{Engine: m.Engine, Schema: m.Schema}
		if err := json.Unmarshal(m.Tables, &snap.Tables); err != nil {
			return fmt.Errorf("%w: tables: %w", backup.ErrDamaged, err)
		}
		return store.RestorePostgres(ctx, url, filepath.Join(temp, backup.PostgresDir), snap)
	case m.Engine == store.EnginePostgres:
		return errors.New("the archive is of a server on PostgreSQL: name an empty database in storage.postgres.url of parley.yml, and the directory with -c")
	case m.Engine == store.EngineSQLite:
		return errors.New("the archive is of a server on SQLite, and the configuration names a PostgreSQL database")
	}
	return fmt.Errorf("%w: it has a database of kind %q", backup.ErrNewer, m.Engine)
}

// syncDirs makes names durable; the files are.
func syncDirs(dir string) error {
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return syncDir(name)
	})
}

func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
