package api_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/openimsdk/protocol/relation"
	"github.com/openimsdk/protocol/sdkws"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store/storetest"
)

// line is a delivery with its content, "1205 alice>alice [alice] tips".
func (d delivery) line(t *testing.T) string {
	t.Helper()
	var content struct{ Detail string }
	if err := json.Unmarshal(d.message.Content, &content); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s>%s %v %s", d.contentType, d.from, d.message.RecvID, d.to, content.Detail)
}

// What a user does to his own relations is told to his own devices, in the form
// clients read without checks: no message of it is null.
func TestOwnRelationsTold(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		n := start(t, open, "alice", "bob", "carol")
		n.must(n.post(adminID, "/friend/import_friend", object{"ownerUserID": "alice", "friendUserIDs": []string{"bob", "carol"}}))
		imported := n.out.take()
		slices.SortStableFunc(imported, func(a, b delivery) int { return strings.Compare(a.from, b.from) }) // announced several at a time
		tips := func(friend string) string {
			return `{"fromToUserID":{"fromUserID":"alice","toUserID":"` + friend + `"},"handleMsg":"","friendVersion":0,"friendVersionID":"","request":null}`
		}
		expect := func(what string, got []delivery, want ...string) {
			t.Helper()
			lines := make([]string, len(got))
			for i, d := range got {
				lines[i] = d.line(t)
			}
			if !slices.Equal(lines, want) {
				t.Errorf("%s: told %q, want %q", what, lines, want)
			}
		}
		expect("import", imported, "1201 bob>alice [alice bob] "+tips("bob"), "1201 bob>alice [alice bob] "+tips("bob"),
			"1201 carol>alice [alice carol] "+tips("carol"), "1201 carol>alice [alice carol] "+tips("carol"))
		pair := `{"fromToUserID":{"fromUserID":"alice","toUserID":"bob"}`
		for _, step := range []struct {
			path string
			body object
			want string // "" for nothing
		}{
			{
				"/friend/set_friend_remark",
				object{"ownerUserID": "alice", "friendUserID": "bob", "remark": "r"},
				"1206 alice>alice [alice] " + pair + `,"friendVersion":0,"friendVersionID":"","friendSortVersion":0}`,
			},
			{
				"/friend/update_friends",
				object{"ownerUserID": "alice", "friendUserIDs": []string{"bob", "carol"}, "isPinned": true, "ex": "e"},
				`1210 alice>alice [alice] {"fromToUserID":{"fromUserID":"","toUserID":"alice"},"friendIDs":["bob","carol"],"friendVersion":0,"friendVersionID":""}`,
			},
			{"/friend/update_friends", object{"ownerUserID": "alice", "friendUserIDs": []string{"stranger"}, "isPinned": true}, ""},
			{"/friend/add_black", object{"ownerUserID": "alice", "blackUserID": "bob", "ex": "why"}, "1207 alice>alice [alice] " + pair + "}"},
			{"/friend/remove_black", object{"ownerUserID": "alice", "blackUserID": "bob"}, "1208 alice>alice [alice] " + pair + "}"},
			{"/friend/remove_black", object{"ownerUserID": "alice", "blackUserID": "bob"}, ""},
			{
				"/friend/delete_friend",
				object{"ownerUserID": "alice", "friendUserID": "bob"},
				"1205 alice>alice [alice] " + pair + `,"friendVersion":0,"friendVersionID":""}`,
			},
			{"/friend/delete_friend", object{"ownerUserID": "alice", "friendUserID": "bob"}, ""},
		} {
			n.must(n.post("alice", step.path, step.body))
			if step.want == "" {
				expect(step.path, n.out.take())
			} else {
				expect(step.path, n.out.take(), step.want)
			}
		}
		list := into[relation.GetPaginationFriendsResp](t, n.must(n.post("alice", "/friend/get_friend_list",
			object{"userID": "alice", "pagination": object{"pageNumber": 1, "showNumber": 10}})))
		if list.Total != 1 || list.FriendsInfo[0].FriendUser.UserID != "carol" || !list.FriendsInfo[0].IsPinned || list.FriendsInfo[0].Ex != "e" {
			t.Errorf("alice's friends %v", &list)
		}
		is := into[relation.IsFriendResp](t, n.must(n.post("bob", "/friend/is_friend", object{"userID1": "alice", "userID2": "bob"})))
		if is.InUser1Friends || !is.InUser2Friends {
			t.Errorf("after deleting on one side: %v", &is)
		}
		// An administrator acts for a user in that user's name.
		n.must(n.post(adminID, "/friend/delete_friend", object{"ownerUserID": "bob", "friendUserID": "alice"}))
		expect("by an administrator", n.out.take(),
			`1205 bob>bob [bob] {"fromToUserID":{"fromUserID":"bob","toUserID":"alice"},"friendVersion":0,"friendVersionID":""}`)
	})
}

