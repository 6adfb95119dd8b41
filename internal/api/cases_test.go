package api_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/openimsdk/protocol/conversation"
	"github.com/openimsdk/protocol/group"
	"github.com/openimsdk/protocol/relation"
	"github.com/openimsdk/protocol/sdkws"

	"github.com/parley-im/parley/internal/api"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store/storetest"
)

type object = map[string]any

func TestRefused(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		n := start(t, open, "alice", "bob", "carol")
		n.must(n.post(adminID, "/group/create_group", object{
			"ownerUserID": "bob", "memberUserIDs": []string{"carol"}, "groupInfo": object{"groupID": "theirs", "groupType": 2},
		}))
		n.out.take()
		page := object{"pageNumber": 1, "showNumber": 10}
		long := strings.Repeat("x", im.MaxText+1)
		for _, c := range []struct {
			as, path string
			body     object
			code     int
		}{
			{"alice", "/auth/get_user_token", object{"userID": "bob", "platformID": 1}, 1002},
			{adminID, "/auth/get_user_token", object{"userID": "nobody", "platformID": 1}, 1004},
			{adminID, "/auth/get_user_token", object{"userID": "bob", "platformID": 10}, 1002},
			{adminID, "/auth/get_user_token", object{"userID": "bob", "platformID": 99}, 1001},
			{"alice", "/auth/force_logout", object{"userID": "bob", "platformID": 1}, 1002},
			{adminID, "/auth/force_logout", object{"userID": "bob", "platformID": 0}, 1001},
			{adminID, "/auth/get_admin_token", object{"userID": adminID, "secret": "guess"}, 1002},
			{adminID, "/auth/get_admin_token", object{"userID": "alice", "secret": secret}, 1001},
			{"alice", "/user/get_users", object{"pagination": page}, 1002},
			{"alice", "/user/get_all_users_uid", object{"pagination": page}, 1002},
			{"alice", "/user/get_users_online_status", object{"userIDs": []string{"bob"}}, 1002},
			{"alice", "/user/get_users_online_token_detail", object{"userIDs": []string{"bob"}}, 1002},
			{"alice", "/user/set_global_msg_recv_opt", object{"userID": "bob", "globalRecvMsgOpt": 1}, 1002},
			{"alice", "/user/update_user_info_ex", object{"userInfo": object{"userID": "alice", "globalRecvMsgOpt": 7}}, 1001},
			{"alice", "/user/update_user_info_ex", object{}, 1001},
			{"alice", "/user/update_user_info", object{"userInfo": object{"userID": "alice", "ex": long}}, 1001},
			{"alice", "/user/update_user_info_ex", object{"userInfo": object{"userID": "alice", "nickname": long}}, 1001},
			{adminID, "/user/user_register", object{"users": []any{object{"userID": "x", "nickname": long}}}, 1001},
			{adminID, "/user/set_user_client_config", object{"configs": object{"k": long}}, 1001},
			{"alice", "/user/process_user_command_add", object{"userID": "alice", "type": 1, "uuid": "u", "value": long}, 1001},
			{"alice", "/user/process_user_command_update", object{"userID": "alice", "type": 1, "uuid": "u", "ex": long}, 1001},
			{"alice", "/friend/add_black", object{"ownerUserID": "alice", "blackUserID": "bob", "ex": long}, 1001},
			{"alice", "/group/create_group", object{"ownerUserID": "alice", "groupInfo": object{"groupType": 2, "introduction": long}}, 1001},
			{"alice", "/conversation/set_conversations", object{"userIDs": []string{"alice"}, "conversation": object{"conversationID": "si_alice_bob", "conversationType": 1, "userID": "bob", "ex": long}}, 1001},
			{"alice", "/user/process_user_command_get_all", object{"userID": "bob"}, 1002},
			{"alice", "/user/process_user_command_delete", object{"userID": "alice", "type": 1, "uuid": "none"}, 1004},
			{adminID, "/user/get_users", object{"pagination": object{"pageNumber": 1, "showNumber": 1_000_000}}, 1001},
			{"alice", "/friend/get_friend_list", object{"userID": "bob", "pagination": page}, 1002},
			{"alice", "/friend/get_incremental_friends", object{"userID": "bob"}, 1002},
			{"alice", "/friend/get_full_friend_user_ids", object{"userID": "bob"}, 1002},
			{"alice", "/friend/is_friend", object{"userID1": "bob", "userID2": "carol"}, 1002},
			{"alice", "/friend/import_friend", object{"ownerUserID": "alice", "friendUserIDs": []string{"bob"}}, 1002},
			{adminID, "/friend/import_friend", object{"ownerUserID": "alice", "friendUserIDs": []string{"alice"}}, 1301},
			{adminID, "/friend/import_friend", object{"ownerUserID": "alice", "friendUserIDs": []string{"nobody"}}, 1004},
			{adminID, "/friend/import_friend", object{"ownerUserID": "alice", "friendUserIDs": []string{"bob", "bob"}}, 1001},
			{"alice", "/friend/add_black", object{"ownerUserID": "bob", "blackUserID": "alice"}, 1002},
			{"alice", "/friend/add_black", object{"ownerUserID": "alice", "blackUserID": "nobody"}, 1004},
			{"alice", "/friend/add_black", object{"ownerUserID": "alice", "blackUserID": "alice"}, 1004},
			{"alice", "/friend/add_black", object{"ownerUserID": "alice"}, 1001},
			{"alice", "/friend/get_specified_blacks", object{"ownerUserID": "alice", "userIDList": []string{}}, 1001},
			{"alice", "/group/create_group", object{"ownerUserID": "alice", "groupInfo": object{"groupID": "alice_bob", "groupType": 2}}, 1001},
			{"alice", "/group/create_group", object{"ownerUserID": "alice", "groupInfo": object{"groupID": strings.Repeat("g", 65), "groupType": 2}}, 1001},
			{"alice", "/group/get_group_member_list", object{"groupID": "theirs", "pagination": page}, 1002},
			{"alice", "/group/get_group_member_list", object{"groupID": "none", "pagination": page}, 1002},
			{adminID, "/group/get_group_member_list", object{"groupID": "none", "pagination": page}, 1004},
			{"alice", "/group/get_group_members_info", object{"groupID": "theirs", "userIDs": []string{"bob"}}, 1002},
			{"alice", "/group/get_full_group_member_user_ids", object{"groupID": "theirs"}, 1002},
			{"alice", "/group/get_incremental_group_members", object{"groupID": "theirs"}, 1002},
			{"alice", "/group/get_joined_group_list", object{"fromUserID": "bob", "pagination": page}, 1002},
			{"alice", "/group/get_incremental_join_groups", object{"userID": "bob"}, 1002},
			{"alice", "/group/get_groups_info", object{"groupIDs": []string{}}, 1001},
			{"alice", "/msg/batch_send_msg", object{"sendID": "alice", "content": object{}, "contentType": 101, "sessionType": 1, "recvIDs": []string{"bob"}}, 1002},
			{"alice", "/msg/newest_seq", object{"userID": "bob"}, 1002},
			{"alice", "/msg/pull_msg_by_seq", object{"userID": "bob"}, 1002},
			{"alice", "/msg/get_conversations_has_read_and_max_seq", object{"userID": "bob"}, 1002},
			{"alice", "/msg/set_conversation_has_read_seq", object{"userID": "bob", "conversationID": "si_alice_bob", "hasReadSeq": 1}, 1002},
			{"alice", "/msg/send_simple_msg?key=%21", object{"content": "x"}, 1001},
			{"alice", "/msg/send_simple_msg?key=" + simpleKey("bob", "carol", ""), object{"content": "x"}, 1002},
			{"alice", "/conversation/get_conversation", object{"ownerUserID": "alice", "conversationID": "si_alice_bob"}, 1004},
			{"alice", "/conversation/get_all_conversations", object{"ownerUserID": "bob"}, 1002},
			{"alice", "/conversation/get_owner_conversation", object{"userID": "bob"}, 1002},
			{"alice", "/conversation/get_pinned_conversation_ids", object{"userID": "bob"}, 1002},
		} {
			if got := n.post(c.as, c.path, c.body); got.ErrCode != c.code {
				t.Errorf("%s %s %v: errCode %d %s, want %d", c.as, c.path, c.body, got.ErrCode, got.ErrDlt, c.code)
			}
		}
		if sent := n.out.take(); len(sent) != 0 {
			t.Errorf("refused calls delivered %v", sent)
		}
	})
}

