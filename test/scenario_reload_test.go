package test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// configStatus is what `parley config status --json` prints.
type configStatus struct {
	Applied  int
	Refused  int
	Problems []struct {
		File    string
		Line    int
		Message string
	}
	Pending []struct{ File, Path string }
}

func (n *node) configStatus() (s configStatus) {
	n.t.Helper()
	if err := json.Unmarshal([]byte(n.run("config", "status", "--json")), &s); err != nil {
		n.t.Fatal(err)
	}
	return s
}

// write replaces a file of the node's configuration directory.
func (n *node) write(name, text string) {
	n.t.Helper()
	if err := os.WriteFile(filepath.Join(n.dir, name), []byte(text), 0o600); err != nil {
		n.t.Fatal(err)
	}
}

// rewrite replaces a file and waits until the node took it over.
func (n *node) rewrite(name, text string) {
	n.t.Helper()
	before := n.configStatus().Applied
	n.write(name, text)
	poll(n.t, "the new "+name, func() bool { return n.configStatus().Applied > before })
}

// TestS03WrongNestingReload: an edit that moves the webhooks under another level is
// refused, and what was on stays on.
func TestS03WrongNestingReload(t *testing.T) {
	t.Parallel()
	b := startBusiness(t)
	n := startNode(t, setup{files: map[string]string{"webhooks.yml": "url: " + b.URL + "\nbeforeSendSingleMsg:\n  enable: true\n"}})
	n.register(t, "alice", "bob")
	for i, parent := range []string{"callback", "webhooks", "config"} {
		n.write("webhooks.yml", "# copied from a guide\n"+parent+":\n  url: "+b.URL+"\n  beforeSendSingleMsg:\n    enable: true\n")
		n.awaitOutput("ERROR", "the old one stays", "webhooks.yml:2", "keys must be at the top level", "move everything out of '"+parent+":'")
		status := n.configStatus()
		if status.Refused != i+1 || len(status.Problems) != 1 || status.Problems[0].File != "webhooks.yml" || status.Problems[0].Line != 2 {
			t.Errorf("%s: status %+v", parent, status)
		}
		if s := n.send(t, post{from: "alice", to: "bob", content: text("hi"), operationID: "S3"}); s.ErrCode != 0 {
			t.Fatalf("%+v", s)
		}
		if got := len(b.got(cmdBeforeSingle)); got != i+1 {
			t.Errorf("%s: asked %d times, want %d", parent, got, i+1)
		}
	}
}

// TestS27ReloadAndRouting: edits under traffic take effect within seconds and lose
// no event; a broken file leaves the old configuration.
func TestS27ReloadAndRouting(t *testing.T) {
	t.Parallel()
	first, second := startBusiness(t), startBusiness(t)
	yml := func(url string) string {
		return "url: " + url + "\nbeforeSendSingleMsg: {enable: true}\nafterSendSingleMsg: {enable: true}\nretry: {initial: 1s, max: 1s}\n"
	}
	n := startNode(t, setup{files: map[string]string{"webhooks.yml": yml(first.URL + "/one")}})
	n.register(t, "alice", "bob", "carol")
	var want []string
	send := func() {
		t.Helper()
		for _, to := range []string{"bob", "carol"} {
			s := n.send(t, post{from: "alice", to: to, content: text(fmt.Sprint("message ", len(want))), operationID: "S27"})
			if s.ErrCode != 0 {
				t.Fatalf("%+v", s)
			}
			want = append(want, s.serverMsgID)
		}
	}
	send()
	first.awaitEvents(t, 2, cmdAfterSingle)

	// What the first cannot take is for the second.
	first.on(cmdAfterSingle, saysStatus(503, "later"))
	send()
	first.awaitCount(t, 3, cmdAfterSingle)
	n.write("webhooks.yml", "url: "+second.URL+"\nbeforeSendSingelMsg: {enable: true}\n")
	n.awaitOutput("the old one stays", "webhooks.yml:2", "beforeSendSingelMsg", "'beforeSendSingleMsg'")
	send()
	if got := len(first.got(cmdBeforeSingle)); got != 6 {
		t.Errorf("with a broken file the first was asked %d times, want 6", got)
	}
	n.rewrite("webhooks.yml", yml(second.URL+"/two"))
	if problems := n.configStatus().Problems; len(problems) != 0 {
		t.Errorf("after the repair: %+v", problems)
	}
	send()
	if got := second.got(cmdBeforeSingle); len(got) != 2 || got[0].Path != "/two/"+cmdBeforeSingle {
		t.Errorf("the second was asked: %s", describe(got))
	}
	second.awaitEvents(t, 6, cmdAfterSingle)

	// Off, and on again.
	n.rewrite("webhooks.yml", "url: "+second.URL+"\nbeforeSendSingleMsg: {enable: false}\nafterSendSingleMsg: {enable: false}\n")
	unheard := n.send(t, post{from: "alice", to: "bob", content: text("not told"), operationID: "S27"})
	n.rewrite("webhooks.yml", yml(second.URL+"/three"))
	send()
	all := second.awaitEvents(t, 8, cmdAfterSingle)
	if last := all[len(all)-1]; last.Path != "/three/"+cmdAfterSingle {
		t.Errorf("the last event went to %s", last.Path)
	}
	told := map[string]bool{}
	for _, e := range slices.Concat(first.events(cmdAfterSingle), all) {
		told[e.Event.ServerMsgID] = true
	}
	for _, id := range want {
		if !told[id] {
			t.Errorf("nobody was told of %s", id)
		}
	}
	if told[unheard.serverMsgID] {
		t.Error("an event was made while the callback was off")
	}
}

