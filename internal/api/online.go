package api

import (
	"context"

	"github.com/openimsdk/protocol/msggateway"
	"github.com/openimsdk/protocol/user"

	"github.com/parley-im/parley/internal/im"
)

// maxOnlineUsers is the most users one question about presence may name.
const maxOnlineUsers = 1000

const (
	statusOffline = 0
	statusOnline  = 1
)

// onlineReq may name nobody: then nobody is answered about.
type onlineReq struct {
	UserIDs []string `json:"userIDs"`
}

func (r *onlineReq) Check() error {
	if len(r.UserIDs) > maxOnlineUsers {
		return im.ErrArgs.With("more than %d users", maxOnlineUsers)
	}
	return nil
}

// onlineStatus answers with one entry per user, in the order asked for.
func (s *server) onlineStatus(_ context.Context, req *onlineReq) ([]*msggateway.GetUsersOnlineStatusResp_SuccessResult, error) {
	var out []*msggateway.GetUsersOnlineStatusResp_SuccessResult
	for _, id := range req.UserIDs {
		result := &msggateway.GetUsersOnlineStatusResp_SuccessResult{UserID: id, Status: statusOffline}
		for _, o := range s.Online.Sessions(id) {
			result.Status = statusOnline
			result.DetailPlatformStatus = append(result.DetailPlatformStatus, &msggateway.GetUsersOnlineStatusResp_SuccessDetail{
				PlatformID: int32(o.Platform), ConnID: o.ConnID, IsBackground: o.Background, Token: o.Token,
			})
		}
		out = append(out, result)
	}
	return out, nil
}

// onlineTokens answers with the users who are online and their tokens, by
// platform.
func (s *server) onlineTokens(_ context.Context, req *onlineReq) ([]*msggateway.SingleDetail, error) {
	var out []*msggateway.SingleDetail
	for _, id := range req.UserIDs {
		detail := &msggateway.SingleDetail{UserID: id, Status: statusOnline}
		byPlatform := map[im.Platform]*msggateway.SinglePlatformToken{}
		for _, o := range s.Online.Sessions(id) {
			tokens, ok := byPlatform[o.Platform]
			if !ok {
				tokens = &msggateway.SinglePlatformToken{PlatformID: int32(o.Platform)}
				byPlatform[o.Platform] = tokens
				detail.SinglePlatformToken = append(detail.SinglePlatformToken, tokens)
			}
			tokens.Token = append(tokens.Token, o.Token)
			tokens.Total++
		}
		if len(byPlatform) > 0 {
			out = append(out, detail)
		}
	}
	return out, nil
}

func (s *server) userStatus(_ context.Context, req *user.GetUserStatusReq) (*user.GetUserStatusResp, error) {
	if len(req.UserIDs) > maxOnlineUsers {
		return nil, im.ErrArgs.With("more than %d users", maxOnlineUsers)
	}
	resp := &user.GetUserStatusResp{}
	for _, id := range req.UserIDs {
		status := &user.OnlineStatus{UserID: id, Status: statusOffline}
		for _, p := range s.Online.Platforms(id) {
			status.Status = statusOnline
			status.PlatformIDs = append(status.PlatformIDs, int32(p))
		}
		resp.StatusList = append(resp.StatusList, status)
	}
	return resp, nil
}

// subscribeStatus does nothing, as it never did: presence is subscribed to on
// the long connection.
func (s *server) subscribeStatus(context.Context, *user.SubscribeOrCancelUsersStatusReq) (*user.SubscribeOrCancelUsersStatusResp, error) {
	return &user.SubscribeOrCancelUsersStatusResp{}, nil
}

func (s *server) subscribedStatus(context.Context, *user.GetSubscribeUsersStatusReq) (*user.GetSubscribeUsersStatusResp, error) {
	return &user.GetSubscribeUsersStatusResp{}, nil
}
