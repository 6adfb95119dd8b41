package test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/app"
)

// patience bounds the wait for what must happen; no test depends on how much
// less it takes.
const patience = 60 * time.Second

// setup says how to run a node.
type setup struct {
	files map[string]string // of its configuration directory; nil for no directory
	dir   string            // a directory to use as it is
	env   []string
	data  string   // data directory, default a fresh one
	args  []string // more flags of serve
}

// node is a parley process that a scenario watches, ends and starts again. Its
// configuration directory has a secret and logs to standard output unless its
// files say otherwise.
type node struct {
	*child
	t      *testing.T
	dir    string
	data   string
	env    []string
	args   []string
	cmd    *exec.Cmd
	ready  string        // file
	output *lockedBuffer // of the running process
	exited chan struct{}
}

// startNode starts a node that ends with the test.
func startNode(t *testing.T, s setup) *node {
	t.Helper()
	n := newNode(t, s)
	n.start()
	return n
}

func newNode(t *testing.T, s setup) *node {
	t.Helper()
	n := &node{t: t, dir: s.dir, data: s.data, env: s.env, args: s.args}
	if n.data == "" {
		n.data = t.TempDir()
	}
	if s.files != nil {
		n.dir = configDir(t, s.files)
	}
	t.Cleanup(func() {
		if n.cmd != nil {
			n.stop()
		}
		if t.Failed() && n.output != nil {
			t.Logf("the server wrote:\n%s", n.output)
		}
	})
	return n
}

// configDir writes a configuration directory.
func configDir(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	all := map[string]string{
		"share.yml": "secret: scenario-secret\n",
		"log.yml":   "isStdout: true\nremainLogLevel: 4\nstorageLocation: \"\"\n",
	}
	maps.Copy(all, files)
	for name, text := range all {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// serveArgs is the command line of the server.
func (n *node) serveArgs(ready string) []string {
	args := []string{"serve", "--data", n.data, "--api-addr", "127.0.0.1:0", "--ws-addr", "127.0.0.1:0", "--ready-file", ready}
	if n.dir != "" {
		args = append(args, "-c", n.dir)
	}
	return append(args, n.args...)
}

// start runs the process until it is ready.
func (n *node) start() {
	n.t.Helper()
	ready := filepath.Join(n.t.TempDir(), "ready.json")
	cmd := exec.Command(os.Getenv("PARLEY_BIN"), n.serveArgs(ready)...)
	cmd.Env = append(cleanEnv(), n.env...)
	cmd.Dir = n.t.TempDir()
	output, exited := new(lockedBuffer), make(chan struct{})
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait() // its ProcessState tells
		close(exited)
	}()
	n.cmd, n.output, n.exited, n.ready = cmd, output, exited, ready
	n.child = &child{}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for {
		raw, err := os.ReadFile(ready)
		if err == nil {
			if err := json.Unmarshal(raw, n.child); err != nil {
				n.t.Fatalf("ready file %q: %v", raw, err)
			}
			break
		}
		select {
		case <-tick.C:
		case <-exited:
			n.cmd = nil
			n.t.Fatalf("the server ended before it was ready: %s", cmd.ProcessState)
		case <-deadline:
			n.t.Fatal("the server was not ready in time")
		}
	}
	var got struct{ Token string }
	n.call(n.t, "/auth/get_admin_token", map[string]any{"secret": n.Secret, "userID": "imAdmin"}, &got)
	n.admin = got.Token
}

// cleanEnv is the environment without settings of a server.
func cleanEnv() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "IMENV_") && !strings.HasPrefix(v, "PARLEY_") && !strings.HasPrefix(v, "CONFIG_PATH=") {
			env = append(env, v)
		}
	}
	return env
}

// terminate asks the process to end.
func (n *node) terminate() {
	n.t.Helper()
	if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		n.t.Errorf("SIGTERM: %v", err)
	}
}

// ended waits for the end of the process and returns its exit code, -1 after a
// signal that killed it.
func (n *node) ended() int {
	n.t.Helper()
	cmd := n.cmd
	n.cmd = nil
	select {
	case <-n.exited:
	case <-time.After(patience):
		_ = cmd.Process.Kill()
		<-n.exited
		n.t.Error("the server did not end in time")
	}
	for _, fault := range []string{"panic", "DATA RACE"} {
		if strings.Contains(n.output.String(), fault) {
			n.t.Errorf("the server had a %s:\n%s", fault, n.output)
		}
	}
	return cmd.ProcessState.ExitCode()
}

