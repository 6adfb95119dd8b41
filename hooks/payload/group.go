package payload

// Group is a group's profile.
type Group struct {
	GroupID                string `json:"groupID"`
	GroupName              string `json:"groupName"`
	Notification           string `json:"notification"`
	Introduction           string `json:"introduction"`
	FaceURL                string `json:"faceURL"`
	OwnerUserID            string `json:"ownerUserID"`
	CreateTime             int64  `json:"createTime"`
	MemberCount            uint32 `json:"memberCount"`
	Ex                     string `json:"ex"`
	Status                 int32  `json:"status"`
	CreatorUserID          string `json:"creatorUserID"`
	GroupType              int32  `json:"groupType"`
	NeedVerification       int32  `json:"needVerification"`
	LookMemberInfo         int32  `json:"lookMemberInfo"`
	ApplyMemberFriend      int32  `json:"applyMemberFriend"`
	NotificationUpdateTime int64  `json:"notificationUpdateTime"`
	NotificationUserID     string `json:"notificationUserID"`
}

// FirstMember is a member of a new group.
type FirstMember struct {
	UserID    string `json:"userID"`
	RoleLevel int32  `json:"roleLevel"` // 100 owner, 60 administrator, 20 member
}

// GroupCreation is the body of beforeCreateGroup. Group is as the caller wrote
// it.
type GroupCreation struct {
	OperationID     string `json:"operationID"`
	CallbackCommand string `json:"callbackCommand"`
	Group
	InitMembers []FirstMember `json:"initMemberList"`
}

// GroupCreated is the body of afterCreateGroup.
type GroupCreated struct {
	CallbackCommand string `json:"callbackCommand"`
	Group
	InitMembers []FirstMember `json:"initMemberList"`
}

// GroupCreationAnswer answers beforeCreateGroup.
type GroupCreationAnswer struct {
	Answer
	GroupID           *string `json:"groupID,omitempty"`
	GroupName         *string `json:"groupName,omitempty"`
	Notification      *string `json:"notification,omitempty"`
	Introduction      *string `json:"introduction,omitempty"`
	FaceURL           *string `json:"faceURL,omitempty"`
	OwnerUserID       *string `json:"ownerUserID,omitempty"`
	Ex                *string `json:"ex,omitempty"`
	Status            *int32  `json:"status,omitempty"`
	CreatorUserID     *string `json:"creatorUserID,omitempty"`
	GroupType         *int32  `json:"groupType,omitempty"`
	NeedVerification  *int32  `json:"needVerification,omitempty"`
	LookMemberInfo    *int32  `json:"lookMemberInfo,omitempty"`
	ApplyMemberFriend *int32  `json:"applyMemberFriend,omitempty"`
}

// NewMember is somebody about to join.
type NewMember struct {
	UserID string `json:"userID"`
	Ex     string `json:"ex"`
}

// MembersJoin is the body of beforeMemberJoinGroup. While a group is being
// created it does not exist yet.
type MembersJoin struct {
	CallbackCommand string      `json:"callbackCommand"`
	GroupID         string      `json:"groupID"`
	Members         []NewMember `json:"memberList"`
	GroupEx         string      `json:"groupEx"`
}

// MembersJoinAnswer answers beforeMemberJoinGroup. Members who are not about to
// join are passed over.
type MembersJoinAnswer struct {
	Answer
	Members []MemberSettings `json:"memberCallbackList,omitempty"`
}

// MemberSettings changes one of the new members. RoleLevel is 20 or 60.
type MemberSettings struct {
	UserID      *string `json:"userID"`
	Nickname    *string `json:"nickname,omitempty"`
	FaceURL     *string `json:"faceURL,omitempty"`
	RoleLevel   *int32  `json:"roleLevel,omitempty"`
	MuteEndTime *int64  `json:"muteEndTime,omitempty"`
	Ex          *string `json:"ex,omitempty"`
}

// Invitation is the body of beforeInviteUserToGroup.
type Invitation struct {
	CallbackCommand string   `json:"callbackCommand"`
	OperationID     string   `json:"operationID"`
	GroupID         string   `json:"groupID"`
	Reason          string   `json:"reason"`
	InvitedUserIDs  []string `json:"invitedUserIDs"`
}

// InvitationAnswer answers beforeInviteUserToGroup. Who is in the list is not
// invited.
type InvitationAnswer struct {
	Answer
	RefusedUserIDs []string `json:"refusedMembersAccount,omitempty"`
}

// Application is the body of beforeApplyJoinGroup.
type Application struct {
	CallbackCommand string `json:"callbackCommand"`
	GroupID         string `json:"groupID"`
	GroupType       string `json:"groupType"` // "2"; a control character in OpenIM
	ApplyID         string `json:"applyID"`
	Message         string `json:"reqMessage"`
	Ex              string `json:"ex"`
}

// Joined is the body of afterJoinGroup: one new member. InviterUserID is the
// member himself if nobody invited him.
type Joined struct {
	CallbackCommand string `json:"callbackCommand"`
	OperationID     string `json:"operationID"`
	GroupID         string `json:"groupID"`
	Message         string `json:"reqMessage"`
	JoinSource      int32  `json:"joinSource"`
	InviterUserID   string `json:"inviterUserID"`
	UserID          string `json:"userID"` // not sent by OpenIM
}

