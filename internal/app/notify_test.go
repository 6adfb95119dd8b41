package app

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/config"
)

// A service manager is told when the ports are open and when the end begins.
func TestServiceManagerIsTold(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	if err := manager.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	told := func() string {
		b := make([]byte, 256)
		n, err := manager.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := startNotifying(t, ctx, name, slog.New(slog.DiscardHandler))
	if state := told(); state != "READY=1" {
		t.Errorf("told %q first", state)
	}
	stop()
	if state := told(); state != "STOPPING=1" {
		t.Errorf("told %q when asked to stop", state)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A manager that is gone does not keep the server from running.
func TestServiceManagerIsGone(t *testing.T) {
	t.Parallel()
	var lines bytes.Buffer
	ctx, stop := context.WithCancel(t.Context())
	stop()
	ended := startNotifying(t, ctx, filepath.Join(t.TempDir(), "nobody"), slog.New(slog.NewTextHandler(&lines, nil)))
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if !strings.Contains(lines.String(), "the service manager was not told") {
		t.Errorf("the log does not say so:\n%s", lines.String())
	}
}

// startNotifying serves until ctx ends, then sends what came of it.
func startNotifying(t *testing.T, ctx context.Context, socket string, log *slog.Logger) <-chan error {
	t.Helper()
	c, _, err := config.Load(config.Options{DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	local := []string{"127.0.0.1:0"}
	s, err := build(context.WithoutCancel(ctx), Options{
		Config: c, APIAddrs: local, WSAddrs: local, NotifySocket: socket, Logger: log, Stdout: io.Discard,
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		err := s.serve(ctx, time.Now())
		if closing := s.store.Close(); err == nil {
			err = closing
		}
		ended <- err
	}()
	return ended
}
