package test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestRulesMeanwhile: what happens while a handler is asked counts. Nothing is
// locked meanwhile: the handler itself makes the change through the API.
func TestRulesMeanwhile(t *testing.T) {
	t.Parallel()
	b := startBusiness(t)
	n := startNode(t, setup{files: everyCallback(b.URL, "failedContinue: false", "beforeUserRegister", "beforeAddFriend", "beforeAddFriendAgree",
		"beforeImportFriends", "beforeAddBlack", "beforeSetFriendRemark", "beforeInviteUserToGroup", "beforeMemberJoinGroup", "beforeCreateGroup",
		"beforeSetGroupInfoEx", "beforeSetGroupMemberInfo", "beforeUpdateUserInfoEx")})
	n.register(t, "owner", "m1", "a", "c", "d", "e")
	n.found(t, "meanwhile", "g", 2, "owner", "m1")
	n.call(t, "/friend/import_friend", fields{"ownerUserID": "owner", "friendUserIDs": []string{"m1"}}, nil)

	for _, c := range []struct {
		name, command string
		path          string
		body          fields
		meanwhile     string // path of what the handler does
		with          fields
		code          int
	}{
		{
			"the id is taken", "callbackBeforeUserRegisterCommand", "/user/user_register",
			fields{"users": []fields{{"userID": "x", "nickname": "first"}}},
			"/user/user_register",
			fields{"users": []fields{{"userID": "x", "nickname": "second"}}},
			1102,
		},
		{
			"they became friends", "callbackBeforeAddFriendCommand", "/friend/add_friend",
			fields{"fromUserID": "a", "toUserID": "c"},
			"/friend/import_friend",
			fields{"ownerUserID": "a", "friendUserIDs": []string{"c"}},
			1304,
		},
		{
			"the request was refused", "callbackBeforeAddFriendAgreeCommand", "/friend/add_friend_response",
			fields{"fromUserID": "d", "toUserID": "e", "handleResult": 1},
			"/friend/add_friend_response",
			fields{"fromUserID": "d", "toUserID": "e", "handleResult": -1},
			1001,
		},
		{
			"he is blocked", "callbackBeforeAddBlackCommand", "/friend/add_black",
			fields{"ownerUserID": "a", "blackUserID": "d"},
			"/friend/add_black",
			fields{"ownerUserID": "a", "blackUserID": "d"},
			1003,
		},
		{
			"he is no friend any more", "callbackBeforeSetFriendRemarkCommand", "/friend/set_friend_remark",
			fields{"ownerUserID": "owner", "friendUserID": "m1", "remark": "r"},
			"/friend/delete_friend",
			fields{"ownerUserID": "owner", "friendUserID": "m1"},
			1004,
		},
		{
			"the guest came by himself", cmdInvite, "/group/invite_user_to_group",
			fields{"groupID": "g", "invitedUserIDs": []string{"e"}},
			"/group/join_group",
			fields{"groupID": "g", "joinSource": 3, "inviterUserID": "e"},
			1001,
		},
		{
			"the group's id is taken", cmdCreateGroup, "/group/create_group",
			fields{"ownerUserID": "owner", "memberUserIDs": []string{"a"}, "groupInfo": fields{"groupID": "h", "groupName": "first", "groupType": 2}},
			"/group/create_group",
			fields{"ownerUserID": "owner", "memberUserIDs": []string{"a"}, "groupInfo": fields{"groupID": "h", "groupName": "second", "groupType": 2}},
			1202,
		},
		{
			"the member left", "callbackBeforeSetGroupMemberInfoCommand", "/group/set_group_member_info",
			fields{"members": []fields{{"groupID": "g", "userID": "m1", "nickname": "N"}}},
			"/group/quit_group",
			fields{"groupID": "g", "userID": "m1"},
			1001,
		},
		// The group asks now: he is not in, his wish waits for an answer.
		{
			"the group asks now", cmdMembersJoin, "/group/join_group",
			fields{"groupID": "g", "reqMessage": "let me in", "joinSource": 3, "inviterUserID": "c"},
			"/group/set_group_info",
			fields{"groupInfoForSet": fields{"groupID": "g", "needVerification": 1}},
			0,
		},
		{
			"the group ended", cmdSetGroupEx, "/group/set_group_info_ex",
			fields{"groupID": "g", "groupName": "N"},
			"/group/dismiss_group",
			fields{"groupID": "g"},
			1204,
		},
	} {
		if c.command == "callbackBeforeAddFriendAgreeCommand" {
			n.call(t, "/friend/add_friend", fields{"fromUserID": "d", "toUserID": "e"}, nil)
		}
		b.on(c.command, func(w http.ResponseWriter, r *http.Request, got callback) {
			b.on(c.command, nil) // the change is asked about too
			if answer, err := n.rest(context.Background(), "meanwhile", c.meanwhile, c.with, nil); err != nil || answer.ErrCode != 0 {
				t.Errorf("%s: the handler's change was answered %+v, %v", c.name, answer, err)
			}
			says(approval)(w, r, got)
		})
		if r := n.post(t, c.path, c.body, nil); r.ErrCode != c.code {
			t.Errorf("%s: answered %+v, want %d", c.name, r, c.code)
		}
		if c.code == 0 {
			if inside := n.memberIDs(t, "g"); slices.Contains(inside, "c") {
				t.Errorf("%s: members are %v", c.name, inside)
			}
			var got struct{ GroupRequests []struct{ ReqMsg string } }
			n.call(t, "/group/get_group_users_req_application_list", fields{"groupID": "g", "userIDs": []string{"c"}}, &got)
			if len(got.GroupRequests) != 1 || got.GroupRequests[0].ReqMsg != "let me in" {
				t.Errorf("%s: requests are %+v", c.name, got.GroupRequests)
			}
		}
	}
}

