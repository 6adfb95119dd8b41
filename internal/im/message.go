package im

import "maps"

// SessionType is the kind of conversation a message is sent to.
type SessionType int32

// Session types. Write-diffusion groups (2) are not supported.
const (
	SingleChat  SessionType = 1
	GroupChat   SessionType = 3
	AccountChat SessionType = 4 // with a notification account
)

// ContentType says what a message's content holds.
type ContentType int32

// Content types the server itself must know; all others are opaque.
const (
	ContentText           ContentType = 101
	ContentPicture        ContentType = 102
	ContentVoice          ContentType = 103
	ContentVideo          ContentType = 104
	ContentFile           ContentType = 105
	ContentAtText         ContentType = 106
	ContentCustom         ContentType = 110
	ContentRevokeObsolete ContentType = 111
	ContentTyping         ContentType = 113
	ContentQuote          ContentType = 114
	ContentMarkdown       ContentType = 118
	ContentAccountNotice  ContentType = 1400 // from a notification account
	ContentReadReceipt    ContentType = 2200

	controlFirst ContentType = 1000
	controlLast  ContentType = 5000
)

// IsControl reports whether the type belongs to the server: notifications
// about events. Clients may not send them.
func (c ContentType) IsControl() bool { return c >= controlFirst && c <= controlLast }

// Who a message is from.
const (
	FromUser   int32 = 100
	FromSystem int32 = 200
)

// Message status values.
const (
	StatusSending int32 = 1
	StatusSent    int32 = 2
	StatusFailed  int32 = 3
	StatusDeleted int32 = 4 // only in pulls: removed, or a hole
)

// Options are a message's switches. A missing key means on.
type Options map[string]bool

// Option keys.
const (
	OptionHistory                  = "history"    // stored, has a seq
	OptionPersistent               = "persistent" // clients store it
	OptionOfflinePush              = "offlinePush"
	OptionUnreadCount              = "unreadCount"
	OptionConversationUpdate       = "conversationUpdate"
	OptionSenderConversationUpdate = "senderConversationUpdate"
	OptionSenderSync               = "senderSync"        // also to the sender's own connections
	OptionNotNotification          = "isNotNotification" // off: belongs to the notification log
	OptionSendMessage              = "isSendMsg"         // a notification that is a chat message too
	OptionNotPrivate               = "notPrivate"        // off: burn after reading
	OptionReactionFromCache        = "reactionFromCache" // unused, kept on the wire
)

// On reports whether a switch is on.
func (o Options) On(key string) bool {
	on, set := o[key]
	return on || !set
}

// Without returns the options with the keys switched off. The receiver is not
// changed.
func (o Options) Without(keys ...string) Options {
	out := maps.Clone(o)
	if out == nil {
		out = make(Options, len(keys))
	}
	for _, k := range keys {
		out[k] = false
	}
	return out
}

// UserOptions returns the options an ordinary sender may choose: all but those
// that make a message a notification.
func (o Options) UserOptions() Options {
	_, a := o[OptionNotNotification]
	_, b := o[OptionSendMessage]
	if !a && !b {
		return o
	}
	out := maps.Clone(o)
	delete(out, OptionNotNotification)
	delete(out, OptionSendMessage)
	return out
}

// PushInfo is what an offline push shows.
type PushInfo struct {
	Title, Desc, Ex string
	IOSPushSound    string
	IOSBadgeCount   bool
	SignalInfo      string
}

// AtAll in AtUserIDs means every member.
const AtAll = "AtAllTag"

// Message is one entry of a conversation's log, or one on its way there. After
// it was handed to the store it is shared by readers and never changed.
type Message struct {
	ConversationID ConversationID
	Seq            Seq // 0: not stored

	ClientMsgID string // sender's idempotency key
	ServerMsgID string

	SendID  string
	RecvID  string // single and account chats
	GroupID string // group chats

	SenderPlatform int32
	SenderNickname string
	SenderFaceURL  string

	SessionType SessionType
	MsgFrom     int32
	ContentType ContentType
	Content     []byte // UTF-8 JSON, opaque
	SendTime    Millis // server's clock
	CreateTime  Millis // client's clock
	Status      int32
	IsRead      bool // filled on pulls of single chats

	Options      Options
	Push         *PushInfo
	AtUserIDs    []string
	AttachedInfo string
	Ex           string

	Revoked *Revocation // nil unless it was taken back
	// RevokedQuote is the message this one quotes, if that was taken back.
	// Filled on pulls.
	RevokedQuote *Message
}

// Revocation says who took a message back.
type Revocation struct {
	RevokerID string
	Nickname  string
	Role      int32 // in the group, or the app level in a single chat; 0 for an administrator
	At        Millis
}

// LogID returns the conversation the message belongs to, from its addressing
// and options (websocket-and-messages 6.3).
func (m *Message) LogID() ConversationID {
	notice := !m.Options.On(OptionNotNotification)
	switch {
	case m.SessionType == GroupChat && notice:
		return GroupNotifications(m.GroupID)
	case m.SessionType == GroupChat:
		return GroupConversation(m.GroupID)
	case notice:
		return PairNotifications(m.SendID, m.RecvID)
	case m.SessionType == AccountChat:
		return AccountConversation(m.SendID, m.RecvID)
	default:
		return SingleConversation(m.SendID, m.RecvID)
	}
}