// A new name is told to everybody who has the user in his list, also when they
// are more than one transaction takes, and counts once in each list.
func TestProfileSpread(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		const friends = 450
		var ids []string
		for i := range friends {
			ids = append(ids, fmt.Sprintf("f%03d", i))
		}
		n := start(t, open, append([]string{"alice"}, ids...)...)
		n.must(n.post(adminID, "/friend/import_friend", object{"ownerUserID": "alice", "friendUserIDs": ids}))
		versions := func() (sum uint64) {
			for _, id := range ids {
				sum += into[relation.GetFullFriendUserIDsResp](t, n.must(n.post(id, "/friend/get_full_friend_user_ids", object{"userID": id}))).Version
			}
			return sum
		}
		before := versions()
		n.out.take()
		n.must(n.post("alice", "/user/update_user_info_ex", object{"userInfo": object{"userID": "alice", "nickname": "A"}}))
		if err := n.messages.Spreads().Drain(t.Context()); err != nil { // what follows the first chunk is the background's
			t.Fatal(err)
		}
		told := map[string]int{}
		for _, d := range n.out.take() {
			if d.contentType == 1209 {
				told[d.message.RecvID]++
				if want := fmt.Sprintf(`1209 alice>%s [alice %s] {"userID":"alice"}`, d.message.RecvID, d.message.RecvID); d.line(t) != want {
					t.Fatalf("told %s, want %s", d.line(t), want)
				}
			}
		}
		for _, id := range ids {
			if told[id] != 1 {
				t.Errorf("%s was told %d times", id, told[id])
			}
		}
		if after := versions(); after != before+friends {
			t.Errorf("%d versions more, want %d", after-before, friends)
		}
	})
}

func TestIncrementalBlacks(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		n := start(t, open, "alice", "bob")
		since := func(version uint64, id string) *relation.GetIncrementalBlacksResp {
			t.Helper()
			r := into[relation.GetIncrementalBlacksResp](t, n.must(n.post("alice", "/friend/get_incremental_blacks",
				object{"userID": "alice", "version": version, "versionID": id})))
			return &r
		}
		first := since(0, "")
		if !first.Full || first.Version != 1 {
			t.Fatalf("first: %v", first)
		}
		n.must(n.post("alice", "/friend/add_black", object{"ownerUserID": "alice", "blackUserID": "bob", "ex": "why"}))
		got := since(first.Version, first.VersionID)
		if got.Full || got.Version != 2 || len(got.Insert) != 1 || got.Insert[0].BlackUserInfo.Nickname != "nick bob" || got.Insert[0].Ex != "why" {
			t.Errorf("blocked: %v", got)
		}
		n.must(n.post("alice", "/friend/remove_black", object{"ownerUserID": "alice", "blackUserID": "bob"}))
		if got = since(got.Version, got.VersionID); got.Full || !slices.Equal(got.Delete, []string{"bob"}) || len(got.Insert) != 0 {
			t.Errorf("unblocked: %v", got)
		}
	})
}

