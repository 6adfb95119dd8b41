package group

import (
	"context"
	"errors"
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
	ctx = s.hooks.WithDeadline(ctx)
	if s.hooks.Wants(im.AskApply) {
		if err := s.hooks.Ask(ctx, &im.MayApply{Group: g, UserID: a.UserID, Message: a.Message, Ex: a.Ex}); err != nil {
			return err
		}
		ctx = context.WithoutCancel(ctx)
	}
	request := im.GroupRequest{GroupID: a.GroupID, UserID: a.UserID, JoinSource: a.JoinSource, Message: a.Message, Ex: a.Ex}
	if g.NeedVerification != im.VerifyNobody {
		defer s.queue.enter(a.GroupID)()
		return s.request(ctx, request)
	}
	in := joining{group: g, message: a.Message, fresh: []im.Member{{UserID: a.UserID, JoinSource: a.JoinSource, InviterID: a.UserID}}}
	if in.row, err = s.askJoin(ctx, g, in.fresh); err != nil {
		return err
	}
	in.first = func(now *act) error {
		if now.group.NeedVerification != im.VerifyNobody {
			return errAsksNow
		}
		return nil
	}
	defer s.queue.enter(a.GroupID)()
	err = s.admit(ctx, in)
	if errors.Is(err, errAsksNow) {
		return s.request(ctx, request)
	}
	return err
}

// errAsksNow says that a group began to ask about those who join while they were
// on their way.
var errAsksNow = errors.New("the group asks about new members")

// joining is users on their way into a group.
type joining struct {
	group   im.Group // as it was found
	fresh   []im.Member
	row     im.Conversation // how their rows of the chat begin
	message string          // what he wrote who asked to join
	chat    *bool           // overrides whether the chat shows it
	first   func(*act) error
	more    []message.Notification
}

// admit brings users into a group and tells everybody: a user who has himself
// for an inviter, or none, entered; others were invited. first runs before, in
// the same transaction; more is told in it, too.
func (s *Service) admit(ctx context.Context, in joining) error {
	groupID, ids, operationID := in.group.GroupID, idsOf(in.fresh), im.OperationOf(ctx)
	err := s.tell(ctx, groupID, message.Notification{
		Also: ids, Chat: in.chat,
		Change: func(tx *store.Tx) (im.Notice, error) {
			a, err := s.beginOpen(ctx, tx, groupID)
			if err != nil {
				return nil, err
			}
			if err := absent(tx, groupID, ids); err != nil {
				return nil, err
			}
			if in.first != nil {
				if err := in.first(a); err != nil {
					return nil, err
				}
			}
			if tx.Wanted(im.EventMemberJoined) {
				if err := in.record(tx, operationID); err != nil {
					return nil, err
				}
			}
			return a.admit(in.fresh)
		},
		Placed: func(tx *store.Tx, before, _ im.Seq) error {
			opened, err := s.openChats(tx, in.row, ids, before)
			if err != nil {
				return err
			}
			return recordOpened(tx, opened, in.row, operationID)
		},
	}, in.more...)
	if err != nil {
		return err
	}
	s.tellChats(ctx, groupID, ids)
	return nil
}

