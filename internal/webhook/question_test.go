package webhook

import (
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/webhook/registry"
)

// What an answer leaves out stays as it is; what it gives replaces; what is of
// the wrong type, or not a handler's to give, is dropped and said.
func TestOverrides(t *testing.T) {
	info := func(change func(*im.GroupInfo)) im.GroupInfo {
		i := im.GroupInfo{Name: new("asked"), Introduction: new("i"), NeedVerification: new(int32(1))}
		change(&i)
		return i
	}
	same := func(*im.GroupInfo) {}
	asked := func() *im.MaySetGroup { return &im.MaySetGroup{GroupID: "g", Info: info(same)} }
	group := func(change func(*im.MayCreateGroup)) *im.MayCreateGroup {
		q := &im.MayCreateGroup{Group: im.Group{GroupID: "g", Name: "n", OwnerID: "alice", Type: 2, NeedVerification: 1}, MemberIDs: []string{"bob"}}
		change(q)
		return q
	}
	join := func(change func(m []im.Member)) *im.MayAddMembers {
		q := &im.MayAddMembers{GroupID: "g", Members: []im.Member{{UserID: "alice", Role: im.RoleOwner}, {UserID: "bob"}}}
		change(q.Members)
		return q
	}
	chat := func(change func(*im.Conversation)) *im.MayOpenChat {
		q := &im.MayOpenChat{Row: im.Conversation{OwnerID: "alice", ConversationID: "si_alice_bob", Type: im.SingleChat, UserID: "bob"}}
		change(&q.Row)
		return q
	}
	member := func(role *int32, nick *string) *im.MaySetMember {
		return &im.MaySetMember{Info: im.MemberInfo{GroupID: "g", UserID: "bob", Role: role, Nickname: nick}}
	}
	for _, c := range []struct {
		name, answer string
		q, want      im.Question
		dropped      string
	}{
		{
			"users", `{"users":[{"userID":"x","nickname":"X","globalRecvMsgOpt":2}]}`, &im.MayRegister{Users: []im.User{{UserID: "a"}}},
			&im.MayRegister{Users: []im.User{{UserID: "x", Nickname: "X", RecvOpt: 2}}}, "",
		},
		{"no users", `{"users":[]}`, &im.MayRegister{Users: []im.User{{UserID: "a"}}}, &im.MayRegister{Users: []im.User{{UserID: "a"}}}, ""},
		{"users of a wrong type", `{"users":[{"userID":5}]}`, &im.MayRegister{Users: []im.User{{UserID: "a"}}}, &im.MayRegister{Users: []im.User{{UserID: "a"}}}, "[users]"},

		{
			"a field that was not sent", `{"faceURL":"f","ex":{"value":"e"}}`, &im.MayUpdateProfile{UserID: "a", Change: im.UserChange{Nickname: new("n")}},
			&im.MayUpdateProfile{UserID: "a", Change: im.UserChange{Nickname: new("n"), FaceURL: new("f"), Ex: new("e")}}, "",
		},
		{
			"older, nulls", `{"nickName":null,"faceURL":{"value":null}}`, &im.MayUpdateProfile{UserID: "a", Change: im.UserChange{Older: true}},
			&im.MayUpdateProfile{UserID: "a", Change: im.UserChange{Older: true}}, "",
		},

		{"remark", `{"remark":"r"}`, &im.MaySetRemark{OwnerID: "a", FriendID: "b", Remark: "x"}, &im.MaySetRemark{OwnerID: "a", FriendID: "b", Remark: "r"}, ""},
		{"remarks are not cleared", `{"remark":""}`, &im.MaySetRemark{OwnerID: "a", FriendID: "b", Remark: "x"}, &im.MaySetRemark{OwnerID: "a", FriendID: "b", Remark: "x"}, ""},
		{"friends", `{"friendUserIDs":["c"]}`, &im.MayImportFriends{OwnerID: "a", FriendIDs: []string{"b"}}, &im.MayImportFriends{OwnerID: "a", FriendIDs: []string{"c"}}, ""},
		{"no friends", `{"friendUserIDs":[]}`, &im.MayImportFriends{OwnerID: "a", FriendIDs: []string{"b"}}, &im.MayImportFriends{OwnerID: "a", FriendIDs: []string{"b"}}, ""},

		{"a bare answer about a new group", approval, group(func(*im.MayCreateGroup) {}), group(func(*im.MayCreateGroup) {}), ""},
		{
			"an echo of a new group", `{"groupID":"g","groupName":"n","ownerUserID":"","groupType":2,"needVerification":1}`,
			group(func(*im.MayCreateGroup) {}), group(func(*im.MayCreateGroup) {}), "",
		},
		{
			"a new group", `{"groupID":"h","groupName":"N","notification":"o","introduction":"i","faceURL":"f","ownerUserID":"bob","ex":"e","status":3,` +
				`"creatorUserID":"c","groupType":2,"needVerification":0,"lookMemberInfo":1,"applyMemberFriend":1}`,
			group(func(*im.MayCreateGroup) {}), group(func(q *im.MayCreateGroup) {
				q.Group = im.Group{
					GroupID: "h", Name: "N", Notification: "o", Introduction: "i", FaceURL: "f", OwnerID: "bob", Ex: "e", CreatorID: "c", Type: 2,
					LookMemberInfo: 1, ApplyMemberFriend: 1,
				}
				q.Status = new(int32(3))
			}), "",
		},

		{
			"new members", `{"memberCallbackList":[{"userID":"bob","nickname":"B","faceURL":"f","roleLevel":60,"muteEndTime":5,"ex":"e"}]}`,
			join(func([]im.Member) {}), join(func(m []im.Member) {
				m[1] = im.Member{UserID: "bob", Nickname: "B", FaceURL: "f", Role: im.RoleAdmin, MuteUntil: 5, Ex: "e"}
			}), "",
		},
		{
			"items about nobody", `{"memberCallbackList":[{"nickname":"x"},{"userID":"zoe","nickname":"x"},null,5,{"userID":"bob","ex":"e"}]}`,
			join(func([]im.Member) {}), join(func(m []im.Member) { m[1].Ex = "e" }), "[memberCallbackList]",
		},
		{
			"a second owner", `{"memberCallbackList":[{"userID":"bob","nickname":"B","roleLevel":100}]}`,
			join(func([]im.Member) {}), join(func(m []im.Member) { m[1].Nickname = "B" }), "[roleLevel]",
		},
		{
			"the owner put down", `{"memberCallbackList":[{"userID":"alice","nickname":"A","roleLevel":20}]}`,
			join(func([]im.Member) {}), join(func(m []im.Member) { m[0].Nickname = "A" }), "[roleLevel]",
		},

		{
			"refused guests", `{"refusedMembersAccount":["b","z"]}`, &im.MayInvite{GroupID: "g", UserIDs: []string{"a", "b", "c"}},
			&im.MayInvite{GroupID: "g", UserIDs: []string{"a", "c"}}, "",
		},
		{"all guests refused", `{"refusedMembersAccount":["a"]}`, &im.MayInvite{GroupID: "g", UserIDs: []string{"a"}}, &im.MayInvite{GroupID: "g"}, ""},

		{"a bare answer about a profile", approval, asked(), asked(), ""},
		{"an id and a name", `{"groupID":"h","groupName":"N"}`, asked(), &im.MaySetGroup{GroupID: "g", Info: info(func(i *im.GroupInfo) { i.Name = new("N") })}, ""},
		{
			"an announcement, wrapped", `{"notification":{"value":"o"},"needVerification":{"value":2}}`, asked(),
			&im.MaySetGroup{GroupID: "g", Info: info(func(i *im.GroupInfo) { i.Notification, i.NeedVerification = new("o"), new(int32(2)) })}, "",
		},
		{
			"as the documentation prints it", `{"groupInfoForSet":{"groupID":"h","groupName":{"value":"N"},"ex":"e","lookMemberInfo":"x"},"ex":"outside"}`, asked(),
			&im.MaySetGroup{GroupID: "g", Info: info(func(i *im.GroupInfo) { i.Name, i.Ex = new("N"), new("outside") })}, "[lookMemberInfo]",
		},

		{"a member", `{"nickName":"N","roleLevel":60}`, member(nil, nil), member(new(im.RoleAdmin), new("N")), ""},
		{"a member made owner", `{"nickName":"N","roleLevel":100}`, member(nil, nil), member(nil, new("N")), "[roleLevel]"},

		{
			"a chat", `{"recvMsgOpt":2,"isPinned":true,"isPrivateChat":true,"burnDuration":30,"groupAtType":1,"attachedInfo":"a","ex":"e"}`,
			chat(func(*im.Conversation) {}), chat(func(c *im.Conversation) {
				c.RecvOpt, c.Pinned, c.PrivateChat, c.BurnDuration, c.GroupAtType, c.AttachedInfo, c.Ex = 2, true, true, 30, 1, "a", "e"
			}), "",
		},
		{
			"a chat as it was spelled once", `{"recv_msg_opt":2,"is_pinned":true,"attached_info":{"value":"a"}}`,
			chat(func(*im.Conversation) {}), chat(func(c *im.Conversation) { c.RecvOpt, c.Pinned, c.AttachedInfo = 2, true, "a" }), "",
		},
		{
			"a chat that no client could set up", `{"recvMsgOpt":3,"burnDuration":-1,"ex":"e"}`,
			chat(func(*im.Conversation) {}), chat(func(c *im.Conversation) { c.Ex = "e" }), "[recvMsgOpt burnDuration]",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log logged
			h := serve(t, says(c.answer))
			key := registry.Of(questions[c.q.QuestionKind()]).Key
			e := newEngine(t, Config{URL: h.URL, Callbacks: on(Callback{}, key)}, Options{Logger: log.logger(slog.LevelWarn)})
			if err := e.Ask(operation(), c.q); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(c.q, c.want) {
				t.Errorf("%s makes\n%+v\nwant\n%+v", c.answer, c.q, c.want)
			}
			if got := strings.Contains(log.String(), "were not applied"); got != (c.dropped != "") || !strings.Contains(log.String(), c.dropped) {
				t.Errorf("log %s, want dropped %s", log.String(), c.dropped)
			}
		})
	}
}

