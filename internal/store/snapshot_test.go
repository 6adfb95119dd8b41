package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
)

// copies are the ways to a second database with a snapshot's content.
type copies struct {
	from    store.Options
	restore func(t *testing.T, dir string, snap store.Snapshot) (store.Options, error)
}

func eachEngine(t *testing.T, f func(t *testing.T, c copies)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		f(t, copies{store.Options{Dir: t.TempDir()}, func(t *testing.T, dir string, _ store.Snapshot) (store.Options, error) {
			return store.Options{Dir: dir}, store.RestoreSQLite(t.Context(), dir)
		}})
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		f(t, copies{store.Options{PostgresURL: storetest.PostgresURL(t)}, func(t *testing.T, dir string, snap store.Snapshot) (store.Options, error) {
			url := storetest.PostgresURL(t)
			return store.Options{PostgresURL: url}, store.RestorePostgres(t.Context(), url, dir, snap)
		}})
	})
}

func openStore(t *testing.T, o store.Options) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// account writes two rows in one transaction, which no snapshot may part.
func account(t *testing.T, s *store.Store, n int) {
	t.Helper()
	err := s.Write(t.Context(), func(tx *store.Tx) error {
		for _, side := range []string{"a", "b"} {
			if err := tx.InsertUser(im.User{UserID: fmt.Sprintf("%s%06d", side, n), Nickname: "x\ty\\N\n"}); err != nil {
				return err
			}
		}
		_, err := tx.InsertConversation(im.Conversation{OwnerID: "a", ConversationID: im.ConversationID(fmt.Sprintf("si_a_%d", n)), Type: im.SingleChat})
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestSnapshotWhileWriting(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, c copies) {
		s := openStore(t, c.from)
		before := 0
		for ; before < 50; before++ {
			account(t, s, before)
		}
		stop, stopped := make(chan struct{}), make(chan int)
		go func() {
			n := before
			for {
				select {
				case <-stop:
					stopped <- n
					return
				default:
					account(t, s, n)
					n++
				}
			}
		}()
		dir := t.TempDir()
		snap, err := s.Snapshot(t.Context(), dir)
		close(stop)
		written := <-stopped
		if err != nil {
			t.Fatal(err)
		}
		if snap.Schema != store.LatestSchema() {
			t.Errorf("schema %d", snap.Schema)
		}
		o, err := c.restore(t, dir, snap)
		if err != nil {
			t.Fatal(err)
		}
		restored := openStore(t, o)
		var ids []string
		read(t, restored, func(tx *store.Tx) (err error) {
			ids, err = tx.UserIDPage(0, 1_000_000)
			return err
		})
		total := len(ids)
		if total%2 != 0 || total < 2*before || total > 2*written {
			t.Errorf("%d users, between %d and %d were there", total, 2*before, 2*written)
		}
		for n := range total / 2 {
			for _, side := range []string{"a", "b"} {
				if id := fmt.Sprintf("%s%06d", side, n); !slices.Contains(ids, id) {
					t.Errorf("%s is missing of %d", id, total)
				}
			}
		}
		var old, renewed im.Version
		version := func(s *store.Store, v *im.Version) {
			read(t, s, func(tx *store.Tx) (err error) {
				*v, err = tx.Version(im.VersionConversations, "a")
				return err
			})
		}
		version(s, &old)
		version(restored, &renewed)
		if renewed.ID == "" || renewed.ID == old.ID {
			t.Errorf("version id %q, was %q: a client would take a change for one it knows", renewed.ID, old.ID)
		}
		account(t, restored, written+1) // generated ids go on
	})
}

func read(t *testing.T, s *store.Store, f func(*store.Tx) error) {
	t.Helper()
	if err := s.Read(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func TestRestoreIntoUsedDatabase(t *testing.T) {
	t.Parallel()
	url := storetest.PostgresURL(t)
	s := openStore(t, store.Options{PostgresURL: url})
	account(t, s, 1)
	dir := t.TempDir()
	snap, err := s.Snapshot(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.RestorePostgres(t.Context(), url, dir, snap); !errors.Is(err, store.ErrNotEmpty) {
		t.Errorf("into itself: %v", err)
	}
	empty := storetest.PostgresURL(t)
	if err := os.Rename(filepath.Join(dir, "users"), filepath.Join(dir, "elsewhere")); err != nil {
		t.Fatal(err)
	}
	if err := store.RestorePostgres(t.Context(), empty, dir, snap); err == nil {
		t.Error("a table was missing")
	}
	if err := os.Rename(filepath.Join(dir, "elsewhere"), filepath.Join(dir, "users")); err != nil {
		t.Fatal(err)
	}
	if err := store.RestorePostgres(t.Context(), empty, dir, snap); err != nil {
		t.Errorf("again, after a failed one: %v", err)
	}
}

func TestSnapshotGivenUp(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, c copies) {
		s := openStore(t, c.from)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Snapshot(ctx, t.TempDir()); err == nil {
			t.Error("it went on")
		}
		account(t, s, 1)
	})
}

// A program must not write into what it does not understand.
func TestNewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "parley.db"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES ($1, 1)`, store.LatestSchema()+1)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), store.Options{Dir: dir}); !errors.Is(err, store.ErrNewerSchema) {
		t.Errorf("opened: %v", err)
	}
}