func simpleKey(sendID, recvID, groupID string) string {
	raw, _ := json.Marshal(object{"sendID": sendID, "recvID": recvID, "groupID": groupID}) // always encodes
	return strings.ReplaceAll(base64.StdEncoding.EncodeToString(raw), "+", "%2B")
}

// A row in one's list is the right to read a conversation, so nobody may make
// one of a conversation that is not his.
func TestSetConversationsOpensNoForeignLog(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		n := start(t, open, "alice", "bob", "carol", "a", "b_c", "a_b", "c")
		n.must(n.post(adminID, "/group/create_group", object{
			"ownerUserID": "bob", "memberUserIDs": []string{"carol"}, "groupInfo": object{"groupID": "theirs", "groupType": 2},
		}))
		n.must(n.post(adminID, "/msg/send_msg", sendText("bob", "carol", "secret")))
		n.must(n.post(adminID, "/msg/send_msg", sendText("a", "b_c", "secret")))
		for name, c := range map[string]struct {
			as           string
			conversation object
			code         int
		}{
			"two others' chat":       {"alice", object{"conversationID": "si_bob_carol", "conversationType": 1, "userID": "bob"}, 1001},
			"as if with oneself":     {"alice", object{"conversationID": "si_bob_carol", "conversationType": 1, "userID": "alice"}, 1001},
			"a group of others":      {"alice", object{"conversationID": "sg_theirs", "conversationType": 3, "groupID": "theirs"}, 1203},
			"no group":               {"alice", object{"conversationID": "sg_none", "conversationType": 3, "groupID": "none"}, 1004},
			"a group as a chat":      {"alice", object{"conversationID": "sg_theirs", "conversationType": 1, "userID": "bob"}, 1001},
			"a notification log":     {"alice", object{"conversationID": "n_bob_carol", "conversationType": 1, "userID": "bob"}, 1001},
			"the same id by chance":  {"a_b", object{"conversationID": "si_a_b_c", "conversationType": 1, "userID": "c"}, 1001},
			"an unknown peer":        {"alice", object{"conversationID": "si_alice_nobody", "conversationType": 1, "userID": "nobody"}, 1004},
			"an unknown type":        {"alice", object{"conversationID": "si_alice_bob", "conversationType": 2, "userID": "bob"}, 1001},
			"an option out of range": {"alice", object{"conversationID": "si_alice_bob", "conversationType": 1, "userID": "bob", "recvMsgOpt": 3}, 1001},
		} {
			for _, change := range []string{"isPinned", "isPrivateChat"} {
				c.conversation[change] = true
				got := n.post(c.as, "/conversation/set_conversations", object{"userIDs": []string{c.as}, "conversation": c.conversation})
				if got.ErrCode != c.code && (change != "isPrivateChat" || c.conversation["conversationType"] != 3) {
					t.Errorf("%s: %s: errCode %d %s, want %d", name, change, got.ErrCode, got.ErrDlt, c.code)
				}
				delete(c.conversation, change)
			}
			if rows := into[conversation.GetAllConversationsResp](t, n.must(n.post(c.as, "/conversation/get_all_conversations", object{"ownerUserID": c.as}))); len(rows.Conversations) != 0 {
				t.Errorf("%s: made rows %v", name, rows.Conversations)
			}
		}
		if got := n.post("alice", "/conversation/set_conversations", object{
			"userIDs": []string{"alice", "bob"}, "conversation": object{"conversationID": "si_alice_bob", "conversationType": 1, "userID": "bob", "isPinned": true},
		}); got.ErrCode != 1002 {
			t.Errorf("for another user: errCode %d", got.ErrCode)
		}
	})
}

