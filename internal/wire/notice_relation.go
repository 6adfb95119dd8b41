package wire

import (
	"github.com/openimsdk/protocol/sdkws"

	"github.com/parley-im/parley/internal/im"
)

// Content types of notices about relations.
const (
	noticeFriendAgreed    im.ContentType = 1201
	noticeFriendRefused   im.ContentType = 1202
	noticeFriendRequested im.ContentType = 1203
	noticeFriendDeleted   im.ContentType = 1205
	noticeRemarkSet       im.ContentType = 1206
	noticeBlocked         im.ContentType = 1207
	noticeUnblocked       im.ContentType = 1208
	noticeFriendProfile   im.ContentType = 1209
	noticeFriendsUpdated  im.ContentType = 1210
)

// relationTips gives a notice about relations its form; c is 0 for others.
// Versions stay 0, which makes clients ask for what changed
// (websocket-and-messages 10.3).
func relationTips(n im.Notice) (c im.ContentType, tips any) {
	switch n := n.(type) {
	case im.FriendRequested:
		return noticeFriendRequested, &sdkws.FriendApplicationTips{
			FromToUserID: fromTo(n.Request.From.UserID, n.Request.To.UserID), Request: FromFriendRequest(n.Request),
		}
	case im.FriendRequestAgreed:
		out := &sdkws.FriendApplicationApprovedTips{FromToUserID: fromTo(n.ApplicantID, n.ApproverID)}
		if n.Request != nil {
			out.HandleMsg, out.Request = n.Request.Answer, FromFriendRequest(*n.Request)
		}
		return noticeFriendAgreed, out
	case im.FriendRequestRefused:
		return noticeFriendRefused, &sdkws.FriendApplicationRejectedTips{
			FromToUserID: fromTo(n.Request.From.UserID, n.Request.To.UserID), HandleMsg: n.Request.Answer, Request: FromFriendRequest(n.Request),
		}
	case im.FriendDeleted:
		return noticeFriendDeleted, &sdkws.FriendDeletedTips{FromToUserID: fromTo(n.OwnerID, n.FriendID)}
	case im.FriendRemarkSet:
		return noticeRemarkSet, &sdkws.FriendInfoChangedTips{FromToUserID: fromTo(n.OwnerID, n.FriendID)}
	case im.FriendsUpdated:
		return noticeFriendsUpdated, &sdkws.FriendsInfoUpdateTips{FromToUserID: fromTo("", n.OwnerID), FriendIDs: n.FriendIDs}
	case im.FriendProfileChanged:
		return noticeFriendProfile, &sdkws.UserInfoUpdatedTips{UserID: n.UserID}
	case im.UserBlocked:
		return noticeBlocked, &sdkws.BlackAddedTips{FromToUserID: fromTo(n.OwnerID, n.BlockedID)}
	case im.UserUnblocked:
		return noticeUnblocked, &sdkws.BlackDeletedTips{FromToUserID: fromTo(n.OwnerID, n.BlockedID)}
	}
	return 0, nil
}

func fromTo(from, to string) *sdkws.FromToUserID {
	return &sdkws.FromToUserID{FromUserID: from, ToUserID: to}
}