// TestReloadOtherFiles: administrators, login policy, tips and log change in a
// running server; a signal and a command do not wait for the next look.
func TestReloadOtherFiles(t *testing.T) {
	t.Parallel()
	n := startNode(t, setup{files: map[string]string{
		"share.yml":          "secret: scenario-secret\nimAdminUser: {userIDs: [imAdmin]}\nmultiLogin: {policy: 1}\n",
		"openim-rpc-msg.yml": "friendVerify: false\n",
	}})
	n.register(t, "alice", "bob")
	if got := n.post(t, "/auth/get_admin_token", map[string]any{"secret": n.Secret, "userID": "boss"}, nil); got.ErrCode == 0 {
		t.Error("boss is an administrator already")
	}
	n.write("share.yml", "secret: scenario-secret\nimAdminUser: {userIDs: [imAdmin, boss]}\nmultiLogin: {policy: 0}\n")
	if out := n.run("config", "reload"); lineWith(out, "in effect", "share.yml", "imAdminUser.userIDs", "boss") == "" || lineWith(out, "in effect", "multiLogin.policy", "1 -> 0") == "" {
		t.Errorf("config reload says\n%s", out)
	}
	var boss struct{ Token string }
	n.call(t, "/auth/get_admin_token", map[string]any{"secret": n.Secret, "userID": "boss"}, &boss)
	n.admin = boss.Token
	// Without kicking, a second phone leaves the first alone.
	old := n.token(t, "alice", platformIOS)
	n.anotherToken(t, "alice", platformIOS, old)
	if got := n.post(t, "/auth/parse_token", map[string]any{"token": old}, nil); got.ErrCode != 0 {
		t.Errorf("the first token under policy 0: %+v", got)
	}

	// Rights end with the edit, for tokens and connections that exist.
	before := n.configStatus().Applied
	n.write("share.yml", "secret: scenario-secret\nimAdminUser: {userIDs: [imAdmin]}\nmultiLogin: {policy: 0}\n")
	if err := n.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	n.awaitOutput("configuration read again", "cause=signal")
	if got := n.configStatus().Applied; got != before+1 {
		t.Errorf("applied %d times, want %d", got, before+1)
	}
	if got := n.post(t, "/user/user_register", map[string]any{"users": []map[string]any{{"userID": "x", "nickname": "x"}}}, nil); got.ErrCode != 1002 {
		t.Errorf("boss may still register users: %+v", got)
	}
	var admin struct{ Token string }
	n.call(t, "/auth/get_admin_token", map[string]any{"secret": n.Secret, "userID": "imAdmin"}, &admin)
	n.admin = admin.Token

	// Tips: what is no chat message does not come as one.
	alice := n.device(t, "alice", platformMiniWeb)
	n.rewrite("notification.yml", "groupCreated: {isSendMsg: false}\n")
	n.makeGroup(t, "alice", "bob")
	n.rewrite("notification.yml", "groupCreated: {isSendMsg: true}\n")
	shown := n.makeGroup(t, "alice", "bob")
	if m := alice.next(); m.GroupID != shown {
		t.Errorf("the first tip is of %s: %v", m.GroupID, m)
	}

	// The log.
	logs := filepath.Join(t.TempDir(), "logs")
	n.rewrite("log.yml", fmt.Sprintf("isStdout: true\nremainLogLevel: 4\nisJson: true\nstorageLocation: %q\n", logs))
	n.write("log.yml", "remainLogLevel: 99\n")
	n.awaitOutput(`"level":"ERROR"`, "log.yml:1", "99")
	if b, err := os.ReadFile(filepath.Join(logs, "parley.log")); err != nil || lineWith(string(b), `"level":"ERROR"`, "log.yml:1") == "" {
		t.Errorf("the new log file holds %q, %v", b, err)
	}

	// What cannot change says so.
	n.write("log.yml", fmt.Sprintf("isStdout: true\nremainLogLevel: 4\nisJson: true\nstorageLocation: %q\n", logs))
	n.write("openim-rpc-msg.yml", "friendVerify: true\n")
	n.awaitOutput("needs a restart", "openim-rpc-msg.yml", "friendVerify")
	if got := n.configStatus().Pending; len(got) != 1 || got[0].Path != "friendVerify" {
		t.Errorf("waiting for a restart: %+v", got)
	}
	if s := n.send(t, post{from: "alice", to: "bob", content: text("hi"), operationID: "reload"}); s.ErrCode != 0 {
		t.Errorf("it took effect without a restart: %+v", s)
	}
}

