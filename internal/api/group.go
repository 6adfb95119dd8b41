package api

import (
	"context"
	"errors"
	"slices"

	"github.com/openimsdk/protocol/group"

	groups "github.com/parley-im/parley/internal/group"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/wire"
)

// member lets the members of the group that the request is about call, and
// administrators.
func member[Req any](s *server, groupID func(*Req) string) rule[Req] {
	return func(ctx context.Context, req *Req) error { return s.Groups.MayView(ctx, groupID(req)) }
}

// manager lets the owner and administrators of the group that the request is
// about call, and the system's administrators.
func manager[Req any](s *server, groupID func(*Req) string) rule[Req] {
	return func(ctx context.Context, req *Req) error { return s.Groups.MayManage(ctx, groupID(req)) }
}

func (s *server) createGroup(ctx context.Context, req *group.CreateGroupReq) (*group.CreateGroupResp, error) {
	f := groups.Founding{Group: wire.ToGroup(req.GroupInfo), AdminIDs: req.AdminUserIDs, MemberIDs: req.MemberUserIDs, Chat: req.SendMessage}
	f.Group.OwnerID, f.WrittenOwnerID = req.OwnerUserID, req.GroupInfo.OwnerUserID
	g, err := s.Groups.Create(ctx, f)
	if err != nil {
		return nil, err
	}
	return &group.CreateGroupResp{GroupInfo: wire.FromGroup(g)}, nil
}

func (s *server) groupsInfo(ctx context.Context, req *group.GetGroupsInfoReq) (*group.GetGroupsInfoResp, error) {
	found, err := s.Groups.Groups(ctx, req.GroupIDs)
	if err != nil {
		return nil, err
	}
	return &group.GetGroupsInfoResp{GroupInfos: wire.All(found, wire.FromGroup)}, nil
}

func (s *server) findGroups(ctx context.Context, req *group.GetGroupsReq) (*group.GetGroupsResp, error) {
	offset, limit, err := paging(req.Pagination)
	if err != nil {
		return nil, err
	}
	var total int64
	var found []im.Group
	if req.GroupID != "" {
		found, err = s.Groups.Groups(ctx, []string{req.GroupID})
		total = int64(len(found))
	} else {
		total, found, err = s.Groups.Find(ctx, req.GroupName, offset, limit)
	}
	if err != nil {
		return nil, err
	}
	resp := &group.GetGroupsResp{Total: uint32(total)}
	for _, g := range found {
		owner, err := s.Groups.Some(ctx, g.GroupID, []string{g.OwnerID})
		if err != nil {
			return nil, err
		}
		cms := &group.CMSGroup{GroupInfo: wire.FromGroup(g), GroupOwnerUserID: g.OwnerID}
		if len(owner) > 0 {
			cms.GroupOwnerUserName = owner[0].Nickname
		}
		resp.Groups = append(resp.Groups, cms)
	}
	return resp, nil
}

