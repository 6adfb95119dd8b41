package api_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/openimsdk/protocol/conversation"
	"github.com/openimsdk/protocol/sdkws"

	"github.com/parley-im/parley/internal/store/storetest"
)

func (n *node) say(from, to, text string) {
	n.t.Helper()
	n.must(n.post(adminID, "/msg/send_msg", object{
		"sendID": from, "recvID": to, "contentType": 101, "sessionType": 1, "content": object{"content": text},
	}))
}

// sees pulls a conversation and renders each message as "seq type status".
func (n *node) sees(userID, conversationID string) []string {
	n.t.Helper()
	a := n.must(n.post(userID, "/msg/pull_msg_by_seq", object{
		"userID": userID, "seqRanges": []any{object{"conversationID": conversationID, "begin": 1, "end": 100, "num": 100}},
	}))
	out := []string{}
	for _, m := range into[sdkws.PullMessageBySeqsResp](n.t, a).Msgs[conversationID].GetMsgs() {
		out = append(out, fmt.Sprintf("%d %d %d", m.Seq, m.ContentType, m.Status))
	}
	return out
}

func TestRevokeDeleteClear(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		n := start(t, open, "alice", "bob", "carol")
		const c = "si_alice_bob"
		for _, text := range []string{"one", "two", "three"} {
			n.say("alice", "bob", text)
		}
		for _, refused := range []struct {
			as, path string
			body     object
			code     int
		}{
			{"bob", "/msg/revoke_msg", object{"conversationID": c, "seq": 1, "userID": "bob"}, 1002},
			{"bob", "/msg/revoke_msg", object{"conversationID": c, "seq": 1, "userID": "alice"}, 1002},
			{"alice", "/msg/revoke_msg", object{"conversationID": c, "seq": 9, "userID": "alice"}, 1004},
			{"alice", "/msg/revoke_msg", object{"conversationID": c, "userID": "alice"}, 1001},
			{"alice", "/msg/revoke_msg", object{"seq": 1, "userID": "alice"}, 1001},
			{"alice", "/msg/delete_msgs", object{"conversationID": c, "userID": "alice", "seqs": []int{}}, 1001},
			{"bob", "/msg/delete_msgs", object{"conversationID": c, "userID": "alice", "seqs": []int{1}}, 1002},
			{"carol", "/msg/delete_msgs", object{"conversationID": c, "userID": "carol", "seqs": []int{1}}, 1004},
			{"bob", "/msg/delete_msgs", object{"conversationID": c, "userID": "bob", "seqs": []int{1}, "deleteSyncOpt": object{"IsSyncOther": true}}, 1002},
			{"alice", "/msg/delete_msg_phsical_by_seq", object{"conversationID": c, "seqs": []int{1}}, 1002},
			{"bob", "/msg/clear_conversation_msg", object{"conversationIDs": []string{c}, "userID": "alice"}, 1002},
			{"bob", "/msg/clear_conversation_msg", object{"conversationIDs": []string{c}, "userID": "bob", "deleteSyncOpt": object{"IsSyncOther": true}}, 1002},
			{"bob", "/msg/user_clear_all_msg", object{"userID": "alice"}, 1002},
		} {
			if a := n.post(refused.as, refused.path, refused.body); a.ErrCode != refused.code {
				t.Errorf("%s %s %v: %d %s, want %d", refused.as, refused.path, refused.body, a.ErrCode, a.ErrDlt, refused.code)
			}
		}
		want := func(what, userID string, list ...string) {
			t.Helper()
			if got := n.sees(userID, c); !slices.Equal(got, list) {
				t.Errorf("%s: %s sees %q, want %q", what, userID, got, list)
			}
		}
		want("nothing happened", "bob", "1 101 0", "2 101 0", "3 101 0")

		n.must(n.post("alice", "/msg/revoke_msg", object{"conversationID": c, "seq": 1, "userID": "alice"}))
		if a := n.post("alice", "/msg/revoke_msg", object{"conversationID": c, "seq": 1, "userID": "alice"}); a.ErrCode != 1404 {
			t.Errorf("revoking again: %d", a.ErrCode)
		}
		want("revoked", "bob", "1 2101 0", "2 101 0", "3 101 0")
		pulled := n.must(n.post("bob", "/msg/pull_msg_by_seq", object{
			"userID": "bob", "seqRanges": []any{object{"conversationID": c, "begin": 1, "end": 1, "num": 1}},
		}))
		var outer struct{ Detail string }
		var inner struct{ RevokerID, ClientMsgID, RevokerNickname, SourceMessageSendID string }
		m := into[sdkws.PullMessageBySeqsResp](t, pulled).Msgs[c].Msgs[0]
		if json.Unmarshal(m.Content, &outer) != nil || json.Unmarshal([]byte(outer.Detail), &inner) != nil ||
			inner.RevokerID != "alice" || inner.ClientMsgID != m.ClientMsgID || inner.RevokerNickname != "nick alice" || inner.SourceMessageSendID != "alice" {
			t.Errorf("revoked content %s", m.Content)
		}

		n.must(n.post("bob", "/msg/delete_msgs", object{"conversationID": c, "userID": "bob", "seqs": []int{2}}))
		want("deleted for himself", "bob", "1 2101 0", "2 101 4", "3 101 0")
		want("deleted for bob", "alice", "1 2101 0", "2 101 0", "3 101 0")
		n.must(n.post(adminID, "/msg/delete_msg_phsical_by_seq", object{"conversationID": c, "seqs": []int{3}}))
		want("removed", "alice", "1 2101 0", "2 101 0", "3 0 4")

		n.must(n.post("bob", "/msg/clear_conversation_msg", object{"conversationIDs": []string{c}, "userID": "bob"}))
		want("cleared", "bob")
		n.say("alice", "bob", "four")
		want("a new message", "bob", "4 101 0")
		n.must(n.post("bob", "/msg/user_clear_all_msg", object{"userID": "bob", "deleteSyncOpt": object{"IsSyncSelf": true}}))
		want("cleared all", "bob")
	})
}

