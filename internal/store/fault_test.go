package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
)

func TestDataDirectoryIsLocked(t *testing.T) {
	dir := t.TempDir()
	s, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, err = store.Open(t.Context(), store.Options{Dir: dir})
	if !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("second open: %v", err)
	}
}

// The data directory holds the secret and the control socket on PostgreSQL too.
func TestDataDirectoryIsLockedWithPostgres(t *testing.T) {
	url, dir := storetest.PostgresURL(t), t.TempDir()
	s, err := store.Open(t.Context(), store.Options{Dir: dir, PostgresURL: url})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), store.Options{Dir: dir, PostgresURL: url}); !errors.Is(err, store.ErrLocked) {
		t.Errorf("second open: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = store.Open(t.Context(), store.Options{Dir: dir, PostgresURL: url}); err != nil {
		t.Fatalf("after the first was closed: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestDamagedDatabase(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "parley.db"), []byte(strings.Repeat("this is not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), store.Options{Dir: dir}); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("open: %v", err)
	}
	// A failed open leaves nothing locked behind.
	if err := os.Remove(filepath.Join(dir, "parley.db")); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A full disk refuses what does not fit, loses nothing that was acknowledged,
// and the store goes on when there is space again.
func TestDiskFull(t *testing.T) {
	s := storetest.SQLite(t)(store.Options{})
	var stored int
	send := func(text string) error {
		m := message("full_a", "full_b", im.NewMessageID())
		m.Content = []byte(text)
		err := s.Append(t.Context(), &store.Append{Message: m, Dedup: true, Owners: single(m)})
		if err == nil {
			stored++
			if m.Seq != im.Seq(stored) {
				t.Fatalf("seq %d, want %d", m.Seq, stored)
			}
		}
		return err
	}
	if err := send("before"); err != nil {
		t.Fatal(err)
	}
	if err := s.LimitPages(8); err != nil {
		t.Fatal(err)
	}
	if err := send(strings.Repeat("x", 100<<10)); !errors.Is(err, store.ErrDiskFull) {
		t.Fatalf("a message larger than the disk: %v", err)
	}
	// In one batch with it, small ones get through.
	release := s.Hold()
	results := make([]error, 5)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() {
			m := message(fmt.Sprint("full_s", i), "full_r", "1")
			if i == 2 {
				m.Content = []byte(strings.Repeat("x", 100<<10))
			}
			results[i] = s.Append(context.Background(), &store.Append{Message: m})
		})
	}
	waitQueued(s, len(results))
	release()
	wg.Wait()
	for i, err := range results {
		if (err != nil) != (i == 2) || i == 2 && !errors.Is(err, store.ErrDiskFull) {
			t.Errorf("request %d of the batch: %v", i, err)
		}
	}
	if err := s.LimitPages(-1); err != nil {
		t.Fatal(err)
	}
	if err := send(strings.Repeat("x", 100<<10)); err != nil {
		t.Errorf("with space again: %v", err)
	}
}

// waitQueued returns when n requests wait for the held writer.
func waitQueued(s *store.Store, n int) {
	for s.Queued() < n {
		runtime.Gosched()
	}
}

// One batch of good, failing, panicking and cancelled requests: each gets its
// own outcome and nobody another's.
func TestMixedBatch(t *testing.T) {
	s := storetest.SQLite(t)(store.Options{})
	boom := errors.New("boom")
	release := s.Hold()
	var wg sync.WaitGroup
	var after []string
	var mu sync.Mutex
	note := func(tx *store.Tx, id string) {
		tx.AfterCommit(func() { mu.Lock(); after = append(after, id); mu.Unlock() })
	}
	insert := func(id string, fail func() error) func(*store.Tx) error {
		return func(tx *store.Tx) error {
			note(tx, id)
			if err := tx.InsertUser(im.User{UserID: id}); err != nil {
				return err
			}
			return fail()
		}
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cases := []struct {
		ctx  context.Context
		id   string
		fail func() error
		want func(error) bool
	}{
		{t.Context(), "good1", func() error { return nil }, func(err error) bool { return err == nil }},
		{t.Context(), "fails", func() error { return boom }, func(err error) bool { return errors.Is(err, boom) }},
		{t.Context(), "panics", func() error { panic("ouch") }, func(err error) bool { return err != nil && strings.Contains(err.Error(), "ouch") }},
		{t.Context(), "good1", func() error { return nil }, func(err error) bool { return errors.Is(err, store.ErrDuplicateKey) }},
		{cancelled, "late", func() error { return nil }, func(err error) bool { return errors.Is(err, context.Canceled) }},
		{t.Context(), "good2", func() error { return nil }, func(err error) bool { return err == nil }},
	}
	errs := make([]error, len(cases))
	for i, c := range cases {
		wg.Go(func() { errs[i] = s.Write(c.ctx, insert(c.id, c.fail)) })
		waitQueued(s, i+1) // in this order
	}
	cancel() // while it waits
	release()
	wg.Wait()
	for i, c := range cases {
		if !c.want(errs[i]) {
			t.Errorf("%s (%d): %v", c.id, i, errs[i])
		}
	}
	if err := s.Read(t.Context(), func(tx *store.Tx) error {
		users, err := tx.Users([]string{"good1", "fails", "panics", "late", "good2"})
		if len(users) != 2 {
			t.Errorf("stored %v", users)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(after) != "[good1 good2]" {
		t.Errorf("after the commit: %v", after)
	}
}

// A caller who gives up after the store began gets his outcome all the same.
func TestCancelDoesNotInterruptACommit(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		s := open(store.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		err := s.Write(ctx, func(tx *store.Tx) error {
			cancel()
			return tx.InsertUser(im.User{UserID: "u"})
		})
		if err != nil {
			t.Fatalf("write: %v", err)
		}
		if err := s.Read(t.Context(), func(tx *store.Tx) error {
			_, found, err := tx.User("u")
			if !found {
				t.Error("not stored")
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	})
}

func TestClosedStore(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		s := open(store.Options{})
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		nothing := func(*store.Tx) error { return nil }
		if err := s.Write(t.Context(), nothing); !errors.Is(err, store.ErrClosed) {
			t.Errorf("write: %v", err)
		}
		if err := s.Append(t.Context(), &store.Append{Message: message("a", "b", "1")}); !errors.Is(err, store.ErrClosed) {
			t.Errorf("append: %v", err)
		}
		if err := s.Read(t.Context(), nothing); err == nil {
			t.Error("a read was served")
		}
	})
}

func TestReadsDoNotWrite(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		s := open(store.Options{})
		if err := s.Read(t.Context(), func(tx *store.Tx) error { return tx.InsertUser(im.User{UserID: "u"}) }); err == nil {
			t.Error("a write in a read transaction was accepted")
		}
	})
}
