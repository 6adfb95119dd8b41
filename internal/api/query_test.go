package api_test

import (
	"slices"
	"testing"
	"time"

	"github.com/openimsdk/protocol/conversation"
	"github.com/openimsdk/protocol/group"
	"github.com/openimsdk/protocol/msg"
	"github.com/openimsdk/protocol/user"

	"github.com/parley-im/parley/internal/store/storetest"
)

// TestSmallQueries are calls no client makes, and business servers do.
func TestSmallQueries(t *testing.T) {
	n := start(t, storetest.SQLite(t), "alice", "bob", "carol", "dave")
	n.foundGroup("g", 0)
	n.must(n.post(adminID, "/msg/send_msg", sendText("bob", "alice", "hello")))

	ids := into[group.GetGroupMemberUserIDsResp](t, n.must(n.post("bob", "/group/get_group_member_user_id", object{"groupID": "g"}))).UserIDs
	slices.Sort(ids)
	if want := []string{"alice", "bob", "carol"}; !slices.Equal(ids, want) {
		t.Errorf("members %v, want %v", ids, want)
	}
	if got := n.post("dave", "/group/get_group_member_user_id", object{"groupID": "g"}); got.ErrCode == 0 {
		t.Error("an outsider is told who is in a group")
	}

	before := time.Now().UnixMilli()
	clock := into[msg.GetServerTimeResp](t, n.must(n.post("alice", "/msg/get_server_time", object{})))
	if after := time.Now().UnixMilli(); clock.ServerTime < before || clock.ServerTime > after {
		t.Errorf("the server's time is %d, between %d and %d here", clock.ServerTime, before, after)
	}

	some := into[conversation.GetConversationsResp](t, n.must(n.post("alice", "/conversation/get_conversations", object{
		"ownerUserID": "alice", "conversationIDs": []string{"si_alice_bob", "sg_g", "si_alice_carol"},
	}))).Conversations
	var got []string
	for _, c := range some {
		if c.OwnerUserID != "alice" {
			t.Errorf("was given a conversation of %s", c.OwnerUserID)
		}
		got = append(got, c.ConversationID)
	}
	slices.Sort(got)
	if want := []string{"sg_g", "si_alice_bob"}; !slices.Equal(got, want) {
		t.Errorf("conversations %v, want %v", got, want)
	}

	// Subscriptions are the long connection's.
	watched := into[user.GetSubscribeUsersStatusResp](t, n.must(n.post("bob", "/user/get_subscribe_users_status", object{"userID": "bob"})))
	if len(watched.StatusList) != 0 {
		t.Errorf("watches %v", watched.StatusList)
	}
}
