package group_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/parley-im/parley/internal/group"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
)

// as is a context of a caller; root is the system's administrator.
func as(userID string) context.Context {
	return im.WithCaller(context.Background(), im.Caller{UserID: userID, Admin: userID == "root"})
}

// house is a group with an owner, an administrator and a member.
type house struct {
	id     string
	t      *testing.T
	store  *store.Store
	groups *group.Service
	heard  *listener
}

func newHouse(t *testing.T, open storetest.Open, o group.Options, g im.Group) *house {
	t.Helper()
	s := withUsers(t, open, "root", "owner", "admin", "admin2", "member", "member2", "stranger", "guest")
	h := &house{id: "g", t: t, store: s}
	h.groups, h.heard = serviceWith(s, o)
	h.found(g)
	return h
}

// found makes the group with its first members.
func (h *house) found(g im.Group) {
	h.t.Helper()
	g.GroupID, g.OwnerID, g.Type = h.id, "owner", im.WorkingGroup
	_, err := h.groups.Create(as("owner"), group.Founding{Group: g, AdminIDs: []string{"admin", "admin2"}, MemberIDs: []string{"member", "member2"}})
	h.must(err)
	h.heard.take()
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) version() im.Version {
	h.t.Helper()
	v, _, err := h.groups.MemberIDs(h.t.Context(), h.id)
	h.must(err)
	return v
}

func (h *house) row(userID string) (row im.Conversation) {
	h.t.Helper()
	h.must(h.store.Read(h.t.Context(), func(tx *store.Tx) (err error) {
		row, _, err = tx.Conversation(userID, im.GroupConversation(h.id))
		return err
	}))
	return row
}

func (h *house) group() im.Group {
	h.t.Helper()
	list, err := h.groups.Groups(h.t.Context(), []string{h.id})
	h.must(err)
	return list[0]
}

