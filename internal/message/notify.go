package message

import (
	"context"
	"encoding/json"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// NoticeStyle is what the configuration says of a kind of notification.
type NoticeStyle struct {
	Chat    bool         // shown in the chat too, as a stored message
	Offline bool         // pushed to absent devices
	Push    *im.PushInfo // the text of that, which is told whether it is pushed or not
}

// Notification tells clients of a change: a user (RecvID) or a group (GroupID).
type Notification struct {
	SendID, RecvID, GroupID string
	// Also are further recipients of a group's notification: who joins or
	// leaves with the change.
	Also []string
	// NoteTo, if it is not empty, is who gets the notification itself; the chat
	// message goes to all recipients.
	NoteTo im.Audience

	// Notice is what to tell. If Change is set, it is made first, in the same
	// transaction as what is stored of the notification, and returns the notice,
	// or nil for none; nothing is told if it fails. Change must decide before it
	// writes, and may run more than once.
	Notice im.Notice
	Change func(*store.Tx) (im.Notice, error)
	// Placed, if set, runs after Change in the same transaction: before is the
	// last seq of the chat before this notification, last the last one now.
	Placed func(tx *store.Tx, before, last im.Seq) error

	// SenderNickname and SenderFaceURL are shown by clients with some kinds.
	SenderNickname, SenderFaceURL string

	// Stored notices have a seq in the notification log and are pulled after
	// an absence; others are pushed live only, and incremental sync makes up
	// for what was missed (websocket-and-messages 10.2).
	Stored bool
	// Chat overrides the configuration's.
	Chat *bool
}

// Notify makes a change and tells it in the server's name. It asks no rule and
// no handler. A notice that is a chat message too arrives twice: first with a
// seq in the chat, then without one as a notification; both have one client id.
//
// Several notifications are one change: what they change and store is one
// transaction, in their order, and only the first of them may refuse.
func (s *Service) Notify(ctx context.Context, n Notification, more ...Notification) error {
	_, err := s.NotifySent(ctx, n, more...)
	return err
}

// NotifySent is Notify with the ids of what was sent first.
func (s *Service) NotifySent(ctx context.Context, n Notification, more ...Notification) (Sent, error) {
	first, err := s.address(ctx, n)
	if err != nil {
		return Sent{}, err
	}
	if n.Change == nil && len(more) == 0 {
		if err := first.fill(n.Notice); err != nil {
			return Sent{}, err
		}
		pushed := first.note.Options.On(im.OptionOfflinePush) && s.store.Wanted(im.EventMessageToPush)
		if !first.stored && !first.shown && !pushed {
			first.deliver()
			return answer(first.note), nil
		}
	}
	request := first.request(n)
	for _, n := range more {
		a, err := s.address(ctx, n)
		if err != nil {
			return Sent{}, err
		}
		request.Then = append(request.Then, a.request(n))
	}
	if err := s.store.Append(ctx, request); err != nil {
		return Sent{}, err
	}
	return answer(first.note), nil
}

// announcement is a notification with its addresses, before and after its
// content is known.
type announcement struct {
	service     *Service
	note        *im.Message // for the notification log
	chat        *im.Message // for the chat
	recipients  im.Audience
	noteTo      im.Audience
	operationID string
	stored      bool
	chatWish    *bool

	shown bool // the chat message is sent too
}

// address makes the two messages of a notification, without content.
func (s *Service) address(ctx context.Context, n Notification) (*announcement, error) {
	now := s.store.Now()
	m := im.Message{
		ClientMsgID: im.NewMessageID(), ServerMsgID: im.NewMessageID(), SendID: n.SendID, RecvID: n.RecvID,
		SenderNickname: n.SenderNickname, SenderFaceURL: n.SenderFaceURL,
		SessionType: im.SingleChat, MsgFrom: im.FromSystem, SendTime: now, CreateTime: now,
	}
	recipients := pairRecipients(&m)
	if n.GroupID != "" {
		m.SessionType, m.GroupID, m.RecvID = im.GroupChat, n.GroupID, n.GroupID
		members, err := s.store.Roster(ctx, n.GroupID)
		if err != nil {
			return nil, err
		}
		recipients = members.With(n.Also...)
	}
	a := &announcement{
		service: s, recipients: recipients, noteTo: recipients, operationID: im.OperationOf(ctx), stored: n.Stored, chatWish: n.Chat,
	}
	if n.NoteTo.Len() > 0 {
		a.noteTo = n.NoteTo
	}
	note, chat := m, m
	note.Options = noticeOptions(n.Stored)
	note.ConversationID, chat.ConversationID = note.LogID(), chat.LogID()
	a.note, a.chat = &note, &chat
	return a, nil
}

// fill gives the messages their content and decides whether there is a chat
// message.
func (a *announcement) fill(n im.Notice) error {
	contentType, detail := a.service.renderer.RenderNotice(n)
	content, err := json.Marshal(struct {
		Detail string `json:"detail"`
	}{string(detail)})
	if err != nil {
		return err
	}
	var style NoticeStyle
	if a.service.options.Style != nil {
		style = a.service.options.Style(contentType)
	}
	if a.shown = style.Chat && !a.stored; a.chatWish != nil {
		a.shown = *a.chatWish && !a.stored
	}
	for _, m := range []*im.Message{a.note, a.chat} {
		m.ContentType, m.Content, m.Push = contentType, content, style.Push
	}
	push := style.Offline
	if a.shown {
		// Unread count and offline push are the chat message's business then.
		a.note.Options[im.OptionSendMessage] = true
		a.chat.Options = im.Options{im.OptionOfflinePush: push, im.OptionUnreadCount: true}
		push = false
	}
	a.note.Options[im.OptionOfflinePush] = push
	if !a.shown {
		a.chat.Options = a.note.Options // if it is appended all the same, then for its push
	}
	return nil
}

// request is the append of what is stored of the notification: itself, or the
// chat message, if there is one. The change is made with it.
func (a *announcement) request(n Notification) *store.Append {
	out := &store.Append{Message: a.chat, OperationID: a.operationID, Committed: func(*im.Message) { a.deliver() }}
	if a.stored {
		out.Message = a.note
	} else if a.chat.SessionType == im.SingleChat {
		out.Owners = pairOwners(a.chat)
	}
	out.Placed = n.Placed
	out.Check = func(tx *store.Tx) error {
		notice := n.Notice
		if n.Change != nil {
			var err error
			if notice, err = n.Change(tx); err != nil {
				return err
			}
		}
		if out.Skip = notice == nil; out.Skip {
			return nil
		}
		err := a.fill(notice)
		out.Unstored = !a.stored && !a.shown
		return err
	}
	return out
}

// deliver sends the chat message, then the notification.
func (a *announcement) deliver() {
	if a.shown {
		a.service.deliver.Deliver(a.chat, a.recipients, a.operationID)
	}
	a.service.deliver.Deliver(a.note, a.noteTo, a.operationID)
}

func noticeOptions(stored bool) im.Options {
	return im.Options{
		im.OptionNotNotification: false, im.OptionSendMessage: false, im.OptionHistory: stored, im.OptionPersistent: stored,
		im.OptionOfflinePush: false, im.OptionUnreadCount: false, im.OptionConversationUpdate: false, im.OptionNotPrivate: false,
		im.OptionSenderConversationUpdate: false, im.OptionReactionFromCache: false, im.OptionSenderSync: true,
	}
}
