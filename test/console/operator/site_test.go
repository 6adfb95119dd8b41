package operator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-im/parley/test/harness"
)

// secret signs what goes to the handler.
const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// site is a server with a business server beside it, and people who write.
type site struct {
	*harness.Server
	dir     string // of the configuration
	handler *httptest.Server
	answer  http.HandlerFunc // of the handler, nil for handle
	broken  atomic.Bool      // the endpoint "audit" answers 400
}

// everything is a configuration that has a bit of everything.
const everything = `# The business server of the tests.
url: HANDLER/webhook
secret: ` + secret + `
beforeSendSingleMsg:
  enable: true
  timeout: 3
  failedContinue: false
beforeSendGroupMsg:
  enable: true
  failedContinue: true
afterSendSingleMsg:
  enable: true
  attentionIds: []
afterSendGroupMsg:
  enable: true
  deniedTypes: [110]
beforeAddFriend:
  enable: true
afterUserOnline:
  enable: true
retry:
  initial: 1s
  giveUpAfter: 5s
endpoints:
  - name: audit
    url: HANDLER/audit
    events: ["afterSend*"]
`

// startSite runs a server with this webhooks.yml, in which HANDLER stands for the
// address of the business server.
func startSite(dir, webhooks string, answer http.HandlerFunc, env ...string) (*site, error) {
	s := &site{dir: filepath.Join(dir, "config"), answer: answer}
	data := filepath.Join(dir, "data")
	for _, d := range []string{s.dir, data} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, err
		}
	}
	if s.answer == nil {
		s.answer = s.handle
	}
	s.handler = httptest.NewServer(s.answer)
	if err := s.write(webhooks); err != nil {
		return nil, err
	}
	var err error
	s.Server, err = harness.Start(harness.Options{Binary: binary, DataDir: data, ConfigDir: s.dir, Env: append(env, "IMENV_SHARE_SECRET=a secret of the tests")})
	if err != nil {
		return nil, err
	}
	return s, s.Register("ann", "bob", "cy")
}

// write replaces webhooks.yml.
func (s *site) write(webhooks string) error {
	return os.WriteFile(filepath.Join(s.dir, "webhooks.yml"), []byte(strings.ReplaceAll(webhooks, "HANDLER", s.handler.URL)), 0o600)
}

func (s *site) stop() error {
	err := s.Stop()
	s.handler.Close()
	return err
}

// handle is the business server: it refuses what has the word forbidden in it.
func (s *site) handle(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // what was read is enough
	switch {
	case strings.HasPrefix(r.URL.Path, "/audit") && s.broken.Load():
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadRequest) // is given up after three tries
		_, _ = io.WriteString(w, "<html><body>Oops</body></html>")
	case strings.Contains(string(body), "forbidden"):
		_, _ = io.WriteString(w, `{"actionCode":0,"errCode":5001,"errMsg":"not here","errDlt":"the word list","nextCode":1}`)
	default:
		_, _ = io.WriteString(w, `{"actionCode":0,"errCode":0,"nextCode":0}`)
	}
}

// send sends a text in an operation and returns an id to ask about: that of the
// message, or of the operation when it was refused, with the refusal's code.
func (s *site) send(from, to, text, operationID string) (id string, code int, err error) {
	body, err := json.Marshal(map[string]any{
		"sendID": from, "recvID": to, "senderPlatformID": 1, "content": map[string]string{"content": text}, "contentType": 101, "sessionType": 1,
	})
	if err != nil {
		return "", 0, err
	}
	token, err := s.AdminToken()
	if err != nil {
		return "", 0, err
	}
	req, err := http.NewRequest(http.MethodPost, s.API+"/msg/send_msg", bytes.NewReader(body))
	if err != nil {
		return "", 0, err
	}
	req.Header.Set("operationID", operationID)
	req.Header.Set("token", token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	var got struct {
		ErrCode int
		Data    struct{ ClientMsgID string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		return "", 0, err
	}
	if got.ErrCode != 0 {
		return operationID, got.ErrCode, nil
	}
	return got.Data.ClientMsgID, 0, nil
}

// sendAs is send for a test.
func sendAs(t *testing.T, s *site, operationID string) string {
	t.Helper()
	id, _, err := s.send("ann", "bob", "hello", operationID)
	if err != nil {
		t.Error(err)
	}
	return id
}

// awaitRefused waits until the server has looked at an edit and refused it.
func awaitRefused(t *testing.T, s *site) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		var status struct{ Refused int }
		if err := s.PostAdmin("/config/status", struct{}{}, &status); err != nil {
			t.Fatal(err)
		}
		if status.Refused > 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the edit was not refused")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// talk makes some traffic: messages that go out and one that is refused.
func (s *site) talk(n int) error {
	for i := range n {
		for _, from := range []string{"ann", "bob"} {
			to := map[string]string{"ann": "bob", "bob": "ann"}[from]
			if _, code, err := s.send(from, to, "hello", fmt.Sprintf("talk-%s-%d", from, i)); err != nil || code != 0 {
				return fmt.Errorf("a message was refused with %d: %w", code, err)
			}
		}
	}
	if _, code, err := s.send("ann", "bob", "a forbidden word", "talk-forbidden"); err != nil || code != 5001 {
		return fmt.Errorf("the handler did not refuse: %d %w", code, err)
	}
	return nil
}
