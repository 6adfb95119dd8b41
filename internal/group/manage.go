package group

import (
	"context"
	"strings"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/store"
)

// Info is a partial update of a group's profile.
type Info = im.GroupInfo

// facets are the notices that a change of these fields is told by, in order.
func facets(i Info) []im.GroupFacet {
	var out []im.GroupFacet
	if i.Notification != nil {
		out = append(out, im.GroupAnnouncement)
	}
	if i.Name != nil {
		out = append(out, im.GroupName)
	}
	i.Name, i.Notification, i.Older = nil, nil, false
	if i != (Info{}) {
		out = append(out, im.GroupProfile)
	}
	return out
}

// SetInfo changes a group's profile. It is one change, though it may be told by
// several notices: each shows the whole group after it.
func (s *Service) SetInfo(ctx context.Context, groupID string, info Info) error {
	if err := checkInfo(info); err != nil {
		return err
	}
	if s.hooks.Wants(info.QuestionKind()) {
		if err := s.askSet(ctx, groupID, &info); err != nil {
			return err
		}
		ctx = context.WithoutCancel(ctx)
	}
	if info.Name != nil && strings.TrimSpace(*info.Name) == "" {
		info.Name = nil // a group keeps its name
	}
	if info.Notification != nil && !info.Older {
		info.Notification = new(strings.TrimSpace(*info.Notification))
	}
	defer s.queue.enter(groupID)()
	facets := facets(info)
	if len(facets) == 0 { // only whether the caller may
		return s.store.Write(ctx, func(tx *store.Tx) error {
			a, err := s.beginOpen(ctx, tx, groupID)
			if err != nil {
				return err
			}
			return a.mayManage()
		})
	}
	announced := info.Notification != nil && *info.Notification != ""
	var done im.GroupAct
	notices := make([]message.Notification, len(facets))
	for i, facet := range facets {
		n := &notices[i]
		n.Change = func(tx *store.Tx) (im.Notice, error) {
			if i > 0 {
				return im.GroupChanged{GroupAct: done, Facet: facet}, nil
			}
			var err error
			if done, err = s.setInfo(ctx, tx, groupID, info); err != nil {
				return nil, err
			}
			if announced {
				err = message.BeginMarks(tx, announcementOf(groupID), message.Marks{GroupID: groupID, Everyone: im.AtAnnouncement, At: done.At})
			}
			return im.GroupChanged{GroupAct: done, Facet: facet}, err
		}
		if facet == im.GroupAnnouncement {
			n.Chat = &announced
		}
		if facet != im.GroupName {
			if err := s.sign(ctx, n); err != nil {
				return err
			}
		}
	}
	if err := s.tell(ctx, groupID, notices[0], notices[1:]...); err != nil {
		return err
	}
	if announced {
		s.messages.SpreadMarks(ctx, announcementOf(groupID))
	}
	return nil
}

// announcementOf names the marks that an announcement leaves. A later one takes
// the place of an earlier.
func announcementOf(groupID string) string {
	return string(im.GroupConversation(groupID)) + " announcement"
}

func checkInfo(i Info) error {
	return tooLongPtr(i.Name, i.Notification, i.Introduction, i.FaceURL, i.Ex)
}

func (s *Service) setInfo(ctx context.Context, tx *store.Tx, groupID string, info Info) (done im.GroupAct, err error) {
	a, err := s.beginOpen(ctx, tx, groupID)
	if err != nil {
		return done, err
	}
	if err := a.mayManage(); err != nil {
		return done, err
	}
	c := store.GroupChange{
		Name: info.Name, Notification: info.Notification, Introduction: info.Introduction, FaceURL: info.FaceURL, Ex: info.Ex,
		NeedVerification: info.NeedVerification, LookMemberInfo: info.LookMemberInfo, ApplyMemberFriend: info.ApplyMemberFriend,
	}
	if info.Notification != nil {
		c.NotificationUpdatedAt, c.NotificationUserID = &a.at, &a.operator.UserID
	}
	v, err := tx.UpdateGroup(groupID, c)
	if err != nil {
		return done, err
	}
	if tx.Wanted(im.EventGroupSet) {
		if err := tx.Record(im.GroupInfoReported{GroupID: groupID, Info: info, OperationID: im.OperationOf(ctx)}); err != nil {
			return done, err
		}
	}
	return a.done(v, 0)
}

// sign shows the caller as the sender of a notice.
func (s *Service) sign(ctx context.Context, n *message.Notification) error {
	return s.store.Read(ctx, func(tx *store.Tx) error {
		u, _, err := tx.User(im.CallerOf(ctx).UserID)
		n.SenderNickname, n.SenderFaceURL = u.Nickname, u.FaceURL
		return err
	})
}

// change tells a group that is not dismissed of a change. more tells, in the
// same transaction, what else there is to tell of it.
func (s *Service) change(ctx context.Context, groupID string, f func(*act) (im.Notice, error), more ...func() im.Notice) error {
	also := make([]message.Notification, len(more))
	for i, notice := range more {
		also[i].Change = func(*store.Tx) (im.Notice, error) { return notice(), nil }
	}
	return s.tell(ctx, groupID, message.Notification{Change: func(tx *store.Tx) (im.Notice, error) {
		a, err := s.beginOpen(ctx, tx, groupID)
		if err != nil {
			return nil, err
		}
		return f(a)
	}}, also...)
}

