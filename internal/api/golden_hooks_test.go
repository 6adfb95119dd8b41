package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/outbox"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
	"github.com/parley-im/parley/internal/webhook"
	"github.com/parley-im/parley/internal/webhook/registry"
)

// calledHook is one call of a webhook.
type calledHook struct {
	Command string `json:"command"`
	Body    any    `json:"body"`

	operationID string
}

// called says which calls of a step come or do not come here, on purpose. The
// commands are without "callback" and "Command".
type called struct{ more, less []string }

// hookDiffers are such steps by scenario.
var hookDiffers = map[string]map[int]called{
	"user_info": {9: {less: []string{"BeforeUpdateUserInfo"}}}, // the rules refuse it already
	"friend_sync": {
		4: {less: askedAboutChats(4)}, // the server's own messages ask nobody
		8: {more: []string{"BeforeSetFriendRemark", "AfterSetFriendRemark"}},
	},
	"friend_apply": {
		12: {less: []string{"BeforeAddFriend"}}, 23: {less: []string{"BeforeAddFriend"}}, // the rules refuse it already
		17: {less: []string{"BeforeAddFriendAgree"}}, 21: {less: []string{"BeforeAddFriendAgree"}}, 27: {less: []string{"BeforeAddFriendAgree"}},
		18: {less: askedAboutChats(2)}, 31: {less: askedAboutChats(2)},
	},
	"group_create": {
		5: {more: []string{"BeforeCreateGroupChatConversations", "AfterCreateGroupChatConversations"}}, // made with the group
		8: {less: []string{"BeforeCreateGroup"}},
	},
	"group_join": {
		16: {more: []string{"AfterJoinGroup"}}, 24: {more: []string{"AfterJoinGroup"}}, // approved applications
		18: {less: []string{"BeforeJoinGroup"}}, 26: {less: []string{"BeforeJoinGroup"}},
		27: {less: []string{ // for another: refused
			"BeforeJoinGroup", "BeforeMembersJoinGroup", "BeforeCreateGroupChatConversations", "AfterCreateGroupChatConversations", "AfterJoinGroup",
		}},
	},
	"group_invite_kick_quit": {
		4: {more: []string{"AfterJoinGroup"}}, 10: {more: []string{"AfterJoinGroup", "AfterJoinGroup"}}, // invited
		38: {more: []string{"AfterJoinGroup"}}, 39: {more: []string{"AfterJoinGroup"}},
		5:  {less: []string{"BeforeInviteJoinGroup", "BeforeMembersJoinGroup"}},
		20: {more: []string{"AfterJoinGroup"}, less: []string{"AfterCreateGroupChatConversations"}}, // who comes back has his row still
	},
	"group_dismiss": {
		5: {less: []string{"AfterDisMissGroup"}}, 18: {less: []string{"AfterDisMissGroup"}}, // once
		10: {less: []string{"BeforeSetGroupInfoEx"}},
	},
}

func askedAboutChats(n int) []string {
	return slices.Repeat([]string{"BeforeCreateSingleChatConversations"}, n)
}

// without takes one call for each of the commands away, the last ones.
func without(calls []calledHook, commands []string) ([]calledHook, error) {
	for _, short := range commands {
		i := -1
		for j, c := range calls {
			if c.Command == "callback"+short+"Command" {
				i = j
			}
		}
		if i < 0 {
			return calls, fmt.Errorf("%s is not called", short)
		}
		calls = slices.Delete(calls, i, i+1)
	}
	return calls, nil
}

// TestGoldenHooks replays the recorded scenarios with all callbacks of users,
// relations, groups and conversations on, and compares what each step called.
func TestGoldenHooks(t *testing.T) {
	raw, err := os.ReadFile("testdata/golden_hooks.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded map[string]map[string][]calledHook
	if err := json.Unmarshal(raw, &recorded); err != nil {
		t.Fatal(err)
	}
	for name, steps := range recorded {
		sc := recordings()[name]
		sc.watched = nil
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Each(t, func(t *testing.T, open storetest.Open) { replayHooks(t, open, name, sc, steps) })
		})
	}
}

