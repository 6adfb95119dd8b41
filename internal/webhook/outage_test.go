package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/outbox"
	"github.com/parley-im/parley/internal/store"
)

// line is a handler without a network, for tests in which time does not pass by
// itself: down refuses connections, and every answer takes a while.
type line struct {
	mu    sync.Mutex
	down  bool
	takes time.Duration
	calls int
	got   []told
}

// told is an event that arrived.
type told struct {
	lane, operation string
	at              time.Time
}

func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body) // in memory
	l.mu.Lock()
	l.calls++
	down := l.down
	l.mu.Unlock()
	if down {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connect: connection refused")}
	}
	time.Sleep(l.takes) // of the bubble's clock
	l.mu.Lock()
	defer l.mu.Unlock()
	op := r.Header.Get("Operationid")
	lane, _, _ := bytes.Cut([]byte(op), []byte("#"))
	l.got = append(l.got, told{string(lane), op, time.Now()})
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(nil)), Request: r}, nil
}

func (l *line) set(down bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = down
}

func (l *line) seen() (calls int, got []told) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.calls, slices.Clone(l.got)
}

// S25 and the drain of S23: a handler is away for ten minutes while as many
// events come as before.
func TestTenMinuteOutage(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		const lanes, perSecond = 20, 10
		h := &line{takes: 20 * time.Millisecond}
		var log logged
		e := newEngine(t, Config{URL: "http://biz.test/hook", Callbacks: on(Callback{}, "afterSendSingleMsg")}, Options{Logger: log.logger(0)})
		e.plan.Load().client.http.Transport = h
		s, err := store.Open(context.Background(), store.Options{Dir: dir, Synchronous: "NORMAL", Recorder: e})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		ctx, cancel := context.WithCancel(context.Background())
		var parts sync.WaitGroup
		parts.Go(func() { _ = outbox.New(s, outbox.Options{}, e).Run(ctx) })
		parts.Go(func() { _ = e.Run(ctx, s) })
		defer parts.Wait()
		defer cancel()

		sent := 0
		load := func(d time.Duration) {
			for range int(d.Seconds()) {
				if err := s.Write(context.Background(), func(tx *store.Tx) error {
					for range perSecond {
						m := text("hi")
						lane := fmt.Sprint("si_", sent%lanes)
						m.ConversationID, m.Seq = im.ConversationID(lane), im.Seq(sent/lanes+1)
						if err := tx.Record(im.MessageSent{Message: m, OperationID: fmt.Sprintf("%s#%06d", lane, sent)}); err != nil {
							return err
						}
						sent++
					}
					return nil
				}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second) // of the bubble's clock, like all here
			}
		}
		state := func() view { return e.plan.Load().endpoints[DefaultEndpoint].breaker.view() }

		load(10 * time.Second)
		if _, got := h.seen(); len(got) < sent-perSecond {
			t.Fatalf("%d of %d events arrived before the outage", len(got), sent)
		}
		h.set(true)
		before, _ := h.seen()
		began := time.Now()
		for !state().open && time.Since(began) < time.Minute {
			load(time.Second)
		}
		detected := time.Since(began)
		if !state().open {
			t.Fatal("the outage was not noticed within a minute")
		}
		atOpen, _ := h.seen()
		load(10*time.Minute - detected)
		calls, _ := h.seen()
		probes := state().probes
		if most := int(10*time.Minute/(10*time.Second)) + 1; probes < most-4 || probes > most {
			t.Errorf("%d probes in ten minutes, want one every ten seconds", probes)
		}
		if extra := calls - atOpen; extra > probes+256 {
			t.Errorf("%d calls while down, for %d probes", extra, probes)
		}
		if waiting, _ := s.WaitingBytes(DefaultEndpoint); waiting == 0 {
			t.Error("nothing waits during the outage")
		}

		h.set(false)
		returned := time.Now()
		backlog := sent - func() int { _, got := h.seen(); return len(got) }()
		for time.Since(returned) < 10*time.Minute {
			load(time.Second)
			if _, got := h.seen(); len(got) >= sent-perSecond {
				break
			}
		}
		drained := time.Since(returned)
		synctest.Wait()
		time.Sleep(5 * time.Second) // of the bubble's clock
		_, got := h.seen()
		perLane := map[string][]string{}
		for _, g := range got {
			perLane[g.lane] = append(perLane[g.lane], g.operation)
		}
		n := 0
		for lane, ops := range perLane {
			n += len(ops)
			if !slices.IsSorted(ops) {
				t.Errorf("%s came out of order", lane)
			}
		}
		if n != sent || len(got) != sent {
			t.Errorf("%d events arrived of %d", n, sent)
		}
		if opened, closed := log.lines("breaker opened"), log.lines("breaker closed"); opened != 1 || closed != 1 {
			t.Errorf("said %d times that it went down and %d times that it is back, want once each", opened, closed)
		}
		if o, c := e.tally(DefaultEndpoint, "", "breaker_open"), e.tally(DefaultEndpoint, "", "breaker_closed"); o != 1 || c != 1 {
			t.Errorf("counted %d and %d", o, c)
		}
		t.Logf("load %d events/s; detected after %s and %d failed calls; %d probes in ten minutes; backlog %d; drained %s after the return (first probe within 10 s)",
			perSecond, detected, atOpen-before, probes, backlog, drained.Round(time.Millisecond))
	})
}

