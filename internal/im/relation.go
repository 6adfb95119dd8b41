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
