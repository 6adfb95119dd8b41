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

// MessagesRead: a user read on. Seqs lists messages read one by one, if any.
type MessagesRead struct {
	ReaderID       string
	ConversationID ConversationID
	Seqs           []Seq
	ReadSeq        Seq
}

func (UserChanged) notice()          {}
func (ConversationsChanged) notice() {}
func (MessagesRead) notice()         {}
