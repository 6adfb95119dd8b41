package reload_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/reload"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
)

// TestBeside: files beside the configuration are taken over when they changed
// and stood still, also by a server without a configuration directory; what
// cannot be used is said, and said no more once it is repaired.
func TestBeside(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path, log := filepath.Join(t.TempDir(), "cert.pem"), &strings.Builder{}
		write := func(text string) {
			t.Helper()
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write("one")
		var loads atomic.Int64
		inUse := "one"
		c := config.Default()
		s := reload.New(reload.Options{
			Config: c, Store: storetest.SQLite(t)(store.Options{}), Logger: slog.New(slog.NewTextHandler(log, nil)),
			Apply: func(context.Context, *config.Config) error { return nil },
			Beside: []reload.Beside{{
				Name: "certificate", Files: []string{path}, Describe: func() string { return "for " + inUse },
				Load: func() (bool, error) {
					loads.Add(1)
					raw, err := os.ReadFile(path)
					if err == nil && strings.HasPrefix(string(raw), "broken") {
						err = errors.New("no certificate in it")
					}
					if err != nil {
						return false, err
					}
					changed := string(raw) != inUse
					inUse = string(raw)
					return changed, nil
				},
			}},
		})
		signals := make(chan os.Signal)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx, signals) }()
		turns := func(n int) reload.BesideStatus {
			time.Sleep(time.Duration(n) * time.Second) // of the bubble's clock
			synctest.Wait()
			return s.Status().Beside[0]
		}

		if got := turns(5); got.Applied != 0 || got.Problem != "" || got.InUse != "for one" || got.Name != "certificate" {
			t.Errorf("before any change: %+v", got)
		}
		began := s.Status().Beside[0].Since
		write("two")
		if got := turns(3); got.Applied != 1 || got.InUse != "for two" || got.Since == began {
			t.Errorf("after a change: %+v", got)
		}
		before := loads.Load()
		for i := range 5 { // half-written
			write("broken" + strings.Repeat(".", i))
			turns(1)
		}
		if loads.Load() != before {
			t.Errorf("read %d times while it changed", loads.Load()-before)
		}
		if got := turns(3); got.Refused != 1 || got.Problem != "no certificate in it" || got.RefusedAt == 0 || got.InUse != "for two" {
			t.Errorf("broken: %+v", got)
		}
		if got := turns(10); got.Refused != 1 {
			t.Errorf("still broken: %+v", got)
		}
		if text := log.String(); !strings.Contains(text, "level=ERROR") || !strings.Contains(text, "old ones stay") || !strings.Contains(text, "no certificate in it") {
			t.Errorf("the log is\n%s", text)
		}
		// Asking does not wait for a change.
		signals <- os.Interrupt
		if got := turns(0); got.Refused != 2 {
			t.Errorf("after a signal: %+v", got)
		}
		if _, err := s.Reload(t.Context(), reload.CauseRequest); err != nil {
			t.Fatal(err)
		}
		if got := turns(0); got.Refused != 3 {
			t.Errorf("after a request: %+v", got)
		}
		write("three")
		if got := turns(3); got.Applied != 2 || got.Problem != "" || got.RefusedAt != 0 || got.InUse != "for three" {
			t.Errorf("repaired: %+v", got)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
