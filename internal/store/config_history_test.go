package store_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
)

// The history is bounded, and what is in effect never leaves it.
func TestConfigHistory(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		s := open(store.Options{})
		insert := func(n int, applied bool) {
			t.Helper()
			if err := s.Write(t.Context(), func(tx *store.Tx) error {
				return tx.InsertConfigVersion(store.ConfigVersion{
					At: im.Millis(1_700_000_000_000 + n), Applied: applied, Cause: "file", Hash: fmt.Sprint(n), Body: []byte("{}"),
				})
			}); err != nil {
				t.Fatal(err)
			}
		}
		insert(0, true)
		insert(1, true)
		for n := 2; n < 300; n++ {
			insert(n, false)
		}
		if err := s.Read(context.WithoutCancel(t.Context()), func(tx *store.Tx) error {
			all, err := tx.ConfigVersions(0, 1000)
			if err != nil {
				return err
			}
			if len(all) != 201 || all[0].Hash != "299" || all[200].Hash != "1" || !all[200].Applied || all[0].Applied {
				t.Errorf("%d versions are kept, from %+v to %+v", len(all), all[0], all[len(all)-1])
			}
			until, err := tx.ConfigVersions(1_700_000_000_200, 3)
			if err != nil {
				return err
			}
			if len(until) != 3 || until[0].Hash != "200" {
				t.Errorf("until a time: %+v", until)
			}
			now, found, err := tx.ConfigInEffect(0)
			if err != nil || !found || now.Hash != "1" {
				t.Errorf("in effect: %+v %v %v", now, found, err)
			}
			_, found, err = tx.ConfigInEffect(1_700_000_000_000)
			if err != nil || found {
				t.Errorf("what applied before the history began: %v %v", found, err)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	})
}
