package api_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/openimsdk/protocol/group"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store/storetest"
)

// Every error of the routes that change groups: missing and unknown ids, lists
// that are empty, too long or repeat themselves, and callers without the right.
func TestGroupRefused(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		n := start(t, open, "alice", "bob", "carol", "dave", "erin")
		n.foundGroup("g", 0)
		n.foundGroup("ended", 0)
		n.must(n.post("alice", "/group/dismiss_group", object{"groupID": "ended"}))
		n.must(n.post("erin", "/group/join_group", object{"groupID": "g", "inviterUserID": "erin", "joinSource": 3}))
		n.out.take()
		many := make([]string, 1001)
		for i := range many {
			many[i] = fmt.Sprint("m", i)
		}
		page := object{"pageNumber": 1, "showNumber": 10}
		one := func(fields object) object { return object{"members": []any{fields}} }
		for _, c := range []struct {
			as, path string
			body     object
			code     int
		}{
			{"dave", "join_group", object{"groupID": "g", "inviterUserID": "erin", "joinSource": 3}, 1002},
			{"dave", "join_group", object{"groupID": "g", "joinSource": 3}, 1004},
			{"dave", "join_group", object{"groupID": "none", "inviterUserID": "dave", "joinSource": 3}, 1004},
			{"dave", "join_group", object{"groupID": "ended", "inviterUserID": "dave", "joinSource": 3}, 1204},
			{"dave", "join_group", object{"groupID": "g", "inviterUserID": "dave", "joinSource": 5}, 1001},
			{"dave", "join_group", object{"inviterUserID": "dave", "joinSource": 3}, 1001},
			{"bob", "join_group", object{"groupID": "g", "inviterUserID": "bob", "joinSource": 3}, 1001},
			{adminID, "join_group", object{"groupID": "g", "inviterUserID": "nobody", "joinSource": 3}, 1004},

			{"bob", "invite_user_to_group", object{"groupID": "g", "invitedUserIDs": []string{}}, 1001},
			{"bob", "invite_user_to_group", object{"groupID": "g", "invitedUserIDs": many}, 1001},
			{"bob", "invite_user_to_group", object{"groupID": "g", "invitedUserIDs": []string{"dave", "dave"}}, 1001},
			{"bob", "invite_user_to_group", object{"groupID": "g", "invitedUserIDs": []string{"alice"}}, 1001},
			{"bob", "invite_user_to_group", object{"groupID": "g", "invitedUserIDs": []string{"nobody"}}, 1004},
			{"bob", "invite_user_to_group", object{"groupID": "none", "invitedUserIDs": []string{"dave"}}, 1004},
			{"bob", "invite_user_to_group", object{"groupID": "ended", "invitedUserIDs": []string{"dave"}}, 1204},
			{"dave", "invite_user_to_group", object{"groupID": "g", "invitedUserIDs": []string{"dave"}}, 1002},

			{"alice", "kick_group", object{"groupID": "g", "kickedUserIDs": []string{}}, 1001},
			{"alice", "kick_group", object{"groupID": "g", "kickedUserIDs": many}, 1001},
			{"alice", "kick_group", object{"groupID": "g", "kickedUserIDs": []string{"bob", "bob"}}, 1001},
			{"alice", "kick_group", object{"groupID": "g", "kickedUserIDs": []string{"alice"}}, 1001},
			{"alice", "kick_group", object{"groupID": "g", "kickedUserIDs": []string{"dave"}}, 1101},
			{"alice", "kick_group", object{"groupID": "none", "kickedUserIDs": []string{"bob"}}, 1004},
			{"bob", "kick_group", object{"groupID": "g", "kickedUserIDs": []string{"carol"}}, 1002},
			{"dave", "kick_group", object{"groupID": "g", "kickedUserIDs": []string{"bob"}}, 1002},

			{"bob", "quit_group", object{"groupID": "g", "userID": "carol"}, 1002},
			{"dave", "quit_group", object{"groupID": "g"}, 1004},
			{"alice", "quit_group", object{"groupID": "g"}, 1002},
			{"alice", "quit_group", object{}, 1001},

			{"alice", "group_application_response", object{"groupID": "g", "fromUserID": "erin", "handleResult": 0}, 1001},
			{"alice", "group_application_response", object{"groupID": "g", "fromUserID": "erin", "handleResult": 2}, 1001},
			{"alice", "group_application_response", object{"groupID": "g", "fromUserID": "dave", "handleResult": 1}, 1004},
			{"alice", "group_application_response", object{"groupID": "g", "handleResult": 1}, 1001},
			{"bob", "group_application_response", object{"groupID": "g", "fromUserID": "erin", "handleResult": 1}, 1002},
			{"erin", "group_application_response", object{"groupID": "g", "fromUserID": "erin", "handleResult": 1}, 1004},

			{"bob", "dismiss_group", object{"groupID": "g"}, 1002},
			{adminID, "dismiss_group", object{"groupID": "none"}, 1004},
			{adminID, "dismiss_group", object{"groupID": "ended", "deleteMember": true}, 1204},

			{"alice", "transfer_group", object{"groupID": "g", "oldOwnerUserID": "alice", "newOwnerUserID": "alice"}, 1001},
			{"alice", "transfer_group", object{"groupID": "g", "oldOwnerUserID": "alice", "newOwnerUserID": "dave"}, 1001},
			{"alice", "transfer_group", object{"groupID": "g", "oldOwnerUserID": "alice"}, 1001},
			{"bob", "transfer_group", object{"groupID": "g", "oldOwnerUserID": "alice", "newOwnerUserID": "bob"}, 1002},
			{"bob", "transfer_group", object{"groupID": "g", "oldOwnerUserID": "bob", "newOwnerUserID": "carol"}, 1002},
			{adminID, "transfer_group", object{"groupID": "g", "oldOwnerUserID": "bob", "newOwnerUserID": "carol"}, 1001},

			{"bob", "mute_group", object{"groupID": "g"}, 1002},
			{"dave", "mute_group", object{"groupID": "g"}, 1004},
			{"bob", "cancel_mute_group", object{"groupID": "g"}, 1002},
			{adminID, "cancel_mute_group", object{"groupID": "ended"}, 1204},
			{"alice", "mute_group_member", object{"groupID": "g", "userID": "bob"}, 1001},
			{"alice", "mute_group_member", object{"groupID": "g", "userID": "dave", "mutedSeconds": 9}, 1004},
			{"carol", "mute_group_member", object{"groupID": "g", "userID": "alice", "mutedSeconds": 9}, 1002},
			{"bob", "cancel_mute_group_member", object{"groupID": "g", "userID": "bob"}, 1002},
			{"dave", "cancel_mute_group_member", object{"groupID": "g", "userID": "bob"}, 1004},

			{"bob", "set_group_info_ex", object{"groupID": "g", "groupName": "x"}, 1002},
			{"dave", "set_group_info_ex", object{"groupID": "g", "groupName": "x"}, 1004},
			{"alice", "set_group_info_ex", object{"groupID": "none", "groupName": "x"}, 1004},
			{"alice", "set_group_info", object{}, 1001},
			{"bob", "set_group_info", object{"groupInfoForSet": object{"groupID": "g", "groupName": "x"}}, 1002},

			{"alice", "set_group_member_info", object{"members": []any{}}, 1001},
			{"alice", "set_group_member_info", one(object{"groupID": "g", "userID": "bob", "roleLevel": 100}), 1002},
			{"alice", "set_group_member_info", one(object{"groupID": "g", "userID": "bob", "roleLevel": 50}), 1001},
			{"alice", "set_group_member_info", one(object{"groupID": "g", "userID": "dave", "nickname": "x"}), 1001},
			{"alice", "set_group_member_info", object{"members": []any{object{"groupID": "g", "userID": "bob"}, object{"groupID": "g", "userID": "bob"}}}, 1001},
			{"carol", "set_group_member_info", one(object{"groupID": "g", "userID": "bob", "roleLevel": 60}), 1002},
			{"bob", "set_group_member_info", one(object{"groupID": "g", "userID": "bob", "roleLevel": 60}), 1002},
			{"dave", "set_group_member_info", one(object{"groupID": "g", "userID": "bob", "nickname": "x"}), 1002},

			{"bob", "get_recv_group_applicationList", object{"fromUserID": "alice", "pagination": page}, 1002},
			{"bob", "get_recv_group_applicationList", object{"fromUserID": "bob", "groupIDs": []string{"g"}, "pagination": page}, 1002},
			{"bob", "get_recv_group_applicationList", object{"fromUserID": "bob"}, 1001},
			{"bob", "get_user_req_group_applicationList", object{"userID": "alice", "pagination": page}, 1002},
			{"bob", "get_group_users_req_application_list", object{"groupID": "g", "userIDs": []string{"erin"}}, 1002},
			{"alice", "get_group_users_req_application_list", object{"groupID": "g", "userIDs": many}, 1001},
			{"bob", "get_specified_user_group_request_info", object{"groupID": "g", "userID": "erin"}, 1002},
			{"bob", "get_group_application_unhandled_count", object{"userID": "alice"}, 1002},
			{"alice", "get_groups", object{"pagination": page}, 1002},
			{"dave", "get_group_abstract_info", object{"groupIDs": []string{"g"}}, 1002},
			{"bob", "get_group_abstract_info", object{"groupIDs": []string{"g", "g"}}, 1001},
			{adminID, "get_group_abstract_info", object{"groupIDs": []string{"none"}}, 1201},
		} {
			if got := n.post(c.as, "/group/"+c.path, c.body); got.ErrCode != c.code {
				t.Errorf("%s %s %v: errCode %d %s, want %d", c.as, c.path, c.body, got.ErrCode, got.ErrDlt, c.code)
			}
		}
		if sent := n.out.take(); len(sent) != 0 {
			t.Errorf("refused calls delivered %v", sent)
		}
	})
}

