package test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/parley-im/parley/internal/webhook/registry"
)

// pushVendor plays JPush: it remembers which users it was asked to reach.
type pushVendor struct {
	*httptest.Server

	mu     sync.Mutex
	pushed map[string][]string // titles by user
}

func startPushVendor(t *testing.T) *pushVendor {
	t.Helper()
	v := &pushVendor{pushed: map[string][]string{}}
	v.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Audience     struct{ Alias []string }
			Notification struct{ Android struct{ Title string } }
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Errorf("push: %v", err)
		}
		v.mu.Lock()
		for _, userID := range body.Audience.Alias {
			v.pushed[userID] = append(v.pushed[userID], body.Notification.Android.Title)
		}
		v.mu.Unlock()
		_, _ = io.WriteString(w, `{"sendno":"0","msg_id":"1"}`)
	}))
	t.Cleanup(v.Close)
	return v
}

// titles are those of the pushes to a user.
func (v *pushVendor) titles(userID string) []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.pushed[userID])
}

// all are the titles of all pushes, by user.
func (v *pushVendor) all() map[string][]string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return maps.Clone(v.pushed)
}

// forget starts over.
func (v *pushVendor) forget() {
	v.mu.Lock()
	defer v.mu.Unlock()
	clear(v.pushed)
}

// config is an openim-push.yml that uses the vendor.
func (v *pushVendor) config() string {
	return fmt.Sprintf("enable: jpush\njpush: {appKey: key, masterSecret: master, pushURL: %s/v3/push}\n", v.URL)
}

// TestOfflinePush: who is away is pushed to, who has his phone at hand is not, and
// a crash between the message and its push loses none.
func TestOfflinePush(t *testing.T) {
	t.Parallel()
	vendor := startPushVendor(t)
	n := startNode(t, setup{files: map[string]string{"openim-push.yml": vendor.config()}})
	n.register(t, "alice", "away", "phone", "desk")
	group := n.makeGroup(t, "alice", "away", "phone", "desk")
	n.awaitEmptyOutbox(t)
	_ = n.device(t, "phone", platformAndroid)
	_ = n.device(t, "desk", platformWeb)
	count := func(userID string) int { return len(vendor.titles(userID)) }
	before := map[string]int{"away": count("away"), "phone": count("phone"), "desk": count("desk"), "alice": count("alice")}
	expect := func(what string, more map[string]int) {
		t.Helper()
		n.awaitEmptyOutbox(t)
		for userID, was := range before {
			if got := count(userID) - was; got != more[userID] {
				t.Errorf("%s: %d pushes to %s, want %d", what, got, userID, more[userID])
			}
			before[userID] = count(userID)
		}
	}
	for _, to := range []string{"away", "phone", "desk"} {
		mustSend(t, n, post{operationID: "push", from: "alice", to: to, content: text("hi")})
	}
	expect("single messages", map[string]int{"away": 1, "desk": 1})
	if got := vendor.titles("away"); got[len(got)-1] != "[TEXT]" {
		t.Errorf("titles %q", got)
	}
	mustSend(t, n, post{operationID: "push", from: "alice", group: group, content: text("hi all")})
	expect("a group message", map[string]int{"away": 1, "desk": 1})

	n.call(t, "/friend/add_friend", map[string]any{"fromUserID": "alice", "toUserID": "away", "reqMsg": "x", "ex": ""}, nil)
	expect("a friend request", map[string]int{"away": 1})

	out := n.run("push", "test", "away", "--data", n.data, "--title", "hello")
	if !strings.Contains(out, "alias away") || !strings.Contains(out, "accepted") {
		t.Errorf("push test: %s", out)
	}
	expect("parley push test", map[string]int{"away": 1})
	n.run("push", "test", "away", "--data", n.data, "--dry-run")
	expect("parley push test --dry-run", nil)
}

func mustSend(t *testing.T, n *node, p post) {
	t.Helper()
	if s := n.send(t, p); s.ErrCode != 0 {
		t.Fatalf("send: %+v", s)
	}
}