// record reports each of the new members.
func (in *joining) record(tx *store.Tx, operationID string) error {
	for _, m := range in.fresh {
		inviter := m.InviterID
		if inviter == "" {
			inviter = m.UserID
		}
		if err := tx.Record(im.JoinReported{
			GroupID: in.group.GroupID, UserID: m.UserID, InviterID: inviter, JoinSource: m.JoinSource, Message: in.message, OperationID: operationID,
		}); err != nil {
			return err
		}
	}
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
		m.GroupID, m.JoinedAt, m.OperatorID = a.group.GroupID, a.at, a.operator.UserID
		if m.Role == 0 {
			m.Role = im.RoleMember
		}
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
// owner and administrators if it wants to be asked. reason is for the business
// server. chat overrides whether the chat shows it.
func (s *Service) Invite(ctx context.Context, groupID string, userIDs []string, reason string, chat *bool) error {
	if err := checkIDs(userIDs); err != nil {
		return err
	}
	if err := tooLong(reason); err != nil {
		return err
	}
	if len(userIDs) == 0 {
		return im.ErrArgs.With("invitedUserIDs is empty")
	}
	var g im.Group
	ask := false
	if err := s.store.Read(ctx, func(tx *store.Tx) (err error) {
		g, ask, err = mayInvite(ctx, tx, groupID, userIDs)
		return err
	}); err != nil {
		return err
	}
	ctx = s.hooks.WithDeadline(ctx)
	if s.hooks.Wants(im.AskInvite) {
		q := im.MayInvite{GroupID: groupID, Reason: reason, UserIDs: userIDs}
		if err := s.hooks.Ask(ctx, &q); err != nil || len(q.UserIDs) == 0 {
			return err
		}
		ctx, userIDs = context.WithoutCancel(ctx), q.UserIDs
	}
	callerID := im.CallerOf(ctx).UserID
	requests := make([]im.GroupRequest, len(userIDs))
	fresh := make([]im.Member, len(userIDs))
	for i, id := range userIDs {
		requests[i] = im.GroupRequest{GroupID: groupID, UserID: id, InviterID: callerID, JoinSource: im.JoinedByInvitation}
		fresh[i] = im.Member{UserID: id, JoinSource: im.JoinedByInvitation, InviterID: callerID}
	}
	if ask {
		defer s.queue.enter(groupID)()
		return s.request(ctx, requests...)
	}
	in := joining{group: g, chat: chat, first: func(a *act) error {
		switch {
		case a.operator.Role == 0:
			return errNotInside
		case asksInviter(a.group, a.operator):
			return errAsksNow
		}
		return nil
	}}
	var err error
	if in.row, err = s.askJoin(ctx, g, fresh); err != nil {
		return err
	}
	defer s.queue.enter(groupID)()
	for in.fresh = range slices.Chunk(fresh, membersAtOnce) {
		if err := s.admit(ctx, in); errors.Is(err, errAsksNow) {
			return s.request(ctx, requests...)
		} else if err != nil {
			return err
		}
		requests = requests[len(in.fresh):]
	}
	return nil
}

var errNotInside = im.ErrNoPermission.With("op user not in group")

// asksInviter reports whether the group's managers must be asked about who is
// invited by a member.
func asksInviter(g im.Group, inviter im.Member) bool {
	return g.NeedVerification == im.VerifyEveryone && inviter.Role < im.RoleAdmin
}

// mayInvite returns the group, and whether its managers must be asked.
func mayInvite(ctx context.Context, tx *store.Tx, groupID string, userIDs []string) (g im.Group, ask bool, err error) {
	if g, err = openGroup(tx, groupID); err != nil {
		return g, false, err
	}
	me, err := operator(tx, im.CallerOf(ctx), groupID)
	if err != nil {
		return g, false, err
	}
	if me.Role == 0 {
		return g, false, errNotInside
	}
	known, err := tx.Users(userIDs)
	if err != nil {
		return g, false, err
	}
	if len(known) != len(userIDs) {
		return g, false, im.ErrNotFound.With("user not found")
	}
	return g, asksInviter(g, me), absent(tx, groupID, userIDs)
}

// noticesAtOnce bounds what one transaction tells of requests to join.
const noticesAtOnce = 200

// request stores the caller's requests to join one group, each in place of an
// earlier one, and tells who may answer them, and who asks.
func (s *Service) request(ctx context.Context, requests ...im.GroupRequest) error {
	groupID, callerID := requests[0].GroupID, im.CallerOf(ctx).UserID
	told, err := s.managers(ctx, groupID)
	if err != nil {
		return err
	}
	atOnce := max(1, min(membersAtOnce, noticesAtOnce/(len(told)+2)))
	for some := range slices.Chunk(requests, atOnce) {
		if err := s.requestSome(ctx, groupID, callerID, told, some); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) requestSome(ctx context.Context, groupID, callerID string, told []string, requests []im.GroupRequest) error {
	var g im.Group
	users := make(map[string]im.User)
	put := func(tx *store.Tx) error {
		a, err := s.beginOpen(ctx, tx, groupID)
		if err != nil {
			return err
		}
		g = a.group
		asked := []string{callerID}
		for i := range requests {
			requests[i].RequestedAt = a.at
			asked = append(asked, requests[i].UserID)
			if err := tx.PutGroupRequest(requests[i]); err != nil {
				return err
			}
		}
		known, err := tx.Users(asked)
		for _, u := range known {
			users[u.UserID] = u
		}
		return err
	}
	var notices []message.Notification
	for i, r := range requests {
		applicant, receivers := callerID, append(slices.Clone(told), callerID)
		if r.InviterID == "" {
			applicant, receivers = r.UserID, append(receivers, r.UserID)
		}
		id := uuid.NewString()
		for _, receiver := range distinct(receivers) {
			first := len(notices) == 0
			notices = append(notices, message.Notification{RecvID: receiver, Change: func(tx *store.Tx) (im.Notice, error) {
				if first {
					if err := put(tx); err != nil {
						return nil, err
					}
				}
				return im.GroupApplied{Group: g, Applicant: users[applicant], Request: requests[i], User: users[r.UserID], ID: id}, nil
			}})
		}
	}
	return s.tellUsers(ctx, notices)
}

// managers are the owner and administrators of a group, who hear of requests.
func (s *Service) managers(ctx context.Context, groupID string) (ids []string, err error) {
	err = s.store.Read(ctx, func(tx *store.Tx) error {
		list, err := tx.Managers(groupID)
		ids = idsOf(list)
		return err
	})
	return ids, err
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
	h := handling{answer: answer, id: uuid.NewString()}
	in, joins, err := s.askAnswer(ctx, answer)
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	defer s.queue.enter(answer.GroupID)()
	if joins {
		// He may have come in another way meanwhile.
		if err := s.store.Read(ctx, func(tx *store.Tx) error {
			_, joined, err := member(tx, answer.GroupID, answer.UserID)
			joins = !joined
			return err
		}); err != nil {
			return err
		}
	}
	h.joins = joins
	told, err := s.managers(ctx, answer.GroupID)
	if err != nil {
		return err
	}
	var notices []message.Notification
	for _, id := range distinct(append(told, answer.UserID)) {
		notices = append(notices, message.Notification{RecvID: id, Change: h.noticeTo(id)})
	}
	if joins {
		in.first, in.more = h.settle, notices
		return s.admit(ctx, in)
	}
	tell := notices[0].Change
	notices[0].Change = func(tx *store.Tx) (im.Notice, error) {
		a, err := s.beginOpen(ctx, tx, answer.GroupID)
		if err != nil {
			return nil, err
		}
		if err := h.settle(a); err != nil {
			return nil, err
		}
		return tell(tx)
	}
	return s.tellUsers(ctx, notices)
}

// askAnswer reads whether an answer makes somebody a member, and asks about him
// then.
func (s *Service) askAnswer(ctx context.Context, answer Answer) (in joining, joins bool, err error) {
	if answer.Result != im.RequestAgreed {
		return in, false, nil
	}
	err = s.store.Read(ctx, func(tx *store.Tx) error {
		a, err := s.look(ctx, tx, answer.GroupID)
		if err != nil {
			return err
		}
		if err := a.mayManage(); err != nil {
			return err
		}
		r, err := pending(tx, answer)
		if err != nil {
			return err
		}
		_, joined, err := member(tx, answer.GroupID, answer.UserID)
		joins = !joined
		in = joining{group: a.group, message: r.Message, fresh: []im.Member{{UserID: r.UserID, JoinSource: r.JoinSource, InviterID: r.InviterID}}}
		return err
	})
	if err == nil && joins {
		in.row, err = s.askJoin(s.hooks.WithDeadline(ctx), in.group, in.fresh)
	}
	return in, joins, err
}

// pending returns the request that an answer is to.
func pending(tx *store.Tx, answer Answer) (im.GroupRequest, error) {
	r, found, err := tx.GroupRequest(answer.GroupID, answer.UserID)
	switch {
	case err != nil:
	case !found:
		err = im.ErrNotFound.With("no request of %s", answer.UserID)
	case r.Result != im.RequestPending:
		err = im.ErrGroupRequestHandled.With("group request already processed")
	}
	return r, err
}

// handling is an answer on its way.
type handling struct {
	answer Answer
	joins  bool
	id     string // of the notices
	notice im.GroupApplicationHandled
}

// noticeTo is the change of a notification that settle has made already.
func (h *handling) noticeTo(userID string) func(*store.Tx) (im.Notice, error) {
	return func(*store.Tx) (im.Notice, error) {
		n := h.notice
		n.ID, n.ToManager = h.id, userID != h.answer.UserID
		return n, nil
	}
}

// settle marks the request as handled, in the transaction that may admit the
// user too.
func (h *handling) settle(a *act) error {
	if err := a.mayManage(); err != nil {
		return err
	}
	r, err := pending(a.tx, h.answer)
	if err != nil {
		return err
	}
	r.Result, r.HandleMessage, r.HandlerID, r.HandledAt = h.answer.Result, h.answer.Message, a.operator.UserID, a.at
	h.notice = im.GroupApplicationHandled{GroupAct: im.GroupAct{Group: a.group, Operator: a.operator, At: a.at}, Request: r}
	if h.notice.User, _, err = a.tx.User(r.UserID); err != nil {
		return err
	}
	if h.joins {
		h.notice.Group.MemberCount++ // read before he came
	}
	return a.tx.PutGroupRequest(r)
}
