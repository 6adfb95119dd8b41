// Package group keeps groups and their members.
//
// Who may call is decided by the edges; the package decides what members may
// see. A group is made in one transaction with its members, the versions of
// all lists it appears in, and each member's conversation row, so that no
// member can miss it.
package group

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// MaxBatch is the most members or groups one call may name.
const MaxBatch = 1000

// batchElements is how many members one answer to a batch of groups holds
// before it stops; clients ask again for the rest.
const batchElements = 500

// joinedByInvitation is the join source of a group's first members.
const joinedByInvitation int32 = 2

// Service keeps groups. It is safe for concurrent use.
type Service struct {
	store *store.Store
}

// New returns a service on the store.
func New(s *store.Store) *Service { return &Service{store: s} }

// Founding is a group to be made.
type Founding struct {
	Group     im.Group // GroupID "" asks for a new one
	AdminIDs  []string
	MemberIDs []string
}

// Create makes a group with all its members.
func (s *Service) Create(ctx context.Context, f Founding) (im.Group, error) {
	g := f.Group
	everyone := slices.Concat([]string{g.OwnerID}, f.AdminIDs, f.MemberIDs)
	if err := s.checkFounding(ctx, g, everyone); err != nil {
		return im.Group{}, err
	}
	g.Status = im.GroupOK
	g.MemberCount = uint32(len(everyone))
	g.CreatedAt = s.store.Now()
	if g.GroupID != "" {
		err := s.found(ctx, g, everyone, len(f.AdminIDs))
		if errors.Is(err, store.ErrDuplicateKey) {
			err = im.ErrGroupExists.With("group id existed %s", g.GroupID)
		}
		return g, err
	}
	var err error
	for range newIDAttempts {
		g.GroupID = newGroupID()
		if err = s.found(ctx, g, everyone, len(f.AdminIDs)); !errors.Is(err, store.ErrDuplicateKey) {
			break
		}
	}
	return g, err
}

// newIDAttempts is how many ids are tried for a group: they are short, and one
// in many is taken.
const newIDAttempts = 10

func (s *Service) checkFounding(ctx context.Context, g im.Group, everyone []string) error {
	caller := im.CallerOf(ctx)
	switch {
	case g.Type != im.WorkingGroup:
		return im.ErrArgs.With("group type only supports %d", im.WorkingGroup)
	case len(everyone) > MaxBatch+1:
		return im.ErrArgs.With("more than %d members", MaxBatch)
	case len(g.GroupID) > im.MaxIDLength || !utf8.ValidString(g.GroupID):
		return im.ErrArgs.With("groupID is not valid")
	case slices.ContainsFunc([]string{g.Name, g.Notification, g.Introduction, g.FaceURL, g.Ex, g.CreatorID}, func(text string) bool { return len(text) > im.MaxText }):
		return im.ErrArgs.With("a text is longer than %d bytes", im.MaxText)
	case strings.ContainsRune(g.GroupID, '_') && !caller.Admin:
		// n_<group> is also the notification log of two users whose ids meet
		// at the underscore: nobody may make himself a reader of that.
		return im.ErrArgs.With("groupID may not hold an underscore")
	}
	if distinct := slices.Compact(slices.Sorted(slices.Values(everyone))); len(distinct) != len(everyone) {
		return im.ErrArgs.With("group member repeated")
	}
	asked := everyone
	if caller.UserID != "" && !slices.Contains(everyone, caller.UserID) {
		asked = append(slices.Clone(everyone), caller.UserID)
	}
	return s.store.Read(ctx, func(tx *store.Tx) error {
		known, err := tx.Users(asked)
		if err == nil && len(known) != len(asked) {
			err = im.ErrUserNotFound.With("user not found")
		}
		return err
	})
}

// found stores a group; everyone is the owner, then the admins, then the rest.
func (s *Service) found(ctx context.Context, g im.Group, everyone []string, admins int) error {
	inviter := im.CallerOf(ctx).UserID
	members := make([]im.Member, len(everyone))
	for i, userID := range everyone {
		role := im.RoleMember
		switch {
		case i == 0:
			role = im.RoleOwner
		case i <= admins:
			role = im.RoleAdmin
		}
		members[i] = im.Member{
			GroupID: g.GroupID, UserID: userID, Role: role, JoinedAt: g.CreatedAt,
			JoinSource: joinedByInvitation, InviterID: inviter, OperatorID: inviter,
		}
	}
	byID := slices.Sorted(slices.Values(everyone)) // rows are locked in user order
	err := s.store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.InsertGroup(g); err != nil {
			return err
		}
		if _, err := tx.InsertMembers(g.GroupID, members); err != nil {
			return err
		}
		for _, userID := range byID {
			if _, err := tx.InsertConversation(im.Conversation{
				OwnerID: userID, ConversationID: im.GroupConversation(g.GroupID), Type: im.GroupChat, GroupID: g.GroupID,
			}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("create group: %w", err)
	}
	return nil
}

// newGroupID is a random number of up to ten digits, the form OpenIM gives.
func newGroupID() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand aborts the process instead
	return strconv.FormatUint(uint64(binary.BigEndian.Uint32(b[:])), 10)
}

// Groups returns those of the groups that exist.
func (s *Service) Groups(ctx context.Context, groupIDs []string) (groups []im.Group, err error) {
	if len(groupIDs) > MaxBatch {
		return nil, im.ErrArgs.With("more than %d groups", MaxBatch)
	}
	err = s.store.Read(ctx, func(tx *store.Tx) (err error) {
		groups, err = tx.Groups(groupIDs)
		return err
	})
	return groups, err
}

// Joined returns a page of a user's groups, by name, and their number.
func (s *Service) Joined(ctx context.Context, userID string, offset, limit int) (total int64, groups []im.Group, err error) {
	err = s.store.Read(ctx, func(tx *store.Tx) (err error) {
		if total, err = tx.JoinedCount(userID); err != nil {
			return err
		}
		groups, err = tx.JoinedPage(userID, offset, limit)
		return err
	})
	return total, groups, err
}

// JoinedIDs returns the ids of a user's groups with the version of the list.
func (s *Service) JoinedIDs(ctx context.Context, userID string) (im.Version, []string, error) {
	return store.Listed(ctx, s.store, im.VersionJoinedGroups, userID, func(tx *store.Tx) ([]string, error) {
		groups, err := tx.JoinedGroups(userID)
		ids := make([]string, len(groups))
		for i, g := range groups {
			ids[i] = g.GroupID
		}
		return ids, err
	})
}

// JoinedChanges returns which groups a user joined and left since a version.
// What happens inside a group is in its members' log.
func (s *Service) JoinedChanges(ctx context.Context, userID string, since im.Version) (store.Delta[im.Group], error) {
	return store.Sync(ctx, s.store, im.VersionJoinedGroups, userID, since, func(tx *store.Tx, after uint64, limit int) (inserted, _ []im.Group, err error) {
		ids, err := tx.JoinedSince(userID, after, limit)
		if err != nil {
			return nil, nil, err
		}
		inserted, err = tx.Groups(ids)
		return inserted, nil, err
	})
}
