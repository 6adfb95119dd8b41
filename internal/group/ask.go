package group

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// Handlers are asked while no lock is held, the group's queue included, and
// before the transaction that decides again.

// askFounding asks about a new group, and checks what the answer made of it.
func (s *Service) askFounding(ctx context.Context, f *Founding) error {
	if err := s.free(ctx, f.Group.GroupID); err != nil {
		return err
	}
	q := im.MayCreateGroup{Group: f.Group, WrittenOwnerID: f.WrittenOwnerID, AdminIDs: f.AdminIDs, MemberIDs: f.MemberIDs}
	if err := s.hooks.Ask(ctx, &q); err != nil {
		return err
	}
	if owner := f.Group.OwnerID; q.Group.OwnerID != owner {
		// Who was to be the owner becomes an ordinary member.
		others := func(ids []string) []string {
			return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == q.Group.OwnerID })
		}
		f.AdminIDs, f.MemberIDs = others(f.AdminIDs), append(others(f.MemberIDs), owner)
	}
	f.Group = q.Group
	if q.Status != nil {
		if !slices.Contains([]int32{im.GroupOK, im.GroupBanned, im.GroupMuted}, *q.Status) {
			return im.ErrArgs.With("a group cannot begin with status %d", *q.Status)
		}
		f.Group.Status = *q.Status
	}
	return s.checkFounding(ctx, *f)
}

// free refuses the id of a group that exists.
func (s *Service) free(ctx context.Context, groupID string) error {
	if groupID == "" {
		return nil
	}
	return s.store.Read(ctx, func(tx *store.Tx) error {
		_, taken, err := tx.Group(groupID)
		if err == nil && taken {
			err = im.ErrGroupExists.With("group id existed %s", groupID)
		}
		return err
	})
}

// askJoin asks about users who are about to become members, in one question, and
// about their rows of the chat, in another. It changes the members as the answers
// say and returns what their rows are to be like.
func (s *Service) askJoin(ctx context.Context, g im.Group, fresh []im.Member) (im.Conversation, error) {
	row := im.Conversation{ConversationID: im.GroupConversation(g.GroupID), Type: im.GroupChat, GroupID: g.GroupID}
	if s.hooks.Wants(im.AskAddMembers) {
		if err := s.hooks.Ask(ctx, &im.MayAddMembers{GroupID: g.GroupID, GroupEx: g.Ex, Members: fresh}); err != nil {
			return row, err
		}
		for _, m := range fresh {
			if err := tooLong(m.Nickname, m.FaceURL, m.Ex); err != nil {
				return row, err
			}
		}
	}
	if s.hooks.Wants(im.AskOpenGroupChat) {
		q := im.MayOpenChat{Row: row}
		if err := s.hooks.Ask(ctx, &q); err != nil {
			return row, err
		}
		if err := tooLong(q.Row.AttachedInfo, q.Row.Ex); err != nil {
			return row, err
		}
		row = q.Row
	}
	return row, nil
}

// askSet asks about a change of a group's profile.
func (s *Service) askSet(ctx context.Context, groupID string, info *Info) error {
	if err := s.store.Read(ctx, func(tx *store.Tx) error {
		a, err := s.look(ctx, tx, groupID)
		if err == nil {
			err = a.mayManage()
		}
		return err
	}); err != nil {
		return err
	}
	q := im.MaySetGroup{GroupID: groupID, Info: *info}
	if err := s.hooks.Ask(s.hooks.WithDeadline(ctx), &q); err != nil {
		return err
	}
	*info = q.Info
	return checkInfo(*info)
}

// questionsAtOnce is how many questions of one call are under way together.
const questionsAtOnce = 16

// askSetMembers asks about each of the changes. One refusal refuses them all.
func (s *Service) askSetMembers(ctx context.Context, list []MemberInfo) ([]MemberInfo, error) {
	ctx = s.hooks.WithDeadline(ctx)
	questions := make([]im.MaySetMember, len(list))
	var group errgroup.Group
	group.SetLimit(questionsAtOnce)
	for i, info := range list {
		questions[i].Info = info
		group.Go(func() error { return s.hooks.Ask(ctx, &questions[i]) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	changed := make([]MemberInfo, len(list))
	for i, q := range questions {
		changed[i] = q.Info
	}
	return changed, checkMemberInfos(changed)
}
