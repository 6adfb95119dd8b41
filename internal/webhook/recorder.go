package webhook

import (
	"github.com/google/uuid"

	"github.com/parley-im/parley/hooks/payload"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/webhook/registry"
)

// reports are the callbacks that an event of a kind may be told by.
var reports = [im.EventKinds][]registry.ID{
	im.EventMessageSent:    {registry.AfterSendSingleMsg, registry.AfterSendGroupMsg, registry.AfterMsgSaveDB},
	im.EventUserOnline:     {registry.AfterUserOnline},
	im.EventUserOffline:    {registry.AfterUserOffline},
	im.EventUserKicked:     {registry.AfterUserKickOff},
	im.EventMessagesRead:   {registry.AfterSingleMsgRead, registry.AfterGroupMsgRead},
	im.EventMessageRevoked: {registry.AfterRevokeMsg, registry.AfterGroupMsgRevoke},

	im.EventUsersRegistered: {registry.AfterUserRegister},
	im.EventProfileUpdated:  {registry.AfterUpdateUserInfo, registry.AfterUpdateUserInfoEx},
	im.EventFriendRequested: {registry.AfterAddFriend},
	im.EventFriendAgreed:    {registry.AfterAddFriendAgree},
	im.EventFriendDeleted:   {registry.AfterDeleteFriend},
	im.EventRemarkSet:       {registry.AfterSetFriendRemark},
	im.EventFriendsImported: {registry.AfterImportFriends},
	im.EventUserUnblocked:   {registry.AfterRemoveBlack},

	im.EventGroupFounded:     {registry.AfterCreateGroup},
	im.EventMemberJoined:     {registry.AfterJoinGroup},
	im.EventMemberQuit:       {registry.AfterQuitGroup},
	im.EventMembersKicked:    {registry.AfterKickGroupMember},
	im.EventGroupDismissed:   {registry.AfterDismissGroup},
	im.EventGroupTransferred: {registry.AfterTransferGroupOwner},
	im.EventGroupSet:         {registry.AfterSetGroupInfo, registry.AfterSetGroupInfoEx},
	im.EventMemberSet:        {registry.AfterSetGroupMemberInfo},
	im.EventChatOpened:       {registry.AfterCreateSingleChatConversations, registry.AfterCreateGroupChatConversations},
}

// Enabled implements store.Recorder.
func (e *Engine) Enabled(kind im.EventKind) bool {
	p := e.plan.Load()
	return int(kind) < len(p.wanted) && p.wanted[kind]
}

// Render implements store.Recorder: it makes the outbox rows of an event, one
// for each endpoint that wants it.
func (e *Engine) Render(event im.Event) []store.OutboxEvent {
	p := e.plan.Load().ofEvent(event)
	return p.spread(e.rows(p, event), event)
}