// Quit is the body of afterQuitGroup.
type Quit struct {
	CallbackCommand string `json:"callbackCommand"`
	GroupID         string `json:"groupID"`
	UserID          string `json:"userID"`
}

// Kicked is the body of afterKickGroupMember.
type Kicked struct {
	CallbackCommand string   `json:"callbackCommand"`
	GroupID         string   `json:"groupID"`
	KickedUserIDs   []string `json:"kickedUserIDs"`
	Reason          string   `json:"reason"`
	OpUserID        string   `json:"opUserID"` // not sent by OpenIM
}

// Dismissed is the body of afterDismissGroup. Members are those it had; the
// list is [] when empty.
type Dismissed struct {
	CallbackCommand string   `json:"callbackCommand"`
	GroupID         string   `json:"groupID"`
	OwnerID         string   `json:"ownerID"`
	GroupType       string   `json:"groupType"` // "2"; a control character in OpenIM
	MemberIDs       []string `json:"membersID"`
}

// Transferred is the body of afterTransferGroupOwner.
type Transferred struct {
	CallbackCommand string `json:"callbackCommand"`
	GroupID         string `json:"groupID"`
	OldOwnerUserID  string `json:"oldOwnerUserID"`
	NewOwnerUserID  string `json:"newOwnerUserID"`
}

// GroupInfo is the body of beforeSetGroupInfo: "" and 0 are not being changed.
// OperationID is "".
type GroupInfo struct {
	CallbackCommand   string `json:"callbackCommand"`
	OperationID       string `json:"operationID"`
	GroupID           string `json:"groupID"`
	GroupName         string `json:"groupName"`
	Notification      string `json:"notification"`
	Introduction      string `json:"introduction"`
	FaceURL           string `json:"faceURL"`
	Ex                string `json:"ex"`
	NeedVerification  int32  `json:"needVerification"`
	LookMemberInfo    int32  `json:"lookMemberInfo"`
	ApplyMemberFriend int32  `json:"applyMemberFriend"`
}

// GroupInfoSet is the body of afterSetGroupInfo: "" and null were not changed.
type GroupInfoSet struct {
	CallbackCommand   string  `json:"callbackCommand"`
	OperationID       string  `json:"operationID"`
	GroupID           string  `json:"groupID"`
	GroupName         string  `json:"groupName"`
	Notification      string  `json:"notification"`
	Introduction      string  `json:"introduction"`
	FaceURL           string  `json:"faceURL"`
	Ex                *string `json:"ex"`
	NeedVerification  *int32  `json:"needVerification"`
	LookMemberInfo    *int32  `json:"lookMemberInfo"`
	ApplyMemberFriend *int32  `json:"applyMemberFriend"`
}

// GroupInfoChange is the body of beforeSetGroupInfoEx and afterSetGroupInfoEx:
// null is not being changed. OperationID is "".
type GroupInfoChange struct {
	CallbackCommand   string  `json:"callbackCommand"`
	OperationID       string  `json:"operationID"`
	GroupID           string  `json:"groupID"`
	GroupName         *string `json:"groupName"`
	Notification      *string `json:"notification"`
	Introduction      *string `json:"introduction"`
	FaceURL           *string `json:"faceURL"`
	Ex                *string `json:"ex"`
	NeedVerification  *int32  `json:"needVerification"`
	LookMemberInfo    *int32  `json:"lookMemberInfo"`
	ApplyMemberFriend *int32  `json:"applyMemberFriend"`
}

// GroupInfoAnswer answers beforeSetGroupInfo and beforeSetGroupInfoEx.
type GroupInfoAnswer struct {
	Answer
	GroupName         *string `json:"groupName,omitempty"`
	Notification      *string `json:"notification,omitempty"`
	Introduction      *string `json:"introduction,omitempty"`
	FaceURL           *string `json:"faceURL,omitempty"`
	Ex                *string `json:"ex,omitempty"`
	NeedVerification  *int32  `json:"needVerification,omitempty"`
	LookMemberInfo    *int32  `json:"lookMemberInfo,omitempty"`
	ApplyMemberFriend *int32  `json:"applyMemberFriend,omitempty"`
}

// MemberInfo is the body of beforeSetGroupMemberInfo and
// afterSetGroupMemberInfo: null is not being changed.
type MemberInfo struct {
	CallbackCommand string  `json:"callbackCommand"`
	GroupID         string  `json:"groupID"`
	UserID          string  `json:"userID"`
	Nickname        *string `json:"nickName"`
	FaceURL         *string `json:"faceURL"`
	RoleLevel       *int32  `json:"roleLevel"`
	Ex              *string `json:"ex"`
}

// MemberInfoAnswer answers beforeSetGroupMemberInfo. RoleLevel is 20 or 60.
type MemberInfoAnswer struct {
	Answer
	Nickname  *string `json:"nickName,omitempty"`
	FaceURL   *string `json:"faceURL,omitempty"`
	RoleLevel *int32  `json:"roleLevel,omitempty"`
	Ex        *string `json:"ex,omitempty"`
}
