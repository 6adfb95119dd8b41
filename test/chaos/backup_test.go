package chaos

import (
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
)

// TestBackup takes a backup of a server under load, loses the server, and checks
// that the one made of the backup keeps every promise made before the backup
// began, and all of them from then on.
func TestBackup(t *testing.T) {
	t.Parallel()
	binary := os.Getenv("PARLEY_BIN")
	if binary == "" {
		binary = build(t, t.TempDir())
	}
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		backUp(t, binary, "", "")
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		backUp(t, binary, storetest.PostgresURL(t), storetest.PostgresURL(t))
	})
}

func backUp(t *testing.T, binary, postgresURL, restoredURL string) {
	t.Helper()
	k := campaign{binary: binary, postgresURL: postgresURL, seed: rand.Uint64N(1 << 32)}
	r := newRecord("")
	h := startHandler(t, r, rand.New(rand.NewPCG(k.seed, 1<<33)))
	n := node{binary: binary, config: configure(t, h.url, postgresURL), data: t.TempDir()}
	clients := newClients(r, seed(t, store.Options{Dir: n.data, PostgresURL: postgresURL}), k.seed)

	s := n.start(t)
	var running sync.WaitGroup
	for _, c := range clients {
		running.Go(func() {
			_ = c.live(t, s) // ends with the server
			r.clientLeft()
		})
	}
	archive := filepath.Join(t.TempDir(), "backup.tar.zst")
	busy := func(acks int) {
		t.Helper()
		if !r.await(patience, func() bool { return r.counts[momentAcked] >= acks || r.left > 0 || r.enough() }) {
			t.Fatalf("the server does too little: %v\n%s", r.counts, &s.output)
		}
	}
	busy(100)
	promised := r.promises()
	command(t, binary, "backup", "--data", n.data, archive)
	r.mu.Lock()
	after := r.counts[momentAcked]
	r.mu.Unlock()
	busy(after + 50) // what will be lost
	s.kill()
	running.Wait()

	restored := node{binary: binary, config: configure(t, h.url, restoredURL), data: filepath.Join(t.TempDir(), "restored")}
	command(t, binary, "restore", archive, "-c", restored.config, "--data", restored.data)
	r.begin(2)
	s = restored.start(t)
	kept := r.forgetLost(t, s, clients, promised)
	t.Logf("seed %d: %d sends were promised when the backup began, %d messages were in it, of %d", k.seed, len(promised), kept, after)
	k.settleRestored(t, s, r, clients)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.faults[:min(len(r.faults), faultsShown)] {
		t.Error(f)
	}
}

// command runs the binary to its end.
func command(t *testing.T, binary string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), binary, args...).CombinedOutput(); err != nil {
		t.Fatalf("parley %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// promises are the answers to sends so far.
func (r *record) promises() map[string]ack {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make(map[string]ack)
	for id, s := range r.sends {
		if s.ack != nil {
			out[id] = *s.ack
		}
	}
	return out
}

// forgetLost reads what the restored server has, checks it against what was
// promised, and makes the record that of a world in which the rest never
// happened: clients have it unanswered again.
func (r *record) forgetLost(t *testing.T, s *server, clients []*client, promised map[string]ack) (kept int) {
	t.Helper()
	sessions := make([]*session, len(clients))
	for i, c := range clients {
		c.mu.Lock()
		c.known = make(map[string]int64)
		c.mu.Unlock()
		var err error
		if sessions[i], err = c.connect(t.Context(), s.WS); err != nil {
			t.Fatal(err)
		}
	}
	have, err := readLogs(sessions) // faults what is not as it was shown before
	if err != nil {
		t.Fatal(err)
	}
	for _, session := range sessions {
		session.close()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	stored := make(map[string]bool)
	for _, log := range have {
		for _, e := range log {
			stored[e.id] = true
			kept++
			if a, ok := promised[e.id]; ok && a != (ack{e.serverMsgID, e.sendTime}) {
				r.faultLocked(ackLost, r.sends[e.id], "acked as %+v, restored as %+v", a, e)
			}
		}
	}
	for id := range promised {
		if !stored[id] {
			r.faultLocked(ackLost, r.sends[id], "acked before the backup, not in it")
		}
	}
	if kept == len(r.places) {
		t.Error("nothing was lost: the backup was not taken under load")
	}
	for id, send := range r.sends {
		if send.refusal == 0 && !stored[id] {
			send.ack = nil
			delete(r.places, id)
		}
	}
	maps.DeleteFunc(r.shown, func(at place, _ entry) bool { return at.seq > int64(len(have[at.conversation])) })
	lost := func(e *event) bool { return e.ClientMsgID != "" && !stored[e.ClientMsgID] }
	maps.DeleteFunc(r.events, func(_ string, e *event) bool { return lost(e) })
	r.delivered = slices.DeleteFunc(r.delivered, lost)
	for _, c := range clients {
		c.mu.Lock()
		again := slices.DeleteFunc(slices.Clone(c.answered), func(s *send) bool { return s.refusal != 0 || stored[s.id] })
		c.open = append(c.open, again...)
		c.answered = slices.DeleteFunc(c.answered, func(s *send) bool { return slices.Contains(again, s) })
		c.mu.Unlock()
	}
	return kept
}

// settleRestored is settle without what only the lost server knew.
func (k campaign) settleRestored(t *testing.T, s *server, r *record, clients []*client) {
	t.Helper()
	var sessions []*session
	for _, c := range clients {
		session, err := c.connect(t.Context(), s.WS)
		if err != nil {
			t.Fatal(err)
		}
		defer session.close()
		sessions = append(sessions, session)
	}
	var running sync.WaitGroup
	for _, session := range sessions {
		running.Go(func() {
			if err := session.finish(); err != nil {
				r.fault(badProtocol, nil, "clients cannot finish: %v\n%s", err, &s.output)
			}
		})
	}
	running.Wait()
	final, err := readLogs(sessions)
	if err != nil {
		t.Fatalf("%v\n%s", err, &s.output)
	}
	r.checkLogs(final)
	if err := k.drain(t, s); err != nil {
		r.fault(eventStuck, nil, "%v\n%s", err, &s.output)
	}
	r.checkEvents(final)
	if err := s.stop(); err != nil || s.raced() {
		r.fault(badProtocol, nil, "the server stops with %v\n%s", err, &s.output)
	}
}
