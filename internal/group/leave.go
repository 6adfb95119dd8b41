package group

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/store"
)

// Quit takes a user out of a group. What was written until then he can read on.
func (s *Service) Quit(ctx context.Context, groupID, userID string) error {
	defer s.queue.enter(groupID)()
	operationID := im.OperationOf(ctx)
	return s.remove(ctx, groupID, []string{userID}, nil, func(a *act) (im.Notice, error) {
		m, found, err := member(a.tx, groupID, userID)
		switch {
		case err != nil:
			return nil, err
		case !found:
			return nil, im.ErrNotFound.With("user %s is not in group %s", userID, groupID)
		case m.Role == im.RoleOwner:
			return nil, im.ErrNoPermission.With("group owner can't quit")
		}
		v, err := a.tx.RemoveMembers(groupID, []string{userID})
		if err != nil {
			return nil, err
		}
		if a.tx.Wanted(im.EventMemberQuit) {
			if err := a.tx.Record(im.QuitReported{GroupID: groupID, UserID: userID, OperationID: operationID}); err != nil {
				return nil, err
			}
		}
		done, err := a.done(v, 0)
		return im.MemberQuit{GroupAct: done, Member: m}, err
	})
}

// Kick puts members out of a group. reason is for the business server. chat
// overrides whether the chat shows it.
func (s *Service) Kick(ctx context.Context, groupID string, userIDs []string, reason string, chat *bool) error {
	caller := im.CallerOf(ctx)
	switch err := checkIDs(userIDs); {
	case err != nil:
		return err
	case len(userIDs) == 0:
		return im.ErrArgs.With("kickUserIDs is empty")
	case slices.Contains(userIDs, caller.UserID):
		return im.ErrArgs.With("opUserID in KickedUserIDs")
	case len(reason) > im.MaxText:
		return tooLong(reason)
	}
	defer s.queue.enter(groupID)()
	err := s.store.Read(ctx, func(tx *store.Tx) error {
		g, found, err := tx.Group(groupID)
		if err != nil {
			return err
		}
		if !found {
			return im.ErrNotFound.With("group %s", groupID)
		}
		a := &act{tx: tx, group: g, admin: caller.Admin}
		if a.operator, err = operator(tx, caller, groupID); err != nil {
			return err
		}
		_, err = a.mayKick(userIDs)
		return err
	})
	if err != nil {
		return err
	}
	operationID := im.OperationOf(ctx)
	for some := range slices.Chunk(userIDs, membersAtOnce) {
		if err := s.remove(ctx, groupID, some, chat, func(a *act) (im.Notice, error) {
			kicked, err := a.mayKick(some)
			if err != nil {
				return nil, err
			}
			v, err := a.tx.RemoveMembers(groupID, some)
			if err != nil {
				return nil, err
			}
			if a.tx.Wanted(im.EventMembersKicked) {
				if err := a.tx.Record(im.KickReported{
					GroupID: groupID, UserIDs: some, Reason: reason, OperatorID: caller.UserID, OperationID: operationID,
				}); err != nil {
					return nil, err
				}
			}
			done, err := a.done(v, 0)
			return im.MembersKicked{GroupAct: done, Members: kicked}, err
		}); err != nil {
			return err
		}
	}
	return nil
}

// mayKick returns the members of these ids if the operator may put them out.
func (a *act) mayKick(userIDs []string) ([]im.Member, error) {
	switch {
	case !a.admin && a.operator.Role < im.RoleAdmin:
		return nil, im.ErrNoPermission.With("opUserID no permission")
	case slices.Contains(userIDs, a.group.OwnerID):
		return nil, im.ErrArgs.With("ownerUID can not Kick")
	}
	members, err := a.tx.Members(a.group.GroupID, userIDs)
	if err != nil {
		return nil, err
	}
	if len(members) != len(userIDs) {
		there := idsOf(members)
		i := slices.IndexFunc(userIDs, func(id string) bool { return !slices.Contains(there, id) })
		return nil, im.ErrUserNotFound.With("%s", userIDs[i])
	}
	for _, m := range members {
		if !a.admin && m.Role >= a.operator.Role {
			return nil, im.ErrNoPermission.With("user %s has the same role", m.UserID)
		}
	}
	return members, nil
}

