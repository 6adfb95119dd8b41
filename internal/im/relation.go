package im

// How a friend came into a list.
const (
	FriendImported int32 = 1
	FriendApplied  int32 = 2
)

// Friend is an entry of a user's friend list. Friendship is two entries, one
// in each list. User holds only what lists show of a profile.
type Friend struct {
	OwnerID    string
	User       User
	Remark     string
	Ex         string
	Pinned     bool
	AddSource  int32
	OperatorID string
	CreatedAt  Millis
}

// Block is a user whose messages another refuses. User holds only what lists
// show of a profile.
type Block struct {
	OwnerID    string
	User       User
	Ex         string
	AddSource  int32
	OperatorID string
	CreatedAt  Millis
}

// FriendChange changes entries of a friend list; nil leaves a field as it is.
type FriendChange struct {
	Remark, Ex *string
	Pinned     *bool
}

// RequestResult is what became of a request.
type RequestResult int32

// Results of requests.
const (
	RequestRefused RequestResult = iota - 1
	RequestPending
	RequestAgreed
)

// FriendRequest is a user's wish to become another's friend, one for each
// ordered pair. From and To hold only what lists show of a profile.
type FriendRequest struct {
	From, To  User
	Message   string
	Ex        string
	CreatedAt Millis

	Result    RequestResult
	Answer    string
	HandlerID string // who agreed
	HandledAt Millis
}
