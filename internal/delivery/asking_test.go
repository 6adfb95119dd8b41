package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/parley-im/parley/internal/delivery"
	"github.com/parley-im/parley/internal/im"
)

// handler is a business server that answers when it is let.
type handler struct {
	mu     sync.Mutex
	on     bool
	gates  map[im.ConversationID]chan struct{} // closed: answers at once
	answer func(*im.MayDeliver) error
	asked  []string
}

func (h *handler) Wants(im.QuestionKind) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.on
}

func (h *handler) Ask(_ context.Context, q im.Question) error {
	d := q.(*im.MayDeliver)
	h.mu.Lock()
	h.asked = append(h.asked, fmt.Sprint(d.Message.ClientMsgID, d.UserIDs))
	gate := h.gates[d.Message.LogID()]
	h.mu.Unlock()
	if gate != nil {
		<-gate
	}
	if h.answer == nil {
		return nil
	}
	return h.answer(d)
}

type conns struct {
	mu   sync.Mutex
	sent []string
}

func (c *conns) Push(users im.Audience, m *im.Message, _ string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent = append(c.sent, fmt.Sprint(m.ClientMsgID, users.IDs()))
}

func (c *conns) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	sent := c.sent
	c.sent = nil
	return sent
}

func single(id, from, to string) *im.Message {
	return &im.Message{ClientMsgID: id, SendID: from, RecvID: to, SessionType: im.SingleChat, Seq: 1}
}

func TestAsking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, c := &handler{}, &conns{}
		a := delivery.NewAsking(t.Context(), delivery.New(c), h, slog.New(slog.DiscardHandler))
		expect := func(what string, want ...string) {
			t.Helper()
			synctest.Wait()
			if got := c.take(); !slices.Equal(got, want) {
				t.Errorf("%s: delivered %q, want %q", what, got, want)
			}
		}
		a.Deliver(single("off", "a", "b"), im.AudienceOf("b", "a"), "")
		if got := c.take(); !slices.Equal(got, []string{"off[a b]"}) { // before Deliver returned
			t.Errorf("off: %q", got)
		}

		stuck := make(chan struct{})
		slow := single("s1", "a", "b")
		h.on, h.gates = true, map[im.ConversationID]chan struct{}{slow.LogID(): stuck}
		a.Deliver(slow, im.AudienceOf("b", "a"), "")
		a.Deliver(single("s2", "b", "a"), im.AudienceOf("a", "b"), "")
		a.Deliver(single("other", "a", "c"), im.AudienceOf("c", "a"), "")
		expect("one conversation waits", "other[a c]")
		if decided, _ := a.Decided("s1"); decided {
			t.Error("s1 is not decided yet")
		}
		h.mu.Lock()
		h.on = false
		h.mu.Unlock()
		a.Deliver(single("s3", "a", "b"), im.AudienceOf("b", "a"), "") // must not overtake
		expect("still waits")
		close(stuck)
		expect("in order", "s1[a b]", "s2[a b]", "s3[a b]")
		if decided, may := a.Decided("s1"); !decided || !may {
			t.Error("s1 is decided and may be pushed")
		}

		h.on = true
		h.answer = func(d *im.MayDeliver) error {
			switch d.Message.ClientMsgID {
			case "no":
				return errors.New("refused")
			case "some":
				d.UserIDs = []string{"b", "stranger"}
			}
			return nil
		}
		a.Deliver(single("no", "a", "b"), im.AudienceOf("b", "a"), "")
		a.Deliver(single("some", "a", "b"), im.AudienceOf("b", "a"), "")
		g := &im.Message{ClientMsgID: "some", SendID: "a", GroupID: "g", SessionType: im.GroupChat, Seq: 1}
		a.Deliver(g, im.AudienceOf("a", "b", "c"), "")
		synctest.Wait()
		got := c.take()
		slices.Sort(got)
		if want := []string{"some[b]", "some[b]"}; !slices.Equal(got, want) {
			t.Errorf("answers: %q, want %q", got, want)
		}
		if decided, may := a.Decided("no"); !decided || may {
			t.Error("a refused message is decided and may not be pushed")
		}
		if last := h.asked[len(h.asked)-1]; last != "some[]" && !slices.Contains(h.asked, "some[]") {
			t.Errorf("of a group nobody is named: %q", h.asked)
		}
	})
}

// A handler that never answers holds up its conversation and a bounded number of
// messages.
func TestAskingIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := make(chan struct{})
		m := single("m", "a", "b")
		h, c := &handler{on: true, gates: map[im.ConversationID]chan struct{}{m.LogID(): never}}, &conns{}
		a := delivery.NewAsking(t.Context(), delivery.New(c), h, slog.New(slog.DiscardHandler))
		for i := range 1010 {
			a.Deliver(single(fmt.Sprint(i), "a", "b"), im.AudienceOf("b"), "")
		}
		if got := a.Skipped(); got != 10 {
			t.Errorf("%d skipped", got)
		}
		close(never)
		synctest.Wait()
		if got := len(c.take()); got != 1000 {
			t.Errorf("%d delivered", got)
		}
	})
}
