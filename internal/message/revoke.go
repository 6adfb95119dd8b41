package message

import (
	"context"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// Revoke takes a message back in the name of userID: his own, or as a group's
// owner anybody's, or as its administrator those of ordinary members
// (websocket-and-messages 8.2). There is no time limit.
func (s *Service) Revoke(ctx context.Context, userID string, c im.ConversationID, seq im.Seq) error {
	caller := im.CallerOf(ctx)
	switch {
	case !caller.May(userID):
		return im.ErrNoPermission.With("cannot revoke for %s", userID)
	case seq < 1 || c == "" || c.IsNotification():
		return im.ErrArgs.With("conversationID and seq must name a chat message")
	}
	var m *im.Message
	r := im.Revocation{RevokerID: userID, At: s.store.Now()}
	err := s.store.Read(ctx, func(tx *store.Tx) error {
		revoker, found, err := tx.User(userID)
		if err != nil {
			return err
		}
		if !found {
			return im.ErrNotFound.With("user %s", userID)
		}
		r.Nickname = revoker.Nickname
		if m, err = chatMessage(tx, c, seq); err != nil {
			return err
		}
		if m.Revoked != nil {
			return errRevoked
		}
		if !caller.Admin {
			r.Role, err = mayRemove(tx, revoker, m)
		}
		return err
	})
	if err != nil {
		return err
	}
	n := Notification{SendID: userID, RecvID: m.RecvID, GroupID: m.GroupID, Stored: true}
	if m.SessionType != im.GroupChat {
		n.SendID, n.GroupID = m.SendID, "" // both parties are told, whoever revoked
	}
	n.Change = func(tx *store.Tx) (im.Notice, error) {
		fresh, err := tx.Revoke(c, seq, r)
		if err == nil && !fresh {
			err = errRevoked
		}
		if err == nil {
			err = tx.Record(im.RevokeReported{RevokerID: userID, Message: m, OperationID: im.OperationOf(ctx)})
		}
		return im.MessageRevoked{
			RevokerID: caller.UserID, ByAdmin: caller.Admin, ConversationID: c, SessionType: m.SessionType, Seq: seq, ClientMsgID: m.ClientMsgID, At: r.At,
		}, err
	}
	return s.Notify(ctx, n)
}

var errRevoked = im.ErrRevoked.With("")

// mayRemove decides whether a user may take a message away from everybody, and
// returns his role.
func mayRemove(tx *store.Tx, u im.User, m *im.Message) (role int32, err error) {
	if m.SessionType != im.GroupChat {
		if m.SendID != u.UserID {
			return 0, im.ErrNoPermission.With("only the sender can do this")
		}
		return u.AppLevel, nil
	}
	mine, err := tx.GroupRules(m.GroupID, u.UserID)
	if err != nil {
		return 0, err
	}
	sender, err := tx.GroupRules(m.GroupID, m.SendID)
	if err != nil {
		return 0, err
	}
	switch {
	case !mine.Member:
		return 0, im.ErrNoPermission.With("not a member of the group")
	case m.SendID == u.UserID, mine.Role == im.RoleOwner:
		return mine.Role, nil
	case mine.Role == im.RoleAdmin && (!sender.Member || sender.Role == im.RoleMember):
		return mine.Role, nil
	}
	return 0, im.ErrNoPermission.With("the sender's role is not below yours")
}
