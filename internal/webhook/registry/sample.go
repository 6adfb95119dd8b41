package registry

import (
	"reflect"

	"github.com/parley-im/parley/hooks/payload"
)

const (
	sampleTime      = 1_700_000_000_123
	sampleOperation = "9f1c2d0e-6a51-4a53-9c42-6fb1a1f0a001"
)

var (
	sampleMessage = payload.Message{
		SendID: "alice", ServerMsgID: "0b5f6c1de2f94a7f8c1d6c2c0c9d4e11", ClientMsgID: "5d41402abc4b2a76b9719d911017c592",
		OperationID: sampleOperation, SenderPlatformID: 1, SenderNickname: "Alice", SessionType: 1, MsgFrom: 100, ContentType: 101, Status: 1,
		SendTime: sampleTime, CreateTime: sampleTime - 40, Content: `{"content":"hello"}`, FaceURL: "https://example.org/alice.png",
	}
	sampleSingle = payload.SingleMessage{Message: sampleMessage, RecvID: "bob"}
	sampleGroup  = payload.GroupMessage{Message: inGroup(sampleMessage), GroupID: "1357924680"}

	sampleSender = payload.Push{OperationID: sampleOperation, PlatformID: 1, Platform: "IOS"}
	samplePushed = payload.Pushed{
		ClientMsgID: sampleMessage.ClientMsgID, SendID: "alice", ContentType: 101, SessionType: 1, Content: sampleMessage.Content,
	}
	sampleSession = payload.Presence{OperationID: "p_4711_1", PlatformID: 1, Platform: "IOS", UserID: "alice", Seq: sampleTime}

	sampleUsers = payload.Registration{Users: []payload.User{{UserID: "alice", Nickname: "Alice", FaceURL: "https://example.org/alice.png", Ex: "{}"}}}
	sampleName  = payload.ProfileChange{UserID: "alice", Nickname: ptr("Alice B.")}

	sampleFounding = payload.Group{
		GroupName: "Climbing", Introduction: "Wednesdays", FaceURL: "https://example.org/rock.png", GroupType: 2, NeedVerification: 1,
	}
	sampleFirst = []payload.FirstMember{{UserID: "alice", RoleLevel: 100}, {UserID: "bob", RoleLevel: 20}}

	sampleConversation = payload.SingleConversation{
		Conversation: payload.Conversation{OwnerUserID: "alice", ConversationID: "si_alice_bob", ConversationType: 1}, UserID: "bob",
	}
	sampleGroupConversation = payload.GroupConversation{
		Conversation: payload.Conversation{ConversationID: "sg_1357924680", ConversationType: 3}, GroupID: "1357924680",
	}
)

func ptr[T any](v T) *T { return &v }

func stored(m payload.Message, status int32) payload.Message {
	m.Seq, m.Status = 17, status
	return m
}

func inGroup(m payload.Message) payload.Message {
	m.SessionType = 3
	return m
}

func founded(g payload.Group) payload.Group {
	g.GroupID, g.OwnerUserID, g.CreateTime, g.MemberCount = "1357924680", "alice", sampleTime, 2
	return g
}

