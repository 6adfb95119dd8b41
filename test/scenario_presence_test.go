package test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/openimsdk/protocol/push"
)

const (
	reqLogout = 2003

	platformAndroid = 2
)

const presenceWebhooks = `
afterUserOnline: {enable: true}
afterUserOffline: {enable: true}
afterUserKickOff: {enable: true}
afterSendSingleMsg: {enable: true}
`

var presenceCommands = []string{cmdOnline, cmdOffline, cmdKicked}

// presenceEvent is what a scenario expects to be told, without the connection.
type presenceEvent struct {
	command, userID, platform string
}

// awaitPresence waits until the handler was told of exactly these events, in
// this order, and returns them.
func awaitPresence(t *testing.T, b *business, want ...presenceEvent) []callback {
	t.Helper()
	all := b.awaitEvents(t, len(want), presenceCommands...)
	var got []presenceEvent
	for _, c := range all {
		got = append(got, presenceEvent{c.Command, c.Event.UserID, c.Event.Platform})
	}
	if !slices.Equal(got, want) {
		t.Fatalf("told\n%v\nwant\n%v", got, want)
	}
	return all
}

// leave ends a connection as a client does that goes away.
func (d *device) leave() {
	d.t.Helper()
	if err := d.conn.Close(); err != nil {
		d.t.Error(err)
	}
}

// TestS08Presence: login and logout are told once each.
func TestS08Presence(t *testing.T) {
	t.Parallel()
	b := startBusiness(t)
	n := startNode(t, setup{files: map[string]string{"webhooks.yml": "url: " + b.URL + presenceWebhooks}})
	n.register(t, "alice", "bob")

	alice := n.device(t, "alice", platformIOS)
	s := alice.send(post{from: "alice", to: "bob", content: text("hi"), operationID: "S8"})
	if s.ErrCode != 0 {
		t.Fatalf("%+v", s)
	}
	resp := alice.reply(alice.write(reqLogout, "S8-logout", &push.DelUserPushTokenReq{UserID: "alice", PlatformID: platformIOS}))
	if resp.ErrCode != 0 {
		t.Errorf("logout: %+v", resp)
	}
	alice.leave()
	all := awaitPresence(t, b, presenceEvent{cmdOnline, "alice", "IOS"}, presenceEvent{cmdOffline, "alice", "IOS"})
	online, offline := all[0].Event, all[1].Event
	if online.PlatformID != platformIOS || offline.PlatformID != platformIOS {
		t.Errorf("platforms %d and %d", online.PlatformID, offline.PlatformID)
	}
	if online.ConnID == "" || online.ConnID != offline.ConnID {
		t.Errorf("connections %q and %q", online.ConnID, offline.ConnID)
	}
	if online.Seq <= 0 || offline.Seq < online.Seq {
		t.Errorf("seq %d, then %d", online.Seq, offline.Seq)
	}
	if all[0].ID() == "" || all[0].ID() == all[1].ID() {
		t.Errorf("delivery ids %q and %q", all[0].ID(), all[1].ID())
	}
	for _, c := range b.awaitCount(t, 1, cmdAfterSingle) {
		if c.Event.ServerMsgID != s.serverMsgID {
			t.Errorf("told of %s", c.Raw)
		}
	}
}

