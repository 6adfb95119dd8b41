package api

import (
	"cmp"
	"context"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"

	"github.com/openimsdk/protocol/jssdk"
	"google.golang.org/protobuf/proto"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/wire"
)

// callJS is call for the routes of the JavaScript client, which may send
// protobuf: the answer's data is then base64 of protobuf.
func callJS[Req, Resp any, PReq interface {
	*Req
	proto.Message
}, PResp interface {
	*Resp
	proto.Message
}](s *server, f func(context.Context, *Req) (PResp, error)) http.Handler {
	inJSON := call(s, anyone[Req], f).(described)
	return described{inJSON.Route, func(w http.ResponseWriter, r *http.Request) {
		kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		switch {
		case r.Header.Get("Content-Type") == "", err == nil && kind == "application/json":
			inJSON.ServeHTTP(w, r)
			return
		case err != nil || kind != "application/protobuf" && kind != "application/x-protobuf":
			s.answers.fail(w, r, im.ErrArgs.With("Content-Type must be application/json or application/protobuf"))
			return
		}
		raw, err := io.ReadAll(r.Body)
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			s.answers.failStatus(w, r, http.StatusRequestEntityTooLarge, im.ErrArgs.With("request body is larger than %d bytes", s.MaxBody))
			return
		}
		req := PReq(new(Req))
		if err != nil || proto.Unmarshal(raw, req) != nil {
			s.answers.fail(w, r, im.ErrArgs.With("the body is not the request's protobuf"))
			return
		}
		resp, err := f(r.Context(), req)
		if err == nil {
			raw, err = proto.Marshal(resp)
		}
		if err != nil {
			s.answers.fail(w, r, err)
			return
		}
		s.answers.ok(w, r, raw)
	}}
}

// Bounds of one overview for the JavaScript client.
const (
	activeDefault = 100
	activeMost    = 500
)

func (s *server) activeConversations(ctx context.Context, req *jssdk.GetActiveConversationsReq) (*jssdk.GetActiveConversationsResp, error) {
	count := int(req.Count)
	if req.Count <= 0 || req.Count > activeMost {
		count = activeDefault
	}
	rows, err := s.Conversations.All(ctx, im.CallerOf(ctx).UserID)
	if err != nil {
		return nil, err
	}
	unread, list, err := s.withMessages(ctx, rows, count)
	if err != nil {
		return nil, err
	}
	return &jssdk.GetActiveConversationsResp{UnreadCount: unread, Conversations: list}, nil
}

func (s *server) jsConversations(ctx context.Context, req *jssdk.GetConversationsReq) (*jssdk.GetConversationsResp, error) {
	if len(req.ConversationIDs) > activeMost {
		return nil, im.ErrArgs.With("more than %d conversations", activeMost)
	}
	rows, err := s.Conversations.Some(ctx, im.CallerOf(ctx).UserID, wire.ToConversationIDs(req.ConversationIDs))
	if err != nil {
		return nil, err
	}
	unread, list, err := s.withMessages(ctx, rows, len(rows))
	if err != nil {
		return nil, err
	}
	return &jssdk.GetConversationsResp{UnreadCount: unread, Conversations: list}, nil
}

// withMessages counts what the caller has not read of his conversations, and
// returns the first of them, pinned ones before the newest, with all that a list
// shows. Those without a message are left out.
func (s *server) withMessages(ctx context.Context, rows []im.Conversation, count int) (unread int64, list []*jssdk.ConversationMsg, err error) {
	userID := im.CallerOf(ctx).UserID
	states := make(map[im.ConversationID]im.ReadState, len(rows))
	for some := range slices.Chunk(rows, overviewsAtOnce) {
		found, _, err := s.Messages.ReadStates(ctx, userID, wire.All(some, conversationIDOf), false)
		if err != nil {
			return 0, nil, err
		}
		for id, st := range found {
			states[id] = st
			unread += int64(max(st.MaxSeq-st.ReadSeq, 0))
		}
	}
	rows = slices.DeleteFunc(rows, func(c im.Conversation) bool { return states[c.ConversationID].MaxSeq == 0 })
	slices.SortStableFunc(rows, func(a, b im.Conversation) int {
		if a.Pinned != b.Pinned {
			if a.Pinned {
				return -1
			}
			return 1
		}
		return cmp.Compare(states[b.ConversationID].MaxSeqTime, states[a.ConversationID].MaxSeqTime)
	})
	rows = rows[:min(count, len(rows))]
	last, err := s.newestShown(ctx, userID, wire.All(rows, conversationIDOf))
	if err != nil {
		return 0, nil, err
	}
	peerIDs, groupIDs := partiesOf(rows)
	users, err := s.Users.Users(ctx, peerIDs)
	if err != nil {
		return 0, nil, err
	}
	friends, err := s.Relations.SomeFriends(ctx, userID, peerIDs)
	if err != nil {
		return 0, nil, err
	}
	groups, err := s.Groups.Groups(ctx, groupIDs)
	if err != nil {
		return 0, nil, err
	}
	user := byKey(users, func(u im.User) string { return u.UserID })
	friend := byKey(friends, func(f im.Friend) string { return f.User.UserID })
	group := byKey(groups, func(g im.Group) string { return g.GroupID })
	for _, c := range rows {
		m := last[c.ConversationID]
		if m == nil {
			continue
		}
		st := states[c.ConversationID]
		shown := &jssdk.ConversationMsg{
			Conversation: wire.FromConversation(c), LastMsg: wire.FromMessage(m), MaxSeq: int64(st.MaxSeq), ReadSeq: int64(st.ReadSeq),
		}
		if c.Type == im.GroupChat {
			if g, ok := group[c.GroupID]; ok {
				shown.Group = wire.FromGroup(g)
			}
		} else {
			if u, ok := user[c.UserID]; ok {
				shown.User = wire.FromUser(u)
			}
			if f, ok := friend[c.UserID]; ok {
				shown.Friend = wire.FromFriendOnly(f)
			}
		}
		list = append(list, shown)
	}
	return unread, list, nil
}

func conversationIDOf(c im.Conversation) im.ConversationID { return c.ConversationID }

// newestShown returns the newest message of each conversation that the user has
// not deleted, looking back as far as one pull goes.
func (s *server) newestShown(ctx context.Context, userID string, ids []im.ConversationID) (map[im.ConversationID]*im.Message, error) {
	last := make(map[im.ConversationID]*im.Message, len(ids))
	for missing := ids; len(missing) > 0; { // large messages do not all fit into one answer of the log
		some, err := s.Messages.LastMessages(ctx, userID, missing)
		if err != nil {
			return nil, err
		}
		if len(some) == 0 {
			break
		}
		maps.Copy(last, some)
		missing = slices.DeleteFunc(slices.Clone(missing), func(c im.ConversationID) bool { return some[c] != nil })
	}
	const back = 100
	for c, m := range last {
		if m.Status != im.StatusDeleted {
			continue
		}
		delete(last, c)
		older, err := s.Messages.PullRanges(ctx, userID, []im.Range{{ConversationID: c, First: 1, Last: m.Seq, Num: back}}, true)
		if err != nil {
			return nil, err
		}
		for _, m := range slices.Backward(older[c].Messages) {
			if m.Status != im.StatusDeleted {
				last[c] = m
				break
			}
		}
	}
	return last, nil
}
