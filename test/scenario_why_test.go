package test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/parley-im/parley/hooks/signature"
)

// whyReport is what `parley webhook why --json` prints.
type whyReport struct {
	Message   string
	Callbacks []struct {
		Key      string
		On       bool
		Decision string
		Calls    []struct {
			Outcome  string
			Endpoint string
			Status   int
			Attempt  int
		}
		Places []whyPlace
	}
	Findings []finding
}

// whyPlace is what became of a callback at one endpoint.
type whyPlace struct {
	Endpoint, Kind, By, State, Decision string
	On                                  bool
	Waiting, Attempts                   int
}

// at is the place of a callback at an endpoint.
func (r whyReport) at(t *testing.T, key, endpoint string) whyPlace {
	t.Helper()
	for _, c := range r.Callbacks {
		for _, p := range c.Places {
			if c.Key == key && p.Endpoint == endpoint {
				return p
			}
		}
	}
	t.Fatalf("nothing is said of %s at %s: %+v", key, endpoint, r.Callbacks)
	return whyPlace{}
}

type finding struct {
	Severity, Cause, Callback, Text, Remedy string
	Evidence                                []string
}

func (f finding) String() string {
	return fmt.Sprintf("%s %s %s: %s %q", f.Severity, f.Cause, f.Callback, f.Text, f.Evidence)
}

// why asks the node's server.
func (n *node) why(env []string, args ...string) whyReport {
	n.t.Helper()
	return parseWhy(n.t, env, append(args, "--data", n.data)...)
}

func parseWhy(t *testing.T, env []string, args ...string) (r whyReport) {
	t.Helper()
	out, errs, code := parleyCommand(t, env, append([]string{"webhook", "why", "--json"}, args...)...)
	if code != 0 {
		t.Fatalf("why %q ended with %d: %s", args, code, errs)
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	return r
}

// names fails unless the report blames one cause, in words that hold the parts,
// and no other cause; notes do not count.
func (r whyReport) names(t *testing.T, cause string, parts ...string) {
	t.Helper()
	var problems []finding
	for _, f := range r.Findings {
		if f.Severity == "problem" {
			problems = append(problems, f)
		}
	}
	if len(problems) == 0 || problems[0].Cause != cause {
		t.Fatalf("blames %v, want %s first; all: %v", problems, cause, r.Findings)
	}
	text := problems[0].String() + problems[0].Remedy
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s does not name %q: %s", cause, part, text)
		}
	}
}

// only fails when anything else is blamed.
func (r whyReport) only(t *testing.T, causes ...string) {
	t.Helper()
	for _, f := range r.Findings {
		known := false
		for _, c := range causes {
			known = known || f.Cause == c
		}
		if f.Severity == "problem" && !known {
			t.Errorf("blames %v too", f)
		}
	}
}

func webhooksYML(url, rest string) map[string]string {
	return map[string]string{"webhooks.yml": "url: " + url + "/webhook\n" + rest}
}

// awaitWhy asks until a call is logged: before-calls are a moment after they end.
func (n *node) awaitWhy(t *testing.T, args ...string) (r whyReport) {
	t.Helper()
	poll(t, fmt.Sprintf("a logged call about %q", args), func() bool {
		r = n.why(nil, args...)
		for _, c := range r.Callbacks {
			if len(c.Calls) > 0 {
				return true
			}
		}
		return false
	})
	return r
}

func TestWhyWrongNesting(t *testing.T) {
	t.Parallel()
	b := startBusiness(t)
	n := startNode(t, setup{files: webhooksYML(b.URL, "afterSendSingleMsg: {enable: true}\n")})
	nested := "callback:\n  url: " + b.URL + "\n  beforeSendSingleMsg:\n    enable: true\n"
	n.write("webhooks.yml", nested)
	n.awaitOutput("the old one stays", "webhooks.yml:1")
	r := n.why(nil, "--config", "beforeSendSingleMsg")
	r.names(t, "wrong-nesting", "webhooks.yml:1", "'callback'", "top level")
	r.only(t, "wrong-nesting", "refused-edit", "off", "wrong-stage")
	// The files alone say the same.
	parseWhy(t, nil, "--config", "beforeSendSingleMsg", "-c", n.dir).names(t, "wrong-nesting", "webhooks.yml:1")
	// A good edit ends the complaint.
	n.rewrite("webhooks.yml", "url: "+b.URL+"\nbeforeSendSingleMsg: {enable: true}\n")
	if r := n.why(nil, "--config", "beforeSendSingleMsg"); len(r.Findings) != 0 {
		t.Errorf("after the repair: %v", r.Findings)
	}
}

