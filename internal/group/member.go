package group

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// MayView lets the members of a group look inside, and administrators.
func (s *Service) MayView(ctx context.Context, groupID string) error {
	caller := im.CallerOf(ctx)
	r, err := s.store.GroupRules(ctx, groupID, caller.UserID)
	switch {
	case err != nil:
		return err
	case caller.Admin && !r.Known:
		return im.ErrNotFound.With("group %s", groupID)
	case caller.Admin || r.Member:
		return nil
	default:
		return im.ErrNoPermission.With("user %s is not in group %s", caller.UserID, groupID)
	}
}

// MayManage lets the owner and administrators of a group change it, and the
// system's administrators.
func (s *Service) MayManage(ctx context.Context, groupID string) error {
	caller := im.CallerOf(ctx)
	r, err := s.store.GroupRules(ctx, groupID, caller.UserID)
	switch {
	case err != nil:
		return err
	case !r.Known:
		return im.ErrNotFound.With("group %s", groupID)
	case caller.Admin, r.Role >= im.RoleAdmin:
		return nil
	case r.Status == im.GroupDismissed:
		return im.ErrGroupDismissed.With("group %s", groupID)
	case !r.Member:
		return im.ErrNotFound.With("user %s is not in group %s", caller.UserID, groupID)
	}
	return im.ErrNoPermission.With("no group owner or admin")
}

// Members returns a page of a group's members, owner and admins first, and
// their number; only those whose name holds a text, if one is given.
func (s *Service) Members(ctx context.Context, groupID, namePart string, offset, limit int) (total int64, members []im.Member, err error) {
	err = s.store.Read(ctx, func(tx *store.Tx) (err error) {
		if namePart != "" {
			total, members, err = tx.FindMembers(groupID, namePart, offset, limit)
			return err
		}
		if total, err = tx.MemberCount(groupID); err != nil {
			return err
		}
		members, err = tx.MemberPage(groupID, offset, limit)
		return err
	})
	return total, members, err
}

// Some returns those of the users who are in the group.
func (s *Service) Some(ctx context.Context, groupID string, userIDs []string) (members []im.Member, err error) {
	if len(userIDs) > MaxBatch {
		return nil, im.ErrArgs.With("more than %d users", MaxBatch)
	}
	err = s.store.Read(ctx, func(tx *store.Tx) (err error) {
		members, err = tx.Members(groupID, userIDs)
		return err
	})
	return members, err
}

// maxAbstract is the most members of which an abstract is made.
const maxAbstract = 200_000

// All returns all members of a group, by user id.
func (s *Service) All(ctx context.Context, groupID string) (members []im.Member, err error) {
	err = s.store.Read(ctx, func(tx *store.Tx) (err error) {
		members, err = tx.MemberPage(groupID, 0, maxAbstract)
		return err
	})
	slices.SortFunc(members, func(a, b im.Member) int { return strings.Compare(a.UserID, b.UserID) })
	return members, err
}

// MemberIDs returns the ids of a group's members, owner and admins first, with
// the version of the list.
func (s *Service) MemberIDs(ctx context.Context, groupID string) (im.Version, []string, error) {
	return store.Listed(ctx, s.store, im.VersionGroupMembers, groupID, func(tx *store.Tx) ([]string, error) {
		return tx.GroupMemberIDs(groupID)
	})
}

// MemberChanges are what changed in a group since a version. Group is there
// when its profile may differ from what the client has.
type MemberChanges struct {
	store.Delta[im.Member]
	Group *im.Group
}

// MemberChanges returns what changed in a group since a version of its members.
func (s *Service) MemberChanges(ctx context.Context, groupID string, since im.Version) (c MemberChanges, err error) {
	if _, err := s.open(ctx, groupID); err != nil {
		return c, err
	}
	c.Delta, err = store.Sync(ctx, s.store, im.VersionGroupMembers, groupID, since, func(tx *store.Tx, after uint64, limit int) (_, _ []im.Member, err error) {
		return tx.MembersSince(groupID, after, limit)
	})
	if err != nil || !c.Full && !c.Changed() {
		return c, err
	}
	// Read last: a profile may be newer than the version, never older.
	g, err := s.open(ctx, groupID)
	c.Group = &g
	return c, err
}

// open returns a group that exists and is not dismissed.
func (s *Service) open(ctx context.Context, groupID string) (g im.Group, err error) {
	err = s.store.Read(ctx, func(tx *store.Tx) (err error) {
		g, err = openGroup(tx, groupID)
		return err
	})
	return g, err
}

// Since is a client's version of one group's members.
type Since struct {
	GroupID string
	Version im.Version
}

// MemberChangesBatch answers for several groups. What follows after some hundred
// changed members is left out: clients ask again for what they got no answer to,
// at once and for ever. So a group that the caller may not look into, or that is
// gone, has an answer too: nothing changed.
func (s *Service) MemberChangesBatch(ctx context.Context, asked []Since) (map[string]MemberChanges, error) {
	if len(asked) > MaxBatch {
		return nil, im.ErrArgs.With("more than %d groups", MaxBatch)
	}
	out := make(map[string]MemberChanges, len(asked))
	elements := 0
	for _, a := range asked {
		if _, done := out[a.GroupID]; done || elements >= batchElements {
			continue
		}
		err := s.MayView(ctx, a.GroupID)
		var c MemberChanges
		if err == nil {
			c, err = s.MemberChanges(ctx, a.GroupID, a.Version)
		}
		switch {
		case errors.Is(err, im.ErrNoPermission), errors.Is(err, im.ErrNotFound), errors.Is(err, im.ErrGroupDismissed):
			c = MemberChanges{}
		case err != nil:
			return nil, err
		}
		elements += len(c.Deleted) + len(c.Inserted) + len(c.Updated)
		out[a.GroupID] = c
	}
	return out, nil
}
