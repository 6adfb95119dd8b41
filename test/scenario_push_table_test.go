package test

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
)

// at is a device with which somebody is connected.
type at struct {
	platform   int
	background bool // the app is not in front
}

// whereabouts are the devices of somebody, and whether a message reaches him there
// so that no push is needed: on an Android device, or on an iPhone in his hand.
var whereabouts = []struct {
	name    string
	devices []at
	reached bool
}{
	{"nowhere", nil, false},
	{"iPhone", []at{{1, false}}, true},
	{"iPhone in the pocket", []at{{1, true}}, false},
	{"Android", []at{{2, false}}, true},
	{"Android in the pocket", []at{{2, true}}, true},
	{"Windows", []at{{3, false}}, false},
	{"Mac", []at{{4, false}}, false},
	{"browser", []at{{5, false}}, false},
	{"Linux", []at{{7, false}}, false},
	{"Android tablet", []at{{8, false}}, false},
	{"iPad", []at{{9, false}}, false},
	{"iPhone in the pocket and browser", []at{{1, true}, {5, false}}, false},
	{"Android and browser", []at{{2, false}, {5, false}}, true},
}

// What a user says of everything, or of a conversation, when a message comes.
const (
	disturb = 0
	refuse  = 1 // in a chat of two the sender is told so
	quiet   = 2
)

// receiver is somebody whom messages of the table are for.
type receiver struct {
	userID             string
	reached            bool
	everything, thread int // disturb, refuse or quiet
}

