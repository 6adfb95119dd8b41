package im

// Group roles.
const (
	RoleOwner  int32 = 100
	RoleAdmin  int32 = 60
	RoleMember int32 = 20
)

// Group status values.
const (
	GroupOK        int32 = 0
	GroupBanned    int32 = 1
	GroupDismissed int32 = 2
	GroupMuted     int32 = 3
)

// Who may join a group (NeedVerification).
const (
	VerifyApplicants int32 = 0 // who applies is asked for, who is invited joins
	VerifyEveryone   int32 = 1 // who is invited by ordinary members is asked for too
	VerifyNobody     int32 = 2 // who applies joins
)

// How somebody came into a group.
const (
	JoinedByInvitation int32 = 2
)

// AtAnnouncement marks a group's conversation: there is a new announcement.
const AtAnnouncement int32 = 4

// WorkingGroup is the only group type that can be created.
const WorkingGroup int32 = 2

// Group is a group's profile and settings.
type Group struct {
	GroupID               string
	Name                  string
	Notification          string
	Introduction          string
	FaceURL               string
	OwnerID               string
	CreatorID             string
	CreatedAt             Millis
	MemberCount           uint32
	Ex                    string
	Status                int32
	Type                  int32
	NeedVerification      int32
	LookMemberInfo        int32
	ApplyMemberFriend     int32
	NotificationUpdatedAt Millis
	NotificationUserID    string
}

// Member is a user's membership of a group.
type Member struct {
	GroupID    string
	UserID     string
	Role       int32
	Nickname   string // own nickname in the group, "" uses the profile's
	FaceURL    string
	JoinedAt   Millis
	JoinSource int32
	InviterID  string
	OperatorID string
	MuteUntil  Millis
	Ex         string
	AppLevel   int32 // from the profile
}

// GroupInfo is a partial update of a group's profile; nil leaves a field as it
// is.
type GroupInfo struct {
	Name, Notification, Introduction, FaceURL, Ex *string

	NeedVerification, LookMemberInfo, ApplyMemberFriend *int32

	// Older: asked for by the request of older clients, which has callbacks of
	// its own.
	Older bool
}

// MemberInfo is a partial update of a member; nil leaves a field as it is.
type MemberInfo struct {
	GroupID, UserID       string
	Role                  *int32
	Nickname, FaceURL, Ex *string
}

// GroupRequest is a user's request to join a group, or a member's for him.
type GroupRequest struct {
	GroupID       string
	UserID        string
	InviterID     string // "" if he asks himself
	JoinSource    int32
	Message       string
	Ex            string
	RequestedAt   Millis
	Result        RequestResult
	HandleMessage string
	HandlerID     string
	HandledAt     Millis
}
