package wire

import (
	"github.com/openimsdk/protocol/sdkws"

	"github.com/parley-im/parley/internal/im"
)

// ToUser converts a profile that was sent to us. When it was made is what the
// sender says.
func ToUser(u *sdkws.UserInfo) im.User {
	return im.User{
		UserID: u.UserID, Nickname: u.Nickname, FaceURL: u.FaceURL, Ex: u.Ex, CreatedAt: im.Millis(u.CreateTime),
		AppLevel: u.AppMangerLevel, RecvOpt: im.RecvOpt(u.GlobalRecvMsgOpt),
	}
}

// FromUser converts a profile for clients.
func FromUser(u im.User) *sdkws.UserInfo {
	return &sdkws.UserInfo{
		UserID: u.UserID, Nickname: u.Nickname, FaceURL: u.FaceURL, Ex: u.Ex, CreateTime: int64(u.CreatedAt),
		AppMangerLevel: u.AppLevel, GlobalRecvMsgOpt: int32(u.RecvOpt),
	}
}

// ToUserChange converts an update in which empty and zero fields mean "leave".
func ToUserChange(u *sdkws.UserInfo) im.UserChange {
	var c im.UserChange
	if u.Nickname != "" {
		c.Nickname = &u.Nickname
	}
	if u.FaceURL != "" {
		c.FaceURL = &u.FaceURL
	}
	if u.Ex != "" {
		c.Ex = &u.Ex
	}
	if u.GlobalRecvMsgOpt != 0 {
		c.RecvOpt = new(im.RecvOpt(u.GlobalRecvMsgOpt))
	}
	return c
}

// ToUserChangeEx converts an update in which fields that are there are set.
func ToUserChangeEx(u *sdkws.UserInfoWithEx) im.UserChange {
	return im.UserChange{
		Nickname: u.Nickname.GetValuePtr(), FaceURL: u.FaceURL.GetValuePtr(), Ex: u.Ex.GetValuePtr(),
		RecvOpt: (*im.RecvOpt)(u.GlobalRecvMsgOpt.GetValuePtr()),
	}
}
