package chaos

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/openimsdk/protocol/sdkws"
)

// fault is a promise the server broke.
type fault struct {
	kind  kind
	about *send // nil if it is about no single message
	text  string
}

// kind says which promise.
type kind string

const (
	ackLost        kind = "I1: an acked message is not stored as it was acked"
	answerChanged  kind = "I1: a repeated send got another answer than the first"
	storedTwice    kind = "I1: a message is stored twice"
	readWrong      kind = "I1: a sender has not read what he sent"
	shownUnstored  kind = "I1: a client was shown a message that is not in the log"
	badSeqs        kind = "I2: seqs are not 1, 2, 3 …"
	eventLost      kind = "I3: a stored message was not told"
	eventTwice     kind = "I3: a change was told under two ids"
	eventUnfounded kind = "I3: an event tells of what was not committed"
	eventChanged   kind = "I3: two attempts of one event differ"
	eventOrder     kind = "I3: events of a lane are out of order"
	eventStuck     kind = "I3: events are neither delivered nor on their way"
	presenceWrong  kind = "I3: the last presence event is not the truth"
	refusedStored  kind = "I4: a refused message left a trace"
	refusalTurned  kind = "I5: a refusal was turned into something else"
	badProtocol    kind = "the protocol was broken"
)

// send is one message a client sends, as often as it takes.
type send struct {
	id           string // clientMsgID
	number       int    // what the business server decides by
	refusal      int32  // the error code it must be answered with, 0 if it is sent
	conversation string
	content      string
	data         []byte // of the request

	// Guarded by record.mu.
	ack     *ack
	refused int32
	trace   []string
}

// ack is what a send was answered.
type ack struct {
	serverMsgID string
	sendTime    int64
}

// place is a position in a conversation.
type place struct {
	conversation string
	seq          int64
}

// entry is what is shown at a place.
type entry struct {
	id, serverMsgID, sendID, content string
	sendTime                         int64
}

// event is an after-event the business server was told.
type event struct {
	id, command string
	body        []byte
	delivered   bool
	eventBody
}

// eventBody is what is looked at in an event.
type eventBody struct {
	ClientMsgID string `json:"clientMsgID"`
	ServerMsgID string `json:"serverMsgID"`
	Seq         int64  `json:"seq"`
	SendTime    int64  `json:"sendTime"`
	Content     string `json:"content"`
	UserID      string `json:"userID"`
	PlatformID  int32  `json:"platformID"`
	ConnID      string `json:"connID"`
}

// moment is what a kill waits for.
type moment int

const (
	momentConnected moment = iota // a handshake was answered
	momentAcked                   // a send was acked
	momentPushed                  // a push arrived
	momentAsked                   // the business server is asked
	momentTold                    // the business server is told
	moments
)

// record is all that clients and business server saw, over all lives of the
// server. What contradicts itself is a fault at once; the rest is checked when
// everything has come to rest.
type record struct {
	audited, fetched *copies

	wanted kind // of faults: enough is known when there is one; "" is any

	mu        sync.Mutex
	changed   chan struct{} // closed with every change
	round     int
	counts    [moments]int // in this round
	left      int          // clients that lost their connection in this round
	sends     map[string]*send
	shown     map[place]entry
	places    map[string]place // by clientMsgID
	events    map[string]*event
	delivered []*event // by their first delivery
	faults    []fault
}

func newRecord(wanted kind) *record {
	return &record{
		audited: newCopies(), fetched: newCopies(),
		wanted: wanted, changed: make(chan struct{}),
		sends: make(map[string]*send), shown: make(map[place]entry), places: make(map[string]place), events: make(map[string]*event),
	}
}

func (r *record) begin(round int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.round, r.counts, r.left = round, [moments]int{}, 0
}

// notify counts a moment and wakes who waits. The caller holds mu.
func (r *record) notify(m moment) {
	r.counts[m]++
	r.wake()
}

func (r *record) wake() {
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *record) clientLeft() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left++
	r.wake()
}

// await waits until done, which is called with mu held, or until the time is up.
func (r *record) await(patience time.Duration, done func() bool) bool {
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		r.mu.Lock()
		ok, changed := done(), r.changed
		r.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-changed:
		case <-late.C:
			return false
		}
	}
}

// enough reports whether the faults found are what was looked for. The caller
// holds mu.
func (r *record) enough() bool {
	return slices.ContainsFunc(r.faults, func(f fault) bool { return r.wanted == "" || f.kind == r.wanted })
}

func (r *record) hasEnough() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.enough()
}

