package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// Works hooks and isolation compare servers that differ in their webhooks.yml
// only. Each variant has a server of its own; they are loaded by turns, round
// after round, and what counts is the median of the rounds' ratios: whatever else
// the machine does meets all of them alike.

// Variant is one side of a comparison; its figures are medians of its rounds.
type Variant struct {
	Name      string       `json:"name"`
	Messages  int64        `json:"messages"` // sent in all rounds, warm-up included
	Asked     int64        `json:"asked"`    // before-calls in all rounds
	Told      int64        `json:"told"`     // different events, in all rounds, at the endpoint that is healthy
	ToAck     *Percentiles `json:"toAckMs"`
	ToReceipt *Percentiles `json:"toReceiptMs"`
	// ToTold is from when a message was due to when the healthy endpoint had its event.
	ToTold    *Percentiles `json:"toToldMs,omitempty"`
	Handler   *Percentiles `json:"handlerMs,omitempty"` // its own time, within what the server waits for
	ServerCPU float64      `json:"serverCPUMicrosPerMessage"`
	Against   *Against     `json:"against,omitempty"` // the first variant
}

// Against compares a variant with the first one, round by round: ratios, and
// what it adds; medians of the rounds.
type Against struct {
	AckP50      float64 `json:"ackP50"`
	AckP99      float64 `json:"ackP99"`
	ReceiptP50  float64 `json:"receiptP50"`
	ToldP50     float64 `json:"toldP50,omitempty"`
	ToldP99     float64 `json:"toldP99,omitempty"`
	ServerCPU   float64 `json:"serverCPU,omitempty"`
	AddedAckP50 float64 `json:"addedAckP50Ms"`
	AddedCPU    float64 `json:"addedServerCPUMicrosPerMessage"`
}

// side is a variant while it runs.
type side struct {
	name     string
	webhooks string
	// healthy is followed for its times; others are told, too, and may be down for
	// the time of the load.
	healthy *business
	others  []*business
	load    int32 // mode of the others under load
	events  bool  // after-events are on

	server *ownServer
	rounds []round
	sent   int64
	asked  atomic.Int64
	told   int64
}

// round is one run of a side.
type round struct {
	ack, receipt, told, handler *Percentiles
	cpu                         float64
}

func runHooks(ctx context.Context, o *Options) (Result, error) {
	b, err := startBusiness(ctx)
	if err != nil {
		return Result{}, err
	}
	defer b.close()
	return compare(ctx, o, []*side{
		{name: "hooks off", healthy: b},
		{name: "after-hooks on", healthy: b, events: true, webhooks: "url: " + b.url() + "\nafterSendSingleMsg: {enable: true}\n"},
		{name: "before-hook on", healthy: b, webhooks: "url: " + b.url() + "\nbeforeSendSingleMsg: {enable: true}\n"},
	})
}

func runIsolation(ctx context.Context, o *Options) (Result, error) {
	healthy, err := startBusiness(ctx)
	if err != nil {
		return Result{}, err
	}
	defer healthy.close()
	other, err := startBusiness(ctx)
	if err != nil {
		return Result{}, err
	}
	defer other.close()
	// The other's calls last as long as the load: nothing ends its hold on what
	// the two may share.
	webhooks := fmt.Sprintf("url: %s\nafterSendSingleMsg: {enable: true}\nendpoints:\n  - {name: other, url: %q, events: [afterSendSingleMsg], timeout: 3600}\n", healthy.url(), other.url())
	return compare(ctx, o, []*side{
		{name: "both healthy", webhooks: webhooks, healthy: healthy, others: []*business{other}, events: true, load: answers200},
		{name: "one hangs", webhooks: webhooks, healthy: healthy, others: []*business{other}, events: true, load: hangs},
	})
}

func compare(ctx context.Context, o *Options, sides []*side) (r Result, err error) {
	defer func() {
		for _, s := range sides {
			if s.server != nil {
				err = errors.Join(err, s.server.close())
			}
		}
	}()
	for _, s := range sides {
		if s.server, err = startServer(ctx, o, s.webhooks); err != nil {
			return Result{}, err
		}
	}
	r = Result{Work: o.Work, Users: o.Users, Rate: o.Rate, Rounds: o.Rounds, Violations: new(Violations)}
	for i := range o.Rounds {
		for j := range sides {
			one, err := sides[(i+j)%len(sides)].run(ctx, o, r.Violations)
			if err != nil {
				return Result{}, err
			}
			r.Seconds += one.Seconds
			r.Messages += one.Messages
			r.Deliveries += one.Deliveries
			if r.FirstRefusal == "" {
				r.FirstRefusal = one.FirstRefusal
			}
		}
	}
	for _, s := range sides {
		r.Variants = append(r.Variants, s.variant(sides[0]))
	}
	return r, nil
}

