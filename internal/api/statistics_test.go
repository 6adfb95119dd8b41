package api_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/openimsdk/protocol/group"
	"github.com/openimsdk/protocol/jssdk"
	"github.com/openimsdk/protocol/msg"
	"github.com/openimsdk/protocol/user"
	"google.golang.org/protobuf/proto"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store/storetest"
)

const dayMillis = 86_400_000

// sentAt sends as an administrator, who alone chooses the time.
func (n *node) sentAt(at int64, from, to, groupID, content string) {
	n.t.Helper()
	m := &im.Message{
		SendID: from, RecvID: to, GroupID: groupID, SessionType: im.SingleChat, ContentType: im.ContentText, SendTime: im.Millis(at),
		Content: fmt.Appendf(nil, `{"content":%q}`, content), MsgFrom: im.FromUser,
	}
	if groupID != "" {
		m.SessionType = im.GroupChat
	}
	ctx := im.WithCaller(context.Background(), im.Caller{UserID: adminID, Admin: true})
	if _, err := n.messages.Send(ctx, m); err != nil {
		n.t.Fatal(err)
	}
}

func TestStatistics(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		n := start(t, open, "alice", "bob", "carol")
		n.must(n.post(adminID, "/group/create_group", object{
			"ownerUserID": "alice", "memberUserIDs": []string{"bob"}, "groupInfo": object{"groupID": "g", "groupType": 2}, "sendMessage": false,
		}))
		const day1 = 20_000 * dayMillis
		const day2 = day1 + dayMillis
		name1, name2 := "2024-10-04", "2024-10-05"
		for i := range 3 {
			n.sentAt(day1+int64(i)+1, "alice", "bob", "", "x")
		}
		n.sentAt(day1+10, "bob", "alice", "", "x")
		n.sentAt(day2, "bob", "alice", "", "x")
		n.sentAt(day2+1, "bob", "", "g", "x")
		n.sentAt(day2+2, "alice", "", "g", "x")
		n.sentAt(day2+3, "bob", "", "g", "x")
		page := object{"pageNumber": 1, "showNumber": 10}

		active := func(body object) *msg.GetActiveUserResp {
			t.Helper()
			r := into[msg.GetActiveUserResp](t, n.must(n.post(adminID, "/statistics/user/active", body)))
			return &r
		}
		got := active(object{"start": day1, "end": day2, "pagination": page})
		if got.MsgCount != 4 || got.UserCount != 2 || got.DateCount[name1] != 4 || len(got.DateCount) != 1 ||
			got.Users[0].User.UserID != "alice" || got.Users[0].Count != 3 || got.Users[1].User.Nickname != "nick bob" || got.Users[1].Count != 1 {
			t.Errorf("one day: %v", got)
		}
		got = active(object{"start": day1, "end": day2 + dayMillis, "group": true, "ase": true, "pagination": page})
		if got.MsgCount != 8 || got.DateCount[name2] != 4 || got.Users[0].Count != 4 || got.Users[1].Count != 4 {
			t.Errorf("with groups: %v", got)
		}
		got = active(object{"start": day1, "end": day2, "pagination": object{"pageNumber": 2, "showNumber": 1}})
		if len(got.Users) != 1 || got.Users[0].User.UserID != "bob" {
			t.Errorf("second page: %v", got.Users)
		}
		groups := into[msg.GetActiveGroupResp](t, n.must(n.post(adminID, "/statistics/group/active", object{"start": day1, "end": day2 + dayMillis, "pagination": page})))
		if groups.MsgCount != 3 || groups.GroupCount != 1 || groups.Groups[0].Group.GroupID != "g" || groups.Groups[0].Count != 3 || groups.DateCount[name2] != 3 {
			t.Errorf("groups: %v", &groups)
		}

		now := time.Now().UnixMilli()
		users := into[user.UserRegisterCountResp](t, n.must(n.post(adminID, "/statistics/user/register", object{"start": now - dayMillis, "end": now + dayMillis})))
		sum := int64(0)
		for _, c := range users.Count {
			sum += c
		}
		if users.Total != 4 || users.Before != 0 || sum != 4 {
			t.Errorf("registrations: %v", &users)
		}
		users = into[user.UserRegisterCountResp](t, n.must(n.post(adminID, "/statistics/user/register", object{"start": now + dayMillis, "end": now + 2*dayMillis})))
		if users.Total != 4 || users.Before != 4 || len(users.Count) != 0 {
			t.Errorf("registrations to come: %v", &users)
		}
		founded := into[group.GroupCreateCountResp](t, n.must(n.post(adminID, "/statistics/group/create", object{"start": now - dayMillis, "end": now + dayMillis})))
		if founded.Total != 1 || founded.Before != 0 || len(founded.Count) != 1 {
			t.Errorf("foundings: %v", &founded)
		}
		for _, path := range []string{"/statistics/user/register", "/statistics/group/create", "/statistics/user/active", "/statistics/group/active"} {
			for _, body := range []object{{}, {"start": 2, "end": 1, "pagination": page}, {"start": -1, "end": 1, "pagination": page}} {
				if got := n.post(adminID, path, body); got.ErrCode != 1001 {
					t.Errorf("%s %v: errCode %d", path, body, got.ErrCode)
				}
			}
		}
	})
}

