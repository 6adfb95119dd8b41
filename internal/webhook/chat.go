package webhook

import (
	"github.com/parley-im/parley/hooks/payload"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/webhook/registry"
)

func chatBody(command string, c *im.Conversation) any {
	body := payload.Conversation{
		CallbackCommand: command, OwnerUserID: c.OwnerID, ConversationID: string(c.ConversationID), ConversationType: int32(c.Type),
		RecvMsgOpt: int32(c.RecvOpt), IsPinned: c.Pinned, IsPrivateChat: c.PrivateChat, BurnDuration: c.BurnDuration,
		GroupAtType: c.GroupAtType, AttachedInfo: c.AttachedInfo, Ex: c.Ex,
	}
	if c.Type == im.GroupChat {
		return payload.GroupConversation{Conversation: body, GroupID: c.GroupID}
	}
	return payload.SingleConversation{Conversation: body, UserID: c.UserID}
}

// openChat takes settings of the row from the answer, those that clients could
// set.
func (q asking) openChat(m *im.MayOpenChat) error {
	c := &m.Row
	return put(q, string(c.ConversationID), chatBody(q.cb.Command, c), func(a *payload.ConversationAnswer) {
		var dropped []string
		if a.RecvMsgOpt != nil && (*a.RecvMsgOpt < int32(im.RecvNotify) || *a.RecvMsgOpt > int32(im.RecvNoNotify)) {
			a.RecvMsgOpt, dropped = nil, append(dropped, "recvMsgOpt")
		}
		if a.BurnDuration != nil && *a.BurnDuration < 0 {
			a.BurnDuration, dropped = nil, append(dropped, "burnDuration")
		}
		if a.AttachedInfo != nil && len(*a.AttachedInfo) > im.MaxText {
			a.AttachedInfo, dropped = nil, append(dropped, "attachedInfo")
		}
		if a.Ex != nil && len(*a.Ex) > im.MaxText {
			a.Ex, dropped = nil, append(dropped, "ex")
		}
		if len(dropped) > 0 {
			q.e.warnDropped(q.ctx, q.cb, dropped)
		}
		if a.RecvMsgOpt != nil {
			c.RecvOpt = im.RecvOpt(*a.RecvMsgOpt)
		}
		replaceBy(&c.Pinned, a.IsPinned)
		replaceBy(&c.PrivateChat, a.IsPrivateChat)
		replaceBy(&c.BurnDuration, a.BurnDuration)
		replaceBy(&c.GroupAtType, a.GroupAtType)
		replaceBy(&c.AttachedInfo, a.AttachedInfo)
		replaceBy(&c.Ex, a.Ex)
	})
}

func (e *Engine) chatOpened(p *plan, ev im.ChatOpened) []store.OutboxEvent {
	id := registry.AfterCreateSingleChatConversations
	if ev.Row.Type == im.GroupChat {
		id = registry.AfterCreateGroupChatConversations
	}
	return e.tell(p, id, string(ev.Row.ConversationID), ev.OperationID, func(command string) any { return chatBody(command, &ev.Row) })
}
