package spread_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/spread"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// steps makes users, one a step, up to a number, and remembers who was told.
type steps struct {
	mu    sync.Mutex
	fail  int // this many steps fail
	told  []string
	heard chan struct{} // one for each told
}

func (st *steps) step(tx *store.Tx, sp store.Spread) (spread.Result, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	id := fmt.Sprintf("%s_%d", sp.Subject, len(sp.Cursor))
	if err := tx.InsertUser(im.User{UserID: id}); err != nil {
		return spread.Result{}, err
	}
	if st.fail > 0 {
		st.fail--
		return spread.Result{}, errors.New("not now")
	}
	return spread.Result{Next: sp.Cursor + "x", Done: len(sp.Cursor)+1 == len(sp.Payload), Tell: func(context.Context) {
		st.mu.Lock()
		defer st.mu.Unlock()
		st.told = append(st.told, id)
		st.heard <- struct{}{}
	}}, nil
}

func begin(t *testing.T, s *store.Store, subject string, steps int) {
	t.Helper()
	if err := s.Write(t.Context(), func(tx *store.Tx) error {
		return tx.BeginSpread(store.Spread{Kind: store.SpreadMarks, Subject: subject, Payload: make([]byte, steps)})
	}); err != nil {
		t.Fatal(err)
	}
}

func start(s *store.Store) (*spread.Spreader, *steps) {
	st := &steps{heard: make(chan struct{}, 100)}
	spreads := spread.New(s, slog.New(slog.DiscardHandler))
	spreads.Handle(store.SpreadMarks, st.step)
	return spreads, st
}

// check fails unless exactly these steps were made, and nothing is left over.
func check(t *testing.T, s *store.Store, subject string, steps int) {
	t.Helper()
	if err := s.Read(t.Context(), func(tx *store.Tx) error {
		for i := range steps + 1 {
			_, found, err := tx.User(fmt.Sprintf("%s_%d", subject, i))
			if err != nil {
				return err
			}
			if found != (i < steps) {
				t.Errorf("step %d of %s: %v", i, subject, found)
			}
		}
		left, err := tx.Spreads(10)
		if len(left) > 0 {
			t.Errorf("left over: %+v", left)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// Each step is made once, whoever makes it: who begins it, two at once, or the
// next process.
func TestSteps(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		s := open(store.Options{})
		spreads, st := start(s)
		begin(t, s, "one", 1)
		spreads.Begin(t.Context(), store.SpreadMarks, "one")
		check(t, s, "one", 1)
		begin(t, s, "many", 5)
		if err := spreads.Finish(t.Context(), store.SpreadMarks, "many"); err != nil {
			t.Fatal(err)
		}
		check(t, s, "many", 5)
		begin(t, s, "shared", 20)
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if err := spreads.Finish(t.Context(), store.SpreadMarks, "shared"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		check(t, s, "shared", 20)
		if told := slices.Compact(slices.Sorted(slices.Values(st.told))); len(told) != 26 || len(st.told) != 26 {
			t.Errorf("told of %d steps %d times", len(told), len(st.told))
		}

		begin(t, s, "begun", 3)
		spreads.Begin(t.Context(), store.SpreadMarks, "begun") // the first step
		begin(t, s, "noted", 3)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(store.Options{})
		spreads, _ = start(s)
		if err := spreads.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		check(t, s, "begun", 3)
		check(t, s, "noted", 3)
	})
}

// A step that fails leaves nothing behind and is made again, by Run too; others
// go on meanwhile.
func TestFailure(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		s := open(store.Options{})
		spreads, st := start(s)
		begin(t, s, "a", 2)
		st.fail = 1
		if err := spreads.Finish(t.Context(), store.SpreadMarks, "a"); err == nil {
			t.Error("no error")
		}
		if err := s.Write(t.Context(), func(tx *store.Tx) error {
			return tx.BeginSpread(store.Spread{Kind: 99, Subject: "nobody knows how"})
		}); err != nil {
			t.Fatal(err)
		}
		if err := spreads.Drain(t.Context()); err == nil {
			t.Error("an unknown kind is no error")
		}
		if err := s.Write(t.Context(), func(tx *store.Tx) error {
			return tx.EndSpread(store.Spread{Kind: 99, Subject: "nobody knows how"})
		}); err != nil {
			t.Fatal(err)
		}
		check(t, s, "a", 2)
	})
}

// Run carries on what is left over, takes what is begun, and tries again what
// failed, until it is ended.
func TestRun(t *testing.T) {
	s := storetest.SQLite(t)(store.Options{})
	spreads, st := start(s)
	begin(t, s, "before", 3)
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- spreads.Run(ctx) }()
	told := func(n int) {
		for range n {
			<-st.heard
		}
	}
	told(3)
	begin(t, s, "later", 4)
	spreads.Begin(t.Context(), store.SpreadMarks, "later")
	told(4)
	end()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	check(t, s, "before", 3)
	check(t, s, "later", 4)
}
