package user_test

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/spread"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
	"github.com/parley-im/parley/internal/user"
)

// outbox counts who is told of a friend's or member's new profile.
type outbox struct {
	mu   sync.Mutex
	told map[string]int
}

func (*outbox) RenderNotice(n im.Notice) (im.ContentType, []byte) {
	switch n.(type) {
	case im.FriendProfileChanged:
		return 1209, nil
	case im.MemberChanged:
		return 1516, nil
	}
	return 1303, nil
}

func (o *outbox) Deliver(m *im.Message, _ im.Audience, _ string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if m.ContentType == 1209 || m.ContentType == 1516 {
		o.told[m.RecvID]++ // of a group its id
	}
}

// popular is a user who is in the friend lists of many, who are not in his, and
// in many groups, in every third of which he has a name and a face of his own.
type popular struct {
	t       *testing.T
	store   *store.Store
	friends []string
	groups  []string
}

const friendsOf, groupsOf = 600, 120

func newPopular(t *testing.T, s *store.Store) *popular {
	t.Helper()
	p := &popular{t: t, store: s}
	p.must(s.Write(t.Context(), func(tx *store.Tx) error {
		if err := tx.InsertUser(im.User{UserID: "u", Nickname: "old"}); err != nil {
			return err
		}
		p.friends, p.groups = nil, nil
		for i := range friendsOf {
			id := fmt.Sprintf("f%04d", i)
			p.friends = append(p.friends, id)
			if err := tx.InsertFriends(id, []string{"u"}, im.FriendImported, "", 1); err != nil {
				return err
			}
		}
		for i := range groupsOf {
			id := fmt.Sprintf("g%04d", i)
			p.groups = append(p.groups, id)
			if err := tx.InsertGroup(im.Group{GroupID: id, OwnerID: "u", Type: im.WorkingGroup}); err != nil {
				return err
			}
			m := im.Member{GroupID: id, UserID: "u", Role: im.RoleOwner}
			if i%3 == 0 {
				m.Nickname, m.FaceURL = "mine", "face"
			}
			if _, err := tx.InsertMembers(id, []im.Member{m}); err != nil {
				return err
			}
		}
		return nil
	}))
	return p
}

func (p *popular) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// versions returns how often each list counts more than how it began, and fails
// if something is left to be counted.
func (p *popular) versions() map[string]uint64 {
	p.t.Helper()
	versions := map[string]uint64{}
	p.must(p.store.Read(p.t.Context(), func(tx *store.Tx) error {
		for _, id := range p.friends {
			v, err := tx.Version(im.VersionFriends, id)
			if err != nil {
				return err
			}
			_, updated, err := tx.FriendChanges(id, v.Version-1, 10)
			if err != nil {
				return err
			}
			if v.Version > 1 && (len(updated) != 1 || updated[0].User.UserID != "u") {
				p.t.Errorf("%s: version %d changed %v", id, v.Version, updated)
			}
			versions[id] = v.Version - 1
		}
		for _, id := range p.groups {
			v, err := tx.Version(im.VersionGroupMembers, id)
			if err != nil {
				return err
			}
			_, updated, err := tx.MembersSince(id, v.Version-1, 10)
			if err != nil {
				return err
			}
			if v.Version > 1 && (len(updated) != 1 || updated[0].UserID != "u") {
				p.t.Errorf("%s: version %d changed %v", id, v.Version, updated)
			}
			versions[id] = v.Version - 1
		}
		left, err := tx.Spreads(10)
		if len(left) != 0 {
			p.t.Errorf("left over: %v", left)
		}
		return err
	}))
	return versions
}

// ownName tells the groups in which a profile does not show.
func (p *popular) ownName(id string) bool {
	i := slices.Index(p.groups, id)
	return i >= 0 && i%3 == 0
}

// The end of the process after the profile was stored, and after some lists
// counted it, is made up for at the next start.
func TestSpreadIsCarriedOn(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		watch := func(rows map[string]int64) {
			for table, n := range rows {
				if n > 500 {
					t.Errorf("%d rows of %s in one transaction", n, table)
				}
			}
		}
		s := open(store.Options{})
		p := newPopular(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		p.store = open(store.Options{Wrote: watch})
		nickname := "new"
		p.must(newUsers(p.store).Update(t.Context(), "u", im.UserChange{Nickname: &nickname}))
		p.must(p.store.Close()) // with the first chunk of each kind done
		p.store = open(store.Options{Wrote: watch})
		out := &outbox{told: map[string]int{}}
		messages := message.New(p.store, nil, out, out, message.Options{})
		user.New(p.store, messages, im.NoHooks{}, slog.New(slog.DiscardHandler))
		for range 2 { // the second finds nothing to do
			p.must(messages.Spreads().Drain(t.Context()))
		}
		for id, n := range p.versions() {
			if n != 1 && !p.ownName(id) || n != 0 && p.ownName(id) {
				t.Errorf("%s counts %d changes", id, n)
			}
		}
		if want := friendsOf - spread.Chunk + 80 - 50; len(out.told) != want {
			t.Errorf("told %d, want the %d that were left", len(out.told), want)
		}
	})
}

// Changes at once share their work; every list counts a change after the last.
func TestUpdateAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		p := newPopular(t, open(store.Options{}))
		out := &outbox{told: map[string]int{}}
		messages := message.New(p.store, nil, out, out, message.Options{})
		users := user.New(p.store, messages, im.NoHooks{}, slog.New(slog.DiscardHandler))
		const updates = 4
		var wg sync.WaitGroup
		for i := range updates {
			nickname := fmt.Sprint("new ", i)
			wg.Go(func() {
				if err := users.Update(t.Context(), "u", im.UserChange{Nickname: &nickname}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		p.must(messages.Spreads().Drain(t.Context()))
		for id, n := range p.versions() {
			if p.ownName(id) {
				continue
			}
			if n < 1 || n > updates || out.told[id] != int(n) {
				t.Errorf("%s counts %d changes and was told %d times", id, n, out.told[id])
			}
		}
	})
}
