package wire

import (
	"github.com/openimsdk/protocol/sdkws"

	"github.com/parley-im/parley/internal/im"
)

// Content types of notices about groups (websocket-and-messages 10.4).
const (
	noticeGroupCreated      im.ContentType = 1501
	noticeGroupInfo         im.ContentType = 1502
	noticeGroupApplied      im.ContentType = 1503
	noticeMemberQuit        im.ContentType = 1504
	noticeGroupAccepted     im.ContentType = 1505
	noticeGroupRefused      im.ContentType = 1506
	noticeGroupTransferred  im.ContentType = 1507
	noticeMembersKicked     im.ContentType = 1508
	noticeMembersInvited    im.ContentType = 1509
	noticeMemberEntered     im.ContentType = 1510
	noticeGroupDismissed    im.ContentType = 1511
	noticeMemberMuted       im.ContentType = 1512
	noticeMemberUnmuted     im.ContentType = 1513
	noticeGroupMuted        im.ContentType = 1514
	noticeGroupUnmuted      im.ContentType = 1515
	noticeMemberInfo        im.ContentType = 1516
	noticeMemberAdmin       im.ContentType = 1517
	noticeMemberOrdinary    im.ContentType = 1518
	noticeGroupAnnouncement im.ContentType = 1519
	noticeGroupName         im.ContentType = 1520
)

// groupTips gives the notices about groups their content type and form; the
// type is 0 for any other.
func groupTips(n im.Notice) (im.ContentType, any) {
	switch n := n.(type) {
	case im.GroupCreated:
		members, v := memberList(n.Members, n.Version)
		return noticeGroupCreated, &sdkws.GroupCreatedTips{
			Group: FromGroup(n.Group), OpUser: FromMember(n.Operator), MemberList: members, OperationTime: int64(n.At),
			GroupOwnerUser: FromMember(n.Owner), GroupMemberVersion: v.Version, GroupMemberVersionID: v.ID,
		}
	case im.GroupChanged:
		return groupChangedTips(n)
	case im.GroupApplied:
		return noticeGroupApplied, &sdkws.JoinGroupApplicationTips{
			Group: FromGroup(n.Group), Applicant: fromApplicant(n.Applicant), ReqMsg: n.Request.Message, Uuid: n.ID,
			Request: FromGroupRequest(n.Request, n.User, nil),
		}
	case im.GroupApplicationHandled:
		return handledTips(n)
	case im.GroupTransferred:
		return noticeGroupTransferred, &sdkws.GroupOwnerTransferredTips{
			Group: FromGroup(n.Group), OpUser: FromMember(n.Operator), NewGroupOwner: FromMember(n.New), OldGroupOwner: n.Old.UserID,
			OldGroupOwnerInfo: FromMember(n.Old), GroupMemberVersion: n.Version.Version, GroupMemberVersionID: n.Version.ID,
		}
	case im.GroupEnded:
		return noticeGroupDismissed, &sdkws.GroupDismissedTips{Group: FromGroup(n.Group), OpUser: FromMember(n.Operator)}
	default:
		return memberTips(n)
	}
}

func memberTips(n im.Notice) (im.ContentType, any) {
	switch n := n.(type) {
	case im.MemberQuit:
		return noticeMemberQuit, &sdkws.MemberQuitTips{
			Group: FromGroup(n.Group), QuitUser: FromMember(n.Member), GroupMemberVersion: n.Version.Version, GroupMemberVersionID: n.Version.ID,
		}
	case im.MembersKicked:
		members, v := memberList(n.Members, n.Version)
		return noticeMembersKicked, &sdkws.MemberKickedTips{
			Group: FromGroup(n.Group), OpUser: FromMember(n.Operator), KickedUserList: members, GroupMemberVersion: v.Version, GroupMemberVersionID: v.ID,
		}
	case im.MembersInvited:
		members, v := memberList(n.Members, n.Version)
		return noticeMembersInvited, &sdkws.MemberInvitedTips{
			Group: FromGroup(n.Group), OpUser: FromMember(n.Operator), InvitedUserList: members, InviterUser: FromMember(n.Inviter),
			GroupMemberVersion: v.Version, GroupMemberVersionID: v.ID,
		}
	case im.MemberEntered:
		return noticeMemberEntered, &sdkws.MemberEnterTips{
			Group: FromGroup(n.Group), EntrantUser: FromMember(n.Member), OperationTime: int64(n.At),
			GroupMemberVersion: n.Version.Version, GroupMemberVersionID: n.Version.ID,
		}
	case im.MemberMuted:
		if n.Seconds == 0 {
			return noticeMemberUnmuted, &sdkws.GroupMemberCancelMutedTips{
				Group: FromGroup(n.Group), OpUser: FromMember(n.Operator), MutedUser: FromMember(n.Member),
				GroupMemberVersion: n.Version.Version, GroupMemberVersionID: n.Version.ID,
			}
		}
		return noticeMemberMuted, &sdkws.GroupMemberMutedTips{
			Group: FromGroup(n.Group), OpUser: FromMember(n.Operator), MutedUser: FromMember(n.Member), MutedSeconds: n.Seconds,
			GroupMemberVersion: n.Version.Version, GroupMemberVersionID: n.Version.ID,
		}
	case im.MemberChanged:
		c := noticeMemberInfo
		switch n.Facet {
		case im.MemberMadeAdmin:
			c = noticeMemberAdmin
		case im.MemberMadeOrdinary:
			c = noticeMemberOrdinary
		}
		return c, &sdkws.GroupMemberInfoSetTips{
			Group: FromGroup(n.Group), OpUser: FromMember(n.Operator), ChangedUser: FromMember(n.Member), GroupSortVersion: n.Sort,
			GroupMemberVersion: n.Version.Version, GroupMemberVersionID: n.Version.ID,
		}
	}
	return 0, nil
}

