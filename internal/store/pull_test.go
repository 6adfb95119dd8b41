package store_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
)

// pullOnce moves what waits for the endpoint into its log, as a worker does.
func pullOnce(t *testing.T, s *store.Store, endpoint string, limit int) (moved int) {
	t.Helper()
	var lanes []store.Lane
	if err := s.Write(t.Context(), func(tx *store.Tx) (err error) {
		lanes, err = tx.ClaimLanes(store.Claim{Endpoint: endpoint, To: 1 << 50, Lease: 1 << 51, Owner: nextOwner(), Limit: limit})
		return err
	}); err != nil {
		t.Error(err)
	}
	var results []store.LaneResult
	if err := s.Read(t.Context(), func(tx *store.Tx) error {
		for _, l := range lanes {
			events, err := tx.LaneEvents(l.Name, 100)
			if err != nil {
				return err
			}
			r := store.LaneResult{Lane: l, Pulled: events}
			for i := range events {
				r.Done, r.Freed = append(r.Done, events[i].ID), r.Freed+events[i].Size()
				if events[i].Missing > 0 {
					r.Passed = append(r.Passed, events[i].ID)
				}
			}
			results = append(results, r)
			moved += len(events)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if len(results) > 0 {
		if err := s.Write(t.Context(), func(tx *store.Tx) error { _, err := tx.FinishLanes(results); return err }); err != nil {
			t.Error(err)
		}
	}
	return moved
}

var owners struct {
	sync.Mutex
	last int64
}

func nextOwner() int64 {
	owners.Lock()
	defer owners.Unlock()
	owners.last++
	return owners.last
}

func pulled(t *testing.T, s *store.Store, endpoint string, after int64, limit int) ([]store.PulledEvent, store.PullRange, error) {
	t.Helper()
	var events []store.PulledEvent
	var r store.PullRange
	err := s.Read(t.Context(), func(tx *store.Tx) (err error) {
		events, r, err = tx.PullEvents(endpoint, after, limit)
		return err
	})
	return events, r, err
}

// Cursors of a log are 1, 2, 3 … without gaps whoever appends at the same time,
// and a reader that saw a cursor never finds a lower one later.
func TestPullLog(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		s := open(store.Options{Recorder: tellAll{}})
		const producers, each, movers = 4, 50, 3
		var producing, moving sync.WaitGroup
		for p := range producers {
			producing.Go(func() {
				for n := range each {
					tell(t, s, store.OutboxEvent{
						Lane: fmt.Sprint("fetch/", (p+n)%5), EventID: fmt.Sprintf("%d-%03d", p, n), OperationID: fmt.Sprint(p, "-", (p+n)%5),
						Body: fmt.Appendf(nil, "{%d}\n", n), CreatedAt: im.Millis(1000 + n),
					})
				}
			})
		}
		done := make(chan struct{})
		for range movers {
			moving.Go(func() {
				for {
					if pullOnce(t, s, "fetch", 2) > 0 {
						continue
					}
					select {
					case <-done:
						return
					default:
					}
				}
			})
		}
		var got []store.PulledEvent
		for len(got) < producers*each {
			page, _, err := pulled(t, s, "fetch", int64(len(got)), 17)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range page {
				if e.Cursor != int64(len(got)+1) {
					t.Fatalf("cursor %d follows %d", e.Cursor, len(got))
				}
				got = append(got, e)
			}
		}
		producing.Wait()
		close(done)
		moving.Wait()
		var about []store.PulledAboutEvent
		if err := s.Read(t.Context(), func(tx *store.Tx) (err error) {
			about, err = tx.PulledAbout("2-007")
			return err
		}); err != nil || len(about) != 1 || got[about[0].Cursor-1].EventID != "2-007" || about[0].Endpoint != "fetch" {
			t.Errorf("of one event is known %+v, %v", about, err)
		}
		order := map[string][]string{} // by producer and lane
		for _, e := range got {
			order[e.OperationID] = append(order[e.OperationID], e.EventID)
			if want := fmt.Sprintf("{%d}\n", e.CreatedAt-1000); string(e.Body) != want {
				t.Errorf("body %q, want %q", e.Body, want)
			}
		}
		for from, ids := range order {
			if !slices.IsSorted(ids) {
				t.Errorf("%s came as %v", from, ids)
			}
		}
		if st := outboxStats(t, s); st.Events != 0 || st.Lanes != 0 {
			t.Errorf("left in the outbox: %+v", st)
		}
		if n, _ := s.WaitingBytes("fetch"); n != 0 {
			t.Errorf("%d bytes are counted as waiting", n)
		}

		// By age, then by bytes.
		if n, err := s.PrunePull(t.Context(), "fetch", got[0].CreatedAt+1, 1<<40); err != nil || n == 0 {
			t.Errorf("pruned %d by age, %v", n, err)
		}
		_, r, err := pulled(t, s, "fetch", 0, 10)
		if !errors.Is(err, store.ErrCursorTooOld) || r.Floor == 0 || r.Last != producers*each {
			t.Errorf("from the beginning: %+v, %v", r, err)
		}
		if n, err := s.PrunePull(t.Context(), "fetch", 0, 10*got[0].Size()); err != nil || n == 0 {
			t.Errorf("pruned %d by bytes, %v", n, err)
		}
		_, r, _ = pulled(t, s, "fetch", 1<<40, 10)
		if left := r.Last - r.Floor; left < 9 || left > 10 {
			t.Errorf("%d events are left, want those that fit", left)
		}
		if page, _, err := pulled(t, s, "fetch", r.Floor, 100); err != nil || int64(len(page)) != r.Last-r.Floor || page[0].Cursor != r.Floor+1 {
			t.Errorf("the rest: %d events, %v", len(page), err)
		}
	})
}

// What does not fit is not kept: the mark of a gap takes its place in the same
// transaction, counts on, is passed in order and is fetched in order; and the
// count of bytes is right through commits, rollbacks and restarts.
func TestOutboxBound(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		event := func(lane, id string, at im.Millis) store.OutboxEvent {
			return store.OutboxEvent{Lane: lane, EventID: id, Subject: lane[6:], Body: make([]byte, 100), CreatedAt: at}
		}
		size := func() int64 { e := event("fetch/a", "", 0); return e.Size() }()
		o := store.Options{Recorder: tellAll{}, OutboxBytes: 3 * size}
		s := open(o)
		tell(t, s, event("fetch/a", "1", 1), event("fetch/b", "2", 2))
		if n, bound := s.WaitingBytes("fetch"); n != 2*size || bound != 3*size {
			t.Errorf("%d bytes of %d wait", n, bound)
		}
		failed := s.Write(t.Context(), func(tx *store.Tx) error {
			if err := tx.Record(told{event("fetch/a", "x", 3), event("fetch/a", "y", 3)}); err != nil {
				return err
			}
			return errors.New("rolled back")
		})
		if failed == nil {
			t.Fatal("not rolled back")
		}
		if n, _ := s.WaitingBytes("fetch"); n != 2*size || s.Missed() != 0 {
			t.Errorf("after a rollback %d bytes wait and %d events are missed", n, s.Missed())
		}
		tell(t, s, event("fetch/a", "3", 3), event("fetch/a", "4", 4), event("fetch/a", "5", 5))
		tell(t, s, event("fetch/a", "6", 6), event("fetch/b", "7", 7))
		if s.Missed() != 4 {
			t.Errorf("%d events missed, want 4", s.Missed())
		}
		// Another endpoint has its own bound.
		tell(t, s, event("other/a", "8", 8))
		if n, _ := s.WaitingBytes("other"); n != size {
			t.Errorf("%d bytes wait for the other endpoint", n)
		}
		gaps := func() (passed, waiting []store.Gap) {
			if err := s.Read(t.Context(), func(tx *store.Tx) (err error) {
				passed, waiting, err = tx.Gaps(10)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return passed, waiting
		}
		if passed, waiting := gaps(); len(passed) != 0 || len(waiting) != 2 || waiting[1].Events != 3 || waiting[1].FirstAt != 4 || waiting[1].LastAt != 6 {
			t.Errorf("gaps %+v and %+v", passed, waiting)
		}
		before, _ := s.WaitingBytes("fetch")
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(o)
		if n, _ := s.WaitingBytes("fetch"); n != before {
			t.Errorf("%d bytes wait after a restart, %d before", n, before)
		}
		for pullOnce(t, s, "fetch", 10) > 0 {
		}
		tell(t, s, event("fetch/a", "9", 9)) // there is room again
		for pullOnce(t, s, "fetch", 10) > 0 {
		}
		got, _, err := pulled(t, s, "fetch", 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		lanes := map[string][]string{}
		for _, e := range got {
			what := e.EventID
			if e.Missing > 0 {
				what = fmt.Sprintf("gap of %d from %d to %d", e.Missing, e.CreatedAt, e.MissingUntil)
			}
			lanes[e.Lane] = append(lanes[e.Lane], what)
		}
		if want := []string{"1", "3", "gap of 3 from 4 to 6", "9"}; !slices.Equal(lanes["fetch/a"], want) {
			t.Errorf("lane a: %v, want %v", lanes["fetch/a"], want)
		}
		if want := []string{"2", "gap of 1 from 7 to 7"}; !slices.Equal(lanes["fetch/b"], want) {
			t.Errorf("lane b: %v, want %v", lanes["fetch/b"], want)
		}
		if passed, waiting := gaps(); len(passed) != 2 || len(waiting) != 0 {
			t.Errorf("gaps %+v and %+v", passed, waiting)
		}
		if n, _ := s.WaitingBytes("fetch"); n != 0 {
			t.Errorf("%d bytes are counted as waiting", n)
		}
		if n, err := s.DropLanes(t.Context(), "other"); n != 1 || err != nil {
			t.Errorf("dropped %d, %v", n, err)
		}
	})
}

func TestPruneDead(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		s := open(store.Options{Recorder: tellAll{}})
		for i := range 30 {
			tell(t, s, store.OutboxEvent{Lane: "default/x", EventID: fmt.Sprint(i), Body: []byte{}})
		}
		lane := claim(t, s, 1)[0]
		r := store.LaneResult{Lane: lane}
		for i, id := range all(t, s, "default/x") {
			r.Done = append(r.Done, id)
			r.Dead = append(r.Dead, store.DeadEvent{OutboxEvent: store.OutboxEvent{ID: id, Lane: "default/x", Body: []byte{}}, DiedAt: im.Millis(i)})
		}
		finish(t, s, r)
		if n, err := s.PruneDead(t.Context(), 10, 1000); n != 10 || err != nil {
			t.Errorf("pruned %d by age, %v", n, err)
		}
		if n, err := s.PruneDead(t.Context(), 0, 5); n != 15 || err != nil {
			t.Errorf("pruned %d by number, %v", n, err)
		}
		if st := outboxStats(t, s); st.Dead != 5 {
			t.Errorf("%d are left", st.Dead)
		}
	})
}
