package test

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// shipped holds configuration directories as OpenIM ships them.
const shipped = "../internal/config/testdata/openim"

// awaitPair waits for a before-call and an after-event of one message and
// checks that they are about the same one.
func awaitPair(t *testing.T, b *business, commands [2]string, s sent) (before, after callback) {
	t.Helper()
	of := func(all []callback) []callback {
		var out []callback
		for _, c := range all {
			if c.Event.ServerMsgID == s.serverMsgID {
				out = append(out, c)
			}
		}
		return out
	}
	all := of(b.await(t, "both callbacks", func(all []callback) bool { return len(of(all)) >= 2 }))
	if got := commandsOf(all); !slices.Equal(got, commands[:]) {
		t.Fatalf("called %v, want %v", got, commands)
	}
	return all[0], all[1]
}

// TestS01PathRouting: one message makes one question and one event, each posted to the
// base URL and its command, and both about that message.
func TestS01PathRouting(t *testing.T) {
	t.Parallel()
	b := startBusiness(t)
	n := startNode(t, setup{files: map[string]string{"webhooks.yml": "url: " + b.URL + `/webhook
beforeSendSingleMsg: {enable: true}
afterSendSingleMsg: {enable: true}
beforeSendGroupMsg: {enable: true}
afterSendGroupMsg: {enable: true}
`}})
	n.register(t, "alice", "bob")
	group := n.makeGroup(t, "alice", "bob")
	alice, bob := n.device(t, "alice", platformMiniWeb), n.device(t, "bob", platformMiniWeb)

	single := [2]string{cmdBeforeSingle, cmdAfterSingle}
	grouped := [2]string{cmdBeforeGroup, cmdAfterGroup}
	for _, c := range []struct {
		name     string
		send     func(post) sent
		post     post
		commands [2]string
		msgFrom  int
	}{
		{"single over the socket", alice.send, post{from: "alice", to: "bob"}, single, 100},
		{"single by REST", func(p post) sent { return n.send(t, p) }, post{from: "alice", to: "bob"}, single, 200},
		{"group over the socket", alice.send, post{from: "alice", group: group}, grouped, 100},
		{"group by REST", func(p post) sent { return n.send(t, p) }, post{from: "alice", group: group}, grouped, 200},
	} {
		c.post.operationID = "S1 " + c.name
		c.post.content = text(c.name + " <&> 你好")
		s := c.send(c.post)
		if s.ErrCode != 0 {
			t.Fatalf("%s: %+v", c.name, s)
		}
		m := bob.next()
		if m.ServerMsgID != s.serverMsgID || string(m.Content) != c.post.content || m.Seq == 0 {
			t.Errorf("%s: bob received %v", c.name, m)
		}
		before, after := awaitPair(t, b, c.commands, s)
		for _, got := range []callback{before, after} {
			if got.Path != "/webhook/"+got.Command || got.Event.CallbackCommand != got.Command {
				t.Errorf("%s: %s at %s", c.name, got.Event.CallbackCommand, got.Path)
			}
			if got.Header.Get("operationID") != c.post.operationID || got.Event.OperationID != c.post.operationID {
				t.Errorf("%s: operation %q in the header, %q in the body", c.name, got.Header.Get("operationID"), got.Event.OperationID)
			}
			if got.Header.Get("Content-Type") != "application/json; charset=utf-8" {
				t.Errorf("%s: Content-Type %q", c.name, got.Header.Get("Content-Type"))
			}
			if e := got.Event; e.ClientMsgID != s.clientMsgID || e.SendID != "alice" || e.RecvID != c.post.to || e.GroupID != c.post.group ||
				e.ContentType != contentText || e.Content != c.post.content {
				t.Errorf("%s: %s", c.name, got.Raw)
			}
			if strings.ContainsAny(string(got.Raw), "<>&") || !strings.HasSuffix(string(got.Raw), "}\n") {
				t.Errorf("%s: not escaped or not ended as handlers expect: %s", c.name, got.Raw)
			}
		}
		if before.Event.Seq != 0 || after.Event.Seq != m.Seq {
			t.Errorf("%s: seq %d before and %d after, it is %d", c.name, before.Event.Seq, after.Event.Seq, m.Seq)
		}
		if before.ID() != "" || after.ID() == "" {
			t.Errorf("%s: delivery id %q before and %q after", c.name, before.ID(), after.ID())
		}
		wantKey := fmt.Sprintf(`{"sendID":"alice","recvID":%q,"groupID":%q}`, c.post.to, c.post.group)
		if key, err := base64.StdEncoding.DecodeString(queryOf(t, after).Get("key")); err != nil || string(key) != wantKey {
			t.Errorf("%s: the key for answers is %q, %v", c.name, key, err)
		}
	}
	if all := b.got(); len(all) != 8 {
		t.Errorf("%d callbacks for 4 messages: %v", len(all), commandsOf(all))
	}
}

