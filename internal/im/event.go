package im

// EventKind names what can happen. A recorder can be asked per kind whether
// anybody wants to know, so that what nobody wants costs nothing.
type EventKind uint8

// Event kinds.
const (
	EventMessageSent EventKind = iota + 1
	EventUserOnline
	EventUserOffline
	EventUserKicked
	EventMessagesRead
	EventMessageRevoked
	EventUsersRegistered
	EventProfileUpdated
	EventFriendRequested
	EventFriendAgreed
	EventFriendDeleted
	EventRemarkSet
	EventFriendsImported
	EventUserUnblocked
	EventGroupFounded
	EventMemberJoined
	EventMemberQuit
	EventMembersKicked
	EventGroupDismissed
	EventGroupTransferred
	EventGroupSet
	EventMemberSet
	EventChatOpened
	EventMessageToPush

	EventKinds = iota + 1 // one past the last
)

// Event is a fact about a committed change. Events are recorded inside the
// transaction that makes the change.
type Event interface{ Kind() EventKind }

// MessageSent: a message was accepted; it has its seq if it is stored.
type MessageSent struct {
	Message     *Message
	OperationID string
}

// MessageToPush: an accepted message is to be pushed to who is not there.
type MessageToPush struct {
	Message     *Message
	OperationID string
}

// UserOnline: a connection of the user was opened.
type UserOnline struct {
	Session      Session
	OperationID  string
	At           Millis
	IsBackground bool
}

// UserOffline: the last connection of the user on a platform was closed.
type UserOffline struct {
	Session     Session
	OperationID string
	At          Millis
}

// UserKicked: a connection was ended by force, or displaced by a newer login.
type UserKicked struct {
	Session     Session
	OperationID string
	At          Millis
}

// ReadReported: a user reported messages as read, one by one or a whole
// conversation up to a seq.
type ReadReported struct {
	ReaderID       string
	ConversationID ConversationID
	Type           SessionType
	GroupID        string
	Seqs           []Seq
	ReadSeq        Seq
	Whole          bool // the conversation was reported, not single messages
	OperationID    string
}

// RevokeReported: a message was taken back by RevokerID.
type RevokeReported struct {
	RevokerID   string
	Message     *Message
	OperationID string
}

// UsersRegistered: accounts were made.
type UsersRegistered struct {
	Users       []User
	OperationID string
}

// ProfileUpdated: somebody asked for a change of a profile, and it was made.
type ProfileUpdated struct {
	UserID      string
	Change      UserChange
	OperationID string
}

// FriendAsked: a user wants to be another's friend.
type FriendAsked struct {
	FromID, ToID, Message string
	OperationID           string
}

// FriendAgreed: he accepted.
type FriendAgreed struct {
	FromID, ToID, Answer string // FromID is who asked
	OperationID          string
}

// FriendRemoved: a user took a friend out of his list.
type FriendRemoved struct {
	OwnerID, FriendID string
	OperationID       string
}

// RemarkSet: a user named a friend.
type RemarkSet struct {
	OwnerID, FriendID, Remark string
	OperationID               string
}

// FriendsImported: an administrator made users friends.
type FriendsImported struct {
	OwnerID     string
	FriendIDs   []string
	OperationID string
}

// BlockRemoved: a user takes another's messages again.
type BlockRemoved struct {
	OwnerID, BlockedID string
	OperationID        string
}

// GroupFounded: a group was made.
type GroupFounded struct {
	Group       Group
	Members     []Member
	OperationID string
}

// JoinReported: a user became a member of a group that was there already.
type JoinReported struct {
	GroupID, UserID string
	InviterID       string // the user himself if nobody invited him
	JoinSource      int32
	Message         string
	OperationID     string
}

// QuitReported: a member left.
type QuitReported struct {
	GroupID, UserID string
	OperationID     string
}

// KickReported: members were put out.
type KickReported struct {
	GroupID, Reason, OperatorID string
	UserIDs                     []string
	OperationID                 string
}

// DismissReported: a group ended, with the members it had.
type DismissReported struct {
	GroupID, OwnerID string
	Type             int32
	MemberIDs        []string
	OperationID      string
}

// TransferReported: a group has a new owner.
type TransferReported struct {
	GroupID, OldOwnerID, NewOwnerID string
	OperationID                     string
}

// GroupInfoReported: a group's profile was changed.
type GroupInfoReported struct {
	GroupID     string
	Info        GroupInfo
	OperationID string
}

// MemberInfoReported: a member was changed.
type MemberInfoReported struct {
	Info        MemberInfo
	OperationID string
}

// ChatOpened: a user has a new conversation, or all who joined a group have (OwnerID is ""
// then).
type ChatOpened struct {
	Row         Conversation
	OperationID string
}

// Session is one connection of a user.
type Session struct {
	ConnID   string
	UserID   string
	Platform Platform
}

// Kind implements Event.
func (MessageSent) Kind() EventKind { return EventMessageSent }

// Kind implements Event.
func (MessageToPush) Kind() EventKind { return EventMessageToPush }

// Kind implements Event.
func (UserOnline) Kind() EventKind { return EventUserOnline }

// Kind implements Event.
func (UserOffline) Kind() EventKind { return EventUserOffline }

// Kind implements Event.
func (UserKicked) Kind() EventKind { return EventUserKicked }

// Kind implements Event.
func (ReadReported) Kind() EventKind { return EventMessagesRead }

// Kind implements Event.
func (RevokeReported) Kind() EventKind { return EventMessageRevoked }

// Kind implements Event.
func (UsersRegistered) Kind() EventKind { return EventUsersRegistered }

// Kind implements Event.
func (ProfileUpdated) Kind() EventKind { return EventProfileUpdated }

// Kind implements Event.
func (FriendAsked) Kind() EventKind { return EventFriendRequested }

// Kind implements Event.
func (FriendAgreed) Kind() EventKind { return EventFriendAgreed }

// Kind implements Event.
func (FriendRemoved) Kind() EventKind { return EventFriendDeleted }

// Kind implements Event.
func (RemarkSet) Kind() EventKind { return EventRemarkSet }

// Kind implements Event.
func (FriendsImported) Kind() EventKind { return EventFriendsImported }

// Kind implements Event.
func (BlockRemoved) Kind() EventKind { return EventUserUnblocked }

// Kind implements Event.
func (GroupFounded) Kind() EventKind { return EventGroupFounded }

// Kind implements Event.
func (JoinReported) Kind() EventKind { return EventMemberJoined }

// Kind implements Event.
func (QuitReported) Kind() EventKind { return EventMemberQuit }

// Kind implements Event.
func (KickReported) Kind() EventKind { return EventMembersKicked }

// Kind implements Event.
func (DismissReported) Kind() EventKind { return EventGroupDismissed }

// Kind implements Event.
func (TransferReported) Kind() EventKind { return EventGroupTransferred }

// Kind implements Event.
func (GroupInfoReported) Kind() EventKind { return EventGroupSet }

// Kind implements Event.
func (MemberInfoReported) Kind() EventKind { return EventMemberSet }

// Kind implements Event.
func (ChatOpened) Kind() EventKind { return EventChatOpened }