// TestPushTable sends messages of every kind to users in every state, and compares
// whom the vendor was asked to reach with the rules (websocket-and-messages 11.1).
func TestPushTable(t *testing.T) {
	t.Parallel()
	vendor := startPushVendor(t)
	n := startNode(t, setup{files: map[string]string{
		"openim-push.yml": vendor.config(), "log.yml": "isStdout: true\nremainLogLevel: 2\nstorageLocation: \"\"\n",
	}})
	var all []receiver
	for w, where := range whereabouts {
		for everything := range 3 {
			for thread := range 3 {
				all = append(all, receiver{fmt.Sprintf("u%d_%d_%d", w, everything, thread), where.reached, everything, thread})
			}
		}
	}
	ids := make([]string, len(all))
	for i, r := range all {
		ids[i] = r.userID
	}
	n.register(t, append([]string{"alice"}, ids...)...)
	group := n.makeGroup(t, "alice", ids...)
	single := func(userID string) string { return post{from: "alice", to: userID}.conversation() }
	for i, r := range all {
		n.call(t, "/user/set_global_msg_recv_opt", map[string]any{"userID": r.userID, "globalRecvMsgOpt": r.everything}, nil)
		for _, c := range []map[string]any{
			{"conversationID": single(r.userID), "conversationType": singleChat, "userID": "alice", "recvMsgOpt": r.thread},
			{"conversationID": "sg_" + group, "conversationType": groupChat, "groupID": group, "recvMsgOpt": r.thread},
		} {
			n.call(t, "/conversation/set_conversations", map[string]any{"userIDs": []string{r.userID}, "conversation": c}, nil)
		}
		for _, d := range whereabouts[i/9].devices {
			query := jsonQuery(r.userID, n.token(t, r.userID, d.platform), d.platform)
			query.Set("isBackground", strconv.FormatBool(d.background))
			if _, first := dialJSON(t, n.child, query); first != (refusal{}) {
				t.Fatalf("handshake of %s: %+v", r.userID, first)
			}
		}
	}
	alice := n.device(t, "alice", platformWeb)
	n.awaitEmptyOutbox(t)
	vendor.forget()

	cells := 0
	want := map[string][]string{} // titles by user
	expect := func(r receiver, title string, pushed bool) {
		cells++
		if pushed {
			want[r.userID] = append(want[r.userID], title)
		}
	}
	send := func(to string, kind map[string]any, title string) refusal {
		t.Helper()
		body := map[string]any{
			"sendID": "alice", "senderPlatformID": platformWeb, "recvID": to, "sessionType": singleChat, "contentType": contentText,
			"content": map[string]any{"content": title}, "offlinePushInfo": map[string]any{"title": title, "desc": "text"},
		}
		if to == "" {
			body["groupID"], body["sessionType"] = group, groupChat
		}
		for k, v := range kind {
			body[k] = v
		}
		got, err := n.rest(t.Context(), "push-table", "/msg/send_msg", body, nil)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	type kind struct {
		name    string
		body    map[string]any
		pushed  bool
		inGroup bool
	}
	mention := func(whom ...string) map[string]any {
		return map[string]any{"contentType": 106, "content": map[string]any{"text": "you", "atUserList": whom, "isAtSelf": false}}
	}
	kinds := []kind{
		{"text", nil, true, false},
		{"custom", map[string]any{"contentType": contentCustom, "content": map[string]any{"data": "x", "description": "", "extension": ""}}, true, false},
		{"not to be pushed", map[string]any{"notOfflinePush": true}, false, false},
		{"live only", map[string]any{"isOnlineOnly": true}, true, false},
		{"live only, not to be pushed", map[string]any{"isOnlineOnly": true, "notOfflinePush": true}, false, false},
		{"mention of each", mention(ids...), true, true},
		{"mention of all", mention("AtAllTag"), true, true},
		{"mention of some", mention(ids[:len(ids)/2]...), true, true},
		{"mention of all, not to be pushed", func() map[string]any { m := mention("AtAllTag"); m["notOfflinePush"] = true; return m }(), false, true},
	}
	for _, k := range kinds {
		for _, r := range all {
			if k.inGroup {
				break
			}
			refused := r.everything == refuse || r.thread == refuse
			if got := send(r.userID, k.body, k.name); (got.ErrCode != 0) != refused {
				t.Errorf("%s to %s: %+v", k.name, r.userID, got)
			}
			expect(r, k.name, k.pushed && !r.reached && r.everything == disturb && r.thread == disturb)
		}
		title := k.name + " in the group"
		if got := send("", k.body, title); got.ErrCode != 0 {
			t.Errorf("%s: %+v", title, got)
		}
		for _, r := range all {
			expect(r, title, k.pushed && !r.reached && r.everything == disturb && r.thread == disturb)
		}
	}
	// Control messages: typing, a notification whose event is pushed by
	// notification.yml, and notifications whose events are not.
	const typing = 113
	for _, r := range all {
		if r.everything != refuse && r.thread != refuse {
			alice.send(post{from: "alice", to: r.userID, contentType: typing, content: `{"msgTips":"yes"}`, operationID: "push-table"})
		}
		expect(r, "", false)
		n.call(t, "/friend/add_friend", map[string]any{"fromUserID": "alice", "toUserID": r.userID, "reqMsg": "x", "ex": ""}, nil)
		expect(r, "Somebody applies to add you as a friend", !r.reached && r.everything == disturb && r.thread == disturb)
	}
	n.call(t, "/group/set_group_info_ex", map[string]any{"groupID": group, "groupName": "another", "introduction": "other"}, nil)
	n.call(t, "/group/mute_group", map[string]any{"groupID": group}, nil)
	n.call(t, "/group/cancel_mute_group", map[string]any{"groupID": group}, nil)
	for range 3 {
		for _, r := range all {
			expect(r, "", false)
		}
	}
	n.awaitEmptyOutbox(t)
	got := vendor.all()
	for _, r := range all {
		slices.Sort(want[r.userID])
		slices.Sort(got[r.userID])
		if !slices.Equal(got[r.userID], want[r.userID]) {
			t.Errorf("%s, %+v\n was pushed %q\n instead of  %q", whereabouts[slices.Index(ids, r.userID)/9].name, r, got[r.userID], want[r.userID])
		}
	}
	if cells++; len(got["alice"]) > 0 {
		t.Errorf("the sender was pushed %q", got["alice"])
	}
	t.Logf("%d cells: %d receivers in %d places, %d kinds of messages", cells, len(all), len(whereabouts), len(kinds)*2+5)
}

// TestPushMeanwhile: who has read a message, or came to his phone, while the business
// server was asked about the push, is not pushed to; another one of the group is.
func TestPushMeanwhile(t *testing.T) {
	t.Parallel()
	b, vendor := startBusiness(t), startPushVendor(t)
	n := startNode(t, setup{files: map[string]string{
		"openim-push.yml": vendor.config() + "maxConcurrentWorkers: 10\n",
		"webhooks.yml":    fmt.Sprintf("url: %s\nbeforeDeadline: 60s\nbeforeOfflinePush: {enable: true, timeout: 60, failedContinue: true}\n", b.URL),
	}})
	n.register(t, "alice", "reader", "comer", "away")
	group := n.makeGroup(t, "alice", "reader", "comer", "away")
	n.awaitEmptyOutbox(t)
	vendor.forget()
	const command = "callbackBeforeOfflinePushCommand"
	asked := len(b.got(command))
	released := make(chan struct{})
	b.on(command, hangsUntil(released, approval))
	for _, p := range []post{{to: "reader"}, {to: "comer"}, {to: "away"}, {group: group}} {
		p.from, p.content, p.operationID = "alice", text("hi"), "meanwhile"
		mustSend(t, n, p)
	}
	b.awaitCount(t, asked+4, command)

	reader := n.device(t, "reader", platformWeb)
	for _, conversation := range []string{post{from: "alice", to: "reader"}.conversation(), "sg_" + group} {
		n.call(t, "/msg/mark_conversation_as_read", map[string]any{
			"userID": "reader", "conversationID": conversation, "hasReadSeq": reader.maxSeq(conversation), "seqs": []int{},
		}, nil)
	}
	_ = n.device(t, "comer", platformAndroid)
	close(released)
	n.awaitEmptyOutbox(t)
	got := vendor.all()
	for userID, want := range map[string]int{"reader": 0, "comer": 0, "away": 2} {
		if len(got[userID]) != want {
			t.Errorf("%s was pushed to %d times, want %d", userID, len(got[userID]), want)
		}
	}
}