// operations are the changes of a group with who may make them. Each starts
// from a new group.
var operations = []struct {
	name string
	do   func(h *house, ctx context.Context) error
	// want lists, for the owner, an administrator, a member, a stranger and the
	// system's administrator, how it ends.
	want [5]error
}{
	{"invite", func(h *house, ctx context.Context) error {
		return h.groups.Invite(ctx, h.id, []string{"guest"}, "", nil)
	}, [5]error{nil, nil, nil, im.ErrNoPermission, nil}},
	{"kick a member", func(h *house, ctx context.Context) error {
		return h.groups.Kick(ctx, h.id, []string{"member2"}, "", nil)
	}, [5]error{nil, nil, im.ErrNoPermission, im.ErrNoPermission, nil}},
	{"kick an administrator", func(h *house, ctx context.Context) error {
		return h.groups.Kick(ctx, h.id, []string{"admin2"}, "", nil)
	}, [5]error{nil, im.ErrNoPermission, im.ErrNoPermission, im.ErrNoPermission, nil}},
	{"kick the owner", func(h *house, ctx context.Context) error {
		return h.groups.Kick(ctx, h.id, []string{"owner"}, "", nil)
	}, [5]error{im.ErrArgs, im.ErrArgs, im.ErrNoPermission, im.ErrNoPermission, im.ErrArgs}},
	{"accept a request", func(h *house, ctx context.Context) error {
		h.must(h.groups.Apply(as("guest"), group.Application{GroupID: h.id, UserID: "guest", JoinSource: 3}))
		return h.groups.Answer(ctx, group.Answer{GroupID: h.id, UserID: "guest", Result: im.RequestAgreed})
	}, [5]error{nil, nil, im.ErrNoPermission, im.ErrNotFound, nil}},
	{"refuse a request", func(h *house, ctx context.Context) error {
		h.must(h.groups.Apply(as("guest"), group.Application{GroupID: h.id, UserID: "guest", JoinSource: 3}))
		return h.groups.Answer(ctx, group.Answer{GroupID: h.id, UserID: "guest", Result: im.RequestRefused})
	}, [5]error{nil, nil, im.ErrNoPermission, im.ErrNotFound, nil}},
	{"quit", func(h *house, ctx context.Context) error {
		return h.groups.Quit(ctx, h.id, im.CallerOf(ctx).UserID)
	}, [5]error{im.ErrNoPermission, nil, nil, im.ErrNotFound, im.ErrNotFound}},
	{"rename", func(h *house, ctx context.Context) error {
		return h.groups.SetInfo(ctx, h.id, group.Info{Name: new("N")})
	}, [5]error{nil, nil, im.ErrNoPermission, im.ErrNotFound, nil}},
	{"mute the group", func(h *house, ctx context.Context) error {
		return h.groups.Mute(ctx, h.id, true)
	}, [5]error{nil, nil, im.ErrNoPermission, im.ErrNotFound, nil}},
	{"mute a member", func(h *house, ctx context.Context) error {
		return h.groups.MuteMember(ctx, h.id, "member2", 60)
	}, [5]error{nil, nil, im.ErrNoPermission, im.ErrNotFound, nil}},
	{"mute an administrator", func(h *house, ctx context.Context) error {
		return h.groups.MuteMember(ctx, h.id, "admin2", 60)
	}, [5]error{nil, im.ErrNoPermission, im.ErrNoPermission, im.ErrNotFound, nil}},
	{"mute the owner", func(h *house, ctx context.Context) error {
		return h.groups.MuteMember(ctx, h.id, "owner", 60)
	}, [5]error{im.ErrNoPermission, im.ErrNoPermission, im.ErrNoPermission, im.ErrNotFound, nil}},
	{"transfer", func(h *house, ctx context.Context) error {
		return h.groups.Transfer(ctx, h.id, "owner", "member2")
	}, [5]error{nil, im.ErrNoPermission, im.ErrNoPermission, im.ErrNoPermission, nil}},
	{"appoint", func(h *house, ctx context.Context) error {
		return h.groups.SetMembers(ctx, []group.MemberInfo{{GroupID: h.id, UserID: "member2", Role: new(im.RoleAdmin)}})
	}, [5]error{nil, im.ErrNoPermission, im.ErrNoPermission, im.ErrNoPermission, nil}},
	{"dismiss an administrator", func(h *house, ctx context.Context) error {
		return h.groups.SetMembers(ctx, []group.MemberInfo{{GroupID: h.id, UserID: "admin2", Role: new(im.RoleMember)}})
	}, [5]error{nil, im.ErrNoPermission, im.ErrNoPermission, im.ErrNoPermission, nil}},
	{"demote the owner", func(h *house, ctx context.Context) error {
		return h.groups.SetMembers(ctx, []group.MemberInfo{{GroupID: h.id, UserID: "owner", Role: new(im.RoleMember)}})
	}, [5]error{im.ErrNoPermission, im.ErrNoPermission, im.ErrNoPermission, im.ErrNoPermission, im.ErrNoPermission}},
	{"name a member", func(h *house, ctx context.Context) error {
		return h.groups.SetMembers(ctx, []group.MemberInfo{{GroupID: h.id, UserID: "member2", Nickname: new("N")}})
	}, [5]error{nil, nil, im.ErrNoPermission, im.ErrNoPermission, nil}},
	{"name an administrator", func(h *house, ctx context.Context) error {
		return h.groups.SetMembers(ctx, []group.MemberInfo{{GroupID: h.id, UserID: "admin2", Nickname: new("N")}})
	}, [5]error{nil, im.ErrNoPermission, im.ErrNoPermission, im.ErrNoPermission, nil}},
	{"name oneself", func(h *house, ctx context.Context) error {
		return h.groups.SetMembers(ctx, []group.MemberInfo{{GroupID: h.id, UserID: im.CallerOf(ctx).UserID, Nickname: new("N")}})
	}, [5]error{nil, nil, nil, im.ErrNoPermission, im.ErrArgs}},
	{"end the group", func(h *house, ctx context.Context) error {
		return h.groups.Dismiss(ctx, h.id, nil)
	}, [5]error{nil, im.ErrNoPermission, im.ErrNoPermission, im.ErrNoPermission, nil}},
}

