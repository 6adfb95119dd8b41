package native

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/openimsdk/protocol/user"
	"github.com/parley-im/parley/test/harness"
)

func TestLogin(t *testing.T) {
	a := install(t, shared, users(t, shared, "alice")[0], ios).login()
	events, _ := a.journal.read()
	order := []string{"OnConnecting", "OnConnectSuccess", "OnSyncServerStart", "OnSyncServerFinish"}
	at := -1
	for _, name := range order {
		i := slices.IndexFunc(events, func(e event) bool { return e.name == name })
		if i <= at {
			t.Fatalf("%s is out of order in %s", name, names(events))
		}
		at = i
	}
	if finish := events[at]; finish.data != "true" {
		t.Errorf("a fresh installation synced as reinstalled = %s", finish.data)
	}
	for _, e := range events {
		if e.name == "OnConnectFailed" || e.name == "OnSyncServerFailed" {
			t.Errorf("login had %s %s", e.name, e.data)
		}
	}
	self, err := a.mgr.User().GetSelfUserInfo(a.call())
	if err != nil {
		t.Fatal(err)
	}
	if self.Nickname != harness.Nickname(a.userID) || self.FaceURL != harness.FaceURL(a.userID) {
		t.Errorf("the user sees itself as %q with face %q", self.Nickname, self.FaceURL)
	}

	a.logout()
	a.login()
	events, _ = a.journal.read()
	for _, e := range events {
		if e.name == "OnSyncServerFinish" && e.data != "false" {
			t.Errorf("the same installation synced as reinstalled = %s", e.data)
		}
	}
}

func TestTokenRefused(t *testing.T) {
	ids := users(t, shared, "alice", "bob")
	token := func(t *testing.T, userID string, platform int) string {
		t.Helper()
		got, err := shared.UserToken(userID, platform)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	refused := func(name, callback string, with func(t *testing.T) string) {
		t.Run(name, func(t *testing.T) {
			a := install(t, shared, ids[0], ios)
			a.loginWith(with(t))
			a.cutOff(callback)
			events, _ := a.journal.read()
			if named("OnConnectSuccess")(events) {
				t.Errorf("connected all the same: %s", names(events))
			}
		})
	}
	refused("garbage", "OnUserTokenInvalid", func(*testing.T) string { return "not-a-token" })
	refused("of another user", "OnUserTokenInvalid", func(t *testing.T) string { return token(t, ids[1], ios) })
	refused("for another platform", "OnUserTokenInvalid", func(t *testing.T) string { return token(t, ids[0], android) })
	refused("that was kicked", "OnKickedOffline", func(t *testing.T) string {
		old := token(t, ids[0], ios)
		if err := shared.PostAdmin("/auth/force_logout", map[string]any{"userID": ids[0], "platformID": ios}, nil); err != nil {
			t.Fatal(err)
		}
		return old
	})
}

// TestKick: with the default policy a user has one session per platform, and the
// newest wins; the administrator can end any.
func TestKick(t *testing.T) {
	a, b, _ := pair(t, shared)
	desk := install(t, shared, a.userID, windows).login()

	second := a.instead()
	a.cutOff("OnKickedOffline")

	s := second.text(b.userID, "from the new phone")
	b.received(s)
	desk.received(s)
	if events, _ := desk.journal.read(); named("OnKickedOffline")(events) {
		t.Error("the session on another platform was kicked, too")
	}

	if err := shared.PostAdmin("/auth/force_logout", map[string]any{"userID": a.userID, "platformID": windows}, nil); err != nil {
		t.Fatal(err)
	}
	desk.cutOff("OnKickedOffline")
	b.received(second.text(b.userID, "still here"))
}

// TestOnlineStatus: B's coming and going is reported to a subscriber.
func TestOnlineStatus(t *testing.T) {
	a, b, _ := pair(t, shared)
	absent := users(t, shared, "carol")[0]
	got, err := a.mgr.LongConnMgr().SubscribeUsersStatus(a.call(), []string{b.userID, absent})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]int32{b.userID: {ios}, absent: nil}
	if len(got) != len(want) {
		t.Fatalf("asked for %d users, told of %d", len(want), len(got))
	}
	for _, s := range got {
		if !slices.Equal(s.PlatformIDs, want[s.UserID]) {
			t.Errorf("%s is on platforms %v, want %v", s.UserID, s.PlatformIDs, want[s.UserID])
		}
	}

	seen := 0
	report := func(platforms ...int32) {
		t.Helper()
		a.await(fmt.Sprintf("%s on platforms %v", b.userID, platforms), func(events []event) bool {
			for i := seen; i < len(events); i++ {
				if events[i].name != "OnUserStatusChanged" {
					continue
				}
				var status user.OnlineStatus
				if err := json.Unmarshal([]byte(events[i].data), &status); err != nil {
					t.Fatalf("%s: %v", events[i].data, err)
				}
				slices.Sort(status.PlatformIDs)
				if status.UserID == b.userID && slices.Equal(status.PlatformIDs, platforms) {
					seen = i + 1
					return true
				}
			}
			return false
		})
	}
	desk := install(t, shared, b.userID, windows).login()
	report(ios, windows)
	b.logout()
	report(windows)
	desk.logout()
	report()
	b.login()
	report(ios)
}
