package api

import (
	"context"

	"github.com/openimsdk/protocol/group"
	"github.com/openimsdk/protocol/sdkws"
	"github.com/openimsdk/protocol/wrapperspb"

	groups "github.com/parley-im/parley/internal/group"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/wire"
)

// applicant lets a user apply for himself. OpenIM's clients name him as the
// inviter.
func applicant(ctx context.Context, req *group.JoinGroupReq) error {
	if req.InviterUserID == "" {
		return im.ErrNotFound.With("inviterUserID is empty")
	}
	return mayActFor(ctx, req.InviterUserID)
}

func (s *server) joinGroup(ctx context.Context, req *group.JoinGroupReq) (none, error) {
	return none{}, s.Groups.Apply(ctx, groups.Application{
		GroupID: req.GroupID, UserID: req.InviterUserID, JoinSource: req.JoinSource, Message: req.ReqMessage, Ex: req.Ex,
	})
}

func (s *server) inviteToGroup(ctx context.Context, req *group.InviteUserToGroupReq) (none, error) {
	return none{}, s.Groups.Invite(ctx, req.GroupID, req.InvitedUserIDs, req.Reason, req.SendMessage)
}

func (s *server) answerGroupRequest(ctx context.Context, req *group.GroupApplicationResponseReq) (none, error) {
	return none{}, s.Groups.Answer(ctx, groups.Answer{
		GroupID: req.GroupID, UserID: req.FromUserID, Result: im.RequestResult(req.HandleResult), Message: req.HandledMsg,
	})
}

// leaver is who quits: the caller unless the request names somebody.
func leaver(ctx context.Context, req *group.QuitGroupReq) string {
	if req.UserID == "" {
		return im.CallerOf(ctx).UserID
	}
	return req.UserID
}

func mayQuit(ctx context.Context, req *group.QuitGroupReq) error {
	return mayActFor(ctx, leaver(ctx, req))
}

func (s *server) quitGroup(ctx context.Context, req *group.QuitGroupReq) (none, error) {
	return none{}, s.Groups.Quit(ctx, req.GroupID, leaver(ctx, req))
}

func (s *server) kickFromGroup(ctx context.Context, req *group.KickGroupMemberReq) (none, error) {
	return none{}, s.Groups.Kick(ctx, req.GroupID, req.KickedUserIDs, req.Reason, req.SendMessage)
}

func (s *server) dismissGroup(ctx context.Context, req *group.DismissGroupReq) (none, error) {
	return none{}, s.Groups.Dismiss(ctx, req.GroupID, req.SendMessage)
}

func (s *server) transferGroup(ctx context.Context, req *group.TransferGroupOwnerReq) (none, error) {
	return none{}, s.Groups.Transfer(ctx, req.GroupID, req.OldOwnerUserID, req.NewOwnerUserID)
}

func (s *server) muteGroup(ctx context.Context, req *group.MuteGroupReq) (none, error) {
	return none{}, s.Groups.Mute(ctx, req.GroupID, true)
}

func (s *server) unmuteGroup(ctx context.Context, req *group.CancelMuteGroupReq) (none, error) {
	return none{}, s.Groups.Mute(ctx, req.GroupID, false)
}

func (s *server) muteGroupMember(ctx context.Context, req *group.MuteGroupMemberReq) (none, error) {
	return none{}, s.Groups.MuteMember(ctx, req.GroupID, req.UserID, req.MutedSeconds)
}

func (s *server) unmuteGroupMember(ctx context.Context, req *group.CancelMuteGroupMemberReq) (none, error) {
	return none{}, s.Groups.MuteMember(ctx, req.GroupID, req.UserID, 0)
}

// setGroupInfo is the older form: an empty text leaves what is there.
func (s *server) setGroupInfo(ctx context.Context, req *group.SetGroupInfoReq) (none, error) {
	g := req.GroupInfoForSet
	return none{}, s.Groups.SetInfo(ctx, g.GroupID, groups.Info{
		Name: given(g.GroupName), Notification: given(g.Notification), Introduction: given(g.Introduction), FaceURL: given(g.FaceURL),
		Ex: textOf(g.Ex), NeedVerification: numberOf(g.NeedVerification), LookMemberInfo: numberOf(g.LookMemberInfo),
		ApplyMemberFriend: numberOf(g.ApplyMemberFriend), Older: true,
	})
}

func (s *server) setGroupInfoEx(ctx context.Context, req *group.SetGroupInfoExReq) (none, error) {
	return none{}, s.Groups.SetInfo(ctx, req.GroupID, groups.Info{
		Name: textOf(req.GroupName), Notification: textOf(req.Notification), Introduction: textOf(req.Introduction), FaceURL: textOf(req.FaceURL),
		Ex: textOf(req.Ex), NeedVerification: numberOf(req.NeedVerification), LookMemberInfo: numberOf(req.LookMemberInfo),
		ApplyMemberFriend: numberOf(req.ApplyMemberFriend),
	})
}

