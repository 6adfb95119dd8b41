package test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

// TestNightWork: at the time of openim-crontask.yml, here every minute, messages
// past retainChatRecords are gone for everybody, a conversation with isMsgDestruct
// hides what is older than its msgDestructTime, and messages are sent meanwhile.
func TestNightWork(t *testing.T) {
	t.Parallel()
	n := startNode(t, setup{files: map[string]string{
		"openim-crontask.yml": "cronExecuteTime: '* * * * *'\nretainChatRecords: 30\nfileExpireTime: 180\ndeleteObjectType: [msg-file]\n",
	}})
	n.register(t, "alice", "bob", "carl")
	sendAt := func(to string, age time.Duration, what string) {
		t.Helper()
		n.call(t, "/msg/send_msg", map[string]any{
			"sendID": "alice", "recvID": to, "senderPlatformID": platformIOS, "content": map[string]any{"content": what}, "contentType": contentText,
			"sessionType": singleChat, "sendTime": time.Now().Add(-age).UnixMilli(),
		}, nil)
	}
	const day = 24 * time.Hour
	for i := range 700 { // more than one step
		sendAt("bob", 40*day-time.Duration(i)*time.Second, "old")
	}
	sendAt("bob", 20*day, "kept")
	sendAt("carl", 2*day, "seen")
	sendAt("carl", 0, "fresh")
	chat := post{from: "alice", to: "carl"}.conversation()
	n.call(t, "/conversation/set_conversations", map[string]any{"userIDs": []string{"carl"}, "conversation": map[string]any{
		"conversationID": chat, "conversationType": singleChat, "userID": "alice", "isMsgDestruct": true, "msgDestructTime": 3600,
	}}, nil)

	texts := func(userID, conversation string) (all []string) {
		t.Helper()
		d := n.device(t, userID, platformIOS) // one that is idle until then would be cut off
		defer func() { _ = d.conn.Close() }()
		for _, m := range d.history(conversation) {
			var c struct{ Content string }
			if err := json.Unmarshal(m.Content, &c); err != nil {
				t.Fatal(err)
			}
			if len(c.Content) > 0 {
				all = append(all, c.Content)
			}
		}
		return all
	}
	sent := 0
	night := time.After(2 * patience) // a minute at most, and the work
	for {
		mustSend(t, n, post{operationID: "night", from: "alice", to: "bob", content: text("meanwhile")})
		sent++
		got := texts("bob", post{from: "alice", to: "bob"}.conversation())
		if got[0] == "kept" && fmt.Sprint(texts("carl", chat)) == "[fresh]" {
			if len(got) != 1+sent {
				t.Errorf("%d of the %d messages that were sent meanwhile are there", len(got)-1, sent)
			}
			break
		}
		select {
		case <-time.After(time.Second):
		case <-night:
			t.Fatalf("the night's work is not done: bob sees %d messages, the first is %q; carl sees %q", len(got), got[0], texts("carl", chat))
		}
	}
	if got := fmt.Sprint(texts("alice", chat)); got != "[seen fresh]" {
		t.Errorf("the other side of a conversation with isMsgDestruct sees %s", got)
	}
}
