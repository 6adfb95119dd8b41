package app

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
)

func TestReadiness(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		c := config.Default()
		c.DataDir, c.Operations.MinFreeDisk = t.TempDir(), 100<<20
		s := open(store.Options{})
		var free uint64
		var fault error
		fresh := func() *readiness {
			r := newReadiness(s, c, slog.New(slog.DiscardHandler))
			r.disk = func(string) (uint64, uint64, error) { return free, 1 << 40, fault }
			return r
		}
		check := func(when string, r *readiness, name string, want CheckState, ready bool) {
			t.Helper()
			got := r.look(t.Context())
			if got.Checks[name].State != want || got.Ready != ready || (want != CheckOK) != (got.Checks[name].Reason != "") {
				t.Errorf("%s: %+v", when, got)
			}
		}
		free = 1 << 40
		for _, name := range []string{"process", "store", "schema", "disk", "outbox", "writes"} {
			check("all right", fresh(), name, CheckOK, true)
		}
		free = 200 << 20
		check("little space", fresh(), "disk", CheckWarning, true)
		free = 99 << 20
		check("no space", fresh(), "disk", CheckFailed, false)
		fault = errors.New("no such file system")
		check("space unknown", fresh(), "disk", CheckWarning, true)
		fault, free = nil, 1<<40
		r := fresh()
		r.stopping.Store(true)
		check("stopping", r, "process", CheckFailed, false)
		r = fresh()
		check("before it closes", r, "store", CheckOK, true)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		check("what was said is good for a while", r, "store", CheckOK, true)
		check("closed", fresh(), "store", CheckFailed, false)
	})
}

// A database that hangs keeps nobody waiting for longer than readyWait, and is
// asked once by all.
func TestReadinessOfAStuckDatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &readiness{config: &config.Config{}, log: slog.New(slog.DiscardHandler), asking: make(chan struct{})} // somebody asks
		for range 3 {
			if got := r.database(t.Context()); got["store"].State != CheckFailed {
				t.Errorf("got %+v", got)
			}
		}
		gone, leave := context.WithCancel(t.Context())
		leave()
		if got := r.database(gone); got["store"].State != CheckFailed {
			t.Errorf("got %+v", got)
		}
		close(r.asking)
		r.said = map[string]Check{"store": {State: CheckOK}}
		if got := r.database(t.Context()); got["store"].State != CheckOK {
			t.Errorf("got %+v", got)
		}
	})
}
