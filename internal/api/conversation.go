package api

import (
	"context"
	"time"

	"github.com/openimsdk/protocol/conversation"

	conversations "github.com/parley-im/parley/internal/conversation"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/wire"
)

// eachOwner lets a user set his own conversations, and administrators
// everybody's.
func eachOwner(ctx context.Context, req *conversation.SetConversationsReq) error {
	for _, userID := range req.UserIDs {
		if err := mayActFor(ctx, userID); err != nil {
			return err
		}
	}
	return nil
}

func (s *server) setConversations(ctx context.Context, req *conversation.SetConversationsReq) (none, error) {
	c := req.Conversation
	return none{}, s.Conversations.Set(ctx, req.UserIDs, conversations.Target{
		ConversationID: im.ConversationID(c.ConversationID), Type: im.SessionType(c.ConversationType), UserID: c.UserID, GroupID: c.GroupID,
	}, store.ConversationChange{
		RecvOpt: (*im.RecvOpt)(c.RecvMsgOpt.GetValuePtr()), Pinned: c.IsPinned.GetValuePtr(), PrivateChat: c.IsPrivateChat.GetValuePtr(),
		BurnDuration: c.BurnDuration.GetValuePtr(), GroupAtType: c.GroupAtType.GetValuePtr(), AttachedInfo: c.AttachedInfo.GetValuePtr(),
		Ex: c.Ex.GetValuePtr(), Destruct: c.IsMsgDestruct.GetValuePtr(), DestructTime: c.MsgDestructTime.GetValuePtr(),
	})
}

func (s *server) conversation(ctx context.Context, req *conversation.GetConversationReq) (*conversation.GetConversationResp, error) {
	row, err := s.Conversations.One(ctx, req.OwnerUserID, im.ConversationID(req.ConversationID))
	if err != nil {
		return nil, err
	}
	return &conversation.GetConversationResp{Conversation: wire.FromConversation(row)}, nil
}

func (s *server) someConversations(ctx context.Context, req *conversation.GetConversationsReq) (*conversation.GetConversationsResp, error) {
	rows, err := s.Conversations.Some(ctx, req.OwnerUserID, wire.ToConversationIDs(req.ConversationIDs))
	if err != nil {
		return nil, err
	}
	return &conversation.GetConversationsResp{Conversations: wire.All(rows, wire.FromConversation)}, nil
}

func (s *server) allConversations(ctx context.Context, req *conversation.GetAllConversationsReq) (*conversation.GetAllConversationsResp, error) {
	rows, err := s.Conversations.All(ctx, req.OwnerUserID)
	if err != nil {
		return nil, err
	}
	return &conversation.GetAllConversationsResp{Conversations: wire.All(rows, wire.FromConversation)}, nil
}

func (s *server) ownerConversations(ctx context.Context, req *conversation.GetOwnerConversationReq) (*conversation.GetOwnerConversationResp, error) {
	offset, limit, err := paging(req.Pagination)
	if err != nil {
		return nil, err
	}
	total, rows, err := s.Conversations.Page(ctx, req.UserID, offset, limit)
	if err != nil {
		return nil, err
	}
	return &conversation.GetOwnerConversationResp{Total: total, Conversations: wire.All(rows, wire.FromConversation)}, nil
}

func (s *server) conversationIDs(ctx context.Context, req *conversation.GetFullOwnerConversationIDsReq) (*conversation.GetFullOwnerConversationIDsResp, error) {
	v, ids, err := s.Conversations.IDs(ctx, req.UserID)
	if err != nil {
		return nil, err
	}
	resp := &conversation.GetFullOwnerConversationIDsResp{Version: v.Version, VersionID: v.ID, Equal: wire.IDHash(ids) == req.IdHash}
	if !resp.Equal {
		resp.ConversationIDs = wire.All(ids, fromConversationID)
	}
	return resp, nil
}

func (s *server) conversationChanges(ctx context.Context, req *conversation.GetIncrementalConversationReq) (*conversation.GetIncrementalConversationResp, error) {
	d, err := s.Conversations.Changes(ctx, req.UserID, im.Version{ID: req.VersionID, Version: req.Version})
	if err != nil {
		return nil, err
	}
	return &conversation.GetIncrementalConversationResp{
		Version: d.Version.Version, VersionID: d.Version.ID, Full: d.Full, Delete: d.Deleted,
		Insert: wire.All(d.Inserted, wire.FromConversation), Update: wire.All(d.Updated, wire.FromConversation),
	}, nil
}

func (s *server) silentConversations(ctx context.Context, req *conversation.GetNotNotifyConversationIDsReq) (*conversation.GetNotNotifyConversationIDsResp, error) {
	ids, err := s.Conversations.Silent(ctx, req.UserID)
	if err != nil {
		return nil, err
	}
	return &conversation.GetNotNotifyConversationIDsResp{ConversationIDs: wire.All(ids, fromConversationID)}, nil
}

func (s *server) pinnedConversations(ctx context.Context, req *conversation.GetPinnedConversationIDsReq) (*conversation.GetPinnedConversationIDsResp, error) {
	ids, err := s.Conversations.Pinned(ctx, req.UserID)
	if err != nil {
		return nil, err
	}
	return &conversation.GetPinnedConversationIDsResp{ConversationIDs: wire.All(ids, fromConversationID)}, nil
}

func fromConversationID(id im.ConversationID) string { return string(id) }

// deleteConversations takes a list of conversations or an age in days.
func (s *server) deleteConversations(ctx context.Context, req *conversation.DeleteConversationsReq) (none, error) {
	byAge := req.NeedDeleteTime != 0
	if byAge == (len(req.ConversationIDs) > 0) {
		return none{}, im.ErrArgs.With("exactly one of needDeleteTime and conversationIDs must be set")
	}
	if byAge {
		const most = 100 * 365
		return none{}, s.Conversations.DeleteIdle(ctx, req.OwnerUserID, time.Duration(min(req.NeedDeleteTime, most))*24*time.Hour)
	}
	return none{}, s.Conversations.Delete(ctx, req.OwnerUserID, wire.ToConversationIDs(req.ConversationIDs))
}

func (s *server) setPeerEx(ctx context.Context, req *conversation.UpdateConversationsByUserReq) (none, error) {
	if req.Ex == nil {
		return none{}, nil
	}
	return none{}, s.Conversations.SetPeerEx(ctx, req.UserID, req.Ex.Value)
}
