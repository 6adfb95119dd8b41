package relation_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
)

// Everybody is made everybody's friend at once: each pair once, in both lists.
func TestImportAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		relations := newKit(t, open(store.Options{}), "u0", "u1", "u2")
		userIDs := []string{"alice", "bob", "carol", "u0", "u1", "u2"}
		var wg sync.WaitGroup
		for i, owner := range userIDs {
			others := slices.Delete(slices.Clone(userIDs), i, i+1)
			wg.Go(func() {
				if err := relations.Import(context.Background(), owner, others); err != nil {
					t.Errorf("import for %s: %v", owner, err)
				}
			})
		}
		wg.Wait()
		for _, owner := range userIDs {
			v, ids, err := relations.FriendIDs(t.Context(), owner)
			if err != nil || len(ids) != len(userIDs)-1 || v.Version > uint64(len(ids)) {
				t.Errorf("%s has %v at version %d, %v", owner, ids, v.Version, err)
			}
		}
	})
}

func TestImportRefused(t *testing.T) {
	relations := newKit(t, storetest.SQLite(t)(store.Options{}))
	for name, c := range map[string]struct {
		owner   string
		friends []string
		want    error
	}{
		"oneself":           {"alice", []string{"alice"}, im.ErrOwnFriend},
		"twice":             {"alice", []string{"bob", "bob"}, im.ErrArgs},
		"an unknown friend": {"alice", []string{"bob", "nobody"}, im.ErrNotFound},
		"an unknown owner":  {"nobody", []string{"bob"}, im.ErrNotFound},
	} {
		if err := relations.Import(t.Context(), c.owner, c.friends); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if v, ids, err := relations.FriendIDs(t.Context(), "alice"); err != nil || len(ids) != 0 || v.Version != 1 {
		t.Errorf("a refused import left %v at version %d, %v", ids, v.Version, err)
	}
}

// An import tells the owner of each new friend, in their chat.
func TestImportTold(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		k.must(k.Import(as(t, "admin"), "alice", []string{"bob"}))
		k.expect("an import", told("si_alice_bob im.FriendRequestAgreed to [alice bob]"), told("n_alice_bob im.FriendRequestAgreed to [alice bob]"))
		k.must(k.Import(as(t, "admin"), "alice", []string{"bob"}))
		k.expect("nothing new")
		k.must(k.Import(as(t, "admin"), "alice", []string{"bob", "carol"}))
		k.expect("one of two", told("si_alice_carol im.FriendRequestAgreed to [alice carol]"), told("n_alice_carol im.FriendRequestAgreed to [alice carol]"))
	})
}

// One's own list: nobody else is told, nothing is counted that changed
// nothing, and a client that applies the deltas has the server's list.
func TestOwnList(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		k.must(k.Import(as(t, "admin"), "alice", []string{"bob", "carol"}))
		k.told = nil
		client := &replica{}
		client.sync(k, "alice")
		ptr := func(s string) *string { return &s }
		yes, no := true, false
		for _, step := range []struct {
			name    string
			do      func() error
			told    string // "" for nothing
			order   string
			deleted string
			updated int
			sorted  bool
		}{
			{"a remark", func() error { return k.SetRemark(as(t, "alice"), "alice", "bob", "Bobby") }, "FriendRemarkSet", "bob carol", "", 1, false},
			{"a pin", func() error {
				return k.Update(as(t, "alice"), "alice", []string{"carol"}, im.FriendChange{Pinned: &yes})
			}, "FriendsUpdated", "carol bob", "", 1, true},
			{"ex and remark of both", func() error {
				return k.Update(as(t, "alice"), "alice", []string{"bob", "carol", "stranger"}, im.FriendChange{Ex: ptr("e"), Remark: ptr("")})
			}, "FriendsUpdated", "carol bob", "", 2, false},
			{"only strangers", func() error {
				return k.Update(as(t, "alice"), "alice", []string{"stranger"}, im.FriendChange{Pinned: &yes})
			}, "", "carol bob", "", 0, false},
			{"unpinned", func() error {
				return k.Update(as(t, "alice"), "alice", []string{"carol"}, im.FriendChange{Pinned: &no})
			}, "FriendsUpdated", "bob carol", "", 1, true},
			{"a friend less", func() error { return k.Delete(as(t, "alice"), "alice", "bob") }, "FriendDeleted", "carol", "bob", 0, false},
			{"the same again", func() error { return k.Delete(as(t, "alice"), "alice", "bob") }, "", "carol", "", 0, false},
		} {
			_, before := k.friends("alice")
			if err := step.do(); err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
			want, versions := []string{}, uint64(0)
			if step.told != "" {
				want, versions = []string{told("n_alice_alice im." + step.told + " to [alice]")}, 1
			}
			k.expect(step.name, want...)
			ids, v := k.friends("alice")
			if got := strings.Join(ids, " "); got != step.order || v.Version != before.Version+versions || v.ID != before.ID {
				t.Errorf("%s: %q at version %d, before %d", step.name, got, v.Version, before.Version)
			}
			d := client.sync(k, "alice")
			if d.Full || strings.Join(d.Deleted, " ") != step.deleted || len(d.Updated) != step.updated || len(d.Inserted) != 0 || d.SortVersion > 0 != step.sorted {
				t.Errorf("%s: delta %+v", step.name, d)
			}
			fresh := &replica{}
			fresh.sync(k, "alice")
			if !maps.Equal(client.friends, fresh.friends) {
				t.Errorf("%s: the client has %v, the server %v", step.name, client.friends, fresh.friends)
			}
		}
		if ids, v := k.friends("bob"); !slices.Equal(ids, []string{"alice"}) || v.Version != 1 {
			t.Errorf("bob has %v at version %d", ids, v.Version)
		}
	})
}

