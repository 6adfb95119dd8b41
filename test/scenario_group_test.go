package test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

const (
	cmdCreateGroup = "callbackBeforeCreateGroupCommand"
	cmdMembersJoin = "callbackBeforeMembersJoinGroupCommand"
	cmdInvite      = "callbackBeforeInviteJoinGroupCommand"
	cmdApply       = "callbackBeforeJoinGroupCommand"
	cmdSetGroup    = "callbackBeforeSetGroupInfoCommand"
	cmdSetGroupEx  = "callbackBeforeSetGroupInfoExCommand"
	cmdProfileEx   = "callbackBeforeUpdateUserInfoExCommand"
)

type fields = map[string]any

// found makes a group by REST as the administrator.
func (n *node) found(t *testing.T, operationID, groupID string, verification int, owner string, members ...string) refusal {
	t.Helper()
	r, err := n.rest(t.Context(), operationID, "/group/create_group", fields{
		"ownerUserID": owner, "memberUserIDs": members,
		"groupInfo": fields{"groupID": groupID, "groupName": groupID, "groupType": 2, "needVerification": verification},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (n *node) memberIDs(t *testing.T, groupID string) []string {
	t.Helper()
	var got struct{ UserIDs []string }
	n.call(t, "/group/get_full_group_member_user_ids", fields{"groupID": groupID}, &got)
	return slices.Sorted(slices.Values(got.UserIDs))
}

func (n *node) groupExists(t *testing.T, groupID string) bool {
	t.Helper()
	var got struct{ GroupInfos []struct{ GroupID string } }
	n.call(t, "/group/get_groups_info", fields{"groupIDs": []string{groupID}}, &got)
	return len(got.GroupInfos) > 0
}

// TestS11CreateGroupNaming: which callbacks are asked when somebody joins, and in
// which order.
func TestS11CreateGroupNaming(t *testing.T) {
	t.Parallel()
	b := startBusiness(t)
	n := startNode(t, setup{files: everyCallback(b.URL, "failedContinue: false", "beforeCreateGroup", "beforeMemberJoinGroup", "beforeApplyJoinGroup", "beforeInviteUserToGroup")})
	n.register(t, "owner", "m1", "m2", "guest", "guest2")
	asked := func(what string, do func(), want ...string) []callback {
		t.Helper()
		before := len(b.got(cmdCreateGroup, cmdMembersJoin, cmdApply, cmdInvite))
		do()
		calls := b.got(cmdCreateGroup, cmdMembersJoin, cmdApply, cmdInvite)[before:]
		if got := commandsOf(calls); !slices.Equal(got, want) {
			t.Fatalf("%s: asked %v, want %v", what, got, want)
		}
		return calls
	}
	calls := asked("a group is made", func() { n.found(t, "s11", "asks", 1, "owner", "m1", "m2") }, cmdCreateGroup, cmdMembersJoin)
	var joining struct{ MemberList []struct{ UserID string } }
	if err := json.Unmarshal(calls[1].Raw, &joining); err != nil || len(joining.MemberList) != 3 {
		t.Errorf("%s, %v", calls[1].Raw, err)
	}
	if calls[0].Event.OperationID != "s11" {
		t.Errorf("asked about the operation %q", calls[0].Event.OperationID)
	}
	apply := func(groupID, userID string) func() {
		return func() {
			n.call(t, "/group/join_group", fields{"groupID": groupID, "reqMessage": "me", "joinSource": 3, "inviterUserID": userID}, nil)
		}
	}
	asked("somebody applies", apply("asks", "guest"), cmdApply)
	asked("he is let in", func() {
		n.call(t, "/group/group_application_response", fields{"groupID": "asks", "fromUserID": "guest", "handleResult": 1}, nil)
	}, cmdMembersJoin)
	asked("an open group", func() { n.found(t, "s11-open", "open", 2, "owner", "m1") }, cmdCreateGroup, cmdMembersJoin)
	asked("somebody walks in", apply("open", "guest"), cmdApply, cmdMembersJoin)
	asked("somebody is invited", func() {
		n.call(t, "/group/invite_user_to_group", fields{"groupID": "open", "invitedUserIDs": []string{"m2", "guest2"}}, nil)
	}, cmdInvite, cmdMembersJoin)
	asked("an application is refused", func() {
		apply("asks", "guest2")()
		n.call(t, "/group/group_application_response", fields{"groupID": "asks", "fromUserID": "guest2", "handleResult": -1}, nil)
	}, cmdApply)
}

// TestS12SlowHandler: the operation ends at the timeout as the operator said, and
// nobody else waits.
func TestS12SlowHandler(t *testing.T) {
	t.Parallel()
	for _, failedContinue := range []bool{true, false} {
		t.Run(fmt.Sprint("failedContinue ", failedContinue), func(t *testing.T) {
			t.Parallel()
			b := startBusiness(t)
			entered := make(chan struct{})
			b.on(cmdCreateGroup, func(w http.ResponseWriter, r *http.Request, c callback) {
				if c.Event.GroupID == "slow" {
					close(entered)
					hangs(w, r, c)
				}
				says(approval)(w, r, c)
			})
			n := startNode(t, setup{files: everyCallback(b.URL, fmt.Sprintf("failedContinue: %t, timeout: 2", failedContinue), "beforeCreateGroup")})
			n.register(t, "owner", "m1", "m2")
			answered := make(chan refusal, 1)
			go func() {
				r, err := n.rest(context.Background(), "s12", "/group/create_group", fields{
					"ownerUserID": "owner", "memberUserIDs": []string{"m1"}, "groupInfo": fields{"groupID": "slow", "groupName": "g", "groupType": 2},
				}, nil)
				if err != nil {
					t.Error(err)
				}
				answered <- r
			}()
			<-entered
			// The same people, other groups: nobody is kept waiting.
			n.found(t, "s12-other", "other", 0, "owner", "m1")
			n.call(t, "/group/invite_user_to_group", fields{"groupID": "other", "invitedUserIDs": []string{"m2"}}, nil)
			n.call(t, "/user/update_user_info_ex", fields{"userInfo": fields{"userID": "owner", "nickname": "O"}}, nil)
			select {
			case r := <-answered:
				t.Fatalf("answered %+v before anything could have happened", r)
			default:
			}
			r := <-answered
			if failedContinue {
				if r.ErrCode != 0 || !slices.Equal(n.memberIDs(t, "slow"), []string{"m1", "owner"}) {
					t.Errorf("answered %+v, members %v", r, n.memberIDs(t, "slow"))
				}
				n.awaitOutput("WARN", "webhook", "beforeCreateGroup", "timeout after 2s", "going on without it")
				return
			}
			if r.ErrCode != 90004 || !strings.Contains(r.ErrDlt, "beforeCreateGroup") || !strings.Contains(r.ErrDlt, "timeout after 2s") {
				t.Errorf("answered %+v", r)
			}
			if n.groupExists(t, "slow") {
				t.Error("the group was made")
			}
			n.awaitEmptyOutbox(t)
			for _, c := range b.events("callbackAfterCreateGroupCommand") {
				if c.Event.GroupID == "slow" {
					t.Errorf("told of %s", c.Raw)
				}
			}
		})
	}
	t.Run("a handler that can do one thing at a time calls back", func(t *testing.T) {
		t.Parallel()
		b := startBusiness(t)
		var worker sync.Mutex
		var n *node
		inner := make(chan refusal, 1)
		b.on(cmdCreateGroup, func(w http.ResponseWriter, r *http.Request, c callback) {
			worker.Lock()
			defer worker.Unlock()
			if c.Event.GroupID == "outer" {
				got, err := n.rest(context.Background(), "s12-inner", "/group/create_group", fields{
					"ownerUserID": "owner", "memberUserIDs": []string{"m1"}, "groupInfo": fields{"groupID": "inner", "groupName": "g", "groupType": 2},
				}, nil)
				if err != nil {
					t.Error(err)
				}
				inner <- got
			}
			says(approval)(w, r, c)
		})
		n = startNode(t, setup{files: everyCallback(b.URL, "failedContinue: false, timeout: 1", "beforeCreateGroup")})
		n.register(t, "owner", "m1")
		outer := n.found(t, "s12-outer", "outer", 0, "owner", "m1")
		for _, r := range []refusal{outer, <-inner} {
			if r.ErrCode != 90004 || !strings.Contains(r.ErrDlt, "beforeCreateGroup: timeout after 1s") {
				t.Errorf("answered %+v", r)
			}
		}
		if n.groupExists(t, "outer") || n.groupExists(t, "inner") {
			t.Error("a group was made")
		}
	})
}

// TestS13LargeGroup: one question about 500 first members.
func TestS13LargeGroup(t *testing.T) {
	t.Parallel()
	b := startBusiness(t)
	n := startNode(t, setup{files: everyCallback(b.URL, "failedContinue: false", "beforeMemberJoinGroup")})
	members := make([]string, 500)
	for i := range members {
		members[i] = fmt.Sprint("member", i)
	}
	n.register(t, append(members, "owner")...)
	if r := n.found(t, "s13", "large", 0, "owner", members...); r.ErrCode != 0 {
		t.Fatalf("%+v", r)
	}
	calls := b.got(cmdMembersJoin)
	if len(calls) != 1 {
		t.Fatalf("%d questions", len(calls))
	}
	var asked struct{ MemberList []struct{ UserID string } }
	if err := json.Unmarshal(calls[0].Raw, &asked); err != nil || len(asked.MemberList) != 501 {
		t.Errorf("%d members in %s, %v", len(asked.MemberList), calls[0].Raw[:200], err)
	}
}

// TestS18KickThenReinvite: an answer with text behind it decides as the operator
// said about failures, and the next one counts at once.
func TestS18KickThenReinvite(t *testing.T) {
	t.Parallel()
	trailing := approval + "Callback done"
	for _, failedContinue := range []bool{true, false} {
		t.Run(fmt.Sprint("failedContinue ", failedContinue), func(t *testing.T) {
			t.Parallel()
			b := startBusiness(t)
			n := startNode(t, setup{files: everyCallback(b.URL, fmt.Sprint("failedContinue: ", failedContinue), "beforeInviteUserToGroup", "beforeMemberJoinGroup")})
			n.register(t, "owner", "m1", "a")
			n.found(t, "s18", "g", 0, "owner", "m1")
			invite := func(operationID string) refusal {
				r, err := n.rest(t.Context(), operationID, "/group/invite_user_to_group", fields{"groupID": "g", "invitedUserIDs": []string{"a"}}, nil)
				if err != nil {
					t.Fatal(err)
				}
				return r
			}
			if r := invite("s18-first"); r.ErrCode != 0 {
				t.Fatalf("%+v", r)
			}
			n.call(t, "/group/kick_group", fields{"groupID": "g", "kickedUserIDs": []string{"a"}}, nil)
			b.on(cmdInvite, says(trailing))
			r := invite("s18-second")
			inside := slices.Contains(n.memberIDs(t, "g"), "a")
			if failedContinue {
				if r.ErrCode != 0 || !inside {
					t.Errorf("answered %+v, inside %t", r, inside)
				}
				n.awaitOutput("WARN", "beforeInviteUserToGroup", "after top-level value", "Callback done", "s18-second")
				return
			}
			if r.ErrCode != 90007 || !strings.Contains(r.ErrDlt, "beforeInviteUserToGroup") || !strings.HasSuffix(r.ErrDlt, "response format error") || inside {
				t.Errorf("answered %+v, inside %t", r, inside)
			}
			b.on(cmdInvite, nil)
			if r := invite("s18-third"); r.ErrCode != 0 || !slices.Contains(n.memberIDs(t, "g"), "a") {
				t.Errorf("after the handler was repaired: %+v", r)
			}
			n.awaitEmptyOutbox(t)
			var joined []string
			for _, c := range b.events("callbackAfterJoinGroupCommand") {
				joined = append(joined, c.Event.OperationID)
			}
			if want := []string{"s18-first", "s18-third"}; !slices.Equal(joined, want) {
				t.Errorf("told of joining by %v, want %v", joined, want)
			}
		})
	}
}

// TestS21OverrideSafety: answers that made OpenIM lose data or fail.
func TestS21OverrideSafety(t *testing.T) {
	t.Parallel()
	b := startBusiness(t)
	n := startNode(t, setup{files: everyCallback(b.URL, "failedContinue: false",
		"beforeSetGroupInfo", "beforeSetGroupInfoEx", "beforeMsgModify", "beforeMemberJoinGroup", "beforeUpdateUserInfoEx",
		"beforeUserRegister", "beforeImportFriends", "beforeCreateGroup")})
	n.register(t, "owner", "m1", "a")
	b.on(cmdMembersJoin, says(`{"actionCode":0,"nextCode":0,"memberCallbackList":[{"nickname":"nobody"},{"userID":null,"ex":"x"},{"userID":"m1","nickname":"N"}]}`))
	if r := n.found(t, "s21", "g", 0, "owner", "m1"); r.ErrCode != 0 {
		t.Fatalf("an item without a user: %+v", r)
	}
	type profile struct{ GroupID, GroupName, Introduction, FaceURL, Notification, Ex string }
	now := func() profile {
		var got struct{ GroupInfos []profile }
		n.call(t, "/group/get_groups_info", fields{"groupIDs": []string{"g"}}, &got)
		return got.GroupInfos[0]
	}
	n.call(t, "/group/set_group_info_ex", fields{"groupID": "g", "introduction": "i", "faceURL": "f", "ex": "e"}, nil)
	before := now()

	// The bare envelope changes nothing of what was asked for.
	n.call(t, "/group/set_group_info", fields{"groupInfoForSet": fields{"groupID": "g", "groupName": "one"}}, nil)
	before.GroupName = "one"
	if got := now(); got != before {
		t.Errorf("by the older request: %+v, want %+v", got, before)
	}
	n.call(t, "/group/set_group_info_ex", fields{"groupID": "g", "groupName": "two"}, nil)
	before.GroupName = "two"
	if got := now(); got != before {
		t.Errorf("%+v, want %+v", got, before)
	}
	// An announcement from the answer is applied, another group's id is not.
	for i, command := range []string{cmdSetGroup, cmdSetGroupEx} {
		before.GroupName, before.Notification = fmt.Sprint("n", i), fmt.Sprint("announced", i)
		b.on(command, says(fmt.Sprintf(`{"actionCode":0,"nextCode":0,"groupID":"other","notification":%q}`, before.Notification)))
	}
	before.GroupName, before.Notification = "n0", "announced0"
	n.call(t, "/group/set_group_info", fields{"groupInfoForSet": fields{"groupID": "g", "groupName": "n0"}}, nil)
	if got := now(); got != before {
		t.Errorf("by the older request: %+v, want %+v", got, before)
	}
	before.GroupName, before.Notification = "n1", "announced1"
	n.call(t, "/group/set_group_info_ex", fields{"groupID": "g", "groupName": "n1"}, nil)
	if got := now(); got != before {
		t.Errorf("%+v, want %+v", got, before)
	}

	b.on(cmdModify, says(`{"actionCode":0,"nextCode":0,"offlinePushInfo":{"title":"t","desc":"d"}}`))
	if got := n.send(t, post{from: "owner", to: "a", content: text("hi"), operationID: "s21"}); got.ErrCode != 0 {
		t.Errorf("push info for a message without any: %+v", got)
	}

	b.on(cmdProfileEx, says(`{"actionCode":0,"nextCode":0,"faceURL":"new face"}`))
	n.call(t, "/user/update_user_info_ex", fields{"userInfo": fields{"userID": "a", "nickname": "A"}}, nil)
	var users struct {
		UsersInfo []struct{ Nickname, FaceURL string }
	}
	n.call(t, "/user/get_users_info", fields{"userIDs": []string{"a"}}, &users)
	if u := users.UsersInfo[0]; u.Nickname != "A" || u.FaceURL != "new face" {
		t.Errorf("a field that was not sent: %+v", u)
	}

	// What is not allowed to a caller is not to a handler either.
	for _, c := range []struct {
		command, change, path string
		body                  fields
		code                  int
	}{
		{"callbackBeforeUserRegisterCommand", `"users":[{"userID":"owner","nickname":"again"}]`, "/user/user_register", fields{"users": []fields{{"userID": "x1", "nickname": "n"}}}, 1102},
		{"callbackBeforeUserRegisterCommand", `"users":[{"userID":"a:b","nickname":"n"}]`, "/user/user_register", fields{"users": []fields{{"userID": "x1", "nickname": "n"}}}, 1001},
		{"callbackBeforeUserRegisterCommand", `"users":[{"userID":"y","nickname":"n"},{"userID":"y","nickname":"n"}]`, "/user/user_register", fields{"users": []fields{{"userID": "x1", "nickname": "n"}}}, 1001},
		{"callbackBeforeImportFriendsCommand", `"friendUserIDs":["owner"]`, "/friend/import_friend", fields{"ownerUserID": "owner", "friendUserIDs": []string{"a"}}, 1301},
		{"callbackBeforeImportFriendsCommand", `"friendUserIDs":["nobody"]`, "/friend/import_friend", fields{"ownerUserID": "owner", "friendUserIDs": []string{"a"}}, 1004},
		{cmdCreateGroup, `"groupID":"g"`, "/group/create_group", fields{"ownerUserID": "owner", "groupInfo": fields{"groupName": "g", "groupType": 2}}, 1202},
		{cmdCreateGroup, `"groupType":1`, "/group/create_group", fields{"ownerUserID": "owner", "groupInfo": fields{"groupName": "g", "groupType": 2}}, 1001},
		{cmdCreateGroup, `"status":2`, "/group/create_group", fields{"ownerUserID": "owner", "groupInfo": fields{"groupName": "g", "groupType": 2}}, 1001},
		{cmdCreateGroup, `"ownerUserID":"nobody"`, "/group/create_group", fields{"ownerUserID": "owner", "groupInfo": fields{"groupName": "g", "groupType": 2}}, 1101},
	} {
		b.on(c.command, says(strings.TrimSuffix(approval, "}")+","+c.change+"}"))
		if r := n.post(t, c.path, c.body, nil); r.ErrCode != c.code {
			t.Errorf("%s answers %s: %+v, want %d", c.command, c.change, r, c.code)
		}
		b.on(c.command, nil)
	}

	// A handler may give a new group another owner.
	b.on(cmdCreateGroup, says(`{"actionCode":0,"nextCode":0,"ownerUserID":"a","applyMemberFriend":1}`))
	if r := n.found(t, "s21-owner", "given", 0, "owner", "m1", "a"); r.ErrCode != 0 {
		t.Fatalf("%+v", r)
	}
	var given struct {
		GroupInfos []struct {
			OwnerUserID                    string
			MemberCount, ApplyMemberFriend int
		}
	}
	n.call(t, "/group/get_groups_info", fields{"groupIDs": []string{"given"}}, &given)
	if g := given.GroupInfos[0]; g.OwnerUserID != "a" || g.MemberCount != 3 || g.ApplyMemberFriend != 1 {
		t.Errorf("the group is %+v", g)
	}
}
