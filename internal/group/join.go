package group

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/store"
)

// membersAtOnce is the most members one transaction brings in or takes out.
const membersAtOnce = 500

// Application is somebody's wish to join a group.
type Application struct {
	GroupID, UserID string
	JoinSource      int32
	Message, Ex     string
}

// Apply lets a user join a group that asks nobody, and asks the group's owner
// and administrators otherwise.
func (s *Service) Apply(ctx context.Context, a Application) error {
	if err := tooLong(a.Message, a.Ex); err != nil {
		return err
	}
	defer s.queue.enter(a.GroupID)()
	var g im.Group
	err := s.store.Read(ctx, func(tx *store.Tx) error {
		_, known, err := tx.User(a.UserID)
		if err != nil {
			return err
		}
		if !known {
			return im.ErrNotFound.With("user %s", a.UserID)
		}
		if g, err = openGroup(tx, a.GroupID); err != nil {
			return err
		}
		return absent(tx, a.GroupID, []string{a.UserID})
	})
	if err != nil {
		return err
	}
	if g.NeedVerification != im.VerifyNobody {
		return s.request(ctx, im.GroupRequest{
			GroupID: a.GroupID, UserID: a.UserID, JoinSource: a.JoinSource, Message: a.Message, Ex: a.Ex,
		})
	}
	return s.admit(ctx, a.GroupID, []im.Member{{UserID: a.UserID, JoinSource: a.JoinSource, InviterID: a.UserID}}, nil, nil)
}

// admit brings users into a group and tells everybody: a user who has himself
// for an inviter, or none, entered; others were invited. first runs before, in
// the same transaction.
func (s *Service) admit(ctx context.Context, groupID string, fresh []im.Member, chat *bool, first func(*act) error) error {
	ids := idsOf(fresh)
	err := s.tell(ctx, groupID, message.Notification{
		Also: ids, Chat: chat,
		Change: func(tx *store.Tx) (im.Notice, error) {
			a, err := s.beginOpen(ctx, tx, groupID)
			if err != nil {
				return nil, err
			}
			if err := absent(tx, groupID, ids); err != nil {
				return nil, err
			}
			if first != nil {
				if err := first(a); err != nil {
					return nil, err
				}
			}
			return a.admit(fresh)
		},
		Placed: func(tx *store.Tx, before, _ im.Seq) error { return s.openChats(tx, groupID, ids, before) },
	})
	if err != nil {
		return err
	}
	s.tellChats(ctx, groupID, ids)
	return nil
}

// absent refuses users who are members.
func absent(tx *store.Tx, groupID string, userIDs []string) error {
	joined, err := tx.Members(groupID, userIDs)
	if err == nil && len(joined) > 0 {
		err = im.ErrArgs.With("user %s is in group %s", joined[0].UserID, groupID)
	}
	return err
}

func (a *act) admit(fresh []im.Member) (im.Notice, error) {
	members := slices.Clone(fresh)
	for i := range members {
		m := &members[i]
		m.GroupID, m.Role, m.JoinedAt, m.OperatorID = a.group.GroupID, im.RoleMember, a.at, a.operator.UserID
	}
	v, err := a.tx.AddMembers(a.group.GroupID, members)
	if err != nil {
		return nil, err
	}
	done, err := a.done(v, 0)
	if err != nil {
		return nil, err
	}
	// Read back, as clients are to see them.
	if members, err = a.tx.Members(a.group.GroupID, idsOf(fresh)); err != nil {
		return nil, err
	}
	inviterID := fresh[0].InviterID
	if inviterID == "" || inviterID == fresh[0].UserID {
		return im.MemberEntered{GroupAct: done, Member: members[0]}, nil
	}
	inviter := a.operator
	if inviterID != inviter.UserID {
		if inviter, err = operator(a.tx, im.Caller{UserID: inviterID}, a.group.GroupID); err != nil {
			return nil, err
		}
	}
	return im.MembersInvited{GroupAct: done, Members: members, Inviter: inviter}, nil
}