// rows are those of the callbacks that report an event, before it is known to
// whom they go.
func (e *Engine) rows(p *plan, event im.Event) []store.OutboxEvent {
	switch ev := event.(type) {
	case triggered:
		return ev.rows
	case im.MessageSent:
		return e.messageSent(p, ev.Message, ev.OperationID)
	case *im.MessageSent:
		return e.messageSent(p, ev.Message, ev.OperationID)
	case im.ReadReported:
		return e.messagesRead(p, ev)
	case im.RevokeReported:
		return e.messageRevoked(p, ev)
	case im.UserOnline:
		if cb := p.on[registry.AfterUserOnline]; cb != nil {
			body := render(payload.Online{Presence: presence(ev.Session, ev.At, cb, ev.OperationID), IsAppBackground: ev.IsBackground, ConnID: ev.Session.ConnID})
			return []store.OutboxEvent{e.event(cb, ev.Session.UserID, ev.OperationID, body)}
		}
	case im.UserOffline:
		if cb := p.on[registry.AfterUserOffline]; cb != nil {
			return e.sessionEnded(cb, ev.Session, ev.At, ev.OperationID)
		}
	case im.UserKicked:
		if cb := p.on[registry.AfterUserKickOff]; cb != nil {
			return e.sessionEnded(cb, ev.Session, ev.At, ev.OperationID)
		}
	case im.UsersRegistered:
		return e.tell(p, registry.AfterUserRegister, ev.Users[0].UserID, ev.OperationID, func(command string) any { return registration(command, ev.Users) })
	case im.ProfileUpdated:
		return e.profileUpdated(p, ev)
	case im.FriendAsked:
		return e.tell(p, registry.AfterAddFriend, ev.FromID, ev.OperationID, func(command string) any {
			return payload.FriendRequested{CallbackCommand: command, FromUserID: ev.FromID, ToUserID: ev.ToID, Message: ev.Message}
		})
	case im.FriendAgreed:
		return e.tell(p, registry.AfterAddFriendAgree, ev.FromID, ev.OperationID, func(command string) any {
			return agreement(command, ev.FromID, ev.ToID, ev.Answer)
		})
	case im.FriendRemoved:
		return e.tell(p, registry.AfterDeleteFriend, ev.OwnerID, ev.OperationID, func(command string) any {
			return payload.FriendRemoval{CallbackCommand: command, OwnerUserID: ev.OwnerID, FriendUserID: ev.FriendID}
		})
	case im.RemarkSet:
		return e.tell(p, registry.AfterSetFriendRemark, ev.OwnerID, ev.OperationID, func(command string) any {
			return payload.FriendRemark{CallbackCommand: command, OwnerUserID: ev.OwnerID, FriendUserID: ev.FriendID, Remark: ev.Remark}
		})
	case im.FriendsImported:
		return e.tell(p, registry.AfterImportFriends, ev.OwnerID, ev.OperationID, func(command string) any {
			return payload.FriendImport{CallbackCommand: command, OwnerUserID: ev.OwnerID, FriendUserIDs: list(ev.FriendIDs)}
		})
	case im.BlockRemoved:
		return e.tell(p, registry.AfterRemoveBlack, ev.OwnerID, ev.OperationID, func(command string) any {
			return payload.Block{CallbackCommand: command, OwnerUserID: ev.OwnerID, BlackUserID: ev.BlockedID}
		})
	case im.GroupFounded:
		return e.tell(p, registry.AfterCreateGroup, ev.Group.GroupID, ev.OperationID, func(command string) any { return founded(command, ev) })
	case im.JoinReported:
		return e.tell(p, registry.AfterJoinGroup, ev.GroupID, ev.OperationID, func(command string) any {
			return payload.Joined{
				CallbackCommand: command, OperationID: ev.OperationID, GroupID: ev.GroupID, Message: ev.Message, JoinSource: ev.JoinSource,
				InviterUserID: ev.InviterID, UserID: ev.UserID,
			}
		})
	case im.QuitReported:
		return e.tell(p, registry.AfterQuitGroup, ev.GroupID, ev.OperationID, func(command string) any {
			return payload.Quit{CallbackCommand: command, GroupID: ev.GroupID, UserID: ev.UserID}
		})
	case im.KickReported:
		return e.tell(p, registry.AfterKickGroupMember, ev.GroupID, ev.OperationID, func(command string) any {
			return payload.Kicked{CallbackCommand: command, GroupID: ev.GroupID, KickedUserIDs: list(ev.UserIDs), Reason: ev.Reason, OpUserID: ev.OperatorID}
		})
	case im.DismissReported:
		return e.tell(p, registry.AfterDismissGroup, ev.GroupID, ev.OperationID, func(command string) any {
			return payload.Dismissed{
				CallbackCommand: command, GroupID: ev.GroupID, OwnerID: ev.OwnerID, GroupType: groupType(ev.Type), MemberIDs: append([]string{}, ev.MemberIDs...),
			}
		})
	case im.TransferReported:
		return e.tell(p, registry.AfterTransferGroupOwner, ev.GroupID, ev.OperationID, func(command string) any {
			return payload.Transferred{CallbackCommand: command, GroupID: ev.GroupID, OldOwnerUserID: ev.OldOwnerID, NewOwnerUserID: ev.NewOwnerID}
		})
	case im.GroupInfoReported:
		return e.groupSet(p, ev)
	case im.MemberInfoReported:
		return e.tell(p, registry.AfterSetGroupMemberInfo, ev.Info.GroupID, ev.OperationID, func(command string) any { return memberInfo(command, &ev.Info) })
	case im.ChatOpened:
		return e.chatOpened(p, ev)
	}
	return nil
}

// tell makes the rows of an event that one callback reports, if it is on.
func (e *Engine) tell(p *plan, id registry.ID, subject, operationID string, body func(command string) any) []store.OutboxEvent {
	cb := p.on[id]
	if cb == nil {
		return nil
	}
	return []store.OutboxEvent{e.event(cb, subject, operationID, render(body(cb.Command)))}
}

func (e *Engine) messageSent(p *plan, m *im.Message, operationID string) []store.OutboxEvent {
	var sent *callback
	switch m.SessionType {
	case im.SingleChat:
		sent = p.on[registry.AfterSendSingleMsg]
	case im.GroupChat:
		sent = p.on[registry.AfterSendGroupMsg]
	default: // notices of accounts are only reported as saved
	}
	if sent != nil && !sent.admits(m) {
		sent = nil
	}
	saved := p.on[registry.AfterMsgSaveDB]
	if saved != nil && (m.Seq == 0 || !saved.admits(m)) {
		saved = nil
	}
	if sent == nil && saved == nil {
		return nil
	}
	conversation := m.ConversationID
	if conversation == "" {
		conversation = m.LogID() // not stored
	}
	key := keyQuery(m)
	rows := make([]store.OutboxEvent, 0, 2)
	add := func(cb *callback, body []byte) {
		row := e.event(cb, string(conversation), operationID, body)
		row.ClientMsgID, row.ServerMsgID, row.Query = m.ClientMsgID, m.ServerMsgID, key
		rows = append(rows, row)
	}
	if sent != nil {
		add(sent, renderMessage(m, sent, operationID))
	}
	if saved != nil {
		copied := *m
		if copied.Status == im.StatusSending {
			copied.Status = im.StatusSent
		}
		add(saved, renderAddressed(&copied, saved, operationID))
	}
	return rows
}