// TestPushMatrix: every kind of answer, with failedContinue and without, for the
// callbacks before a delivery. Each refuses the push, and none the message.
func TestPushMatrix(t *testing.T) {
	t.Parallel()
	total := 0
	for _, key := range slices.Sorted(mapKeys(elsewhere)) {
		for _, failedContinue := range []bool{true, false} {
			total += len(matrixRows())
			t.Run(fmt.Sprintf("%s/failedContinue %t", key, failedContinue), func(t *testing.T) {
				t.Parallel()
				pushCells(t, key, failedContinue)
			})
		}
	}
	t.Logf("%d cells of %d callbacks", total, len(elsewhere))
}

func mapKeys(m map[string]string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func pushCells(t *testing.T, key string, failedContinue bool) {
	desc, ok := registry.Lookup(key)
	if !ok {
		t.Fatalf("no callback %s", key)
	}
	b, vendor := startBusiness(t), startPushVendor(t)
	n := startNode(t, setup{files: map[string]string{
		"openim-push.yml": vendor.config(),
		"webhooks.yml":    fmt.Sprintf("url: %s\n%s: {enable: true, timeout: 1, failedContinue: %t}\n", b.URL, key, failedContinue),
		"log.yml":         "isStdout: true\nremainLogLevel: 2\nstorageLocation: \"\"\n",
	}})
	inGroup := key == "beforeGroupOnlinePush"
	rows := matrixRows()
	var down []matrixRow
	for i, row := range rows {
		if row.answer == nil {
			down = append(down, row)
			continue
		}
		pushCell(t, n, b, vendor, desc.Command, row, i, failedContinue, inGroup)
	}
	_ = b.Listener.Close()
	b.CloseClientConnections()
	for i, row := range down {
		pushCell(t, n, b, vendor, desc.Command, row, len(rows)+i, failedContinue, inGroup)
	}
}

// pushCell sends a message to somebody who is away and to somebody who is there.
func pushCell(t *testing.T, n *node, b *business, v *pushVendor, command string, row matrixRow, i int, failedContinue, inGroup bool) {
	t.Helper()
	from, away, there := fmt.Sprintf("from%d", i), fmt.Sprintf("away%d", i), fmt.Sprintf("there%d", i)
	b.on(command, says(approval))
	n.register(t, from, away, there)
	var group string
	if inGroup {
		group = n.makeGroup(t, from, away, there)
	}
	n.awaitEmptyOutbox(t)
	watch := n.device(t, there, platformAndroid)
	pushed, asked := len(v.titles(away)), len(b.got(command))
	if row.answer != nil {
		b.on(command, row.answer)
	}
	var s, toThere sent
	if inGroup {
		s = n.send(t, post{operationID: "push", from: from, group: group, content: text("x")})
		toThere = s
	} else {
		s = n.send(t, post{operationID: "push", from: from, to: away, content: text("x")})
		toThere = n.send(t, post{operationID: "push", from: from, to: there, content: text("x")})
	}
	if s.ErrCode != 0 || toThere.ErrCode != 0 {
		t.Errorf("%s: the message was refused: %+v", row.name, s)
	}
	n.awaitEmptyOutbox(t)
	if row.answer != nil {
		if got := len(b.got(command)) - asked; got == 0 || got > 2 {
			t.Errorf("%s: asked %d times", row.name, got)
		}
	}
	want := 0
	if row.want(failedContinue) == (refusal{}) {
		want = 1
	}
	if got := len(v.titles(away)) - pushed; got != want {
		t.Errorf("%s, failedContinue %t: %d pushes, want %d", row.name, failedContinue, got, want)
	}
	// What was refused to be shown live is in the history all the same.
	live := want == 1 || command == "callbackBeforeOfflinePushCommand"
	b.on(command, says(approval))
	if row.answer == nil && !live { // nothing gets through any more
		return
	}
	marker := n.send(t, post{operationID: "push", from: from, to: there, content: text("marker")})
	for {
		m := watch.next()
		if m.ServerMsgID == toThere.serverMsgID {
			if !live {
				t.Errorf("%s, failedContinue %t: shown live", row.name, failedContinue)
			}
			live = false // once
			continue
		}
		if m.ServerMsgID == marker.serverMsgID {
			if live {
				t.Errorf("%s, failedContinue %t: not shown live", row.name, failedContinue)
			}
			return
		}
	}
}
