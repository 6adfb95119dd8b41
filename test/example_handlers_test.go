package test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// exampleSecret is what the examples and the nodes that call them share.
const exampleSecret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

// exampleHandlers are the business servers of examples. A missing runtime fails
// the test; scripts/install-deps.sh installs all of them.
var exampleHandlers = []struct {
	name  string
	start func(t *testing.T) []string // the command without its options, built if need be
}{
	{"go", func(t *testing.T) []string {
		binary := filepath.Join(t.TempDir(), "handler")
		build(t, "go", "build", "-o", binary, "../examples/go-handler")
		return []string{binary}
	}},
	{"java", func(t *testing.T) []string {
		classes := t.TempDir()
		sources, err := filepath.Glob("../examples/java-handler/src/*.java")
		if err != nil || len(sources) == 0 {
			t.Fatalf("no sources of the example: %v", err)
		}
		build(t, "javac", append([]string{"-Xlint:all", "-Werror", "-d", classes}, sources...)...)
		return []string{"java", "-cp", classes, "Handler"}
	}},
	{"node", func(*testing.T) []string { return []string{"node", "../examples/node-handler/handler.mjs"} }},
	{"python", func(*testing.T) []string { return []string{"python3", "../examples/python-handler/handler.py"} }},
	{"php", func(*testing.T) []string { return []string{"php", "../examples/php-handler/server.php"} }},
}

func build(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v (scripts/install-deps.sh installs what the examples need)\n%s", name, err, out)
	}
}

// exampleHandler is one of the examples, running.
type exampleHandler struct {
	url   string // without the command
	audit string // file
}

// startExample runs an example until the test ends, on a free port.
func startExample(t *testing.T, command []string, secret string, options ...string) *exampleHandler {
	t.Helper()
	h := &exampleHandler{audit: filepath.Join(t.TempDir(), "audit.jsonl")}
	args := slices.Concat(command[1:], []string{"--port", "0", "--audit", h.audit, "--refuse", "casino,lottery"}, options)
	cmd := exec.Command(command[0], args...)
	cmd.Env = append(os.Environ(), "WEBHOOK_SECRET="+secret)
	var complaints lockedBuffer
	cmd.Stderr = &complaints
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v (scripts/install-deps.sh installs what the examples need)", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // 143 of Java, the shell's word for SIGTERM
		if out := complaints.String(); out != "" {
			t.Errorf("the handler complained:\n%s", out)
		}
	})
	// Its first line says where it listens.
	lines := bufio.NewReader(stdout)
	line, err := lines.ReadString('\n')
	if err != nil {
		t.Fatalf("the handler did not start: %v\n%s", err, &complaints)
	}
	h.url = strings.TrimSpace(strings.TrimPrefix(line, "listening on "))
	return h
}

// TestExampleHandlers plays the conformance suite at every example, and runs each
// as the business server of a node.
func TestExampleHandlers(t *testing.T) {
	for _, example := range exampleHandlers {
		t.Run(example.name, func(t *testing.T) {
			command := example.start(t)
			t.Run("conforms", func(t *testing.T) {
				h := startExample(t, command, exampleSecret, "--conform")
				if failed := conform(t, h.url); len(failed) > 0 {
					t.Errorf("failed: %v", failed)
				}
			})
			t.Run("serves a node", func(t *testing.T) { servesANode(t, startExample(t, command, exampleSecret)) })
			t.Run("tells repetitions apart without signatures", func(t *testing.T) { tellsRepetitionsApart(t, startExample(t, command, "")) })
		})
	}
}

// conform plays the suite and returns the checks that did not pass.
func conform(t *testing.T, url string) (failed []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Getenv("PARLEY_BIN"), "webhook", "conform", "--json",
		"--secret", exampleSecret, "--forbidden", "casino", "--timeout", "20s", url)
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || len(out) == 0) {
		t.Fatalf("%v %s", err, exit.Stderr)
	}
	var report struct {
		Results []struct{ Check, Outcome, Sent, Got, Note string }
	}
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatal(err)
	}
	if len(report.Results) < 40 {
		t.Fatalf("only %d checks were played", len(report.Results))
	}
	for _, r := range report.Results {
		if r.Outcome != "passed" {
			t.Logf("%+v", r)
			failed = append(failed, r.Check)
		}
	}
	return failed
}

// A server of the JDK that is not told otherwise sends every answer in two
// packets, of which the second waits for the first to be acknowledged.
func TestConformFindsTheDelayOfJava(t *testing.T) {
	for _, example := range exampleHandlers {
		if example.name != "java" {
			continue
		}
		command := slices.Insert(example.start(t), 1, "-Dsun.net.httpserver.nodelay=false")
		h := startExample(t, command, exampleSecret, "--conform")
		if failed := conform(t, h.url); !slices.Equal(failed, []string{"not-delayed"}) {
			t.Errorf("failed: %v", failed)
		}
	}
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

func (h *exampleHandler) records(t *testing.T) []record {
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
func (h *exampleHandler) awaitRecords(t *testing.T, count int) []record {
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

// servesANode: what the example refuses is not sent, what was sent is recorded
// once.
func servesANode(t *testing.T, h *exampleHandler) {
	t.Helper()
	dir := t.TempDir()
	// share.yml as an operator's directory must have it; the rest is the README's.
	for name, text := range map[string]string{
		"share.yml": "secret: example-secret\n",
		"webhooks.yml": "url: " + h.url + "\nsecret: " + exampleSecret + `
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
}

// tellsRepetitionsApart: an event is stored once, also from a server that sends
// no ids.
func tellsRepetitionsApart(t *testing.T, h *exampleHandler) {
	t.Helper()
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
	if n := len(h.records(t)); n != 2 {
		t.Errorf("two events delivered twice made %d records", n)
	}
}
