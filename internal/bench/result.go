package bench

import (
	"fmt"
	"strings"
	"time"
)

// Result is what a run found; what does not apply is left out of its JSON.
type Result struct {
	Work    string  `json:"work"`
	Users   int     `json:"users,omitempty"`
	Rate    int     `json:"rate,omitempty"`
	Seconds float64 `json:"seconds,omitempty"` // measured, without the warm-up

	Messages            int64   `json:"messages,omitempty"`   // acknowledged in that time
	Deliveries          int64   `json:"deliveries,omitempty"` // received by others than their sender
	MessagesPerSecond   float64 `json:"messagesPerSecond,omitempty"`
	DeliveriesPerSecond float64 `json:"deliveriesPerSecond,omitempty"`
	// From the time a message was due to be sent; in the closed works that is
	// the time it was sent.
	ToAck     *Percentiles `json:"toAckMs,omitempty"`
	ToReceipt *Percentiles `json:"toReceiptMs,omitempty"`

	// CPU time per delivery: the server's, when its process id was given, and our own.
	ServerCPU    float64 `json:"serverCPUMicrosPerDelivery,omitempty"`
	GeneratorCPU float64 `json:"generatorCPUMicrosPerDelivery,omitempty"`

	ConnectionsPerSecond float64   `json:"connectionsPerSecond,omitempty"`
	RSSBefore            int64     `json:"rssBeforeBytes,omitempty"`
	RSSAfter             int64     `json:"rssAfterBytes,omitempty"`
	RSSPerConnection     float64   `json:"rssPerConnectionBytes,omitempty"`
	ReadyMillis          []float64 `json:"readyMs,omitempty"` // every start, the first on an empty data directory
	ReadyMedian          float64   `json:"readyMedianMs,omitempty"`

	Phases []Phase `json:"phases,omitempty"` // of work groups

	Rounds   int       `json:"rounds,omitempty"`   // of each variant
	Variants []Variant `json:"variants,omitempty"` // of works hooks and isolation
	Outage   *Outage   `json:"outage,omitempty"`

	Violations   *Violations `json:"violations,omitempty"`
	FirstRefusal string      `json:"firstRefusal,omitempty"`
}