// Who may make which change. A refused one changes nothing, and a group that
// was dismissed takes none.
func TestRoles(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		h := newHouse(t, open, group.Options{}, im.Group{})
		for n, op := range operations {
			for i, caller := range []string{"owner", "admin", "member", "stranger", "root"} {
				h.id = fmt.Sprint("g", 5*n+i)
				h.found(im.Group{})
				before := h.group()
				err := op.do(h, as(caller))
				if want := op.want[i]; !errors.Is(err, want) {
					t.Errorf("%s by %s: %v, want %v", op.name, caller, err, want)
				}
				told := len(h.heard.take()) > 0
				if err != nil && h.group() != before {
					t.Errorf("%s by %s was refused and changed the group", op.name, caller)
				}
				if err == nil && !told {
					t.Errorf("%s by %s was told to nobody", op.name, caller)
				}
			}
			h.id = fmt.Sprint("ended", n)
			h.found(im.Group{})
			h.must(h.groups.Dismiss(as("owner"), h.id, nil))
			h.heard.take()
			if op.name == "accept a request" || op.name == "refuse a request" {
				continue // nobody can apply
			}
			for _, caller := range []string{"owner", "admin", "member", "stranger", "root"} {
				if err := op.do(h, as(caller)); err == nil {
					t.Errorf("%s by %s: a dismissed group takes it", op.name, caller)
				}
			}
			if told := h.heard.take(); len(told) > 0 {
				t.Errorf("%s in a dismissed group told %v", op.name, told)
			}
		}
	})
}

// Every change is the next version of the group's member log, and its notice
// says so. What a client that was away asks for is what the notices told.
func TestVersions(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		h := newHouse(t, open, group.Options{}, im.Group{})
		everybody := []string{"admin", "admin2", "member", "member2", "owner"}
		with := func(more ...string) []string {
			return slices.Sorted(slices.Values(append(slices.Clone(everybody), more...)))
		}
		for _, c := range []struct {
			name string
			do   func() error
			to   []string
			sort bool
			self bool
			// what an absent client is told
			inserted, updated, deleted []string
		}{
			{name: "invite", do: func() error { return h.groups.Invite(as("member"), h.id, []string{"guest"}, "", nil) }, to: with("guest"), inserted: []string{"guest"}},
			{name: "rename", do: func() error { return h.groups.SetInfo(as("owner"), h.id, group.Info{Name: new("N")}) }, to: with("guest"), self: true},
			{name: "mute", do: func() error { return h.groups.MuteMember(as("admin"), h.id, "guest", 60) }, to: with("guest"), updated: []string{"guest"}},
			{name: "appoint", do: func() error {
				return h.groups.SetMembers(as("owner"), []group.MemberInfo{{GroupID: h.id, UserID: "guest", Role: new(im.RoleAdmin)}})
			}, to: with("guest"), updated: []string{"guest"}, sort: true},
			{name: "transfer", do: func() error { return h.groups.Transfer(as("owner"), h.id, "owner", "guest") }, to: with("guest"), updated: []string{"guest", "owner"}, sort: true, self: true},
			{name: "give back", do: func() error { return h.groups.Transfer(as("guest"), h.id, "guest", "owner") }, to: with("guest"), updated: []string{"guest", "owner"}, sort: true, self: true},
			{name: "kick", do: func() error { return h.groups.Kick(as("owner"), h.id, []string{"guest", "member2"}, "", nil) }, to: with("guest"), deleted: []string{"guest", "member2"}},
			{name: "quit", do: func() error { return h.groups.Quit(as("member"), h.id, "member") }, to: []string{"admin", "admin2", "member", "owner"}, deleted: []string{"member"}},
			{name: "come back", do: func() error { return h.groups.Invite(as("owner"), h.id, []string{"member", "member2"}, "", nil) }, to: everybody, inserted: []string{"member", "member2"}},
		} {
			before := h.version()
			h.must(c.do())
			v := h.version()
			if v.ID != before.ID || v.Version != before.Version+1 {
				t.Errorf("%s: version %v after %v", c.name, v, before)
			}
			told := h.heard.take()
			a := actOf(told[0].notice)
			if a.Version != v || !slices.Equal(told[0].to, c.to) || !told[0].chat || (a.Sort > 0) != c.sort {
				t.Errorf("%s: told %+v of %+v", c.name, told[0].to, a)
			}
			if g := h.group(); a.Group != g {
				t.Errorf("%s: told of %+v, it is %+v", c.name, a.Group, g)
			}
			d, err := h.groups.MemberChanges(t.Context(), h.id, before)
			h.must(err)
			if !slices.Equal(ids(d.Inserted), c.inserted) || !slices.Equal(ids(d.Updated), c.updated) || !slices.Equal(sorted(d.Deleted), c.deleted) ||
				(d.SortVersion > 0) != c.sort || d.OwnerChanged != c.self || d.Group == nil {
				t.Errorf("%s: an absent client learns %+v", c.name, d)
			}
			_, members, err := h.groups.MemberIDs(t.Context(), h.id)
			h.must(err)
			if int(h.group().MemberCount) != len(members) {
				t.Errorf("%s: %d members are counted as %d", c.name, len(members), h.group().MemberCount)
			}
		}
	})
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

