package console

import (
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// groupPage shows a group and its members.
func groupPage(c *Console) *page {
	return &page{
		path: "chat/group", title: "group.title", section: "nav.chat", hidden: true, template: "chat_group.html",
		show: func(r *request) (any, error) { return c.showGroup(r, r.FormValue("id")) },
	}
}

type groupView struct {
	Group   im.Group
	Chat    im.ConversationID
	Now     im.Millis
	Query   string
	Members []memberRow
	Pages   pager
}

// memberRow is a member, with how far he has read and what he sees of the chat.
type memberRow struct {
	im.Member
	Read im.Seq
	From im.Seq // the first message he sees, 0 for all
}

func (c *Console) showGroup(r *request, id string) (v groupView, err error) {
	groups, err := c.Chat.Groups.Groups(r.Context(), []string{id})
	if err != nil {
		return v, err
	}
	if len(groups) == 0 {
		return v, im.ErrGroupNotFound.With("%s", r.lang.text("group.unknown", id))
	}
	v = groupView{Group: groups[0], Chat: im.GroupConversation(id), Now: im.MillisOf(c.Now()), Query: r.FormValue("q"), Pages: pagerOf(r, "page")}
	total, members, err := c.Chat.Groups.Members(r.Context(), id, v.Query, v.Pages.offset(), rows)
	if err != nil {
		return v, err
	}
	v.Pages.Total = total
	ids := make([]string, len(members))
	for i, m := range members {
		ids[i] = m.UserID
	}
	seen, err := c.seenBy(r, v.Chat, ids)
	if err != nil {
		return v, err
	}
	for i, m := range members {
		v.Members = append(v.Members, memberRow{Member: m, Read: seen[i].Read, From: seen[i].From})
	}
	return v, nil
}

// seer is a user's view of a conversation.
type seer struct {
	UserID string
	Read   im.Seq
	From   im.Seq // the first message he sees, 0 for all
	Until  im.Seq // the last one, 0 for all
	Listed bool   // in his list of conversations
}

// seenBy is how users see a conversation, in their order.
func (c *Console) seenBy(r *request, id im.ConversationID, userIDs []string) ([]seer, error) {
	out := make([]seer, len(userIDs))
	err := r.read(func(tx *store.Tx) error {
		read, err := tx.ReadPositions(id, userIDs)
		if err != nil {
			return err
		}
		chats, err := tx.ChatsOf(id, userIDs)
		if err != nil {
			return err
		}
		for i, userID := range userIDs {
			out[i] = seer{UserID: userID, Read: read[userID]}
			for _, chat := range chats {
				if chat.OwnerID == userID {
					out[i].From, out[i].Until, out[i].Listed = chat.MinSeq, chat.MaxSeq, true
				}
			}
		}
		return nil
	})
	return out, err
}
