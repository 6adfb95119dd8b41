package test

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/parley-im/parley/hooks/signature"
)

// tool is a command that runs until it is interrupted.
type tool struct {
	t      *testing.T
	cmd    *exec.Cmd
	output *lockedBuffer
	exited chan error
}

// startTool runs a command about this node's server.
func (n *node) startTool(args ...string) *tool {
	n.t.Helper()
	cmd := exec.Command(os.Getenv("PARLEY_BIN"), append(args, "--data", n.data)...)
	cmd.Env, cmd.Dir = append(cleanEnv(), "XDG_CONFIG_HOME="+n.t.TempDir()), n.t.TempDir()
	tl := &tool{t: n.t, cmd: cmd, output: new(lockedBuffer), exited: make(chan error, 1)}
	cmd.Stdout, cmd.Stderr = tl.output, tl.output
	if err := cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	exited := tl.exited
	go func() { exited <- cmd.Wait() }()
	n.t.Cleanup(func() {
		if tl.exited != nil {
			tl.end()
		}
		if n.t.Failed() {
			n.t.Logf("%v wrote:\n%s", args, tl.output)
		}
	})
	return tl
}

func (tl *tool) await(parts ...string) string {
	tl.t.Helper()
	var line string
	poll(tl.t, strings.Join(parts, " "), func() bool {
		line = lineWith(tl.output.String(), parts...)
		return line != ""
	})
	return line
}

// end interrupts the command, which must end well.
func (tl *tool) end() {
	tl.t.Helper()
	exited := tl.exited
	tl.exited = nil
	if err := tl.cmd.Process.Signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		tl.t.Error(err)
	}
	select {
	case err := <-exited:
		if err != nil {
			tl.t.Errorf("%v\n%s", err, tl.output)
		}
	case <-time.After(patience):
		_ = tl.cmd.Process.Kill()
		<-exited
		tl.t.Errorf("the command did not end:\n%s", tl.output)
	}
}

