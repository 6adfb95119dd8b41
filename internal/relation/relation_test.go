package relation_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/relation"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// Everybody is made everybody's friend at once: each pair once, in both lists.
func TestImportAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		s := open(store.Options{})
		var userIDs []string
		for i := range 6 {
			userIDs = append(userIDs, fmt.Sprint("u", i))
		}
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
		relations := relation.New(s)
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
	s := storetest.SQLite(t)(store.Options{})
	if err := s.Write(t.Context(), func(tx *store.Tx) error {
		return errors.Join(tx.InsertUser(im.User{UserID: "alice"}), tx.InsertUser(im.User{UserID: "bob"}))
	}); err != nil {
		t.Fatal(err)
	}
	relations := relation.New(s)
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