func sendText(from, to, content string) object {
	return object{"sendID": from, "recvID": to, "sessionType": 1, "contentType": 101, "content": object{"content": content}}
}

func TestSetConversations(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		n := start(t, open, "alice", "bob")
		set := func(fields object) {
			t.Helper()
			c := object{"conversationID": "si_alice_bob", "conversationType": 1, "userID": "bob"}
			maps.Copy(c, fields)
			n.must(n.post("alice", "/conversation/set_conversations", object{"userIDs": []string{"alice"}, "conversation": c}))
		}
		row := func(userID string) *conversation.Conversation {
			t.Helper()
			return into[conversation.GetConversationResp](t, n.must(n.post(userID, "/conversation/get_conversation",
				object{"ownerUserID": userID, "conversationID": "si_alice_bob"}))).Conversation
		}
		set(object{"recvMsgOpt": 2, "isPinned": true, "ex": "e", "attachedInfo": "i", "groupAtType": 1, "burnDuration": 30, "msgDestructTime": 60, "isMsgDestruct": true})
		got := row("alice")
		if got.RecvMsgOpt != 2 || !got.IsPinned || got.Ex != "e" || got.AttachedInfo != "i" || got.GroupAtType != 1 || got.BurnDuration != 30 ||
			got.MsgDestructTime != 60 || !got.IsMsgDestruct || got.UserID != "bob" || got.ConversationType != 1 {
			t.Errorf("made: %+v", got)
		}
		if sent := n.out.take(); len(sent) != 1 || sent[0].contentType != 1300 || !slices.Equal(sent[0].to, []string{"alice"}) {
			t.Errorf("told %v", sent)
		}
		set(object{"isPinned": true}) // as it is
		if sent := n.out.take(); len(sent) != 0 {
			t.Errorf("no change told %v", sent)
		}
		set(object{"isPinned": false, "ex": ""})
		if got = row("alice"); got.IsPinned || got.Ex != "" || got.RecvMsgOpt != 2 {
			t.Errorf("changed: %+v", got)
		}
		n.out.take()
		set(object{"isPrivateChat": true})
		if !row("alice").IsPrivateChat || !row("bob").IsPrivateChat || row("bob").UserID != "alice" {
			t.Error("private on one side only")
		}
		sent := n.out.take() // a line in the chat, and the notification
		if len(sent) != 2 {
			t.Errorf("told %v, not both sides", sent)
		}
		for _, d := range sent {
			if d.contentType != 1701 || !slices.Equal(d.to, []string{"alice", "bob"}) {
				t.Errorf("told %v, not both sides", sent)
			}
		}
		set(object{"isPrivateChat": true, "burnDuration": 40})
		if sent := n.out.take(); len(sent) != 1 || sent[0].contentType != 1300 {
			t.Errorf("private as before told %v", sent)
		}
		if n.post(adminID, "/msg/send_msg", sendText("bob", "alice", "x")).ErrCode != 0 {
			t.Error("option 2 refuses")
		}
		set(object{"recvMsgOpt": 1})
		if got := n.post(adminID, "/msg/send_msg", sendText("bob", "alice", "x")); got.ErrCode != 1001 {
			t.Errorf("a refusing receiver: errCode %d", got.ErrCode)
		}
		silent := into[conversation.GetNotNotifyConversationIDsResp](t, n.must(n.post("alice", "/conversation/get_not_notify_conversation_ids", object{"userID": "alice"})))
		if len(silent.ConversationIDs) != 0 {
			t.Errorf("silent %v", silent.ConversationIDs)
		}
	})
}