func TestDeleteConversations(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		n := start(t, open, "alice", "bob", "carol")
		n.say("alice", "bob", "one")
		n.say("alice", "carol", "one")
		sync := func(v, id any) conversation.GetIncrementalConversationResp {
			t.Helper()
			return into[conversation.GetIncrementalConversationResp](t, n.must(n.post("alice", "/conversation/get_incremental_conversations",
				object{"userID": "alice", "version": v, "versionID": id})))
		}
		first := sync(0, "")
		for _, body := range []object{
			{"ownerUserID": "alice"},
			{"ownerUserID": "alice", "needDeleteTime": 1, "conversationIDs": []string{"si_alice_bob"}},
			{"ownerUserID": "alice", "needDeleteTime": -1},
		} {
			if a := n.post("alice", "/conversation/delete_conversations", body); a.ErrCode != 1001 {
				t.Errorf("%v: %d", body, a.ErrCode)
			}
		}
		if a := n.post("bob", "/conversation/delete_conversations", object{"ownerUserID": "alice", "conversationIDs": []string{"si_alice_bob"}}); a.ErrCode != 1002 {
			t.Errorf("another's: %d", a.ErrCode)
		}
		n.must(n.post("alice", "/conversation/delete_conversations", object{"ownerUserID": "alice", "needDeleteTime": 1})) // nothing is that old
		n.must(n.post("alice", "/conversation/delete_conversations", object{"ownerUserID": "alice", "conversationIDs": []string{"si_alice_bob"}}))
		if d := sync(first.Version, first.VersionID); d.Full || !slices.Equal(d.Delete, []string{"si_alice_bob"}) || len(d.Insert) > 0 {
			t.Errorf("sync after: %+v", &d)
		}
		// The next message brings the conversation back, with its history.
		n.say("bob", "alice", "two")
		if d := sync(first.Version, first.VersionID); d.Full || len(d.Delete) > 0 || len(d.Insert) != 1 {
			t.Errorf("sync after a message: %+v", &d)
		}
		if got := n.sees("alice", "si_alice_bob"); len(got) != 2 {
			t.Errorf("history %v", got)
		}
		n.must(n.post("alice", "/conversation/update_conversations_by_user", object{"userID": "alice", "ex": "tag"}))
		rows := into[conversation.GetAllConversationsResp](t, n.must(n.post("carol", "/conversation/get_all_conversations", object{"ownerUserID": "carol"})))
		if len(rows.Conversations) != 1 || rows.Conversations[0].Ex != "tag" {
			t.Errorf("carol's conversations: %v", rows.Conversations)
		}
	})
}

func TestBusinessNotification(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		n := start(t, open, "alice", "bob")
		n.out.take()
		send := func(change object) answer {
			body := object{"key": "k", "data": "d", "sendUserID": "alice", "recvUserID": "bob", "reliabilityLevel": 1}
			for k, v := range change {
				body[k] = v
			}
			return n.post(adminID, "/msg/send_business_notification", body)
		}
		n.must(send(nil))
		if got := n.out.take(); len(got) != 1 || got[0].contentType != 2001 || !slices.Equal(got[0].to, []string{"alice", "bob"}) {
			t.Errorf("delivered %+v", got)
		}
		if got := n.sees("bob", "si_alice_bob"); len(got) != 0 {
			t.Errorf("stored %v", got)
		}
		n.must(send(object{"sendMsg": true}))
		if got := n.sees("bob", "si_alice_bob"); len(got) != 1 || len(n.out.take()) != 2 {
			t.Errorf("as a chat message: %v", got)
		}
		n.must(send(object{"reliabilityLevel": 2}))
		seqs := into[sdkws.GetMaxSeqResp](t, n.must(n.post("bob", "/msg/newest_seq", object{"userID": "bob"})))
		if seqs.MaxSeqs["n_alice_bob"] != 1 {
			t.Errorf("stored notification: %v", seqs.MaxSeqs)
		}
		for code, change := range map[int]object{
			1001: {"recvGroupID": "g"},
			1004: {"recvUserID": "", "recvGroupID": "nowhere"},
		} {
			if a := send(change); a.ErrCode != code {
				t.Errorf("%v: %d, want %d", change, a.ErrCode, code)
			}
		}
		if a := n.post("alice", "/msg/send_business_notification", object{"sendUserID": "alice", "recvUserID": "bob", "key": "k"}); a.ErrCode != 1002 {
			t.Errorf("a user: %d", a.ErrCode)
		}
	})
}