// remove takes users out of a group by a change that says why. Who left sees
// the chat up to the notice of it.
func (s *Service) remove(ctx context.Context, groupID string, userIDs []string, chat *bool, change func(*act) (im.Notice, error)) error {
	err := s.tell(ctx, groupID, message.Notification{
		Chat: chat,
		Change: func(tx *store.Tx) (im.Notice, error) {
			a, err := s.begin(ctx, tx, groupID)
			if err != nil {
				return nil, err
			}
			return change(a)
		},
		Placed: func(tx *store.Tx, _, last im.Seq) error { return closeChats(tx, groupID, userIDs, last) },
	})
	if err != nil {
		return err
	}
	s.tellChats(ctx, groupID, userIDs)
	return nil
}

// Dismiss ends a group: nobody can write to it or join it any more. Its members
// keep what was written. chat overrides whether the chat shows it.
//
// With the group's status everybody's right to change it or look into it has
// gone. Members of a large group lose their row some hundred at a time, and
// hear of the end when they do.
func (s *Service) Dismiss(ctx context.Context, groupID string, chat *bool) error {
	defer s.queue.enter(groupID)()
	operationID := im.OperationOf(ctx)
	everybody, err := s.store.Roster(ctx, groupID)
	if err != nil {
		return err
	}
	first := everybody.IDs()
	some := len(first) > membersAtOnce
	n := message.Notification{Chat: chat, Also: first}
	if some {
		first = first[:membersAtOnce]
		n.Also, n.NoteTo = nil, im.AudienceOf(first...)
	}
	n.Change = func(tx *store.Tx) (im.Notice, error) {
		a, err := s.mayDismiss(ctx, tx, groupID)
		if err != nil {
			return nil, err
		}
		told, err := a.done(im.Version{}, 0)
		if err != nil {
			return nil, err
		}
		told.Group.Status, told.Group.MemberCount = im.GroupDismissed, uint32(everybody.Len())
		if some {
			payload, err := json.Marshal(ending{im.CallerOf(ctx), told.Group, told.Operator})
			if err != nil {
				return nil, err
			}
			if err := tx.BeginSpread(store.Spread{Kind: store.SpreadDismissal, Subject: groupID, Payload: payload}); err != nil {
				return nil, err
			}
		}
		return im.GroupEnded{GroupAct: told}, a.end(first, everybody, operationID)
	}
	if err := s.tell(ctx, groupID, n); err != nil {
		return err
	}
	if some {
		s.messages.Spreads().Begin(ctx, store.SpreadDismissal, groupID)
	}
	return nil
}

func (s *Service) mayDismiss(ctx context.Context, tx *store.Tx, groupID string) (*act, error) {
	a, err := s.beginOpen(ctx, tx, groupID)
	if err == nil && !a.admin && a.operator.Role != im.RoleOwner {
		err = im.ErrNoPermission.With("not group owner")
	}
	return a, err
}

// end marks a group as dismissed, reports that with all its members, and takes
// out the first of them.
func (a *act) end(first []string, everybody im.Audience, operationID string) error {
	if a.tx.Wanted(im.EventGroupDismissed) {
		if err := a.tx.Record(im.DismissReported{
			GroupID: a.group.GroupID, OwnerID: a.group.OwnerID, Type: a.group.Type, MemberIDs: everybody.IDs(), OperationID: operationID,
		}); err != nil {
			return err
		}
	}
	if len(first) > 0 {
		if _, err := a.tx.RemoveMembers(a.group.GroupID, first); err != nil {
			return err
		}
	}
	status, nobody := im.GroupDismissed, ""
	_, err := a.tx.UpdateGroup(a.group.GroupID, store.GroupChange{Status: &status, OwnerID: &nobody})
	return err
}