// What each route changes, and by which notice.
func TestGroupChanges(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		n := start(t, open, "alice", "bob", "carol", "dave")
		n.foundGroup("g", 0)
		n.out.take()
		for _, c := range []struct {
			as, path string
			body     object
			notices  []im.ContentType // without 1300
		}{
			{"alice", "set_group_info_ex", object{"groupID": "g", "groupName": "  ", "introduction": "i"}, []im.ContentType{1502}},
			{"alice", "set_group_info_ex", object{"groupID": "g", "notification": " read ", "groupName": "N", "needVerification": 2}, []im.ContentType{1519, 1519, 1520, 1520, 1502}},
			{"alice", "set_group_info_ex", object{"groupID": "g"}, nil},
			{"alice", "set_group_info", object{"groupInfoForSet": object{"groupID": "g", "groupName": "M", "notification": ""}}, []im.ContentType{1520, 1520}},
			{"dave", "join_group", object{"groupID": "g", "inviterUserID": "dave", "joinSource": 3}, []im.ContentType{1510, 1510}},
			{"alice", "mute_group", object{"groupID": "g"}, []im.ContentType{1514, 1514}},
			{"alice", "cancel_mute_group", object{"groupID": "g"}, []im.ContentType{1515, 1515}},
			{"carol", "mute_group_member", object{"groupID": "g", "userID": "dave", "mutedSeconds": 60}, []im.ContentType{1512, 1512}},
			{"alice", "set_group_member_info", object{"members": []any{object{"groupID": "g", "userID": "dave", "roleLevel": 60, "nickname": "D"}}}, []im.ContentType{1517, 1516}},
			{"alice", "set_group_member_info", object{"members": []any{object{"groupID": "g", "userID": "dave", "roleLevel": 20}}}, []im.ContentType{1518}},
			{"alice", "set_group_member_info", object{"members": []any{object{"groupID": "g", "userID": "dave", "roleLevel": 20}}}, nil},
			{"alice", "transfer_group", object{"groupID": "g", "oldOwnerUserID": "alice", "newOwnerUserID": "dave"}, []im.ContentType{1507, 1507, 1513, 1513}},
			{"dave", "kick_group", object{"groupID": "g", "kickedUserIDs": []string{"bob"}, "sendMessage": false}, []im.ContentType{1508}},
			{"alice", "quit_group", object{"groupID": "g"}, []im.ContentType{1504, 1504}},
			{"dave", "dismiss_group", object{"groupID": "g", "deleteMember": true}, []im.ContentType{1511, 1511}},
		} {
			n.must(n.post(c.as, "/group/"+c.path, c.body))
			var notices []im.ContentType
			for _, d := range n.out.take() {
				if d.contentType != 1300 {
					notices = append(notices, d.contentType)
				}
			}
			if !slices.Equal(notices, c.notices) {
				t.Errorf("%s %v told %v, want %v", c.path, c.body, notices, c.notices)
			}
		}
		g := into[group.GetGroupsInfoResp](t, n.must(n.post("alice", "/group/get_groups_info", object{"groupIDs": []string{"g"}}))).GroupInfos[0]
		if g.GroupName != "M" || g.Notification != "read" || g.Introduction != "i" || g.NotificationUserID != "alice" || g.NotificationUpdateTime == 0 || g.Status != 2 || g.MemberCount != 0 {
			t.Errorf("at the end: %v", g)
		}
		found := into[group.GetGroupsResp](t, n.must(n.post(adminID, "/group/get_groups", object{"pagination": object{"pageNumber": 1, "showNumber": 5}, "groupName": "M"})))
		if found.Total != 0 {
			t.Errorf("a dismissed group is found: %v", found.Groups)
		}
	})
}

