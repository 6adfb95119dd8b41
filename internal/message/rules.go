package message

import (
	"context"
	"strings"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// posting is what the rules found out about an allowed message.
type posting struct {
	// Unstored: the message passes through without a seq.
	Unstored   bool
	recipients im.Audience
	owners     []im.Conversation // whose conversation rows must exist
}

// mayPost decides by reading whether m may be sent, and to whom it goes
// (websocket-and-messages 6.10, 6.12). It switches off the offline push for a
// receiver who wants none.
func (s *Service) mayPost(ctx context.Context, m *im.Message) (posting, error) {
	p := posting{Unstored: !m.Options.On(im.OptionHistory)}
	if m.SessionType == im.GroupChat {
		rules, err := s.store.GroupRules(ctx, m.GroupID, m.SendID)
		if err != nil {
			return p, err
		}
		if err := s.groupRule(m, rules); err != nil {
			return p, err
		}
		p.recipients, err = s.store.Roster(ctx, m.GroupID)
		return p, err
	}
	rules, err := s.store.SingleRules(ctx, m.SendID, m.RecvID, m.ConversationID)
	if err != nil {
		return p, err
	}
	if err := s.singleRule(m, rules); err != nil {
		return p, err
	}
	p.recipients = pairRecipients(m)
	p.owners = pairOwners(m)
	return p, nil
}

// recheck decides once more, inside the transaction.
func (s *Service) recheck(tx *store.Tx, m *im.Message) error {
	if m.SessionType == im.GroupChat {
		rules, err := tx.GroupRules(m.GroupID, m.SendID)
		if err != nil {
			return err
		}
		return s.groupRule(m, rules)
	}
	rules, err := tx.SingleRules(m.SendID, m.RecvID, m.ConversationID)
	if err != nil {
		return err
	}
	return s.singleRule(m, rules)
}

func (s *Service) singleRule(m *im.Message, r store.SingleRules) error {
	if r.Collision {
		return im.ErrArgs.With("the id of this conversation belongs to two other users")
	}
	notice := !m.Options.On(im.OptionNotNotification)
	if m.SessionType == im.SingleChat && !m.ContentType.IsControl() && !s.options.IsAdmin(m.SendID) {
		switch {
		case !r.SenderKnown:
			return im.ErrNotFound.With("sender %s is not registered", m.SendID)
		case r.SenderLevel >= im.LevelAdmin:
			// system accounts write to anybody
		case r.Blocked:
			return im.ErrBlocked.With("")
		case s.options.FriendVerify && !r.Friend:
			return im.ErrNotFriend.With("")
		}
	}
	if m.SessionType != im.SingleChat || notice {
		return nil
	}
	if !r.ReceiverKnown {
		return im.ErrNotFound.With("receiver %s is not registered", m.RecvID)
	}
	if r.RecvOpt == im.RecvRefuse || r.ChatOpt == im.RecvRefuse && m.ContentType != im.ContentReadReceipt {
		return im.ErrArgs.With("message is not sent")
	}
	if (r.RecvOpt == im.RecvNoNotify || r.ChatOpt == im.RecvNoNotify) && m.Options.On(im.OptionOfflinePush) {
		m.Options = m.Options.Without(im.OptionOfflinePush)
	}
	return nil
}

// superGroup is a legacy group type without rules.
const superGroup = 1

func (s *Service) groupRule(m *im.Message, r store.GroupRules) error {
	switch {
	case !r.Known:
		return im.ErrNotFound.With("group %s does not exist", m.GroupID)
	case r.Status == im.GroupDismissed:
		return im.ErrGroupDismissed.With("")
	case r.Type == superGroup, s.options.IsAdmin(m.SendID), m.ContentType.IsControl():
		return nil
	case !r.Member:
		return im.ErrNotInGroup.With("")
	case r.Role == im.RoleOwner:
		return nil
	case r.MuteUntil >= s.store.Now():
		return im.ErrMuted.With("")
	case r.Status == im.GroupMuted && r.Role != im.RoleAdmin:
		return im.ErrGroupMuted.With("")
	}
	return nil
}

func pairRecipients(m *im.Message) im.Audience {
	if m.SendID == m.RecvID || !m.Options.On(im.OptionSenderSync) {
		return im.AudienceOf(m.RecvID)
	}
	return im.AudienceOf(m.RecvID, m.SendID)
}

// pairOwners are the users whose lists show the chat: both, or the receiver of
// a notification account. Notification logs are in nobody's list.
func pairOwners(m *im.Message) []im.Conversation {
	if m.ConversationID.IsNotification() {
		return nil
	}
	receiver := im.Conversation{OwnerID: m.RecvID, ConversationID: m.ConversationID, Type: m.SessionType, UserID: m.SendID}
	if m.SessionType == im.AccountChat || m.SendID == m.RecvID {
		return []im.Conversation{receiver}
	}
	sender := im.Conversation{OwnerID: m.SendID, ConversationID: m.ConversationID, Type: m.SessionType, UserID: m.RecvID}
	if strings.Compare(sender.OwnerID, receiver.OwnerID) > 0 { // rows are locked in user order
		sender, receiver = receiver, sender
	}
	return []im.Conversation{sender, receiver}
}
