// Package test holds black-box tests: each starts the real binary and speaks to it
// as a client or a business server would, by REST, socket and webhook only.
package test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// child is a parley process of this test's own, told from its command line and
// its wire only.
type child struct {
	API    string `json:"api"`
	WS     string `json:"ws"`
	Secret string `json:"secret"`

	admin string // token
}

// startChild runs `parley serve` with a fresh data directory on free ports. The
// test fails when the process ends otherwise than by being asked to.
func startChild(t *testing.T, args ...string) *child {
	t.Helper()
	ready := filepath.Join(t.TempDir(), "ready.json")
	args = append([]string{
		"serve", "--data", t.TempDir(), "--api-addr", "127.0.0.1:0", "--ws-addr", "127.0.0.1:0", "--ready-file", ready,
	}, args...)

	// Not t.Context, which ends before the clean-up that stops the process.
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, parley(t), args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 30 * time.Second // then killed
	var output lockedBuffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()

	c := &child{}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for {
		raw, err := os.ReadFile(ready)
		if err == nil {
			if err := json.Unmarshal(raw, c); err != nil {
				t.Errorf("ready file %q: %v", raw, err)
			}
			break
		}
		select {
		case <-tick.C:
			continue
		case err := <-exited:
			stop()
			t.Fatalf("the server ended before it was ready: %v\n%s", err, &output)
		case <-deadline:
			stop()
			<-exited
			t.Fatalf("the server was not ready in time:\n%s", &output)
		}
	}
	t.Cleanup(func() {
		stop()
		// A context ended by us is reported unless the process ended with 0.
		if err := <-exited; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("the server ended badly: %v", err)
		}
		if out := output.String(); strings.Contains(out, "DATA RACE") {
			t.Error("the server had a data race")
		}
		if t.Failed() {
			t.Logf("the server wrote:\n%s", &output)
		}
	})
	var got struct{ Token string }
	c.call(t, "/auth/get_admin_token", map[string]any{"secret": c.Secret, "userID": "imAdmin"}, &got)
	c.admin = got.Token
	return c
}

// parley is the binary named by PARLEY_BIN, or one built for this test.
func parley(t *testing.T) string {
	t.Helper()
	if given := os.Getenv("PARLEY_BIN"); given != "" {
		return given
	}
	binary := filepath.Join(t.TempDir(), "parley")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "github.com/parley-im/parley/cmd/parley")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

// refusal is an answer with an error code.
type refusal struct {
	ErrCode int
	ErrMsg  string
	ErrDlt  string
}

// post makes a REST call as the administrator.
func (c *child) post(t *testing.T, path string, body, data any) refusal {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.API+path, bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("operationID", "child-test")
	req.Header.Set("token", c.admin)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	envelope := struct {
		refusal
		Data json.RawMessage
	}{}
	if err := json.Unmarshal(answer, &envelope); err != nil {
		t.Fatalf("%s: %v in %q", path, err, answer)
	}
	if envelope.ErrCode == 0 && data != nil {
		if err := json.Unmarshal(envelope.Data, data); err != nil {
			t.Fatalf("%s: %v in %q", path, err, answer)
		}
	}
	return envelope.refusal
}

// call is post that must succeed.
func (c *child) call(t *testing.T, path string, body, data any) {
	t.Helper()
	if r := c.post(t, path, body, data); r.ErrCode != 0 {
		t.Fatalf("%s: %+v", path, r)
	}
}

func (c *child) register(t *testing.T, userIDs ...string) {
	t.Helper()
	var users []map[string]any
	for _, id := range userIDs {
		users = append(users, map[string]any{"userID": id, "nickname": "nick " + id, "faceURL": "http://faces.test/" + id})
	}
	c.call(t, "/user/user_register", map[string]any{"users": users}, nil)
}

func (c *child) token(t *testing.T, userID string, platformID int) string {
	t.Helper()
	var got struct{ Token string }
	c.call(t, "/auth/get_user_token", map[string]any{"userID": userID, "platformID": platformID}, &got)
	return got.Token
}

// anotherToken is a token that differs from old. Tokens made for a user and
// platform within one second are the same, as OpenIM's are; and a session with
// the same token is not another session, it kicks nobody.
func (c *child) anotherToken(t *testing.T, userID string, platformID int, old string) string {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 200 {
		if got := c.token(t, userID, platformID); got != old {
			return got
		}
		<-tick.C
	}
	t.Fatalf("%s keeps getting the same token", userID)
	return ""
}

// lockedBuffer collects what a process writes while others read it.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
