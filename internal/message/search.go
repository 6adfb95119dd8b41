package message

import (
	"context"
	"slices"
	"strings"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// Query selects chat messages; a field left zero selects all.
type Query struct {
	SendID string
	// RecvID is a user of single chats, or a group.
	RecvID      string
	ContentType im.ContentType
	SessionType im.SessionType
	// Since and Until bound the send time; Until is not part of the range.
	Since, Until im.Millis
}

// Bounds on what a search or a count looks at. Both run in reads of scanStep
// messages, so that they delay nobody.
const (
	maxSearch = 500_000
	maxCount  = 5_000_000
	scanStep  = 1_000
)

// Search returns a page of the chat messages that a query selects, in the order
// of storing, and their number. It is for administrators. A search that would
// have to look at more than maxSearch messages counts what it has seen, and
// refuses pages beyond that.
func (s *Service) Search(ctx context.Context, q Query, offset, limit int) (total int, page []*im.Message, err error) {
	if !im.CallerOf(ctx).Admin {
		return 0, nil, im.ErrNoPermission.With("only administrators search messages")
	}
	var found []store.MessageHead
	seen := 0
	look := func(heads []store.MessageHead) (enough bool) {
		for _, h := range heads {
			if q.selects(h) {
				found = append(found, h)
			}
		}
		seen += len(heads)
		return seen >= maxSearch
	}
	logs, all, err := s.candidates(ctx, q)
	if err != nil {
		return 0, nil, err
	}
	cut := false
	if all {
		cut, err = s.scan(ctx, q.Since, q.Until, look)
	} else {
		for _, c := range logs {
			if cut, err = s.scanLog(ctx, c, look); err != nil || cut {
				break
			}
		}
		slices.SortFunc(found, func(a, b store.MessageHead) int { return int(a.ID - b.ID) })
	}
	switch {
	case err != nil:
		return 0, nil, err
	case cut && offset+limit > len(found):
		return 0, nil, im.ErrArgs.With("that page is behind the first %d messages: search by day, or for both users", maxSearch)
	}
	page, err = s.load(ctx, found[min(offset, len(found)):min(offset+limit, len(found))])
	return len(found), page, err
}

// selects reports whether a message belongs to the answer.
func (q Query) selects(h store.MessageHead) bool {
	to := h.RecvID
	if h.SessionType == im.GroupChat {
		to = h.GroupID
	}
	return isChat(h.ConversationID) &&
		(q.SendID == "" || q.SendID == h.SendID) && (q.RecvID == "" || q.RecvID == to) &&
		(q.ContentType == 0 || q.ContentType == h.ContentType) && (q.SessionType == 0 || q.SessionType == h.SessionType) &&
		h.SendTime >= q.Since && (q.Until == 0 || h.SendTime < q.Until)
}

// isChat holds for the logs of users and groups, not for those of notification
// accounts and notifications.
func isChat(c im.ConversationID) bool {
	return strings.HasPrefix(string(c), "si_") || strings.HasPrefix(string(c), "sg_")
}

// candidates lists the logs that can hold what a query selects; all means that
// any can. A sender writes to groups he may have left, so he alone says nothing.
func (s *Service) candidates(ctx context.Context, q Query) (logs []im.ConversationID, all bool, err error) {
	switch {
	case q.RecvID == "":
		return nil, true, nil
	case q.SendID != "":
		return []im.ConversationID{im.SingleConversation(q.SendID, q.RecvID), im.GroupConversation(q.RecvID)}, false, nil
	}
	err = s.store.Read(ctx, func(tx *store.Tx) (err error) {
		logs, err = tx.PairLogs(q.RecvID)
		return err
	})
	return append(logs, im.GroupConversation(q.RecvID)), false, err
}

// scan shows look the messages of all logs that may have been sent from since
// up to until, in the order of storing, until it has enough.
func (s *Service) scan(ctx context.Context, since, until im.Millis, look func([]store.MessageHead) (enough bool)) (cut bool, err error) {
	var first, end int64
	err = s.store.Read(ctx, func(tx *store.Tx) (err error) {
		first, end, err = tx.MessageSpan(since, until)
		return err
	})
	for err == nil && first < end {
		var heads []store.MessageHead
		err = s.store.Read(ctx, func(tx *store.Tx) (err error) {
			heads, err = tx.MessageHeads(first, scanStep)
			return err
		})
		if err != nil || len(heads) == 0 {
			break
		}
		if look(heads) {
			return true, nil
		}
		first = heads[len(heads)-1].ID + 1
	}
	return false, err
}

func (s *Service) scanLog(ctx context.Context, c im.ConversationID, look func([]store.MessageHead) (enough bool)) (cut bool, err error) {
	for after := im.Seq(0); ; {
		var heads []store.MessageHead
		if err := s.store.Read(ctx, func(tx *store.Tx) (err error) {
			heads, err = tx.LogHeads(c, after, scanStep)
			return err
		}); err != nil || len(heads) == 0 {
			return false, err
		}
		if look(heads) {
			return true, nil
		}
		after = heads[len(heads)-1].Seq
	}
}

// load reads whole messages, in the order of their heads. Those that were
// removed meanwhile are left out.
func (s *Service) load(ctx context.Context, heads []store.MessageHead) ([]*im.Message, error) {
	seqs := map[im.ConversationID][]im.Seq{}
	for _, h := range heads {
		seqs[h.ConversationID] = append(seqs[h.ConversationID], h.Seq)
	}
	type place struct {
		c   im.ConversationID
		seq im.Seq
	}
	at := map[place]*im.Message{}
	err := s.store.Read(ctx, func(tx *store.Tx) error {
		for c, list := range seqs {
			msgs, err := tx.MessagesBySeq(c, list)
			if err != nil {
				return err
			}
			for _, m := range msgs {
				at[place{c, m.Seq}] = m
			}
		}
		return nil
	})
	page := make([]*im.Message, 0, len(heads))
	for _, h := range heads {
		if m := at[place{h.ConversationID, h.Seq}]; m != nil {
			page = append(page, m)
		}
	}
	return page, err
}

// Activity is who wrote how many chat messages in a range of times.
type Activity struct {
	Messages int64
	Days     map[string]int64 // by UTC day, "2006-01-02"
	// By counts by the id of a sender or group.
	By map[string]int64
}

// ActiveUsers counts the chat messages sent from start up to end by their
// senders, those to groups only if groups is set.
func (s *Service) ActiveUsers(ctx context.Context, start, end im.Millis, groups bool) (Activity, error) {
	return s.count(ctx, start, end, func(h store.MessageHead) string {
		if h.SessionType == im.GroupChat && !groups {
			return ""
		}
		return h.SendID
	})
}

// ActiveGroups counts the messages sent to groups from start up to end.
func (s *Service) ActiveGroups(ctx context.Context, start, end im.Millis) (Activity, error) {
	return s.count(ctx, start, end, func(h store.MessageHead) string {
		if h.SessionType != im.GroupChat {
			return ""
		}
		return h.GroupID
	})
}

// count counts chat messages by what of gives; "" is not counted.
func (s *Service) count(ctx context.Context, start, end im.Millis, of func(store.MessageHead) string) (Activity, error) {
	a := Activity{Days: map[string]int64{}, By: map[string]int64{}}
	switch {
	case !im.CallerOf(ctx).Admin:
		return a, im.ErrNoPermission.With("only administrators count messages")
	case start <= 0, end <= 0, start > end:
		return a, im.ErrArgs.With("start and end must be times, the first first")
	}
	seen := 0
	cut, err := s.scan(ctx, start, end, func(heads []store.MessageHead) bool {
		for _, h := range heads {
			key := ""
			if isChat(h.ConversationID) && !h.ContentType.IsControl() && h.SendTime >= start && h.SendTime < end {
				key = of(h)
			}
			if key != "" {
				a.Messages++
				a.By[key]++
				a.Days[store.UTCDay(h.SendTime)]++
			}
		}
		seen += len(heads)
		return seen >= maxCount
	})
	if err == nil && cut {
		err = im.ErrArgs.With("more than %d messages: ask for a shorter time", maxCount)
	}
	return a, err
}
