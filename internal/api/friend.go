package api

import (
	"context"

	"github.com/openimsdk/protocol/relation"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/wire"
)

func (s *server) importFriends(ctx context.Context, req *relation.ImportFriendReq) (none, error) {
	return none{}, s.Relations.Import(ctx, req.OwnerUserID, req.FriendUserIDs)
}

func (s *server) friends(ctx context.Context, req *relation.GetPaginationFriendsReq) (*relation.GetPaginationFriendsResp, error) {
	offset, limit, err := paging(req.Pagination)
	if err != nil {
		return nil, err
	}
	total, page, err := s.Relations.Friends(ctx, req.UserID, offset, limit)
	if err != nil {
		return nil, err
	}
	return &relation.GetPaginationFriendsResp{Total: int32(total), FriendsInfo: wire.All(page, wire.FromFriend)}, nil
}

func (s *server) someFriends(ctx context.Context, req *relation.GetDesignatedFriendsReq) (*relation.GetDesignatedFriendsResp, error) {
	friends, err := s.Relations.SomeFriends(ctx, req.OwnerUserID, req.FriendUserIDs)
	if err != nil {
		return nil, err
	}
	return &relation.GetDesignatedFriendsResp{FriendsInfo: wire.All(friends, wire.FromFriend)}, nil
}

// specifiedFriends answers with all that a user may know of others: their
// profile, and whether they are his friends or blocked.
func (s *server) specifiedFriends(ctx context.Context, req *relation.GetSpecifiedFriendsInfoReq) (*relation.GetSpecifiedFriendsInfoResp, error) {
	friends, err := s.Relations.SomeFriends(ctx, req.OwnerUserID, req.UserIDList)
	if err != nil {
		return nil, err
	}
	blocks, err := s.Relations.SomeBlocks(ctx, req.OwnerUserID, req.UserIDList)
	if err != nil {
		return nil, err
	}
	users, err := s.Users.Users(ctx, req.UserIDList)
	if err != nil {
		return nil, err
	}
	friendOf := make(map[string]im.Friend, len(friends))
	for _, f := range friends {
		friendOf[f.User.UserID] = f
	}
	blockOf := make(map[string]im.Block, len(blocks))
	for _, b := range blocks {
		blockOf[b.User.UserID] = b
	}
	resp := &relation.GetSpecifiedFriendsInfoResp{}
	for _, u := range users {
		info := &relation.GetSpecifiedFriendsInfoInfo{UserInfo: wire.FromUser(u)}
		if f, ok := friendOf[u.UserID]; ok {
			info.FriendInfo = wire.FromFriend(f)
			info.FriendInfo.CreateTime, info.FriendInfo.FriendUser = int64(f.CreatedAt), nil
		}
		if b, ok := blockOf[u.UserID]; ok {
			info.BlackInfo = wire.FromBlockMillis(b)
			info.BlackInfo.BlackUserInfo = nil
		}
		resp.Infos = append(resp.Infos, info)
	}
	return resp, nil
}

func (s *server) friendIDs(ctx context.Context, req *relation.GetFriendIDsReq) (*relation.GetFriendIDsResp, error) {
	_, ids, err := s.Relations.FriendIDs(ctx, req.UserID)
	if err != nil {
		return nil, err
	}
	return &relation.GetFriendIDsResp{FriendIDs: ids}, nil
}

func (s *server) fullFriendIDs(ctx context.Context, req *relation.GetFullFriendUserIDsReq) (*relation.GetFullFriendUserIDsResp, error) {
	v, ids, err := s.Relations.FriendIDs(ctx, req.UserID)
	if err != nil {
		return nil, err
	}
	resp := &relation.GetFullFriendUserIDsResp{Version: v.Version, VersionID: v.ID, Equal: wire.IDHash(ids) == req.IdHash}
	if !resp.Equal {
		resp.UserIDs = ids
	}
	return resp, nil
}

