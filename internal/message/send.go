package message

import (
	"context"
	"errors"
	"slices"
	"unicode/utf8"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/trace"
)

// Limits on what a sender may put into a message. They keep every frame to a
// client far below the 1 MiB its SDK reads.
const (
	MaxContent    = 256 << 10 // bytes of content
	maxText       = 16 << 10  // bytes of ex, attachedInfo and the like
	maxAtUsers    = 1000
	maxAtSize     = 80 << 10 // bytes of their ids
	maxOptions    = 64
	optionKeySize = 64
)

// Sent is the answer to a send.
type Sent struct {
	ServerMsgID string
	ClientMsgID string
	SendTime    im.Millis
	Seq         im.Seq // 0 for messages that are not stored

	// Message is the final message if the business server changed it, and
	// Changed the fields he changed, as the wire spells them.
	Message *im.Message
	Changed []string
}

// Send sends m in the name of the context's caller and returns after the
// durable commit. m belongs to the service from here on.
func (s *Service) Send(ctx context.Context, m *im.Message) (Sent, error) {
	var sent Sent
	err := s.SendAcked(ctx, m, func(done Sent) { sent = done })
	return sent, err
}

// SendAcked is Send with the answer given to ack after the commit and before
// the message is delivered to anybody, so that a reply is on its way before the
// message's echo. ack must not block; it is not called when an error is
// returned.
func (s *Service) SendAcked(ctx context.Context, m *im.Message, ack func(Sent)) error {
	kind := m.SessionType
	s.sending.Add(1)
	defer s.sending.Add(-1)
	steps := trace.Of(ctx)
	ctx, span := steps.Start(ctx, "message.send")
	err := s.send(ctx, steps, m, ack)
	span.End(err)
	s.options.Counted(kind, err)
	return err
}

func (s *Service) send(ctx context.Context, steps trace.Steps, m *im.Message, ack func(Sent)) error {
	caller := im.CallerOf(ctx)
	if !caller.May(m.SendID) {
		return im.ErrNoPermission.With("cannot send as %s", m.SendID)
	}
	if s.limiter != nil && !caller.Admin && !caller.Server {
		if err := s.limiter.allow(caller.UserID, s.store.Now()); err != nil {
			return err
		}
	}
	if err := s.admit(m, caller); err != nil {
		return err
	}
	// Once past the door a send is finished whatever its connection does.
	ctx = context.WithoutCancel(ctx)
	ruled, rules := steps.Start(ctx, "message.rules")
	post, err := s.mayPost(ruled, m)
	rules.End(err)
	if err != nil {
		return err
	}
	if post.Unstored || s.hooks == nil || !s.hooks.Asks(m) && !s.asksChats(post) {
		return s.finish(ctx, steps, m, post, ack) // a repeat is found by the transaction
	}
	// A handler is asked once about a send, however often it is repeated.
	leave, err := s.enter(ctx, m)
	if err != nil {
		return err
	}
	defer leave()
	if first, err := s.store.FindSend(ctx, m); err != nil {
		return err
	} else if first != nil {
		ack(answer(first))
		return nil
	}
	return s.finish(ctx, steps, m, post, ack)
}

// finish asks the business server, commits, acknowledges and delivers.
func (s *Service) finish(ctx context.Context, steps trace.Steps, m *im.Message, post posting, ack func(Sent)) error {
	asking := ctx
	if s.hooks != nil {
		asking = s.hooks.WithDeadline(ctx)
	}
	asked, changed, err := s.ask(asking, m)
	if err != nil {
		return err
	}
	if asked {
		// Time went by: the message may be another, and so may its receivers.
		if err := checkShape(m); err != nil {
			return err
		}
		if post, err = s.mayPost(ctx, m); err != nil {
			return err
		}
	}
	incomplete := false
	if s.asksChats(post) {
		if asked, incomplete, err = s.askChats(asking, m, &post, asked); err != nil {
			return err
		}
	}
	if m.Status == im.StatusSending {
		m.Status = im.StatusSent
	}
	operationID := im.OperationOf(ctx)
	committing, commit := steps.Start(ctx, "message.commit")
	done := func(m *im.Message) {
		sent := answer(m)
		if len(changed) > 0 {
			sent.Message, sent.Changed = m, changed
		}
		ack(sent)
		_, span := steps.Start(committing, "message.deliver")
		s.deliver.Deliver(m, post.recipients, operationID)
		span.End(nil)
	}
	pushed := m.Options.On(im.OptionOfflinePush) && s.store.Wanted(im.EventMessageToPush)
	if post.Unstored && !pushed && !s.store.Wanted(im.EventMessageSent) {
		done(m)
		commit.End(nil)
		return nil
	}
	a := &store.Append{
		Message: m, OperationID: operationID, Unstored: post.Unstored, Dedup: !post.Unstored, Sent: true, Owners: post.owners, Incomplete: incomplete, Committed: done,
	}
	a.Reopen = m.SessionType == im.GroupChat && !m.ConversationID.IsNotification()
	marks, marked := mentions(m, s.store.Now())
	if marked {
		a.Placed = func(tx *store.Tx, _, _ im.Seq) error { return BeginMarks(tx, marksOf(m), marks) }
	}
	if asked {
		a.Check = func(tx *store.Tx) error { return s.recheck(tx, m) }
	}
	err = s.store.Append(ctx, a)
	if errors.Is(err, store.ErrDuplicateSend) {
		commit.Set(trace.Outcome, "repeated")
		commit.End(nil)
		ack(answer(a.Duplicate))
		return nil
	}
	commit.End(err)
	if err != nil {
		return err
	}
	if marked {
		s.SpreadMarks(ctx, marksOf(m))
	}
	if a.Reopens {
		s.spreads.Begin(ctx, store.SpreadClosedChats, m.GroupID)
	}
	return nil
}

