package webhook

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/parley-im/parley/hooks/payload"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/outbox"
	"github.com/parley-im/parley/internal/webhook/registry"
)

// read decodes a body into its own type: unknown fields fail.
func read[T any](t *testing.T, body map[string]any) T {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	var v T
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%T: %v in %s", v, err, text)
	}
	return v
}

func usersOf(users []payload.User) (out []im.User) {
	for _, u := range users {
		out = append(out, im.User{UserID: u.UserID, Nickname: u.Nickname, FaceURL: u.FaceURL, Ex: u.Ex, AppLevel: u.AppManagerLevel, RecvOpt: im.RecvOpt(u.GlobalRecvMsgOpt)})
	}
	return out
}

func unless(empty string) *string {
	if empty == "" {
		return nil
	}
	return &empty
}

// questionOf is the question that a recorded before-call was about; nil for those
// about messages.
func questionOf(t *testing.T, id registry.ID, body map[string]any) im.Question {
	switch id {
	case registry.BeforeUserRegister:
		return &im.MayRegister{Users: usersOf(read[payload.Registration](t, body).Users)}
	case registry.BeforeUpdateUserInfo:
		b := read[payload.Profile](t, body)
		return &im.MayUpdateProfile{UserID: b.UserID, Change: im.UserChange{Nickname: unless(b.Nickname), FaceURL: unless(b.FaceURL), Ex: new("x"), Older: true}}
	case registry.BeforeUpdateUserInfoEx:
		b := read[payload.ProfileChange](t, body)
		return &im.MayUpdateProfile{UserID: b.UserID, Change: im.UserChange{Nickname: b.Nickname, FaceURL: b.FaceURL}}
	case registry.BeforeAddFriend:
		b := read[payload.FriendRequest](t, body)
		return &im.MayRequestFriend{FromID: b.FromUserID, ToID: b.ToUserID, Message: b.Message, Ex: b.Ex}
	case registry.BeforeAddFriendAgree:
		b := read[payload.FriendAgreement](t, body)
		return &im.MayAgreeFriend{FromID: b.FromUserID, ToID: b.BlackUserID, Answer: b.HandleMessage}
	case registry.BeforeSetFriendRemark:
		b := read[payload.FriendRemark](t, body)
		return &im.MaySetRemark{OwnerID: b.OwnerUserID, FriendID: b.FriendUserID, Remark: b.Remark}
	case registry.BeforeImportFriends:
		b := read[payload.FriendImport](t, body)
		return &im.MayImportFriends{OwnerID: b.OwnerUserID, FriendIDs: b.FriendUserIDs}
	case registry.BeforeAddBlack:
		b := read[payload.Block](t, body)
		return &im.MayBlock{OwnerID: b.OwnerUserID, BlockedID: b.BlackUserID}
	case registry.BeforeCreateGroup:
		b := read[payload.GroupCreation](t, body)
		q := &im.MayCreateGroup{Group: groupOf(b.Group), WrittenOwnerID: b.OwnerUserID}
		for _, m := range b.InitMembers {
			switch m.RoleLevel {
			case im.RoleOwner:
				q.Group.OwnerID = m.UserID
			case im.RoleAdmin:
				q.AdminIDs = append(q.AdminIDs, m.UserID)
			default:
				q.MemberIDs = append(q.MemberIDs, m.UserID)
			}
		}
		return q
	case registry.BeforeMemberJoinGroup:
		b := read[payload.MembersJoin](t, body)
		q := &im.MayAddMembers{GroupID: b.GroupID, GroupEx: b.GroupEx}
		for _, m := range b.Members {
			q.Members = append(q.Members, im.Member{UserID: m.UserID})
		}
		return q
	case registry.BeforeInviteUserToGroup:
		b := read[payload.Invitation](t, body)
		return &im.MayInvite{GroupID: b.GroupID, Reason: b.Reason, UserIDs: b.InvitedUserIDs}
	case registry.BeforeApplyJoinGroup:
		b := read[payload.Application](t, body)
		return &im.MayApply{Group: im.Group{GroupID: b.GroupID, Type: im.WorkingGroup}, UserID: b.ApplyID, Message: b.Message, Ex: b.Ex}
	case registry.BeforeSetGroupInfo:
		b := read[payload.GroupInfo](t, body)
		return &im.MaySetGroup{GroupID: b.GroupID, Info: im.GroupInfo{Name: unless(b.GroupName), Older: true}}
	case registry.BeforeSetGroupInfoEx:
		b := read[payload.GroupInfoChange](t, body)
		return &im.MaySetGroup{GroupID: b.GroupID, Info: changeOf(b)}
	case registry.BeforeSetGroupMemberInfo:
		return &im.MaySetMember{Info: memberInfoOf(read[payload.MemberInfo](t, body))}
	case registry.BeforeCreateSingleChatConversations, registry.BeforeCreateGroupChatConversations:
		return &im.MayOpenChat{Row: rowOf(t, body)}
	case registry.BeforeOfflinePush:
		b := read[payload.OfflinePush](t, body)
		q := &im.MayPush{Message: pushedOf(b.Push, b.Pushed), UserIDs: b.UserIDs}
		if b.PushInfo != nil {
			info := im.PushInfo(*b.PushInfo)
			q.Push = &info
		}
		return q
	case registry.BeforeOnlinePush:
		b := read[payload.OnlinePush](t, body)
		return &im.MayDeliver{Message: pushedOf(b.Push, b.Pushed), UserIDs: b.UserIDs}
	case registry.BeforeGroupOnlinePush:
		b := read[payload.GroupOnlinePush](t, body)
		m := pushedOf(b.Push, b.Pushed)
		m.Seq = im.Seq(b.Seq)
		return &im.MayDeliver{Message: m}
	}
	return nil
}