func queryOf(t *testing.T, c callback) url.Values {
	t.Helper()
	values, err := url.ParseQuery(c.Query)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// TestS02BaseForms: slashes and queries of the base URL are kept in order.
func TestS02BaseForms(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ base, path, tenant string }{
		"trailing slash":       {"/webhook/", "/webhook/", ""},
		"query":                {"/webhook?tenant=1", "/webhook/", "1"},
		"trailing slash query": {"/webhook/?tenant=1", "/webhook/", "1"},
		"no path":              {"", "/", ""},
		"own query of a key":   {"/a%2Fb?tenant=x%26y", "/a/b/", "x&y"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := startBusiness(t)
			n := startNode(t, setup{files: map[string]string{"webhooks.yml": "url: " + b.URL + c.base + `
beforeSendSingleMsg: {enable: true}
afterSendSingleMsg: {enable: true}
`}})
			n.register(t, "alice", "bob")
			if s := n.send(t, post{from: "alice", to: "bob", content: text("hi"), operationID: "S2"}); s.ErrCode != 0 {
				t.Fatalf("%+v", s)
			}
			for _, got := range b.awaitCount(t, 2, cmdBeforeSingle, cmdAfterSingle) {
				if got.Path != c.path+got.Command || queryOf(t, got).Get("tenant") != c.tenant {
					t.Errorf("called %s?%s", got.Path, got.Query)
				}
			}
		})
	}
}

