package registry

// ID is the number of a callback in the catalogue, from 1.
type ID uint8

// The callbacks, in the order of the catalogue.
const (
	BeforeSendSingleMsg ID = iota + 1
	AfterSendSingleMsg
	BeforeSendGroupMsg
	AfterSendGroupMsg
	BeforeMsgModify
	AfterMsgSaveDB
	AfterSingleMsgRead
	AfterGroupMsgRead
	AfterRevokeMsg
	AfterGroupMsgRevoke
	BeforeOfflinePush
	BeforeOnlinePush
	BeforeGroupOnlinePush
	AfterUserOnline
	AfterUserOffline
	AfterUserKickOff
	BeforeUserRegister
	AfterUserRegister
	BeforeUpdateUserInfo
	AfterUpdateUserInfo
	BeforeUpdateUserInfoEx
	AfterUpdateUserInfoEx
	BeforeAddFriend
	AfterAddFriend
	BeforeAddFriendAgree
	AfterAddFriendAgree
	AfterDeleteFriend
	BeforeSetFriendRemark
	AfterSetFriendRemark
	BeforeImportFriends
	AfterImportFriends
	BeforeAddBlack
	AfterRemoveBlack
	BeforeCreateGroup
	AfterCreateGroup
	BeforeMemberJoinGroup
	BeforeInviteUserToGroup
	BeforeApplyJoinGroup
	AfterJoinGroup
	AfterQuitGroup
	AfterKickGroupMember
	AfterDismissGroup
	AfterTransferGroupOwner
	BeforeSetGroupInfo
	AfterSetGroupInfo
	BeforeSetGroupInfoEx
	AfterSetGroupInfoEx
	BeforeSetGroupMemberInfo
	AfterSetGroupMemberInfo
	BeforeCreateSingleChatConversations
	AfterCreateSingleChatConversations
	BeforeCreateGroupChatConversations
	AfterCreateGroupChatConversations

	Last = AfterCreateGroupChatConversations
)
