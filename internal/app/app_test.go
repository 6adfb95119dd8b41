package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/store"
)

// A server one of whose parts cannot work stops and says why.
func TestFailedPartStopsTheServer(t *testing.T) {
	c := config.Default()
	c.DataDir = t.TempDir()
	local := []string{"127.0.0.1:0"}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := build(ctx, Options{Config: c, APIAddrs: local, WSAddrs: local, Logger: slog.New(slog.DiscardHandler), Stdout: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
	err = s.serve(ctx, time.Now())
	if ctx.Err() != nil {
		t.Fatal("the server went on")
	}
	if !errors.Is(err, store.ErrClosed) {
		t.Errorf("stopped with %v", err)
	}
}

// A log file that cannot be set aside, or whose old ones cannot be removed, is
// still written to.
func TestRotationGoesOnWriting(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, logFile+".0", "not empty"), 0o700); err != nil {
		t.Fatal(err)
	}
	r, err := openRotating(config.Log{StorageLocation: dir, RotationTime: time.Nanosecond, RemainRotationCount: 0})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for range 3 {
		if n, err := r.Write([]byte("line\n")); n != 5 || err == nil {
			t.Errorf("wrote %d bytes, %v; want the line, and the error of the old file", n, err)
		}
	}
	lines := 0
	files, err := filepath.Glob(filepath.Join(dir, logFile+"*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		b, _ := os.ReadFile(name) // one is a directory
		lines += strings.Count(string(b), "line")
	}
	if lines == 0 {
		t.Error("no line was written")
	}
}