// Percentiles are in milliseconds.
type Percentiles struct {
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// Violations count broken promises, over the whole run with its warm-up.
type Violations struct {
	Lost         int64 `json:"lost"`         // acknowledged, and never pushed to someone who was online
	Doubled      int64 `json:"doubled"`      // pushed to one connection more than once
	Reordered    int64 `json:"reordered"`    // pushed after a later message of its conversation
	SeqMissing   int64 `json:"seqMissing"`   // positions of a conversation nobody was shown
	SeqRepeated  int64 `json:"seqRepeated"`  // positions given to two messages
	Refused      int64 `json:"refused"`      // answered with an error
	Leaked       int64 `json:"leaked"`       // refused, and pushed all the same
	Unanswered   int64 `json:"unanswered"`   // no answer by the end
	EarlyEchoes  int64 `json:"earlyEchoes"`  // pushed to its sender before the acknowledgement
	BadAnswers   int64 `json:"badAnswers"`   // undecodable, or not an answer to anything asked
	Disconnected int64 `json:"disconnected"` // connections the server ended

	EventsLost      int64 `json:"eventsLost"`      // stored messages whose after-event a handler was not told
	EventsReordered int64 `json:"eventsReordered"` // told after the event of a later message of the same sender
}

// add counts those of another run, too.
func (v *Violations) add(o *Violations) {
	others := o.counts()
	for i, c := range v.counts() {
		*c.n += *others[i].n
	}
}

func (v *Violations) any() bool { return *v != Violations{} }

func (v *Violations) String() string {
	var parts []string
	for _, c := range v.counts() {
		if *c.n != 0 {
			parts = append(parts, fmt.Sprintf("%d %s", *c.n, c.what))
		}
	}
	return strings.Join(parts, ", ")
}

// violation is one count, with its name.
type violation struct {
	n    *int64
	what string
}

func (v *Violations) counts() []violation {
	return []violation{
		{&v.Lost, "lost"},
		{&v.Doubled, "doubled"},
		{&v.Reordered, "reordered"},
		{&v.SeqMissing, "seqs missing"},
		{&v.SeqRepeated, "seqs repeated"},
		{&v.Refused, "refused"},
		{&v.Leaked, "refused but delivered"},
		{&v.Unanswered, "unanswered"},
		{&v.EarlyEchoes, "echoed before their answer"},
		{&v.BadAnswers, "bad answers"},
		{&v.Disconnected, "disconnected"},
		{&v.EventsLost, "events lost"},
		{&v.EventsReordered, "events reordered"},
	}
}

// row is the result as a line of a table for people.
func (r *Result) row() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %-12s | ", r.Work)
	switch r.Work {
	case Idle:
		fmt.Fprintf(&b, "%d connections | %.1f kB each | %.0f connects/s", r.Users, r.RSSPerConnection/1000, r.ConnectionsPerSecond)
	case Groups:
		fmt.Fprintf(&b, "%d members", r.Users)
		for _, p := range r.Phases {
			fmt.Fprintf(&b, " | %s p50 %.2f max %.2f", p.Name, p.Millis.P50, p.Millis.Max)
			if p.Complete > 0 {
				fmt.Fprintf(&b, " all %.0f", p.Complete)
			}
			if p.Others != nil {
				fmt.Fprintf(&b, " (others p99 %.2f max %.2f)", p.Others.P99, p.Others.Max)
			}
			b.WriteString(" ms")
		}
	case Hooks, Isolation:
		fmt.Fprintf(&b, "%d users, %d messages/s, %d rounds", r.Users, r.Rate, r.Rounds)
		for _, v := range r.Variants {
			b.WriteString(v.row())
		}
	case OutageWork:
		b.WriteString(r.Outage.row())
	case Start:
		fmt.Fprintf(&b, "first %.0f ms, then median %.0f ms | idle %.1f MB", r.ReadyMillis[0], r.ReadyMedian, float64(r.RSSAfter)/1e6)
	default:
		fmt.Fprintf(&b, "%d users | %.0f messages/s | %.0f deliveries/s", r.Users, r.MessagesPerSecond, r.DeliveriesPerSecond)
		if r.ToReceipt != nil {
			fmt.Fprintf(&b, " | to receipt p50 %.2f p90 %.2f p99 %.2f ms", r.ToReceipt.P50, r.ToReceipt.P90, r.ToReceipt.P99)
		}
		if r.ToAck != nil {
			fmt.Fprintf(&b, " | to ack p50 %.2f p99 %.2f ms", r.ToAck.P50, r.ToAck.P99)
		}
		if r.ServerCPU != 0 {
			fmt.Fprintf(&b, " | server CPU %.1f us", r.ServerCPU)
		}
	}
	verdict := "clean"
	if r.Violations != nil && r.Violations.any() {
		verdict = r.Violations.String()
	}
	fmt.Fprintf(&b, " | %s |", verdict)
	return b.String()
}

// row is a variant's part of it.
func (v *Variant) row() string {
	text := fmt.Sprintf(" | %s: to ack p50 %.2f p99 %.2f ms, server CPU %.0f us", v.Name, v.ToAck.P50, v.ToAck.P99, v.ServerCPU)
	if v.ToTold != nil {
		text += fmt.Sprintf(", event told p50 %.2f p99 %.2f ms", v.ToTold.P50, v.ToTold.P99)
	}
	a := v.Against
	if a == nil {
		return text
	}
	text += fmt.Sprintf(" (ack p50 x%.2f = %+.2f ms, p99 x%.2f, CPU x%.2f = %+.0f us", a.AckP50, a.AddedAckP50, a.AckP99, a.ServerCPU, a.AddedCPU)
	if a.ToldP50 > 0 {
		text += fmt.Sprintf(", told p50 x%.2f p99 x%.2f", a.ToldP50, a.ToldP99)
	}
	return text + ")"
}

func (o *Outage) row() string {
	text := fmt.Sprintf("%s for %.0f s: detected after %.0f ms, %d probes, noticed %.0f ms after its end, %d events drained after %.0f ms",
		o.Fault, o.Seconds, o.Detected, o.Probes, o.Noticed, o.Backlog, o.Drained)
	for _, p := range o.Phases {
		if p.ToAck != nil {
			text += fmt.Sprintf(" | %s: to ack p50 %.2f p99 %.2f ms", p.Name, p.ToAck.P50, p.ToAck.P99)
		}
		if p.ToTold != nil {
			text += fmt.Sprintf(", told p50 %.2f p99 %.2f ms", p.ToTold.P50, p.ToTold.P99)
		}
	}
	return text
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