// TestListen: a handler without an address decides and is told, of callbacks that
// nobody configured, with signatures by a secret that stays.
func TestListen(t *testing.T) {
	t.Parallel()
	b := startBusiness(t)
	n := startNode(t, setup{})
	n.register(t, "alice", "bob")
	secretFile := filepath.Join(t.TempDir(), "own", "secret")
	listen := func() *tool {
		tl := n.startTool("webhook", "listen", "--forward", b.URL+"/webhook?tenant=1", "--events", "*SendSingleMsg", "--secret-file", secretFile)
		tl.await("listening")
		return tl
	}
	tl := listen()
	info, err := os.Stat(secretFile)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the secret's file: %v, %v", info, err)
	}
	raw, err := os.ReadFile(secretFile)
	if err != nil {
		t.Fatal(err)
	}
	key, err := signature.Parse(strings.TrimSpace(string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	s := n.send(t, post{from: "alice", to: "bob", content: text("hi <&>"), operationID: "listen one"})
	if s.ErrCode != 0 {
		t.Fatalf("%+v", s)
	}
	before, after := awaitPair(t, b, [2]string{cmdBeforeSingle, cmdAfterSingle}, s)
	for _, c := range []callback{before, after} {
		if c.Path != "/webhook/"+c.Command || queryOf(t, c).Get("tenant") != "1" || c.Event.OperationID != "listen one" || c.Header.Get("operationID") != "listen one" {
			t.Errorf("%s?%s: %s", c.Path, c.Query, c.Raw)
		}
		if err := signature.Verify(c.Header, c.Raw, time.Now(), key); err != nil {
			t.Errorf("%s: %v", c.Command, err)
		}
	}
	tl.await("beforeSendSingleMsg", "200")
	tl.await("afterSendSingleMsg", "200")

	// The verdict counts.
	b.on(cmdBeforeSingle, says(`{"actionCode":0,"errCode":5001,"errMsg":"refused","errDlt":"","nextCode":1}`))
	if s := n.send(t, post{from: "alice", to: "bob", content: text("hi"), operationID: "listen two"}); s.ErrCode != 5001 {
		t.Errorf("refused as %+v", s)
	}
	// A handler that is down says so, and users go on.
	b.on(cmdBeforeSingle, dropsConnection)
	if s := n.send(t, post{from: "alice", to: "bob", content: text("hi"), operationID: "listen three"}); s.ErrCode != 0 {
		t.Errorf("with a handler that breaks off: %+v", s)
	}
	tl.await("beforeSendSingleMsg", "EOF")
	b.awaitEvents(t, 2, cmdAfterSingle)

	// Without the tool everything is as before, and nothing is left behind.
	tl.end()
	asked := len(b.got(cmdBeforeSingle))
	if s := n.send(t, post{from: "alice", to: "bob", content: text("hi"), operationID: "listen four"}); s.ErrCode != 0 || len(b.got(cmdBeforeSingle)) != asked {
		t.Errorf("after the end: %+v, asked %d times", s, len(b.got(cmdBeforeSingle))-asked)
	}
	poll(t, "the endpoint's end", func() bool { return !strings.Contains(n.run("webhook", "endpoints"), "listen-") })

	// Another run has the same secret, and a restarted server is found again.
	b.on(cmdBeforeSingle, says(approval))
	tl = listen()
	n.stop()
	n.start()
	tl.await("listening again")
	s = n.send(t, post{from: "alice", to: "bob", content: text("again"), operationID: "listen five"})
	before, _ = awaitPair(t, b, [2]string{cmdBeforeSingle, cmdAfterSingle}, s)
	if err := signature.Verify(before.Header, before.Raw, time.Now(), key); err != nil {
		t.Errorf("another run: %v", err)
	}
	tl.end()
}

// TestListenBeside: a handler that there is keeps deciding; the listener gets
// copies, and copies of events. Over the API, as from another machine.
func TestListenBeside(t *testing.T) {
	t.Parallel()
	b, own := startBusiness(t), startBusiness(t)
	n := startNode(t, setup{files: webhooksYML(b.URL, "beforeSendSingleMsg: {enable: true}\nafterSendSingleMsg: {enable: true}\n")})
	n.register(t, "alice", "bob")
	own.on(cmdBeforeSingle, says(`{"actionCode":0,"errCode":5001,"errMsg":"refused","errDlt":"","nextCode":1}`))
	tl := n.startTool("webhook", "listen", "--forward", own.URL, "--events", "*SendSingleMsg", "--api", n.API, "--token", n.admin)
	tl.await("listening")
	s := n.send(t, post{from: "alice", to: "bob", content: text("hi"), operationID: "beside"})
	if s.ErrCode != 0 {
		t.Errorf("a copy decided: %+v", s)
	}
	awaitPair(t, b, [2]string{cmdBeforeSingle, cmdAfterSingle}, s)
	own.awaitCount(t, 2, cmdBeforeSingle, cmdAfterSingle)
	tl.await("beforeSendSingleMsg", "copy")
	tl.end()

	tl = n.startTool("webhook", "listen", "--forward", own.URL, "--events", "beforeSendSingleMsg", "--decide")
	tl.await("listening")
	if s := n.send(t, post{from: "alice", to: "bob", content: text("hi"), operationID: "beside"}); s.ErrCode != 5001 {
		t.Errorf("told to decide: %+v", s)
	}
}

// TestTrigger: samples go through the real pipeline, and are explained like
// everything else.
func TestTrigger(t *testing.T) {
	t.Parallel()
	b := startBusiness(t)
	n := startNode(t, setup{files: webhooksYML(b.URL, "beforeSendSingleMsg: {enable: true}\nafterSendSingleMsg: {enable: true}\nafterCreateGroup: {enable: true}\nsecret: "+signature.New()+"\nretry: {initial: 1s, max: 1s}\n")})
	b.on(cmdAfterSingle, oneAfterAnother(saysStatus(503, "later"), says(approval)))
	for key, want := range map[string][]string{
		"afterSendSingleMsg": {"retry", "delivered"}, "afterCreateGroup": {"delivered"}, "beforeSendSingleMsg": {"approve"},
	} {
		out := n.run("webhook", "trigger", key)
		for _, outcome := range want {
			if lineWith(out, key, outcome) == "" {
				t.Errorf("%s says nothing of %s:\n%s", key, outcome, out)
			}
		}
		operation := strings.TrimSpace(strings.TrimPrefix(firstLine(out), "operation"))
		if r := n.why(nil, operation); r.outcome(key) == "none" {
			t.Errorf("why knows nothing of %s: %+v", operation, r)
		}
	}
	for _, c := range b.got() {
		if c.Header.Get("webhook-signature") == "" || c.Path != "/webhook/"+c.Command || !json.Valid(c.Raw) {
			t.Errorf("%s %v %s", c.Path, c.Header, c.Raw)
		}
	}
	_, errs, code := parleyCommand(t, nil, "webhook", "trigger", "afterSendGroupMsg", "--data", n.data)
	if code != 1 || !strings.Contains(errs, "afterSendGroupMsg is off") {
		t.Errorf("one that is off: %d %s", code, errs)
	}
}

// TestWebhookTest: the verdict is shown as the server reads it, and nothing comes
// of it.
func TestWebhookTest(t *testing.T) {
	t.Parallel()
	b := startBusiness(t)
	n := startNode(t, setup{files: webhooksYML(b.URL, "beforeSendSingleMsg: {enable: true}\nafterSendSingleMsg: {enable: true}\nsecret: "+signature.New()+"\n")})
	out := n.run("webhook", "test")
	if lineWith(out, "beforeSendSingleMsg ->", b.URL+"/webhook/"+cmdBeforeSingle, "signed") == "" || lineWith(out, "status 200", "approve") == "" || lineWith(out, "delivered") == "" {
		t.Errorf("all of them:\n%s", out)
	}
	for _, c := range b.got() {
		if c.Header.Get("webhook-signature") == "" {
			t.Errorf("%s is not signed", c.Command)
		}
	}
	for _, c := range []struct {
		answer answerer
		want   []string
		code   int
	}{
		{says(`{"actionCode":0,"errCode":5001,"errMsg":"refused","errDlt":"why","nextCode":1}`), []string{"reject", "the caller would get 5001 refused why"}, 0},
		{says("<html>"), []string{"failed_refuse", "response format error", "90007"}, 1},
		{saysStatus(500, `{"status":500}`), []string{"failed_refuse", "HTTP status 500", "90004"}, 1},
	} {
		b.on(cmdBeforeSingle, c.answer)
		out, errs, code := parleyCommand(t, nil, "webhook", "test", "beforeSendSingleMsg", "--data", n.data)
		for _, want := range c.want {
			if code != c.code || !strings.Contains(out, want) {
				t.Errorf("ended with %d and says nothing of %q: %s%s", code, want, out, errs)
			}
		}
	}
	// One that is off goes to where it would.
	if out := n.run("webhook", "test", "beforeCreateGroup"); !strings.Contains(out, "callbackBeforeCreateGroupCommand") || len(b.got("callbackBeforeCreateGroupCommand")) != 1 {
		t.Errorf("one that is off:\n%s", out)
	}
	if rows := n.deliveries(); len(rows) != 0 {
		t.Errorf("tests are in the delivery log: %+v", rows)
	}
}

// TestTail: calls are shown as they are made, those that were asked for.
func TestTail(t *testing.T) {
	t.Parallel()
	b := startBusiness(t)
	n := startNode(t, setup{files: webhooksYML(b.URL, "beforeSendSingleMsg: {enable: true}\nafterSendSingleMsg: {enable: true}\n")})
	n.register(t, "alice", "bob")
	n.send(t, post{from: "alice", to: "bob", content: text("before"), operationID: "earlier"})
	n.awaitDeliveries(t, 2)
	all := n.startTool("webhook", "tail", "--json")
	after := n.startTool("webhook", "tail", "--event", "afterSendSingleMsg", "--endpoint", "default", "--status", "2xx")
	failed := n.startTool("webhook", "tail", "--status", "failed_refuse")
	b.on(cmdBeforeSingle, oneAfterAnother(says("nonsense")))
	// The tools begin at some time: sends go on until all have seen one.
	poll(t, "a line of each", func() bool {
		n.send(t, post{from: "alice", to: "bob", content: text("hi"), operationID: "tail"})
		b.on(cmdBeforeSingle, says("nonsense"))
		n.send(t, post{from: "alice", to: "bob", content: text("hi"), operationID: "tail"})
		b.on(cmdBeforeSingle, says(approval))
		return strings.Contains(all.output.String(), `"OperationID":"tail"`) && strings.Contains(after.output.String(), "delivered") &&
			strings.Contains(failed.output.String(), "response format error")
	})
	if strings.Contains(all.output.String(), "earlier") {
		t.Errorf("what was there before is shown:\n%s", all.output)
	}
	if out := after.output.String(); strings.Contains(out, "beforeSendSingleMsg") || !strings.Contains(out, "default") {
		t.Errorf("more than was asked for:\n%s", out)
	}
	if strings.Contains(failed.output.String(), "approve") {
		t.Errorf("more than was asked for:\n%s", failed.output)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(all.output.String()) {
		if seen[line] {
			t.Errorf("shown twice: %s", line)
		}
		seen[line] = true
	}
}

// TestRecordReplay: what was recorded is asked again, and a changed answer shows.
func TestRecordReplay(t *testing.T) {
	t.Parallel()
	b := startBusiness(t)
	n := startNode(t, setup{})
	n.register(t, "alice", "bob")
	dir := filepath.Join(t.TempDir(), "records")
	tl := n.startTool("webhook", "record", dir, "--forward", b.URL, "--events", "*SendSingleMsg")
	tl.await("listening")
	s := n.send(t, post{from: "alice", to: "bob", content: text(`quotes " and <&>`), operationID: "record"})
	awaitPair(t, b, [2]string{cmdBeforeSingle, cmdAfterSingle}, s)
	var files []string
	poll(t, "two files", func() bool {
		files, _ = filepath.Glob(filepath.Join(dir, "*.json"))
		return len(files) == 2
	})
	tl.await("afterSendSingleMsg")
	tl.await("beforeSendSingleMsg")
	tl.end()
	for _, f := range files {
		if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", f, info, err)
		}
	}
	replay := func() (string, int) {
		out, errs, code := parleyCommand(t, []string{"XDG_CONFIG_HOME=" + t.TempDir()}, append([]string{"webhook", "replay", "--to", b.URL + "/again"}, files...)...)
		return out + errs, code
	}
	out, code := replay()
	if code != 0 || strings.Count(out, "the same answer") != 2 {
		t.Errorf("ended with %d:\n%s", code, out)
	}
	all := b.awaitCount(t, 4)
	for i, command := range []string{cmdBeforeSingle, cmdAfterSingle} {
		var was, is callback
		for _, c := range all {
			switch {
			case c.Command == command && strings.HasPrefix(c.Path, "/again"):
				is = c
			case c.Command == command:
				was = c
			}
		}
		if strings.TrimSpace(string(was.Raw)) != strings.TrimSpace(string(is.Raw)) || was.Header.Get("webhook-id") != is.Header.Get("webhook-id") && i == 1 {
			t.Errorf("asked again with another body or id:\n%s\n%s", was.Raw, is.Raw)
		}
	}
	b.on(cmdBeforeSingle, saysStatus(http.StatusTeapot, "no"))
	if out, code := replay(); code != 1 || lineWith(out, "beforeSendSingleMsg", "another answer", "418") == "" || !strings.Contains(out, "1 of 2 answers are different") {
		t.Errorf("ended with %d:\n%s", code, out)
	}
}
