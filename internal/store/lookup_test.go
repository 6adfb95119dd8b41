package store_test

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
)

// What an operator looks up about a conversation is what its users did.
func TestLookup(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		s := open(store.Options{})
		for _, to := range []string{"bob", "ben", "ben_2", "字"} {
			for i := range 3 {
				m := message("ann", to, fmt.Sprint(to, i))
				if err := s.Append(t.Context(), &store.Append{Message: m, Owners: single(m)}); err != nil {
					t.Fatal(err)
				}
			}
		}
		chat := im.SingleConversation("ann", "bob")
		if err := s.Write(t.Context(), func(tx *store.Tx) error {
			if _, err := tx.AdvanceReadSeq("bob", chat, 2); err != nil {
				return err
			}
			if err := tx.HideMessages("bob", chat, []im.Seq{1, 3}); err != nil {
				return err
			}
			return tx.HideMessages("ann", chat, []im.Seq{3})
		}); err != nil {
			t.Fatal(err)
		}
		if err := s.Read(t.Context(), func(tx *store.Tx) error {
			for _, c := range []struct {
				prefix, after string
				limit         int
				want          []string
			}{
				{"si_ann_b", "", 9, []string{"si_ann_ben", "si_ann_ben_2", "si_ann_bob"}},
				{"si_ann_b", "si_ann_ben", 1, []string{"si_ann_ben_2"}},
				{"si_ann_ben", "", 9, []string{"si_ann_ben", "si_ann_ben_2"}},
				{"si_ann_字", "", 9, []string{"si_ann_字"}},
				{"si_ann%", "", 9, nil},
				{"", "si_ann_bob", 9, []string{"si_ann_字"}},
			} {
				logs, err := tx.FindLogs(c.prefix, im.ConversationID(c.after), c.limit)
				if err != nil {
					return err
				}
				var got []string
				for _, l := range logs {
					if l.MaxSeq != 3 {
						t.Errorf("%s ends at %d", l.ConversationID, l.MaxSeq)
					}
					got = append(got, string(l.ConversationID))
				}
				if !reflect.DeepEqual(got, c.want) {
					t.Errorf("%+v: %q", c, got)
				}
			}
			hidden, err := tx.HiddenFrom(chat, 2, 3, 9)
			if err != nil {
				return err
			}
			if want := []store.Hidden{{Seq: 3, UserID: "ann"}, {Seq: 3, UserID: "bob"}}; !reflect.DeepEqual(hidden, want) {
				t.Errorf("hidden %+v", hidden)
			}
			if hidden, err = tx.HiddenFrom(chat, 1, 3, 1); err != nil || len(hidden) != 1 || hidden[0].Seq != 1 {
				t.Errorf("the first hidden: %+v, %v", hidden, err)
			}
			read, err := tx.ReadPositions(chat, []string{"ann", "bob", "ben"})
			if err != nil {
				return err
			}
			if read["bob"] != 2 || read["ben"] != 0 || read["ann"] != 3 {
				t.Errorf("read %v", read)
			}
			rows, err := tx.ChatsOf(chat, []string{"ann", "bob", "ben"})
			if len(rows) != 2 || rows[0].ConversationID != chat {
				t.Errorf("rows %+v", rows)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	})
}