// refusedStart runs serve, which must refuse, and returns what it wrote.
func refusedStart(t *testing.T, dir string, env ...string) string {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	out, errs, code := parleyCommand(t, env, "serve", "-c", dir, "--data", data, "--api-addr", "127.0.0.1:0", "--ws-addr", "127.0.0.1:0")
	if code != 1 {
		t.Errorf("serve ended with %d, want 1", code)
	}
	if _, err := os.Stat(data); !os.IsNotExist(err) {
		t.Errorf("a refused start leaves a data directory behind: %v", err)
	}
	checked, checkErrs, checkCode := parleyCommand(t, env, "config", "check", dir)
	if checkCode != 1 || !strings.Contains(checkErrs, firstLine(errs)) {
		t.Errorf("config check ended with %d and says otherwise: %s%s", checkCode, checked, checkErrs)
	}
	return out + errs
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// TestS03WrongNesting: webhooks under an additional level, as in old guides, do not
// start a server that calls nobody.
func TestS03WrongNesting(t *testing.T) {
	t.Parallel()
	for _, parent := range []string{"callback", "webhooks", "config"} {
		dir := configDir(t, map[string]string{"webhooks.yml": "# copied from a guide\n" + parent + `:
  url: http://127.0.0.1:1/webhook
  beforeSendSingleMsg:
    enable: true
`})
		got := refusedStart(t, dir)
		if lineWith(got, "webhooks.yml:2", "keys must be at the top level", "move everything out of '"+parent+":'") == "" {
			t.Errorf("%s: refused with\n%s", parent, got)
		}
	}
}

// TestS04Misspelling: a misspelled key is refused with its line and the nearest key.
func TestS04Misspelling(t *testing.T) {
	t.Parallel()
	dir := configDir(t, map[string]string{"webhooks.yml": `url: http://127.0.0.1:1/webhook
beforeSendSingelMsg:
  enable: true
afterSendSingleMsg:
  enabled: true
beforeSendGroupMsg:
  enable: true
  failContinue: true
afterKickGroup:
  enable: true
`})
	got := refusedStart(t, dir)
	for _, c := range [][]string{
		{"webhooks.yml:2", "beforeSendSingelMsg", "'beforeSendSingleMsg'"},
		{"webhooks.yml:5", "enabled", "'enable'"},
		{"webhooks.yml:8", "failContinue", "'failedContinue'"},
		{"webhooks.yml:9", "afterKickGroup", "'afterKickGroupMember'"},
	} {
		if lineWith(got, c...) == "" {
			t.Errorf("no line has %q in\n%s", c, got)
		}
	}

	t.Run("may be passed over", func(t *testing.T) {
		b := startBusiness(t)
		n := startNode(t, setup{args: []string{"--config-lenient"}, files: map[string]string{
			"webhooks.yml": "url: " + b.URL + "\nbeforeSendSingelMsg:\n  enable: true\nafterSendSingleMsg:\n  enable: true\n",
		}})
		if lineWith(n.output.String(), "warning", "webhooks.yml:2", "beforeSendSingelMsg", "'beforeSendSingleMsg'") == "" {
			t.Errorf("the report does not warn:\n%s", n.output)
		}
	})
	t.Run("another letter case is accepted", func(t *testing.T) {
		b := startBusiness(t)
		n := startNode(t, setup{files: map[string]string{"webhooks.yml": "URL: " + b.URL + "\nbeforesendSINGLEMsg:\n  ENABLE: true\n"}})
		n.register(t, "alice", "bob")
		if s := n.send(t, post{from: "alice", to: "bob", content: text("hi"), operationID: "S4"}); s.ErrCode != 0 {
			t.Fatalf("%+v", s)
		}
		if all := b.got(cmdBeforeSingle); len(all) != 1 {
			t.Errorf("asked %d times", len(all))
		}
	})
}

// copyShipped makes a copy that a server may put its logs beside.
func copyShipped(t *testing.T, version string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "config")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(shipped, version))); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestS05ShippedFilesLoad: every directory that OpenIM shipped loads unmodified, and
// a server runs on it.
func TestS05ShippedFilesLoad(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir(shipped)
	if err != nil {
		t.Fatal(err)
	}
	var versions []string
	for _, e := range entries {
		if e.IsDir() {
			versions = append(versions, e.Name())
		}
	}
	if len(versions) < 8 {
		t.Fatalf("only %q are here", versions)
	}
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			dir := copyShipped(t, version)
			report, errs, code := parleyCommand(t, nil, "config", "check", dir)
			if code != 0 || errs != "" {
				t.Fatalf("config check ended with %d: %s", code, errs)
			}
			for _, want := range []string{"webhooks: all ", "without effect:", "mongodb.yml", "redis.yml", "kafka.yml"} {
				if !strings.Contains(report, want) {
					t.Errorf("the report does not speak of %q:\n%s", want, report)
				}
			}
			if strings.Contains(report, "openIM123") {
				t.Error("the report shows the secret")
			}
			if _, problems, _ := strings.Cut(report, "warnings and hints:"); strings.Contains(problems, "webhook://") {
				t.Error("there is a problem with the URL although nothing is enabled")
			}

			t.Run("serves", func(t *testing.T) {
				b := startBusiness(t)
				n := startNode(t, setup{dir: dir, env: []string{
					"IMENV_WEBHOOKS_URL=" + b.URL, "IMENV_WEBHOOKS_BEFORESENDSINGLEMSG_ENABLE=true", "IMENV_WEBHOOKS_AFTERSENDSINGLEMSG_ENABLE=true",
				}})
				if n.Secret != "openIM123" {
					t.Errorf("the secret is %q", n.Secret)
				}
				n.register(t, "alice", "bob")
				bob := n.device(t, "bob", platformIOS)
				s := n.send(t, post{from: "alice", to: "bob", content: text("hi"), operationID: "S5"})
				if s.ErrCode != 0 {
					t.Fatalf("%+v", s)
				}
				if m := bob.next(); m.ServerMsgID != s.serverMsgID {
					t.Errorf("bob received %v", m)
				}
				awaitPair(t, b, [2]string{cmdBeforeSingle, cmdAfterSingle}, s)
			})
			if version == "v3.7.0" || version == "v3.8.0" {
				t.Run("the odd URL is refused once something is enabled", func(t *testing.T) {
					got := refusedStart(t, dir, "IMENV_WEBHOOKS_BEFORESENDSINGLEMSG_ENABLE=true")
					if lineWith(got, "webhooks.yml:1", "webhook://127.0.0.1:10008/callbackExample") == "" {
						t.Errorf("refused with\n%s", got)
					}
				})
			}
		})
	}
}

