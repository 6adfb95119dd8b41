// Package sim lets many users work on one store at once, at random but
// repeatably, and checks with simple models that it keeps its promises: the
// changes of a group form one history that its notices tell in full; seqs have
// no gaps; read positions never go back; and a client that asks only for what
// changed, whenever it likes, ends with what a full list says.
//
// That the models can find such faults is tested too: stores that were built with
// one promise taken out must fail.
//
// PARLEY_SIM_SEED repeats one seed, PARLEY_SIM_SEEDS asks for that many random
// ones. A seed fixes what everybody tries; who comes first stays to the scheduler.
package sim_test

import (
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// fixedSeeds are run besides a random one.
const fixedSeeds = 4

func seeds(t *testing.T) []uint64 {
	t.Helper()
	number := func(name string) (uint64, bool) {
		given := os.Getenv(name)
		if given == "" {
			return 0, false
		}
		n, err := strconv.ParseUint(given, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return n, true
	}
	if seed, given := number("PARLEY_SIM_SEED"); given {
		return []uint64{seed}
	}
	var all []uint64
	if count, given := number("PARLEY_SIM_SEEDS"); given {
		for range count {
			all = append(all, rand.Uint64N(1<<32))
		}
		return all
	}
	for seed := range uint64(fixedSeeds) {
		all = append(all, seed+1)
	}
	return append(all, rand.Uint64N(1<<32))
}

// faultsShown bounds the report: after the first fault the others are mostly its
// consequences.
const faultsShown = 8

func TestSimulation(t *testing.T) {
	t.Parallel()
	all := seeds(t)
	var mu sync.Mutex
	done := map[string]int{} // by action, over all seeds
	t.Run("seed", func(t *testing.T) {
		for _, seed := range all {
			t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
				t.Parallel()
				storetest.Each(t, func(t *testing.T, open storetest.Open) {
					w := simulate(t, open, seed)
					mu.Lock()
					defer mu.Unlock()
					for name, count := range w.done {
						done[name] += count
					}
				})
			})
		}
	})
	for _, e := range everything {
		if len(all) > fixedSeeds && done[e.name] == 0 {
			t.Errorf("with %d seeds nobody could %s", len(all), e.name)
		}
	}
	t.Logf("%d seeds, the last is %d: %v", len(all), all[len(all)-1], done)
}

// simulate runs one seed on one store.
func simulate(t *testing.T, open storetest.Open, seed uint64) *world {
	t.Helper()
	w := newWorld(t, open(store.Options{}), seed)
	w.run()
	w.check()
	if faults := w.faults; len(faults) > 0 {
		t.Errorf("PARLEY_SIM_SEED=%d: %d faults:\n%s", seed, len(faults), strings.Join(faults[:min(len(faults), faultsShown)], "\n"))
	}
	return w
}

// TestTwoHundred: a client that missed up to 200 changes gets them, one that
// missed more loads the whole list.
func TestTwoHundred(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		w := newWorld(t, open(store.Options{}), 1)
		var ids []string
		w.must(w.store.Write(t.Context(), func(tx *store.Tx) error {
			ids = nil
			for i := range im.SyncLimit + 1 {
				ids = append(ids, "friend"+strconv.Itoa(i))
				if err := tx.InsertUser(im.User{UserID: ids[i]}); err != nil {
					return err
				}
			}
			return nil
		}))
		_, _, err := w.relations.FriendIDs(t.Context(), "u0") // opens the list's log
		w.must(err)
		first := im.Version{}
		for i, id := range ids {
			w.must(w.relations.Import(w.as(root), "u0", []string{id}))
			if i == 0 {
				first, _, err = w.relations.FriendIDs(t.Context(), "u0")
				w.must(err)
				first.Version-- // before the first of them
			}
			d, err := w.relations.FriendChanges(t.Context(), "u0", first)
			w.must(err)
			if full := i+1 > im.SyncLimit; d.Full != full || !full && len(d.Inserted) != i+1 {
				t.Fatalf("of %d changes %d were told, full %v", i+1, len(d.Inserted), d.Full)
			}
		}
	})
}
