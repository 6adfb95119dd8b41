// Package group keeps groups and their members.
//
// Every change is one transaction: the members' rows, the versions of all lists
// they appear in, their rows of the group's chat, and what the chat shows of it.
// The notice of a change carries the version that this very change made, and
// describes nothing else: clients apply it without asking. A change of more than
// some hundred members is several such changes. Who may make a change is decided
// again inside the transaction.
package group

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"hash/maphash"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/store"
)

// MaxBatch is the most members or groups one call may name.
const MaxBatch = 1000

// batchElements is how many members one answer to a batch of groups holds
// before it stops; clients ask again for the rest.
const batchElements = 500

// Options configures a Service.
type Options struct {
	// HideHistory keeps what was written before from new members.
	HideHistory bool
	Hooks       im.Hooks // default: nobody is asked
	Logger      *slog.Logger
}

// Service keeps groups. It is safe for concurrent use.
type Service struct {
	store    *store.Store
	messages *message.Service
	hooks    im.Hooks
	options  Options
	log      *slog.Logger
	queue    queue
}

// New returns a service that announces changes through messages.
func New(s *store.Store, m *message.Service, o Options) *Service {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Hooks == nil {
		o.Hooks = im.NoHooks{}
	}
	out := &Service{store: s, messages: m, hooks: o.Hooks, options: o, log: o.Logger, queue: queue{seed: maphash.MakeSeed()}}
	m.Spreads().Handle(store.SpreadFounding, out.foundMore)
	m.Spreads().Handle(store.SpreadDismissal, out.dismissMore)
	return out
}

// Founding is a group to be made.
type Founding struct {
	Group im.Group // GroupID "" asks for a new one
	// WrittenOwnerID is whom the request's profile names as the owner. Only the
	// business server looks at it.
	WrittenOwnerID string

	AdminIDs  []string
	MemberIDs []string
	Chat      *bool // overrides whether the chat shows it
}

// Create makes a group with all its members.
func (s *Service) Create(ctx context.Context, f Founding) (im.Group, error) {
	if err := s.checkFounding(ctx, f); err != nil {
		return im.Group{}, err
	}
	f.Group.Status = im.GroupOK
	ctx = s.hooks.WithDeadline(ctx)
	if s.hooks.Wants(im.AskCreateGroup) {
		if err := s.askFounding(ctx, &f); err != nil {
			return im.Group{}, err
		}
		ctx = context.WithoutCancel(ctx)
	}
	g := f.Group
	members := f.members(im.CallerOf(ctx).UserID)
	g.MemberCount = uint32(len(members))
	g.CreatedAt = s.store.Now()
	chosen := g.GroupID != ""
	var err error
	for range newIDAttempts {
		if !chosen {
			g.GroupID = newGroupID()
		}
		var chat im.Conversation
		if chat, err = s.askJoin(ctx, g, members); err != nil {
			return im.Group{}, err
		}
		err = s.found(ctx, g, members, chat, f.Chat)
		if errors.Is(err, store.ErrDuplicateKey) { // by somebody at the same time
			err = im.ErrGroupExists.With("group id existed %s", g.GroupID)
		}
		if chosen || !errors.Is(err, im.ErrGroupExists) {
			break
		}
	}
	return g, err
}

// newIDAttempts is how many ids are tried for a group: they are short, and one
// in many is taken.
const newIDAttempts = 10