// TestS06DockerEnvironment: variables of a container set what the file does not, lists
// in both forms.
func TestS06DockerEnvironment(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		webhooks string // the file; empty for the shipped one
		env      []string
	}{
		"JSON list":               {"", []string{`IMENV_WEBHOOKS_AFTERSENDSINGLEMSG_ATTENTIONIDS=["10000","10001"]`}},
		"comma list":              {"", []string{"IMENV_WEBHOOKS_AFTERSENDSINGLEMSG_ATTENTIONIDS=10000,10001"}},
		"key missing in the file": {"beforeSendGroupMsg: {enable: false}\n", []string{"IMENV_WEBHOOKS_AFTERSENDSINGLEMSG_ATTENTIONIDS=10000,10001"}},
		"over what the file says": {
			"url: http://127.0.0.1:1/\nafterSendSingleMsg: {enable: false, attentionIds: [nobody]}\n",
			[]string{"IMENV_WEBHOOKS_AFTERSENDSINGLEMSG_ATTENTIONIDS=10000,10001"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := startBusiness(t)
			s := setup{env: append(c.env, "IMENV_WEBHOOKS_URL="+b.URL, "IMENV_WEBHOOKS_AFTERSENDSINGLEMSG_ENABLE=true", "IMENV_LOG_ISSTDOUT=true")}
			if c.webhooks == "" {
				s.dir = copyShipped(t, "v3.8.3")
			} else {
				s.files = map[string]string{"webhooks.yml": c.webhooks}
			}
			n := startNode(t, s)
			n.register(t, "10000", "10001", "20000", "20001")
			send := func(from, to, words string) string {
				t.Helper()
				s := n.send(t, post{from: from, to: to, content: text(words), operationID: "S6"})
				if s.ErrCode != 0 {
					t.Fatalf("%+v", s)
				}
				return s.serverMsgID
			}
			// In one conversation each: events of a conversation come in order,
			// so nothing can come behind the last.
			send("20000", "20001", "of no interest")
			want := []string{send("20000", "10001", "to one of them"), send("10000", "20001", "by one of them")}
			all := b.awaitCount(t, 2)
			var got []string
			for _, c := range all {
				got = append(got, c.Event.ServerMsgID)
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("told of %v, want %v", got, want)
			}
			if line := lineWith(n.output.String(), "afterSendSingleMsg", b.URL, "10000,10001", "env IMENV_WEBHOOKS_AFTERSENDSINGLEMSG_ATTENTIONIDS"); line == "" {
				t.Error("the start-up table does not say what the environment did")
			}
			n.stop() // what was wrongly recorded would have been tried by now
			if all := b.got(); len(all) != 2 {
				t.Errorf("%d callbacks: %s", len(all), describe(all))
			}
		})
	}

	t.Run("a misspelled variable", func(t *testing.T) {
		t.Parallel()
		got := refusedStart(t, copyShipped(t, "v3.8.3"), "IMENV_WEBHOOKS_AFTERSENDSINGELMSG_ENABLE=true")
		if lineWith(got, "IMENV_WEBHOOKS_AFTERSENDSINGELMSG_ENABLE", "'IMENV_WEBHOOKS_AFTERSENDSINGLEMSG_ENABLE'") == "" {
			t.Errorf("refused with\n%s", got)
		}
	})
}

// TestS07Diagnosis: the log says what was called, why it failed and what was decided.
func TestS07Diagnosis(t *testing.T) {
	t.Parallel()
	const nobody = "http://127.0.0.1:1/webhook"
	for _, decision := range []struct {
		failedContinue bool
		code           int
		words          string
	}{{true, 0, "going on without it"}, {false, 90004, "operation refused"}} {
		n := startNode(t, setup{files: map[string]string{
			"log.yml":      "isStdout: true\nremainLogLevel: 3\nstorageLocation: \"\"\n",
			"webhooks.yml": fmt.Sprintf("url: %s\nbeforeSendSingleMsg: {enable: true, failedContinue: %t}\n", nobody, decision.failedContinue),
		}})
		n.register(t, "alice", "bob")
		if s := n.send(t, post{from: "alice", to: "bob", content: text("hi"), operationID: "S7-operation"}); s.ErrCode != decision.code {
			t.Errorf("answered %+v, want %d", s, decision.code)
		}
		n.awaitOutput("WARN", "webhook", "beforeSendSingleMsg", nobody+"/"+cmdBeforeSingle, "connection refused", decision.words, "S7-operation")
		n.stop()
		if strings.Contains(n.output.String(), "level=INFO") {
			t.Error("level 3 shows more than warnings")
		}
	}

	b := startBusiness(t)
	n := startNode(t, setup{files: map[string]string{
		"webhooks.yml": "url: " + b.URL + "\nbeforeSendSingleMsg: {enable: true}\nafterSendSingleMsg: {enable: true}\n",
	}})
	n.register(t, "alice", "bob")
	n.send(t, post{from: "alice", to: "bob", content: text("a very private word"), operationID: "S7-success"})
	n.awaitOutput("INFO", "webhook success", "beforeSendSingleMsg", "S7-success")
	n.awaitOutput("INFO", "webhook success", "afterSendSingleMsg", "S7-success")
	n.stop()
	if strings.Contains(n.output.String(), "private") {
		t.Error("the log holds message content")
	}
}

