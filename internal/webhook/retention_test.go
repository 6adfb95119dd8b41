package webhook

import (
	"fmt"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
)

// recorded makes an outbox row of itself.
type recorded []store.OutboxEvent

func (recorded) Kind() im.EventKind                    { return im.EventMessageSent }
func (recorded) Enabled(im.EventKind) bool             { return true }
func (recorded) Render(e im.Event) []store.OutboxEvent { return e.(recorded) }

// TestRetention: the delivery log and dead letters are forgotten when they are older
// than the configuration says, and nothing else is.
func TestRetention(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		const day = 24 * time.Hour
		now := time.Now()
		clock := func() time.Time { return now }
		s := open(store.Options{Recorder: recorded{}, Now: clock})
		e := newEngine(t, Config{URL: "http://127.0.0.1:1", Keep: Keep{Deliveries: 7 * day, Dead: 30 * day}}, Options{Now: clock})
		write := func(f func(tx *store.Tx) error) {
			t.Helper()
			if err := s.Write(t.Context(), f); err != nil {
				t.Fatal(err)
			}
		}
		at := func(age time.Duration) im.Millis { return im.MillisOf(now.Add(-age)) }
		const old = 60
		var calls []store.Delivery
		for i := range old + 2 {
			d := store.Delivery{EventID: fmt.Sprint("call", i), Callback: "c", Endpoint: "default", StartedAt: at(8 * day)}
			if i >= old {
				d.StartedAt = at(6 * day)
			}
			calls = append(calls, d)
		}
		write(func(tx *store.Tx) error { return tx.InsertDeliveries(calls) })
		write(func(tx *store.Tx) error {
			return tx.Record(recorded{{Lane: "default/x", EventID: "old", Body: []byte("b")}, {Lane: "default/x", EventID: "new", Body: []byte("b")}})
		})
		write(func(tx *store.Tx) error {
			lanes, err := tx.ClaimLanes(store.Claim{Endpoint: "default", To: at(-day), Lease: at(-day), Owner: 1, Limit: 1})
			if err != nil || len(lanes) != 1 {
				return fmt.Errorf("%d lanes: %w", len(lanes), err)
			}
			events, err := tx.LaneEvents("default/x", 10)
			if err != nil {
				return err
			}
			r := store.LaneResult{Lane: lanes[0]}
			for i, ev := range events {
				r.Done = append(r.Done, ev.ID)
				r.Dead = append(r.Dead, store.DeadEvent{OutboxEvent: ev, Reason: "no", DiedAt: at([]time.Duration{31 * day, 29 * day}[i])})
			}
			_, err = tx.FinishLanes([]store.LaneResult{r})
			return err
		})
		left := func() (deliveries, dead []string) {
			t.Helper()
			if err := s.Read(t.Context(), func(tx *store.Tx) error {
				kept, err := tx.Deliveries(store.DeliveryFilter{Limit: 100})
				for _, d := range kept {
					deliveries = append(deliveries, d.EventID)
				}
				if err != nil {
					return err
				}
				buried, err := tx.DeadEvents(store.DeadFilter{Limit: 10})
				for _, d := range buried {
					dead = append(dead, d.EventID)
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return deliveries, dead
		}
		if deliveries, dead := left(); len(deliveries) != old+2 || len(dead) != 2 {
			t.Fatalf("before: %d deliveries, dead %v", len(deliveries), dead)
		}
		e.prune(t.Context(), s)
		if deliveries, dead := left(); len(deliveries) != 2 || len(dead) != 1 || dead[0] != "new" {
			t.Errorf("left: %d deliveries, dead %v", len(deliveries), dead)
		}
		now = now.Add(2 * day)
		e.prune(t.Context(), s)
		if deliveries, dead := left(); len(deliveries) != 0 || len(dead) != 0 {
			t.Errorf("two days later: %v, dead %v", deliveries, dead)
		}
	})
}
