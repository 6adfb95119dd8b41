package test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// javaHandler is the example of examples/java-handler, compiled and running.
type javaHandler struct {
	url   string // without the command
	audit string // file
}

func startJavaHandler(t *testing.T, forbidden string) *javaHandler {
	t.Helper()
	classes := t.TempDir()
	sources, err := filepath.Glob("../examples/java-handler/src/*.java")
	if err != nil || len(sources) == 0 {
		t.Fatalf("no sources of the example: %v", err)
	}
	compile := exec.CommandContext(t.Context(), "javac", append([]string{"-Xlint:all", "-Werror", "-d", classes}, sources...)...)
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("javac: %v (scripts/install-deps.sh installs a JDK)\n%s", err, out)
	}

	h := &javaHandler{audit: filepath.Join(t.TempDir(), "audit.jsonl")}
	cmd := exec.Command("java", "-cp", classes, "Handler", "--port", "0", "--audit", h.audit, "--refuse", forbidden)
	var complaints lockedBuffer
	cmd.Stderr = &complaints
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // 143, the shell's word for SIGTERM
		if out := complaints.String(); out != "" {
			t.Errorf("the handler complained:\n%s", out)
		}
	})
	// Its first line says where it listens.
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("the handler did not start: %v\n%s", err, &complaints)
	}
	h.url = strings.TrimSpace(strings.TrimPrefix(line, "listening on "))
	return h
}

// record is one line of the handler's audit file.
type record struct {
	ID      string
	Command string
	Event   struct {
		ServerMsgID string
		ClientMsgID string
		SendID      string
		Content     string
		GroupID     string
		Seq         int64
	}
}

func (h *javaHandler) records(t *testing.T) []record {
	t.Helper()
	raw, err := os.ReadFile(h.audit)
	if err != nil {
		t.Fatal(err)
	}
	var all []record
	for line := range bytes.Lines(raw) {
		if line[len(line)-1] != '\n' {
			break // being written
		}
		var r record
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, r)
	}
	return all
}

// awaitRecords waits until the file holds at least count lines.
func (h *javaHandler) awaitRecords(t *testing.T, count int) []record {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for {
		all := h.records(t)
		if len(all) >= count {
			return all
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("the handler has recorded %+v, want %d events", all, count)
		}
	}
}

// TestJavaHandler runs the Java example as the business server of a node: what it
// refuses is not sent, what was sent is recorded once.
func TestJavaHandler(t *testing.T) {
	h := startJavaHandler(t, "casino,lottery")
	dir := t.TempDir()
	// share.yml as an operator's directory must have it; the rest is the README's.
	for name, text := range map[string]string{
		"share.yml": "secret: java-example-secret\n",
		"webhooks.yml": "url: " + h.url + `
beforeSendSingleMsg:
  enable: true
  failedContinue: false
beforeSendGroupMsg:
  enable: true
  failedContinue: false
afterSendSingleMsg:
  enable: true
afterSendGroupMsg:
  enable: true
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := startChild(t, "-c", dir)
	c.register(t, "alice", "bob")
	send := func(text string) (serverMsgID string, r refusal) {
		t.Helper()
		var got struct{ ServerMsgID string }
		r = c.post(t, "/msg/send_msg", map[string]any{
			"sendID": "alice", "recvID": "bob", "senderPlatformID": 1, "content": map[string]any{"content": text},
			"contentType": 101, "sessionType": 1,
		}, &got)
		return got.ServerMsgID, r
	}

	var passed []string
	for i := range 3 {
		id, r := send(fmt.Sprint("harmless ", i))
		if r.ErrCode != 0 {
			t.Fatalf("a harmless message: %+v", r)
		}
		passed = append(passed, id)
		if _, r := send("meet me at the CASINO"); r.ErrCode != 5001 || r.ErrMsg != "the message was refused" || r.ErrDlt != "it holds a forbidden word" {
			t.Errorf("a forbidden word: %+v", r)
		}
	}

	t.Run("in a group", func(t *testing.T) {
		var made struct{ GroupInfo struct{ GroupID string } }
		c.call(t, "/group/create_group", map[string]any{
			"ownerUserID": "alice", "memberUserIDs": []string{"bob"}, "groupInfo": map[string]any{"groupName": "g", "groupType": 2},
		}, &made)
		sendGroup := func(text string) (serverMsgID string, r refusal) {
			t.Helper()
			var got struct{ ServerMsgID string }
			r = c.post(t, "/msg/send_msg", map[string]any{
				"sendID": "alice", "groupID": made.GroupInfo.GroupID, "senderPlatformID": 1, "content": map[string]any{"content": text},
				"contentType": 101, "sessionType": 3,
			}, &got)
			return got.ServerMsgID, r
		}
		if _, r := sendGroup("a lottery ticket"); r.ErrCode != 5001 {
			t.Errorf("a forbidden word: %+v", r)
		}
		id, r := sendGroup("a harmless ticket")
		if r.ErrCode != 0 {
			t.Fatalf("a harmless message: %+v", r)
		}
		passed = append(passed, id)
	})

	t.Run("each sent message is recorded once", func(t *testing.T) {
		all := h.awaitRecords(t, len(passed))
		times := map[string]int{}
		for _, r := range all {
			times[r.Event.ServerMsgID]++
			if want := "callbackAfterSend"; !strings.HasPrefix(r.Command, want) || strings.Contains(r.Event.Content, "CASINO") || r.Event.SendID != "alice" {
				t.Errorf("recorded %+v", r)
			}
		}
		for _, id := range passed {
			if times[id] != 1 {
				t.Errorf("%s is recorded %d times", id, times[id])
			}
		}
		if len(all) != len(passed) {
			t.Errorf("%d events are recorded, want %d", len(all), len(passed))
		}
	})

	t.Run("a repeated delivery is not", func(t *testing.T) {
		before := len(h.records(t))
		report := func(deliveryID, serverMsgID string) {
			t.Helper()
			const command = "callbackAfterSendSingleMsgCommand"
			body := fmt.Sprintf(`{"callbackCommand":%q,"serverMsgID":%q,"sendID":"alice"}`, command, serverMsgID)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+"/"+command, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			if deliveryID != "" {
				req.Header.Set("webhook-id", deliveryID)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Errorf("answered %s", resp.Status)
			}
		}
		for range 2 {
			report("delivery-1", "m1")
			report("", "m2")
		}
		if after := len(h.records(t)); after != before+2 {
			t.Errorf("two events delivered twice made %d records", after-before)
		}
	})
}