func TestGroupQueries(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		n := start(t, open, "alice", "bob", "carol", "dave")
		n.foundGroup("g", 0)
		page := object{"pageNumber": 1, "showNumber": 5}
		found := into[group.GetGroupsResp](t, n.must(n.post(adminID, "/group/get_groups", object{"pagination": page, "groupName": "NAME"})))
		if found.Total != 1 || found.Groups[0].GroupInfo.GroupID != "g" || found.Groups[0].GroupOwnerUserID != "alice" || found.Groups[0].GroupOwnerUserName != "nick alice" {
			t.Errorf("found %v", found.Groups)
		}
		members := into[group.GetGroupMemberListResp](t, n.must(n.post("bob", "/group/get_group_member_list", object{"pagination": page, "groupID": "g", "keyword": "CAROL"})))
		if members.Total != 1 || members.Members[0].UserID != "carol" {
			t.Errorf("carol is %v", members.Members)
		}
		abstract := func() *group.GroupAbstractInfo {
			t.Helper()
			return into[group.GetGroupAbstractInfoResp](t, n.must(n.post("bob", "/group/get_group_abstract_info", object{"groupIDs": []string{"g"}}))).GroupAbstractInfos[0]
		}
		before := abstract()
		if before.GroupMemberNumber != 3 || before.GroupMemberListHash == 0 || before.GroupMemberListHash != abstract().GroupMemberListHash {
			t.Errorf("abstract %v", before)
		}
		n.must(n.post("alice", "/group/set_group_member_info", object{"members": []any{object{"groupID": "g", "userID": "bob", "nickname": "B"}}}))
		if abstract().GroupMemberListHash == before.GroupMemberListHash {
			t.Error("another name, the same hash")
		}
		n.must(n.post("dave", "/group/join_group", object{"groupID": "g", "inviterUserID": "dave", "joinSource": 3, "reqMessage": "me"}))
		for _, as := range []string{"alice", "dave", adminID} {
			one := into[group.GetSpecifiedUserGroupRequestInfoResp](t, n.must(n.post(as, "/group/get_specified_user_group_request_info", object{"groupID": "g", "userID": "dave"})))
			if one.Total != 1 || one.GroupRequests[0].ReqMsg != "me" {
				t.Errorf("%s sees %v", as, one.GroupRequests)
			}
		}
		count := into[group.GetGroupApplicationUnhandledCountResp](t, n.must(n.post("carol", "/group/get_group_application_unhandled_count", object{"userID": "carol", "time": int64(4e12)})))
		if count.Count != 0 {
			t.Errorf("%d requests of the future", count.Count)
		}
	})
}
