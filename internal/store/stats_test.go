package store_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
)

// What waits is known without asking the database, through deliveries, failed
// transactions and restarts.
func TestWaitingIsCounted(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		s := open(store.Options{Recorder: tellAll{}})
		event := func(lane string, at im.Millis) store.OutboxEvent {
			return store.OutboxEvent{Lane: lane, EventID: fmt.Sprint(lane, at), Body: []byte("1234"), CreatedAt: at}
		}
		check := func(when string, want ...string) {
			t.Helper()
			var got []string
			for _, w := range s.Waiting() {
				if w.Events > 0 || w.Bytes != 0 {
					got = append(got, fmt.Sprint(w.Endpoint, w.Events))
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: %v wait, want %v", when, got, want)
			}
		}
		tell(t, s, event("default/a", 100), event("default/b", 50), event("other/a", 70))
		check("three events", "default2", "other1")
		_ = s.Write(t.Context(), func(tx *store.Tx) error {
			if err := tx.Record(told{event("default/a", 200)}); err != nil {
				return err
			}
			return fmt.Errorf("no")
		})
		check("a failed transaction", "default2", "other1")
		lanes := claim(t, s, 1)
		ids := all(t, s, lanes[0].Name)
		finish(t, s, store.LaneResult{Lane: lanes[0], Done: ids, Freed: (&store.OutboxEvent{Body: []byte("1234")}).Size(), Due: 1})
		check("one delivered", "default1", "other1")
		if _, err := s.DropLanes(t.Context(), "other"); err != nil {
			t.Fatal(err)
		}
		check("one dropped", "default1")
	})
}

func TestOldestWaiting(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		s := open(store.Options{Recorder: tellAll{}})
		oldest := func() (got map[string]im.Millis) {
			t.Helper()
			if err := s.Read(t.Context(), func(tx *store.Tx) (err error) {
				got, err = tx.OldestWaiting([]string{"busy", "quiet"})
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return got
		}
		if got := oldest(); len(got) != 0 {
			t.Errorf("empty: %v", got)
		}
		var many []store.OutboxEvent
		for i := range 2500 { // more than are looked at
			many = append(many, store.OutboxEvent{Lane: "busy/a", EventID: fmt.Sprint("b", i), CreatedAt: im.Millis(1000 + i)})
		}
		many = append(many, store.OutboxEvent{Lane: "quiet/a", EventID: "q1", CreatedAt: 5000}, store.OutboxEvent{Lane: "quiet/b", EventID: "q2", CreatedAt: 4000})
		tell(t, s, many...)
		if got := oldest(); got["busy"] != 1000 || got["quiet"] != 4000 || len(got) != 2 {
			t.Errorf("got %v", got)
		}
	})
}

func TestCommitsAreTold(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		var commits, requests atomic.Int64
		s := open(store.Options{Committed: func(n int, took time.Duration) {
			if took <= 0 {
				t.Errorf("a commit took %s", took)
			}
			commits.Add(1)
			requests.Add(int64(n))
		}})
		commits.Store(0)
		requests.Store(0)
		for range 3 {
			if err := s.Write(t.Context(), func(*store.Tx) error { return nil }); err != nil {
				t.Fatal(err)
			}
		}
		if commits.Load() < 3 || requests.Load() < 3 { // the store writes by itself, too
			t.Errorf("%d commits of %d requests", commits.Load(), requests.Load())
		}
		if st := s.Stats(); st.WriteRoom == 0 || st.Readers == 0 || st.Writes != 0 {
			t.Errorf("stats %+v", st)
		}
	})
}