// A callback that is off asks nobody, and every question and event has its
// callback.
func TestQuestionsAndReports(t *testing.T) {
	e := newEngine(t, Config{}, Options{})
	if err := e.Ask(operation(), &im.MayBlock{OwnerID: "a", BlockedID: "b"}); err != nil {
		t.Error(err)
	}
	used := map[registry.ID]bool{
		registry.BeforeSendSingleMsg: true, registry.BeforeSendGroupMsg: true, registry.BeforeMsgModify: true, // message.Hooks
	}
	for kind, id := range questions {
		if (kind == 0) != (id == 0) || registry.Of(id).Kind == registry.After || used[id] && id != 0 {
			t.Errorf("question %d is put by %s", kind, registry.Of(id).Key)
		}
		used[id] = true
	}
	for kind, ids := range reports {
		nobodys := kind == 0 || im.EventKind(kind) == im.EventMessageToPush
		if nobodys != (len(ids) == 0) {
			t.Errorf("event %d is reported by %v", kind, ids)
		}
		for _, id := range ids {
			if registry.Of(id).Kind != registry.After || used[id] {
				t.Errorf("event %d is reported by %s", kind, registry.Of(id).Key)
			}
			used[id] = true
		}
	}
	for _, c := range registry.All() {
		if !used[c.ID] {
			t.Errorf("%s is never fired", c.Key)
		}
	}
}