// messagesRead makes one event: of a group when the whole conversation was
// reported, of single messages otherwise. OpenIM has none for notification
// accounts.
func (e *Engine) messagesRead(p *plan, ev im.ReadReported) []store.OutboxEvent {
	cb, body := p.on[registry.AfterSingleMsgRead], any(nil)
	switch {
	case ev.Whole && ev.Type == im.GroupChat:
		if cb = p.on[registry.AfterGroupMsgRead]; cb != nil {
			body = payload.GroupRead{
				CallbackCommand: cb.Command, SendID: ev.ReaderID, ReceiveID: ev.ReaderID, UnreadMsgNum: int64(ev.ReadSeq), ContentType: int64(ev.Type),
				GroupID: ev.GroupID, ConversationID: string(ev.ConversationID), HasReadSeq: int64(ev.ReadSeq),
			}
		}
	case ev.Whole && ev.Type != im.SingleChat:
		return nil
	case cb != nil:
		body = payload.SingleRead{
			CallbackCommand: cb.Command, ConversationID: string(ev.ConversationID), UserID: ev.ReaderID, Seqs: seqs(ev.Seqs), ContentType: int32(ev.Type),
			HasReadSeq: int64(ev.ReadSeq),
		}
	}
	if cb == nil {
		return nil
	}
	return []store.OutboxEvent{e.event(cb, string(ev.ConversationID), ev.OperationID, render(body))}
}

// messageRevoked makes the event of every revocation, and the one of groups.
func (e *Engine) messageRevoked(p *plan, ev im.RevokeReported) []store.OutboxEvent {
	callbacks := []*callback{p.on[registry.AfterRevokeMsg]}
	if ev.Message.SessionType == im.GroupChat {
		callbacks = append(callbacks, p.on[registry.AfterGroupMsgRevoke])
	}
	var rows []store.OutboxEvent
	for _, cb := range callbacks {
		if cb == nil {
			continue
		}
		m := ev.Message
		row := e.event(cb, string(m.ConversationID), ev.OperationID, render(payload.Revoke{
			CallbackCommand: cb.Command, ConversationID: string(m.ConversationID), Seq: int64(m.Seq), UserID: ev.RevokerID,
			ClientMsgID: m.ClientMsgID, SendID: m.SendID, SessionType: int32(m.SessionType), GroupID: m.GroupID,
		}))
		row.ClientMsgID, row.ServerMsgID = m.ClientMsgID, m.ServerMsgID
		rows = append(rows, row)
	}
	return rows
}

func (e *Engine) sessionEnded(cb *callback, s im.Session, at im.Millis, operationID string) []store.OutboxEvent {
	body := render(payload.Offline{Presence: presence(s, at, cb, operationID), ConnID: s.ConnID})
	return []store.OutboxEvent{e.event(cb, s.UserID, operationID, body)}
}

// spread makes of each row one for every endpoint that wants it: the same id
// and body, in a lane of its own.
func (p *plan) spread(rows []store.OutboxEvent, event im.Event) []store.OutboxEvent {
	var m *im.Message
	switch ev := event.(type) {
	case im.MessageSent:
		m = ev.Message
	case *im.MessageSent:
		m = ev.Message
	}
	out := rows[:0]
	if len(p.endpoints) > 1 {
		out = make([]store.OutboxEvent, 0, len(rows)+1)
	}
	for _, row := range rows {
		cb := p.byKey[row.Callback]
		for i := range cb.routes {
			r := &cb.routes[i]
			if m != nil && !r.filter.admits(m) {
				continue
			}
			row.Lane = subjectLane(r.endpoint.name, row.Subject)
			out = append(out, row)
		}
	}
	return out
}

// event is an outbox row but for its lane, which keeps the order of one subject
// at one endpoint, whatever callbacks the subject's events belong to.
func (e *Engine) event(cb *callback, subject, operationID string, body []byte) store.OutboxEvent {
	return store.OutboxEvent{
		EventID:     uuid.Must(uuid.NewV7()).String(),
		Callback:    cb.Key,
		Command:     cb.Command,
		OperationID: operationID,
		Subject:     subject,
		Body:        body,
		CreatedAt:   im.MillisOf(e.o.Now()),
	}
}

var _ store.Recorder = (*Engine)(nil)