func ids(members []im.Member) []string {
	var out []string
	for _, m := range members {
		out = append(out, m.UserID)
	}
	return sorted(out)
}

// actOf is what all notices of changes in a group have.
func actOf(n im.Notice) im.GroupAct {
	switch n := n.(type) {
	case im.GroupCreated:
		return n.GroupAct
	case im.GroupChanged:
		return n.GroupAct
	case im.MemberQuit:
		return n.GroupAct
	case im.MembersKicked:
		return n.GroupAct
	case im.MembersInvited:
		return n.GroupAct
	case im.MemberEntered:
		return n.GroupAct
	case im.GroupTransferred:
		return n.GroupAct
	case im.MemberMuted:
		return n.GroupAct
	case im.MemberChanged:
		return n.GroupAct
	case im.GroupEnded:
		return n.GroupAct
	}
	return im.GroupAct{}
}

// Who leaves reads up to the notice of it; who comes back reads on, and both
// lists say so.
func TestLeaveAndReturn(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		h := newHouse(t, open, group.Options{}, im.Group{})
		joined, _, err := h.groups.JoinedIDs(t.Context(), "member")
		h.must(err)
		h.must(h.groups.Kick(as("owner"), h.id, []string{"member"}, "", nil))
		told := h.heard.take()
		if row := h.row("member"); row.MaxSeq != told[0].seq || row.MaxSeq == 0 {
			t.Errorf("reads up to %d, the notice is %d", row.MaxSeq, told[0].seq)
		}
		if n, ok := told[len(told)-1].notice.(im.ConversationsChanged); !ok || n.UserID != "member" {
			t.Errorf("told last: %+v", told[len(told)-1])
		}
		if d, err := h.groups.JoinedChanges(t.Context(), "member", joined); err != nil || !slices.Equal(d.Deleted, []string{h.id}) {
			t.Errorf("his groups: %+v, %v", d, err)
		}
		if d, err := h.groups.JoinedChanges(t.Context(), "member2", im.Version{}); err != nil || !d.Full {
			t.Errorf("another's: %+v, %v", d, err)
		}
		h.must(h.groups.Invite(as("owner"), h.id, []string{"member"}, "", nil))
		if row := h.row("member"); row.MaxSeq != 0 || row.MinSeq != 0 {
			t.Errorf("came back to %d-%d", row.MinSeq, row.MaxSeq)
		}
		if d, err := h.groups.JoinedChanges(t.Context(), "member", joined); err != nil || len(d.Deleted) != 0 || len(d.Inserted) != 1 {
			t.Errorf("his groups: %+v, %v", d, err)
		}
		// Without a line in the chat he reads up to the last one.
		last := h.heard.take()[0].seq
		h.must(h.groups.Kick(as("owner"), h.id, []string{"member"}, "", new(bool)))
		if row := h.row("member"); row.MaxSeq != last {
			t.Errorf("reads up to %d, want %d", row.MaxSeq, last)
		}
	})
}

// A group nobody wrote in shows nothing to who left it.
func TestLeaveSilence(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		s := withUsers(t, open, "owner", "member")
		groups, _ := service(s)
		f := founding("owner", "member")
		f.Group.GroupID, f.Chat = "g", new(bool)
		if _, err := groups.Create(as("owner"), f); err != nil {
			t.Fatal(err)
		}
		if err := groups.Kick(as("owner"), "g", []string{"member"}, "", new(bool)); err != nil {
			t.Fatal(err)
		}
		h := &house{id: "g", t: t, store: s}
		if row := h.row("member"); row.MaxSeq == 0 || row.MinSeq <= row.MaxSeq {
			t.Errorf("sees %d to %d", row.MinSeq, row.MaxSeq)
		}
	})
}

