package im

// RecvOpt is how a user wants to be told of messages, overall or of one
// conversation.
type RecvOpt int32

// Receive options.
const (
	RecvNotify   RecvOpt = 0
	RecvRefuse   RecvOpt = 1 // the sender is refused
	RecvNoNotify RecvOpt = 2 // received, but no offline push
)

// App levels. From LevelAdmin up an account skips block and friend checks when
// it sends; from LevelAccount up it cannot log in.
const (
	LevelOrdinary int32 = 1
	LevelAdmin    int32 = 2
	LevelAccount  int32 = 3
	LevelRobot    int32 = 4
)

// User is a profile with its global settings.
type User struct {
	UserID    string
	Nickname  string
	FaceURL   string
	Ex        string
	CreatedAt Millis
	AppLevel  int32
	RecvOpt   RecvOpt
}

// UserChange is a partial update; nil leaves a field as it is.
type UserChange struct {
	Nickname, FaceURL, Ex *string
	RecvOpt               *RecvOpt
	// Older: asked for by the request of older clients, which has callbacks of
	// its own.
	Older bool
}

// Setting is what the operator tells client programs: everybody's if UserID is
// "", otherwise one user's.
type Setting struct {
	UserID, Name, Value string
}

// UserCommand is an entry of a user that only his clients understand:
// favourites and the like.
type UserCommand struct {
	UserID    string
	Type      int32
	UUID      string
	Value, Ex string
	CreatedAt Millis
}
