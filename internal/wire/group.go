package wire

import (
	"github.com/openimsdk/protocol/sdkws"

	"github.com/parley-im/parley/internal/im"
)

// ToGroup converts a group that was sent to us; what the server decides is
// left out.
func ToGroup(g *sdkws.GroupInfo) im.Group {
	return im.Group{
		GroupID: g.GroupID, Name: g.GroupName, Notification: g.Notification, Introduction: g.Introduction, FaceURL: g.FaceURL,
		CreatorID: g.CreatorUserID, Ex: g.Ex, Type: g.GroupType,
		NeedVerification: g.NeedVerification, LookMemberInfo: g.LookMemberInfo, ApplyMemberFriend: g.ApplyMemberFriend,
	}
}

// FromGroup converts a group for clients.
func FromGroup(g im.Group) *sdkws.GroupInfo {
	return &sdkws.GroupInfo{
		GroupID: g.GroupID, GroupName: g.Name, Notification: g.Notification, Introduction: g.Introduction, FaceURL: g.FaceURL,
		OwnerUserID: g.OwnerID, CreateTime: int64(g.CreatedAt), MemberCount: g.MemberCount, Ex: g.Ex, Status: g.Status,
		CreatorUserID: g.CreatorID, GroupType: g.Type, NeedVerification: g.NeedVerification, LookMemberInfo: g.LookMemberInfo,
		ApplyMemberFriend: g.ApplyMemberFriend, NotificationUpdateTime: int64(g.NotificationUpdatedAt), NotificationUserID: g.NotificationUserID,
	}
}

// FromMember converts a group member for clients.
func FromMember(m im.Member) *sdkws.GroupMemberFullInfo {
	return &sdkws.GroupMemberFullInfo{
		GroupID: m.GroupID, UserID: m.UserID, RoleLevel: m.Role, JoinTime: int64(m.JoinedAt), Nickname: m.Nickname, FaceURL: m.FaceURL,
		AppMangerLevel: m.AppLevel, JoinSource: m.JoinSource, OperatorUserID: m.OperatorID, Ex: m.Ex, MuteEndTime: int64(m.MuteUntil),
		InviterUserID: m.InviterID,
	}
}