// TestConfigRoutes: administrators see every file without secrets and change
// webhooks.yml; nothing else can be changed, and nobody else may.
func TestConfigRoutes(t *testing.T) {
	t.Parallel()
	b := startBusiness(t)
	n := startNode(t, setup{files: map[string]string{"webhooks.yml": "# ours\nurl: http://name:hush@127.0.0.1:1\nbeforeSendSingleMsg: {enable: false}\n"}})
	n.register(t, "alice", "bob")
	var list struct {
		ConfigNames []string `json:"configNames"`
	}
	n.call(t, "/config/get_config_list", map[string]any{}, &list)
	if len(list.ConfigNames) != 22 {
		t.Errorf("files: %v", list.ConfigNames)
	}
	for _, name := range list.ConfigNames {
		var text string
		n.call(t, "/config/get_config", map[string]any{"configName": name}, &text)
		if !json.Valid([]byte(text)) || strings.Contains(text, "hush") || strings.Contains(text, n.Secret) {
			t.Errorf("%s: %s", name, text)
		}
	}

	set := func(name, data string) refusal {
		return n.post(t, "/config/set_config", map[string]any{"configName": name, "data": data}, nil)
	}
	file := func() string {
		raw, err := os.ReadFile(filepath.Join(n.dir, "webhooks.yml"))
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	before := file()
	if got := set("webhooks.yml", "url: "+b.URL+"\nbeforeSendSingelMsg: {enable: true}\n"); got.ErrCode != 1001 || !strings.Contains(got.ErrDlt, "webhooks.yml:2:1: unknown key 'beforeSendSingelMsg' (did you mean 'beforeSendSingleMsg'?)") {
		t.Errorf("a misspelled key: %+v", got)
	}
	for _, c := range []struct {
		path string
		body map[string]any
	}{
		{"/config/set_config", map[string]any{"configName": "share.yml", "data": "{}"}},
		{"/config/reset_config", nil},
		{"/config/set_enable_config_manager", map[string]any{"enable": true}},
	} {
		if c.body == nil {
			c.body = map[string]any{}
		}
		if got := n.post(t, c.path, c.body, nil); got.ErrCode != 500 || !strings.HasPrefix(got.ErrDlt, "not supported: ") {
			t.Errorf("%s: %+v", c.path, got)
		}
	}
	if file() != before {
		t.Errorf("the file became\n%s", file())
	}

	// JSON with OpenIM's field names, as its own tools send it.
	if got := set("webhooks.yml", `{"URL":"`+b.URL+`","BeforeSendSingleMsg":{"Enable":true,"Timeout":3,"FailedContinue":false},"AfterUserOnline":{"Enable":false,"Timeout":5}}`); got.ErrCode != 0 {
		t.Fatalf("%+v", got)
	}
	if want := "url: \"" + b.URL + "\"\nbeforeSendSingleMsg:\n  enable: true\n  timeout: 3\n"; file() != want {
		t.Errorf("the file is\n%s", file())
	}
	if s := n.send(t, post{from: "alice", to: "bob", content: text("hi"), operationID: "config"}); s.ErrCode != 0 || len(b.got(cmdBeforeSingle)) != 1 {
		t.Errorf("asked %d times, %+v", len(b.got(cmdBeforeSingle)), s)
	}
	commented := "# a comment\nurl: " + b.URL + "\n"
	if got := set("webhooks.yml", commented); got.ErrCode != 0 || file() != commented {
		t.Errorf("%+v, the file is\n%s", got, file())
	}
	if s := n.send(t, post{from: "alice", to: "bob", content: text("hi"), operationID: "config"}); s.ErrCode != 0 || len(b.got(cmdBeforeSingle)) != 1 {
		t.Errorf("asked %d times after it was switched off, %+v", len(b.got(cmdBeforeSingle)), s)
	}

	n.admin = n.token(t, "alice", platformIOS)
	for _, path := range []string{
		"/config/get_config_list", "/config/get_config", "/config/set_config", "/config/reset_config", "/config/set_enable_config_manager",
		"/config/get_enable_config_manager", "/config/reload", "/config/status", "/restart",
	} {
		if got := n.post(t, path, map[string]any{"configName": "webhooks.yml", "data": "{}"}, nil); got.ErrCode != 1002 {
			t.Errorf("%s by a user: %+v", path, got)
		}
	}
	if file() != commented {
		t.Errorf("a user changed the file to\n%s", file())
	}
}
