package console

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// conversationPage shows the messages of a conversation and what became of them.
// Their content is shown to who asked for it, which is recorded, for a while.
func conversationPage(c *Console) *page {
	return &page{
		path: "chat/conversation", title: "conversation.title", section: "nav.chat", hidden: true, template: "chat_conversation.html",
		show: func(r *request) (any, error) { return c.showConversation(r) },
		actions: []action{
			{name: "reveal", do: func(r *request) (done, error) {
				if !r.readsContent() {
					return done{}, im.ErrNoPermission.With("%s", r.lang.text("conversation.noright"))
				}
				id := im.ConversationID(r.PostFormValue("id"))
				if _, err := c.logOf(r, id); err != nil {
					return done{}, err
				}
				c.reveals.add(r.session.Hash, id, c.Now())
				return done{to: conversationPath(r, id), say: "done.reveal"}, nil
			}},
			{name: "conceal", do: func(r *request) (done, error) {
				id := im.ConversationID(r.PostFormValue("id"))
				c.reveals.remove(r.session.Hash, id)
				return done{to: conversationPath(r, id), say: "done.conceal"}, nil
			}},
		},
	}
}

func conversationPath(r *request, id im.ConversationID) string {
	return "chat/conversation?" + idQuery(string(id)) + "&" + queryOf("before", r.PostFormValue("before"))
}

const (
	// revealed is how long content stays visible.
	revealed = 5 * time.Minute
	// mostReveals bounds how many conversations are visible at a time, to all.
	mostReveals = 1000
	// mostHidden bounds whose deletions are shown of one page.
	mostHidden = 500
	// contentShown is how much of a message's content is shown.
	contentShown = 4 << 10
)

// reveals are the conversations whose content is visible now.
type reveals struct {
	mu    sync.Mutex
	until map[reveal]time.Time
}

type reveal struct {
	session string
	id      im.ConversationID
}

func (v *reveals) add(session string, id im.ConversationID, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.until == nil {
		v.until = make(map[reveal]time.Time)
	}
	for key, end := range v.until {
		if !now.Before(end) || len(v.until) >= mostReveals {
			delete(v.until, key) // too many: any will do, it can be asked for again
		}
	}
	v.until[reveal{session, id}] = now.Add(revealed)
}

func (v *reveals) remove(session string, id im.ConversationID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.until, reveal{session, id})
}

// end is until when the content is visible; zero if it is not.
func (v *reveals) end(session string, id im.ConversationID, now time.Time) time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	if end := v.until[reveal{session, id}]; now.Before(end) {
		return end
	}
	return time.Time{}
}

// logRow is a conversation in a list.
type logRow struct {
	store.LogState
	Kind string // key of the catalogue
}

func kindOf(id im.ConversationID) string {
	prefix, _, _ := strings.Cut(string(id), "_")
	switch {
	case id.IsNotification():
		return "kind.notices"
	case prefix == "si":
		return "kind.single"
	case prefix == "sg":
		return "kind.group"
	case prefix == "sn":
		return "kind.account"
	default:
		return "kind.other"
	}
}

// findConversations finds logs by the beginning of their ids.
func (c *Console) findConversations(r *request, v *findView) error {
	limit := v.limit()
	return r.read(func(tx *store.Tx) error {
		found, err := tx.FindLogs(v.Query, im.ConversationID(r.FormValue("after")), limit+1)
		if len(found) > limit {
			found = found[:limit]
			v.Next = found[limit-1].ConversationID
		}
		for _, l := range found {
			v.Conversations = append(v.Conversations, logRow{l, kindOf(l.ConversationID)})
		}
		return err
	})
}

func (c *Console) logOf(r *request, id im.ConversationID) (l store.LogState, err error) {
	err = r.read(func(tx *store.Tx) error {
		found, err := tx.LogStates([]im.ConversationID{id})
		if err == nil && len(found) == 0 {
			err = im.ErrNotFound.With("%s", r.lang.text("conversation.unknown", string(id)))
		}
		if err == nil {
			l = found[0]
		}
		return err
	})
	return l, err
}

type conversationView struct {
	Log      logRow
	First    im.Seq // what is still there begins here
	GroupID  string // of a group's chat
	Seers    []seer // of a chat of two
	MayRead  bool
	Until    im.Millis // content is visible until then, 0 if it is not
	Before   im.Seq    // the page ends before this seq, 0 for the newest
	Older    im.Seq    // the next page's Before, 0 for none
	Newer    bool
	Messages []messageRow
}