// TestSharedDeadline: all questions of one operation end at one deadline.
func TestSharedDeadline(t *testing.T) {
	t.Parallel()
	b := startBusiness(t)
	b.on(cmdCreateGroup, hangs)
	files := everyCallback(b.URL, "failedContinue: true, timeout: 30", "beforeCreateGroup", "beforeMemberJoinGroup", "beforeCreateGroupChatConversations")
	files["webhooks.yml"] += "beforeDeadline: 1\n"
	n := startNode(t, setup{files: files})
	n.register(t, "owner", "m1")
	if r := n.found(t, "deadline", "g", 0, "owner", "m1"); r.ErrCode != 0 {
		t.Fatalf("%+v", r)
	}
	for _, key := range []string{"beforeCreateGroup", "beforeMemberJoinGroup", "beforeCreateGroupChatConversations"} {
		n.awaitOutput("WARN", "callback="+key, "going on without it", "time of the whole operation was up", "operation_id=deadline")
	}
	if calls := b.got(cmdMembersJoin); len(calls) != 0 {
		t.Errorf("asked once more when the time was up: %s", calls[0].Raw)
	}
}

// TestRemarksOfSeveral: a request that names several friends asks about each;
// one refusal refuses them all.
func TestRemarksOfSeveral(t *testing.T) {
	t.Parallel()
	b := startBusiness(t)
	n := startNode(t, setup{files: everyCallback(b.URL, "failedContinue: false", "beforeSetFriendRemark")})
	n.register(t, "owner", "f1", "f2", "f3", "stranger")
	n.call(t, "/friend/import_friend", fields{"ownerUserID": "owner", "friendUserIDs": []string{"f1", "f2", "f3"}}, nil)
	remarks := func() string {
		var got struct {
			FriendsInfo []struct {
				Remark     string
				FriendUser struct{ UserID string }
			}
		}
		n.call(t, "/friend/get_designated_friends", fields{"ownerUserID": "owner", "friendUserIDs": []string{"f1", "f2", "f3"}}, &got)
		var all []string
		for _, f := range got.FriendsInfo {
			all = append(all, f.FriendUser.UserID+"="+f.Remark)
		}
		slices.Sort(all)
		return strings.Join(all, " ")
	}
	about := func(friend, answer string) answerer {
		return func(w http.ResponseWriter, r *http.Request, c callback) {
			if strings.Contains(string(c.Raw), `"friendUserID":"`+friend+`"`) {
				says(answer)(w, r, c)
				return
			}
			says(approval)(w, r, c)
		}
	}
	const command = "callbackBeforeSetFriendRemarkCommand"
	set := fields{"ownerUserID": "owner", "friendUserIDs": []string{"f1", "f2", "f3", "stranger"}, "remark": "asked"}
	b.on(command, about("f2", rejection))
	if r := n.post(t, "/friend/update_friends", set, nil); r.ErrCode != 5001 {
		t.Errorf("answered %+v", r)
	}
	if got := remarks(); got != "f1= f2= f3=" {
		t.Errorf("after a refusal: %s", got)
	}
	b.on(command, about("f2", `{"actionCode":0,"nextCode":0,"remark":"changed"}`))
	n.call(t, "/friend/update_friends", set, nil)
	if got := remarks(); got != "f1=asked f2=changed f3=asked" {
		t.Errorf("after a change: %s", got)
	}
	if calls := b.got(command); len(calls) > 6 {
		t.Errorf("%d questions about three friends, twice", len(calls))
	}
	n.awaitEmptyOutbox(t)
	var told []string
	for _, c := range b.events("callbackAfterSetFriendRemarkCommand") {
		var body struct{ FriendUserID, Remark string }
		if err := json.Unmarshal(c.Raw, &body); err != nil {
			t.Fatal(err)
		}
		told = append(told, body.FriendUserID+"="+body.Remark)
	}
	if slices.Sort(told); !slices.Equal(told, []string{"f1=asked", "f2=changed", "f3=asked"}) {
		t.Errorf("told of %v", told)
	}
}
