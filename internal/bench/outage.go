package bench

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Work outage takes a handler away for a while, at a load that does not care, and
// brings it back: when does the server notice, how often does it try, how long does
// it take to tell what waited, and what do those notice who send meanwhile?

// Outage is what was seen.
type Outage struct {
	Fault    string  `json:"fault"`
	Seconds  float64 `json:"seconds"`
	Detected float64 `json:"detectedMs"`  // after its begin
	Probes   int     `json:"probes"`      // while the endpoint counted as down
	Backlog  int64   `json:"backlog"`     // events that waited at its end
	Noticed  float64 `json:"recoveredMs"` // after its end the endpoint counted as up
	Drained  float64 `json:"drainedMs"`   // after its end everything from before it was told
	Told     int64   `json:"told"`        // different events
	Repeats  int64   `json:"repeats"`

	Phases []OutagePhase `json:"phases"` // before, during, drain, after
}

// OutagePhase is what those who sent in a phase waited for: their
// acknowledgements, and the events of their messages, as far as these were told
// while the phase lasted.
type OutagePhase struct {
	Name   string       `json:"name"`
	ToAck  *Percentiles `json:"toAckMs"`
	ToTold *Percentiles `json:"toToldMs,omitempty"`
}

// counting is a phase while it lasts.
type counting struct {
	name        string
	begin       time.Duration
	acks, tells histogram
}

// Faults of a handler.
const (
	Fault503    = "503"
	FaultRefuse = "refuse"
)

const outagePoll = 20 * time.Millisecond

type outage struct {
	o      *Options
	load   *load
	b      *business
	ledger *ledger
	api    *rest
	phase  atomic.Pointer[counting]
	result Outage
}

func runOutage(ctx context.Context, o *Options) (r Result, err error) {
	b, err := startBusiness(ctx)
	if err != nil {
		return Result{}, err
	}
	defer func() { b.close() }()
	s, err := startServer(ctx, o, fmt.Sprintf("url: %s\nafterSendSingleMsg: {enable: true}\nbreaker: {probe: %s}\n", b.url(), o.Probe))
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	inner := s.options(o)
	// The load ends when the phases are over.
	inner.Duration, inner.Count = o.Outage+2*o.Duration+2*o.Drain+o.Probe, 0
	u := &outage{o: o, load: newLoad(inner), b: b, ledger: newLedger(), result: Outage{Fault: o.Fault}}
	if u.api, err = newREST(ctx, inner, "outage"); err != nil {
		return Result{}, err
	}
	defer u.api.close()
	u.load.onAck = func(_ *client, id messageID) {
		u.ledger.acknowledge(id)
		if p := u.phase.Load(); p != nil && id.due >= p.begin {
			p.acks.add(u.load.now() - id.due)
		}
	}
	b.follower.Store(&follower{told: func(id messageID) {
		if p := u.phase.Load(); u.ledger.tell(id) && p != nil && id.due >= p.begin {
			p.tells.add(u.load.now() - id.due)
		}
	}})
	phases := make(chan error, 1)
	u.load.onStart = func(ctx context.Context) {
		phases <- u.lead(ctx)
		u.load.finish()
	}
	if r, err = u.load.run(ctx); err != nil {
		return Result{}, err
	}
	if err := <-phases; err != nil {
		return Result{}, err
	}
	settle(ctx, o.Drain, u.ledger)
	u.ledger.judge(r.Violations)
	u.result.Told, u.result.Repeats = u.ledger.count(), u.ledger.repeats
	r.Work, r.Outage = o.Work, &u.result
	return r, nil
}

// enter begins a phase and ends the one before it.
func (u *outage) enter(name string) {
	next := &counting{name: name, begin: u.load.now()}
	before := u.phase.Swap(next)
	u.leave(before)
}

func (u *outage) leave(p *counting) {
	if p != nil {
		u.result.Phases = append(u.result.Phases, OutagePhase{Name: p.name, ToAck: p.acks.percentiles(), ToTold: p.tells.percentiles()})
	}
}

// lead goes through the phases while the load runs.
func (u *outage) lead(ctx context.Context) error {
	if err := sleep(ctx, u.o.WarmUp); err != nil {
		return err
	}
	u.enter("before")
	if err := sleep(ctx, u.o.Duration); err != nil {
		return err
	}

	begin := u.load.now()
	if u.o.Fault == FaultRefuse {
		u.b.close()
	} else {
		u.b.answer(answers503)
	}
	u.enter("during")
	for !u.over(u.load.now() - begin) {
		if err := u.look(ctx, begin, &u.result.Detected, "down"); err != nil {
			return err
		}
		if err := sleep(ctx, outagePoll); err != nil {
			return err
		}
	}
	if u.o.Fault == FaultRefuse {
		if err := u.b.open(ctx); err != nil {
			return err
		}
	} else {
		u.b.answer(answers200)
	}

	u.enter("drain")
	end := u.load.now()
	u.result.Seconds = (end - begin).Seconds()
	u.result.Backlog = u.ledger.waiting(end)
	for limit := end + u.o.Probe + u.o.Drain; u.ledger.waiting(end) > 0; {
		if u.load.now() > limit {
			return fmt.Errorf("%d events still wait %s after the end of the outage", u.ledger.waiting(end), limit-end)
		}
		if err := u.look(ctx, end, &u.result.Noticed, "ok"); err != nil {
			return err
		}
		if err := sleep(ctx, outagePoll); err != nil {
			return err
		}
	}
	u.result.Drained = millis(u.load.now() - end)
	u.enter("after")
	if err := sleep(ctx, u.o.Duration); err != nil {
		return err
	}
	u.leave(u.phase.Swap(nil))
	return nil
}

// over reports whether the outage has lasted long enough: its time, and, unless
// patience ends, until the server has noticed and tried once.
func (u *outage) over(after time.Duration) bool {
	noticed := u.result.Detected > 0 && u.result.Probes > 0
	return after >= u.o.Outage && (noticed || after >= u.o.Outage+u.o.Drain)
}

// look asks the server about the endpoint, and notes when it first was in a state.
func (u *outage) look(ctx context.Context, since time.Duration, noted *float64, state string) error {
	var answer struct {
		Endpoints []struct {
			Name   string `json:"name"`
			State  string `json:"state"`
			Probes int    `json:"probes"`
		} `json:"endpoints"`
	}
	if err := u.api.post(ctx, "/webhook/endpoints", struct{}{}, &answer); err != nil {
		return err
	}
	for _, e := range answer.Endpoints {
		if e.Name != "default" {
			continue
		}
		u.result.Probes = max(u.result.Probes, e.Probes)
		if *noted == 0 && e.State == state {
			*noted = millis(u.load.now() - since)
		}
	}
	return nil
}