func TestWhyMisspelledKey(t *testing.T) {
	t.Parallel()
	b := startBusiness(t)
	n := startNode(t, setup{args: []string{"--config-lenient"}, files: webhooksYML(b.URL, "afterSendSingleMsg: {enable: true}\nbeforeSendSingelMsg:\n  enable: true\n")})
	r := n.why(nil, "--config", "beforeSendSingleMsg")
	r.names(t, "misspelled-key", "webhooks.yml:3", "'beforeSendSingelMsg'", "'beforeSendSingleMsg'")
	if r := n.why(nil, "--config", "afterSendSingleMsg"); len(r.Findings) != 0 {
		t.Errorf("a key that is spelled well: %v", r.Findings)
	}
	// Of an option.
	n.rewrite("webhooks.yml", "url: "+b.URL+"\nafterSendSingleMsg:\n  enabled: true\n")
	n.why(nil, "--config", "afterSendSingleMsg").names(t, "misspelled-key", "webhooks.yml:3", "afterSendSingleMsg.enabled")
}

func TestWhyAttentionIDs(t *testing.T) {
	t.Parallel()
	b := startBusiness(t)
	n := startNode(t, setup{files: webhooksYML(b.URL, "afterSendSingleMsg:\n  enable: true\n  attentionIds: [bot]\n")})
	n.register(t, "alice", "bob", "bot")
	out := n.send(t, post{from: "alice", to: "bob", content: text("hi"), operationID: "why"})
	for _, id := range []string{out.serverMsgID, out.clientMsgID} {
		r := n.why(nil, id)
		r.names(t, "attention-ids", "alice", "bob", "[bot]", "webhooks.yml:4")
		r.only(t, "attention-ids")
	}
	in := n.send(t, post{from: "alice", to: "bot", content: text("hi"), operationID: "why"})
	b.awaitEvents(t, 1)
	if r := n.awaitWhy(t, in.serverMsgID); len(r.Findings) != 0 || r.outcome("afterSendSingleMsg") != "delivered 200" {
		t.Errorf("of a message that is listed: %+v", r)
	}
	// The past is explained by what applied then.
	n.rewrite("webhooks.yml", "url: "+b.URL+"\nafterSendSingleMsg: {enable: true}\n")
	n.why(nil, out.serverMsgID).names(t, "attention-ids", "[bot]")
}

func TestWhyVariableNotInProcess(t *testing.T) {
	t.Parallel()
	n := startNode(t, setup{files: webhooksYML("http://127.0.0.1:1", ""), env: []string{"IMENV_WEBHOOKS_AFTERSENDGROUPMSG_TIMEOUT=3"}})
	const name = "IMENV_WEBHOOKS_AFTERSENDSINGLEMSG_ENABLE"
	r := n.why([]string{name + "=true"}, "--config", "afterSendSingleMsg")
	r.names(t, "variable-not-in-process", name, "not in the server's environment", "--force-recreate")
	r.only(t, "variable-not-in-process", "off")
	// From the file that docker compose reads.
	dir := configDir(t, map[string]string{".env": "# ours\nexport " + name + "=true\nIMENV_WEBHOOKS_AFTERSENDGROUPMSG_TIMEOUT=3\n"})
	n.why(nil, "--config", "afterSendSingleMsg", "--env-file", dir+"/.env").names(t, "variable-not-in-process", name)
	n.why([]string{"IMENV_WEBHOOKS_AFTERSENDGROUPMSG_TIMEOUT=3"}, "--config", "afterSendGroupMsg").names(t, "off")
}