func replayHooks(t *testing.T, open storetest.Open, name string, sc scenario, steps map[string][]calledHook) {
	var mu sync.Mutex
	var calls []calledHook
	business := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := calledHook{operationID: r.Header.Get("operationID")}
		if err := json.NewDecoder(r.Body).Decode(&c.Body); err != nil {
			t.Error(err)
		}
		c.Command, _ = c.Body.(map[string]any)["callbackCommand"].(string)
		mu.Lock()
		calls = append(calls, c)
		mu.Unlock()
		_, _ = io.WriteString(w, `{"actionCode":0,"nextCode":0}`)
	}))
	t.Cleanup(business.Close)
	cfg := webhook.Config{URL: business.URL, Callbacks: map[string]webhook.Callback{}}
	for _, c := range registry.All() {
		if !slices.Contains([]string{"message", "push", "presence"}, c.Group) {
			cfg.Callbacks[c.Key] = webhook.Callback{Enable: true, Timeout: 30 * time.Second}
		}
	}
	engine, err := webhook.New(cfg, webhook.Options{})
	if err != nil {
		t.Fatal(err)
	}
	n := startWith(t, open, store.Options{Recorder: engine}, engine, sc.users...)
	if sc.setUp != nil {
		sc.setUp(n)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- outbox.New(n.store, outbox.Options{}, engine).Run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	c := comparison{known: map[string]any{}}
	compared := 0
	n.asked = func(step int, where string) {
		n.awaitEmptyOutbox()
		operationID := fmt.Sprintf("%s-step%d", t.Name(), step)
		mu.Lock()
		got := slices.DeleteFunc(slices.Clone(calls), func(h calledHook) bool { return h.operationID != operationID })
		mu.Unlock()
		want := slices.Clone(steps[strconv.Itoa(step)])
		sorted := func(calls []calledHook) (commands []string) {
			slices.SortStableFunc(calls, func(a, b calledHook) int { return strings.Compare(a.Command+text(a.Body), b.Command+text(b.Body)) })
			for _, h := range calls {
				commands = append(commands, h.Command)
			}
			return commands
		}
		sorted(got)
		sorted(want)
		differs := hookDiffers[name][step]
		var none, tooFew error
		got, none = without(got, differs.more)
		want, tooFew = without(want, differs.less)
		if have, expected := sorted(got), sorted(want); none != nil || tooFew != nil || !slices.Equal(have, expected) {
			t.Errorf("%s: called %v, want %v (%v, %v)", where, have, expected, none, tooFew)
			return
		}
		for i := range want {
			body, have := maps.Clone(want[i].Body.(map[string]any)), got[i].Body.(map[string]any)
			if body["operationID"] == "<op>" {
				body["operationID"] = operationID
			}
			if body["conversationId"] == "sg_<group:1>" {
				body["conversationId"] = fmt.Sprint("sg_", have["groupId"])
			}
			c.differs = func(path string) bool {
				return slices.Contains(hookFields[want[i].Command], strings.TrimPrefix(path, "body."))
			}
			c.report = func(format string, args ...any) {
				t.Errorf("%s: %s: %s", where, want[i].Command, fmt.Sprintf(format, args...))
			}
			c.compare("body", body, have)
			compared++
		}
	}
	replay(n, name, sc)
	if compared == 0 {
		t.Error("nothing was compared")
	}
}

// awaitEmptyOutbox waits until everything was delivered.
func (n *node) awaitEmptyOutbox() {
	n.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		var stats store.OutboxStats
		if err := n.store.Read(n.t.Context(), func(tx *store.Tx) (err error) {
			stats, err = tx.OutboxStats()
			return err
		}); err != nil {
			n.t.Fatal(err)
		}
		if stats.Events == 0 {
			return
		}
		<-tick.C
	}
}

// hookFields are fields that are added, or say something else on purpose.
var hookFields = map[string][]string{
	"callbackBeforeAddFriendAgreeCommand":   {"toUserID"},
	"callbackAfterAddFriendAgreeCommand":    {"toUserID"},
	"callbackAfterJoinGroupCommand":         {"userID"},
	"callbackAfterKickGroupCommand":         {"opUserID"},
	"callbackAfterCreateGroupCommand":       {"initMemberList", "memberCount"}, // the owner twice, a foreign creator counted
	"callbackBeforeJoinGroupCommand":        {"groupType"},
	"callbackAfterDisMissGroupCommand":      {"groupType", "membersID"}, // missing there with deleteMember
	"callbackBeforeUpdateUserInfoExCommand": {"ex"},                     // never filled there
	"callbackAfterUpdateUserInfoExCommand":  {"ex"},
}