// stop ends the process as an operator does.
func (n *node) stop() {
	n.t.Helper()
	n.terminate()
	if code := n.ended(); code != 0 {
		n.t.Errorf("the server ended with %d", code)
	}
}

// kill ends the process without warning.
func (n *node) kill() {
	n.t.Helper()
	if err := n.cmd.Process.Kill(); err != nil {
		n.t.Errorf("SIGKILL: %v", err)
	}
	n.ended()
}

// awaitOutput waits until the process has written all of the texts in one line.
func (n *node) awaitOutput(texts ...string) string {
	n.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for {
		if line := lineWith(n.output.String(), texts...); line != "" {
			return line
		}
		select {
		case <-tick.C:
		case <-deadline:
			n.t.Fatalf("no line of the server has %q", texts)
		}
	}
}

// lineWith is the first line that has all of the texts.
func lineWith(text string, parts ...string) string {
lines:
	for line := range strings.Lines(text) {
		for _, part := range parts {
			if !strings.Contains(line, part) {
				continue lines
			}
		}
		return line
	}
	return ""
}

// parleyCommand runs the binary to its end.
func parleyCommand(t *testing.T, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Getenv("PARLEY_BIN"), args...)
	cmd.Env = append(cleanEnv(), env...)
	cmd.Dir = t.TempDir()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		if _, ok := errors.AsType[*exec.ExitError](err); !ok || ctx.Err() != nil {
			t.Fatalf("parley %s: %v\n%s%s", strings.Join(args, " "), err, &out, &errs)
		}
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// run runs a command about this node's server, which must succeed.
func (n *node) run(args ...string) string {
	n.t.Helper()
	out, errs, code := parleyCommand(n.t, nil, append(args, "--data", n.data)...)
	if code != 0 {
		n.t.Fatalf("parley %s ended with %d: %s", strings.Join(args, " "), code, errs)
	}
	return out
}

// manyConnections is for tests that make REST calls from many goroutines.
var manyConnections = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}

// rest makes a REST call as the administrator. Unlike post it may be used from
// any goroutine.
func (n *node) rest(ctx context.Context, operationID, path string, body, data any) (refusal, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return refusal{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.API+path, bytes.NewReader(raw))
	if err != nil {
		return refusal{}, err
	}
	req.Header.Set("operationID", operationID)
	req.Header.Set("token", n.admin)
	resp, err := manyConnections.Do(req)
	if err != nil {
		return refusal{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return refusal{}, fmt.Errorf("%s: %w", path, err)
	}
	envelope := struct {
		refusal
		Data json.RawMessage
	}{}
	if err := json.Unmarshal(answer, &envelope); err != nil {
		return refusal{}, fmt.Errorf("%s: %w in %q", path, err, answer)
	}
	switch {
	case envelope.ErrCode != 0 && len(envelope.Data) > 0:
		return refusal{}, fmt.Errorf("%s: a refusal with data: %q", path, answer)
	case envelope.ErrCode == 0 && data != nil:
		if err := json.Unmarshal(envelope.Data, data); err != nil {
			return refusal{}, fmt.Errorf("%s: %w in %q", path, err, answer)
		}
	}
	return envelope.refusal, nil
}

// control asks the server through its local socket. It may be called at the end
// of a test, when t.Context has ended.
func (n *node) control(t *testing.T, path string, read func(io.Reader) error) {
	t.Helper()
	control := http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return app.DialControl(ctx, n.data)
		},
		DisableKeepAlives: true,
	}}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://control"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := control.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if err := read(resp.Body); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// goroutines is how many run in the server.
func (n *node) goroutines(t *testing.T) (count int) {
	t.Helper()
	n.control(t, "/debug/pprof/goroutine?debug=1", func(r io.Reader) error {
		_, err := fmt.Fscanf(r, "goroutine profile: total %d", &count)
		return err
	})
	return count
}

// awaitEmptyOutbox waits until the business server knows all.
func (n *node) awaitEmptyOutbox(t *testing.T) {
	t.Helper()
	poll(t, "an empty outbox", func() bool {
		var stats struct{ Events int }
		n.control(t, "/webhook/stats", func(r io.Reader) error { return json.NewDecoder(r).Decode(&stats) })
		return stats.Events == 0
	})
}

// poll waits for a condition that nobody announces.
func poll(t *testing.T, what string, met func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !met() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited for %s", what)
		}
	}
}