// pushedOf is the message that a recorded push was about. Of a notification the
// detail is told.
func pushedOf(head payload.Push, p payload.Pushed) *im.Message {
	m := &im.Message{
		ClientMsgID: p.ClientMsgID, SendID: p.SendID, GroupID: p.GroupID, ContentType: im.ContentType(p.ContentType), SessionType: im.SessionType(p.SessionType),
		AtUserIDs: p.AtUserIDs, Content: []byte(p.Content), SenderPlatform: head.PlatformID,
	}
	if m.ContentType.IsControl() {
		m.Content, _ = json.Marshal(map[string]string{"detail": p.Content}) // strings
	}
	return m
}

// reportOf is the event that a recorded after-call told of; nil for those about
// messages and presence.
func reportOf(t *testing.T, id registry.ID, body map[string]any) im.Event {
	switch id {
	case registry.AfterUserRegister:
		return im.UsersRegistered{Users: usersOf(read[payload.Registration](t, body).Users)}
	case registry.AfterUpdateUserInfo:
		b := read[payload.ProfileSet](t, body)
		return im.ProfileUpdated{UserID: b.UserID, Change: im.UserChange{Nickname: unless(b.Nickname), FaceURL: unless(b.FaceURL), Ex: new("x"), Older: true}}
	case registry.AfterUpdateUserInfoEx:
		b := read[payload.ProfileChange](t, body)
		return im.ProfileUpdated{UserID: b.UserID, Change: im.UserChange{Nickname: b.Nickname, FaceURL: b.FaceURL}}
	case registry.AfterAddFriend:
		b := read[payload.FriendRequested](t, body)
		return im.FriendAsked{FromID: b.FromUserID, ToID: b.ToUserID, Message: b.Message}
	case registry.AfterAddFriendAgree:
		b := read[payload.FriendAgreement](t, body)
		return im.FriendAgreed{FromID: b.FromUserID, ToID: b.BlackUserID, Answer: b.HandleMessage}
	case registry.AfterDeleteFriend:
		b := read[payload.FriendRemoval](t, body)
		return im.FriendRemoved{OwnerID: b.OwnerUserID, FriendID: b.FriendUserID}
	case registry.AfterSetFriendRemark:
		b := read[payload.FriendRemark](t, body)
		return im.RemarkSet{OwnerID: b.OwnerUserID, FriendID: b.FriendUserID, Remark: b.Remark}
	case registry.AfterImportFriends:
		b := read[payload.FriendImport](t, body)
		return im.FriendsImported{OwnerID: b.OwnerUserID, FriendIDs: b.FriendUserIDs}
	case registry.AfterRemoveBlack:
		b := read[payload.Block](t, body)
		return im.BlockRemoved{OwnerID: b.OwnerUserID, BlockedID: b.BlackUserID}
	case registry.AfterCreateGroup:
		b := read[payload.GroupCreated](t, body)
		e := im.GroupFounded{Group: groupOf(b.Group)}
		for _, m := range b.InitMembers {
			e.Members = append(e.Members, im.Member{UserID: m.UserID, Role: m.RoleLevel})
		}
		return e
	case registry.AfterJoinGroup:
		b := read[payload.Joined](t, body)
		return im.JoinReported{GroupID: b.GroupID, UserID: b.UserID, InviterID: b.InviterUserID, JoinSource: b.JoinSource, Message: b.Message, OperationID: "op"}
	case registry.AfterQuitGroup:
		b := read[payload.Quit](t, body)
		return im.QuitReported{GroupID: b.GroupID, UserID: b.UserID}
	case registry.AfterKickGroupMember:
		b := read[payload.Kicked](t, body)
		return im.KickReported{GroupID: b.GroupID, UserIDs: b.KickedUserIDs, Reason: b.Reason, OperatorID: b.OpUserID}
	case registry.AfterDismissGroup:
		b := read[payload.Dismissed](t, body)
		return im.DismissReported{GroupID: b.GroupID, OwnerID: b.OwnerID, Type: im.WorkingGroup, MemberIDs: b.MemberIDs}
	case registry.AfterTransferGroupOwner:
		b := read[payload.Transferred](t, body)
		return im.TransferReported{GroupID: b.GroupID, OldOwnerID: b.OldOwnerUserID, NewOwnerID: b.NewOwnerUserID}
	case registry.AfterSetGroupInfo:
		b := read[payload.GroupInfoSet](t, body)
		return im.GroupInfoReported{GroupID: b.GroupID, Info: im.GroupInfo{
			Name: unless(b.GroupName), FaceURL: unless(b.FaceURL), NeedVerification: b.NeedVerification, Older: true,
		}}
	case registry.AfterSetGroupInfoEx:
		b := read[payload.GroupInfoChange](t, body)
		return im.GroupInfoReported{GroupID: b.GroupID, Info: changeOf(b)}
	case registry.AfterSetGroupMemberInfo:
		return im.MemberInfoReported{Info: memberInfoOf(read[payload.MemberInfo](t, body))}
	case registry.AfterCreateSingleChatConversations, registry.AfterCreateGroupChatConversations:
		return im.ChatOpened{Row: rowOf(t, body)}
	}
	return nil
}