// What comes now does not wait behind what waited: the backlog begins with one
// lane and never has more than half of the slots.
func TestBacklogIsPaced(t *testing.T) {
	t.Parallel()
	ep := &endpoint{name: "x", slots: 64, state: newState(Breaker{}.withDefaults())}
	now := time.UnixMilli(1_700_000_000_000)
	if room := ep.room(now); room.Slots != 64 || !room.Backlog.IsZero() {
		t.Errorf("never down: %+v", room)
	}
	ep.breaker.open, ep.breaker.next = true, now.Add(3*time.Second)
	if room := ep.room(now); room.Slots != 0 || room.Again != 3*time.Second {
		t.Errorf("down: %+v", room)
	}
	if room := ep.room(now.Add(3 * time.Second)); room.Slots != 1 {
		t.Errorf("time for a probe: %+v", room)
	}
	ep.breaker.open, ep.breaker.since = false, now
	var shares []int
	for second := range 8 {
		room := ep.room(now.Add(time.Duration(second) * time.Second))
		if room.Slots != 64 || !room.Backlog.Equal(now) {
			t.Errorf("back for %d s: %+v", second, room)
		}
		shares = append(shares, room.BacklogSlots)
	}
	if !slices.Equal(shares, []int{1, 2, 4, 8, 16, 32, 32, 32}) {
		t.Errorf("shares of the backlog: %v", shares)
	}
}

// Attempts keep to the endpoint's rate.
func TestRateOfAnEndpoint(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		h := &line{}
		e := newEngine(t, Config{URL: "http://biz.test/hook", Rate: 5, Callbacks: on(Callback{}, "afterSendSingleMsg")}, Options{})
		e.plan.Load().client.http.Transport = h
		s, err := store.Open(context.Background(), store.Options{Dir: dir, Synchronous: "NORMAL", Recorder: e})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		ctx, cancel := context.WithCancel(context.Background())
		var parts sync.WaitGroup
		parts.Go(func() { _ = outbox.New(s, outbox.Options{}, e).Run(ctx) })
		defer parts.Wait()
		defer cancel()
		const events = 100
		if err := s.Write(context.Background(), func(tx *store.Tx) error {
			for i := range events {
				m := text("hi")
				m.ConversationID, m.Seq = im.ConversationID(fmt.Sprint("si_", i%30)), 1
				if err := tx.Record(im.MessageSent{Message: m, OperationID: fmt.Sprint(i)}); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(40 * time.Second) // of the bubble's clock
		_, got := h.seen()
		if len(got) != events {
			t.Fatalf("%d events arrived", len(got))
		}
		for i := range got {
			if i >= 10 && got[i].at.Sub(got[i-10].at) < time.Second-time.Millisecond {
				t.Fatalf("ten events within %s, at 5 a second and 5 at once", got[i].at.Sub(got[i-10].at))
			}
		}
	})
}