// Invite brings users into a group in the caller's name, or asks the group's
// owner and administrators if it wants to be asked. chat overrides whether the
// chat shows it.
func (s *Service) Invite(ctx context.Context, groupID string, userIDs []string, chat *bool) error {
	if err := checkIDs(userIDs); err != nil {
		return err
	}
	if len(userIDs) == 0 {
		return im.ErrArgs.With("invitedUserIDs is empty")
	}
	defer s.queue.enter(groupID)()
	ask := false
	if err := s.store.Read(ctx, func(tx *store.Tx) (err error) {
		ask, err = mayInvite(ctx, tx, groupID, userIDs)
		return err
	}); err != nil {
		return err
	}
	callerID := im.CallerOf(ctx).UserID
	if ask {
		requests := make([]im.GroupRequest, len(userIDs))
		for i, id := range userIDs {
			requests[i] = im.GroupRequest{GroupID: groupID, UserID: id, InviterID: callerID, JoinSource: im.JoinedByInvitation}
		}
		return s.request(ctx, requests...)
	}
	for some := range slices.Chunk(userIDs, membersAtOnce) {
		fresh := make([]im.Member, len(some))
		for i, id := range some {
			fresh[i] = im.Member{UserID: id, JoinSource: im.JoinedByInvitation, InviterID: callerID}
		}
		err := s.admit(ctx, groupID, fresh, chat, func(a *act) error {
			if a.operator.Role == 0 {
				return im.ErrNoPermission.With("op user not in group")
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// mayInvite tells whether an invitation must be asked for.
func mayInvite(ctx context.Context, tx *store.Tx, groupID string, userIDs []string) (ask bool, err error) {
	g, err := openGroup(tx, groupID)
	if err != nil {
		return false, err
	}
	me, err := operator(tx, im.CallerOf(ctx), groupID)
	if err != nil {
		return false, err
	}
	if me.Role == 0 {
		return false, im.ErrNoPermission.With("op user not in group")
	}
	known, err := tx.Users(userIDs)
	if err != nil {
		return false, err
	}
	if len(known) != len(userIDs) {
		return false, im.ErrNotFound.With("user not found")
	}
	return g.NeedVerification == im.VerifyEveryone && me.Role < im.RoleAdmin, absent(tx, groupID, userIDs)
}

// request stores the caller's requests to join one group, each in place of an
// earlier one, and tells who may answer them, and who asks.
func (s *Service) request(ctx context.Context, requests ...im.GroupRequest) error {
	groupID, callerID := requests[0].GroupID, im.CallerOf(ctx).UserID
	var g im.Group
	var told []string
	users := make(map[string]im.User)
	for some := range slices.Chunk(requests, membersAtOnce) {
		err := s.store.Write(ctx, func(tx *store.Tx) error {
			a, err := s.beginOpen(ctx, tx, groupID)
			if err != nil {
				return err
			}
			g = a.group
			asked := []string{callerID}
			for i := range some {
				some[i].RequestedAt = a.at
				asked = append(asked, some[i].UserID)
				if err := tx.PutGroupRequest(some[i]); err != nil {
					return err
				}
			}
			if told, err = managers(tx, groupID); err != nil {
				return err
			}
			known, err := tx.Users(asked)
			for _, u := range known {
				users[u.UserID] = u
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, r := range requests {
		applicant := callerID
		receivers := append(slices.Clone(told), callerID)
		if r.InviterID == "" {
			applicant = r.UserID
			receivers = append(receivers, r.UserID)
		}
		n := im.GroupApplied{Group: g, Applicant: users[applicant], Request: r, User: users[r.UserID], ID: uuid.NewString()}
		for _, id := range distinct(receivers) {
			s.tellUser(ctx, id, n)
		}
	}
	return nil
}

func managers(tx *store.Tx, groupID string) ([]string, error) {
	list, err := tx.Managers(groupID)
	return idsOf(list), err
}

// Answer is a manager's to a request to join.
type Answer struct {
	GroupID, UserID string
	Result          im.RequestResult
	Message         string
}

// Answer accepts or refuses a request to join a group.
func (s *Service) Answer(ctx context.Context, answer Answer) error {
	if answer.Result != im.RequestAgreed && answer.Result != im.RequestRefused {
		return im.ErrArgs.With("HandleResult unknown")
	}
	if err := tooLong(answer.Message); err != nil {
		return err
	}
	defer s.queue.enter(answer.GroupID)()
	var request im.GroupRequest
	joins := false
	err := s.store.Read(ctx, func(tx *store.Tx) (err error) {
		if request, _, err = tx.GroupRequest(answer.GroupID, answer.UserID); err != nil {
			return err
		}
		_, joined, err := member(tx, answer.GroupID, answer.UserID)
		joins = answer.Result == im.RequestAgreed && !joined
		return err
	})
	if err != nil {
		return err
	}
	h := handling{answer: answer}
	if joins {
		fresh := im.Member{UserID: answer.UserID, JoinSource: request.JoinSource, InviterID: request.InviterID}
		err = s.admit(ctx, answer.GroupID, []im.Member{fresh}, nil, h.settle)
		h.notice.Group.MemberCount++ // read before he came
	} else {
		err = s.store.Write(ctx, func(tx *store.Tx) error {
			a, err := s.beginOpen(ctx, tx, answer.GroupID)
			if err != nil {
				return err
			}
			return h.settle(a)
		})
	}
	if err != nil {
		return err
	}
	h.notice.ID = uuid.NewString()
	for _, id := range distinct(append(h.told, answer.UserID)) {
		h.notice.ToManager = id != answer.UserID
		s.tellUser(ctx, id, h.notice)
	}
	return nil
}

// handling is an answer on its way.
type handling struct {
	answer Answer
	notice im.GroupApplicationHandled
	told   []string // who manages the group
}

// settle marks the request as handled, in the transaction that may admit the
// user too.
func (h *handling) settle(a *act) error {
	if err := a.mayManage(); err != nil {
		return err
	}
	r, found, err := a.tx.GroupRequest(h.answer.GroupID, h.answer.UserID)
	switch {
	case err != nil:
		return err
	case !found:
		return im.ErrNotFound.With("no request of %s", h.answer.UserID)
	case r.Result != im.RequestPending:
		return im.ErrGroupRequestHandled.With("group request already processed")
	}
	r.Result, r.HandleMessage, r.HandlerID, r.HandledAt = h.answer.Result, h.answer.Message, a.operator.UserID, a.at
	h.notice = im.GroupApplicationHandled{GroupAct: im.GroupAct{Group: a.group, Operator: a.operator, At: a.at}, Request: r}
	if h.notice.User, _, err = a.tx.User(r.UserID); err != nil {
		return err
	}
	if h.told, err = managers(a.tx, h.answer.GroupID); err != nil {
		return err
	}
	return a.tx.PutGroupRequest(r)
}
