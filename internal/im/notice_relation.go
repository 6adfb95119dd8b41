package im

// FriendRequested: a user wants to be another's friend.
type FriendRequested struct{ Request FriendRequest }

// FriendRequestAgreed: two users are friends now. Without a request they were
// imported; Applicant and Approver are then the list's owner and his friend.
type FriendRequestAgreed struct {
	ApplicantID, ApproverID string
	Request                 *FriendRequest
}

// FriendRequestRefused: a user does not want to be another's friend.
type FriendRequestRefused struct{ Request FriendRequest }

// FriendDeleted: a user removed a friend from his list.
type FriendDeleted struct{ OwnerID, FriendID string }

// FriendRemarkSet: a user named a friend.
type FriendRemarkSet struct{ OwnerID, FriendID string }

// FriendsUpdated: a user changed entries of his friend list.
type FriendsUpdated struct {
	OwnerID   string
	FriendIDs []string
}

// FriendProfileChanged: the profile of somebody in a friend list changed.
type FriendProfileChanged struct{ UserID string }

// UserBlocked: a user refuses another's messages from now on.
type UserBlocked struct{ OwnerID, BlockedID string }

// UserUnblocked: he takes them again.
type UserUnblocked struct{ OwnerID, BlockedID string }

func (FriendRequested) notice()      {}
func (FriendRequestAgreed) notice()  {}
func (FriendRequestRefused) notice() {}
func (FriendDeleted) notice()        {}
func (FriendRemarkSet) notice()      {}
func (FriendsUpdated) notice()       {}
func (FriendProfileChanged) notice() {}
func (UserBlocked) notice()          {}
func (UserUnblocked) notice()        {}