func TestWhyLegacyKey(t *testing.T) {
	t.Parallel()
	b := startBusiness(t)
	n := startNode(t, setup{files: webhooksYML(b.URL, "beforeUpdateUserInfo: {enable: true}\nafterSetGroupInfo: {enable: true}\n")})
	n.register(t, "alice", "bob")
	n.call(t, "/user/update_user_info_ex", map[string]any{"userInfo": map[string]any{"userID": "alice", "nickname": "new"}}, nil)
	group := n.makeGroup(t, "alice", "bob")
	n.call(t, "/group/set_group_info_ex", map[string]any{"groupID": group, "groupName": "new"}, nil)
	for legacy, ex := range map[string]string{"beforeUpdateUserInfo": "beforeUpdateUserInfoEx", "afterSetGroupInfo": "afterSetGroupInfoEx"} {
		for _, asked := range []string{legacy, ex} {
			r := n.why(nil, "--config", asked)
			r.names(t, "legacy-key", legacy, ex)
			r.only(t, "legacy-key", "off", "wrong-stage")
		}
	}
	if all := b.got(); len(all) != 0 {
		t.Errorf("the legacy keys fire after all: %s", describe(all))
	}
}

func TestWhyWrongStage(t *testing.T) {
	t.Parallel()
	b := startBusiness(t)
	b.on(cmdAfterSingle, says(`{"actionCode":0,"errCode":5001,"errMsg":"no","errDlt":"","nextCode":1}`))
	n := startNode(t, setup{files: webhooksYML(b.URL, "afterSendSingleMsg: {enable: true}\nbeforeSendGroupMsg: {enable: true}\nbeforeOfflinePush: {enable: true}\n")})
	n.register(t, "alice", "bob")
	// A handler that wants to refuse what is done.
	s := n.send(t, post{from: "alice", to: "bob", content: text("hi"), operationID: "why"})
	b.awaitEvents(t, 1)
	r := n.awaitWhy(t, s.serverMsgID)
	r.names(t, "wrong-stage", "afterSendSingleMsg", "refuses", "enable beforeSendSingleMsg")
	r.only(t, "wrong-stage")
	n.why(nil, "--config", "beforeSendSingleMsg").names(t, "wrong-stage", "afterSendSingleMsg is on instead")
	n.why(nil, "--config", "afterSendGroupMsg").names(t, "wrong-stage", "beforeSendGroupMsg is on instead")
	// A push for the absent, of a message to somebody who is there.
	n.device(t, "bob", platformIOS)
	s = n.send(t, post{from: "alice", to: "bob", content: text("hi"), operationID: "why"})
	if r := n.why(nil, s.serverMsgID, "--config", "beforeOfflinePush"); !has(r, "receiver-online", "bob is online") {
		t.Errorf("an online receiver: %v", r.Findings)
	}
}

// outcome is that of the first call of a callback.
func (r whyReport) outcome(key string) string {
	for _, c := range r.Callbacks {
		if c.Key == key && len(c.Calls) > 0 {
			return fmt.Sprint(c.Calls[0].Outcome, " ", c.Calls[0].Status)
		}
	}
	return "none"
}

func has(r whyReport, cause, part string) bool {
	for _, f := range r.Findings {
		if f.Cause == cause && strings.Contains(f.String(), part) {
			return true
		}
	}
	return false
}