// A delta from any earlier version leads to the same list.
func TestChangesSince(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		yes := true
		var replicas []*replica
		for _, do := range []func() error{
			func() error { return k.Import(as(t, "admin"), "alice", []string{"bob"}) },
			func() error { return k.Import(as(t, "admin"), "alice", []string{"carol"}) },
			func() error {
				return k.Update(as(t, "alice"), "alice", []string{"carol"}, im.FriendChange{Pinned: &yes})
			},
			func() error { return k.Delete(as(t, "alice"), "alice", "bob") },
			func() error { return k.Delete(as(t, "alice"), "alice", "carol") },
			func() error { return k.Import(as(t, "admin"), "alice", []string{"bob"}) },
		} {
			k.must(do())
			r := &replica{}
			r.sync(k, "alice")
			replicas = append(replicas, r)
		}
		for i, r := range replicas {
			d := r.sync(k, "alice")
			if d.Full || len(r.friends) != 1 || r.friends["bob"].User.UserID != "bob" {
				t.Errorf("from step %d: %+v, full %v", i+1, r.friends, d.Full)
			}
			// Carol was pinned in step 3; Bob left his place in step 4 for one at the end.
			if want := i < 3; (d.SortVersion > 0) != want {
				t.Errorf("from step %d: sort version %d", i+1, d.SortVersion)
			}
		}
	})
}

func TestBlocks(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		since, err := k.BlockChanges(t.Context(), "alice", im.Version{})
		k.must(err)
		if !since.Full || since.Version.Version != 1 {
			t.Errorf("at first %+v", since)
		}
		next := func(what string, version uint64, inserted, deleted int) {
			t.Helper()
			d, err := k.BlockChanges(t.Context(), "alice", since.Version)
			k.must(err)
			if d.Full || d.Version.Version != version || len(d.Inserted) != inserted || len(d.Deleted) != deleted {
				t.Errorf("%s: %+v", what, d)
			}
			since = d
		}
		k.must(k.Block(as(t, "alice"), "alice", "bob", "why"))
		k.expect("blocked: only the one who blocks is told", told("n_alice_alice im.UserBlocked to [alice]"))
		next("blocked", 2, 1, 0)
		for name, c := range map[string]struct {
			err, want error
		}{
			"again":     {k.Block(as(t, "alice"), "alice", "bob", ""), im.ErrDuplicate},
			"oneself":   {k.Block(as(t, "alice"), "alice", "alice", ""), im.ErrNotFound},
			"nobody":    {k.Block(as(t, "alice"), "alice", "nobody", ""), im.ErrNotFound},
			"at length": {k.Block(as(t, "alice"), "alice", "carol", strings.Repeat("x", im.MaxText+1)), im.ErrArgs},
			"by nobody": {k.Block(as(t, "alice"), "nobody", "alice", ""), im.ErrNotFound},
		} {
			if !errors.Is(c.err, c.want) {
				t.Errorf("%s: %v, want %v", name, c.err, c.want)
			}
		}
		k.expect("refused")
		next("refused", 2, 0, 0)
		k.must(k.Unblock(as(t, "alice"), "alice", "carol"))
		k.expect("not blocked")
		next("not blocked", 2, 0, 0)
		k.must(k.Unblock(as(t, "alice"), "alice", "bob"))
		k.expect("unblocked", told("n_alice_alice im.UserUnblocked to [alice]"))
		next("unblocked", 3, 0, 1)
		k.must(k.Block(as(t, "alice"), "alice", "bob", ""))
		next("blocked again", 4, 1, 0)
	})
}
