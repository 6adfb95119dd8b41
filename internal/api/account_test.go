package api_test

import (
	"regexp"
	"testing"

	"github.com/openimsdk/protocol/msg"
	"github.com/openimsdk/protocol/user"

	"github.com/parley-im/parley/internal/store/storetest"
)

func TestNotificationAccounts(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		n := start(t, open, "alice", "bob")
		add := func(body object) answer { return n.post(adminID, "/user/add_notification_account", body) }
		got := into[user.AddNotificationAccountResp](t, n.must(add(object{"userID": "news", "nickName": "News", "faceURL": "http://f", "appMangerLevel": 3})))
		if got.UserID != "news" || got.NickName != "News" || got.FaceURL != "http://f" || got.AppMangerLevel != 3 {
			t.Errorf("added %v", &got)
		}
		numbered := into[user.AddNotificationAccountResp](t, n.must(add(object{"nickName": "Robot", "appMangerLevel": 4})))
		if !regexp.MustCompile(`^[1-9][0-9]{9}$`).MatchString(numbered.UserID) {
			t.Errorf("made up the id %q", numbered.UserID)
		}
		for name, body := range map[string]object{
			"taken":         {"userID": "news", "nickName": "x", "appMangerLevel": 3},
			"a user's":      {"userID": "alice", "nickName": "x", "appMangerLevel": 3},
			"no name":       {"userID": "x", "appMangerLevel": 3},
			"too low":       {"userID": "x", "nickName": "x", "appMangerLevel": 2},
			"no level":      {"userID": "x", "nickName": "x"},
			"an invalid id": {"userID": "a:b", "nickName": "x", "appMangerLevel": 3},
		} {
			if got := add(body); got.ErrCode != 1001 {
				t.Errorf("%s: errCode %d", name, got.ErrCode)
			}
		}
		search := func(body object) (ids []string, total int64) {
			t.Helper()
			body["pagination"] = object{"pageNumber": 1, "showNumber": 10}
			got := into[user.SearchNotificationAccountResp](t, n.must(n.post(adminID, "/user/search_notification_account", body)))
			for _, a := range got.NotificationAccounts {
				ids = append(ids, a.UserID)
			}
			return ids, got.Total
		}
		for name, c := range map[string]struct {
			body object
			want []string
		}{
			"all":                {object{}, []string{"news", numbered.UserID}},
			"by id":              {object{"keyword": "news"}, []string{"news"}},
			"by name":            {object{"keyword": "Robot"}, []string{numbered.UserID}},
			"by part of a name":  {object{"keyword": "Robo"}, nil},
			"by level":           {object{"appManagerLevel": 4}, []string{numbered.UserID}},
			"by a person's id":   {object{"keyword": "alice"}, nil},
			"by a lower level":   {object{"appManagerLevel": 1}, nil},
			"administrators out": {object{"keyword": adminID}, nil},
		} {
			ids, total := search(c.body)
			if len(ids) != len(c.want) || int(total) != len(c.want) {
				t.Errorf("%s: %v, total %d, want %v", name, ids, total, c.want)
				continue
			}
			for i := range ids {
				if ids[i] != c.want[i] {
					t.Errorf("%s: %v, want %v", name, ids, c.want)
				}
			}
		}
		update := func(body object) answer { return n.post(adminID, "/user/update_notification_account", body) }
		n.must(update(object{"userID": "news", "nickName": "Newer"}))
		users := into[user.GetDesignateUsersResp](t, n.must(n.post(adminID, "/user/get_users_info", object{"userIDs": []string{"news"}})))
		if u := users.UsersInfo[0]; u.Nickname != "Newer" || u.FaceURL != "http://f" || u.AppMangerLevel != 3 {
			t.Errorf("updated to %v", u)
		}
		for _, body := range []object{{"userID": "news"}, {"userID": "nobody", "nickName": "x"}, {"nickName": "x"}} {
			if got := update(body); got.ErrCode != 1001 {
				t.Errorf("update %v: errCode %d", body, got.ErrCode)
			}
		}
		if got := n.post(adminID, "/auth/get_user_token", object{"userID": "news", "platformID": 1}); got.ErrCode == 0 {
			t.Error("an account may log in")
		}
	})
}

// A notification account writes to a user, who alone gets the conversation.
func TestAccountMessage(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		n := start(t, open, "bob")
		n.must(n.post(adminID, "/user/add_notification_account", object{"userID": "news", "nickName": "News", "appMangerLevel": 3}))
		n.out.take()
		n.must(n.post(adminID, "/msg/send_msg", object{
			"sendID": "news", "recvID": "bob", "sessionType": 4, "contentType": 1400, "senderPlatformID": 10,
			"content": object{"notificationName": "n", "notificationType": 1, "text": "hello", "mixType": 0},
		}))
		sent := n.out.take()
		if len(sent) != 1 || sent[0].contentType != 1400 || sent[0].message.ConversationID != "sn_bob_news" || sent[0].message.Seq != 1 {
			t.Fatalf("sent %v", sent)
		}
		n.must(n.post("bob", "/conversation/get_conversation", object{"ownerUserID": "bob", "conversationID": "sn_bob_news"}))
		if got := n.post(adminID, "/conversation/get_conversation", object{"ownerUserID": "news", "conversationID": "sn_bob_news"}); got.ErrCode != 1004 {
			t.Errorf("the account's own list: errCode %d", got.ErrCode)
		}
		states := into[msg.GetConversationsHasReadAndMaxSeqResp](t, n.must(n.post("bob", "/msg/get_conversations_has_read_and_max_seq", object{"userID": "bob"})))
		if st := states.Seqs["sn_bob_news"]; st == nil || st.MaxSeq != 1 {
			t.Errorf("states %v", states.Seqs)
		}
	})
}