// TestWhyAnswers: what the handler did wrong is named for each wrong answer.
func TestWhyAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer answerer
		cause  string
		parts  []string
	}{
		"HTML with status 200":            {says("<!DOCTYPE html>\n<html><body>Sign in</body></html>"), "answer-is-html", []string{"<!DOCTYPE html>", "JSON object"}},
		"status 500 with a JSON page":     {saysStatus(500, `{"timestamp":"2024-01-01","status":500,"error":"Internal Server Error","path":"/webhook"}`), "status-with-json-page", []string{"500", "no approval", "Internal Server Error"}},
		"redirect":                        {redirects(302, "https://login.example.test/"), "redirect", []string{"302", "https://login.example.test/", "url"}},
		"wrong path":                      {saysStatus(404, "404 page not found"), "wrong-path", []string{"404", "/webhook/" + cmdBeforeSingle, ":command"}},
		"something behind the object":     {says(`{"actionCode":0,"nextCode":0} Callback done`), "malformed-answer", []string{"after top-level value", "Callback done"}},
		"the handler says that it failed": {says(`{"actionCode":1,"nextCode":0}`), "handler-says-it-failed", []string{"actionCode"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := startBusiness(t)
			b.on(cmdBeforeSingle, c.answer)
			n := startNode(t, setup{files: webhooksYML(b.URL, "beforeSendSingleMsg: {enable: true, failedContinue: false}\n")})
			n.register(t, "alice", "bob")
			operation := "why " + name
			if s := n.send(t, post{from: "alice", to: "bob", content: text("hi"), operationID: operation}); s.ErrCode == 0 {
				t.Fatal("the message was sent")
			}
			r := n.awaitWhy(t, operation)
			r.names(t, c.cause, c.parts...)
			r.only(t, c.cause)
			if r.Callbacks[0].Decision == "" || !strings.Contains(r.Callbacks[0].Decision, "refused") {
				t.Errorf("decided: %q", r.Callbacks[0].Decision)
			}
			n.why(nil, "--config", "beforeSendSingleMsg").names(t, c.cause)
		})
	}
}

func TestWhyPathPlaceholder(t *testing.T) {
	t.Parallel()
	b := startBusiness(t)
	n := startNode(t, setup{files: webhooksYML(b.URL, "beforeSendSingleMsg: {enable: true}\n")})
	for _, base := range []string{"/webhook/:command", "/webhook/{cmd}", "/" + cmdBeforeSingle} {
		n.write("webhooks.yml", "url: \""+b.URL+base+"\"\nbeforeSendSingleMsg: {enable: true}\n")
		n.awaitOutput("the old one stays", base)
		r := n.why(nil, "--config", "beforeSendSingleMsg")
		r.names(t, "path-placeholder", "webhooks.yml:1", "leave out", "appends the command")
		r.only(t, "path-placeholder", "refused-edit")
	}
}

// selfish is a business server that handles one request at a time, and calls the
// API while it does.
type selfish struct {
	*httptest.Server
	busy sync.Mutex
	n    *node
}

func startSelfish(t *testing.T) *selfish {
	s := &selfish{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // a body that breaks off is answered all the same
		s.busy.Lock()
		defer s.busy.Unlock()
		if r.URL.Path == "/make" { // what its own clients ask for
			got := s.n.post(t, "/group/create_group", map[string]any{
				"ownerUserID": "alice", "memberUserIDs": []string{"bob"}, "groupInfo": map[string]any{"groupName": "g", "groupType": 2},
			}, nil)
			_ = json.NewEncoder(w).Encode(got)
			return
		}
		_, _ = io.WriteString(w, approval)
	}))
	t.Cleanup(s.Close)
	return s
}