// given is a text, or nil for none.
func given(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func textOf(v *wrapperspb.StringValue) *string {
	if v == nil {
		return nil
	}
	return &v.Value
}

func numberOf(v *wrapperspb.Int32Value) *int32 {
	if v == nil {
		return nil
	}
	return &v.Value
}

func (s *server) setGroupMembers(ctx context.Context, req *group.SetGroupMemberInfoReq) (none, error) {
	list := make([]groups.MemberInfo, 0, len(req.Members))
	for _, m := range req.Members {
		if m != nil {
			list = append(list, groups.MemberInfo{
				GroupID: m.GroupID, UserID: m.UserID, Role: numberOf(m.RoleLevel), Nickname: textOf(m.Nickname), FaceURL: textOf(m.FaceURL), Ex: textOf(m.Ex),
			})
		}
	}
	return none{}, s.Groups.SetMembers(ctx, list)
}

// mayAnswer lets a user see the requests he may answer: of all groups that he
// manages, or of those named.
func (s *server) mayAnswer(ctx context.Context, req *group.GetGroupApplicationListReq) error {
	if err := mayActFor(ctx, req.FromUserID); err != nil {
		return err
	}
	for _, id := range req.GroupIDs {
		if err := s.Groups.MayManage(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

func (s *server) receivedGroupRequests(ctx context.Context, req *group.GetGroupApplicationListReq) (*group.GetGroupApplicationListResp, error) {
	offset, limit, err := paging(req.Pagination)
	if err != nil {
		return nil, err
	}
	f := store.GroupRequestFilter{GroupIDs: req.GroupIDs, Results: results(req.HandleResults)}
	if len(req.GroupIDs) == 0 {
		f.ManagerID = req.FromUserID
	}
	total, page, err := s.Groups.Requests(ctx, f, offset, limit)
	if err != nil {
		return nil, err
	}
	return &group.GetGroupApplicationListResp{Total: uint32(total), GroupRequests: wire.All(page, fromRequest)}, nil
}

func (s *server) sentGroupRequests(ctx context.Context, req *group.GetUserReqApplicationListReq) (*group.GetUserReqApplicationListResp, error) {
	offset, limit, err := paging(req.Pagination)
	if err != nil {
		return nil, err
	}
	total, page, err := s.Groups.Requests(ctx, store.GroupRequestFilter{UserID: req.UserID, GroupIDs: req.GroupIDs, Results: results(req.HandleResults)}, offset, limit)
	if err != nil {
		return nil, err
	}
	return &group.GetUserReqApplicationListResp{Total: uint32(total), GroupRequests: wire.All(page, fromRequest)}, nil
}

func (s *server) pendingGroupRequests(ctx context.Context, req *group.GetGroupApplicationUnhandledCountReq) (*group.GetGroupApplicationUnhandledCountResp, error) {
	total, _, err := s.Groups.Requests(ctx, store.GroupRequestFilter{
		ManagerID: req.UserID, Results: []im.RequestResult{im.RequestPending}, After: im.Millis(req.Time),
	}, 0, 0)
	if err != nil {
		return nil, err
	}
	return &group.GetGroupApplicationUnhandledCountResp{Count: total}, nil
}

func (s *server) usersGroupRequests(ctx context.Context, req *group.GetGroupUsersReqApplicationListReq) (*group.GetGroupUsersReqApplicationListResp, error) {
	list, err := s.Groups.RequestsOf(ctx, req.GroupID, req.UserIDs)
	if err != nil {
		return nil, err
	}
	return &group.GetGroupUsersReqApplicationListResp{Total: int64(len(list)), GroupRequests: wire.All(list, fromRequest)}, nil
}

// ownRequest lets a user see his own request, and who manages the group.
func (s *server) ownRequest(ctx context.Context, req *group.GetSpecifiedUserGroupRequestInfoReq) error {
	if im.CallerOf(ctx).May(req.UserID) {
		return nil
	}
	return s.Groups.MayManage(ctx, req.GroupID)
}

func (s *server) oneGroupRequest(ctx context.Context, req *group.GetSpecifiedUserGroupRequestInfoReq) (*group.GetSpecifiedUserGroupRequestInfoResp, error) {
	list, err := s.Groups.RequestsOf(ctx, req.GroupID, []string{req.UserID})
	if err != nil {
		return nil, err
	}
	return &group.GetSpecifiedUserGroupRequestInfoResp{Total: uint32(len(list)), GroupRequests: wire.All(list, fromRequest)}, nil
}

func fromRequest(r groups.Request) *sdkws.GroupRequest {
	return wire.FromGroupRequest(r.GroupRequest, r.User, &r.Group)
}

func results(codes []int32) []im.RequestResult {
	return wire.All(codes, func(code int32) im.RequestResult { return im.RequestResult(code) })
}
