package group

import (
	"context"
	"errors"
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
// Members leave some hundred at a time, the last of them together with the
// notice. A dismissal that is cut short is finished by FinishDismissals.
func (s *Service) Dismiss(ctx context.Context, groupID string, chat *bool) error {
	defer s.queue.enter(groupID)()
	everybody, err := s.store.GroupMemberIDs(ctx, groupID)
	if err != nil {
		return err
	}
	if len(everybody) > membersAtOnce {
		if err := s.store.Write(ctx, func(tx *store.Tx) error {
			a, err := s.mayDismiss(ctx, tx, groupID)
			if err != nil {
				return err
			}
			return a.close(im.OperationOf(ctx))
		}); err != nil {
			return err
		}
		if err := s.empty(ctx, groupID, membersAtOnce); err != nil {
			return err
		}
	}
	return s.tell(ctx, groupID, message.Notification{
		Also: everybody, Chat: chat,
		Change: func(tx *store.Tx) (im.Notice, error) {
			a, err := s.mayDismiss(ctx, tx, groupID)
			if err != nil {
				return nil, err
			}
			told, err := a.done(im.Version{}, 0)
			if err != nil {
				return nil, err
			}
			told.Group.Status, told.Group.MemberCount = im.GroupDismissed, uint32(len(everybody))
			if err := a.close(im.OperationOf(ctx)); err != nil {
				return nil, err
			}
			return im.GroupEnded{GroupAct: told}, a.clear()
		},
	})
}

func (s *Service) mayDismiss(ctx context.Context, tx *store.Tx, groupID string) (*act, error) {
	a, err := s.begin(ctx, tx, groupID)
	switch {
	case err != nil:
		return nil, err
	case a.group.Status == im.GroupDismissed && a.group.MemberCount == 0:
		return nil, im.ErrGroupDismissed.With("group %s", groupID)
	case !a.admin && a.operator.Role != im.RoleOwner:
		return nil, im.ErrNoPermission.With("not group owner")
	}
	return a, nil
}

// close marks a group as dismissed and reports that with the members it has. Of
// a dismissal that was cut short it was reported before.
func (a *act) close(operationID string) error {
	if a.group.Status != im.GroupDismissed && a.tx.Wanted(im.EventGroupDismissed) {
		ids, err := a.tx.GroupMemberIDs(a.group.GroupID)
		if err != nil {
			return err
		}
		if err := a.tx.Record(im.DismissReported{
			GroupID: a.group.GroupID, OwnerID: a.group.OwnerID, Type: a.group.Type, MemberIDs: ids, OperationID: operationID,
		}); err != nil {
			return err
		}
	}
	status := im.GroupDismissed
	_, err := a.tx.UpdateGroup(a.group.GroupID, store.GroupChange{Status: &status})
	return err
}

// clear takes out the last members of a dismissed group.
func (a *act) clear() error {
	ids, err := a.tx.GroupMemberIDs(a.group.GroupID)
	if err != nil {
		return err
	}
	if len(ids) > membersAtOnce {
		return errors.New("a group grew while it was dismissed")
	}
	if len(ids) > 0 {
		if _, err := a.tx.RemoveMembers(a.group.GroupID, ids); err != nil {
			return err
		}
	}
	nobody := ""
	_, err = a.tx.UpdateGroup(a.group.GroupID, store.GroupChange{OwnerID: &nobody})
	return err
}

// empty takes members out of a dismissed group until some are left. The owner,
// who may dismiss it again, is among these.
func (s *Service) empty(ctx context.Context, groupID string, left int) error {
	for {
		more := false
		err := s.store.Write(ctx, func(tx *store.Tx) error {
			page, err := tx.MemberPage(groupID, left, membersAtOnce)
			if err != nil || len(page) == 0 {
				return err
			}
			more = true
			_, err = tx.RemoveMembers(groupID, idsOf(page))
			return err
		})
		if err != nil || !more {
			return err
		}
	}
}

// FinishDismissals takes the members out of groups whose dismissal was cut
// short by the end of the process.
func (s *Service) FinishDismissals(ctx context.Context) error {
	var groupIDs []string
	if err := s.store.Read(ctx, func(tx *store.Tx) (err error) {
		groupIDs, err = tx.DismissedWithMembers()
		return err
	}); err != nil {
		return err
	}
	for _, id := range groupIDs {
		if err := s.empty(ctx, id, 0); err != nil {
			return err
		}
	}
	return nil
}