// Incremental sync of a group's members, from nothing to too much.
func TestGroupSync(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		n := start(t, open, "alice", "bob", "carol")
		n.must(n.post("alice", "/group/create_group", object{
			"ownerUserID": "alice", "adminUserIDs": []string{"bob"}, "memberUserIDs": []string{"carol"},
			"groupInfo": object{"groupID": "g", "groupName": "G", "groupType": 2},
		}))
		changes := func(since object) *group.GetIncrementalGroupMemberResp {
			t.Helper()
			since["groupID"] = "g"
			r := into[group.GetIncrementalGroupMemberResp](t, n.must(n.post("bob", "/group/get_incremental_group_members", since)))
			return &r
		}
		full := changes(object{"version": 0, "versionID": ""})
		if !full.Full || full.Group == nil || full.Version == 0 || len(full.VersionID) != 24 {
			t.Fatalf("from nothing: %v", full)
		}
		same := changes(object{"version": full.Version, "versionID": full.VersionID})
		if same.Full || same.Group != nil || len(same.Insert)+len(same.Update)+len(same.Delete) != 0 || same.Version != full.Version {
			t.Errorf("nothing new: %v", same)
		}
		n.must(n.post("carol", "/user/update_user_info_ex", object{"userInfo": object{"userID": "carol", "nickname": "New"}}))
		next := changes(object{"version": full.Version, "versionID": full.VersionID})
		if next.Full || next.Version != full.Version+1 || len(next.Update) != 1 || next.Update[0].Nickname != "New" || next.Group == nil {
			t.Errorf("after a new name: %v", next)
		}
		for name, since := range map[string]object{
			"newer than the server": {"version": 99, "versionID": full.VersionID},
			"another log":           {"version": 1, "versionID": strings.Repeat("0", 24)},
			"no log":                {"version": 1, "versionID": "zz"},
		} {
			if got := changes(since); !got.Full || len(got.Insert)+len(got.Update) != 0 {
				t.Errorf("%s: %v", name, got)
			}
		}
		batch := into[group.BatchGetIncrementalGroupMemberResp](t, n.must(n.post("carol", "/group/get_incremental_group_members_batch", object{
			"userID": "carol", "reqList": []any{object{"groupID": "g"}, object{"groupID": "g"}, object{"groupID": "none"}, nil},
		})))
		// A client asks again, at once, for every group it got no answer for.
		if none := batch.RespList["none"]; len(batch.RespList) != 2 || !batch.RespList["g"].Full ||
			none == nil || none.Full || none.Group != nil || len(none.Insert)+len(none.Update)+len(none.Delete) != 0 {
			t.Errorf("batch: %v", batch.RespList)
		}
		if got := n.post(adminID, "/group/get_incremental_group_members_batch", object{"userID": "x"}); got.ErrCode != 0 {
			t.Errorf("empty batch: %d", got.ErrCode)
		}
		ids := into[group.GetFullGroupMemberUserIDsResp](t, n.must(n.post("carol", "/group/get_full_group_member_user_ids", object{"groupID": "g"})))
		if !slices.Equal(ids.UserIDs, []string{"alice", "bob", "carol"}) || ids.Version != next.Version || ids.VersionID != next.VersionID {
			t.Errorf("ids: %v", ids.UserIDs)
		}
		const hash = 0x24652a8d126408b4 // of ["alice","bob","carol"]
		if got := into[group.GetFullGroupMemberUserIDsResp](t, n.must(n.post("carol", "/group/get_full_group_member_user_ids",
			object{"groupID": "g", "idHash": uint64(hash)}))); !got.Equal || len(got.UserIDs) != 0 {
			t.Errorf("equal ids: %v %v", got.Equal, got.UserIDs)
		}

		t.Run("every member has the group and its conversation", func(t *testing.T) {
			for _, userID := range []string{"alice", "bob", "carol"} {
				joined := into[group.GetIncrementalJoinGroupResp](t, n.must(n.post(userID, "/group/get_incremental_join_groups", object{"userID": userID})))
				if !joined.Full || joined.Version != 1 {
					t.Errorf("%s: %v", userID, &joined)
				}
				list := into[group.GetJoinedGroupListResp](t, n.must(n.post(userID, "/group/get_joined_group_list",
					object{"fromUserID": userID, "pagination": object{"pageNumber": 1, "showNumber": 10}})))
				if list.Total != 1 || list.Groups[0].MemberCount != 3 || list.Groups[0].OwnerUserID != "alice" {
					t.Errorf("%s: %v", userID, list.Groups)
				}
				rows := into[conversation.GetIncrementalConversationResp](t, n.must(n.post(userID, "/conversation/get_incremental_conversations", object{"userID": userID})))
				all := into[conversation.GetAllConversationsResp](t, n.must(n.post(userID, "/conversation/get_all_conversations", object{"ownerUserID": userID})))
				if rows.Version != 1 || len(all.Conversations) != 1 || all.Conversations[0].ConversationID != "sg_g" {
					t.Errorf("%s: %v %v", userID, &rows, all.Conversations)
				}
			}
		})
		t.Run("who left and came back meanwhile has the group once", func(t *testing.T) {
			before := into[group.GetIncrementalJoinGroupResp](t, n.must(n.post("carol", "/group/get_incremental_join_groups", object{"userID": "carol"})))
			n.must(n.post("alice", "/group/kick_group", object{"groupID": "g", "kickedUserIDs": []string{"carol"}}))
			n.must(n.post("alice", "/group/invite_user_to_group", object{"groupID": "g", "invitedUserIDs": []string{"carol"}}))
			got := into[group.GetIncrementalJoinGroupResp](t, n.must(n.post("carol", "/group/get_incremental_join_groups",
				object{"userID": "carol", "version": before.Version, "versionID": before.VersionID})))
			// Clients append what is inserted to their list of ids, unless its order changed.
			if len(got.Insert) != 1 || len(got.Delete) != 0 || got.SortVersion == 0 {
				t.Errorf("%v", &got)
			}
		})
		t.Run("more joined groups than a delta takes", func(t *testing.T) {
			first := into[group.GetIncrementalJoinGroupResp](t, n.must(n.post("alice", "/group/get_incremental_join_groups", object{"userID": "alice"})))
			join := func(count int) *group.GetIncrementalJoinGroupResp {
				t.Helper()
				for range count {
					n.must(n.post("alice", "/group/create_group", object{"ownerUserID": "alice", "groupInfo": object{"groupType": 2}}))
				}
				r := into[group.GetIncrementalJoinGroupResp](t, n.must(n.post("alice", "/group/get_incremental_join_groups",
					object{"userID": "alice", "version": first.Version, "versionID": first.VersionID})))
				return &r
			}
			if got := join(im.SyncLimit); got.Full || len(got.Insert) != im.SyncLimit || got.Version != first.Version+im.SyncLimit {
				t.Errorf("%d groups: full %v, %d inserted", im.SyncLimit, got.Full, len(got.Insert))
			}
			if got := join(1); !got.Full || len(got.Insert) != 0 {
				t.Errorf("one more: full %v, %d inserted", got.Full, len(got.Insert))
			}
		})
	})
}

