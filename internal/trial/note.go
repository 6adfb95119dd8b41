package trial

import (
	"slices"
	"time"

	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/webhook"
)

// Kind is what a note tells of.
type Kind string

// Kinds of notes.
const (
	Sent     Kind = "sent"     // a phone sends
	Asked    Kind = "asked"    // a before-callback reaches its handler
	Judged   Kind = "judged"   // and what its answer comes to
	Stored   Kind = "stored"   // the phone's send was acknowledged
	Refused  Kind = "refused"  // or refused
	Received Kind = "received" // a message was pushed to a phone
	Told     Kind = "told"     // an attempt to deliver an after-event
	Failed   Kind = "failed"   // a phone lost its connection
	Over     Kind = "over"     // the trial ended
)

// None is the phone of notes that are about neither.
const None = -1

// Note is one thing that happened.
type Note struct {
	N     int // counts from 1, through all trials
	Kind  Kind
	At    time.Time
	Phone int

	ID          string // of the message, its client's; and of the operation
	ServerMsgID string
	Seq         int64
	Text        string // of the message or of the refusal; who ended the trial
	Code        int

	Callback, Command string
	EventID           string
	Attempt           int
	Body, Answer      string
	Status            int
	Outcome, Reason   string
	Took              time.Duration
}

// State is a trial as it is shown.
type State struct {
	Running  bool
	By       string
	Settings Settings
	Began    time.Time
	Until    time.Time // when it ends if nothing is done
	Left     int       // messages that may be sent
	Begun    int       // trials since the server started: notes of an earlier one are gone
	Last     int       // number of the newest note
}

// State is the trial as it is now.
func (s *Service) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := State{Begun: s.begun, Last: s.next - 1}
	if c := s.current; c != nil {
		st.Running, st.By, st.Settings, st.Began, st.Left = !c.ending, c.by, c.settings, c.began, mostSends-c.sends
		st.Until = c.touched.Add(idle)
		if last := c.began.Add(longest); last.Before(st.Until) {
			st.Until = last
		}
	}
	return st
}

// Since returns the notes after one, oldest first, and what is closed when there
// is something new. Whoever reads slowly finds the newest notes only; nobody waits
// for him.
func (s *Service) Since(after int) ([]Note, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, _ := slices.BinarySearchFunc(s.notes, after+1, func(n Note, want int) int { return n.N - want })
	return slices.Clone(s.notes[i:]), s.moved
}

func (s *Service) note(n Note) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(n)
}

// add notes what happened; s.mu is held.
func (s *Service) add(n Note) {
	n.N, n.At = s.next, s.o.Now()
	s.next++
	if len(s.notes) == notesKept {
		s.notes = slices.Delete(s.notes, 0, 1)
	}
	s.notes = append(s.notes, n)
	s.wake()
}

func (s *Service) wake() {
	close(s.moved)
	s.moved = make(chan struct{})
}

// saw notes a call that the webhook engine made.
func (s *Service) saw(c webhook.Call) {
	n := Note{
		Phone: None, ID: c.ClientMsgID, ServerMsgID: c.ServerMsgID, Callback: c.Callback, Command: c.Command, EventID: c.EventID, Attempt: c.Attempt,
		Body: shown(c.Body), Answer: shown(c.Answer), Status: c.Status, Outcome: c.Outcome, Reason: c.Reason, Code: c.ErrCode,
		Took: time.Duration(c.DurationMS) * time.Millisecond,
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch c.Kind {
	case store.DeliveryAfter:
		n.Kind = Told
	case store.DeliveryBefore:
		if s.current == nil || s.current.settings.Handler != Sample {
			asked := n
			asked.Kind, asked.Answer, asked.Status, asked.Outcome, asked.Reason, asked.Code, asked.Took = Asked, "", 0, "", "", 0, 0
			s.add(asked) // the sample handler notes it by itself, in time
		}
		n.Kind, n.Body = Judged, ""
	default:
		return
	}
	s.add(n)
}

func shown(b []byte) string {
	cut := b[:min(len(b), shownBytes)]
	if len(cut) < len(b) {
		return string(cut) + " …"
	}
	return string(cut)
}
