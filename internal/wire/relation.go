package wire

import (
	"github.com/openimsdk/protocol/relation"
	"github.com/openimsdk/protocol/sdkws"

	"github.com/parley-im/parley/internal/im"
)

// FromFriend converts an entry of a friend list. Its time is in seconds,
// unlike every other one.
func FromFriend(f im.Friend) *sdkws.FriendInfo {
	return &sdkws.FriendInfo{
		OwnerUserID: f.OwnerID, Remark: f.Remark, CreateTime: seconds(f.CreatedAt), FriendUser: FromUser(f.User),
		AddSource: f.AddSource, OperatorUserID: f.OperatorID, Ex: f.Ex, IsPinned: f.Pinned,
	}
}

// FromFriendOnly converts an entry without the profile; its time is in
// milliseconds.
func FromFriendOnly(f im.Friend) *relation.FriendInfoOnly {
	return &relation.FriendInfoOnly{
		OwnerUserID: f.OwnerID, FriendUserID: f.User.UserID, Remark: f.Remark, CreateTime: int64(f.CreatedAt),
		AddSource: f.AddSource, OperatorUserID: f.OperatorID, Ex: f.Ex, IsPinned: f.Pinned,
	}
}

// FromBlock converts an entry of a block list, with its time in seconds.
func FromBlock(b im.Block) *sdkws.BlackInfo {
	out := FromBlockMillis(b)
	out.CreateTime = seconds(b.CreatedAt)
	return out
}

// FromBlockMillis is FromBlock with the time in milliseconds, as the routes
// for single users have it.
func FromBlockMillis(b im.Block) *sdkws.BlackInfo {
	return &sdkws.BlackInfo{
		OwnerUserID: b.OwnerID, CreateTime: int64(b.CreatedAt), AddSource: b.AddSource, OperatorUserID: b.OperatorID, Ex: b.Ex,
		BlackUserInfo: &sdkws.PublicUserInfo{UserID: b.User.UserID, Nickname: b.User.Nickname, FaceURL: b.User.FaceURL, Ex: b.User.Ex},
	}
}

// FromFriendRequest converts a friend request.
func FromFriendRequest(r im.FriendRequest) *sdkws.FriendRequest {
	return &sdkws.FriendRequest{
		FromUserID: r.From.UserID, FromNickname: r.From.Nickname, FromFaceURL: r.From.FaceURL,
		ToUserID: r.To.UserID, ToNickname: r.To.Nickname, ToFaceURL: r.To.FaceURL,
		HandleResult: int32(r.Result), ReqMsg: r.Message, CreateTime: int64(r.CreatedAt),
		HandlerUserID: r.HandlerID, HandleMsg: r.Answer, HandleTime: int64(r.HandledAt), Ex: r.Ex,
	}
}

func seconds(m im.Millis) int64 { return int64(m) / 1000 }
