package wire

import (
	"encoding/json"
	"maps"
	"strings"

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

// FromMessage converts a message for clients. A revoked one shows who took it
// back instead of its content.
func FromMessage(m *im.Message) *sdkws.MsgData {
	d := &sdkws.MsgData{
		Seq: int64(m.Seq), ClientMsgID: m.ClientMsgID, ServerMsgID: m.ServerMsgID,
		SendID: m.SendID, RecvID: m.RecvID, GroupID: m.GroupID,
		SenderPlatformID: m.SenderPlatform, SenderNickname: m.SenderNickname, SenderFaceURL: m.SenderFaceURL,
		SessionType: int32(m.SessionType), MsgFrom: m.MsgFrom, ContentType: int32(m.ContentType), Content: m.Content,
		SendTime: int64(m.SendTime), CreateTime: int64(m.CreateTime), Status: m.Status, IsRead: m.IsRead,
		Options: m.Options, OfflinePushInfo: FromPushInfo(m.Push), AtUserIDList: m.AtUserIDs, AttachedInfo: m.AttachedInfo, Ex: m.Ex,
	}
	if m.Revoked != nil && m.Status != im.StatusDeleted {
		d.ContentType, d.Content = int32(noticeRevoked), revokedContent(m)
	} else if m.RevokedQuote != nil {
		d.Content = withRevokedQuote(m.Content, m.RevokedQuote)
	}
	return d
}

// revokedContent is what clients show of a revoked message
// (websocket-and-messages 7.5).
func revokedContent(m *im.Message) []byte {
	return detailOf(revoked{
		RevokerID: m.Revoked.RevokerID, RevokerRole: m.Revoked.Role, ClientMsgID: m.ClientMsgID, RevokerNickname: m.Revoked.Nickname,
		RevokeTime: int64(m.Revoked.At), SourceMessageSendTime: int64(m.SendTime), SourceMessageSendID: m.SendID,
		SourceMessageSenderNickname: m.SenderNickname, SessionType: int32(m.SessionType), Seq: int64(m.Seq), Ex: m.Ex,
	})
}

type revoked struct {
	RevokerID                   string `json:"revokerID"`
	RevokerRole                 int32  `json:"revokerRole"`
	ClientMsgID                 string `json:"clientMsgID"`
	RevokerNickname             string `json:"revokerNickname"`
	RevokeTime                  int64  `json:"revokeTime"`
	SourceMessageSendTime       int64  `json:"sourceMessageSendTime"`
	SourceMessageSendID         string `json:"sourceMessageSendID"`
	SourceMessageSenderNickname string `json:"sourceMessageSenderNickname"`
	SessionType                 int32  `json:"sessionType"`
	Seq                         int64  `json:"seq"`
	Ex                          string `json:"ex"`
}

// withRevokedQuote replaces what a quote shows by who took it back.
func withRevokedQuote(content []byte, m *im.Message) []byte {
	var elem, quote map[string]json.RawMessage
	if json.Unmarshal(content, &elem) != nil || json.Unmarshal(elem["quoteMessage"], &quote) != nil || quote == nil {
		return content
	}
	maps.DeleteFunc(quote, func(key string, _ json.RawMessage) bool {
		return strings.HasSuffix(key, "Elem") && key != "attachedInfoElem" // the content of each type
	})
	set := func(in map[string]json.RawMessage, key string, v any) {
		raw, err := json.Marshal(v)
		if err != nil {
			panic(err) // texts, numbers and JSON that was read before
		}
		in[key] = raw
	}
	set(quote, "contentType", noticeRevoked)
	set(quote, "content", string(revokedContent(m)))
	set(elem, "quoteMessage", quote)
	out, err := json.Marshal(elem)
	if err != nil {
		panic(err) // as above
	}
	return out
}

// detailOf is the content of a notification: the JSON of its tips, as text.
func detailOf(tips any) []byte {
	inner, err := json.Marshal(tips)
	if err == nil {
		inner, err = json.Marshal(map[string]string{"detail": string(inner)})
	}
	if err != nil {
		panic(err) // plain structs of strings and numbers
	}
	return inner
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
	noticePrivacySet           im.ContentType = 1701
	noticeCleared              im.ContentType = 1703
	noticeBusiness             im.ContentType = 2001
	noticeRevoked              im.ContentType = 2101
	noticeDeleted              im.ContentType = 2102
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
		c, tips = noticeConversationsChanged, &sdkws.ConversationUpdateTips{UserID: n.UserID, ConversationIDList: fromIDs(n.ConversationIDs)}
	case im.PrivacySet:
		c, tips = noticePrivacySet, &sdkws.ConversationSetPrivateTips{
			SendID: n.UserID, RecvID: n.PeerID, IsPrivate: n.Private, ConversationID: string(n.ConversationID),
		}
	case im.MessagesRead:
		c, tips = im.ContentReadReceipt, &sdkws.MarkAsReadTips{
			MarkAsReadUserID: n.ReaderID, ConversationID: string(n.ConversationID), Seqs: fromSeqs(n.Seqs), HasReadSeq: int64(n.ReadSeq),
		}
	case im.Business:
		c, tips = noticeBusiness, map[string]string{"key": n.Key, "data": n.Data}
	case im.MessageRevoked:
		c, tips = noticeRevoked, &sdkws.RevokeMsgTips{
			RevokerUserID: n.RevokerID, ClientMsgID: n.ClientMsgID, RevokeTime: int64(n.At), SesstionType: int32(n.SessionType),
			Seq: int64(n.Seq), ConversationID: string(n.ConversationID), IsAdminRevoke: n.ByAdmin,
		}
	case im.MessagesDeleted:
		c, tips = noticeDeleted, &sdkws.DeleteMsgsTips{UserID: n.UserID, ConversationID: string(n.ConversationID), Seqs: fromSeqs(n.Seqs)}
	case im.ConversationsCleared:
		c, tips = noticeCleared, &sdkws.ClearConversationTips{UserID: n.UserID, ConversationIDs: fromIDs(n.ConversationIDs)}
	default:
		if c, tips = relationTips(n); c == 0 {
			c, tips = groupTips(n)
		}
		if c == 0 {
			panic("wire: notice without a form")
		}
	}
	detail, err := json.Marshal(tips)
	if err != nil {
		panic(err) // plain structs of strings and numbers
	}
	return c, detail
}

// ReadReceipt reads what the content of a receipt, a notice of MessagesRead, says:
// of which conversation, and up to where it was read.
func ReadReceipt(content []byte) (im.ConversationID, im.Seq) {
	var outer struct{ Detail string }
	var tips sdkws.MarkAsReadTips
	if json.Unmarshal(content, &outer) != nil || json.Unmarshal([]byte(outer.Detail), &tips) != nil {
		return "", 0
	}
	return im.ConversationID(tips.ConversationID), im.Seq(tips.HasReadSeq)
}

func fromSeqs(in []im.Seq) []int64 {
	if in == nil {
		return nil // null in JSON
	}
	out := make([]int64, len(in))
	for i, q := range in {
		out[i] = int64(q)
	}
	return out
}

func fromIDs(in []im.ConversationID) []string {
	out := make([]string, len(in))
	for i, id := range in {
		out[i] = string(id)
	}
	return out
}