// Lists of requests: each side sees its own, filtered and in pages, newest
// first.
func TestFriendRequestLists(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		n := start(t, open, "alice", "bob", "carol", "dave")
		for _, from := range []string{"bob", "carol", "dave"} {
			n.must(n.post(from, "/friend/add_friend", object{"fromUserID": from, "toUserID": "alice"}))
		}
		n.must(n.post("alice", "/friend/add_friend_response", object{"fromUserID": "bob", "toUserID": "alice", "handleResult": -1}))
		n.must(n.post(adminID, "/friend/add_friend_response", object{"fromUserID": "carol", "toUserID": "alice", "handleResult": 1, "handleMsg": "m"}))
		received := func(page, size int, results ...int) ([]*sdkws.FriendRequest, int32) {
			t.Helper()
			r := into[relation.GetPaginationFriendsApplyToResp](t, n.must(n.post("alice", "/friend/get_friend_apply_list",
				object{"userID": "alice", "pagination": object{"pageNumber": page, "showNumber": size}, "handleResults": results})))
			return r.FriendRequests, r.Total
		}
		if list, total := received(1, 2); total != 3 || len(list) != 2 || list[0].CreateTime < list[1].CreateTime {
			t.Errorf("first page of %d: %v", total, list)
		}
		if list, total := received(2, 2); total != 3 || len(list) != 1 || list[0].FromUserID != "bob" {
			t.Errorf("second page of %d: %v", total, list)
		}
		if list, total := received(1, 10, 0); total != 1 || len(list) != 1 || list[0].FromUserID != "dave" {
			t.Errorf("pending %d: %v", total, list)
		}
		if list, total := received(1, 10, -1, 1); total != 2 || len(list) != 2 || list[0].HandlerUserID != adminID || list[1].HandlerUserID != "" {
			t.Errorf("answered %d: %v", total, list)
		}
		if list, total := received(1, 0); total != 3 || len(list) != 0 {
			t.Errorf("only the total: %d %v", total, list)
		}
		count := func(time int64) int64 {
			t.Helper()
			return into[relation.GetSelfUnhandledApplyCountResp](t, n.must(n.post("alice", "/friend/get_self_unhandled_apply_count",
				object{"userID": "alice", "time": time}))).Count
		}
		list, _ := received(1, 10, 0)
		if count(0) != 1 || count(list[0].CreateTime-1) != 1 || count(list[0].CreateTime) != 0 {
			t.Errorf("unhandled: %d, before it %d, since it %d", count(0), count(list[0].CreateTime-1), count(list[0].CreateTime))
		}
		sent := into[relation.GetPaginationFriendsApplyFromResp](t, n.must(n.post("dave", "/friend/get_self_friend_apply_list",
			object{"userID": "dave", "pagination": object{"pageNumber": 1, "showNumber": 10}})))
		if sent.Total != 1 || sent.FriendRequests[0].ToUserID != "alice" {
			t.Errorf("sent: %v", &sent)
		}
	})
}

// friendCalls are the friend routes as user owner would call them, who is not a
// friend of peer; code is the answer to owner.
func friendCalls(owner, peer string) []struct {
	path string
	body object
	code int
} {
	page := object{"pageNumber": 1, "showNumber": 10}
	return []struct {
		path string
		body object
		code int
	}{
		{"/friend/add_friend", object{"fromUserID": owner, "toUserID": peer}, 0},
		{"/friend/add_friend_response", object{"fromUserID": peer, "toUserID": owner, "handleResult": 1}, 1004},
		{"/friend/delete_friend", object{"ownerUserID": owner, "friendUserID": peer}, 0},
		{"/friend/set_friend_remark", object{"ownerUserID": owner, "friendUserID": peer, "remark": "r"}, 1004},
		{"/friend/update_friends", object{"ownerUserID": owner, "friendUserIDs": []string{peer}}, 0},
		{"/friend/get_friend_list", object{"userID": owner, "pagination": page}, 0},
		{"/friend/get_designated_friends", object{"ownerUserID": owner, "friendUserIDs": []string{peer}}, 0},
		{"/friend/get_specified_friends_info", object{"ownerUserID": owner, "userIDList": []string{peer}}, 0},
		{"/friend/get_friend_id", object{"userID": owner}, 0},
		{"/friend/is_friend", object{"userID1": owner, "userID2": peer}, 0},
		{"/friend/get_incremental_friends", object{"userID": owner}, 0},
		{"/friend/get_full_friend_user_ids", object{"userID": owner}, 0},
		{"/friend/get_friend_apply_list", object{"userID": owner, "pagination": page}, 0},
		{"/friend/get_self_friend_apply_list", object{"userID": owner, "pagination": page}, 0},
		{"/friend/get_designated_friend_apply", object{"fromUserID": owner, "toUserID": peer}, 0},
		{"/friend/get_self_unhandled_apply_count", object{"userID": owner}, 0},
		{"/friend/add_black", object{"ownerUserID": owner, "blackUserID": peer}, 0},
		{"/friend/get_black_list", object{"userID": owner, "pagination": page}, 0},
		{"/friend/get_specified_blacks", object{"ownerUserID": owner, "userIDList": []string{peer}}, 0},
		{"/friend/get_incremental_blacks", object{"userID": owner}, 0},
		{"/friend/remove_black", object{"ownerUserID": owner, "blackUserID": peer}, 0},
	}
}

