package user_test

import (
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
	"github.com/parley-im/parley/internal/user"
)

// outbox counts who is told of a friend's new profile.
type outbox struct {
	mu   sync.Mutex
	told map[string]int
}

func (*outbox) RenderNotice(n im.Notice) (im.ContentType, []byte) {
	if _, ok := n.(im.FriendProfileChanged); ok {
		return 1209, nil
	}
	return 1303, nil
}

func (o *outbox) Deliver(m *im.Message, _ []string, _ string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if m.ContentType == 1209 {
		o.told[m.RecvID]++
	}
}

// popular is a store in which u is in the friend lists of many, who are not in
// his.
func popular(t *testing.T, s *store.Store, count int) (friends []string) {
	t.Helper()
	if err := s.Write(t.Context(), func(tx *store.Tx) error {
		if err := tx.InsertUser(im.User{UserID: "u", Nickname: "old"}); err != nil {
			return err
		}
		friends = nil
		for i := range count {
			id := fmt.Sprintf("f%04d", i)
			friends = append(friends, id)
			if err := tx.InsertFriends(id, []string{"u"}, im.FriendImported, "", 1); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return friends
}

// changed returns how often lists count more than the friendship itself.
func changed(t *testing.T, s *store.Store, friends []string) (versions map[string]uint64) {
	t.Helper()
	versions = map[string]uint64{}
	if err := s.Read(t.Context(), func(tx *store.Tx) error {
		for _, id := range friends {
			v, err := tx.Version(im.VersionFriends, id)
			if err != nil {
				return err
			}
			_, updated, err := tx.FriendChanges(id, v.Version-1, 10)
			if err != nil {
				return err
			}
			if v.Version > 1 && (len(updated) != 1 || updated[0].User.UserID != "u") {
				t.Errorf("%s: version %d changed %v", id, v.Version, updated)
			}
			versions[id] = v.Version - 1
		}
		left, err := tx.ProfileSpreads()
		if len(left) != 0 {
			t.Errorf("left over: %v", left)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return versions
}

// A crash after the profile was stored, and after some lists counted it, is made
// up for at the next start.
func TestFinishSpreads(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		s := open(store.Options{})
		friends := popular(t, s, 500)
		if err := s.Write(t.Context(), func(tx *store.Tx) error {
			if err := tx.BeginProfileSpread("u"); err != nil {
				return err
			}
			owners, done, err := tx.SpreadProfile("u", 100)
			if len(owners) != 100 || done {
				t.Errorf("first %d, done %v", len(owners), done)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		out := &outbox{told: map[string]int{}}
		users := user.New(s, message.New(s, nil, out, out, message.Options{}), im.NoHooks{}, slog.New(slog.DiscardHandler))
		for range 2 { // the second finds nothing to do
			if err := users.FinishSpreads(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for id, n := range changed(t, s, friends) {
			if n != 1 {
				t.Errorf("%s counts %d changes", id, n)
			}
		}
		if len(out.told) != 400 {
			t.Errorf("told %d, want the 400 that were left", len(out.told))
		}
	})
}

// Changes at once share their work; every list counts a change after the last.
func TestUpdateAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		s := open(store.Options{})
		friends := popular(t, s, 500)
		out := &outbox{told: map[string]int{}}
		users := user.New(s, message.New(s, nil, out, out, message.Options{}), im.NoHooks{}, slog.New(slog.DiscardHandler))
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
		versions := changed(t, s, friends)
		for _, id := range friends {
			if n := versions[id]; n < 1 || n > updates || out.told[id] != int(n) {
				t.Errorf("%s counts %d changes and was told %d times", id, n, out.told[id])
			}
		}
	})
}
