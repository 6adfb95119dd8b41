// Package test holds black-box tests: each starts the real binary and speaks to it
// as a client or a business server would, by REST, socket and webhook only.
package test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"sync"
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
	return startNode(t, setup{args: args}).child
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
// platform within one second are the same, as OpenIM's are; and a login with
// the same token again kicks nobody.
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
