package message

import (
	"context"
	"maps"
	"slices"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// What a mention leaves on the list entry of a member, whose app takes it away
// when the conversation is opened (websocket-and-messages 6.10).
const (
	atMe       int32 = 1
	atAll      int32 = 2
	atAllAndMe int32 = 3
)

// marksAtOnce bounds how many members one transaction marks: others wait for it.
const marksAtOnce = 100

// mentions are the members of the group that m mentions, with the mark of each.
func mentions(m *im.Message, members []string) map[string]int32 {
	if m.ContentType != im.ContentAtText || m.SessionType != im.GroupChat || len(m.AtUserIDs) == 0 {
		return nil
	}
	named := make(map[string]bool, len(m.AtUserIDs))
	for _, id := range m.AtUserIDs {
		named[id] = true
	}
	everybody := named[im.AtAll]
	marks := make(map[string]int32)
	for _, id := range members {
		switch {
		case everybody && id == m.SendID:
		case everybody && named[id]:
			marks[id] = atAllAndMe
		case everybody:
			marks[id] = atAll
		case named[id]:
			marks[id] = atMe
		}
	}
	return marks
}

// markMentions marks a committed message's conversation for those it mentions
// and tells their apps. It is not part of the send: a mark that is lost with the
// power costs a hint, and a message to everybody is not kept waiting for it.
func (s *Service) markMentions(ctx context.Context, m *im.Message, members []string) {
	marks := mentions(m, members)
	// In the order of the users, in which rows are locked.
	for owners := range slices.Chunk(slices.Sorted(maps.Keys(marks)), marksAtOnce) {
		var changed []string
		err := s.store.Write(ctx, func(tx *store.Tx) error {
			changed = nil
			for _, owner := range owners {
				row, found, err := tx.Conversation(owner, m.ConversationID)
				if err != nil {
					return err
				}
				mark := marks[owner]
				if !found || row.GroupAtType == mark {
					continue
				}
				if _, err := tx.UpdateConversation(owner, m.ConversationID, store.ConversationChange{GroupAtType: &mark}); err != nil {
					return err
				}
				changed = append(changed, owner)
			}
			return nil
		})
		if err != nil {
			s.options.Logger.WarnContext(ctx, "mentions were not marked", "error", err)
			return
		}
		for _, owner := range changed {
			if err := s.Notify(ctx, Notification{
				SendID: owner, RecvID: owner,
				Notice: im.ConversationsChanged{UserID: owner, ConversationIDs: []im.ConversationID{m.ConversationID}},
			}); err != nil {
				s.options.Logger.WarnContext(ctx, "a mention was not announced", "error", err)
			}
		}
	}
}
