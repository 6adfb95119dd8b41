package group_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/parley-im/parley/internal/group"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/spread"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
)

// rowLimit is the most rows of one table that a transaction may write, whatever
// the size of a group.
const rowLimit = 500

// crowd is a store with many users, and groups on it. Every transaction is
// looked at.
type crowd struct {
	*listener
	t       *testing.T
	open    func() *store.Store
	store   *store.Store
	groups  *group.Service
	userIDs []string

	mu     sync.Mutex
	most   map[string]int64 // rows of a table in one transaction
	moves  atomic.Int64     // transactions that begin, move or end a spread
	onMove atomic.Pointer[func()]
}

func newCrowd(t *testing.T, open storetest.Open, size int) *crowd {
	t.Helper()
	c := &crowd{t: t, most: map[string]int64{}}
	c.open = func() *store.Store { return open(store.Options{Wrote: c.wrote}) }
	c.start()
	for i := range size {
		c.userIDs = append(c.userIDs, fmt.Sprintf("u%05d", i))
	}
	for some := range slices.Chunk(c.userIDs, rowLimit) {
		c.must(c.store.Write(t.Context(), func(tx *store.Tx) error {
			for _, id := range some {
				if err := tx.InsertUser(im.User{UserID: id, Nickname: "nick " + id}); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	return c
}

func (c *crowd) start() {
	c.store = c.open()
	c.groups, c.listener = service(c.store)
}

// restart ends the process, as far as the store can tell, and starts another,
// which carries on what was left over.
func (c *crowd) restart() {
	c.t.Helper()
	c.must(c.store.Close())
	c.start()
	c.must(c.messages.Spreads().Drain(c.t.Context()))
}

func (c *crowd) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *crowd) wrote(rows map[string]int64) {
	c.mu.Lock()
	for table, n := range rows {
		// A list of members may change some hundred lists of users of two kinds.
		c.most[table] = max(c.most[table], n)
	}
	c.mu.Unlock()
	if rows["spread"] > 0 {
		c.moves.Add(1)
		if f := c.onMove.Load(); f != nil {
			(*f)()
		}
	}
}

// settle lets spreads come to their end.
func (c *crowd) settle() {
	c.t.Helper()
	c.must(c.messages.Spreads().Drain(c.t.Context()))
}

// checkRows fails if a transaction was too large.
func (c *crowd) checkRows() {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for table, n := range c.most {
		limit := int64(rowLimit)
		switch table {
		case "version_log":
			limit = 2*rowLimit + 10 // joined groups and conversations of each, and the group's own
		case "tombstone", "group_request":
			limit = 2 * rowLimit
		}
		if n > limit {
			c.t.Errorf("%d rows of %s in one transaction", n, table)
		}
	}
}

// view is what one user's lists show of a group.
type view struct {
	member, joined bool
	row            bool
	mark           int32
	bounded        bool // sees no further messages
	left           bool // his list of groups says that he left
}

// views reads what some users see.
func (c *crowd) views(userIDs []string, groupID string) map[string]view {
	c.t.Helper()
	out := make(map[string]view, len(userIDs))
	c.must(c.store.Read(c.t.Context(), func(tx *store.Tx) error {
		members, err := tx.GroupMemberIDs(groupID)
		if err != nil {
			return err
		}
		in := map[string]bool{}
		for _, id := range members {
			in[id] = true
		}
		for _, id := range userIDs {
			row, found, err := tx.Conversation(id, im.GroupConversation(groupID))
			if err != nil {
				return err
			}
			joined, err := tx.JoinedCount(id)
			if err != nil {
				return err
			}
			removed, err := tx.Removed(im.VersionJoinedGroups, id, 0, 10)
			if err != nil {
				return err
			}
			out[id] = view{in[id], joined > 0, found, row.GroupAtType, row.MaxSeq > 0, slices.Contains(removed, groupID)}
		}
		return nil
	}))
	return out
}

// everybody fails unless all of some users see the same.
func (c *crowd) everybody(what string, userIDs []string, groupID string, want view) {
	c.t.Helper()
	views, wrong := c.views(userIDs, groupID), 0
	for _, id := range userIDs {
		if got := views[id]; got != want {
			if wrong++; wrong <= 3 {
				c.t.Errorf("%s: %s sees %+v, want %+v", what, id, got, want)
			}
		}
	}
	if wrong > 3 {
		c.t.Errorf("%s: %d of %d see something else", what, wrong, len(userIDs))
	}
}

func (c *crowd) count(groupID string) (counted, rows int) {
	c.t.Helper()
	list, err := c.groups.Groups(c.t.Context(), []string{groupID})
	c.must(err)
	_, ids, err := c.groups.MemberIDs(c.t.Context(), groupID)
	c.must(err)
	return int(list[0].MemberCount), len(ids)
}

// A large group lives its life. No transaction grows with it, and everybody's
// lists are right after each change.
func TestLargeGroup(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		c := newCrowd(t, open, 3003)
		owner, founders, first, second := c.userIDs[0], c.userIDs[:1001], c.userIDs[1001:2001], c.userIDs[2001:3001]
		joiner, stranger := c.userIDs[3001], c.userIDs[3002]
		c.most = map[string]int64{}
		in := view{member: true, joined: true, row: true}

		f := founding(owner, founders[1:]...)
		f.Group.GroupID, f.Group.NeedVerification, f.Group.Notification = "g", im.VerifyNobody, "welcome"
		made, err := c.groups.Create(as(owner), f)
		c.must(err)
		if counted, rows := c.count("g"); counted != 1001 || rows != 1001 || made.MemberCount != 1001 {
			t.Errorf("made with %d members, counted %d, %d rows", made.MemberCount, counted, rows)
		}
		c.everybody("founded", founders, "g", in)
		told := map[string]int{}
		for _, n := range c.take() {
			for _, id := range n.to {
				switch n.notice.(type) {
				case im.GroupCreated, im.MembersInvited:
					told[id]++
				}
			}
		}
		if len(told) != 1001 {
			t.Errorf("the founding was told to %d", len(told))
		}

		c.must(c.groups.Invite(as(owner), "g", first, "", nil))
		c.must(c.groups.Invite(as(founders[7]), "g", second, "", nil))
		c.must(c.groups.Apply(as(joiner), group.Application{GroupID: "g", UserID: joiner, JoinSource: 3}))
		all := slices.Concat(founders, first, second, []string{joiner})
		c.everybody("invited", all, "g", in)
		if counted, rows := c.count("g"); counted != len(all) || rows != len(all) {
			t.Errorf("counted %d, %d rows, want %d", counted, rows, len(all))
		}

		send := func(from string, at ...string) {
			t.Helper()
			m := &im.Message{SendID: from, GroupID: "g", SessionType: im.GroupChat, ContentType: im.ContentText, Content: []byte("x")}
			if len(at) > 0 {
				m.ContentType, m.AtUserIDs = im.ContentAtText, at
			}
			_, err := c.messages.Send(as(from), m)
			c.must(err)
			c.settle()
		}
		send(joiner, im.AtAll, first[3], stranger)
		marked := in
		marked.mark = 2
		others := slices.DeleteFunc(slices.Clone(all), func(id string) bool { return id == joiner || id == first[3] })
		c.everybody("mentioned all", others, "g", marked)
		marked.mark = 3
		c.everybody("mentioned by name", first[3:4], "g", marked)
		c.everybody("who mentioned", []string{joiner}, "g", in)
		send(joiner, second[9])
		marked.mark = 1
		c.everybody("mentioned alone", second[9:10], "g", marked)

		c.must(c.groups.SetInfo(as(owner), "g", group.Info{Notification: new("news"), Name: new("N")}))
		c.settle()
		marked.mark = im.AtAnnouncement
		c.everybody("announced", all, "g", marked)

		// Some hundred delete the chat; a message brings it back to all of them.
		c.must(c.store.Write(t.Context(), func(tx *store.Tx) error {
			for _, id := range second[:400] {
				if _, err := tx.DeleteConversations(id, []im.ConversationID{im.GroupConversation("g")}); err != nil {
					return err
				}
			}
			return nil
		}))
		c.must(c.groups.Quit(as(second[0]), "g", second[0])) // gets a row with an end
		send(owner)
		c.everybody("back", second[1:400], "g", in)
		gone := view{row: true, bounded: true, left: true}
		c.everybody("who left meanwhile", second[:1], "g", gone)

		c.must(c.groups.Kick(as(owner), "g", first, "", nil))
		gone.mark = im.AtAnnouncement
		c.everybody("kicked", first, "g", gone)

		before, err := c.store.Roster(t.Context(), "g")
		c.must(err)
		c.take()
		c.must(c.groups.Dismiss(as(owner), "g", nil))
		if _, err := c.messages.Send(as(owner), &im.Message{SendID: owner, GroupID: "g", SessionType: im.GroupChat, ContentType: im.ContentText, Content: []byte("x")}); !errors.Is(err, im.ErrGroupDismissed) {
			t.Errorf("sent to a group that ends: %v", err)
		}
		if err := c.groups.Dismiss(as(owner), "g", nil); !errors.Is(err, im.ErrGroupDismissed) {
			t.Errorf("ended twice: %v", err)
		}
		c.settle()
		hears := map[string]bool{}
		for _, n := range c.take() {
			if _, ok := n.notice.(im.GroupEnded); ok {
				for _, id := range n.to {
					hears[id] = true
				}
			}
		}
		if !slices.Equal(slices.Sorted(maps.Keys(hears)), before.IDs()) {
			t.Errorf("%d of %d heard of the end", len(hears), before.Len())
		}
		ended := view{row: true, mark: im.AtAnnouncement, left: true}
		c.everybody("ended", founders, "g", ended)
		if counted, rows := c.count("g"); counted != 0 || rows != 0 {
			t.Errorf("at the end counted %d, %d rows", counted, rows)
		}
		c.checkRows()
	})
}

// Whatever was spread when the process ended is right after the next start, at
// every border of a chunk.
func TestSpreadsSurviveTheEnd(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		const size = 1 + 3*spread.Chunk
		c := newCrowd(t, open, size)
		owner := c.userIDs[0]
		in := view{member: true, joined: true, row: true}
		found := func(id string) {
			t.Helper()
			f := founding(owner, c.userIDs[1:600]...)
			f.Group.GroupID = id
			_, err := c.groups.Create(as(owner), f)
			c.must(err)
		}
		fail := func(kinds ...store.SpreadKind) {
			for _, kind := range kinds {
				c.messages.Spreads().Handle(kind, func(*store.Tx, store.Spread) (spread.Result, error) {
					return spread.Result{}, errors.New("the process ended")
				})
			}
		}
		fail(store.SpreadFounding)
		found("g")
		if counted, _ := c.count("g"); counted != 500 {
			t.Fatalf("%d members before the end", counted)
		}
		c.restart()
		c.everybody("founded", c.userIDs[:600], "g", in)
		c.must(c.groups.Invite(as(owner), "g", c.userIDs[600:], "", nil))

		// interrupted makes a change and ends the process after some chunks of what
		// it spreads, as often as there are chunks.
		interrupted := func(what string, change func(text string) error, kind store.SpreadKind, check func()) {
			t.Helper()
			fail(kind)
			c.must(change(what + " before the first"))
			c.restart()
			check()
			for chunks := 1; ; chunks++ {
				c.moves.Store(0)
				c.must(change(fmt.Sprint(what, " after ", chunks)))
				ctx, end := context.WithCancel(t.Context())
				stop := func() {
					if c.moves.Load() > int64(chunks) {
						end()
					}
				}
				c.onMove.Store(&stop)
				stop()
				c.must(c.messages.Spreads().Drain(ctx))
				c.onMove.Store(nil)
				end()
				left := 0
				c.must(c.store.Read(t.Context(), func(tx *store.Tx) error {
					list, err := tx.Spreads(10)
					left = len(list)
					return err
				}))
				c.restart()
				check()
				if left == 0 {
					if chunks < 2 {
						t.Errorf("%s is spread in %d chunks", what, chunks)
					}
					return
				}
			}
		}
		marked := func(want func(i int) int32) func() {
			return func() {
				t.Helper()
				views := c.views(c.userIDs, "g")
				for i, id := range c.userIDs {
					if v := views[id]; v.mark != want(i) || !v.member || !v.row {
						t.Fatalf("%s sees %+v, want mark %d", id, v, want(i))
					}
				}
				c.must(c.store.Write(t.Context(), func(tx *store.Tx) error { // as clients do who open the chat
					_, err := tx.MarkChats(im.GroupConversation("g"), c.userIDs, 0)
					return err
				}))
			}
		}
		interrupted("announcement", func(text string) error {
			return c.groups.SetInfo(as(owner), "g", group.Info{Notification: &text})
		}, store.SpreadMarks, marked(func(int) int32 { return im.AtAnnouncement }))
		interrupted("mention", func(text string) error {
			_, err := c.messages.Send(as(c.userIDs[3]), &im.Message{
				SendID: c.userIDs[3], GroupID: "g", SessionType: im.GroupChat, ContentType: im.ContentAtText, Content: []byte(text), AtUserIDs: []string{im.AtAll, c.userIDs[700]},
			})
			return err
		}, store.SpreadMarks, marked(func(i int) int32 {
			switch i {
			case 3:
				return 0
			case 700:
				return 3
			}
			return 2
		}))

		interrupted("end", func(text string) error {
			id := "end " + text
			f := founding(owner, c.userIDs[1:600]...)
			f.Group.GroupID = id
			if _, err := c.groups.Create(as(owner), f); err != nil {
				return err
			}
			if err := c.groups.Invite(as(owner), id, c.userIDs[600:], "", nil); err != nil {
				return err
			}
			c.moves.Store(0) // the founding is over
			return c.groups.Dismiss(as(owner), id, nil)
		}, store.SpreadDismissal, func() {
			for _, id := range []string{c.userIDs[1], c.userIDs[size-1]} {
				if _, joined, err := c.groups.JoinedIDs(t.Context(), id); err != nil || !slices.Equal(joined, []string{"g"}) {
					t.Fatalf("%s is in %v, %v", id, joined, err)
				}
			}
		})
	})
}