func (s *server) friendChanges(ctx context.Context, req *relation.GetIncrementalFriendsReq) (*relation.GetIncrementalFriendsResp, error) {
	d, err := s.Relations.FriendChanges(ctx, req.UserID, im.Version{ID: req.VersionID, Version: req.Version})
	if err != nil {
		return nil, err
	}
	return &relation.GetIncrementalFriendsResp{
		Version: d.Version.Version, VersionID: d.Version.ID, Full: d.Full, Delete: d.Deleted, SortVersion: d.SortVersion,
		Insert: wire.All(d.Inserted, wire.FromFriend), Update: wire.All(d.Updated, wire.FromFriend),
	}, nil
}

func (s *server) deleteFriend(ctx context.Context, req *relation.DeleteFriendReq) (none, error) {
	return none{}, s.Relations.Delete(ctx, req.OwnerUserID, req.FriendUserID)
}

func (s *server) setFriendRemark(ctx context.Context, req *relation.SetFriendRemarkReq) (none, error) {
	return none{}, s.Relations.SetRemark(ctx, req.OwnerUserID, req.FriendUserID, req.Remark)
}

func (s *server) updateFriends(ctx context.Context, req *relation.UpdateFriendsReq) (none, error) {
	return none{}, s.Relations.Update(ctx, req.OwnerUserID, req.FriendUserIDs, im.FriendChange{
		Remark: req.Remark.GetValuePtr(), Ex: req.Ex.GetValuePtr(), Pinned: req.IsPinned.GetValuePtr(),
	})
}

func (s *server) isFriend(ctx context.Context, req *relation.IsFriendReq) (*relation.IsFriendResp, error) {
	in1, in2, err := s.Relations.IsFriend(ctx, req.UserID1, req.UserID2)
	if err != nil {
		return nil, err
	}
	return &relation.IsFriendResp{InUser1Friends: in1, InUser2Friends: in2}, nil
}

func (s *server) block(ctx context.Context, req *relation.AddBlackReq) (none, error) {
	return none{}, s.Relations.Block(ctx, req.OwnerUserID, req.BlackUserID, req.Ex)
}

func (s *server) unblock(ctx context.Context, req *relation.RemoveBlackReq) (none, error) {
	return none{}, s.Relations.Unblock(ctx, req.OwnerUserID, req.BlackUserID)
}

func (s *server) blocks(ctx context.Context, req *relation.GetPaginationBlacksReq) (*relation.GetPaginationBlacksResp, error) {
	offset, limit, err := paging(req.Pagination)
	if err != nil {
		return nil, err
	}
	total, page, err := s.Relations.Blocks(ctx, req.UserID, offset, limit)
	if err != nil {
		return nil, err
	}
	return &relation.GetPaginationBlacksResp{Total: int32(total), Blacks: wire.All(page, wire.FromBlock)}, nil
}

func (s *server) someBlocks(ctx context.Context, req *relation.GetSpecifiedBlacksReq) (*relation.GetSpecifiedBlacksResp, error) {
	if len(req.UserIDList) == 0 {
		return nil, im.ErrArgs.With("userIDList is empty")
	}
	blocks, err := s.Relations.SomeBlocks(ctx, req.OwnerUserID, req.UserIDList)
	if err != nil {
		return nil, err
	}
	return &relation.GetSpecifiedBlacksResp{Total: int32(len(blocks)), Blacks: wire.All(blocks, wire.FromBlockMillis)}, nil
}

func (s *server) blockChanges(ctx context.Context, req *relation.GetIncrementalBlacksReq) (*relation.GetIncrementalBlacksResp, error) {
	d, err := s.Relations.BlockChanges(ctx, req.UserID, im.Version{ID: req.VersionID, Version: req.Version})
	if err != nil {
		return nil, err
	}
	return &relation.GetIncrementalBlacksResp{
		Version: d.Version.Version, VersionID: d.Version.ID, Full: d.Full, Delete: d.Deleted, Insert: wire.All(d.Inserted, wire.FromBlock),
	}, nil
}
