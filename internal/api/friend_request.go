package api

import (
	"context"

	"github.com/openimsdk/protocol/relation"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/wire"
)

func (s *server) requestFriend(ctx context.Context, req *relation.ApplyToAddFriendReq) (none, error) {
	return none{}, s.Relations.Apply(ctx, req.FromUserID, req.ToUserID, req.ReqMsg, req.Ex)
}

func (s *server) answerFriendRequest(ctx context.Context, req *relation.RespondFriendApplyReq) (none, error) {
	switch im.RequestResult(req.HandleResult) {
	case im.RequestAgreed:
		return none{}, s.Relations.Agree(ctx, req.FromUserID, req.ToUserID, req.HandleMsg)
	case im.RequestRefused:
		return none{}, s.Relations.Refuse(ctx, req.FromUserID, req.ToUserID, req.HandleMsg)
	}
	return none{}, im.ErrArgs.With("handleResult is neither -1 nor 1")
}

func (s *server) receivedFriendRequests(ctx context.Context, req *relation.GetPaginationFriendsApplyToReq) (*relation.GetPaginationFriendsApplyToResp, error) {
	offset, limit, err := paging(req.Pagination)
	if err != nil {
		return nil, err
	}
	total, page, err := s.Relations.Received(ctx, req.UserID, wire.All(req.HandleResults, toRequestResult), offset, limit)
	if err != nil {
		return nil, err
	}
	return &relation.GetPaginationFriendsApplyToResp{Total: int32(total), FriendRequests: wire.All(page, wire.FromFriendRequest)}, nil
}

func (s *server) sentFriendRequests(ctx context.Context, req *relation.GetPaginationFriendsApplyFromReq) (*relation.GetPaginationFriendsApplyFromResp, error) {
	offset, limit, err := paging(req.Pagination)
	if err != nil {
		return nil, err
	}
	total, page, err := s.Relations.Sent(ctx, req.UserID, wire.All(req.HandleResults, toRequestResult), offset, limit)
	if err != nil {
		return nil, err
	}
	return &relation.GetPaginationFriendsApplyFromResp{Total: int32(total), FriendRequests: wire.All(page, wire.FromFriendRequest)}, nil
}

func toRequestResult(r int32) im.RequestResult { return im.RequestResult(r) }

func (s *server) friendRequestsBetween(ctx context.Context, req *relation.GetDesignatedFriendsApplyReq) (*relation.GetDesignatedFriendsApplyResp, error) {
	requests, err := s.Relations.Between(ctx, req.FromUserID, req.ToUserID)
	if err != nil {
		return nil, err
	}
	return &relation.GetDesignatedFriendsApplyResp{FriendRequests: wire.All(requests, wire.FromFriendRequest)}, nil
}

func (s *server) pendingFriendRequests(ctx context.Context, req *relation.GetSelfUnhandledApplyCountReq) (*relation.GetSelfUnhandledApplyCountResp, error) {
	n, err := s.Relations.Pending(ctx, req.UserID, im.Millis(req.Time))
	if err != nil {
		return nil, err
	}
	return &relation.GetSelfUnhandledApplyCountResp{Count: n}, nil
}
