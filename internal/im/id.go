package im

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
	"time"
	"unicode"
)

// ConversationID names a log. User ids may hold underscores, so an id is never
// taken apart by splitting; only its prefix is meaningful.
type ConversationID string

// Seq is a position in a conversation's log: 1, 2, 3 … without gaps. 0 is
// "not stored" on a message and "unbounded" as a limit.
type Seq int64

// Millis is a point in time in Unix milliseconds. Message times are values the
// wire carries as they are (0 included), so they are not time.Time.
type Millis int64

// Time returns the instant; the zero Millis is the zero Time.
func (m Millis) Time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(m))
}

// MillisOf converts t; the zero Time is 0.
func MillisOf(t time.Time) Millis {
	if t.IsZero() {
		return 0
	}
	return Millis(t.UnixMilli())
}

const notificationPrefix = "n_"

// SingleConversation is the log of two users, in either order.
func SingleConversation(a, b string) ConversationID { return pair("si_", a, b) }

// AccountConversation is the log between a notification account and a user.
func AccountConversation(a, b string) ConversationID { return pair("sn_", a, b) }

// GroupConversation is the log of a group.
func GroupConversation(groupID string) ConversationID { return ConversationID("sg_" + groupID) }

// PairNotifications is the notification log of two users; with a == b it is
// the user's own.
func PairNotifications(a, b string) ConversationID { return pair(notificationPrefix, a, b) }

// GroupNotifications is the notification log of a group.
func GroupNotifications(groupID string) ConversationID {
	return ConversationID(notificationPrefix + groupID)
}

func pair(prefix, a, b string) ConversationID {
	if a > b {
		a, b = b, a
	}
	return ConversationID(prefix + a + "_" + b)
}

// IsGroup reports whether the log is a group's chat.
func (c ConversationID) IsGroup() bool { return strings.HasPrefix(string(c), "sg_") }

// IsNotification reports whether the log holds notifications, not chat.
func (c ConversationID) IsNotification() bool {
	return strings.HasPrefix(string(c), notificationPrefix)
}

// Notifications is the notification twin of a chat log: the text before the
// first underscore replaced by n.
func (c ConversationID) Notifications() ConversationID {
	_, rest, ok := strings.Cut(string(c), "_")
	if !ok {
		return c
	}
	return ConversationID(notificationPrefix + rest)
}

// PairContains reports whether c is a two-user log (of any kind) with userID
// at one end. It is exact for real ids: the other end is whatever remains.
func (c ConversationID) PairContains(userID string) bool {
	_, rest, ok := strings.Cut(string(c), "_")
	if !ok || userID == "" || strings.HasPrefix(string(c), "sg_") {
		return false
	}
	if other, found := strings.CutPrefix(rest, userID+"_"); found && other != "" && userID <= other {
		return true
	}
	other, found := strings.CutSuffix(rest, "_"+userID)
	return found && other != "" && other <= userID
}

// ValidUserID reports whether id may be registered: letters, digits and
// underscore, 1 to 64 bytes.
func ValidUserID(id string) bool {
	if id == "" || len(id) > MaxIDLength {
		return false
	}
	for _, r := range id {
		if r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return false
		}
	}
	return true
}

// MaxIDLength bounds user, group and client message ids, in bytes.
const MaxIDLength = 64

// MaxText bounds free texts that are stored and sent around: names, addresses
// of pictures, ex fields. In bytes.
const MaxText = 16 << 10

// NewMessageID returns 32 random hex digits, the form clients and servers use
// for message ids.
func NewMessageID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand aborts the process instead
	return hex.EncodeToString(b[:])
}
