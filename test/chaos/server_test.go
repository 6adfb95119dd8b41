package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/store"
)

// patience bounds the wait for what must happen.
const patience = 60 * time.Second

// node is where a server lives: what stays over its lives.
type node struct {
	binary, config, data string
}

// server is one life of a parley process.
type server struct {
	WS  string `json:"ws"`
	API string `json:"api"`

	node   node
	cmd    *exec.Cmd
	output tail
	exited chan struct{} // closed after err is set
	err    error
	killed atomic.Bool
}

// start runs the server and waits until it listens.
func (n node) start(t *testing.T) *server {
	t.Helper()
	ready := filepath.Join(t.TempDir(), "ready.json")
	s := &server{node: n, exited: make(chan struct{})}
	s.cmd = exec.Command(n.binary, "serve", "-c", n.config, "--data", n.data, //nolint:noctx // ended by kill or stop
		"--api-addr", "127.0.0.1:0", "--ws-addr", "127.0.0.1:0", "--ready-file", ready)
	s.cmd.Stdout, s.cmd.Stderr = &s.output, &s.output
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.exited)
	}()
	t.Cleanup(s.kill)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for {
		if raw, err := os.ReadFile(ready); err == nil {
			if err := json.Unmarshal(raw, s); err != nil {
				t.Fatalf("ready file %q: %v", raw, err)
			}
			return s
		}
		select {
		case <-tick.C:
		case <-s.exited:
			t.Fatalf("the server ended before it was ready: %v\n%s", s.err, &s.output)
		case <-late:
			t.Fatalf("the server was not ready in time:\n%s", &s.output)
		}
	}
}

// kill ends the process without warning.
func (s *server) kill() {
	s.killed.Store(true)
	select {
	case <-s.exited: // the pid may be somebody else's by now
		return
	default:
	}
	_ = s.cmd.Process.Kill() // fails only if it ended by itself meanwhile
	<-s.exited
}

// terminate asks the process to end.
func (s *server) terminate() {
	s.killed.Store(true)
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // fails only if it ended by itself
}

// stop asks the process to end and waits until it has.
func (s *server) stop() error {
	s.terminate()
	select {
	case <-s.exited:
		return s.err
	case <-time.After(patience):
		return errors.New("the server does not stop")
	}
}

// outbox asks the server how many events wait or were given up.
func (s *server) outbox(ctx context.Context) (stats store.OutboxStats, err error) {
	err = s.ask(ctx, http.MethodGet, "/webhook/stats", &stats)
	return stats, err
}

// ask calls the server's control socket.
func (s *server) ask(ctx context.Context, method, path string, out any) error {
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", filepath.Join(s.node.data, "control.sock"))
		},
	}}
	req, err := http.NewRequestWithContext(ctx, method, "http://control"+path, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	return json.NewDecoder(resp.Body).Decode(out)
}

// raced reports whether a server built with the race detector had a race.
func (s *server) raced() bool { return s.output.races.Load() }

// tail keeps the end of what a process printed.
type tail struct {
	mu    sync.Mutex
	b     []byte
	races atomic.Bool
}

const tailSize = 8 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if bytes.Contains(t.b, []byte("DATA RACE")) {
		t.races.Store(true)
	}
	t.b = t.b[max(0, len(t.b)-tailSize):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.b))
}