func TestFriends(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		n := start(t, open, "alice", "bob", "carol")
		n.must(n.post(adminID, "/friend/import_friend", object{"ownerUserID": "alice", "friendUserIDs": []string{"bob", "carol"}}))
		n.must(n.post(adminID, "/friend/import_friend", object{"ownerUserID": "alice", "friendUserIDs": []string{"bob"}})) // is one already
		since := func(userID string, version uint64, id string) *relation.GetIncrementalFriendsResp {
			t.Helper()
			r := into[relation.GetIncrementalFriendsResp](t, n.must(n.post(userID, "/friend/get_incremental_friends",
				object{"userID": userID, "version": version, "versionID": id})))
			return &r
		}
		start := since("bob", 0, "")
		if !start.Full || start.Version != 1 {
			t.Fatalf("bob: %v", start)
		}
		n.must(n.post("alice", "/user/update_user_info", object{"userInfo": object{"userID": "alice", "nickname": "A"}}))
		if got := since("bob", start.Version, start.VersionID); got.Full || got.Version != 2 || len(got.Update) != 1 || got.Update[0].FriendUser.Nickname != "A" {
			t.Errorf("a friend's new name: %v", got)
		}
		n.must(n.post("alice", "/user/update_user_info", object{"userInfo": object{"userID": "alice", "ex": "only ex"}}))
		if got := since("bob", 2, start.VersionID); got.Version != 2 {
			t.Errorf("ex changed the friend list: %v", got)
		}
		is := into[relation.IsFriendResp](t, n.must(n.post("bob", "/friend/is_friend", object{"userID1": "alice", "userID2": "bob"})))
		if !is.InUser1Friends || !is.InUser2Friends {
			t.Error("one-sided")
		}

		n.must(n.post("alice", "/friend/add_black", object{"ownerUserID": "alice", "blackUserID": "bob", "ex": "why"}))
		if got := n.post("alice", "/friend/add_black", object{"ownerUserID": "alice", "blackUserID": "bob"}); got.ErrCode != 1003 {
			t.Errorf("again: errCode %d", got.ErrCode)
		}
		if got := n.post(adminID, "/msg/send_msg", sendText("bob", "alice", "x")); got.ErrCode != 1302 {
			t.Errorf("message of a blocked user: errCode %d", got.ErrCode)
		}
		page := object{"pageNumber": 1, "showNumber": 10}
		blacks := into[relation.GetPaginationBlacksResp](t, n.must(n.post("alice", "/friend/get_black_list", object{"userID": "alice", "pagination": page})))
		if blacks.Total != 1 || blacks.Blacks[0].BlackUserInfo.Nickname != "nick bob" || blacks.Blacks[0].Ex != "why" || blacks.Blacks[0].CreateTime > 1e11 {
			t.Errorf("black list: %v", &blacks)
		}
		infos := into[relation.GetSpecifiedFriendsInfoResp](t, n.must(n.post("alice", "/friend/get_specified_friends_info",
			object{"ownerUserID": "alice", "userIDList": []string{"carol", "nobody", "bob"}})))
		if len(infos.Infos) != 2 || infos.Infos[0].UserInfo.UserID != "carol" || infos.Infos[0].BlackInfo != nil || infos.Infos[1].BlackInfo.CreateTime < 1e11 {
			t.Errorf("infos: %v", infos.Infos)
		}
		n.must(n.post("alice", "/friend/remove_black", object{"ownerUserID": "alice", "blackUserID": "bob"}))
		n.must(n.post("alice", "/friend/remove_black", object{"ownerUserID": "alice", "blackUserID": "bob"}))
		n.must(n.post(adminID, "/msg/send_msg", sendText("bob", "alice", "x")))
	})
}

