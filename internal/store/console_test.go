package store_test

import (
	"testing"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
)

func TestConsoleSessions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		s := open(store.Options{})
		write := func(f func(tx *store.Tx) error) {
			t.Helper()
			if err := s.Write(t.Context(), f); err != nil {
				t.Fatal(err)
			}
		}
		known := func(hash string, now im.Millis) (found bool) {
			t.Helper()
			if err := s.Read(t.Context(), func(tx *store.Tx) (err error) {
				_, found, err = tx.ConsoleSession(hash, now)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return found
		}
		write(func(tx *store.Tx) error {
			return tx.InsertConsoleSession(store.ConsoleSession{Hash: "a", UserID: "admin", OpenedAt: 100, ExpiresAt: 200})
		})
		if !known("a", 199) || known("a", 200) || known("b", 100) {
			t.Error("a session is known from its opening to its end, and no other")
		}
		write(func(tx *store.Tx) error {
			return tx.InsertConsoleSession(store.ConsoleSession{Hash: "b", UserID: "admin", OpenedAt: 300, ExpiresAt: 400})
		})
		if known("a", 150) {
			t.Error("a session that is over was kept")
		}
		write(func(tx *store.Tx) error {
			was, err := tx.DeleteConsoleSession("b")
			if !was {
				t.Error("the session was not there")
			}
			return err
		})
		if known("b", 350) {
			t.Error("an ended session is known")
		}
	})
}

func TestConsoleAudit(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		s := open(store.Options{})
		if err := s.Write(t.Context(), func(tx *store.Tx) error {
			for _, e := range []store.ConsoleEntry{
				{At: 1, UserID: "a", Address: "::1", Action: "login"},
				{At: 2, UserID: "b", Action: "login"},
				{At: 3, UserID: "a", Action: "webhooks/pause", Detail: "endpoint=default\x00"},
			} {
				id, err := tx.InsertConsoleEntry(e)
				if err != nil {
					return err
				}
				if err := tx.SetConsoleOutcome(id, "done"); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct {
			filter store.ConsoleFilter
			want   []im.Millis
		}{
			{store.ConsoleFilter{}, []im.Millis{3, 2, 1}},
			{store.ConsoleFilter{UserID: "a"}, []im.Millis{3, 1}},
			{store.ConsoleFilter{Action: "login", Limit: 1}, []im.Millis{2}},
			{store.ConsoleFilter{Before: 2}, []im.Millis{1}},
		} {
			var got []store.ConsoleEntry
			if err := s.Read(t.Context(), func(tx *store.Tx) (err error) {
				got, err = tx.ConsoleEntries(test.filter)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			var times []im.Millis
			for _, e := range got {
				times = append(times, e.At)
				if e.Outcome != "done" {
					t.Errorf("%+v: no outcome", e)
				}
			}
			if len(times) != len(test.want) || times[0] != test.want[0] || times[len(times)-1] != test.want[len(test.want)-1] {
				t.Errorf("%+v: entries of %v, want %v", test.filter, times, test.want)
			}
		}
	})
}