func TestSearchMessages(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		n := start(t, open, "alice", "bob", "carol")
		n.must(n.post(adminID, "/group/create_group", object{
			"ownerUserID": "alice", "memberUserIDs": []string{"bob"},
			"groupInfo": object{"groupID": "g", "groupName": "G", "faceURL": "http://g", "groupType": 2}, "sendMessage": false,
		}))
		const day1 = 20_000 * dayMillis
		n.sentAt(day1, "alice", "bob", "", "m1")
		n.sentAt(day1+1, "bob", "alice", "", "m2")
		n.sentAt(day1+2, "bob", "carol", "", "m3")
		n.sentAt(day1+dayMillis, "alice", "", "g", "m4")
		n.sentAt(day1+dayMillis+1, "alice", "bob", "", "m5")
		n.must(n.post(adminID, "/msg/revoke_msg", object{"conversationID": "si_alice_bob", "seq": 2, "userID": adminID}))
		search := func(body object) *msg.SearchMessageResp {
			t.Helper()
			if body["pagination"] == nil {
				body["pagination"] = object{"pageNumber": 1, "showNumber": 10}
			}
			r := into[msg.SearchMessageResp](t, n.must(n.post(adminID, "/msg/search_msg", body)))
			return &r
		}
		for name, c := range map[string]struct {
			body object
			want []string
		}{
			"all":                       {object{}, []string{"m1", "m2", "m3", "m4", "m5"}},
			"of a sender":               {object{"sendID": "alice"}, []string{"m1", "m4", "m5"}},
			"to a user":                 {object{"recvID": "bob"}, []string{"m1", "m5"}},
			"to a group":                {object{"recvID": "g"}, []string{"m4"}},
			"between two":               {object{"sendID": "bob", "recvID": "alice"}, []string{"m2"}},
			"of a day":                  {object{"sendTime": "2024-10-04"}, []string{"m1", "m2", "m3"}},
			"of a day, to a user":       {object{"sendTime": "2024-10-05", "recvID": "bob"}, []string{"m5"}},
			"of a kind of conversation": {object{"sessionType": 3}, []string{"m4"}},
			"of a kind there is not":    {object{"contentType": 102}, nil},
			"second page":               {object{"pagination": object{"pageNumber": 2, "showNumber": 2}}, []string{"m3", "m4"}},
			"past the end":              {object{"pagination": object{"pageNumber": 9, "showNumber": 2}}, nil},
		} {
			got := search(c.body)
			var contents []string
			for _, l := range got.ChatLogs {
				text := l.ChatLog.Content
				if l.IsRevoked {
					if l.ChatLog.ContentType != 2101 {
						t.Errorf("%s: a revoked message has type %d", name, l.ChatLog.ContentType)
					}
					text = `{"content":"m2"}`
				}
				contents = append(contents, text[12:14])
			}
			if !slices.Equal(contents, c.want) {
				t.Errorf("%s: %v, want %v", name, contents, c.want)
			}
			if _, paged := c.body["pagination"]; name != "second page" && name != "past the end" && paged && int(got.ChatLogsNum) != len(c.want) {
				t.Errorf("%s: %d messages, want %d", name, got.ChatLogsNum, len(c.want))
			}
		}
		group := search(object{"recvID": "g"}).ChatLogs[0].ChatLog
		if group.RecvID != "g" || group.GroupName != "G" || group.GroupOwner != "alice" || group.GroupMemberCount != 2 || group.GroupFaceURL != "http://g" {
			t.Errorf("group message: %v", group)
		}
		if l := search(object{"sendID": "bob", "recvID": "carol"}).ChatLogs[0].ChatLog; l.RecvNickname != "nick carol" || l.SenderNickname != "nick bob" {
			t.Errorf("names: %v", l)
		}
		if got := n.post(adminID, "/msg/search_msg", object{"sendTime": "4.10.2024"}); got.ErrCode != 1001 {
			t.Errorf("a wrong day: errCode %d", got.ErrCode)
		}
	})
}

