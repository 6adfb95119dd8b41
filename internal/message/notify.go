package message

import (
	"context"
	"encoding/json"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// Notification is a notice on its way: to a user (RecvID) or a group (GroupID).
type Notification struct {
	SendID, RecvID, GroupID string
	Notice                  im.Notice
	// Stored notices have a seq in the notification log and are pulled after
	// an absence; others are pushed live only, and incremental sync makes up
	// for what was missed (websocket-and-messages 10.2).
	Stored bool
}

// Notify sends a notice in the server's name. It asks no rule and no handler.
func (s *Service) Notify(ctx context.Context, n Notification) error {
	return s.notify(ctx, n, nil)
}

// notify makes a change and reports it: the notice is stored in the change's
// own transaction, and nothing is sent if the change is refused. change must
// decide before it writes.
func (s *Service) notify(ctx context.Context, n Notification, change func(*store.Tx) error) error {
	m, recipients, err := s.compose(ctx, n)
	if err != nil {
		return err
	}
	operationID := im.OperationOf(ctx)
	deliver := func(m *im.Message) { s.deliver.Deliver(m, recipients, operationID) }
	if n.Stored {
		return s.store.Append(ctx, &store.Append{Message: m, OperationID: operationID, Check: change, Committed: deliver})
	}
	if change != nil {
		if err := s.store.Write(ctx, change); err != nil {
			return err
		}
	}
	deliver(m)
	return nil
}

// compose makes the message of a notice and finds out who gets it.
func (s *Service) compose(ctx context.Context, n Notification) (*im.Message, []string, error) {
	contentType, detail := s.renderer.RenderNotice(n.Notice)
	content, err := json.Marshal(struct {
		Detail string `json:"detail"`
	}{string(detail)})
	if err != nil {
		return nil, nil, err
	}
	m := &im.Message{
		ClientMsgID: im.NewMessageID(), ServerMsgID: im.NewMessageID(), SendID: n.SendID, RecvID: n.RecvID,
		SessionType: im.SingleChat, MsgFrom: im.FromSystem, ContentType: contentType, Content: content,
		SendTime: s.store.Now(), CreateTime: s.store.Now(), Options: noticeOptions(n.Stored),
	}
	recipients := pairRecipients(m)
	if n.GroupID != "" {
		m.SessionType, m.GroupID, m.RecvID = im.GroupChat, n.GroupID, n.GroupID
		if recipients, err = s.store.GroupMemberIDs(ctx, n.GroupID); err != nil {
			return nil, nil, err
		}
	}
	m.ConversationID = m.LogID()
	return m, recipients, nil
}

func noticeOptions(stored bool) im.Options {
	return im.Options{
		im.OptionNotNotification: false, im.OptionSendMessage: false, im.OptionHistory: stored, im.OptionPersistent: stored,
		im.OptionOfflinePush: false, im.OptionUnreadCount: false, im.OptionConversationUpdate: false, im.OptionNotPrivate: false,
		im.OptionSenderConversationUpdate: false, im.OptionReactionFromCache: false, im.OptionSenderSync: true,
	}
}
