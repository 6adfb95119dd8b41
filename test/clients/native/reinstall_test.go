package native

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// fixedSeeds are run besides a random one. PARLEY_REINSTALL_SEED repeats one
// seed, PARLEY_REINSTALL_SEEDS asks for that many random ones.
const fixedSeeds = 20

// Steps of a history: while both installations are online, while one is away,
// and after it came back.
const (
	stepsBefore = 60
	stepsAway   = 60
	stepsAfter  = 30
)

func reinstallSeeds(t *testing.T) []uint64 {
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
	if seed, given := number("PARLEY_REINSTALL_SEED"); given {
		return []uint64{seed}
	}
	var seeds []uint64
	if count, given := number("PARLEY_REINSTALL_SEEDS"); given {
		for range count {
			seeds = append(seeds, rand.Uint64N(1<<32))
		}
		return seeds
	}
	for seed := range uint64(fixedSeeds) {
		seeds = append(seeds, seed+1)
	}
	return append(seeds, rand.Uint64N(1<<32))
}

// TestReinstall: after a long random history an installation that was always
// online, one that was away in between and a new one know the same.
func TestReinstall(t *testing.T) {
	seeds := reinstallSeeds(t)
	atOnce := make(chan struct{}, 4)
	var mu sync.Mutex
	done := map[string]int{} // by kind of step, over all seeds
	t.Run("seed", func(t *testing.T) {
		for _, seed := range seeds {
			t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
				t.Parallel()
				atOnce <- struct{}{}
				defer func() { <-atOnce }()
				h := reinstall(t, seed)
				mu.Lock()
				defer mu.Unlock()
				for name, count := range h.counts {
					done[name] += count
				}
			})
		}
	})
	for _, s := range steps {
		if len(seeds) > fixedSeeds && done[s.name] == 0 {
			t.Errorf("in %d histories nobody could %s", len(seeds), s.name)
		}
	}
	t.Logf("%d histories, the last with seed %d: %v", len(seeds), seeds[len(seeds)-1], done)
}

// reinstall lives one history and compares what the three installations know.
func reinstall(t *testing.T, seed uint64) *history {
	ids := users(t, shared, "subject", "ann", "ben", "cleo", "dan", "eve")
	introduce(t, ids[0])
	h, err := newHistory(shared, seed, ids)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("PARLEY_REINSTALL_SEED=%d repeats this history:\n%s", seed, strings.Join(h.done, "\n"))
		}
	})
	always := install(t, shared, ids[0], ios).ready()
	away := install(t, shared, ids[0], android).ready()
	live := func(steps int) {
		t.Helper()
		if err := h.live(steps); err != nil {
			t.Fatal(err)
		}
	}
	h.online = []*device{always, away}
	live(stepsBefore)
	left, err := h.newestAll(h.subject)
	if err != nil {
		t.Fatal(err)
	}
	// Both know the same by now; and a core that is stopped while it stores a message
	// may forget to show it as the latest.
	away.sameAs(always, h)
	away.logout()
	h.online, h.away = []*device{always}, true
	live(stepsAway)
	away.login()
	// It says that it is in step while it goes on loading lists, beside what it is told.
	away.sameVersions(always, h)
	away.scroll() // a core picks its latest messages from what it has loaded
	h.online, h.away = []*device{always, away}, false
	if err := h.comeBack(left); err != nil {
		t.Fatal(err)
	}
	live(stepsAfter)
	fresh := install(t, shared, ids[0], windows).ready()

	for _, d := range []*device{always, away, fresh} {
		d.scroll()
	}
	always.sameAs(fresh, h)
	away.sameAs(fresh, h)
	return h
}

// introduce gives a user a block and requests in both directions: only of those
// can be seen that a core has loaded them.
func introduce(t *testing.T, userID string) {
	t.Helper()
	other := users(t, shared, "stranger")[0]
	for _, call := range []struct {
		path string
		body body
	}{
		{"/friend/add_friend", body{"fromUserID": userID, "toUserID": other}},
		{"/friend/add_friend", body{"fromUserID": other, "toUserID": userID}},
		{"/friend/add_black", body{"ownerUserID": userID, "blackUserID": other}},
	} {
		if err := shared.PostAdmin(call.path, call.body, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// sameAs waits until two installations have stored the same.
func (d *device) sameAs(other *device, h *history) {
	d.t.Helper()
	d.eventually(fmt.Sprintf("the same contents as on platform %d", other.platform), func() error {
		mine, err := d.contents(h)
		if err != nil {
			return err
		}
		theirs, err := other.contents(h)
		if err != nil {
			return err
		}
		if found := mine.differences(theirs); len(found) > 0 {
			return fmt.Errorf("%d fields differ:\n%s", len(found), strings.Join(found, "\n"))
		}
		return nil
	})
}

// sameVersions waits until two installations have the same lists.
func (d *device) sameVersions(other *device, h *history) {
	d.t.Helper()
	d.eventually(fmt.Sprintf("the same lists as on platform %d", other.platform), func() error {
		mine, err := d.contents(h)
		if err != nil {
			return err
		}
		theirs, err := other.contents(h)
		if err != nil {
			return err
		}
		for _, c := range []contents{mine, theirs} {
			maps.DeleteFunc(c, func(key string, _ map[string]any) bool { return !strings.HasPrefix(key, "version ") })
		}
		if found := mine.differences(theirs); len(found) > 0 {
			return errors.New(strings.Join(found, "\n"))
		}
		return nil
	})
}

// scroll loads the history of every conversation.
func (d *device) scroll() {
	d.t.Helper()
	conversations, err := d.mgr.Relation().Db().GetAllConversations(d.ctx())
	if err != nil {
		d.t.Fatal(err)
	}
	for _, c := range conversations {
		if _, err := d.history(c.ConversationID); err != nil {
			d.t.Fatal(err)
		}
	}
}