// bodies are samples of requests, and the types of answers that say more than
// payload.Answer.
var bodies = [Last + 1]struct{ sample, answer any }{
	BeforeSendSingleMsg: {sample: sampleSingle},
	AfterSendSingleMsg:  {sample: payload.SingleMessage{Message: stored(sampleMessage, 1), RecvID: "bob"}},
	BeforeSendGroupMsg:  {sample: sampleGroup},
	AfterSendGroupMsg:   {sample: payload.GroupMessage{Message: stored(inGroup(sampleMessage), 1), GroupID: "1357924680"}},
	BeforeMsgModify:     {payload.AddressedMessage{Message: sampleMessage, RecvID: "bob"}, payload.MessageAnswer{}},
	AfterMsgSaveDB:      {sample: payload.AddressedMessage{Message: stored(sampleMessage, 2), RecvID: "bob"}},
	AfterSingleMsgRead: {sample: payload.SingleRead{
		ConversationID: "si_alice_bob", UserID: "bob", Seqs: []int64{16, 17}, ContentType: 1, HasReadSeq: 17,
	}},
	AfterGroupMsgRead: {sample: payload.GroupRead{
		SendID: "bob", ReceiveID: "bob", UnreadMsgNum: 17, ContentType: 3, GroupID: "1357924680", ConversationID: "sg_1357924680", HasReadSeq: 17,
	}},
	AfterRevokeMsg: {sample: payload.Revoke{
		ConversationID: "si_alice_bob", Seq: 17, UserID: "alice", ClientMsgID: sampleMessage.ClientMsgID, SendID: "alice", SessionType: 1,
	}},
	AfterGroupMsgRevoke: {sample: payload.Revoke{
		ConversationID: "sg_1357924680", Seq: 17, UserID: "alice", ClientMsgID: sampleMessage.ClientMsgID, SendID: "alice", SessionType: 3,
		GroupID: "1357924680",
	}},
	BeforeOfflinePush: {
		payload.OfflinePush{Push: sampleSender, UserIDs: []string{"bob"}, PushInfo: &payload.PushInfo{Title: "Alice", Desc: "hello", IOSBadgeCount: true}, Pushed: samplePushed},
		payload.OfflinePushAnswer{},
	},
	BeforeOnlinePush:      {payload.OnlinePush{Push: sampleSender, UserIDs: []string{"bob", "alice"}, Pushed: samplePushed}, payload.OnlinePushAnswer{}},
	BeforeGroupOnlinePush: {payload.GroupOnlinePush{Push: sampleSender, Pushed: samplePushedToGroup(), Seq: 17}, payload.OnlinePushAnswer{}},

	AfterUserOnline:  {sample: payload.Online{Presence: sampleSession, ConnID: "4f0c"}},
	AfterUserOffline: {sample: payload.Offline{Presence: sampleSession, ConnID: "4f0c"}},
	AfterUserKickOff: {sample: payload.Offline{Presence: sampleSession, ConnID: "4f0c"}},

	BeforeUserRegister:     {sampleUsers, payload.RegistrationAnswer{}},
	AfterUserRegister:      {sample: sampleUsers},
	BeforeUpdateUserInfo:   {payload.Profile{UserID: "alice", Nickname: "Alice B."}, payload.ProfileAnswer{}},
	AfterUpdateUserInfo:    {sample: payload.ProfileSet{UserID: "alice", Nickname: "Alice B."}},
	BeforeUpdateUserInfoEx: {sampleName, payload.ProfileAnswer{}},
	AfterUpdateUserInfoEx:  {sample: sampleName},

	BeforeAddFriend:       {sample: payload.FriendRequest{FromUserID: "alice", ToUserID: "bob", Message: "It's me", Ex: "{}"}},
	AfterAddFriend:        {sample: payload.FriendRequested{FromUserID: "alice", ToUserID: "bob", Message: "It's me"}},
	BeforeAddFriendAgree:  {sample: payload.FriendAgreement{FromUserID: "alice", BlackUserID: "bob", HandleResult: 1, HandleMessage: "Hello!", ToUserID: "bob"}},
	AfterAddFriendAgree:   {sample: payload.FriendAgreement{FromUserID: "alice", BlackUserID: "bob", HandleResult: 1, HandleMessage: "Hello!", ToUserID: "bob"}},
	AfterDeleteFriend:     {sample: payload.FriendRemoval{OwnerUserID: "alice", FriendUserID: "bob"}},
	BeforeSetFriendRemark: {payload.FriendRemark{OwnerUserID: "alice", FriendUserID: "bob", Remark: "Bobby"}, payload.FriendRemarkAnswer{}},
	AfterSetFriendRemark:  {sample: payload.FriendRemark{OwnerUserID: "alice", FriendUserID: "bob", Remark: "Bobby"}},
	BeforeImportFriends:   {payload.FriendImport{OwnerUserID: "alice", FriendUserIDs: []string{"bob", "carol"}}, payload.FriendImportAnswer{}},
	AfterImportFriends:    {sample: payload.FriendImport{OwnerUserID: "alice", FriendUserIDs: []string{"bob", "carol"}}},
	BeforeAddBlack:        {sample: payload.Block{OwnerUserID: "alice", BlackUserID: "mallory"}},
	AfterRemoveBlack:      {sample: payload.Block{OwnerUserID: "alice", BlackUserID: "mallory"}},

	BeforeCreateGroup: {payload.GroupCreation{OperationID: sampleOperation, Group: sampleFounding, InitMembers: sampleFirst}, payload.GroupCreationAnswer{}},
	AfterCreateGroup:  {sample: payload.GroupCreated{Group: founded(sampleFounding), InitMembers: sampleFirst}},
	BeforeMemberJoinGroup: {
		payload.MembersJoin{GroupID: "1357924680", Members: []payload.NewMember{{UserID: "bob"}, {UserID: "carol"}}, GroupEx: "{}"},
		payload.MembersJoinAnswer{},
	},
	BeforeInviteUserToGroup: {
		payload.Invitation{OperationID: sampleOperation, GroupID: "1357924680", Reason: "Join us", InvitedUserIDs: []string{"carol"}},
		payload.InvitationAnswer{},
	},
	BeforeApplyJoinGroup: {sample: payload.Application{GroupID: "1357924680", GroupType: "2", ApplyID: "carol", Message: "Bob told me", Ex: "{}"}},
	AfterJoinGroup: {sample: payload.Joined{
		OperationID: sampleOperation, GroupID: "1357924680", Message: "Bob told me", JoinSource: 3, InviterUserID: "carol", UserID: "carol",
	}},
	AfterQuitGroup:          {sample: payload.Quit{GroupID: "1357924680", UserID: "bob"}},
	AfterKickGroupMember:    {sample: payload.Kicked{GroupID: "1357924680", KickedUserIDs: []string{"bob"}, Reason: "Spam", OpUserID: "alice"}},
	AfterDismissGroup:       {sample: payload.Dismissed{GroupID: "1357924680", OwnerID: "alice", GroupType: "2", MemberIDs: []string{"alice", "bob"}}},
	AfterTransferGroupOwner: {sample: payload.Transferred{GroupID: "1357924680", OldOwnerUserID: "alice", NewOwnerUserID: "bob"}},
	BeforeSetGroupInfo:      {payload.GroupInfo{GroupID: "1357924680", GroupName: "Bouldering"}, payload.GroupInfoAnswer{}},
	AfterSetGroupInfo:       {sample: payload.GroupInfoSet{GroupID: "1357924680", GroupName: "Bouldering"}},
	BeforeSetGroupInfoEx:    {payload.GroupInfoChange{GroupID: "1357924680", GroupName: ptr("Bouldering")}, payload.GroupInfoAnswer{}},
	AfterSetGroupInfoEx:     {sample: payload.GroupInfoChange{GroupID: "1357924680", GroupName: ptr("Bouldering")}},
	BeforeSetGroupMemberInfo: {
		payload.MemberInfo{GroupID: "1357924680", UserID: "bob", RoleLevel: ptr[int32](60)}, payload.MemberInfoAnswer{},
	},
	AfterSetGroupMemberInfo: {sample: payload.MemberInfo{GroupID: "1357924680", UserID: "bob", RoleLevel: ptr[int32](60)}},

	BeforeCreateSingleChatConversations: {sampleConversation, payload.ConversationAnswer{}},
	AfterCreateSingleChatConversations:  {sample: sampleConversation},
	BeforeCreateGroupChatConversations:  {sampleGroupConversation, payload.ConversationAnswer{}},
	AfterCreateGroupChatConversations:   {sample: sampleGroupConversation},
}

func samplePushedToGroup() payload.Pushed {
	p := samplePushed
	p.SessionType, p.GroupID = 3, "1357924680"
	return p
}

// Sample is a realistic request with the given command in it. Its type is that
// of every request of the callback.
func (c Callback) Sample(command string) any {
	v := reflect.New(c.Request).Elem()
	v.Set(reflect.ValueOf(bodies[c.ID].sample))
	v.FieldByName("CallbackCommand").SetString(command)
	return v.Interface()
}