// TestS09PresenceNoise: nothing is told without a change, and the last event of a
// platform is the truth, after a lost network and after a crash too.
func TestS09PresenceNoise(t *testing.T) {
	t.Parallel()
	b := startBusiness(t)
	n := startNode(t, setup{files: map[string]string{"webhooks.yml": "url: " + b.URL + presenceWebhooks}})
	n.register(t, "alice", "bob")
	event := func(command, platform string) presenceEvent { return presenceEvent{command, "alice", platform} }

	ios := n.device(t, "alice", platformIOS)
	n.device(t, "alice", platformWeb).leave()
	told := []presenceEvent{event(cmdOnline, "IOS"), event(cmdOnline, "Web"), event(cmdOffline, "Web")}
	awaitPresence(t, b, told...)

	// The network drops: the client is back before the server notices. Events of
	// one user come in order, so nothing can come behind the one on Android.
	again := n.withToken(t, "alice", platformIOS, ios.token)
	ios.leave()
	told = append(told, event(cmdOnline, "IOS"))
	awaitPresence(t, b, told...)
	n.awaitOffline(t, "alice", 1)
	android := n.device(t, "alice", platformAndroid)
	told = append(told, event(cmdOnline, "Android"))
	all := awaitPresence(t, b, told...)
	if last := all[len(all)-2].Event; last.ConnID == all[0].Event.ConnID {
		t.Errorf("the new connection has the id of the old one: %+v", last)
	}

	// The server is killed with two sessions open; one comes back.
	n.kill()
	mustClose(t, again.conn)
	mustClose(t, android.conn)
	n.start()
	left := b.awaitEvents(t, len(told)+2, presenceCommands...)[len(told):]
	offlineOf := map[string]string{}
	for _, c := range left {
		if c.Command != cmdOffline {
			t.Errorf("told %s after the restart", c.Raw)
		}
		offlineOf[c.Event.Platform] = c.Event.ConnID
	}
	if offlineOf["IOS"] != all[len(all)-2].Event.ConnID || offlineOf["Android"] != all[len(all)-1].Event.ConnID {
		t.Errorf("offline after the restart: %v", offlineOf)
	}
	n.device(t, "alice", platformAndroid)
	if last := b.awaitEvents(t, len(told)+3, presenceCommands...)[len(told)+2]; last.Command != cmdOnline || last.Event.Platform != "Android" {
		t.Errorf("told %s last", last.Raw)
	}
}

// awaitOffline waits until the server counts so many connections of the user on
// iOS: the end of a connection is noticed some time after it.
func (n *node) awaitOffline(t *testing.T, userID string, connections int) {
	t.Helper()
	var got []struct {
		UserID               string
		DetailPlatformStatus []struct {
			PlatformID int
			ConnID     string
		}
	}
	poll(t, fmt.Sprint(userID, " to have ", connections, " connections"), func() bool {
		n.call(t, "/user/get_users_online_status", map[string]any{"userIDs": []string{userID}}, &got)
		return len(got) == 1 && len(got[0].DetailPlatformStatus) == connections
	})
}

// TestS10Kick: who is displaced or logged out by force is told as kicked, then offline.
func TestS10Kick(t *testing.T) {
	t.Parallel()
	b := startBusiness(t)
	n := startNode(t, setup{files: map[string]string{
		"webhooks.yml": "url: " + b.URL + presenceWebhooks,
		"share.yml":    "secret: scenario-secret\nmultiLogin: {policy: 1}\n",
	}})
	n.register(t, "alice")
	event := func(command string) presenceEvent { return presenceEvent{command, "alice", "IOS"} }

	kicked := func(d *device) {
		t.Helper()
		if resp := d.read(); resp.ReqIdentifier != pushKick {
			t.Errorf("sent %+v, want a kick", resp)
		}
		mustClose(t, d.conn)
	}
	old := n.device(t, "alice", platformIOS)
	current := n.withToken(t, "alice", platformIOS, n.anotherToken(t, "alice", platformIOS, old.token))
	kicked(old)
	told := []presenceEvent{event(cmdOnline), event(cmdKicked), event(cmdOffline), event(cmdOnline)}
	all := awaitPresence(t, b, told...)
	oldID, newID := all[0].Event.ConnID, all[3].Event.ConnID
	if all[1].Event.ConnID != oldID || all[2].Event.ConnID != oldID || newID == oldID {
		t.Errorf("connections of the events: %s", describe(all))
	}
	if all[1].Event.PlatformID != platformIOS || all[1].Event.Seq <= 0 {
		t.Errorf("kicked: %s", all[1].Raw)
	}

	r, err := n.rest(t.Context(), "S10-logout", "/auth/force_logout", map[string]any{"userID": "alice", "platformID": platformIOS}, nil)
	if err != nil || r.ErrCode != 0 {
		t.Fatalf("force_logout: %+v, %v", r, err)
	}
	kicked(current)
	all = awaitPresence(t, b, append(told, event(cmdKicked), event(cmdOffline))...)
	for _, c := range all[4:] {
		if c.Event.ConnID != newID || c.Event.OperationID != "S10-logout" {
			t.Errorf("after force_logout: %s", c.Raw)
		}
	}

	// Once each: what comes next comes behind anything that was too much.
	n.device(t, "alice", platformWeb)
	awaitPresence(t, b, append(told, event(cmdKicked), event(cmdOffline), presenceEvent{cmdOnline, "alice", "Web"})...)
}

