package chaos

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/store"
)

// campaign is a number of crashes of one server and the peace after them.
type campaign struct {
	binary      string
	postgresURL string // "" for the embedded database
	seed        uint64
	rounds      int
	wanted      kind     // the fault looked for; "" for any
	kills       []moment // what kills wait for; nil for anything
}

// run returns what the server did wrong.
func (k campaign) run(t *testing.T) []fault {
	t.Helper()
	rng := rand.New(rand.NewPCG(k.seed, 1<<32))
	r := newRecord(k.wanted)
	h := startHandler(t, r, rand.New(rand.NewPCG(k.seed, 1<<33)))
	n := node{binary: k.binary, config: configure(t, h.url, k.postgresURL), data: t.TempDir()}
	clients := newClients(r, seed(t, store.Options{Dir: n.data, PostgresURL: k.postgresURL}), k.seed)
	for round := 1; round <= k.rounds && !r.hasEnough(); round++ {
		r.begin(round)
		k.crash(t, n, r, clients, k.choose(rng))
	}
	r.begin(k.rounds + 1)
	if k.wanted == "" || !r.hasEnough() {
		k.settle(t, n, r, clients)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	t.Logf("seed %d: %d rounds, %d sends, %d messages, %d events", k.seed, r.round-1, len(r.sends), len(r.places), len(r.events))
	return r.faults
}

// instant is when the server dies: when something has happened so often.
type instant struct {
	moment   moment
	count    int
	stopping bool // it is asked to stop before, and dies while it does
}

// mostEvents bounds how long a life lasts.
const mostEvents = 300

func (k campaign) choose(rng *rand.Rand) instant {
	at := instant{moment: moment(rng.IntN(int(moments))), count: 1 + rng.IntN(mostEvents)}
	if len(k.kills) > 0 {
		at.moment = k.kills[rng.IntN(len(k.kills))]
	}
	if at.moment == momentTold && k.postgresURL != "" {
		// Lanes that a dead node had taken rest until their leases end: another
		// node might have them.
		at.moment = momentAcked
	}
	if at.moment == momentConnected {
		at.count = 1 + rng.IntN(len(devices))
	}
	at.stopping = rng.IntN(5) == 0
	return at
}

// crash starts the server, puts load on it and kills it.
func (k campaign) crash(t *testing.T, n node, r *record, clients []*client, at instant) {
	t.Helper()
	s := n.start(t)
	var running sync.WaitGroup
	for _, c := range clients {
		running.Go(func() {
			err := c.live(t, s)
			r.clientLeft()
			if !s.killed.Load() {
				r.fault(badProtocol, nil, "client %d lost a server that was not killed: %v\n%s", c.index, err, &s.output)
			}
		})
	}
	reached := func() bool { return r.counts[at.moment] >= at.count || r.left == len(clients) || r.enough() }
	if !r.await(patience, reached) {
		r.fault(badProtocol, nil, "the server does too little: %v of %v\n%s", r.counts, at, &s.output)
	}
	if at.stopping {
		s.terminate()
		if !r.await(patience, func() bool { return r.left > 0 }) {
			r.fault(badProtocol, nil, "the server does not begin to stop\n%s", &s.output)
		}
	}
	s.kill()
	running.Wait()
	if s.raced() {
		r.fault(badProtocol, nil, "the server has a data race\n%s", &s.output)
	}
}

// live connects and works until the connection ends.
func (c *client) live(t *testing.T, s *server) error {
	session, err := c.connect(t.Context(), s.WS)
	if err != nil {
		return err
	}
	defer session.close()
	return session.work()
}

// settle lets everything come to rest and checks what is left.
func (k campaign) settle(t *testing.T, n node, r *record, clients []*client) {
	t.Helper()
	s := n.start(t)
	sessions := make([]*session, len(clients))
	var running sync.WaitGroup
	problems := make([]error, len(clients))
	for i, c := range clients {
		running.Go(func() {
			session, err := c.connect(t.Context(), s.WS)
			if err != nil {
				problems[i] = err
				return
			}
			sessions[i] = session
			problems[i] = session.finish()
		})
	}
	running.Wait()
	defer func() {
		for _, session := range sessions {
			if session != nil {
				session.close()
			}
		}
	}()
	if err := errors.Join(problems...); err != nil {
		r.fault(badProtocol, nil, "clients cannot finish: %v\n%s", err, &s.output)
		return
	}
	final, err := readLogs(sessions)
	if err != nil {
		r.fault(badProtocol, nil, "clients cannot pull: %v\n%s", err, &s.output)
		return
	}
	r.checkLogs(final)
	if err := k.drain(t, s); err != nil {
		r.fault(eventStuck, nil, "%v\n%s", err, &s.output)
	}
	r.checkEvents(final)
	if err := s.fetch(t.Context(), r); err != nil {
		r.fault(eventStuck, nil, "%v\n%s", err, &s.output)
	}
	r.checkCopies()
	r.checkPresence(clients)
	if r.hasEnough() {
		return
	}
	k.leave(r, clients, sessions)
	if err := k.drain(t, s); err != nil {
		r.fault(eventStuck, nil, "%v\n%s", err, &s.output)
	}
	if err := s.stop(); err != nil || s.raced() {
		r.fault(badProtocol, nil, "the server stops with %v\n%s", err, &s.output)
	}
}

// drain waits until no event waits any more, as long as they become fewer.
func (k campaign) drain(t *testing.T, s *server) error {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	late := time.NewTimer(patience)
	defer late.Stop()
	for left := int64(math.MaxInt64); ; {
		stats, err := s.outbox(t.Context())
		switch {
		case err != nil:
			return err
		case stats.Dead > 0:
			return fmt.Errorf("%d events were given up", stats.Dead)
		case stats.Events == 0:
			return nil
		case stats.Events < left:
			left = stats.Events
			late.Reset(patience)
		}
		select {
		case <-tick.C:
		case <-late.C:
			return fmt.Errorf("%d events wait", stats.Events)
		}
	}
}

// leave closes one connection after the other, and each time waits until the
// business server was told the truth about everybody.
func (k campaign) leave(r *record, clients []*client, sessions []*session) {
	for gone := 0; ; gone++ {
		var wrong error
		truth := func() bool {
			wrong = r.presenceIs(clients[:gone], clients[gone:])
			return wrong == nil
		}
		if !r.await(patience, truth) {
			r.fault(presenceWrong, nil, "%v", wrong)
			return
		}
		if gone == len(sessions) {
			return
		}
		sessions[gone].close()
	}
}