// Mute lets only the owner and administrators of a group write to it, or ends
// that.
func (s *Service) Mute(ctx context.Context, groupID string, on bool) error {
	defer s.queue.enter(groupID)()
	status, facet := im.GroupOK, im.GroupMuteOff
	if on {
		status, facet = im.GroupMuted, im.GroupMuteOn
	}
	return s.change(ctx, groupID, func(a *act) (im.Notice, error) {
		if err := a.mayManage(); err != nil {
			return nil, err
		}
		v, err := a.tx.UpdateGroup(groupID, store.GroupChange{Status: &status})
		if err != nil {
			return nil, err
		}
		done, err := a.done(v, 0)
		return im.GroupChanged{GroupAct: done, Facet: facet}, err
	})
}

// MuteMember forbids a member to write for some seconds; 0 lets him again.
func (s *Service) MuteMember(ctx context.Context, groupID, userID string, seconds uint32) error {
	defer s.queue.enter(groupID)()
	return s.change(ctx, groupID, func(a *act) (im.Notice, error) {
		if err := a.mayMute(userID); err != nil {
			return nil, err
		}
		until := im.Millis(0)
		if seconds > 0 {
			until = a.at + im.Millis(seconds)*1000
		}
		done, m, err := a.setMember(store.MemberChange{UserID: userID, MuteUntil: &until})
		return im.MemberMuted{GroupAct: done, Member: m, Seconds: seconds}, err
	})
}

func (a *act) mayMute(userID string) error {
	target, found, err := member(a.tx, a.group.GroupID, userID)
	switch {
	case err != nil:
		return err
	case !a.admin && a.operator.Role == 0:
		return im.ErrNotFound.With("user %s is not in group %s", a.operator.UserID, a.group.GroupID)
	case !found:
		return im.ErrNotFound.With("user %s is not in group %s", userID, a.group.GroupID)
	case a.admin:
		return nil
	case a.operator.Role < im.RoleAdmin, target.Role >= a.operator.Role:
		return im.ErrNoPermission.With("the member's role is not below yours")
	}
	return nil
}

// setMember changes one member and returns him as he is then.
func (a *act) setMember(c store.MemberChange) (done im.GroupAct, m im.Member, err error) {
	v, sort, err := a.tx.UpdateMembers(a.group.GroupID, c)
	if err != nil {
		return done, m, err
	}
	if m, _, err = member(a.tx, a.group.GroupID, c.UserID); err != nil {
		return done, m, err
	}
	done, err = a.done(v, sort)
	return done, m, err
}

// Transfer makes another member the owner of a group. He can write again if he
// was muted; the former owner gets the role he had.
func (s *Service) Transfer(ctx context.Context, groupID, fromID, toID string) error {
	defer s.queue.enter(groupID)()
	operationID := im.OperationOf(ctx)
	var unmuted im.Notice
	return s.change(ctx, groupID, func(a *act) (im.Notice, error) {
		unmuted = nil
		from, to, err := a.mayTransfer(fromID, toID)
		if err != nil {
			return nil, err
		}
		v, sort, err := a.tx.TransferGroup(groupID, fromID, to)
		if err != nil {
			return nil, err
		}
		if a.tx.Wanted(im.EventGroupTransferred) {
			if err := a.tx.Record(im.TransferReported{GroupID: groupID, OldOwnerID: fromID, NewOwnerID: toID, OperationID: operationID}); err != nil {
				return nil, err
			}
		}
		done, err := a.done(v, sort)
		if err != nil {
			return nil, err
		}
		muted := to.MuteUntil > a.at
		if from, _, err = member(a.tx, groupID, from.UserID); err != nil {
			return nil, err
		}
		if to, _, err = member(a.tx, groupID, to.UserID); err != nil {
			return nil, err
		}
		if muted {
			unmuted = im.MemberMuted{GroupAct: done, Member: to}
		}
		return im.GroupTransferred{GroupAct: done, Old: from, New: to}, nil
	}, func() im.Notice { return unmuted })
}

func (a *act) mayTransfer(fromID, toID string) (from, to im.Member, err error) {
	if !a.admin && (a.operator.UserID != fromID || a.operator.Role != im.RoleOwner) {
		return from, to, im.ErrNoPermission.With("not group owner")
	}
	from, there, err := member(a.tx, a.group.GroupID, fromID)
	if err != nil {
		return from, to, err
	}
	to, too, err := member(a.tx, a.group.GroupID, toID)
	switch {
	case err != nil:
		return from, to, err
	case fromID == toID:
		return from, to, im.ErrArgs.With("oldOwnerUserID is newOwnerUserID")
	case !there || !too:
		return from, to, im.ErrArgs.With("oldOwnerUserID and newOwnerUserID must be members")
	case from.Role != im.RoleOwner:
		return from, to, im.ErrArgs.With("user %s is not the owner", fromID)
	}
	return from, to, nil
}

