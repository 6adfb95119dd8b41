package group_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/parley-im/parley/internal/group"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

func withUsers(t *testing.T, open storetest.Open, userIDs ...string) *store.Store {
	t.Helper()
	s := open(store.Options{})
	if err := s.Write(t.Context(), func(tx *store.Tx) error {
		for _, id := range userIDs {
			if err := tx.InsertUser(im.User{UserID: id}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return s
}

// listener takes the place of connections and of the wire.
type listener struct {
	messages *message.Service
	mu       sync.Mutex
	told     []told
}

// told is a notice as it was brought to somebody.
type told struct {
	notice im.Notice
	chat   bool // as a stored message
	seq    im.Seq
	to     []string
}

// RenderNotice implements message.Renderer: the content tells the notice's
// place in the list of all.
func (l *listener) RenderNotice(n im.Notice) (im.ContentType, []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told = append(l.told, told{notice: n})
	return im.ContentType(1500), fmt.Append(nil, len(l.told)-1)
}

// Deliver implements message.Deliverer.
func (l *listener) Deliver(m *im.Message, recipients im.Audience, _ string) {
	if m.MsgFrom != im.FromSystem {
		return
	}
	var content struct {
		Detail int `json:"detail,string"`
	}
	if err := json.Unmarshal(m.Content, &content); err != nil {
		panic(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	t := &l.told[content.Detail]
	t.to = slices.Compact(slices.Sorted(slices.Values(append(t.to, recipients.IDs()...)))) // the chat, then the notification
	if m.Seq > 0 {
		t.chat, t.seq = true, m.Seq
	}
}

// take returns what was told since the last call and reached somebody.
func (l *listener) take() []told {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []told
	for i, t := range l.told {
		if t.to != nil {
			out = append(out, t)
			l.told[i].to = nil
		}
	}
	return out
}

// inOrder is take for what happened in groups, by version.
func (l *listener) inOrder() []told {
	var out []told
	for _, t := range l.take() {
		if actOf(t.notice).Version.Version > 0 {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b told) int {
		return cmp.Compare(actOf(a.notice).Version.Version, actOf(b.notice).Version.Version)
	})
	return out
}

// service returns groups on a store; every notice is shown in the chat.
func service(s *store.Store) (*group.Service, *listener) {
	return serviceWith(s, group.Options{})
}

func serviceWith(s *store.Store, o group.Options) (*group.Service, *listener) {
	l := &listener{}
	messages := message.New(s, nil, l, l, message.Options{
		IsAdmin: func(userID string) bool { return userID == "root" },
		Style:   func(im.ContentType) message.NoticeStyle { return message.NoticeStyle{Chat: true} },
	})
	l.messages = messages
	return group.New(s, messages, o), l
}

func founding(owner string, members ...string) group.Founding {
	return group.Founding{Group: im.Group{OwnerID: owner, Type: im.WorkingGroup}, MemberIDs: members}
}

// Groups with the same members in different orders are made at once: all come
// into being, and every list counts each of them once.
func TestCreateAtOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		var userIDs []string
		for i := range 12 {
			userIDs = append(userIDs, fmt.Sprintf("u%02d", i))
		}
		s := withUsers(t, open, userIDs...)
		groups, _ := service(s)
		ctx := im.WithCaller(context.Background(), im.Caller{UserID: userIDs[0]})
		const created = 8
		var wg sync.WaitGroup
		for i := range created {
			members := slices.Clone(userIDs)
			if i%2 == 1 {
				slices.Reverse(members)
			}
			wg.Go(func() {
				if _, err := groups.Create(ctx, founding(members[0], members[1:]...)); err != nil {
					t.Errorf("create: %v", err)
				}
			})
		}
		wg.Wait()
		for _, userID := range userIDs {
			v, ids, err := groups.JoinedIDs(t.Context(), userID)
			if err != nil || len(ids) != created || v.Version != created {
				t.Errorf("%s: %d groups at version %d, %v", userID, len(ids), v.Version, err)
			}
			c, conversations, err := store.Listed(t.Context(), s, im.VersionConversations, userID, func(tx *store.Tx) ([]im.ConversationID, error) {
				return tx.ConversationIDs(userID)
			})
			if err != nil || len(conversations) != created || c.Version != created {
				t.Errorf("%s: %d conversations at version %d, %v", userID, len(conversations), c.Version, err)
			}
		}
	})
}

func TestCreateRefused(t *testing.T) {
	t.Parallel()
	s := withUsers(t, storetest.SQLite(t), "alice", "bob")
	groups, _ := service(s)
	as := func(c im.Caller) context.Context { return im.WithCaller(t.Context(), c) }
	alice := as(im.Caller{UserID: "alice"})
	many := make([]string, group.MaxBatch+1)
	for i := range many {
		many[i] = fmt.Sprint("m", i)
	}
	chosen := func(id string) group.Founding {
		f := founding("alice", "bob")
		f.Group.GroupID = id
		return f
	}
	legacy := founding("alice")
	legacy.Group.Type = 1
	for name, c := range map[string]struct {
		ctx  context.Context
		f    group.Founding
		want error
	}{
		"another type":               {alice, legacy, im.ErrArgs},
		"too many":                   {alice, founding("alice", many...), im.ErrArgs},
		"twice the same":             {alice, founding("alice", "bob", "bob"), im.ErrArgs},
		"owner as member":            {alice, founding("alice", "alice"), im.ErrArgs},
		"nobody":                     {alice, founding("alice", "nobody"), im.ErrUserNotFound},
		"an unknown caller":          {as(im.Caller{UserID: "ghost"}), founding("alice"), im.ErrUserNotFound},
		"an id that meets two users": {alice, chosen("alice_bob"), im.ErrArgs},
		"an id that is not text":     {alice, chosen("\xff"), im.ErrArgs},
	} {
		if _, err := groups.Create(c.ctx, c.f); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := groups.Create(alice, chosen("g")); err != nil {
		t.Fatal(err)
	}
	if _, err := groups.Create(alice, chosen("g")); !errors.Is(err, im.ErrGroupExists) {
		t.Errorf("taken: %v", err)
	}
	admin := as(im.Caller{UserID: "alice", Admin: true})
	if g, err := groups.Create(admin, chosen("dep_1")); err != nil || g.MemberCount != 2 {
		t.Errorf("by an administrator: %+v, %v", g, err)
	}
	if _, ids, err := groups.JoinedIDs(t.Context(), "bob"); err != nil || len(ids) != 2 {
		t.Errorf("bob's groups: %v, %v", ids, err)
	}
}

func TestMayView(t *testing.T) {
	t.Parallel()
	s := withUsers(t, storetest.SQLite(t), "alice", "bob")
	groups, _ := service(s)
	f := founding("alice")
	f.Group.GroupID = "g"
	if _, err := groups.Create(im.WithCaller(t.Context(), im.Caller{UserID: "alice"}), f); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		caller im.Caller
		group  string
		want   error
	}{
		"a member":                   {im.Caller{UserID: "alice"}, "g", nil},
		"a stranger":                 {im.Caller{UserID: "bob"}, "g", im.ErrNoPermission},
		"nobody":                     {im.Caller{}, "g", im.ErrNoPermission},
		"a stranger, no group":       {im.Caller{UserID: "bob"}, "none", im.ErrNoPermission},
		"an administrator":           {im.Caller{UserID: "bob", Admin: true}, "g", nil},
		"an administrator, no group": {im.Caller{UserID: "bob", Admin: true}, "none", im.ErrNotFound},
	} {
		if err := groups.MayView(im.WithCaller(t.Context(), c.caller), c.group); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}