func TestOnline(t *testing.T) {
	n := start(t, storetest.SQLite(t), "alice", "bob")
	n.online.sessions["alice"] = []api.OnlineSession{
		{Platform: im.PlatformIOS, ConnID: "c1", Background: true, Token: "t1"},
		{Platform: im.PlatformWeb, ConnID: "c2", Token: "t2"},
		{Platform: im.PlatformWeb, ConnID: "c3", Token: "t3"},
	}
	for _, c := range []struct{ as, path, body, want string }{
		{adminID, "/user/get_users_online_status", `{"userIDs":["bob","alice"]}`, `[{"userID":"bob","status":0,"detailPlatformStatus":null},` +
			`{"userID":"alice","status":1,"detailPlatformStatus":[{"platformID":1,"connID":"c1","isBackground":true,"token":"t1"},` +
			`{"platformID":5,"connID":"c2","isBackground":false,"token":"t2"},{"platformID":5,"connID":"c3","isBackground":false,"token":"t3"}]}]`},
		{adminID, "/user/get_users_online_status", `{}`, `null`},
		{adminID, "/user/get_users_online_token_detail", `{"userIDs":["bob","alice"]}`, `[{"userID":"alice","status":1,` +
			`"singlePlatformToken":[{"platformID":1,"total":1,"token":["t1"]},{"platformID":5,"total":2,"token":["t2","t3"]}]}]`},
		{"bob", "/user/get_users_status", `{"userIDs":["alice","bob"]}`, `{"statusList":[{"userID":"alice","status":1,"platformIDs":[1,5]},{"userID":"bob","status":0,"platformIDs":null}]}`},
		{"bob", "/user/subscribe_users_status", `{"userID":"bob","userIDs":["alice"],"genre":1}`, `{"statusList":null}`},
	} {
		got := n.must(n.do(http.MethodPost, c.path, []byte(c.body), map[string]string{"token": n.token(c.as)}))
		if string(got.Data) != c.want {
			t.Errorf("%s %s:\n%s, want\n%s", c.path, c.body, got.Data, c.want)
		}
	}
	if got := n.do(http.MethodPost, "/user/get_users_online_status", []byte(`{`), map[string]string{"token": n.token(adminID)}); got.status != 400 || got.ErrCode != 1001 {
		t.Errorf("a bad body: status %d, errCode %d", got.status, got.ErrCode)
	}
}

func TestForceLogout(t *testing.T) {
	n := start(t, storetest.SQLite(t), "alice")
	token := map[string]string{"token": n.token("alice")}
	body := []byte(`{"userIDs":["alice"]}`)
	n.must(n.do(http.MethodPost, "/user/get_users_info", body, token))
	n.must(n.post(adminID, "/auth/force_logout", object{"userID": "alice", "platformID": 2}))
	if got := n.do(http.MethodPost, "/user/get_users_info", body, token); got.ErrCode != 1506 {
		t.Errorf("after: errCode %d", got.ErrCode)
	}
	if !slices.Equal(n.online.kicked, []string{"alice/Android"}) {
		t.Errorf("kicked %v", n.online.kicked)
	}
	if got := n.do(http.MethodPost, "/auth/parse_token", fmt.Appendf(nil, `{"token":%q}`, token["token"]), nil); got.ErrCode != 1506 {
		t.Errorf("parse: errCode %d", got.ErrCode)
	}
}

func TestBodies(t *testing.T) {
	n := start(t, storetest.SQLite(t), "alice")
	token := map[string]string{"token": n.token("alice")}
	post := func(path, body string) answer {
		t.Helper()
		return n.do(http.MethodPost, path, []byte(body), token)
	}
	if got := post("/user/get_users_info", `{"userIDs":["`+strings.Repeat("x", maxBody)+`"]}`); got.status != 413 || got.ErrCode != 1001 || !strings.Contains(got.ErrDlt, "larger") {
		t.Errorf("too large: status %d, errCode %d %s", got.status, got.ErrCode, got.ErrDlt)
	}
	if got := post("/user/get_users_info", `{"userIDs":["a\u0000"]}`); got.ErrCode != 1001 {
		t.Errorf("NUL: errCode %d", got.ErrCode)
	}
	if got := post("/user/get_users_info", `{"userIDs":["a\\u0000"]}`); got.ErrCode != 0 {
		t.Errorf("a backslash and u0000: errCode %d", got.ErrCode)
	}
	if got := post("/user/get_users_info", `{"userIDs":["alice"]} trailing`); got.ErrCode != 1001 {
		t.Errorf("trailing text: errCode %d", got.ErrCode)
	}
	if got := post("/user//get_users_info", `{}`); got.status != 404 {
		t.Errorf("unclean path: status %d", got.status)
	}

	many := make([]string, 300)
	for i := range many {
		many[i] = fmt.Sprint("user", i)
	}
	n.register(many...)
	ask, _ := json.Marshal(object{"userIDs": many}) // always encodes
	plain := n.must(n.do(http.MethodPost, "/user/get_users_info", ask, map[string]string{"token": token["token"], "Accept-Encoding": "identity"}))
	if plain.header.Get("Content-Encoding") != "" {
		t.Error("compressed although not accepted")
	}
	packed := n.do(http.MethodPost, "/user/get_users_info", ask, map[string]string{"token": token["token"], "Accept-Encoding": "gzip"})
	if packed.header.Get("Content-Encoding") != "gzip" || len(packed.raw) >= len(plain.raw) {
		t.Fatalf("not compressed: %d of %d bytes", len(packed.raw), len(plain.raw))
	}
	z, err := gzip.NewReader(bytes.NewReader(packed.raw))
	if err != nil {
		t.Fatal(err)
	}
	if unpacked, err := io.ReadAll(z); err != nil || !bytes.Equal(unpacked, plain.raw) {
		t.Errorf("compressed answer differs: %v", err)
	}
}

