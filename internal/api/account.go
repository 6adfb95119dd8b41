package api

import (
	"context"

	"github.com/openimsdk/protocol/user"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/wire"
)

func (s *server) addAccount(ctx context.Context, req *user.AddNotificationAccountReq) (*user.AddNotificationAccountResp, error) {
	a, err := s.Users.AddAccount(ctx, im.User{UserID: req.UserID, Nickname: req.NickName, FaceURL: req.FaceURL, AppLevel: req.AppMangerLevel})
	if err != nil {
		return nil, err
	}
	return &user.AddNotificationAccountResp{UserID: a.UserID, NickName: a.Nickname, FaceURL: a.FaceURL, AppMangerLevel: a.AppLevel}, nil
}

func (s *server) updateAccount(ctx context.Context, req *user.UpdateNotificationAccountInfoReq) (none, error) {
	var c im.UserChange
	switch {
	case req.UserID == "":
		return none{}, im.ErrArgs.With("userID is empty")
	case req.NickName == "" && req.FaceURL == "":
		return none{}, im.ErrArgs.With("nickName and faceURL are empty")
	}
	if req.NickName != "" {
		c.Nickname = &req.NickName
	}
	if req.FaceURL != "" {
		c.FaceURL = &req.FaceURL
	}
	return none{}, s.Users.UpdateAccount(ctx, req.UserID, c)
}

func (s *server) searchAccounts(ctx context.Context, req *user.SearchNotificationAccountReq) (*user.SearchNotificationAccountResp, error) {
	if req.Pagination == nil {
		return nil, im.ErrArgs.With("pagination is empty")
	}
	offset, limit, err := paging(req.Pagination)
	if err != nil {
		return nil, err
	}
	total, page, err := s.Users.Accounts(ctx, req.Keyword, req.AppManagerLevel, offset, limit)
	if err != nil {
		return nil, err
	}
	return &user.SearchNotificationAccountResp{Total: total, NotificationAccounts: wire.All(page, func(u im.User) *user.NotificationAccountInfo {
		return &user.NotificationAccountInfo{UserID: u.UserID, NickName: u.Nickname, FaceURL: u.FaceURL, AppMangerLevel: u.AppLevel}
	})}, nil
}
