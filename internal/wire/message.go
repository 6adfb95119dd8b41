package wire

import (
	"encoding/json"

	"github.com/openimsdk/protocol/sdkws"

	"github.com/parley-im/parley/internal/im"
)

// ToMessage converts what a client sent.
func ToMessage(d *sdkws.MsgData) *im.Message {
	return &im.Message{
		Seq: im.Seq(d.Seq), ClientMsgID: d.ClientMsgID, ServerMsgID: d.ServerMsgID,
		SendID: d.SendID, RecvID: d.RecvID, GroupID: d.GroupID,
		SenderPlatform: d.SenderPlatformID, SenderNickname: d.SenderNickname, SenderFaceURL: d.SenderFaceURL,
		SessionType: im.SessionType(d.SessionType), MsgFrom: d.MsgFrom, ContentType: im.ContentType(d.ContentType), Content: d.Content,
		SendTime: im.Millis(d.SendTime), CreateTime: im.Millis(d.CreateTime), Status: d.Status, IsRead: d.IsRead,
		Options: d.Options, Push: ToPushInfo(d.OfflinePushInfo), AtUserIDs: d.AtUserIDList, AttachedInfo: d.AttachedInfo, Ex: d.Ex,
	}
}

// FromMessage converts a message for clients.
func FromMessage(m *im.Message) *sdkws.MsgData {
	return &sdkws.MsgData{
		Seq: int64(m.Seq), ClientMsgID: m.ClientMsgID, ServerMsgID: m.ServerMsgID,
		SendID: m.SendID, RecvID: m.RecvID, GroupID: m.GroupID,
		SenderPlatformID: m.SenderPlatform, SenderNickname: m.SenderNickname, SenderFaceURL: m.SenderFaceURL,
		SessionType: int32(m.SessionType), MsgFrom: m.MsgFrom, ContentType: int32(m.ContentType), Content: m.Content,
		SendTime: int64(m.SendTime), CreateTime: int64(m.CreateTime), Status: m.Status, IsRead: m.IsRead,
		Options: m.Options, OfflinePushInfo: FromPushInfo(m.Push), AtUserIDList: m.AtUserIDs, AttachedInfo: m.AttachedInfo, Ex: m.Ex,
	}
}

// ToPushInfo converts what a sender wants an offline push to show.
func ToPushInfo(p *sdkws.OfflinePushInfo) *im.PushInfo {
	if p == nil {
		return nil
	}
	return &im.PushInfo{Title: p.Title, Desc: p.Desc, Ex: p.Ex, IOSPushSound: p.IOSPushSound, IOSBadgeCount: p.IOSBadgeCount, SignalInfo: p.SignalInfo}
}

// FromPushInfo is the reverse of ToPushInfo.
func FromPushInfo(p *im.PushInfo) *sdkws.OfflinePushInfo {
	if p == nil {
		return nil
	}
	return &sdkws.OfflinePushInfo{Title: p.Title, Desc: p.Desc, Ex: p.Ex, IOSPushSound: p.IOSPushSound, IOSBadgeCount: p.IOSBadgeCount, SignalInfo: p.SignalInfo}
}

// Notices renders the server's notifications.
type Notices struct{}

// Content types of notices.
const (
	noticeConversationsChanged im.ContentType = 1300
	noticeUserChanged          im.ContentType = 1303
)

// RenderNotice returns a notice's content type and its detail: JSON of the
// protocol's tips type by encoding/json, because clients read 64-bit values as
// numbers (websocket-and-messages 10.1).
func (Notices) RenderNotice(n im.Notice) (im.ContentType, []byte) {
	var c im.ContentType
	var tips any
	switch n := n.(type) {
	case im.UserChanged:
		c, tips = noticeUserChanged, &sdkws.UserInfoUpdatedTips{UserID: n.UserID}
	case im.ConversationsChanged:
		ids := make([]string, len(n.ConversationIDs))
		for i, id := range n.ConversationIDs {
			ids[i] = string(id)
		}
		c, tips = noticeConversationsChanged, &sdkws.ConversationUpdateTips{UserID: n.UserID, ConversationIDList: ids}
	case im.MessagesRead:
		seqs := make([]int64, len(n.Seqs))
		for i, q := range n.Seqs {
			seqs[i] = int64(q)
		}
		c, tips = im.ContentReadReceipt, &sdkws.MarkAsReadTips{
			MarkAsReadUserID: n.ReaderID, ConversationID: string(n.ConversationID), Seqs: seqs, HasReadSeq: int64(n.ReadSeq),
		}
	default:
		panic("wire: notice without a form")
	}
	detail, err := json.Marshal(tips)
	if err != nil {
		panic(err) // plain structs of strings and numbers
	}
	return c, detail
}