// TestS29MinimalFile: a webhooks.yaml of nothing but enable is enough, and commands
// that the handler does not know do not disturb those it knows.
func TestS29MinimalFile(t *testing.T) {
	t.Parallel()
	b := startBusiness(t)
	for _, command := range []string{cmdAfterSingle, cmdBeforeGroup, cmdAfterGroup, cmdModify} {
		b.on(command, says("unsupported command"))
	}
	n := startNode(t, setup{files: map[string]string{
		"webhooks.yaml": "url: " + b.URL + "/callback\nbeforeSendSingleMsg:\n  enable: true\nbeforeSendGroupMsg:\n  enable: true\n",
	}})
	for _, key := range []string{"beforeSendSingleMsg", "beforeSendGroupMsg"} {
		row := lineWith(n.output.String(), key, b.URL+"/callback/")
		if fields := strings.Fields(row); len(fields) < 5 || fields[3] != "5s" || fields[4] != "false" || !strings.Contains(row, "timeout, failedContinue: default") {
			t.Errorf("the start-up table has %q", row)
		}
	}
	n.register(t, "alice", "bob")
	group := n.makeGroup(t, "alice", "bob")
	if s := n.send(t, post{from: "alice", to: "bob", content: text("hi"), operationID: "S29"}); s.ErrCode != 0 {
		t.Errorf("a command the handler knows: %+v", s)
	}
	s := n.send(t, post{from: "alice", group: group, content: text("hi"), operationID: "S29"})
	if s.ErrCode != 90007 || !strings.Contains(s.ErrDlt, "beforeSendGroupMsg") || !strings.HasSuffix(s.ErrDlt, "response format error") {
		t.Errorf("a command the handler does not know: %+v", s)
	}
}

func TestConfigCheck(t *testing.T) {
	t.Parallel()
	dir := configDir(t, map[string]string{
		"webhooks.yml": "url: http://biz.example.test/hook?token=hush\nafterSendSingleMsg: {enable: true, attentionIds: [a, b]}\n",
		"share.yml":    "secret: a-secret-word\nmultiLogin:\n  policy: 4\n",
	})
	report, errs, code := parleyCommand(t, []string{"IMENV_WEBHOOKS_AFTERSENDSINGLEMSG_TIMEOUT=7"}, "config", "check", dir)
	if code != 0 {
		t.Fatalf("ended with %d: %s", code, errs)
	}
	for _, want := range [][]string{
		{"webhooks: 1 on"},
		{"afterSendSingleMsg", cmdAfterSingle, "http://biz.example.test/hook/" + cmdAfterSingle, "7s", "attentionIds a,b", "env IMENV_WEBHOOKS_AFTERSENDSINGLEMSG_TIMEOUT"},
		{"share.yml:3", "multiLogin.policy", "4"},
	} {
		if lineWith(report, want...) == "" {
			t.Errorf("no line has %q in\n%s", want, report)
		}
	}
	if strings.Contains(report, "hush") || strings.Contains(report, "a-secret-word") {
		t.Errorf("a secret is shown:\n%s", report)
	}

	broken := configDir(t, map[string]string{
		"webhooks.yml": "url: ftp://biz.example.test\nafterSendSingleMsg: {enable: ja, timeout: 5}\nafterUserOnline: {enable: true}\n",
		"share.yml":    "secret: x\nmultiLogin: {policy: 3}\n",
	})
	_, errs, code = parleyCommand(t, nil, "config", "check", broken)
	if code != 1 {
		t.Errorf("a broken directory: ended with %d", code)
	}
	for _, want := range [][]string{{"webhooks.yml:1", "ftp://"}, {"webhooks.yml:2", "afterSendSingleMsg.enable", "'ja'"}, {"share.yml:2", "multiLogin.policy", "'3'"}} {
		if lineWith(errs, want...) == "" {
			t.Errorf("no line has %q in\n%s", want, errs)
		}
	}
}
