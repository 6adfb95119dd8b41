package im

// GroupAct is what every notice about a group says: the group after the
// change, who changed it and when, and the version of its member log that this
// very change made. Sort is that version too if the order of members changed.
type GroupAct struct {
	Group    Group
	Operator Member
	At       Millis
	Version  Version
	Sort     uint64
}

// GroupCreated: a group was made with these members.
type GroupCreated struct {
	GroupAct
	Owner   Member
	Members []Member
}

// GroupFacet is which part of a group changed.
type GroupFacet int8

// Parts of a group.
const (
	GroupProfile GroupFacet = iota // whatever has no notice of its own
	GroupName
	GroupAnnouncement
	GroupMuteOn
	GroupMuteOff
)

// GroupChanged: a group's profile or state changed.
type GroupChanged struct {
	GroupAct
	Facet GroupFacet
}

// GroupApplied: somebody asks to join a group, or a member asks for him.
type GroupApplied struct {
	Group     Group
	Applicant User // who asks
	Request   GroupRequest
	User      User // who would join
	ID        string
}

// GroupApplicationHandled: a request to join was accepted or refused.
type GroupApplicationHandled struct {
	GroupAct
	Request   GroupRequest
	User      User
	ToManager bool // told to who manages the group, not to who asked
	ID        string
}

// MemberQuit: a member left.
type MemberQuit struct {
	GroupAct
	Member Member
}

// MembersKicked: members were put out.
type MembersKicked struct {
	GroupAct
	Members []Member
}

// MembersInvited: members were brought in.
type MembersInvited struct {
	GroupAct
	Members []Member
	Inviter Member
}

// MemberEntered: a member came by himself.
type MemberEntered struct {
	GroupAct
	Member Member
}

// GroupEnded: a group was dismissed.
type GroupEnded struct{ GroupAct }

// GroupTransferred: a group has another owner.
type GroupTransferred struct {
	GroupAct
	Old, New Member
}

// MemberMuted: a member may not write for some seconds; 0 lets him again.
type MemberMuted struct {
	GroupAct
	Member  Member
	Seconds uint32
}

// MemberFacet is which part of a member changed.
type MemberFacet int8

// Parts of a member.
const (
	MemberProfile MemberFacet = iota
	MemberMadeAdmin
	MemberMadeOrdinary
)

// MemberChanged: a member's name, face or role changed.
type MemberChanged struct {
	GroupAct
	Member Member
	Facet  MemberFacet
}

func (GroupCreated) notice()            {}
func (GroupChanged) notice()            {}
func (GroupApplied) notice()            {}
func (GroupApplicationHandled) notice() {}
func (MemberQuit) notice()              {}
func (MembersKicked) notice()           {}
func (MembersInvited) notice()          {}
func (MemberEntered) notice()           {}
func (GroupEnded) notice()              {}
func (GroupTransferred) notice()        {}
func (MemberMuted) notice()             {}
func (MemberChanged) notice()           {}