func TestBatchSend(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		n := start(t, open, "alice", "bob", "carol")
		type batch struct {
			Results       []struct{ ServerMsgID, ClientMsgID, RecvID string }
			FailedUserIDs []string
		}
		send := func(fields object) batch {
			t.Helper()
			body := sendText("alice", "", "to many")
			maps.Copy(body, fields)
			return into[batch](t, n.must(n.post(adminID, "/msg/batch_send_msg", body)))
		}
		got := send(object{"recvIDs": []string{"bob", "nobody", "carol"}})
		if len(got.Results) != 2 || got.Results[0].RecvID != "bob" || got.Results[1].RecvID != "carol" || !slices.Equal(got.FailedUserIDs, []string{"nobody"}) ||
			got.Results[0].ClientMsgID != got.Results[1].ClientMsgID || got.Results[0].ServerMsgID == got.Results[1].ServerMsgID {
			t.Errorf("%+v", got)
		}
		if got := send(object{"recvIDs": []string{}}); len(got.Results)+len(got.FailedUserIDs) != 0 {
			t.Errorf("to nobody: %+v", got)
		}
		if got := send(object{"recvIDs": []string{}, "isSendAll": true}); len(got.Results) != 4 {
			t.Errorf("to all: %+v", got)
		}
		body := sendText("alice", "", "x")
		if got := n.post(adminID, "/msg/batch_send_msg", body); got.status != 400 || got.ErrCode != 1001 {
			t.Errorf("without recvIDs: status %d, errCode %d", got.status, got.ErrCode)
		}
	})
}

func TestSendSimple(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		n := start(t, open, "alice", "bot", "carol")
		n.must(n.post("bot", "/msg/send_simple_msg?key="+simpleKey("alice", "bot", ""), object{"content": "an answer"}))
		pulled := into[sdkws.PullMessageBySeqsResp](t, n.must(n.post("alice", "/msg/pull_msg_by_seq",
			object{"userID": "alice", "seqRanges": []any{object{"conversationID": "si_alice_bot", "begin": 1, "end": 9, "num": 9}}})))
		msgs := pulled.Msgs["si_alice_bot"].GetMsgs()
		if len(msgs) != 1 || msgs[0].SendID != "bot" || string(msgs[0].Content) != `{"content":"an answer"}` || msgs[0].ContentType != 118 ||
			msgs[0].SenderNickname != "nick bot" || msgs[0].MsgFrom != 100 {
			t.Errorf("%v", msgs)
		}
		n.must(n.post(adminID, "/group/create_group", object{
			"ownerUserID": "alice", "memberUserIDs": []string{"bot"}, "groupInfo": object{"groupID": "g", "groupType": 2},
		}))
		n.must(n.post("bot", "/msg/send_simple_msg?key="+simpleKey("alice", "", "g"), object{"sendID": "bot", "content": "to all"}))
		if got := n.post(adminID, "/msg/send_simple_msg?key="+simpleKey("alice", "", "g"), object{"sendID": "carol", "content": "x"}); got.ErrCode != 1203 {
			t.Errorf("by a stranger: errCode %d", got.ErrCode)
		}
		if got := n.post("bot", "/msg/send_simple_msg?key="+simpleKey("alice", "bot", ""), object{}); got.status != 400 {
			t.Errorf("no content: status %d", got.status)
		}
	})
}

func TestProfileIsAnnounced(t *testing.T) {
	n := start(t, storetest.SQLite(t), "alice", "bob")
	for name, call := range map[string]func() answer{
		"update": func() answer {
			return n.post("alice", "/user/update_user_info", object{"userInfo": object{"userID": "alice", "nickname": "A"}})
		},
		"update ex": func() answer {
			return n.post("alice", "/user/update_user_info_ex", object{"userInfo": object{"userID": "alice"}})
		},
		"option": func() answer {
			return n.post("alice", "/user/set_global_msg_recv_opt", object{"userID": "alice", "globalRecvMsgOpt": 2})
		},
	} {
		n.must(call())
		if sent := n.out.take(); len(sent) != 1 || sent[0].contentType != 1303 || !slices.Equal(sent[0].to, []string{"alice"}) {
			t.Errorf("%s: told %v", name, sent)
		}
	}
	n.must(n.post(adminID, "/user/update_user_info_ex", object{"userInfo": object{"userID": "alice", "nickname": "B"}}))
	if sent := n.out.take(); len(sent) != 1 || !slices.Contains(sent[0].to, "alice") {
		t.Errorf("by an administrator: told %v", sent)
	}
}

