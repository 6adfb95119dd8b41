package webhook

import (
	"encoding/json"

	"github.com/parley-im/parley/hooks/payload"
	"github.com/parley-im/parley/internal/im"
)

// push asks before a push to phones.
func (q asking) push(m *im.MayPush) error {
	if !q.cb.filter.admitsPush(m.Message) {
		return nil
	}
	head, about := pushed(q, m.Message)
	body := payload.OfflinePush{Push: head, UserIDs: list(m.UserIDs), Pushed: about}
	if p := m.Push; p != nil {
		info := payload.PushInfo(*p)
		body.PushInfo = &info
	}
	return put(q, m.Message.ClientMsgID, body, func(a *payload.OfflinePushAnswer) {
		if len(a.UserIDs) > 0 {
			m.UserIDs = a.UserIDs
		}
		if a.OfflinePushInfo != nil {
			info := im.PushInfo(*a.OfflinePushInfo)
			m.Push = &info
		}
	})
}

// deliver asks before a message goes to connections.
func (q asking) deliver(m *im.MayDeliver) error {
	if !q.cb.filter.admitsPush(m.Message) {
		return nil
	}
	head, about := pushed(q, m.Message)
	var body any = payload.OnlinePush{Push: head, UserIDs: list(m.UserIDs), Pushed: about}
	if m.Message.SessionType == im.GroupChat {
		body = payload.GroupOnlinePush{Push: head, Pushed: about, Seq: int64(m.Message.Seq)}
	}
	return put(q, m.Message.ClientMsgID, body, func(a *payload.OnlinePushAnswer) {
		if len(a.UserIDs) > 0 {
			m.UserIDs = a.UserIDs
		}
	})
}

// pushed are the parts that the three bodies share. What is told of a
// notification is its detail.
func pushed(q asking, m *im.Message) (payload.Push, payload.Pushed) {
	content := string(m.Content)
	if m.ContentType.IsControl() {
		var notice struct {
			Detail string `json:"detail"`
		}
		if json.Unmarshal(m.Content, &notice) == nil && notice.Detail != "" {
			content = notice.Detail
		}
	}
	head := payload.Push{
		CallbackCommand: q.cb.Command, OperationID: im.OperationOf(q.ctx), PlatformID: m.SenderPlatform, Platform: im.Platform(m.SenderPlatform).String(),
	}
	return head, payload.Pushed{
		ClientMsgID: m.ClientMsgID, SendID: m.SendID, GroupID: m.GroupID, ContentType: int32(m.ContentType), SessionType: int32(m.SessionType),
		AtUserIDs: list(m.AtUserIDs), Content: content,
	}
}