// run loads the side's server once.
func (s *side) run(ctx context.Context, o *Options, total *Violations) (Result, error) {
	inner := s.server.options(o)
	load := newLoad(inner)
	healthy := newLedger()
	ledgers := []*ledger{healthy}
	var toTold, handler histogram
	s.healthy.follower.Store(&follower{
		asked: func(messageID) { s.asked.Add(1) },
		told: func(id messageID) {
			if now := load.now(); healthy.tell(id) && load.counts(id) {
				toTold.add(now - id.due)
			}
		},
		handled: handler.add,
	})
	for _, b := range s.others {
		ledger := newLedger()
		ledgers = append(ledgers, ledger)
		b.follower.Store(&follower{told: func(id messageID) { ledger.tell(id) }})
		b.answer(s.load)
	}
	if s.events {
		load.onAck = func(_ *client, id messageID) {
			for _, l := range ledgers {
				l.acknowledge(id)
			}
		}
	}
	r, err := load.run(ctx)
	if err != nil {
		return Result{}, fmt.Errorf("%s: %w", s.name, err)
	}
	settle(ctx, o.Drain, healthy)
	for _, b := range s.others {
		b.answer(answers200)
	}
	settle(ctx, o.Drain, ledgers...)
	for _, l := range ledgers {
		l.judge(r.Violations)
	}
	total.add(r.Violations)
	s.sent += load.sent.Load()
	s.told += healthy.count()
	s.rounds = append(s.rounds, round{r.ToAck, r.ToReceipt, toTold.percentiles(), handler.percentiles(), r.ServerCPU})
	return r, nil
}

// settle waits until the endpoints have been told of everything, or patience ends.
func settle(ctx context.Context, patience time.Duration, ledgers ...*ledger) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for slices.ContainsFunc(ledgers, func(l *ledger) bool { return l.waiting(maxDue) > 0 }) {
		if sleep(ctx, 5*time.Millisecond) != nil {
			return
		}
	}
}

const maxDue = time.Duration(1<<63 - 1)

// variant sums the rounds up.
func (s *side) variant(first *side) Variant {
	v := Variant{
		Name: s.name, Messages: s.sent, Asked: s.asked.Load(), Told: s.told, ServerCPU: medianOf(s.rounds, func(r round) float64 { return r.cpu }),
		ToAck: medians(s.rounds, func(r round) *Percentiles { return r.ack }), ToReceipt: medians(s.rounds, func(r round) *Percentiles { return r.receipt }),
		ToTold: medians(s.rounds, func(r round) *Percentiles { return r.told }), Handler: medians(s.rounds, func(r round) *Percentiles { return r.handler }),
	}
	if s == first {
		return v
	}
	each := func(f func(mine, theirs round) float64) float64 {
		var all []float64
		for i := range s.rounds {
			all = append(all, f(s.rounds[i], first.rounds[i]))
		}
		return median(all)
	}
	ratio := func(f func(round) float64) float64 {
		return each(func(mine, theirs round) float64 {
			if f(theirs) == 0 {
				return 0
			}
			return f(mine) / f(theirs)
		})
	}
	p50 := func(p *Percentiles) float64 {
		if p == nil {
			return 0
		}
		return p.P50
	}
	p99 := func(p *Percentiles) float64 {
		if p == nil {
			return 0
		}
		return p.P99
	}
	v.Against = &Against{
		AckP50: ratio(func(r round) float64 { return p50(r.ack) }), AckP99: ratio(func(r round) float64 { return p99(r.ack) }),
		ReceiptP50: ratio(func(r round) float64 { return p50(r.receipt) }),
		ToldP50:    ratio(func(r round) float64 { return p50(r.told) }), ToldP99: ratio(func(r round) float64 { return p99(r.told) }),
		ServerCPU:   ratio(func(r round) float64 { return r.cpu }),
		AddedAckP50: each(func(mine, theirs round) float64 { return p50(mine.ack) - p50(theirs.ack) }),
		AddedCPU:    each(func(mine, theirs round) float64 { return mine.cpu - theirs.cpu }),
	}
	return v
}

func median(all []float64) float64 {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	middle := len(all) / 2
	if len(all)%2 == 0 {
		return (all[middle-1] + all[middle]) / 2
	}
	return all[middle]
}

func medianOf[T any](list []T, f func(T) float64) float64 {
	all := make([]float64, len(list))
	for i, v := range list {
		all[i] = f(v)
	}
	return median(all)
}

// medians are those of each percentile; nil when there are none.
func medians(rounds []round, f func(round) *Percentiles) *Percentiles {
	var there []*Percentiles
	for _, r := range rounds {
		if p := f(r); p != nil {
			there = append(there, p)
		}
	}
	if len(there) == 0 {
		return nil
	}
	of := func(g func(*Percentiles) float64) float64 { return medianOf(there, g) }
	return &Percentiles{
		P50: of(func(p *Percentiles) float64 { return p.P50 }), P90: of(func(p *Percentiles) float64 { return p.P90 }),
		P99: of(func(p *Percentiles) float64 { return p.P99 }), Max: of(func(p *Percentiles) float64 { return p.Max }),
	}
}