// MemberInfo is a partial update of a member.
type MemberInfo = im.MemberInfo

// SetMembers changes members' names, faces and roles, one member after the
// other: each change has a version and notices of its own.
func (s *Service) SetMembers(ctx context.Context, list []MemberInfo) error {
	if err := checkMemberInfos(list); err != nil {
		return err
	}
	caller := im.CallerOf(ctx)
	err := s.store.Read(ctx, func(tx *store.Tx) error {
		for _, info := range list {
			g, err := openGroup(tx, info.GroupID)
			if err != nil {
				return err
			}
			a := &act{tx: tx, group: g, admin: caller.Admin}
			if a.operator, err = operator(tx, caller, info.GroupID); err != nil {
				return err
			}
			if _, err := a.maySetMember(info); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if s.hooks.Wants(im.AskSetMember) {
		if list, err = s.askSetMembers(ctx, list); err != nil {
			return err
		}
		ctx = context.WithoutCancel(ctx)
	}
	for _, info := range list {
		if err := s.setMemberInfo(ctx, info); err != nil {
			return err
		}
	}
	return nil
}

func checkMemberInfos(list []MemberInfo) error {
	if len(list) == 0 || len(list) > MaxBatch {
		return im.ErrArgs.With("1 to %d members can be set", MaxBatch)
	}
	seen := make(map[[2]string]bool, len(list))
	for _, m := range list {
		key := [2]string{m.GroupID, m.UserID}
		switch {
		case m.GroupID == "" || m.UserID == "":
			return im.ErrArgs.With("groupID or userID is empty")
		case seen[key]:
			return im.ErrArgs.With("member %s repeated", m.UserID)
		case m.Role != nil && *m.Role == im.RoleOwner:
			return im.ErrNoPermission.With("an owner is not set but transferred")
		case m.Role != nil && *m.Role != im.RoleAdmin && *m.Role != im.RoleMember:
			return im.ErrArgs.With("invalid role level")
		}
		seen[key] = true
		if err := tooLongPtr(m.Nickname, m.FaceURL, m.Ex); err != nil {
			return err
		}
	}
	return nil
}

// maySetMember returns the member if the operator may change him so. Roles are
// given by the owner; an administrator may lay down his.
func (a *act) maySetMember(info MemberInfo) (im.Member, error) {
	if a.operator.Role == 0 {
		return im.Member{}, im.ErrNoPermission.With("user %s is not in group %s", a.operator.UserID, info.GroupID)
	}
	target, found, err := member(a.tx, info.GroupID, info.UserID)
	if err != nil {
		return target, err
	}
	if !found {
		return target, im.ErrArgs.With("user %s is not in group %s", info.UserID, info.GroupID)
	}
	self := target.UserID == a.operator.UserID
	newRole := info.Role != nil && *info.Role != target.Role
	switch {
	case newRole && target.Role == im.RoleOwner:
		return target, im.ErrNoPermission.With("the owner's role is transferred, not set")
	case a.admin, a.operator.Role == im.RoleOwner:
		return target, nil
	case newRole && (!self || *info.Role > target.Role):
		return target, im.ErrNoPermission.With("roles are the owner's to give")
	case !self && (a.operator.Role < im.RoleAdmin || target.Role >= a.operator.Role):
		return target, im.ErrNoPermission.With("the member's role is not below yours")
	}
	return target, nil
}

func (s *Service) setMemberInfo(ctx context.Context, info MemberInfo) error {
	defer s.queue.enter(info.GroupID)()
	operationID := im.OperationOf(ctx)
	var second im.Notice
	return s.change(ctx, info.GroupID, func(a *act) (im.Notice, error) {
		second = nil
		before, err := a.maySetMember(info)
		if err != nil {
			return nil, err
		}
		c := store.MemberChange{UserID: info.UserID, Nickname: info.Nickname, FaceURL: info.FaceURL, Ex: info.Ex}
		if info.Role != nil && *info.Role != before.Role {
			c.Role = info.Role
		}
		if c == (store.MemberChange{UserID: info.UserID}) {
			return nil, nil // as it is
		}
		done, m, err := a.setMember(c)
		if err != nil {
			return nil, err
		}
		if a.tx.Wanted(im.EventMemberSet) {
			if err := a.tx.Record(im.MemberInfoReported{Info: info, OperationID: operationID}); err != nil {
				return nil, err
			}
		}
		var notices []im.Notice
		if c.Role != nil {
			facet := im.MemberMadeOrdinary
			if *c.Role == im.RoleAdmin {
				facet = im.MemberMadeAdmin
			}
			notices = append(notices, im.MemberChanged{GroupAct: done, Member: m, Facet: facet})
		}
		if c.Nickname != nil || c.FaceURL != nil || c.Ex != nil {
			notices = append(notices, im.MemberChanged{GroupAct: done, Member: m})
		}
		if len(notices) > 1 {
			second = notices[1]
		}
		return notices[0], nil
	}, func() im.Notice { return second })
}