func TestHideHistory(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		h := newHouse(t, open, group.Options{HideHistory: true}, im.Group{NeedVerification: im.VerifyNobody})
		h.must(h.groups.Apply(as("guest"), group.Application{GroupID: h.id, UserID: "guest", JoinSource: 3}))
		first := h.heard.take()[0].seq
		if row := h.row("guest"); row.MinSeq != first || first < 2 {
			t.Errorf("sees from %d on, came with %d", row.MinSeq, first)
		}
	})
}

// An announcement marks the chat of every member.
func TestAnnouncement(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		h := newHouse(t, open, group.Options{}, im.Group{})
		before := h.version()
		h.must(h.groups.SetInfo(as("admin"), h.id, group.Info{Notification: new("read"), Name: new("N"), Ex: new("e")}))
		if v := h.version(); v.Version != before.Version+1 {
			t.Errorf("three facets made version %d of %d", v.Version, before.Version)
		}
		var facets []im.GroupFacet
		marks := 0
		for _, told := range h.heard.take() {
			switch n := told.notice.(type) {
			case im.GroupChanged:
				facets = append(facets, n.Facet)
				if n.Version != h.version() || n.Group.Name != "N" || n.Group.NotificationUserID != "admin" {
					t.Errorf("told %+v", n)
				}
			case im.ConversationsChanged:
				marks++
			}
		}
		if !slices.Equal(facets, []im.GroupFacet{im.GroupAnnouncement, im.GroupName, im.GroupProfile}) || marks != 5 {
			t.Errorf("told %v and %d marks", facets, marks)
		}
		if row := h.row("member"); row.GroupAtType != im.AtAnnouncement {
			t.Errorf("marked %d", row.GroupAtType)
		}
		h.must(h.groups.SetInfo(as("admin"), h.id, group.Info{Notification: new("")}))
		if told := h.heard.take(); len(told) != 1 || told[0].chat {
			t.Errorf("an empty announcement told %+v", told)
		}
	})
}

// Requests to join are kept, answered once, and told to who may answer.
func TestRequests(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		h := newHouse(t, open, group.Options{}, im.Group{NeedVerification: im.VerifyEveryone})
		h.must(h.groups.Invite(as("member"), h.id, []string{"guest"}, "", nil))
		var to []string
		for _, told := range h.heard.take() {
			if _, ok := told.notice.(im.GroupApplied); ok {
				to = append(to, told.to...)
			}
		}
		if got := slices.Compact(sorted(to)); !slices.Equal(got, []string{"admin", "admin2", "member", "owner"}) {
			t.Errorf("told %v", got)
		}
		pending := store.GroupRequestFilter{ManagerID: "admin", Results: []im.RequestResult{im.RequestPending}}
		total, page, err := h.groups.Requests(t.Context(), pending, 0, 10)
		if err != nil || total != 1 || page[0].InviterID != "member" || page[0].User.UserID != "guest" || page[0].Group.GroupID != h.id {
			t.Errorf("to answer: %d %+v, %v", total, page, err)
		}
		if total, _, err := h.groups.Requests(t.Context(), store.GroupRequestFilter{ManagerID: "member"}, 0, 10); err != nil || total != 0 {
			t.Errorf("a member has %d to answer, %v", total, err)
		}
		yes := group.Answer{GroupID: h.id, UserID: "guest", Result: im.RequestAgreed, Message: "welcome"}
		h.must(h.groups.Answer(as("admin"), yes))
		told := h.heard.take()
		if n, ok := told[0].notice.(im.MembersInvited); !ok || n.Inviter.UserID != "member" || n.Operator.UserID != "admin" || !slices.Contains(told[0].to, "guest") {
			t.Errorf("told %+v", told[0])
		}
		if err := h.groups.Answer(as("owner"), yes); !errors.Is(err, im.ErrGroupRequestHandled) {
			t.Errorf("answered twice: %v", err)
		}
		if total, page, err := h.groups.Requests(t.Context(), store.GroupRequestFilter{UserID: "guest"}, 0, 10); err != nil || total != 1 ||
			page[0].Result != im.RequestAgreed || page[0].HandlerID != "admin" || page[0].HandleMessage != "welcome" || page[0].HandledAt == 0 {
			t.Errorf("afterwards: %d %+v, %v", total, page, err)
		}
	})
}

