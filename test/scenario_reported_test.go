package test

import (
	"encoding/json"
	"fmt"
	"testing"
)

const (
	cmdSingleRead  = "callbackAfterSingleMsgReadCommand"
	cmdGroupRead   = "callbackAfterGroupMsgReadCommand"
	cmdRevoked     = "callbackBeforeAfterMsgCommand" // OpenIM's name
	cmdGroupRevoke = "callbackAfterGroupMsgRevokeCommand"
)

const reportedWebhooks = `
afterSingleMsgRead: {enable: true}
afterGroupMsgRead: {enable: true}
afterRevokeMsg: {enable: true}
afterGroupMsgRevoke: {enable: true}
`

// TestReadsAndRevocationsAreReported: once each, in order inside a conversation,
// and not when they were refused.
func TestReadsAndRevocationsAreReported(t *testing.T) {
	t.Parallel()
	b := startBusiness(t)
	n := startNode(t, setup{files: map[string]string{"webhooks.yml": "url: " + b.URL + reportedWebhooks}})
	n.register(t, "alice", "bob")
	single := "si_alice_bob"
	group := n.makeGroup(t, "alice", "bob")
	for range 3 {
		if s := n.send(t, post{from: "alice", to: "bob", content: text("x"), operationID: "send"}); s.ErrCode != 0 {
			t.Fatalf("%+v", s)
		}
		if s := n.send(t, post{from: "alice", group: group, content: text("x"), operationID: "send"}); s.ErrCode != 0 {
			t.Fatalf("%+v", s)
		}
	}
	call := func(code int, path string, body map[string]any) {
		t.Helper()
		r, err := n.rest(t.Context(), "op-"+path, path, body, nil)
		if err != nil || r.ErrCode != code {
			t.Fatalf("%s %v: %+v, %v", path, body, r, err)
		}
	}
	type m = map[string]any
	call(0, "/msg/mark_msgs_as_read", m{"conversationID": single, "userID": "bob", "seqs": []int{1, 2}})
	call(1001, "/msg/mark_msgs_as_read", m{"conversationID": single, "userID": "bob", "seqs": []int{9}})
	call(0, "/msg/mark_conversation_as_read", m{"conversationID": single, "userID": "bob", "hasReadSeq": 3})
	call(0, "/msg/set_conversation_has_read_seq", m{"conversationID": single, "userID": "bob", "hasReadSeq": 3}) // is not reported
	call(0, "/msg/revoke_msg", m{"conversationID": single, "userID": "alice", "seq": 1})
	call(1404, "/msg/revoke_msg", m{"conversationID": single, "userID": "alice", "seq": 1})
	call(0, "/msg/mark_conversation_as_read", m{"conversationID": "sg_" + group, "userID": "bob", "hasReadSeq": 3})
	call(0, "/msg/revoke_msg", m{"conversationID": "sg_" + group, "userID": "alice", "seq": 2})

	all := b.awaitEvents(t, 6, cmdSingleRead, cmdGroupRead, cmdRevoked, cmdGroupRevoke)
	lanes := map[string][]string{}
	for _, c := range all {
		var body struct {
			CallbackCommand, ConversationID, UserID, SendID, GroupID, ClientMsgID string
			Seqs                                                                  []int64
			Seq, HasReadSeq, UnreadMsgNum, ContentType, SessionType               int64
		}
		if err := json.Unmarshal(c.Raw, &body); err != nil || body.CallbackCommand != c.Command {
			t.Fatalf("%s: %v", c.Raw, err)
		}
		lane := body.ConversationID
		lanes[lane] = append(lanes[lane], fmt.Sprint(c.Command, body.UserID, body.Seqs, body.Seq, body.HasReadSeq, body.UnreadMsgNum, body.ContentType, body.GroupID == group))
		if body.Seq > 0 && body.ClientMsgID == "" {
			t.Errorf("a revocation without the message's id: %s", c.Raw)
		}
	}
	want := map[string][]string{
		single: {
			fmt.Sprint(cmdSingleRead, "bob", []int64{1, 2}, 0, 2, 0, 1, false),
			fmt.Sprint(cmdSingleRead, "bob", []int64{}, 0, 3, 0, 1, false),
			fmt.Sprint(cmdRevoked, "alice", []int64{}, 1, 0, 0, 0, false),
		},
		"sg_" + group: {
			fmt.Sprint(cmdGroupRead, "", []int64{}, 0, 3, 3, 3, true),
			fmt.Sprint(cmdRevoked, "alice", []int64{}, 2, 0, 0, 0, true),
			fmt.Sprint(cmdGroupRevoke, "alice", []int64{}, 2, 0, 0, 0, true),
		},
	}
	if fmt.Sprint(lanes) != fmt.Sprint(want) {
		t.Errorf("told\n%v\nwant\n%v", lanes, want)
	}
}
