package store_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
)

// told is an event whose only content is its outbox rows.
type told []store.OutboxEvent

func (told) Kind() im.EventKind { return im.EventUserOnline }

type tellAll struct{}

func (tellAll) Enabled(im.EventKind) bool             { return true }
func (tellAll) Render(e im.Event) []store.OutboxEvent { return e.(told) }

func tell(t *testing.T, s *store.Store, events ...store.OutboxEvent) {
	t.Helper()
	if err := s.Write(t.Context(), func(tx *store.Tx) error { return tx.Record(told(events)) }); err != nil {
		t.Fatal(err)
	}
}

func claim(t *testing.T, s *store.Store, limit int) (lanes []store.Lane) {
	t.Helper()
	if err := s.Write(t.Context(), func(tx *store.Tx) error {
		taken, err := tx.ClaimLanes(store.Claim{Endpoint: "default", To: 1000, Lease: 2000, Owner: 7, Limit: limit})
		lanes = taken
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return lanes
}

func finish(t *testing.T, s *store.Store, results ...store.LaneResult) (lost int) {
	t.Helper()
	if err := s.Write(t.Context(), func(tx *store.Tx) error {
		names, err := tx.FinishLanes(results)
		lost = len(names)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return lost
}

// all are the ids of a lane's events.
func all(t *testing.T, s *store.Store, lane string) (ids []int64) {
	t.Helper()
	if err := s.Read(t.Context(), func(tx *store.Tx) error {
		events, err := tx.LaneEvents(lane, 1000)
		for _, e := range events {
			ids = append(ids, e.ID)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return ids
}

func laneEvents(t *testing.T, s *store.Store, lane string) (ids []string) {
	t.Helper()
	if err := s.Read(t.Context(), func(tx *store.Tx) error {
		events, err := tx.LaneEvents(lane, 1000)
		for _, e := range events {
			ids = append(ids, e.EventID)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return ids
}

func outboxStats(t *testing.T, s *store.Store) (st store.OutboxStats) {
	t.Helper()
	if err := s.Read(t.Context(), func(tx *store.Tx) (err error) {
		st, err = tx.OutboxStats()
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return st
}

func TestOutbox(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		s := open(store.Options{Recorder: tellAll{}})

		t.Run("an event comes back as it was", func(t *testing.T) {
			e := store.OutboxEvent{
				Lane: "default/x", EventID: "e", Callback: "c", Command: "d", OperationID: "o", Subject: "x", ClientMsgID: "cm", ServerMsgID: "sm",
				Query: "key=a", Body: []byte("{\"a\":\"\\u0000\xff\"}\n"), CreatedAt: 900,
			}
			tell(t, s, e)
			lanes := claim(t, s, 10)
			if len(lanes) != 1 || lanes[0].Name != "default/x" || lanes[0].Lease != 2000 {
				t.Fatalf("lanes %+v", lanes)
			}
			var got []store.OutboxEvent
			if err := s.Read(t.Context(), func(tx *store.Tx) (err error) {
				got, err = tx.LaneEvents("default/x", 5)
				return err
			}); err != nil || len(got) != 1 {
				t.Fatal(got, err)
			}
			e.ID = got[0].ID
			if fmt.Sprintf("%+v", got[0]) != fmt.Sprintf("%+v", e) {
				t.Errorf("%+v, want %+v", got[0], e)
			}
			if lost := finish(t, s, store.LaneResult{Lane: lanes[0], Done: []int64{e.ID}}); lost != 0 {
				t.Errorf("%d lanes lost", lost)
			}
			if st := outboxStats(t, s); st != (store.OutboxStats{}) {
				t.Errorf("left behind %+v", st)
			}
		})

		t.Run("ids with bytes a database refuses", func(t *testing.T) {
			tell(t, s, store.OutboxEvent{Lane: "default/a\x00b", EventID: "nul", OperationID: "\xff\x00", Subject: "\x00", ClientMsgID: "\xc3", Body: []byte{}})
			lanes := claim(t, s, 10)
			if len(lanes) != 1 || len(laneEvents(t, s, lanes[0].Name)) != 1 {
				t.Fatalf("lanes %+v", lanes)
			}
			finish(t, s, store.LaneResult{Lane: lanes[0], Done: all(t, s, lanes[0].Name)})
		})

		t.Run("a lane that was added to stays", func(t *testing.T) {
			tell(t, s, store.OutboxEvent{Lane: "default/y", EventID: "1", Body: []byte{}})
			lanes := claim(t, s, 10)
			first := all(t, s, "default/y")
			tell(t, s, store.OutboxEvent{Lane: "default/y", EventID: "2", Body: []byte{}})
			finish(t, s, store.LaneResult{Lane: lanes[0], Done: first, Due: 500})
			if got := laneEvents(t, s, "default/y"); !slices.Equal(got, []string{"2"}) {
				t.Errorf("left in the lane: %v", got)
			}
			if again := claim(t, s, 10); len(again) != 1 {
				t.Errorf("the lane cannot be claimed again: %v", again)
			} else {
				finish(t, s, store.LaneResult{Lane: again[0], Done: all(t, s, again[0].Name)})
			}
		})

		t.Run("an event without a lane is found", func(t *testing.T) {
			tell(t, s, store.OutboxEvent{Lane: "default/z", EventID: "stranded", Body: []byte{}})
			if err := s.Write(t.Context(), func(tx *store.Tx) error {
				_, err := tx.Exec("DELETE FROM outbox_lane")
				return err
			}); err != nil {
				t.Fatal(err)
			}
			if lanes := claim(t, s, 10); len(lanes) != 0 {
				t.Fatalf("lanes %+v", lanes)
			}
			for _, want := range []int64{1, 0} {
				var n int64
				if err := s.Write(t.Context(), func(tx *store.Tx) error {
					found, err := tx.SweepOutbox(0)
					n = found
					return err
				}); err != nil || n != want {
					t.Errorf("swept %d, %v; want %d", n, err, want)
				}
			}
			lanes := claim(t, s, 10)
			if len(lanes) != 1 {
				t.Fatalf("lanes %+v", lanes)
			}
			finish(t, s, store.LaneResult{Lane: lanes[0], Done: all(t, s, lanes[0].Name)})
		})

		t.Run("many events in one transaction", func(t *testing.T) {
			var events []store.OutboxEvent
			for i := range 100 {
				events = append(events, store.OutboxEvent{Lane: fmt.Sprint("default/", i%3), EventID: fmt.Sprintf("%03d", i), Body: []byte{}})
			}
			tell(t, s, events...)
			for lane := range 3 {
				ids := laneEvents(t, s, fmt.Sprint("default/", lane))
				if len(ids) < 33 || !slices.IsSorted(ids) {
					t.Errorf("lane %d: %v", lane, ids)
				}
			}
			if n := len(claim(t, s, 2)); n != 2 {
				t.Errorf("claimed %d lanes, want 2", n)
			}
		})
	})
}

func TestDeliveries(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		s := open(store.Options{})
		var rows []store.Delivery
		for i := range 70 {
			rows = append(rows, store.Delivery{
				EventID: fmt.Sprint("e", i%7), Callback: fmt.Sprint("c", i%2), Kind: store.DeliveryAfter, OperationID: fmt.Sprint("o", i%3),
				Subject: "s", ClientMsgID: fmt.Sprint("cm", i), ServerMsgID: fmt.Sprint("sm", i), Attempt: i, StartedAt: im.Millis(i),
				Status: 200, Outcome: "delivered", Reason: "bad \x00\xff text", Answer: bytes.Repeat([]byte{0xff}, 300),
			})
		}
		rows[5].Answer = nil
		if err := s.Write(t.Context(), func(tx *store.Tx) error { return tx.InsertDeliveries(rows) }); err != nil {
			t.Fatal(err)
		}
		list := func(f store.DeliveryFilter) (attempts []int) {
			t.Helper()
			if err := s.Read(t.Context(), func(tx *store.Tx) error {
				got, err := tx.Deliveries(f)
				for _, d := range got {
					attempts = append(attempts, d.Attempt)
					if want := min(len(rows[d.Attempt].Answer), store.AnswerKept); len(d.Answer) != want {
						t.Errorf("answer of %d bytes, want %d", len(d.Answer), want)
					}
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return attempts
		}
		for _, c := range []struct {
			f    store.DeliveryFilter
			want []int
		}{
			{store.DeliveryFilter{Limit: 3}, []int{69, 68, 67}},
			{store.DeliveryFilter{EventID: "e1", Limit: 2}, []int{64, 57}},
			{store.DeliveryFilter{EventID: "e1", Callback: "c0", OperationID: "o1"}, []int{64, 22}},
			{store.DeliveryFilter{MsgID: "cm4"}, []int{4}},
			{store.DeliveryFilter{MsgID: "sm4", Subject: "s", Outcome: "delivered"}, []int{4}},
			{store.DeliveryFilter{Subject: "other"}, nil},
			{store.DeliveryFilter{Callback: "' OR 1=1 --"}, nil},
		} {
			if got := list(c.f); !slices.Equal(got, c.want) {
				t.Errorf("%+v: %v, want %v", c.f, got, c.want)
			}
		}
		// Pages.
		var pages []int
		f := store.DeliveryFilter{Limit: 30}
		for {
			var page []store.Delivery
			if err := s.Read(t.Context(), func(tx *store.Tx) (err error) {
				page, err = tx.Deliveries(f)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, d := range page {
				pages = append(pages, d.Attempt)
			}
			f.Before = page[len(page)-1].ID
		}
		if len(pages) != 70 || pages[0] != 69 || pages[69] != 0 {
			t.Errorf("pages give %v", pages)
		}

		if n, err := s.PruneDeliveries(t.Context(), 10, 1000); n != 10 || err != nil {
			t.Errorf("pruned %d by age, %v", n, err)
		}
		if n, err := s.PruneDeliveries(t.Context(), 0, 20); n != 40 || err != nil {
			t.Errorf("pruned %d by number, %v", n, err)
		}
		if got := list(store.DeliveryFilter{}); len(got) != 20 || got[19] != 50 {
			t.Errorf("left %v", got)
		}
	})
}

func TestReplayDead(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		now := time.UnixMilli(5000)
		s := open(store.Options{Recorder: tellAll{}, Now: func() time.Time { return now }})
		const events = 700 // more than one step of a replay
		var rows []store.OutboxEvent
		for i := range events {
			rows = append(rows, store.OutboxEvent{Lane: "default/x", EventID: fmt.Sprintf("%04d", i), Callback: fmt.Sprint("c", i%2), Body: []byte("b")})
		}
		tell(t, s, rows...)
		lanes := claim(t, s, 1)
		r := store.LaneResult{Lane: lanes[0]}
		if err := s.Read(t.Context(), func(tx *store.Tx) error {
			waiting, err := tx.LaneEvents("default/x", events)
			for _, e := range waiting {
				r.Dead = append(r.Dead, store.DeadEvent{OutboxEvent: e, Attempts: 3, DiedAt: 1, Reason: "no"})
				r.Done = append(r.Done, e.ID)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		finish(t, s, r)
		if st := outboxStats(t, s); st.Dead != events || st.Events != 0 || st.Lanes != 0 {
			t.Fatalf("buried: %+v", st)
		}
		for _, c := range []struct {
			f    store.DeadFilter
			want int
		}{{store.DeadFilter{EventID: "0005"}, 1}, {store.DeadFilter{EventID: "0005"}, 0}, {store.DeadFilter{}, 699}} {
			if n, err := s.ReplayDead(t.Context(), c.f); n != c.want || err != nil {
				t.Errorf("replay %+v: %d, %v; want %d", c.f, n, err, c.want)
			}
		}
		if ids := laneEvents(t, s, "default/x"); ids[0] != "0005" || !slices.IsSorted(ids[1:]) {
			t.Errorf("replayed out of order: %v", ids)
		}
		if st := outboxStats(t, s); st.Dead != 0 || st.Events != events || st.Lanes != 1 || st.Oldest != 5000 {
			t.Errorf("after replay: %+v", st)
		}
	})
}