// Users come and go at once. Versions have no gap and no double; who replays
// the notices in their order ends with the members there are, and every list
// agrees.
func TestComeAndGoAtOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		var userIDs []string
		for i := range 10 {
			userIDs = append(userIDs, fmt.Sprint("u", i))
		}
		s := withUsers(t, open, append(slices.Clone(userIDs), "owner")...)
		groups, heard := service(s)
		f := founding("owner")
		f.Group.GroupID, f.Group.NeedVerification = "g", im.VerifyNobody
		if _, err := groups.Create(as("owner"), f); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for worker := range 4 {
			random := rand.New(rand.NewPCG(1, uint64(worker)))
			wg.Go(func() {
				for range 40 {
					userID := userIDs[random.IntN(len(userIDs))]
					var err error
					switch random.IntN(4) {
					case 0:
						err = groups.Apply(as(userID), group.Application{GroupID: "g", UserID: userID, JoinSource: 3})
					case 1:
						err = groups.Invite(as("owner"), "g", []string{userID}, "", nil)
					case 2:
						err = groups.Kick(as("owner"), "g", []string{userID}, "", nil)
					case 3:
						err = groups.Quit(as(userID), "g", userID)
					}
					if _, refused := errors.AsType[*im.Error](err); err != nil && !refused {
						t.Errorf("%s: %v", userID, err)
					}
				}
			})
		}
		wg.Wait()
		members := map[string]bool{"owner": true}
		var next uint64 = 1
		for _, told := range heard.inOrder() {
			a := actOf(told.notice)
			if a.Version.Version != next {
				t.Fatalf("version %d after %d", a.Version.Version, next-1)
			}
			next++
			switch n := told.notice.(type) {
			case im.MemberEntered:
				members[n.Member.UserID] = true
			case im.MembersInvited:
				members[n.Members[0].UserID] = true
			case im.MembersKicked:
				delete(members, n.Members[0].UserID)
			case im.MemberQuit:
				delete(members, n.Member.UserID)
			}
			if int(a.Group.MemberCount) != len(members) {
				t.Errorf("version %d counts %d members of %d", a.Version.Version, a.Group.MemberCount, len(members))
			}
			for id := range members {
				if !slices.Contains(told.to, id) {
					t.Errorf("version %d was not told to %s", a.Version.Version, id)
				}
			}
		}
		v, left, err := groups.MemberIDs(t.Context(), "g")
		if err != nil || v.Version != next-1 || len(left) != len(members) {
			t.Errorf("%d members at version %d, want %d at %d, %v", len(left), v.Version, len(members), next-1, err)
		}
		h := &house{id: "g", t: t, store: s}
		for _, id := range userIDs {
			_, joined, err := groups.JoinedIDs(t.Context(), id)
			row := h.row(id)
			if err != nil || (len(joined) == 1) != members[id] || row.ConversationID != "" && (row.MaxSeq == 0) != members[id] {
				t.Errorf("%s: member %t, groups %v, reads to %d, %v", id, members[id], joined, row.MaxSeq, err)
			}
		}
	})
}

// A member who left and came back has another place in the order of members.
// Only to a client that knows of neither this is a change of the order.
func TestComeBack(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		h := newHouse(t, open, group.Options{}, im.Group{})
		before := h.version()
		h.must(h.groups.Kick(as("owner"), h.id, []string{"member"}, "", nil))
		between := h.version()
		h.must(h.groups.Invite(as("owner"), h.id, []string{"member"}, "", nil))
		for _, c := range []struct {
			since im.Version
			sort  bool
		}{{before, true}, {between, false}} {
			d, err := h.groups.MemberChanges(t.Context(), h.id, c.since)
			h.must(err)
			if !slices.Equal(ids(d.Inserted), []string{"member"}) || len(d.Updated)+len(d.Deleted) != 0 || (d.SortVersion > 0) != c.sort {
				t.Errorf("since version %d: %+v", c.since.Version, d)
			}
		}
	})
}