// Every friend route is for the user himself and administrators; the two about
// a pair for either of the pair.
func TestFriendRights(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		n := start(t, open, "alice", "bob", "carol")
		for _, as := range []string{"carol", "bob", "alice", adminID} {
			for _, c := range friendCalls("alice", "bob") {
				want := c.code
				ofPair := c.path == "/friend/is_friend" || c.path == "/friend/get_designated_friend_apply"
				if as == "carol" || as == "bob" && !ofPair {
					want = 1002
				}
				if got := n.post(as, c.path, c.body); got.ErrCode != want {
					t.Errorf("%s %s: errCode %d %s, want %d", as, c.path, got.ErrCode, got.ErrDlt, want)
				}
			}
		}
	})
}

func TestFriendArguments(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		n := start(t, open, "alice", "bob")
		long := strings.Repeat("x", im.MaxText+1)
		many := make([]string, 1001)
		for i := range many {
			many[i] = fmt.Sprint("u", i)
		}
		for _, c := range []struct {
			path string
			body object
			code int
		}{
			{"/friend/add_friend", object{"fromUserID": "alice"}, 1001},
			{"/friend/add_friend", object{"fromUserID": "alice", "toUserID": "alice"}, 1301},
			{"/friend/add_friend", object{"fromUserID": "alice", "toUserID": "nobody"}, 1004},
			{"/friend/add_friend", object{"fromUserID": "alice", "toUserID": "bob", "reqMsg": long}, 1001},
			{"/friend/add_friend_response", object{"toUserID": "alice", "handleResult": 1}, 1001},
			{"/friend/add_friend_response", object{"fromUserID": "bob", "toUserID": "alice", "handleResult": 2}, 1001},
			{"/friend/add_friend_response", object{"fromUserID": "bob", "toUserID": "alice", "handleResult": -1}, 1004},
			{"/friend/delete_friend", object{"ownerUserID": "alice"}, 1001},
			{"/friend/set_friend_remark", object{"ownerUserID": "alice"}, 1001},
			{"/friend/set_friend_remark", object{"ownerUserID": "alice", "friendUserID": "bob", "remark": long}, 1001},
			{"/friend/update_friends", object{"ownerUserID": "alice"}, 1001},
			{"/friend/update_friends", object{"ownerUserID": "alice", "friendUserIDs": []string{}}, 1001},
			{"/friend/update_friends", object{"ownerUserID": "alice", "friendUserIDs": []string{"bob", "bob"}}, 1001},
			{"/friend/update_friends", object{"ownerUserID": "alice", "friendUserIDs": many}, 1001},
			{"/friend/update_friends", object{"ownerUserID": "alice", "friendUserIDs": []string{"bob"}, "ex": long}, 1001},
			{"/friend/get_friend_apply_list", object{"userID": "alice"}, 1001},
			{"/friend/get_friend_apply_list", object{"userID": "alice", "pagination": object{"pageNumber": 0, "showNumber": 1}}, 1001},
			{"/friend/get_friend_apply_list", object{"userID": "alice", "pagination": object{"pageNumber": 1, "showNumber": 1}, "handleResults": []int{7}}, 1001},
			{"/friend/get_self_friend_apply_list", object{"userID": "alice"}, 1001},
			{"/friend/get_designated_friend_apply", object{"fromUserID": "alice"}, 1001},
		} {
			if got := n.post("alice", c.path, c.body); got.ErrCode != c.code {
				t.Errorf("%s: errCode %d %s, want %d", c.path, got.ErrCode, got.ErrDlt, c.code)
			}
		}
		if sent := n.out.take(); len(sent) != 0 {
			t.Errorf("refused calls delivered %v", sent)
		}
	})
}
