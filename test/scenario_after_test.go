package test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/parley-im/parley/internal/webhook/registry"
)

// everyCallback has all after-callbacks on, and the named before-callbacks.
func everyCallback(url, options string, before ...string) map[string]string {
	var b strings.Builder
	fmt.Fprintf(&b, "url: %s/webhook\n", url)
	for _, c := range registry.All() {
		if c.Kind == registry.After {
			fmt.Fprintf(&b, "%s: {enable: true}\n", c.Key)
		} else if slices.Contains(before, c.Key) {
			fmt.Fprintf(&b, "%s: {enable: true, %s}\n", c.Key, options)
		}
	}
	return map[string]string{"webhooks.yml": b.String()}
}

// TestEveryAfterCallback makes one operation after the other and compares what
// is told of each: neither less nor more, and every after-callback of the
// registry at least once.
func TestEveryAfterCallback(t *testing.T) {
	t.Parallel()
	b := startBusiness(t)
	n := startNode(t, setup{files: everyCallback(b.URL, "")})
	const chats, groupChats = "afterCreateSingleChatConversations", "afterCreateGroupChatConversations"
	seen := map[string]bool{}
	step := 0
	// do makes a call that must succeed and returns what was told of it, by key.
	do := func(path string, body any, want ...string) map[string][]callback {
		t.Helper()
		step++
		operation := fmt.Sprintf("step-%d", step)
		if r, err := n.rest(t.Context(), operation, path, body, nil); err != nil || r.ErrCode != 0 {
			t.Fatalf("%s: %+v, %v", path, r, err)
		}
		n.awaitEmptyOutbox(t)
		told := make(map[string][]callback)
		var keys []string
		for _, c := range b.events() {
			if c.Header.Get("operationID") != operation {
				continue
			}
			d, ok := registry.ByCommand(c.Command)
			if !ok {
				t.Fatalf("%s is no command", c.Command)
			}
			told[d.Key], keys, seen[d.Key] = append(told[d.Key], c), append(keys, d.Key), true
		}
		slices.Sort(keys)
		if slices.Sort(want); !slices.Equal(keys, want) {
			t.Errorf("%s %v: told of %v, want %v", path, body, keys, want)
		}
		return told
	}
	type m = map[string]any
	// has compares some fields of a body.
	has := func(c []callback, want m) {
		t.Helper()
		if len(c) == 0 {
			t.Errorf("nothing was told, want %v", want)
			return
		}
		var got m
		if err := json.Unmarshal(c[0].Raw, &got); err != nil {
			t.Fatal(err)
		}
		for k, v := range want {
			if fmt.Sprint(got[k]) != fmt.Sprint(v) {
				t.Errorf("%s says %s = %v, want %v", c[0].Command, k, got[k], v)
			}
		}
	}
	users := func(ids ...string) (list []m) {
		for _, id := range ids {
			list = append(list, m{"userID": id, "nickname": "nick " + id})
		}
		return list
	}

	// Users.
	do("/user/user_register", m{"users": users("alice", "bob", "carol", "dave", "erin", "frank")}, "afterUserRegister")
	do("/user/update_user_info", m{"userInfo": m{"userID": "alice", "nickname": "Alice"}}, "afterUpdateUserInfo")
	do("/user/update_user_info_ex", m{"userInfo": m{"userID": "alice", "ex": "e"}}, "afterUpdateUserInfoEx")
	do("/user/set_global_msg_recv_opt", m{"userID": "alice", "globalRecvMsgOpt": 0})

	// Relations.
	do("/friend/add_friend", m{"fromUserID": "alice", "toUserID": "bob", "reqMsg": "hi"}, "afterAddFriend")
	do("/friend/add_friend_response", m{"fromUserID": "alice", "toUserID": "bob", "handleResult": -1})
	do("/friend/add_friend", m{"fromUserID": "alice", "toUserID": "bob", "reqMsg": "please"}, "afterAddFriend")
	told := do("/friend/add_friend_response", m{"fromUserID": "alice", "toUserID": "bob", "handleResult": 1, "handleMsg": "yes"},
		"afterAddFriendAgree", chats, chats)
	has(told["afterAddFriendAgree"], m{"fromUserID": "alice", "blackUserID": "bob", "toUserID": "bob", "HandleResult": 1, "HandleMsg": "yes"})
	do("/friend/import_friend", m{"ownerUserID": "alice", "friendUserIDs": []string{"carol"}}, "afterImportFriends", chats, chats)
	do("/friend/set_friend_remark", m{"ownerUserID": "alice", "friendUserID": "bob", "remark": "B"}, "afterSetFriendRemark")
	told = do("/friend/update_friends", m{"ownerUserID": "alice", "friendUserIDs": []string{"bob", "carol", "dave"}, "remark": "mate"},
		"afterSetFriendRemark", "afterSetFriendRemark")
	has(told["afterSetFriendRemark"], m{"ownerUserID": "alice", "friendUserID": "bob", "remark": "mate"})
	has(told["afterSetFriendRemark"][1:], m{"friendUserID": "carol", "remark": "mate"})
	do("/friend/update_friends", m{"ownerUserID": "alice", "friendUserIDs": []string{"bob"}, "isPinned": true})
	do("/friend/delete_friend", m{"ownerUserID": "alice", "friendUserID": "carol"}, "afterDeleteFriend")
	do("/friend/delete_friend", m{"ownerUserID": "alice", "friendUserID": "carol"})
	do("/friend/add_black", m{"ownerUserID": "alice", "blackUserID": "dave"})
	do("/friend/remove_black", m{"ownerUserID": "alice", "blackUserID": "dave"}, "afterRemoveBlack")
	do("/friend/remove_black", m{"ownerUserID": "alice", "blackUserID": "dave"})

	// Groups: every way to join is told of, once for each who joins.
	create := func(id string, verification int, want ...string) map[string][]callback {
		return do("/group/create_group", m{
			"ownerUserID": "alice", "adminUserIDs": []string{"carol"}, "memberUserIDs": []string{"bob"},
			"groupInfo": m{"groupID": id, "groupName": "G", "groupType": 2, "needVerification": verification},
		}, want...)
	}
	told = create("g", 0, "afterCreateGroup", groupChats)
	has(told["afterCreateGroup"], m{"groupID": "g", "ownerUserID": "alice", "memberCount": 3, "initMemberList": []m{
		{"userID": "alice", "roleLevel": 100}, {"userID": "carol", "roleLevel": 60}, {"userID": "bob", "roleLevel": 20},
	}})
	create("open", 2, "afterCreateGroup", groupChats)
	told = do("/group/join_group", m{"groupID": "open", "reqMessage": "me", "joinSource": 3, "inviterUserID": "dave"}, "afterJoinGroup", groupChats)
	has(told["afterJoinGroup"], m{"groupID": "open", "userID": "dave", "inviterUserID": "dave", "joinSource": 3, "reqMessage": "me"})
	told = do("/group/invite_user_to_group", m{"groupID": "g", "invitedUserIDs": []string{"dave", "erin"}, "reason": "come"},
		"afterJoinGroup", "afterJoinGroup", groupChats)
	has(told["afterJoinGroup"], m{"groupID": "g", "userID": "dave", "inviterUserID": "imAdmin", "joinSource": 2})
	has(told["afterJoinGroup"][1:], m{"userID": "erin"})
	do("/group/join_group", m{"groupID": "g", "reqMessage": "me too", "joinSource": 3, "inviterUserID": "frank"})
	told = do("/group/group_application_response", m{"groupID": "g", "fromUserID": "frank", "handleResult": 1}, "afterJoinGroup", groupChats)
	has(told["afterJoinGroup"], m{"groupID": "g", "userID": "frank", "inviterUserID": "frank", "joinSource": 3, "reqMessage": "me too"})

	do("/group/set_group_info", m{"groupInfoForSet": m{"groupID": "g", "groupName": "H"}}, "afterSetGroupInfo")
	told = do("/group/set_group_info_ex", m{"groupID": "g", "notification": " padded "}, "afterSetGroupInfoEx")
	has(told["afterSetGroupInfoEx"], m{"groupID": "g", "notification": "padded", "groupName": nil})
	do("/group/set_group_info_ex", m{"groupID": "g"})
	do("/group/set_group_member_info", m{"members": []m{{"groupID": "g", "userID": "bob", "nickname": "B"}, {"groupID": "g", "userID": "dave", "roleLevel": 60}}},
		"afterSetGroupMemberInfo", "afterSetGroupMemberInfo")
	do("/group/mute_group", m{"groupID": "g"})
	do("/group/cancel_mute_group", m{"groupID": "g"})
	do("/group/transfer_group", m{"groupID": "g", "oldOwnerUserID": "alice", "newOwnerUserID": "bob"}, "afterTransferGroupOwner")
	do("/group/quit_group", m{"groupID": "g", "userID": "dave"}, "afterQuitGroup")
	told = do("/group/kick_group", m{"groupID": "g", "kickedUserIDs": []string{"erin", "frank"}, "reason": "out"}, "afterKickGroupMember")
	has(told["afterKickGroupMember"], m{"groupID": "g", "kickedUserIDs": []string{"erin", "frank"}, "reason": "out", "opUserID": "imAdmin"})
	// Who comes back has his conversation still.
	do("/group/invite_user_to_group", m{"groupID": "g", "invitedUserIDs": []string{"erin"}}, "afterJoinGroup")

	// Messages.
	send := func(to m, want ...string) map[string][]callback {
		body := m{"sendID": "alice", "senderPlatformID": 1, "content": m{"content": "hi"}, "contentType": 101}
		for k, v := range to {
			body[k] = v
		}
		return do("/msg/send_msg", body, want...)
	}
	send(m{"recvID": "erin", "sessionType": 1}, "afterSendSingleMsg", "afterMsgSaveDB", chats, chats)
	send(m{"recvID": "erin", "sessionType": 1}, "afterSendSingleMsg", "afterMsgSaveDB")
	send(m{"groupID": "g", "sessionType": 3}, "afterSendGroupMsg", "afterMsgSaveDB")
	do("/msg/mark_msgs_as_read", m{"userID": "erin", "conversationID": "si_alice_erin", "seqs": []int{1}}, "afterSingleMsgRead")
	do("/msg/mark_conversation_as_read", m{"userID": "bob", "conversationID": "sg_g", "hasReadSeq": 1}, "afterGroupMsgRead")
	do("/msg/revoke_msg", m{"userID": "alice", "conversationID": "si_alice_erin", "seq": 1}, "afterRevokeMsg")
	var newest struct{ MaxSeqs map[string]int64 }
	n.call(t, "/msg/newest_seq", m{"userID": "alice"}, &newest)
	do("/msg/revoke_msg", m{"userID": "alice", "conversationID": "sg_g", "seq": newest.MaxSeqs["sg_g"]}, "afterRevokeMsg", "afterGroupMsgRevoke")

	// A group ends once, with all its members.
	told = do("/group/dismiss_group", m{"groupID": "g"}, "afterDismissGroup")
	has(told["afterDismissGroup"], m{"groupID": "g", "ownerID": "bob", "groupType": "2"})
	var ended struct{ MembersID []string }
	if err := json.Unmarshal(told["afterDismissGroup"][0].Raw, &ended); err != nil {
		t.Fatal(err)
	}
	if slices.Sort(ended.MembersID); !slices.Equal(ended.MembersID, []string{"alice", "bob", "carol", "erin"}) {
		t.Errorf("the group ended with %v", ended.MembersID)
	}
	if r := n.post(t, "/group/dismiss_group", m{"groupID": "g"}, nil); r.ErrCode != 1204 {
		t.Errorf("a second end: %+v", r)
	}
	do("/group/dismiss_group", m{"groupID": "open", "deleteMember": true}, "afterDismissGroup")

	for _, c := range registry.All() {
		if c.Kind == registry.After && c.Group != "presence" && !seen[c.Key] { // of presence tell S8 to S10
			t.Errorf("nothing is told by %s", c.Key)
		}
	}
}
