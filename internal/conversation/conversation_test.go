package conversation_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"github.com/parley-im/parley/internal/conversation"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
	"github.com/parley-im/parley/internal/wire"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// told counts what each user would be sent, and keeps it.
type told struct {
	mu   sync.Mutex
	to   map[string]int
	sent []*im.Message
}

// Deliver implements message.Deliverer.
func (d *told) Deliver(m *im.Message, recipients im.Audience, _ string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sent = append(d.sent, m)
	for id := range recipients.All() {
		d.to[id]++
	}
}

func start(t *testing.T, open storetest.Open, userIDs ...string) (*conversation.Service, *told) {
	t.Helper()
	return startStyled(t, open, nil, userIDs...)
}

func startStyled(t *testing.T, open storetest.Open, style func(im.ContentType) message.NoticeStyle, userIDs ...string) (*conversation.Service, *told) {
	t.Helper()
	s := open(store.Options{})
	if err := s.Write(t.Context(), func(tx *store.Tx) error {
		for _, id := range userIDs {
			if err := tx.InsertUser(im.User{UserID: id}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	d := &told{to: map[string]int{}}
	log := slog.New(slog.DiscardHandler)
	return conversation.New(s, message.New(s, nil, d, wire.Notices{}, message.Options{Logger: log, Style: style}), log), d
}

func single(a, b string) conversation.Target {
	return conversation.Target{ConversationID: im.SingleConversation(a, b), Type: im.SingleChat, UserID: b}
}

// Both sides of chats turn them private at the same time: each row is made
// once and changed once.
func TestSetFromBothSides(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		userIDs := []string{"a", "b", "c", "d"}
		s, d := start(t, open, userIDs...)
		private := true
		var wg sync.WaitGroup
		for _, one := range userIDs {
			for _, other := range userIDs {
				if one == other {
					continue
				}
				wg.Go(func() {
					if err := s.Set(context.Background(), []string{one}, single(one, other), store.ConversationChange{PrivateChat: &private}); err != nil {
						t.Errorf("%s with %s: %v", one, other, err)
					}
				})
			}
		}
		wg.Wait()
		for _, owner := range userIDs {
			v, ids, err := s.IDs(t.Context(), owner)
			if err != nil || len(ids) != len(userIDs)-1 || v.Version != uint64(len(ids)) {
				t.Errorf("%s has %v at version %d, %v", owner, ids, v.Version, err)
			}
			if d.to[owner] != len(ids) {
				t.Errorf("%s was told %d times of %d changes", owner, d.to[owner], len(ids))
			}
		}
	})
}

// Turning a chat private is a line in the chat, once, whichever side repeats it.
func TestPrivateChatIsShown(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		s, d := startStyled(t, open, func(im.ContentType) message.NoticeStyle { return message.NoticeStyle{Chat: true} }, "a", "b")
		for _, step := range []struct {
			owner, peer string
			private     bool
			shown       int // messages so far: each line is a chat message and a notification
		}{{"a", "b", true, 2}, {"a", "b", true, 2}, {"b", "a", true, 2}, {"b", "a", false, 4}} {
			if err := s.Set(t.Context(), []string{step.owner}, single(step.owner, step.peer), store.ConversationChange{PrivateChat: &step.private}); err != nil {
				t.Fatalf("%+v: %v", step, err)
			}
			if len(d.sent) != step.shown {
				t.Fatalf("%+v: %d messages", step, len(d.sent))
			}
			for _, id := range []string{"a", "b"} {
				if row, err := s.One(t.Context(), id, "si_a_b"); err != nil || row.PrivateChat != step.private {
					t.Errorf("%+v: %s has %+v, %v", step, id, row, err)
				}
			}
		}
		for i, want := range []struct {
			log  im.ConversationID
			seq  im.Seq
			from string
		}{{"si_a_b", 1, "a"}, {"n_a_b", 0, "a"}, {"si_a_b", 2, "b"}, {"n_a_b", 0, "b"}} {
			m := d.sent[i]
			if m.ConversationID != want.log || m.Seq != want.seq || m.SendID != want.from || m.ContentType != 1701 {
				t.Errorf("message %d is %+v, want %+v", i, m, want)
			}
		}
		const detail = `{"detail":"{\"recvID\":\"a\",\"sendID\":\"b\",\"isPrivate\":false,\"conversationID\":\"si_a_b\"}"}`
		if got := string(d.sent[2].Content); got != detail {
			t.Errorf("content %s", got)
		}
	})
}

func TestChanges(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		s, _ := start(t, open, "a", "b", "c")
		set := func(other string, c store.ConversationChange) {
			t.Helper()
			if err := s.Set(t.Context(), []string{"a"}, single("a", other), c); err != nil {
				t.Fatal(err)
			}
		}
		first, err := s.Changes(t.Context(), "a", im.Version{})
		if err != nil || !first.Full || first.Version.Version != 1 {
			t.Fatalf("%+v, %v", first, err)
		}
		yes, no, ex := true, false, "ex"
		set("b", store.ConversationChange{Pinned: &yes})
		set("c", store.ConversationChange{Ex: &ex})
		mid, err := s.Changes(t.Context(), "a", first.Version)
		if err != nil || mid.Full || len(mid.Inserted) != 2 || len(mid.Updated) != 0 || mid.Version.Version != 3 {
			t.Fatalf("%+v, %v", mid, err)
		}
		if pinned, err := s.Pinned(t.Context(), "a"); err != nil || !slices.Equal(pinned, []im.ConversationID{"si_a_b"}) {
			t.Errorf("pinned %v, %v", pinned, err)
		}
		set("b", store.ConversationChange{Pinned: &no})
		set("b", store.ConversationChange{Pinned: &no}) // as it is
		last, err := s.Changes(t.Context(), "a", mid.Version)
		if err != nil || len(last.Inserted) != 0 || len(last.Updated) != 1 || last.Updated[0].Pinned || last.Version.Version != 4 {
			t.Errorf("%+v, %v", last, err)
		}
		if other, err := s.Changes(t.Context(), "b", im.Version{}); err != nil || other.Version.Version != 1 {
			t.Errorf("the peer's list: %+v, %v", other, err)
		}
		if err := s.Set(t.Context(), []string{"a"}, single("a", "nobody"), store.ConversationChange{Pinned: &yes}); !errors.Is(err, im.ErrNotFound) {
			t.Errorf("with nobody: %v", err)
		}
	})
}