func (s *Service) checkFounding(ctx context.Context, f Founding) error {
	g, everyone, caller := f.Group, f.everyone(), im.CallerOf(ctx)
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

// maxNamed is how many members the notice of a new group lists. Clients fetch
// the others.
const maxNamed = membersAtOnce

func (f *Founding) everyone() []string {
	return slices.Concat([]string{f.Group.OwnerID}, f.AdminIDs, f.MemberIDs)
}

// members are the owner, then the admins, then the rest.
func (f *Founding) members(inviterID string) []im.Member {
	everyone := f.everyone()
	members := make([]im.Member, len(everyone))
	for i, userID := range everyone {
		role := im.RoleMember
		switch {
		case i == 0:
			role = im.RoleOwner
		case i <= len(f.AdminIDs):
			role = im.RoleAdmin
		}
		members[i] = im.Member{
			UserID: userID, Role: role, JoinSource: im.JoinedByInvitation, InviterID: inviterID, OperatorID: inviterID,
		}
	}
	return members
}

// found stores a group and tells its members, whose rows of the chat are like
// row.
func (s *Service) found(ctx context.Context, g im.Group, members []im.Member, row im.Conversation, chat *bool) error {
	defer s.queue.enter(g.GroupID)()
	operationID := im.OperationOf(ctx)
	for i := range members {
		members[i].GroupID, members[i].JoinedAt = g.GroupID, g.CreatedAt
	}
	first := members[:min(len(members), membersAtOnce)]
	later := members[len(first):]
	ids := idsOf(first)
	var created im.GroupCreated
	founding := message.Notification{
		Also: ids, Chat: chat,
		Change: func(tx *store.Tx) (im.Notice, error) {
			_, taken, err := tx.Group(g.GroupID)
			if err != nil {
				return nil, err
			}
			if taken {
				return nil, im.ErrGroupExists.With("group id existed %s", g.GroupID)
			}
			if created, err = insert(ctx, tx, g, first); err != nil {
				return nil, err
			}
			if tx.Wanted(im.EventGroupFounded) {
				if err := tx.Record(im.GroupFounded{Group: g, Members: members, OperationID: operationID}); err != nil {
					return nil, err
				}
			}
			return created, beginFounding(tx, founders{im.CallerOf(ctx), row, later})
		},
		Placed: func(tx *store.Tx, _, _ im.Seq) error {
			opened, err := tx.SetChats(row, ids, nil, nil)
			if err != nil {
				return err
			}
			return recordOpened(tx, opened, row, operationID)
		},
	}
	var more []message.Notification
	if g.Notification != "" {
		shown := true
		announcing := message.Notification{Also: ids, Chat: &shown, Change: func(*store.Tx) (im.Notice, error) {
			return im.GroupChanged{GroupAct: created.GroupAct, Facet: im.GroupAnnouncement}, nil
		}}
		if err := s.sign(ctx, &announcing); err != nil {
			return err
		}
		more = append(more, announcing)
	}
	if err := s.tell(ctx, g.GroupID, founding, more...); err != nil || len(later) == 0 {
		return err
	}
	if err := s.messages.Spreads().Finish(ctx, store.SpreadFounding, g.GroupID); err != nil {
		s.log.ErrorContext(ctx, "not all members are in the new group yet", "group", g.GroupID, "error", err)
	}
	return nil
}

func insert(ctx context.Context, tx *store.Tx, g im.Group, members []im.Member) (n im.GroupCreated, err error) {
	g.MemberCount = uint32(len(members))
	if err := tx.InsertGroup(g); err != nil {
		return n, err
	}
	v, err := tx.InsertMembers(g.GroupID, members)
	if err != nil {
		return n, err
	}
	op, err := operator(tx, im.CallerOf(ctx), g.GroupID)
	if err != nil {
		return n, err
	}
	named, err := tx.MemberPage(g.GroupID, 0, maxNamed)
	if err != nil {
		return n, err
	}
	return im.GroupCreated{GroupAct: im.GroupAct{Group: g, Operator: op, At: g.CreatedAt, Version: v}, Owner: named[0], Members: named}, nil
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

// Find returns a page of the groups that are not dismissed and whose name holds
// a text, the newest first, and their number.
func (s *Service) Find(ctx context.Context, namePart string, offset, limit int) (total int64, page []im.Group, err error) {
	err = s.store.Read(ctx, func(tx *store.Tx) (err error) {
		total, page, err = tx.FindGroups(namePart, offset, limit)
		return err
	})
	return total, page, err
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