func answer(m *im.Message) Sent {
	return Sent{ServerMsgID: m.ServerMsgID, ClientMsgID: m.ClientMsgID, SendTime: m.SendTime, Seq: m.Seq}
}

// ask puts the message to the business server. No transaction is open and no
// lock is held meanwhile, but this send's own.
func (s *Service) ask(ctx context.Context, m *im.Message) (asked bool, changed []string, err error) {
	if s.hooks == nil {
		return false, nil, nil
	}
	before, err := s.hooks.BeforeSend(ctx, m)
	if err != nil {
		return before, nil, err
	}
	modify, changed, err := s.hooks.Modify(ctx, m)
	return before || modify, changed, err
}

// admit checks what the sender wrote and fills in what only the server may say.
func (s *Service) admit(m *im.Message, caller im.Caller) error {
	if !caller.Admin && !caller.Server {
		switch {
		case m.ContentType.IsControl():
			return im.ErrNoPermission.With("contentType %d is the server's own", m.ContentType)
		case m.SessionType == im.AccountChat:
			return im.ErrNoPermission.With("only notification accounts send notifications")
		}
		m.MsgFrom = im.FromUser
		m.SendTime = 0
		m.SenderPlatform = int32(caller.Platform)
		m.Options = m.Options.UserOptions()
	}
	m.ServerMsgID = im.NewMessageID()
	m.Seq, m.IsRead = 0, false
	if m.SendTime == 0 {
		m.SendTime = s.store.Now()
	}
	if m.ClientMsgID == "" {
		m.ClientMsgID = im.NewMessageID()
	}
	if off := forcedOff(m.ContentType); off != nil {
		m.Options = m.Options.Without(off...)
	}
	return checkShape(m)
}

// checkShape refuses what no message may look like, and finds the message its
// conversation.
func checkShape(m *im.Message) error {
	switch {
	case m.SendID == "":
		return im.ErrArgs.With("sendID is empty")
	case len(m.Content) == 0:
		return im.ErrArgs.With("content is empty")
	case len(m.Content) > MaxContent:
		return im.ErrArgs.With("content is larger than %d bytes", MaxContent)
	case (m.SessionType == im.AccountChat) != (m.ContentType == im.ContentAccountNotice):
		return im.ErrArgs.With("sessionType %d does not go with contentType %d", m.SessionType, m.ContentType)
	case len(m.AtUserIDs) > maxAtUsers:
		return im.ErrArgs.With("more than %d users in atUserIDList", maxAtUsers)
	case atSize(m.AtUserIDs) > maxAtSize:
		return im.ErrArgs.With("atUserIDList is larger than %d bytes", maxAtSize)
	case pushSize(m.Push) > maxText:
		return im.ErrArgs.With("offlinePushInfo is larger than %d bytes", maxText)
	case len(m.RecvID) > 4*im.MaxIDLength: // of a group message nobody looks at it
		return im.ErrArgs.With("recvID is not a valid id")
	case len(m.Options) > maxOptions:
		return im.ErrArgs.With("more than %d options", maxOptions)
	case len(m.Ex) > maxText, len(m.AttachedInfo) > maxText, len(m.SenderNickname) > maxText, len(m.SenderFaceURL) > maxText:
		return im.ErrArgs.With("a text field is larger than %d bytes", maxText)
	case !validID(m.SendID), !validID(m.ClientMsgID):
		return im.ErrArgs.With("sendID or clientMsgID is not a valid id")
	}
	for k := range m.Options {
		if len(k) > optionKeySize || !utf8.ValidString(k) {
			return im.ErrArgs.With("an option's name is not valid")
		}
	}
	switch m.SessionType {
	case im.SingleChat, im.AccountChat:
		if !validID(m.RecvID) {
			return im.ErrArgs.With("recvID is not a valid id")
		}
		m.GroupID = ""
	case im.GroupChat:
		if !validID(m.GroupID) {
			return im.ErrArgs.With("groupID is not a valid id")
		}
	default:
		return im.ErrArgs.With("unknown sessionType %d", m.SessionType)
	}
	m.ConversationID = m.LogID()
	return nil
}

// validID refuses what could not be an id anywhere: ids go into table columns.
func validID(id string) bool {
	return id != "" && len(id) <= 4*im.MaxIDLength && utf8.ValidString(id) && !slices.Contains([]byte(id), 0)
}

var (
	typingOff = []string{
		im.OptionHistory, im.OptionPersistent, im.OptionSenderSync, im.OptionConversationUpdate,
		im.OptionSenderConversationUpdate, im.OptionUnreadCount, im.OptionOfflinePush,
	}
	receiptOff = []string{im.OptionConversationUpdate, im.OptionSenderConversationUpdate, im.OptionUnreadCount, im.OptionOfflinePush}
	revokeOff  = []string{im.OptionUnreadCount, im.OptionOfflinePush}
)

// forcedOff are the options a content type never has (websocket-and-messages 6.4).
func forcedOff(c im.ContentType) []string {
	switch c {
	case im.ContentTyping:
		return typingOff
	case im.ContentReadReceipt:
		return receiptOff
	case im.ContentRevokeObsolete:
		return revokeOff
	}
	return nil
}