func TestUserCommands(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		n := start(t, open, "alice")
		n.must(n.post("alice", "/user/process_user_command_add", object{"userID": "alice", "type": 8, "uuid": "u", "value": "v", "ex": "e"}))
		n.must(n.post("alice", "/user/process_user_command_add", object{"userID": "alice", "type": 9, "uuid": "u", "value": "other"}))
		if got := n.post("alice", "/user/process_user_command_add", object{"userID": "alice", "type": 8, "uuid": "u"}); got.ErrCode != 1003 {
			t.Errorf("again: errCode %d", got.ErrCode)
		}
		n.must(n.post("alice", "/user/process_user_command_update", object{"userID": "alice", "type": 8, "uuid": "u", "value": "w"}))
		type list struct {
			CommandResp []struct {
				Type            int32
				UUID, Value, Ex string
			}
		}
		one := into[list](t, n.must(n.post("alice", "/user/process_user_command_get", object{"userID": "alice", "type": 8})))
		if len(one.CommandResp) != 1 || one.CommandResp[0].Value != "w" || one.CommandResp[0].Ex != "e" {
			t.Errorf("%+v", one)
		}
		n.must(n.post("alice", "/user/process_user_command_delete", object{"userID": "alice", "type": 8, "uuid": "u"}))
		if all := into[list](t, n.must(n.post("alice", "/user/process_user_command_get_all", object{"userID": "alice"}))); len(all.CommandResp) != 1 || all.CommandResp[0].Value != "other" {
			t.Errorf("%+v", all)
		}
	})
}

func TestFindUsers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		n := start(t, open, "alice", "bob", "al_100", "Alfred")
		for _, c := range []struct {
			id, nick string
			want     []string
		}{
			{"", "", []string{"alice", "bob", "al_100", "Alfred"}},
			{"AL", "", []string{"alice", "al_100", "Alfred"}},
			{"l_1", "", []string{"al_100"}},
			{"%", "", nil},
			{"bob", "nick alice", []string{"alice", "bob"}},
			{"", "nick B", []string{"bob"}},
			{adminID, "", nil},
		} {
			got := into[struct {
				Total int
				Users []struct{ UserID string }
			}](t, n.must(n.post(adminID, "/user/get_users", object{"userID": c.id, "nickName": c.nick, "pagination": object{"pageNumber": 1, "showNumber": 10}})))
			var ids []string
			for _, u := range got.Users {
				ids = append(ids, u.UserID)
			}
			if !slices.Equal(ids, c.want) || got.Total != len(c.want) {
				t.Errorf("%q %q: %v of %d, want %v", c.id, c.nick, ids, got.Total, c.want)
			}
		}
	})
}

func TestSortedConversations(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		n := start(t, open, "alice", "bob", "carol", "dave", "erin")
		list := func(body object) conversation.GetSortedConversationListResp {
			t.Helper()
			body["userID"] = "alice"
			if body["pagination"] == nil {
				body["pagination"] = object{"pageNumber": 1, "showNumber": 10}
			}
			return into[conversation.GetSortedConversationListResp](t, n.must(n.post("alice", "/conversation/get_sorted_conversation_list", body)))
		}
		if got := n.post("alice", "/conversation/get_sorted_conversation_list", object{"userID": "alice", "pagination": object{"pageNumber": 1, "showNumber": 1}}); got.ErrCode != 1004 {
			t.Errorf("no conversation: errCode %d", got.ErrCode)
		}
		at := 1_700_000_000_000
		for i, from := range []string{"bob", "carol", "dave", "carol"} {
			m := sendText(from, "alice", fmt.Sprint("text ", i))
			m["sendTime"] = at + i
			n.must(n.post(adminID, "/msg/send_msg", m))
		}
		n.must(n.post("erin", "/group/create_group", object{
			"ownerUserID": "erin", "memberUserIDs": []string{"alice"}, "groupInfo": object{"groupID": "g", "groupName": "G", "groupType": 2}, "sendMessage": false,
		}))
		n.must(n.post("alice", "/conversation/set_conversations", object{
			"userIDs": []string{"alice"}, "conversation": object{"conversationID": "si_alice_bob", "conversationType": 1, "userID": "bob", "isPinned": true},
		}))
		got := list(object{})
		var order []string
		for _, e := range got.ConversationElems {
			order = append(order, fmt.Sprintf("%s %d", e.ConversationID, e.UnreadCount))
		}
		if want := []string{"si_alice_bob 1", "si_alice_carol 2", "si_alice_dave 1", "sg_g 0"}; !slices.Equal(order, want) {
			t.Errorf("%v, want %v", order, want)
		}
		if got.ConversationTotal != 3 || got.UnreadTotal != 4 {
			t.Errorf("totals %d, %d", got.ConversationTotal, got.UnreadTotal)
		}
		if m := got.ConversationElems[1].MsgInfo; m.SenderName != "nick carol" || m.Content != `{"content":"text 3"}` {
			t.Errorf("newest of carol: %v", m)
		}
		if got.ConversationElems[3].MsgInfo != nil {
			t.Errorf("newest of an empty group: %v", got.ConversationElems[3].MsgInfo)
		}
		if page := list(object{"pagination": object{"pageNumber": 2, "showNumber": 3}}); len(page.ConversationElems) != 1 {
			t.Errorf("second page: %v", page.ConversationElems)
		}
		if page := list(object{"pagination": object{"pageNumber": 9, "showNumber": 3}}); len(page.ConversationElems) != 0 {
			t.Errorf("ninth page: %v", page.ConversationElems)
		}
		if some := list(object{"conversationIDs": []string{"si_alice_dave", "si_none"}}); len(some.ConversationElems) != 1 {
			t.Errorf("chosen: %v", some.ConversationElems)
		}
	})
}