func groupChangedTips(n im.GroupChanged) (im.ContentType, any) {
	g, op, v := FromGroup(n.Group), FromMember(n.Operator), n.Version
	switch n.Facet {
	case im.GroupName:
		return noticeGroupName, &sdkws.GroupInfoSetNameTips{Group: g, OpUser: op, GroupMemberVersion: v.Version, GroupMemberVersionID: v.ID}
	case im.GroupAnnouncement:
		return noticeGroupAnnouncement, &sdkws.GroupInfoSetAnnouncementTips{Group: g, OpUser: op, GroupMemberVersion: v.Version, GroupMemberVersionID: v.ID}
	case im.GroupMuteOn:
		return noticeGroupMuted, &sdkws.GroupMutedTips{Group: g, OpUser: op, GroupMemberVersion: v.Version, GroupMemberVersionID: v.ID}
	case im.GroupMuteOff:
		return noticeGroupUnmuted, &sdkws.GroupCancelMutedTips{Group: g, OpUser: op, GroupMemberVersion: v.Version, GroupMemberVersionID: v.ID}
	default:
		return noticeGroupInfo, &sdkws.GroupInfoSetTips{Group: g, OpUser: op, GroupMemberVersion: v.Version, GroupMemberVersionID: v.ID}
	}
}

func handledTips(n im.GroupApplicationHandled) (im.ContentType, any) {
	var receiverAs int32
	if n.ToManager {
		receiverAs = 1
	}
	g, op, request := FromGroup(n.Group), FromMember(n.Operator), FromGroupRequest(n.Request, n.User, nil)
	if n.Request.Result == im.RequestAgreed {
		return noticeGroupAccepted, &sdkws.GroupApplicationAcceptedTips{
			Group: g, OpUser: op, HandleMsg: n.Request.HandleMessage, ReceiverAs: receiverAs, Uuid: n.ID, Request: request,
		}
	}
	return noticeGroupRefused, &sdkws.GroupApplicationRejectedTips{
		Group: g, OpUser: op, HandleMsg: n.Request.HandleMessage, ReceiverAs: receiverAs, Uuid: n.ID, Request: request,
	}
}

// memberListBytes is what the names in a list of members may take; clients
// read frames up to 1 MiB.
const memberListBytes = 128 << 10

// memberList converts the members of a notice. If their names are too long for
// a frame it leaves them out, and the version too: clients that get a notice
// without one ask for the changes.
func memberList(members []im.Member, v im.Version) ([]*sdkws.GroupMemberFullInfo, im.Version) {
	list, size := All(members, FromMember), 0
	for _, m := range list {
		size += len(m.Nickname) + len(m.FaceURL) + len(m.Ex)
	}
	if size <= memberListBytes {
		return list, v
	}
	for _, m := range list {
		m.Nickname, m.FaceURL, m.Ex = "", "", ""
	}
	return list, im.Version{}
}

// FromGroupRequest converts a request to join with who asks and, in lists, the
// group.
func FromGroupRequest(r im.GroupRequest, u im.User, g *im.Group) *sdkws.GroupRequest {
	out := &sdkws.GroupRequest{
		UserInfo: fromApplicant(u), HandleResult: int32(r.Result), ReqMsg: r.Message, HandleMsg: r.HandleMessage, ReqTime: int64(r.RequestedAt),
		HandleUserID: r.HandlerID, HandleTime: int64(r.HandledAt), Ex: r.Ex, JoinSource: r.JoinSource, InviterUserID: r.InviterID,
	}
	if g != nil {
		out.GroupInfo = FromGroup(*g)
	}
	return out
}

func fromApplicant(u im.User) *sdkws.PublicUserInfo {
	return &sdkws.PublicUserInfo{UserID: u.UserID, Nickname: u.Nickname, FaceURL: u.FaceURL, Ex: u.Ex}
}
