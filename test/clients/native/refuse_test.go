package native

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/openimsdk/openim-sdk-core/v3/pkg/constant"
	"github.com/openimsdk/tools/errs"
	"github.com/parley-im/parley/test/harness"
)

// TestRefusedByBusinessServer: the sender's app is told the business server's own
// code and text and shows the message as failed; the receiver's sees nothing.
func TestRefusedByBusinessServer(t *testing.T) {
	business := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		verdict := `{"actionCode":0,"errCode":0,"errMsg":"","errDlt":"","nextCode":0}`
		if bytes.Contains(body, []byte("forbidden")) {
			verdict = `{"actionCode":1,"errCode":5001,"errMsg":"not that word","errDlt":"","nextCode":1}`
		}
		if _, err := io.WriteString(w, verdict); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(business.Close)
	config := t.TempDir()
	for name, text := range map[string]string{
		"share.yml":    "secret: for-this-test-only\n",
		"webhooks.yml": fmt.Sprintf("url: %s/webhook\nbeforeSendSingleMsg:\n  enable: true\n  failedContinue: false\n", business.URL),
	} {
		if err := os.WriteFile(filepath.Join(config, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	binary, err := harness.Build(binaries, false)
	if err != nil {
		t.Fatal(err)
	}
	server, err := harness.Start(harness.Options{Binary: binary, DataDir: t.TempDir(), ConfigDir: config})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	a, b, conversationID := pair(t, server)

	m := a.newText("a forbidden word")
	_, err = a.trySend(b.userID, m, false)
	refusal, ok := errs.Unwrap(err).(errs.CodeError)
	if !ok || refusal.Code() != 5001 || refusal.Msg() != "not that word" {
		t.Fatalf("A's app was told %v", err)
	}
	shown := a.stored(conversationID, []sent{{ClientMsgID: m.ClientMsgID}})[0]
	if shown.Status != constant.MsgStatusSendFailed || shown.Seq != 0 {
		t.Errorf("A's app shows status %d, seq %d", shown.Status, shown.Seq)
	}

	// The next one takes the first seq: the refused one left nothing behind.
	b.received(a.text(b.userID, "a harmless word"))
	log := b.pull(conversationID, 1, 10)
	if len(log) != 1 || log[0].Seq != 1 || bytes.Contains(log[0].Content, []byte("forbidden")) {
		t.Errorf("the log is %v", log)
	}
	for _, m := range b.journal.messages() {
		if bytes.Contains([]byte(content(m)), []byte("forbidden")) {
			t.Errorf("B was shown %s", content(m))
		}
	}
}