// messageRow is one seq of a conversation.
type messageRow struct {
	Seq       im.Seq
	Message   *im.Message // nil if it is gone
	Type      string
	Gone      bool
	Trimmed   bool     // not shown to anybody any more
	HiddenFor []string // who deleted it for himself
	ReadBy    []string
	Content   string // "" unless it may be seen
	Cut       bool
}

func (c *Console) showConversation(r *request) (v conversationView, err error) {
	id := im.ConversationID(r.FormValue("id"))
	l, err := c.logOf(r, id)
	if err != nil {
		return v, err
	}
	v.Log, v.MayRead, v.First = logRow{l, kindOf(id)}, r.readsContent(), max(l.MinSeq, 1)
	if end := c.reveals.end(r.session.Hash, id, c.Now()); !end.IsZero() && v.MayRead {
		v.Until = im.MillisOf(end)
	}
	v.Before = im.Seq(atoi(r.FormValue("before")))
	last := l.MaxSeq
	if v.Before > 0 && v.Before <= last {
		last, v.Newer = v.Before-1, true
	}
	first := max(1, last-rows+1)
	if first > 1 {
		v.Older = first
	}
	var messages []*im.Message
	var hidden []store.Hidden
	if err := r.read(func(tx *store.Tx) (err error) {
		if messages, err = tx.MessageRange(id, first, last); err != nil {
			return err
		}
		hidden, err = tx.HiddenFrom(id, first, last, mostHidden)
		return err
	}); err != nil {
		return v, err
	}
	if v.GroupID, v.Seers, err = c.seers(r, id, messages); err != nil {
		return v, err
	}
	for seq := last; seq >= first; seq-- {
		row := messageRow{Seq: seq, Gone: true, Trimmed: seq < l.MinSeq}
		if i := slices.IndexFunc(messages, func(m *im.Message) bool { return m.Seq == seq }); i >= 0 {
			m := messages[i]
			row.Gone, row.Message, row.Type = false, m, typeOf(m.ContentType)
			if v.Until != 0 {
				row.Content, row.Cut = contentOf(m)
			}
			for _, s := range v.Seers {
				if s.UserID != m.SendID && s.Read >= seq {
					row.ReadBy = append(row.ReadBy, s.UserID)
				}
			}
		}
		for _, h := range hidden {
			if h.Seq == seq {
				row.HiddenFor = append(row.HiddenFor, h.UserID)
			}
		}
		v.Messages = append(v.Messages, row)
	}
	return v, nil
}

// seers are who sees a conversation: of a group its members, on their own page.
func (c *Console) seers(r *request, id im.ConversationID, messages []*im.Message) (groupID string, list []seer, err error) {
	if id.IsGroup() {
		return strings.TrimPrefix(string(id), "sg_"), nil, nil
	}
	var ids []string
	for _, m := range messages {
		ids = append(ids, m.SendID, m.RecvID)
	}
	if len(messages) == 0 {
		if err := r.read(func(tx *store.Tx) error {
			heads, err := tx.LogHeads(id, 0, 1)
			for _, h := range heads {
				ids = append(ids, h.SendID, h.RecvID)
			}
			return err
		}); err != nil {
			return "", nil, err
		}
	}
	slices.Sort(ids)
	ids = slices.DeleteFunc(slices.Compact(ids), func(userID string) bool { return userID == "" || !id.PairContains(userID) })
	list, err = c.seenBy(r, id, ids)
	return "", list, err
}

// typeOf is the key of a content type's name.
func typeOf(t im.ContentType) string {
	switch {
	case hasText("type." + number(int(t))):
		return "type." + number(int(t))
	case t.IsControl():
		return "type.notice"
	default:
		return "type.other"
	}
}

// contentOf is what a message says: the text of a text, the JSON of all else.
func contentOf(m *im.Message) (text string, cut bool) {
	text = string(m.Content)
	var c struct {
		Content *string `json:"content"`
	}
	switch m.ContentType {
	case im.ContentText, im.ContentMarkdown:
		if json.Unmarshal(m.Content, &c) == nil && c.Content != nil {
			text = *c.Content
		}
	default: // as it is
	}
	if len(text) > contentShown {
		return short(text, contentShown), true
	}
	return strings.ToValidUTF8(text, "\uFFFD"), false
}
