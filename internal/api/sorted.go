package api

import (
	"cmp"
	"context"
	"slices"

	"github.com/openimsdk/protocol/conversation"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/wire"
)

// overview is a conversation with what a list of conversations shows of it.
type overview struct {
	im.Conversation
	unread int64
	last   *im.Message
}

// sortedConversations answers with a user's conversations as a client lists
// them: pinned ones first, then the newest.
func (s *server) sortedConversations(ctx context.Context, req *conversation.GetSortedConversationListReq) (*conversation.GetSortedConversationListResp, error) {
	offset, limit, err := paging(req.Pagination)
	if err != nil {
		return nil, err
	}
	var rows []im.Conversation
	if ids := wire.ToConversationIDs(req.ConversationIDs); len(ids) > 0 {
		rows, err = s.Conversations.Some(ctx, req.UserID, ids)
	} else {
		rows, err = s.Conversations.All(ctx, req.UserID)
	}
	switch {
	case err != nil:
		return nil, err
	case len(rows) == 0:
		return nil, im.ErrNotFound.With("no conversation")
	}
	list, err := s.overviews(ctx, req.UserID, rows)
	if err != nil {
		return nil, err
	}
	resp := &conversation.GetSortedConversationListResp{}
	for _, o := range list {
		resp.UnreadTotal += o.unread
		if o.last != nil {
			resp.ConversationTotal++
		}
	}
	slices.SortStableFunc(list, func(a, b overview) int {
		if a.Pinned != b.Pinned {
			if a.Pinned {
				return -1
			}
			return 1
		}
		return cmp.Compare(sendTime(b.last), sendTime(a.last))
	})
	list = list[min(offset, len(list)):]
	resp.ConversationElems, err = s.fromOverviews(ctx, list[:min(limit, len(list))])
	return resp, err
}

func sendTime(m *im.Message) im.Millis {
	if m == nil {
		return 0
	}
	return m.SendTime
}

// overviewsAtOnce is how many conversations are looked into in one read, so
// that their newest messages fit into one answer of the log.
const overviewsAtOnce = 500

func (s *server) overviews(ctx context.Context, userID string, rows []im.Conversation) ([]overview, error) {
	list := make([]overview, 0, len(rows))
	for some := range slices.Chunk(rows, overviewsAtOnce) {
		ids := wire.All(some, func(c im.Conversation) im.ConversationID { return c.ConversationID })
		states, _, err := s.Messages.ReadStates(ctx, userID, ids, false)
		if err != nil {
			return nil, err
		}
		last, err := s.Messages.LastMessages(ctx, userID, ids)
		if err != nil {
			return nil, err
		}
		for _, row := range some {
			st := states[row.ConversationID]
			list = append(list, overview{Conversation: row, unread: int64(max(st.MaxSeq-st.ReadSeq, 0)), last: last[row.ConversationID]})
		}
	}
	return list, nil
}

// partiesOf lists the other sides of conversations: users, and groups.
func partiesOf(rows []im.Conversation) (peerIDs, groupIDs []string) {
	for _, c := range rows {
		if c.Type == im.GroupChat {
			groupIDs = append(groupIDs, c.GroupID)
		} else {
			peerIDs = append(peerIDs, c.UserID)
		}
	}
	return peerIDs, groupIDs
}

// fromOverviews converts a page, adding the names and faces of the peers and
// groups.
func (s *server) fromOverviews(ctx context.Context, page []overview) ([]*conversation.ConversationElem, error) {
	peers, groups := map[string]im.User{}, map[string]im.Group{}
	for some := range slices.Chunk(page, overviewsAtOnce) {
		userIDs, groupIDs := partiesOf(wire.All(some, func(o overview) im.Conversation { return o.Conversation }))
		users, err := s.Users.Users(ctx, userIDs)
		if err != nil {
			return nil, err
		}
		for _, u := range users {
			peers[u.UserID] = u
		}
		found, err := s.Groups.Groups(ctx, groupIDs)
		if err != nil {
			return nil, err
		}
		for _, g := range found {
			groups[g.GroupID] = g
		}
	}
	return wire.All(page, func(o overview) *conversation.ConversationElem {
		elem := &conversation.ConversationElem{
			ConversationID: string(o.ConversationID), RecvMsgOpt: int32(o.RecvOpt), UnreadCount: o.unread, IsPinned: o.Pinned,
		}
		m := o.last
		if m == nil {
			return elem
		}
		elem.MsgInfo = &conversation.MsgInfo{
			ServerMsgID: m.ServerMsgID, ClientMsgID: m.ClientMsgID, SessionType: int32(m.SessionType), SendID: m.SendID, RecvID: m.RecvID,
			SenderName: m.SenderNickname, FaceURL: m.SenderFaceURL, GroupID: m.GroupID, LatestMsgRecvTime: int64(m.SendTime),
			MsgFrom: m.MsgFrom, ContentType: int32(m.ContentType), Content: string(m.Content), Ex: m.Ex,
		}
		if peer, ok := peers[o.UserID]; ok && o.Type != im.GroupChat {
			elem.MsgInfo.SenderName, elem.MsgInfo.FaceURL = peer.Nickname, peer.FaceURL
		}
		if g, ok := groups[o.GroupID]; ok && o.Type == im.GroupChat {
			elem.MsgInfo.GroupName, elem.MsgInfo.GroupFaceURL = g.Name, g.FaceURL
			elem.MsgInfo.GroupType, elem.MsgInfo.GroupMemberCount = g.Type, g.MemberCount
		}
		return elem
	}), nil
}
