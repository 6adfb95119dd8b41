package im

// Notice is something the server tells clients in a notification message; wire
// gives it its content type and form.
type Notice interface{ notice() }

// UserChanged: a user's own profile or settings changed.
type UserChanged struct{ UserID string }

// ConversationsChanged: rows of a user's conversation list changed.
type ConversationsChanged struct {
	UserID          string
	ConversationIDs []ConversationID
}

// PrivacySet: a user turned a chat of two private, or no longer so.
type PrivacySet struct {
	UserID, PeerID string
	ConversationID ConversationID
	Private        bool
}

// MessagesRead: a user read on. Seqs lists messages read one by one, if any.
type MessagesRead struct {
	ReaderID       string
	ConversationID ConversationID
	Seqs           []Seq
	ReadSeq        Seq
}

// MessageRevoked: a message was taken back.
type MessageRevoked struct {
	RevokerID      string
	ByAdmin        bool
	ConversationID ConversationID
	SessionType    SessionType
	Seq            Seq
	ClientMsgID    string
	At             Millis
}

// MessagesDeleted: a user deleted messages, for himself or for everybody.
type MessagesDeleted struct {
	UserID         string
	ConversationID ConversationID
	Seqs           []Seq
}

// ConversationsCleared: a user emptied conversations.
type ConversationsCleared struct {
	UserID          string
	ConversationIDs []ConversationID
}

// Business is what an administrator tells apps in a form of his own.
type Business struct{ Key, Data string }

func (Business) notice()             {}
func (MessageRevoked) notice()       {}
func (MessagesDeleted) notice()      {}
func (ConversationsCleared) notice() {}
func (UserChanged) notice()          {}
func (ConversationsChanged) notice() {}
func (MessagesRead) notice()         {}
func (PrivacySet) notice()           {}