func TestWhySingleThreadedHandler(t *testing.T) {
	t.Parallel()
	h := startSelfish(t)
	n := startNode(t, setup{files: webhooksYML(h.URL, "beforeCreateGroup: {enable: true, timeout: 1}\n")})
	h.n = n
	n.register(t, "alice", "bob")
	resp, err := http.Post(h.URL+"/make", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var got refusal
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil || got.ErrCode != 90004 {
		t.Fatalf("answered %+v, %v", got, err)
	}
	r := n.awaitWhy(t, "child-test", "--config", "beforeCreateGroup")
	r.names(t, "handler-waits-for-itself", "timeout after 1s", "several requests at a time")
	r.only(t, "handler-waits-for-itself")
}

func TestWhyLongerThanPatience(t *testing.T) {
	t.Parallel()
	b := startBusiness(t)
	n := startNode(t, setup{files: webhooksYML(b.URL, "beforeSendSingleMsg: {enable: true, timeout: 20}\nbeforeSendGroupMsg: {enable: true, timeout: 1}\nbeforeDeadline: 30s\n")})
	r := n.why(nil, "--config", "beforeSendSingleMsg")
	r.names(t, "longer-than-patience", "20s", "webhooks.yml:2", "clients give up after 10s")
	r.only(t, "longer-than-patience")

	// A slow handler, asked by a client, is only slow.
	b.on(cmdBeforeGroup, hangs)
	n.register(t, "alice", "bob")
	group := n.makeGroup(t, "alice", "bob")
	s := n.device(t, "alice", platformIOS).send(post{from: "alice", group: group, content: text("hi"), operationID: "why slow"})
	if s.ErrCode != 90004 {
		t.Fatalf("%+v", s)
	}
	r = n.awaitWhy(t, "why slow")
	r.names(t, "timeout", "timeout after 1s", "webhooks.yml:3")
	r.only(t, "timeout")
}

// TestWhyQueuedAndDead: where an event is, and every attempt.
func TestWhyQueuedAndDead(t *testing.T) {
	t.Parallel()
	b := startBusiness(t)
	b.on(cmdAfterSingle, saysStatus(503, "later"))
	n := startNode(t, setup{files: webhooksYML(b.URL, "afterSendSingleMsg: {enable: true}\nretry: {initial: 1s, max: 1s}\n")})
	n.register(t, "alice", "bob")
	first := n.send(t, post{from: "alice", to: "bob", content: text("one"), operationID: "why one"})
	second := n.send(t, post{from: "alice", to: "bob", content: text("two"), operationID: "why two"})
	b.awaitCount(t, 2)
	r := n.why(nil, first.serverMsgID)
	if !has(r, "queued", "attempts at its first event") || r.outcome("afterSendSingleMsg") != "retry 503" {
		t.Errorf("the first: %+v", r)
	}
	if r := n.why(nil, "why two"); !has(r, "queued", "1 events of the same lane come first") {
		t.Errorf("the second: %+v", r)
	}
	b.on(cmdAfterSingle, saysStatus(400, "no"))
	n.awaitOutput("webhook event given up", "why one")
	r = n.why(nil, first.clientMsgID)
	r.names(t, "given-up", "400", "parley webhook replay")
	b.on(cmdAfterSingle, says(approval))
	b.awaitCount(t, 1, cmdAfterSingle)
	poll(t, "the second's delivery", func() bool { return !has(n.why(nil, second.serverMsgID), "queued", "") })

	// The same for administrators over REST, and for nobody else.
	var report whyReport
	n.call(t, "/webhook/why", map[string]any{"id": first.serverMsgID}, &report)
	report.names(t, "given-up")
	if got := n.post(t, "/webhook/why", map[string]any{"id": ""}, nil); got.ErrCode != 1001 {
		t.Errorf("without a question: %+v", got)
	}
	n.why(nil, "no such id").names(t, "nothing-known")
	n.admin = n.token(t, "alice", platformIOS)
	if got := n.post(t, "/webhook/why", map[string]any{"id": first.serverMsgID}, nil); got.ErrCode != 1002 {
		t.Errorf("a user is told: %+v", got)
	}
}

// TestWhyEndpoints: what becomes of an event at each endpoint of the list: told,
// left out by its events or filters, stopped, or waiting.
func TestWhyEndpoints(t *testing.T) {
	t.Parallel()
	b, archive, candidate := startBusiness(t), startBusiness(t), startBusiness(t)
	archive.on(cmdAfterSingle, saysStatus(503, "later"))
	candidate.on(cmdBeforeSingle, says(rejection))
	n := startNode(t, setup{files: webhooksYML(b.URL, fmt.Sprintf(`beforeSendSingleMsg: {enable: true}
afterSendSingleMsg: {enable: true, attentionIds: [bob, carol]}
retry: {initial: 1s, max: 1s}
endpoints:
  - {name: archive, url: "%s/a", events: ["after*Msg", afterUserOffline]}
  - {name: pictures, url: "%s/p", events: [afterSendSingleMsg], allowedTypes: [102]}
  - {name: presence, url: "%s/u", events: [afterUserOnline]}
  - {name: report, pull: true, events: ["after*"], secret: %s}
  - {name: candidate, url: "%s", shadow: true, events: ["*SendSingleMsg"]}
`, archive.URL, archive.URL, archive.URL, signature.New(), candidate.URL))})
	n.register(t, "alice", "bob", "dave")
	s := n.send(t, post{from: "alice", to: "bob", content: text("hi"), operationID: "why endpoints"})
	archive.awaitCount(t, 1, cmdAfterSingle)
	candidate.awaitCount(t, 1, cmdBeforeSingle)
	b.awaitCount(t, 1, cmdAfterSingle)
	const key = "afterSendSingleMsg"
	settled := func(r whyReport, key string, endpoint string, decision string) bool {
		return strings.HasPrefix(r.at(t, key, endpoint).Decision, decision)
	}
	var r whyReport
	poll(t, "all that is known of the message", func() bool {
		r = n.why(nil, s.serverMsgID)
		return settled(r, key, "default", "the handler took the event") && settled(r, key, "report", "kept for fetching as cursor") &&
			settled(r, "beforeSendSingleMsg", "candidate", "its answer would have decided otherwise")
	})
	if p := r.at(t, key, "archive"); !p.On || p.Waiting != 1 || p.Attempts == 0 || !strings.Contains(p.By, `"after*Msg"`) || !strings.Contains(p.Decision, "tried again") {
		t.Errorf("archive: %+v", p)
	}
	if p := r.at(t, key, "pictures"); !p.On || p.Attempts+p.Waiting != 0 || !strings.Contains(p.Decision, "left out by a filter") {
		t.Errorf("pictures: %+v", p)
	}
	if p := r.at(t, key, "presence"); p.On || !strings.Contains(p.By, `["afterUserOnline"] do not cover afterSendSingleMsg`) {
		t.Errorf("presence: %+v", p)
	}
	if p := r.at(t, key, "candidate"); p.On || p.Attempts != 0 || !strings.Contains(p.By, "copies of before-calls") {
		t.Errorf("candidate: %+v", p)
	}
	if p := r.at(t, "beforeSendSingleMsg", "archive"); p.On || !strings.Contains(p.By, "do not cover") {
		t.Errorf("a question at archive: %+v", p)
	}
	// A shadow's refusal is no cause, and a filter is none while others are told.
	if !has(r, "content-types", "endpoint pictures: allowedTypes leaves out content type 101") || !has(r, "queued", "archive/") {
		t.Errorf("found %v", r.Findings)
	}
	r.only(t, "endpoint-stopped")

	// Left out by url's own filter, and told elsewhere.
	n.run("webhook", "pause", "archive", "--reason", "maintenance")
	other := n.send(t, post{from: "alice", to: "dave", content: text("hi"), operationID: "why elsewhere"})
	poll(t, "the message in the log for fetching", func() bool {
		r = n.why(nil, other.serverMsgID)
		return settled(r, key, "report", "kept for fetching as cursor")
	})
	r.names(t, "attention-ids", "alice", "dave", "[bob, carol]")
	if p := r.at(t, key, "archive"); p.State != "paused" || p.Waiting != 1 {
		t.Errorf("paused: %+v", p)
	}
	if !has(r, "endpoint-stopped", "archive is paused") || !has(r, "endpoint-stopped", "maintenance") {
		t.Errorf("found %v", r.Findings)
	}
	text := n.run("webhook", "why", other.serverMsgID)
	for _, parts := range [][]string{
		{"archive (push): the event waits"},
		{"paused since", "maintenance"},
		{"presence (push): it does not come here; its events"},
		{"default (push): left out by a filter"},
		{"report (pull): kept for fetching"},
	} {
		if lineWith(text, parts...) == "" {
			t.Errorf("no line has %q:\n%s", parts, text)
		}
	}

	// In general: off for url is no fault where the list is told.
	r = n.why(nil, "--config", "afterUserOffline")
	r.only(t, "endpoint-stopped")
	if p := r.at(t, "afterUserOffline", "archive"); !p.On || !has(r, "off", "of the list of endpoints only archive, report") {
		t.Errorf("%+v: %v", p, r.Findings)
	}
}
