package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

func message(from, to, clientID string) *im.Message {
	m := &im.Message{
		SendID: from, RecvID: to, ClientMsgID: clientID, ServerMsgID: im.NewMessageID(), SessionType: im.SingleChat,
		ContentType: im.ContentText, Content: []byte(`{"content":"hi"}`), SendTime: im.MillisOf(time.Now()), Status: im.StatusSent,
	}
	m.ConversationID = m.LogID()
	return m
}

func single(m *im.Message) []im.Conversation {
	return []im.Conversation{
		{OwnerID: m.SendID, ConversationID: m.ConversationID, Type: im.SingleChat, UserID: m.RecvID},
		{OwnerID: m.RecvID, ConversationID: m.ConversationID, Type: im.SingleChat, UserID: m.SendID},
	}
}

func TestAppend(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		s := open(store.Options{})
		t.Run("seqs are contiguous and callbacks run in seq order", func(t *testing.T) {
			const senders, each = 16, 25
			var mu sync.Mutex
			seen := map[im.ConversationID][]im.Seq{}
			var wg sync.WaitGroup
			for i := range senders {
				wg.Go(func() {
					for n := range each {
						m := message(fmt.Sprintf("u%d", i), fmt.Sprintf("u%d", i^1), fmt.Sprintf("c%d_%d", i, n))
						err := s.Append(t.Context(), &store.Append{Message: m, Dedup: true, Owners: single(m), Committed: func(m *im.Message) {
							mu.Lock()
							defer mu.Unlock()
							seen[m.ConversationID] = append(seen[m.ConversationID], m.Seq)
						}})
						if err != nil {
							t.Errorf("append: %v", err)
						}
					}
				})
			}
			wg.Wait()
			if len(seen) != senders/2 {
				t.Fatalf("%d conversations, want %d", len(seen), senders/2)
			}
			for c, seqs := range seen {
				for i, q := range seqs {
					if q != im.Seq(i+1) {
						t.Fatalf("%s: position %d has seq %d", c, i, q)
					}
				}
				err := s.Read(t.Context(), func(tx *store.Tx) error {
					msgs, err := tx.MessageRange(c, 1, 2*each)
					if err != nil {
						return err
					}
					if len(msgs) != 2*each {
						return fmt.Errorf("%s: %d messages stored", c, len(msgs))
					}
					reads, err := tx.ReadSeqs(msgs[len(msgs)-1].SendID, []im.ConversationID{c})
					if err != nil {
						return err
					}
					if reads[c] != msgs[len(msgs)-1].Seq {
						return fmt.Errorf("%s: last sender's read position is %d", c, reads[c])
					}
					ids, err := tx.ConversationIDs(msgs[0].SendID)
					if err != nil || len(ids) != 1 {
						return fmt.Errorf("conversation rows %v, %w", ids, err)
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
		})
		t.Run("a repeated send is found, also after a restart", func(t *testing.T) {
			m := message("dup_a", "dup_b", "same")
			if err := s.Append(t.Context(), &store.Append{Message: m, Dedup: true, Owners: single(m)}); err != nil {
				t.Fatal(err)
			}
			again := func(s *store.Store) {
				t.Helper()
				a := &store.Append{Message: message("dup_a", "dup_b", "same"), Dedup: true}
				if err := s.Append(context.Background(), a); !errors.Is(err, store.ErrDuplicateSend) {
					t.Fatalf("append again: %v", err)
				}
				if a.Duplicate.ServerMsgID != m.ServerMsgID || a.Duplicate.Seq != m.Seq {
					t.Fatalf("duplicate is %+v, want the first", a.Duplicate)
				}
			}
			again(s)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(store.Options{})
			again(s)
		})
		t.Run("a refused check leaves no trace", func(t *testing.T) {
			m := message("chk_a", "chk_b", "1")
			err := s.Append(t.Context(), &store.Append{Message: m, Owners: single(m), Check: func(*store.Tx) error { return im.ErrBlocked }})
			if !errors.Is(err, im.ErrBlocked) {
				t.Fatalf("append: %v", err)
			}
			if err := s.Read(t.Context(), func(tx *store.Tx) error {
				ids, err := tx.ConversationIDs("chk_a")
				if len(ids) != 0 {
					t.Errorf("conversation rows of a refused message: %v", ids)
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
			m = message("chk_a", "chk_b", "2")
			if err := s.Append(t.Context(), &store.Append{Message: m, Owners: single(m)}); err != nil || m.Seq != 1 {
				t.Fatalf("seq %d, %v", m.Seq, err)
			}
		})
	})
}

// What is remembered to find repeats does not grow for ever.
func TestOldSendsAreForgotten(t *testing.T) {
	open := storetest.Postgres(t)
	s := open(store.Options{})
	m := message("a", "b", "x")
	if err := s.Append(t.Context(), &store.Append{Message: m, Dedup: true}); err != nil {
		t.Fatal(err)
	}
	if left, err := s.ForgetSends(t.Context()); err != nil || left != 1 {
		t.Errorf("today %d are remembered, %v", left, err)
	}
	tomorrow := open(store.Options{Now: func() time.Time { return time.Now().Add(store.DedupWindow + time.Minute) }})
	if left, err := tomorrow.ForgetSends(t.Context()); err != nil || left != 0 {
		t.Errorf("a day later %d are remembered, %v", left, err)
	}
}
