package im

// Conversation is one user's view of a log: how it is shown and which part of
// it he may see.
type Conversation struct {
	OwnerID        string
	ConversationID ConversationID
	Type           SessionType
	UserID         string // the peer of a single or account chat
	GroupID        string

	RecvOpt      RecvOpt
	Pinned       bool
	PrivateChat  bool
	BurnDuration int32 // seconds
	GroupAtType  int32
	AttachedInfo string
	Ex           string

	MinSeq Seq // first visible, 0: unbounded
	MaxSeq Seq // last visible, 0: unbounded (not 0 after leaving a group)

	Destruct           bool
	DestructTime       int64 // seconds
	LatestDestructTime Millis
}

// Bounds is the part of a log a user sees, and how far he has read.
type Bounds struct {
	MinSeq  Seq // first visible, at least 1
	MaxSeq  Seq // last visible; below MinSeq when nothing is
	ReadSeq Seq
	// MaxSeqTime is when the log's last message was stored.
	MaxSeqTime Millis
}

// ElementState says what happened to an element since a version.
type ElementState int8

// Version is the state of one list (a user's conversations, friends, groups,
// or a group's members) as incremental sync compares it.
type Version struct {
	ID      string // 24 hex digits, new when the log was reset
	Version uint64
}

// VersionKind names a family of version logs.
type VersionKind int8

// Version log kinds and their owners.
const (
	VersionConversations VersionKind = iota + 1 // of a user
	VersionFriends                              // of a user
	VersionJoinedGroups                         // of a user
	VersionGroupMembers                         // of a group
	VersionBlocks                               // of a user
)

// SyncLimit is the number of changed elements above which incremental sync
// answers "load everything" instead (rest-api 1.11).
const SyncLimit = 200
