package message

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/spread"
	"github.com/parley-im/parley/internal/store"
)

// What a mention leaves on the list entry of a member, whose app takes it away
// when the conversation is opened (websocket-and-messages 6.10).
const (
	atMe       int32 = 1
	atAll      int32 = 2
	atAllAndMe int32 = 3
)

// Marks are what a message or an announcement leaves on the list entries of a
// group's members. Those who come later get none.
type Marks struct {
	GroupID  string
	Everyone int32    // on every entry, 0 for none
	Named    int32    // on those of NamedIDs instead
	NamedIDs []string // sorted
	Except   string   // who wrote it
	At       im.Millis
}

// mentions are the marks that a message leaves, if it leaves any.
func mentions(m *im.Message, now im.Millis) (marks Marks, any bool) {
	if m.ContentType != im.ContentAtText || m.SessionType != im.GroupChat || m.ConversationID.IsNotification() || len(m.AtUserIDs) == 0 {
		return marks, false
	}
	marks = Marks{GroupID: m.GroupID, Named: atMe, At: now}
	for _, id := range m.AtUserIDs {
		if id == im.AtAll {
			marks.Everyone, marks.Named, marks.Except = atAll, atAllAndMe, m.SendID
			continue
		}
		marks.NamedIDs = append(marks.NamedIDs, id)
	}
	slices.Sort(marks.NamedIDs)
	marks.NamedIDs = slices.Compact(marks.NamedIDs)
	return marks, true
}

// BeginMarks notes marks in the transaction of what leaves them. subject is the
// name of these; SpreadMarks puts them on the entries after the commit.
func BeginMarks(tx *store.Tx, subject string, m Marks) error {
	payload, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return tx.BeginSpread(store.Spread{Kind: store.SpreadMarks, Subject: subject, Payload: payload})
}

// SpreadMarks puts marks that were noted on the entries and tells the apps.
func (s *Service) SpreadMarks(ctx context.Context, subject string) {
	s.spreads.Begin(ctx, store.SpreadMarks, subject)
}

// marksOf names the marks of a message.
func marksOf(m *im.Message) string { return fmt.Sprintf("%s %d", m.ConversationID, m.Seq) }

// mark is the step that puts marks on some more entries.
func (s *Service) mark(tx *store.Tx, sp store.Spread) (spread.Result, error) {
	var m Marks
	if err := json.Unmarshal(sp.Payload, &m); err != nil {
		return spread.Result{}, fmt.Errorf("marks %s: %w", sp.Subject, err)
	}
	concerned, named, err := m.next(tx, sp.Cursor)
	if err != nil || len(concerned) == 0 {
		return spread.Result{Done: true}, err
	}
	c := im.GroupConversation(m.GroupID)
	everyone := slices.DeleteFunc(slices.Clone(concerned), func(id string) bool { return id == m.Except || slices.Contains(named, id) })
	named = slices.DeleteFunc(named, func(id string) bool { return id == m.Except })
	var changed []string
	for _, some := range []struct {
		ids  []string
		mark int32
	}{{everyone, m.Everyone}, {named, m.Named}} {
		if len(some.ids) == 0 || some.mark == 0 {
			continue
		}
		ids, err := tx.MarkChats(c, some.ids, some.mark)
		if err != nil {
			return spread.Result{}, err
		}
		changed = append(changed, ids...)
	}
	return spread.Result{
		Next: concerned[len(concerned)-1], Done: len(concerned) < spread.Chunk,
		Tell: func(ctx context.Context) { s.TellChats(ctx, c, changed) },
	}, nil
}

// next are the members after one whom the marks concern, and which of them by
// name.
func (m *Marks) next(tx *store.Tx, after string) (concerned, named []string, err error) {
	from, found := slices.BinarySearch(m.NamedIDs, after)
	if found {
		from++
	}
	rest := m.NamedIDs[from:]
	if m.Everyone == 0 {
		concerned = rest[:min(len(rest), spread.Chunk)]
		if len(concerned) == 0 {
			return nil, nil, nil
		}
		members, err := tx.Members(m.GroupID, concerned)
		for _, member := range members {
			named = append(named, member.UserID)
		}
		slices.Sort(named)
		return concerned, named, err
	}
	concerned, err = tx.MemberIDPage(m.GroupID, after, m.At, spread.Chunk)
	for _, id := range concerned {
		if _, byName := slices.BinarySearch(rest, id); byName {
			named = append(named, id)
		}
	}
	return concerned, named, err
}

// reopen is the step that gives more members who deleted a group's chat their
// row of it again, for a message.
func (s *Service) reopen(tx *store.Tx, sp store.Spread) (spread.Result, error) {
	some, err := tx.OpenClosedChats(im.GroupConversation(sp.Subject), sp.Subject, spread.Chunk)
	return spread.Result{Done: len(some) < spread.Chunk}, err
}

// TellChats announces to users that their row of a conversation changed.
func (s *Service) TellChats(ctx context.Context, c im.ConversationID, userIDs []string) {
	for _, id := range userIDs {
		n := im.ConversationsChanged{UserID: id, ConversationIDs: []im.ConversationID{c}}
		if err := s.Notify(ctx, Notification{SendID: id, RecvID: id, Notice: n}); err != nil {
			s.options.Logger.WarnContext(ctx, "conversation change was not announced", "error", err)
		}
	}
}