func (r *record) fault(k kind, about *send, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faultLocked(k, about, format, args...)
}

func (r *record) faultLocked(k kind, about *send, format string, args ...any) {
	r.faults = append(r.faults, fault{k, about, fmt.Sprintf("round %d: ", r.round) + fmt.Sprintf(format, args...)})
	r.wake()
}

// note adds to a message's history. The caller holds mu.
func (r *record) note(s *send, format string, args ...any) {
	s.trace = append(s.trace, fmt.Sprintf("round %d: ", r.round)+fmt.Sprintf(format, args...))
}

func (r *record) connected() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notify(momentConnected)
}

func (r *record) sent(s *send) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sends[s.id] = s
	r.note(s, "sent")
}

// acked notes a good answer to a send.
func (r *record) acked(s *send, a ack) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.note(s, "acked as %s at %d", a.serverMsgID, a.sendTime)
	switch {
	case s.refusal != 0:
		r.faultLocked(refusalTurned, s, "acked, but the business server refused it")
	case s.ack == nil:
		s.ack = &a
	case *s.ack != a:
		r.faultLocked(answerChanged, s, "first %+v, then %+v", *s.ack, a)
	}
	r.notify(momentAcked)
}

// refused notes an answer with an error code.
func (r *record) refused(s *send, code int32, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.note(s, "refused with %d %s", code, text)
	if code != s.refusal {
		r.faultLocked(refusalTurned, s, "answered with %d %s, want %d", code, text, s.refusal)
	}
	s.refused = code
	r.notify(momentAcked)
}

// saw notes that a client was shown a message.
func (r *record) saw(who *client, how, conversation string, m *sdkws.MsgData) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := place{conversation, m.Seq}
	e := entryOf(m)
	s := r.sends[e.id]
	switch {
	case s == nil:
		r.faultLocked(badProtocol, nil, "%s shown to client %d at %v is nothing that was sent: %v", how, who.index, at, m)
		return
	case s.conversation != conversation || s.content != e.content:
		r.faultLocked(badProtocol, s, "%s shown to client %d at %v: %q, want %q in %s", how, who.index, at, e.content, s.content, s.conversation)
	}
	before, known := r.shown[at]
	if !known {
		r.shown[at] = e
	}
	if !known || before != e || how == byPush {
		r.note(s, "shown to client %d %s at seq %d as %s", who.index, how, m.Seq, e.serverMsgID)
	}
	if known && before != e {
		r.faultLocked(shownUnstored, s, "at %v stood %+v, then %+v", at, before, e)
		if other := r.sends[before.id]; other != s {
			r.note(other, "replaced at seq %d by %s", m.Seq, s.id)
		}
	}
	if first, ok := r.places[e.id]; ok && first != at {
		r.faultLocked(storedTwice, s, "at %v and at %v", first, at)
	}
	r.places[e.id] = at
	if how == byPush {
		r.notify(momentPushed)
	}
}

// How a message came to a client.
const (
	byPush = "by push"
	byPull = "by pull"
)

func entryOf(m *sdkws.MsgData) entry {
	return entry{m.ClientMsgID, m.ServerMsgID, m.SendID, string(m.Content), m.SendTime}
}

func (r *record) asked() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notify(momentAsked)
}

// told notes one attempt to deliver an event, and whether it will be answered
// as delivered.
func (r *record) told(id, command string, raw []byte, body eventBody, delivers bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.notify(momentTold)
	s := r.sends[body.ClientMsgID]
	if s != nil {
		r.note(s, "told as %s, event %s, delivered: %t", command, id, delivers)
	}
	e, known := r.events[id]
	switch {
	case id == "":
		r.faultLocked(eventChanged, s, "%s has no webhook-id: %s", command, raw)
		return
	case !known:
		e = &event{id: id, command: command, body: raw, eventBody: body}
		r.events[id] = e
	case e.command != command || string(e.body) != string(raw):
		r.faultLocked(eventChanged, s, "event %s first %s %s, then %s %s", id, e.command, e.body, command, raw)
	}
	if delivers && !e.delivered {
		e.delivered = true
		r.delivered = append(r.delivered, e)
	}
}

// String shows a fault with all that is known of its message.
func (f fault) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\t%s", f.kind, f.text)
	if f.about != nil {
		fmt.Fprintf(&b, "\n\tmessage %s, number %d, in %s:", f.about.id, f.about.number, f.about.conversation)
		for _, line := range f.about.trace {
			b.WriteString("\n\t\t" + line)
		}
	}
	return b.String()
}