// TestS30DoubleCheck: after any coming and going, what the API says of who is
// online agrees with the last event of every user and platform; and a business
// server that was down gets what it missed when an administrator has it delivered.
func TestS30DoubleCheck(t *testing.T) {
	t.Parallel()
	b := startBusiness(t)
	n := startNode(t, setup{files: map[string]string{"webhooks.yml": neverDown + "retry: {initial: 10ms, max: 20ms, giveUpAfter: 100ms}\nurl: " + b.URL + presenceWebhooks}})
	users, platforms := []string{"alice", "bob", "carol"}, []int{platformIOS, platformAndroid, platformWeb}
	n.register(t, users...)

	random := rand.New(rand.NewPCG(30, 0))
	here := map[string]*device{}
	comeAndGo := func(steps int) {
		t.Helper()
		for range steps {
			userID, platform := users[random.IntN(len(users))], platforms[random.IntN(len(platforms))]
			id := fmt.Sprint(userID, platform)
			switch d := here[id]; {
			case d == nil:
				here[id] = n.device(t, userID, platform)
			case random.IntN(2) == 0:
				d.leave()
				delete(here, id)
			default:
				n.call(t, "/auth/force_logout", map[string]any{"userID": userID, "platformID": platform}, nil)
				delete(here, id)
			}
		}
	}
	agrees := func(what string) {
		t.Helper()
		var asked []struct {
			UserID               string
			DetailPlatformStatus []struct{ PlatformID int }
		}
		n.call(t, "/user/get_users_online_status", map[string]any{"userIDs": users}, &asked)
		said := map[string]bool{}
		for _, u := range asked {
			for _, p := range u.DetailPlatformStatus {
				said[fmt.Sprint(u.UserID, p.PlatformID)] = true
			}
		}
		told := map[string]bool{}
		// With repeats: an event that waits behind refused ones may be given up before
		// its first call, so only the calls that were taken come in order.
		for _, c := range b.got(cmdOnline, cmdOffline) {
			if id := fmt.Sprint(c.Event.UserID, c.Event.PlatformID); c.Command == cmdOnline {
				told[id] = true
			} else {
				delete(told, id)
			}
		}
		if !maps.Equal(said, told) || len(said) != len(here) {
			t.Errorf("%s: the API says %v, the events say %v, connected are %d", what, said, told, len(here))
		}
	}
	settle := func() {
		t.Helper()
		poll(t, "every departure to be noticed", func() bool {
			var asked []struct{ DetailPlatformStatus []struct{ PlatformID int } }
			n.call(t, "/user/get_users_online_status", map[string]any{"userIDs": users}, &asked)
			online := 0
			for _, u := range asked {
				online += len(u.DetailPlatformStatus)
			}
			return online == len(here)
		})
		n.awaitEmptyOutbox(t)
	}
	comeAndGo(40)
	settle()
	agrees("up")

	for _, command := range presenceCommands {
		b.on(command, saysStatus(http.StatusServiceUnavailable, "down"))
	}
	comeAndGo(20)
	settle()
	if list := n.run("webhook", "dead"); strings.Count(list, "\n") < 10 {
		t.Errorf("given up: %s", list)
	}
	for _, command := range presenceCommands {
		b.on(command, says(approval))
	}
	n.run("webhook", "replay", "--all")
	settle()
	agrees("after the replay")
	if list := n.run("webhook", "dead"); strings.Count(list, "\n") != 1 {
		t.Errorf("still given up: %s", list)
	}
}
