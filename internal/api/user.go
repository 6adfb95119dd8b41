package api

import (
	"context"

	"github.com/openimsdk/protocol/sdkws"
	"github.com/openimsdk/protocol/user"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/wire"
)

// registerUsersReq is checked by the noun alone: the protocol's own check is
// about the same, with less to say.
type registerUsersReq struct {
	Users []*sdkws.UserInfo `json:"users"`
}

func (r *registerUsersReq) Check() error {
	if len(r.Users) == 0 {
		return im.ErrArgs.With("users are empty")
	}
	for _, u := range r.Users {
		if u == nil {
			return im.ErrArgs.With("user is empty")
		}
	}
	return nil
}

func (s *server) registerUsers(ctx context.Context, req *registerUsersReq) (none, error) {
	return none{}, s.Users.Register(ctx, wire.All(req.Users, wire.ToUser))
}

func (s *server) updateUser(ctx context.Context, req *user.UpdateUserInfoReq) (none, error) {
	c := wire.ToUserChange(req.UserInfo)
	c.Older = true
	return none{}, s.Users.Update(ctx, req.UserInfo.UserID, c)
}

// updateUserExReq has the check that the protocol's type lacks.
type updateUserExReq struct{ user.UpdateUserInfoExReq }

func (r *updateUserExReq) Check() error {
	switch {
	case r.UserInfo == nil:
		return im.ErrArgs.With("UserInfo is empty")
	case r.UserInfo.UserID == "":
		return im.ErrArgs.With("UserID is empty")
	}
	return nil
}

func (s *server) updateUserEx(ctx context.Context, req *updateUserExReq) (none, error) {
	return none{}, s.Users.Update(ctx, req.UserInfo.UserID, wire.ToUserChangeEx(req.UserInfo))
}

func (s *server) setGlobalRecvOpt(ctx context.Context, req *user.SetGlobalRecvMessageOptReq) (none, error) {
	return none{}, s.Users.SetRecvOpt(ctx, req.UserID, im.RecvOpt(req.GlobalRecvMsgOpt))
}

func (s *server) usersInfo(ctx context.Context, req *user.GetDesignateUsersReq) (*user.GetDesignateUsersResp, error) {
	users, err := s.Users.Users(ctx, req.UserIDs)
	if err != nil {
		return nil, err
	}
	return &user.GetDesignateUsersResp{UsersInfo: wire.All(users, wire.FromUser)}, nil
}

func (s *server) accountCheck(ctx context.Context, req *user.AccountCheckReq) (*user.AccountCheckResp, error) {
	registered, err := s.Users.Registered(ctx, req.CheckUserIDs)
	if err != nil {
		return nil, err
	}
	resp := &user.AccountCheckResp{}
	for i, id := range req.CheckUserIDs {
		result := &user.AccountCheckRespSingleUserStatus{UserID: id}
		if registered[i] {
			result.AccountStatus = 1
		}
		resp.Results = append(resp.Results, result)
	}
	return resp, nil
}

func (s *server) allUserIDs(ctx context.Context, req *user.GetAllUserIDReq) (*user.GetAllUserIDResp, error) {
	offset, limit, err := paging(req.Pagination)
	if err != nil {
		return nil, err
	}
	total, ids, err := s.Users.IDs(ctx, offset, limit)
	if err != nil {
		return nil, err
	}
	return &user.GetAllUserIDResp{Total: int32(total), UserIDs: ids}, nil
}

func (s *server) findUsers(ctx context.Context, req *user.GetPaginationUsersReq) (*user.GetPaginationUsersResp, error) {
	offset, limit, err := paging(req.Pagination)
	if err != nil {
		return nil, err
	}
	total, users, err := s.Users.Find(ctx, req.UserID, req.NickName, offset, limit)
	if err != nil {
		return nil, err
	}
	return &user.GetPaginationUsersResp{Total: int32(total), Users: wire.All(users, wire.FromUser)}, nil
}
