package im

import "context"

// Hooks put questions to the business server before a change is made; webhook
// implements them.
//
// A noun first decides by reading whether the change is allowed at all, then
// asks, with no transaction open and no lock held, and decides once more in the
// transaction, because time went by. What the answer changed is the caller's own
// input from then on and is checked like it.
type Hooks interface {
	// Wants reports whether anybody is to be asked questions of a kind. It is
	// quick and allocates nothing.
	Wants(kind QuestionKind) bool
	// WithDeadline bounds all questions of one client operation together. What
	// else the operation does is not bounded.
	WithDeadline(ctx context.Context) context.Context
	// Ask puts q to the business server. A refusal is an *Error. Otherwise the
	// answer's changes are in q, which must be the caller's own copy.
	Ask(ctx context.Context, q Question) error
}

// NoHooks ask nobody.
type NoHooks struct{}

// Wants implements Hooks.
func (NoHooks) Wants(QuestionKind) bool { return false }

// WithDeadline implements Hooks.
func (NoHooks) WithDeadline(ctx context.Context) context.Context { return ctx }

// Ask implements Hooks.
func (NoHooks) Ask(context.Context, Question) error { return nil }

// QuestionKind names what can be asked.
type QuestionKind uint8

// Question kinds.
const (
	AskRegister QuestionKind = iota + 1
	AskUpdateProfile
	AskUpdateProfileOlder
	AskRequestFriend
	AskAgreeFriend
	AskSetRemark
	AskImportFriends
	AskBlock
	AskCreateGroup
	AskAddMembers
	AskInvite
	AskApply
	AskSetGroup
	AskSetGroupOlder
	AskSetMember
	AskOpenChat
	AskOpenGroupChat
	AskPushOffline
	AskDeliver
	AskDeliverGroup

	QuestionKinds = iota + 1 // one past the last
)

// Question is something that is about to happen.
type Question interface{ QuestionKind() QuestionKind }

// MayRegister asks about new accounts; the answer may replace them.
type MayRegister struct{ Users []User }

// MayUpdateProfile asks about a change of a profile; the answer may add to it.
type MayUpdateProfile struct {
	UserID string
	Change UserChange
}

// MayRequestFriend asks about a friend request.
type MayRequestFriend struct{ FromID, ToID, Message, Ex string }

// MayAgreeFriend asks about accepting a friend request.
type MayAgreeFriend struct{ FromID, ToID, Answer string }

// MaySetRemark asks about a friend's new name; the answer may give another.
type MaySetRemark struct{ OwnerID, FriendID, Remark string }

// MayImportFriends asks about friends an administrator brings; the answer may
// replace them.
type MayImportFriends struct {
	OwnerID   string
	FriendIDs []string
}

// MayBlock asks about refusing a user's messages.
type MayBlock struct{ OwnerID, BlockedID string }

// MayCreateGroup asks about a new group. The answer may change its profile and
// its owner.
type MayCreateGroup struct {
	Group               Group  // with OwnerID
	WrittenOwnerID      string // as the profile of the request names him
	AdminIDs, MemberIDs []string
	Status              *int32 // only from the answer
}

// MayAddMembers asks about users who are about to become members, in whichever
// way, the first ones of a group included. The answer may change how they appear,
// and make ordinary members administrators.
type MayAddMembers struct {
	GroupID, GroupEx string
	Members          []Member
}

// MayInvite asks about an invitation; the answer may leave users out.
type MayInvite struct {
	GroupID, Reason string
	UserIDs         []string
}

// MayApply asks about a user's wish to join.
type MayApply struct {
	Group               Group
	UserID, Message, Ex string
}

// MaySetGroup asks about a change of a group's profile; the answer may add to
// it.
type MaySetGroup struct {
	GroupID string
	Info    GroupInfo
}

// MaySetMember asks about a change of a member; the answer may add to it.
type MaySetMember struct{ Info MemberInfo }

// MayOpenChat asks about a new row in a user's list of conversations, or in
// the lists of all who join a group (OwnerID is "" then). The answer may set it
// up.
type MayOpenChat struct{ Row Conversation }

// QuestionKind implements Question.
func (*MayRegister) QuestionKind() QuestionKind { return AskRegister }

// QuestionKind implements Question.
func (q *MayUpdateProfile) QuestionKind() QuestionKind { return q.Change.QuestionKind() }

// QuestionKind is the question about such a change.
func (c *UserChange) QuestionKind() QuestionKind {
	if c.Older {
		return AskUpdateProfileOlder
	}
	return AskUpdateProfile
}

// QuestionKind implements Question.
func (*MayRequestFriend) QuestionKind() QuestionKind { return AskRequestFriend }

// QuestionKind implements Question.
func (*MayAgreeFriend) QuestionKind() QuestionKind { return AskAgreeFriend }

// QuestionKind implements Question.
func (*MaySetRemark) QuestionKind() QuestionKind { return AskSetRemark }

// QuestionKind implements Question.
func (*MayImportFriends) QuestionKind() QuestionKind { return AskImportFriends }

// QuestionKind implements Question.
func (*MayBlock) QuestionKind() QuestionKind { return AskBlock }

// QuestionKind implements Question.
func (*MayCreateGroup) QuestionKind() QuestionKind { return AskCreateGroup }

// QuestionKind implements Question.
func (*MayAddMembers) QuestionKind() QuestionKind { return AskAddMembers }

// QuestionKind implements Question.
func (*MayInvite) QuestionKind() QuestionKind { return AskInvite }

// QuestionKind implements Question.
func (*MayApply) QuestionKind() QuestionKind { return AskApply }

// QuestionKind implements Question.
func (q *MaySetGroup) QuestionKind() QuestionKind { return q.Info.QuestionKind() }

// QuestionKind is the question about such a change.
func (i *GroupInfo) QuestionKind() QuestionKind {
	if i.Older {
		return AskSetGroupOlder
	}
	return AskSetGroup
}

// QuestionKind implements Question.
func (*MaySetMember) QuestionKind() QuestionKind { return AskSetMember }

// QuestionKind implements Question.
func (q *MayOpenChat) QuestionKind() QuestionKind {
	if q.Row.Type == GroupChat {
		return AskOpenGroupChat
	}
	return AskOpenChat
}

// MayPush asks before a message is pushed to who is not there. Users and Push
// may be replaced by the answer.
type MayPush struct {
	Message *Message
	UserIDs []string
	Push    *PushInfo // nil if the sender gave none
}

// QuestionKind implements Question.
func (*MayPush) QuestionKind() QuestionKind { return AskPushOffline }

// MayDeliver asks before a message goes to who is connected. The answer may leave
// out some of Users.
type MayDeliver struct {
	Message *Message
	UserIDs []string // of single chats; of groups those the answer names
}

// QuestionKind implements Question.
func (q *MayDeliver) QuestionKind() QuestionKind {
	if q.Message.SessionType == GroupChat {
		return AskDeliverGroup
	}
	return AskDeliver
}
