package bench

import (
	"reflect"
	"testing"
	"time"
)

func TestLedger(t *testing.T) {
	t.Parallel()
	id := func(sender, number uint32) messageID {
		return messageID{sender, number, time.Duration(number) * time.Second}
	}
	l := newLedger()
	for number := uint32(1); number <= 4; number++ {
		l.acknowledge(id(0, number))
	}
	l.tell(id(1, 1)) // before its acknowledgement
	l.acknowledge(id(1, 1))
	for _, c := range []struct {
		number uint32
		fresh  bool
	}{{1, true}, {3, true}, {3, false}, {2, true}} {
		if got := l.tell(id(0, c.number)); got != c.fresh {
			t.Errorf("event %d is new: %t", c.number, got)
		}
	}
	if n := l.waiting(4 * time.Second); n != 0 {
		t.Errorf("%d wait of those before the fourth", n)
	}
	if n := l.waiting(maxDue); n != 1 {
		t.Errorf("%d wait", n)
	}
	v := new(Violations)
	l.judge(v)
	if want := (&Violations{EventsLost: 1, EventsReordered: 1}); *v != *want || l.repeats != 1 || l.count() != 4 {
		t.Errorf("%s, %d repeats, %d told", v, l.repeats, l.count())
	}
}

// Every field of Violations is counted, added up and named.
func TestViolationsAreComplete(t *testing.T) {
	t.Parallel()
	one := new(Violations)
	fields := reflect.ValueOf(one).Elem()
	for i := range fields.NumField() {
		fields.Field(i).SetInt(int64(i + 1))
	}
	sum := new(Violations)
	sum.add(one)
	sum.add(one)
	for i := range fields.NumField() {
		if got := reflect.ValueOf(sum).Elem().Field(i).Int(); got != 2*int64(i+1) {
			t.Errorf("%s adds up to %d", fields.Type().Field(i).Name, got)
		}
	}
	if len(one.counts()) != fields.NumField() {
		t.Errorf("%d of %d fields have a name", len(one.counts()), fields.NumField())
	}
}

// A ratio is the median of the rounds' ratios, not the ratio of medians: a slow
// time of the machine meets both sides of a round.
func TestVariantsCompareRoundByRound(t *testing.T) {
	t.Parallel()
	rounds := func(acks ...float64) (out []round) {
		for _, ms := range acks {
			out = append(out, round{ack: &Percentiles{P50: ms, P99: 2 * ms}, cpu: 10 * ms})
		}
		return out
	}
	first := &side{name: "off", rounds: rounds(1, 10, 100)}
	second := &side{name: "on", rounds: rounds(2, 30, 110)}
	if v := first.variant(first); v.Against != nil || v.ToAck.P50 != 10 || v.ToTold != nil || v.ServerCPU != 100 {
		t.Errorf("the first is %+v", v)
	}
	v := second.variant(first)
	if v.ToAck.P50 != 30 || v.Against.AckP50 != 2 || v.Against.AckP99 != 2 || v.Against.AddedAckP50 != 10 || v.Against.ServerCPU != 2 || v.Against.ToldP50 != 0 {
		t.Errorf("the second is %+v against %+v", v, v.Against)
	}
	if got := median([]float64{4, 1, 3, 2}); got != 2.5 {
		t.Errorf("the median of four is %v", got)
	}
}

// TestBusinessGoesAndComesBack: refuses while it is away, and has the same address
// afterwards; what hangs is answered when it stops hanging.
func TestBusinessGoesAndComesBack(t *testing.T) {
	t.Parallel()
	b, err := startBusiness(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { b.close() }()
	if !answers(t.Context(), b.url()) {
		t.Error("no answer")
	}
	b.answer(hangs)
	answered := make(chan bool, 1)
	go func() { answered <- answers(t.Context(), b.url()) }()
	b.answer(answers503)
	if !<-answered {
		t.Error("a call that hung is not answered")
	}
	b.close()
	if answers(t.Context(), b.url()) {
		t.Error("an answer of one that is away")
	}
	if err := b.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !answers(t.Context(), b.url()) {
		t.Error("no answer after it came back")
	}
}