func TestJavaScriptClient(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		n := start(t, open, "alice", "bob", "carol", "dave")
		n.must(n.post(adminID, "/friend/import_friend", object{"ownerUserID": "alice", "friendUserIDs": []string{"carol"}}))
		n.must(n.post(adminID, "/group/create_group", object{
			"ownerUserID": "alice", "memberUserIDs": []string{"bob"}, "groupInfo": object{"groupID": "g", "groupName": "G", "groupType": 2}, "sendMessage": false,
		}))
		later := time.Now().Add(time.Second).UnixMilli() // each at a millisecond of its own
		for i, m := range []struct{ from, to, group, text string }{
			{"bob", "alice", "", "b1"}, {"bob", "alice", "", "b2"}, {"carol", "alice", "", "c1"}, {"bob", "", "g", "g1"},
		} {
			body := sendText(m.from, m.to, m.text)
			body["sendTime"] = later + int64(i)
			if m.group != "" {
				body["sessionType"], body["groupID"] = 3, m.group
			}
			n.must(n.post(adminID, "/msg/send_msg", body))
		}
		n.must(n.post("alice", "/conversation/set_conversations", object{
			"userIDs": []string{"alice"}, "conversation": object{"conversationID": "si_alice_bob", "conversationType": 1, "userID": "bob", "isPinned": true},
		}))
		n.must(n.post("alice", "/conversation/set_conversations", object{
			"userIDs": []string{"alice"}, "conversation": object{"conversationID": "si_alice_dave", "conversationType": 1, "userID": "dave", "isPinned": true},
		}))
		n.must(n.post("alice", "/msg/delete_msgs", object{"userID": "alice", "conversationID": "si_alice_bob", "seqs": []int{2}}))
		get := func(body object) *jssdk.GetActiveConversationsResp {
			t.Helper()
			r := into[jssdk.GetActiveConversationsResp](t, n.must(n.post("alice", "/jssdk/get_active_conversations", body)))
			return &r
		}
		got := get(object{"ownerUserID": "bob", "count": 10})
		var ids []string
		for _, c := range got.Conversations {
			ids = append(ids, c.Conversation.ConversationID)
		}
		if !slices.Equal(ids, []string{"si_alice_bob", "sg_g", "si_alice_carol"}) || got.UnreadCount != 5 { // with the notice of the friendship
			t.Fatalf("active: %v, %d unread", ids, got.UnreadCount)
		}
		bob, g, carol := got.Conversations[0], got.Conversations[1], got.Conversations[2]
		if string(bob.LastMsg.Content) != `{"content":"b1"}` || bob.MaxSeq != 2 || bob.User.Nickname != "nick bob" || bob.Friend != nil || bob.Group != nil {
			t.Errorf("with a deleted message: %v", bob)
		}
		if g.Group.GroupName != "G" || g.User != nil || g.LastMsg.SendID != "bob" {
			t.Errorf("group: %v", g)
		}
		if carol.Friend == nil || carol.Friend.FriendUserID != "carol" {
			t.Errorf("friend: %v", carol)
		}
		if top := get(object{"count": 1}); len(top.Conversations) != 1 || top.UnreadCount != 5 {
			t.Errorf("top one: %v", top)
		}
		some := into[jssdk.GetConversationsResp](t, n.must(n.post("alice", "/jssdk/get_conversations", object{"conversationIDs": []string{"sg_g", "si_bob_carol", "si_alice_dave"}})))
		if len(some.Conversations) != 1 || some.Conversations[0].Conversation.ConversationID != "sg_g" {
			t.Errorf("chosen: %v", some.Conversations)
		}

		t.Run("in protobuf", func(t *testing.T) {
			raw, err := proto.Marshal(&jssdk.GetActiveConversationsReq{Count: 2})
			if err != nil {
				t.Fatal(err)
			}
			call := func(kind string, body []byte) answer {
				return n.do("POST", "/jssdk/get_active_conversations", body, map[string]string{"token": n.token("alice"), "Content-Type": kind})
			}
			for _, kind := range []string{"application/protobuf", "application/x-protobuf"} {
				var resp jssdk.GetActiveConversationsResp
				if err := proto.Unmarshal(into[[]byte](t, n.must(call(kind, raw))), &resp); err != nil || len(resp.Conversations) != 2 {
					t.Errorf("%s: %v %v", kind, err, &resp)
				}
			}
			if got := call("application/protobuf", []byte{0xff}); got.ErrCode != 1001 {
				t.Errorf("no protobuf: errCode %d", got.ErrCode)
			}
			if got := call("text/plain", []byte(`{}`)); got.ErrCode != 1001 {
				t.Errorf("text: errCode %d", got.ErrCode)
			}
			n.must(call("application/json; charset=utf-8", []byte(`{}`)))
		})
	})
}