// eachMember lets those call who may look into each of the groups.
func (s *server) eachMember(ctx context.Context, req *group.GetGroupAbstractInfoReq) error {
	for _, id := range req.GroupIDs {
		err := s.Groups.MayView(ctx, id)
		if errors.Is(err, im.ErrNotFound) {
			err = im.ErrGroupNotFound.With("%s", id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *server) groupAbstracts(ctx context.Context, req *group.GetGroupAbstractInfoReq) (*group.GetGroupAbstractInfoResp, error) {
	if len(slices.Compact(slices.Sorted(slices.Values(req.GroupIDs)))) != len(req.GroupIDs) {
		return nil, im.ErrArgs.With("groupIDs duplicate")
	}
	resp := &group.GetGroupAbstractInfoResp{}
	for _, id := range req.GroupIDs {
		members, err := s.Groups.All(ctx, id)
		if err != nil {
			return nil, err
		}
		resp.GroupAbstractInfos = append(resp.GroupAbstractInfos, &group.GroupAbstractInfo{
			GroupID: id, GroupMemberNumber: uint32(len(members)), GroupMemberListHash: wire.MemberHash(members),
		})
	}
	return resp, nil
}

func (s *server) joinedGroups(ctx context.Context, req *group.GetJoinedGroupListReq) (*group.GetJoinedGroupListResp, error) {
	offset, limit, err := paging(req.Pagination)
	if err != nil {
		return nil, err
	}
	total, joined, err := s.Groups.Joined(ctx, req.FromUserID, offset, limit)
	if err != nil {
		return nil, err
	}
	return &group.GetJoinedGroupListResp{Total: uint32(total), Groups: wire.All(joined, wire.FromGroup)}, nil
}

func (s *server) groupMembers(ctx context.Context, req *group.GetGroupMemberListReq) (*group.GetGroupMemberListResp, error) {
	offset, limit, err := paging(req.Pagination)
	if err != nil {
		return nil, err
	}
	total, members, err := s.Groups.Members(ctx, req.GroupID, req.Keyword, offset, limit)
	if err != nil {
		return nil, err
	}
	return &group.GetGroupMemberListResp{Total: uint32(total), Members: wire.All(members, wire.FromMember)}, nil
}

func (s *server) someGroupMembers(ctx context.Context, req *group.GetGroupMembersInfoReq) (*group.GetGroupMembersInfoResp, error) {
	members, err := s.Groups.Some(ctx, req.GroupID, req.UserIDs)
	if err != nil {
		return nil, err
	}
	return &group.GetGroupMembersInfoResp{Members: wire.All(members, wire.FromMember)}, nil
}

func (s *server) groupMemberIDs(ctx context.Context, req *group.GetGroupMemberUserIDsReq) (*group.GetGroupMemberUserIDsResp, error) {
	_, ids, err := s.Groups.MemberIDs(ctx, req.GroupID)
	if err != nil {
		return nil, err
	}
	return &group.GetGroupMemberUserIDsResp{UserIDs: ids}, nil
}

func (s *server) fullGroupMemberIDs(ctx context.Context, req *group.GetFullGroupMemberUserIDsReq) (*group.GetFullGroupMemberUserIDsResp, error) {
	v, ids, err := s.Groups.MemberIDs(ctx, req.GroupID)
	if err != nil {
		return nil, err
	}
	resp := &group.GetFullGroupMemberUserIDsResp{Version: v.Version, VersionID: v.ID, Equal: wire.IDHash(ids) == req.IdHash}
	if !resp.Equal {
		resp.UserIDs = ids
	}
	return resp, nil
}

func (s *server) fullJoinedGroupIDs(ctx context.Context, req *group.GetFullJoinGroupIDsReq) (*group.GetFullJoinGroupIDsResp, error) {
	v, ids, err := s.Groups.JoinedIDs(ctx, req.UserID)
	if err != nil {
		return nil, err
	}
	resp := &group.GetFullJoinGroupIDsResp{Version: v.Version, VersionID: v.ID, Equal: wire.IDHash(ids) == req.IdHash}
	if !resp.Equal {
		resp.GroupIDs = ids
	}
	return resp, nil
}

func (s *server) joinedGroupChanges(ctx context.Context, req *group.GetIncrementalJoinGroupReq) (*group.GetIncrementalJoinGroupResp, error) {
	d, err := s.Groups.JoinedChanges(ctx, req.UserID, im.Version{ID: req.VersionID, Version: req.Version})
	if err != nil {
		return nil, err
	}
	return &group.GetIncrementalJoinGroupResp{
		Version: d.Version.Version, VersionID: d.Version.ID, Full: d.Full, Delete: d.Deleted, SortVersion: d.SortVersion,
		Insert: wire.All(d.Inserted, wire.FromGroup), Update: wire.All(d.Updated, wire.FromGroup),
	}, nil
}

func (s *server) groupMemberChanges(ctx context.Context, req *group.GetIncrementalGroupMemberReq) (*group.GetIncrementalGroupMemberResp, error) {
	c, err := s.Groups.MemberChanges(ctx, req.GroupID, im.Version{ID: req.VersionID, Version: req.Version})
	if err != nil {
		return nil, err
	}
	return fromMemberChanges(c), nil
}

func (s *server) groupMemberChangesBatch(ctx context.Context, req *group.BatchGetIncrementalGroupMemberReq) (*group.BatchGetIncrementalGroupMemberResp, error) {
	var asked []groups.Since
	for _, r := range req.ReqList {
		if r != nil {
			asked = append(asked, groups.Since{GroupID: r.GroupID, Version: im.Version{ID: r.VersionID, Version: r.Version}})
		}
	}
	changes, err := s.Groups.MemberChangesBatch(ctx, asked)
	if err != nil {
		return nil, err
	}
	resp := &group.BatchGetIncrementalGroupMemberResp{RespList: make(map[string]*group.GetIncrementalGroupMemberResp, len(changes))}
	for id, c := range changes {
		resp.RespList[id] = fromMemberChanges(c)
	}
	return resp, nil
}

func fromMemberChanges(c groups.MemberChanges) *group.GetIncrementalGroupMemberResp {
	resp := &group.GetIncrementalGroupMemberResp{
		Version: c.Version.Version, VersionID: c.Version.ID, Full: c.Full, Delete: c.Deleted, SortVersion: c.SortVersion,
		Insert: wire.All(c.Inserted, wire.FromMember), Update: wire.All(c.Updated, wire.FromMember),
	}
	if c.Group != nil {
		resp.Group = wire.FromGroup(*c.Group)
	}
	return resp
}