// differs makes of a recorded body the one that is sent instead, for callbacks
// that differ on purpose by more than added keys.
var differs = map[registry.ID]func(body map[string]any){
	// OpenIM casts a number to a text, which makes it a control character.
	registry.BeforeApplyJoinGroup: func(body map[string]any) { body["groupType"] = "2" },
	registry.AfterDismissGroup:    func(body map[string]any) { body["groupType"] = "2" },
	// OpenIM lists the owner and the administrators once more as members.
	registry.AfterCreateGroup: func(body map[string]any) { body["initMemberList"] = body["initMemberList"].([]any)[:3] },
}

func groupOf(g payload.Group) im.Group {
	return im.Group{
		GroupID: g.GroupID, Name: g.GroupName, Notification: g.Notification, Introduction: g.Introduction, FaceURL: g.FaceURL,
		OwnerID: g.OwnerUserID, CreatedAt: im.Millis(g.CreateTime), MemberCount: g.MemberCount, Ex: g.Ex, Status: g.Status, CreatorID: g.CreatorUserID,
		Type: g.GroupType, NeedVerification: g.NeedVerification, LookMemberInfo: g.LookMemberInfo, ApplyMemberFriend: g.ApplyMemberFriend,
	}
}

func changeOf(b payload.GroupInfoChange) im.GroupInfo {
	return im.GroupInfo{
		Name: b.GroupName, Notification: b.Notification, Introduction: b.Introduction, FaceURL: b.FaceURL, Ex: b.Ex,
		NeedVerification: b.NeedVerification, LookMemberInfo: b.LookMemberInfo, ApplyMemberFriend: b.ApplyMemberFriend,
	}
}

func memberInfoOf(b payload.MemberInfo) im.MemberInfo {
	return im.MemberInfo{GroupID: b.GroupID, UserID: b.UserID, Nickname: b.Nickname, FaceURL: b.FaceURL, Role: b.RoleLevel, Ex: b.Ex}
}

func rowOf(t *testing.T, body map[string]any) im.Conversation {
	row := im.Conversation{Type: im.SingleChat}
	var b payload.Conversation
	if _, group := body["groupId"]; group {
		g := read[payload.GroupConversation](t, body)
		row.Type, row.GroupID, b = im.GroupChat, g.GroupID, g.Conversation
	} else {
		s := read[payload.SingleConversation](t, body)
		row.UserID, b = s.UserID, s.Conversation
	}
	row.OwnerID, row.ConversationID = b.OwnerUserID, im.ConversationID(b.ConversationID)
	return row
}

// asks returns the body of the before-call for a question.
func asks(t *testing.T, q im.Question) []byte {
	t.Helper()
	h := serve(t, says(approval))
	cfg := Config{URL: h.URL, Callbacks: map[string]Callback{}}
	for _, c := range registry.All() {
		cfg.Callbacks[c.Key] = Callback{Enable: true, Timeout: 30 * time.Second}
	}
	e := newEngine(t, cfg, Options{})
	if !e.Wants(q.QuestionKind()) {
		t.Errorf("nobody wants %T", q)
	}
	if err := e.Ask(im.WithOperation(t.Context(), "op"), q); err != nil {
		t.Fatal(err)
	}
	calls := h.got()
	if len(calls) != 1 {
		t.Fatalf("%d calls", len(calls))
	}
	return calls[0].body
}

