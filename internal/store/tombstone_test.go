package store_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
)

// steps does all steps of a job.
func steps(t *testing.T, step func(context.Context) (bool, error)) {
	t.Helper()
	for {
		done, err := step(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if done {
			return
		}
	}
}

// What a client is told must not depend on whether old removals were forgotten.
func TestPruneTombstones(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		s := open(store.Options{})
		const total = 520
		id := func(i int) im.ConversationID { return im.ConversationID(fmt.Sprintf("si_a_%04d", i)) }
		write := func(f func(*store.Tx) error) {
			t.Helper()
			if err := s.Write(t.Context(), f); err != nil {
				t.Fatal(err)
			}
		}
		write(func(tx *store.Tx) error {
			for i := range total {
				if _, err := tx.InsertConversation(im.Conversation{OwnerID: "a", ConversationID: id(i), Type: im.SingleChat, UserID: fmt.Sprint(i)}); err != nil {
					return err
				}
			}
			return nil
		})
		for i := range total - 50 { // one version each
			write(func(tx *store.Tx) error {
				_, err := tx.DeleteConversations("a", []im.ConversationID{id(i)})
				return err
			})
		}
		write(func(tx *store.Tx) error { // some come back
			for i := range 20 {
				if _, err := tx.InsertConversation(im.Conversation{OwnerID: "a", ConversationID: id(i * 20), Type: im.SingleChat, UserID: fmt.Sprint(i * 20)}); err != nil {
					return err
				}
			}
			return nil
		})
		var now im.Version
		if err := s.Read(t.Context(), func(tx *store.Tx) (err error) {
			now, err = tx.Version(im.VersionConversations, "a")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		told := func() (out []string) {
			t.Helper()
			for v := uint64(1); v <= now.Version; v += 7 {
				d, err := store.Sync(t.Context(), s, im.VersionConversations, "a", im.Version{ID: now.ID, Version: v},
					func(tx *store.Tx, after uint64, limit int) (_, _ []im.Conversation, err error) {
						return tx.ConversationChanges("a", after, limit)
					})
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, fmt.Sprint(v, d.Full, len(d.Deleted), len(d.Inserted), len(d.Updated)))
			}
			return out
		}
		before := told()
		steps(t, s.PruneTombstones())
		for i, now := range told() {
			if now != before[i] {
				t.Errorf("told %s, and %s before", now, before[i])
			}
		}
		kept := func() int {
			t.Helper()
			var all []string
			if err := s.Read(t.Context(), func(tx *store.Tx) (err error) {
				all, err = tx.Removed(im.VersionConversations, "a", 0, total)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return len(all)
		}
		if n := kept(); n <= im.SyncLimit || n > im.SyncLimit+1 {
			t.Errorf("%d tombstones are kept", n)
		}
		steps(t, s.PruneTombstones()) // nothing to do
		if n := kept(); n <= im.SyncLimit {
			t.Errorf("%d tombstones are left", n)
		}
	})
}