// TestOwnCommandAndAddress: every callback can be sent by a name, and to a place,
// of its own; the body repeats the name.
func TestOwnCommandAndAddress(t *testing.T) {
	paths := map[string]string{} // by command in the body
	h := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, approval) })
	cfg := Config{URL: "http://127.0.0.1:9", Callbacks: map[string]Callback{}}
	for _, c := range registry.All() {
		own := "own" + c.Key
		if len(c.Aliases) > 0 {
			own = c.Aliases[0] // what older handlers route on
		}
		cfg.Callbacks[c.Key] = Callback{Enable: true, Timeout: 30 * time.Second, Command: own, URL: h.URL + "/of/" + c.Key}
	}
	e := newEngine(t, cfg, Options{})
	note := func(path string, body []byte) {
		var b struct{ CallbackCommand string }
		if err := json.Unmarshal(body, &b); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		paths[b.CallbackCommand] = path
	}
	single, group := text("hi"), text("hi")
	group.SessionType, group.GroupID = im.GroupChat, "g"
	for _, m := range []*im.Message{single, group} {
		_, _ = e.BeforeSend(operation(), m)
		_, _, _ = e.Modify(operation(), m)
		m.Seq, m.ConversationID = 1, m.LogID()
	}
	questions := []im.Question{
		&im.MayRegister{Users: []im.User{{UserID: "a"}}}, &im.MayUpdateProfile{}, &im.MayUpdateProfile{Change: im.UserChange{Older: true}},
		&im.MayRequestFriend{}, &im.MayAgreeFriend{}, &im.MaySetRemark{}, &im.MayImportFriends{}, &im.MayBlock{}, &im.MayCreateGroup{}, &im.MayAddMembers{},
		&im.MayInvite{}, &im.MayApply{}, &im.MaySetGroup{}, &im.MaySetGroup{Info: im.GroupInfo{Older: true}}, &im.MaySetMember{},
		&im.MayOpenChat{Row: im.Conversation{Type: im.SingleChat}}, &im.MayOpenChat{Row: im.Conversation{Type: im.GroupChat}},
		&im.MayPush{Message: single}, &im.MayDeliver{Message: single}, &im.MayDeliver{Message: group},
	}
	for _, q := range questions {
		if err := e.Ask(operation(), q); err != nil {
			t.Errorf("%T: %v", q, err)
		}
	}
	for _, call := range h.got() {
		note(call.path, call.body)
	}
	events := []im.Event{
		im.MessageSent{Message: single},
		im.MessageSent{Message: group},
		im.ReadReported{Type: im.SingleChat},
		im.ReadReported{Type: im.GroupChat, Whole: true},
		im.RevokeReported{Message: group},
		im.UserOnline{},
		im.UserOffline{},
		im.UserKicked{},
		im.UsersRegistered{Users: []im.User{{UserID: "a"}}},
		im.ProfileUpdated{},
		im.ProfileUpdated{Change: im.UserChange{Older: true}},
		im.FriendAsked{},
		im.FriendAgreed{},
		im.FriendRemoved{},
		im.RemarkSet{},
		im.FriendsImported{},
		im.BlockRemoved{},
		im.GroupFounded{},
		im.JoinReported{},
		im.QuitReported{},
		im.KickReported{},
		im.DismissReported{},
		im.TransferReported{},
		im.GroupInfoReported{},
		im.GroupInfoReported{Info: im.GroupInfo{Older: true}},
		im.MemberInfoReported{},
		im.ChatOpened{Row: im.Conversation{Type: im.SingleChat}},
		im.ChatOpened{Row: im.Conversation{Type: im.GroupChat}},
	}
	for _, event := range events {
		for _, row := range e.Render(event) {
			before := len(h.got())
			if res := e.Deliver(t.Context(), &row, 1); res.Verdict != outbox.Delivered {
				t.Errorf("%s: %+v", row.Callback, res)
			}
			for _, call := range h.got()[before:] {
				note(call.path, call.body)
			}
		}
	}
	for _, c := range registry.All() {
		own := cfg.Callbacks[c.Key].Command
		if want := "/of/" + c.Key + "/" + own; paths[own] != want {
			t.Errorf("%s as %s went to %q, want %q", c.Key, own, paths[own], want)
		}
	}
}
