package push_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/outbox"
	"github.com/parley-im/parley/internal/push"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// vendor takes everything unless it is told otherwise.
type vendor struct {
	tokens  bool
	outcome map[string]push.Outcome // by token or user

	mu   sync.Mutex
	sent []sent
}

type sent struct {
	to     []string
	badges []int64
	n      push.Notification
}

func (v *vendor) Name() string { return "test" }
func (v *vendor) Tokens() bool { return v.tokens }
func (v *vendor) Batch() int   { return 400 }

func (v *vendor) Push(_ context.Context, n push.Notification, targets []push.Target) (results []push.Result) {
	s := sent{n: n}
	for _, t := range targets {
		id := t.UserID
		if v.tokens {
			id = t.Token
		}
		s.to, s.badges = append(s.to, id), append(s.badges, t.Badge)
		o := push.Accepted
		if other, ok := v.outcome[id]; ok {
			o = other
		}
		results = append(results, push.Result{Target: t, Outcome: o, After: time.Minute, Reason: "as told"})
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sent = append(v.sent, s)
	return results
}

// kit is a service whose outbox rows are worked on by hand.
type kit struct {
	*push.Service
	t     *testing.T
	store *store.Store
	clock *storetest.Clock
	out   *vendor
	there map[string]bool
	rows  []store.OutboxEvent // recorded and not delivered
}

// Render keeps what is recorded instead of storing it.
func (k *kit) Render(e im.Event) []store.OutboxEvent {
	k.rows = append(k.rows, k.Service.Render(e)...)
	return nil
}

func start(t *testing.T, open storetest.Open, o push.Options) *kit {
	t.Helper()
	k := &kit{t: t, clock: storetest.NewClock(), out: &vendor{}, there: map[string]bool{}}
	if o.Vendor == nil && o.Hooks == nil {
		o.Vendor = k.out
	}
	o.Reached = func(userID string) bool { return k.there[userID] }
	k.Service = push.New(o)
	k.store = open(store.Options{Recorder: k, Now: k.clock.Now})
	k.Use(k.store)
	return k
}

func (k *kit) write(f func(tx *store.Tx) error) {
	k.t.Helper()
	if err := k.store.Write(k.t.Context(), f); err != nil {
		k.t.Fatal(err)
	}
}

func (k *kit) users(ids ...string) {
	k.t.Helper()
	for _, id := range ids {
		k.write(func(tx *store.Tx) error { return tx.InsertUser(im.User{UserID: id, Nickname: id}) })
	}
}

func (k *kit) send(m *im.Message) *im.Message {
	k.t.Helper()
	m.ConversationID = m.LogID()
	m.SendTime = im.MillisOf(k.clock.Now())
	if m.Content == nil {
		m.Content = []byte(`{"content":"x"}`)
	}
	if m.ContentType == 0 {
		m.ContentType = im.ContentText
	}
	a := &store.Append{Message: m, OperationID: "op", Unstored: !m.Options.On(im.OptionHistory)}
	if err := k.store.Append(k.t.Context(), a); err != nil {
		k.t.Fatal(err)
	}
	return m
}

// work delivers what was recorded until nothing is left that is due.
func (k *kit) work() (left []outbox.Result) {
	k.t.Helper()
	for len(k.rows) > 0 {
		row := k.rows[0]
		k.rows = k.rows[1:]
		r := k.Deliver(k.t.Context(), &row, 1)
		if r.Verdict != outbox.Delivered {
			left = append(left, r)
			k.clock.Pass(r.After)
			k.rows = append(k.rows, row)
			if len(left) > 50 {
				k.t.Fatal("never done")
			}
		}
	}
	return left
}

// reached lists who was pushed to since the last time, sorted.
func (v *vendor) reached() (ids []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, s := range v.sent {
		ids = append(ids, s.to...)
	}
	v.sent = nil
	slices.Sort(ids)
	return ids
}

func text(id, from, to string) *im.Message {
	return &im.Message{ClientMsgID: id, SendID: from, RecvID: to, SessionType: im.SingleChat}
}

// The table of who is pushed to (websocket-and-messages 11.1).
func TestWhoIsPushedTo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what    string
		message *im.Message
		prepare func(k *kit, m *im.Message)
		want    bool
	}{
		{what: "a receiver who is away", message: text("m", "alice", "bob"), want: true},
		{what: "who is there", message: text("m", "alice", "bob"), prepare: func(k *kit, _ *im.Message) { k.there["bob"] = true }},
		{what: "oneself", message: text("m", "bob", "bob")},
		{
			what:    "a message that says no",
			message: &im.Message{ClientMsgID: "m", SendID: "alice", RecvID: "bob", SessionType: im.SingleChat, Options: im.Options{im.OptionOfflinePush: false}},
		},
		{
			what: "who has read it meanwhile", message: text("m", "alice", "bob"),
			prepare: func(k *kit, m *im.Message) {
				k.write(func(tx *store.Tx) error { _, err := tx.AdvanceReadSeq("bob", m.ConversationID, m.Seq); return err })
			},
		},
		{
			what: "a message revoked meanwhile", message: text("m", "alice", "bob"),
			prepare: func(k *kit, m *im.Message) {
				k.write(func(tx *store.Tx) error {
					_, err := tx.Revoke(m.ConversationID, m.Seq, im.Revocation{RevokerID: "alice", At: 1})
					return err
				})
			},
		},
		{
			what: "a quiet user", message: text("m", "alice", "bob"),
			prepare: func(k *kit, _ *im.Message) {
				quiet := im.RecvNoNotify
				k.write(func(tx *store.Tx) error { _, err := tx.UpdateUser("bob", im.UserChange{RecvOpt: &quiet}); return err })
			},
		},
		{
			what: "a message of yesterday", message: text("m", "alice", "bob"),
			prepare: func(k *kit, _ *im.Message) { k.clock.Pass(25 * time.Hour) },
		},
		{
			what: "a message that is not stored", want: true,
			message: &im.Message{ClientMsgID: "m", SendID: "alice", RecvID: "bob", SessionType: im.SingleChat, Options: im.Options{im.OptionHistory: false}},
		},
		{
			what: "a notification", want: true,
			message: &im.Message{
				ClientMsgID: "m", SendID: "alice", RecvID: "bob", SessionType: im.SingleChat, ContentType: 1203, Content: []byte(`{"detail":"{}"}`),
				Options: im.Options{im.OptionNotNotification: false, im.OptionHistory: false}, Push: &im.PushInfo{Title: "t"},
			},
		},
	} {
		t.Run(c.what, func(t *testing.T) {
			k := start(t, storetest.SQLite(t), push.Options{})
			k.users("alice", "bob")
			m := k.send(c.message)
			if c.prepare != nil {
				c.prepare(k, m)
			}
			k.work()
			var want []string
			if c.want {
				want = []string{"bob"}
			}
			if got := k.out.reached(); !slices.Equal(got, want) {
				t.Errorf("pushed to %v, want %v", got, want)
			}
		})
	}
}

// A group is gone through in pages; quiet members, the sender and those who are
// there are left alone.
func TestGroups(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		k := start(t, open, push.Options{})
		const members = 1203
		var want []string
		k.write(func(tx *store.Tx) error {
			var list []im.Member
			for i := range members {
				id := fmt.Sprintf("u%04d", i)
				if err := tx.InsertUser(im.User{UserID: id, Nickname: id}); err != nil {
					return err
				}
				list = append(list, im.Member{GroupID: "g", UserID: id, Role: im.RoleMember})
				if i > 2 {
					want = append(want, id)
				}
			}
			if err := tx.InsertGroup(im.Group{GroupID: "g", OwnerID: "u0000"}); err != nil {
				return err
			}
			_, err := tx.InsertMembers("g", list)
			return err
		})
		k.there["u0001"] = true
		k.write(func(tx *store.Tx) error {
			_, err := tx.InsertConversation(im.Conversation{OwnerID: "u0002", ConversationID: "sg_g", Type: im.GroupChat, GroupID: "g", RecvOpt: im.RecvNoNotify})
			return err
		})
		k.send(&im.Message{ClientMsgID: "m", SendID: "u0000", GroupID: "g", SessionType: im.GroupChat, AtUserIDs: []string{"u0002"}})
		if len(k.rows) != 1 {
			t.Fatalf("%d rows recorded", len(k.rows))
		}
		k.work()
		for _, s := range k.out.sent {
			if len(s.to) > k.out.Batch() {
				t.Errorf("a batch of %d", len(s.to))
			}
		}
		if got := k.out.reached(); !slices.Equal(got, want) {
			t.Errorf("pushed to %d, want %d", len(got), len(want))
		}
	})
}

// What a vendor could not take is not repeated to who has read it, has come to his
// phone, or has switched pushes off meanwhile.
func TestRepeatsSpare(t *testing.T) {
	t.Parallel()
	quiet := im.RecvNoNotify
	for what, meanwhile := range map[string]func(k *kit, m *im.Message){
		"has read it": func(k *kit, m *im.Message) {
			k.write(func(tx *store.Tx) error { _, err := tx.AdvanceReadSeq("bob", m.ConversationID, m.Seq); return err })
		},
		"is there": func(k *kit, _ *im.Message) { k.there["bob"] = true },
		"wants no push": func(k *kit, _ *im.Message) {
			k.write(func(tx *store.Tx) error { _, err := tx.UpdateUser("bob", im.UserChange{RecvOpt: &quiet}); return err })
		},
		"revoked": func(k *kit, m *im.Message) {
			k.write(func(tx *store.Tx) error {
				_, err := tx.Revoke(m.ConversationID, m.Seq, im.Revocation{RevokerID: "alice", At: 1})
				return err
			})
		},
	} {
		k := start(t, storetest.SQLite(t), push.Options{})
		k.users("alice", "bob")
		k.out.outcome = map[string]push.Outcome{"bob": push.Later}
		m := k.send(text("m", "alice", "bob"))
		row := k.rows[0]
		k.rows = nil
		if r := k.Deliver(t.Context(), &row, 1); r.Verdict != outbox.Delivered || len(k.rows) != 1 {
			t.Fatalf("%s: %v, %d rows", what, r, len(k.rows))
		}
		k.out.reached()
		meanwhile(k, m)
		k.work()
		if got := k.out.reached(); len(got) != 0 {
			t.Errorf("%s: repeated to %v", what, got)
		}
	}
}

func TestTokensAndRepeats(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		out, apple := &vendor{tokens: true, outcome: map[string]push.Outcome{"bob-android": push.Gone}}, &vendor{tokens: true}
		k := start(t, open, push.Options{Vendor: out, Apple: apple, Sound: "ding", Badge: true})
		k.users("alice", "bob")
		tokens := map[im.Platform]string{im.PlatformIOS: "bob-ios", im.PlatformAndroid: "bob-android", im.PlatformWeb: "bob-web"}
		k.write(func(tx *store.Tx) error {
			for p, token := range tokens {
				if err := tx.PutPushToken(store.PushToken{UserID: "bob", Platform: p, Token: token}); err != nil {
					return err
				}
			}
			return tx.SetAppBadge("bob", 4)
		})
		apple.outcome = map[string]push.Outcome{"bob-ios": push.Later}
		k.send(text("m1", "alice", "bob"))
		row := k.rows[0]
		k.rows = nil
		if r := k.Deliver(t.Context(), &row, 1); r.Verdict != outbox.Delivered {
			t.Fatalf("result %v", r)
		}
		if got := out.reached(); !slices.Equal(got, []string{"bob-android", "bob-web"}) {
			t.Errorf("vendor got %v", got)
		}
		if len(k.rows) != 1 || k.rows[0].Lane == row.Lane {
			t.Fatalf("the repeat: %v", k.rows)
		}
		repeat := k.rows[0]
		if r := k.Deliver(t.Context(), &repeat, 1); r.Verdict != outbox.Held || r.After != time.Minute {
			t.Errorf("before its time: %v", r)
		}
		apple.mu.Lock()
		first := apple.sent[0]
		apple.sent = nil
		apple.mu.Unlock()
		if first.n.Sound != "ding" || first.n.Title != "[TEXT]" || first.n.Desc != "[TEXT]" || !slices.Equal(first.badges, []int64{5}) {
			t.Errorf("notification %+v", first)
		}
		apple.outcome = nil
		out.outcome = nil
		k.work()
		if got := apple.reached(); !slices.Equal(got, []string{"bob-ios"}) {
			t.Errorf("repeated to %v", got)
		}
		if got := out.reached(); !slices.Equal(got, []string{"bob-web"}) { // its other devices, but the one that is gone
			t.Errorf("vendor got %v", got)
		}
		var left []store.PushToken
		if err := k.store.Read(t.Context(), func(tx *store.Tx) (err error) {
			left, err = tx.PushTokens([]string{"bob"}, 1)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if len(left) != 2 || left[0].Token != "bob-ios" || left[1].Token != "bob-web" {
			t.Errorf("tokens left: %v", left)
		}
	})
}

func TestGivesUp(t *testing.T) {
	t.Parallel()
	k := start(t, storetest.SQLite(t), push.Options{})
	k.out.outcome = map[string]push.Outcome{"bob": push.Later}
	k.users("alice", "bob")
	k.send(text("m", "alice", "bob"))
	k.work()
	if got := len(k.out.reached()); got != 9 {
		t.Errorf("%d attempts, want 1 and 8 repeats", got)
	}
}

// business answers beforeOfflinePush.
type business struct {
	answer func(*im.MayPush) error
	asked  []im.MayPush
}

func (b *business) Wants(kind im.QuestionKind) bool { return kind == im.AskPushOffline }

func (b *business) Ask(_ context.Context, q im.Question) error {
	m := q.(*im.MayPush)
	b.asked = append(b.asked, *m)
	return b.answer(m)
}

func TestBusinessServerIsAsked(t *testing.T) {
	t.Parallel()
	b := &business{}
	out := &vendor{}
	k := start(t, storetest.SQLite(t), push.Options{Vendor: out, Hooks: b})
	k.users("alice", "bob", "carl")
	for _, c := range []struct {
		what   string
		answer func(*im.MayPush) error
		want   []string
		title  string
	}{
		{what: "approves", answer: func(*im.MayPush) error { return nil }, want: []string{"bob"}, title: "own"},
		{what: "refuses", answer: func(*im.MayPush) error { return errors.New("no") }},
		{what: "chooses", answer: func(q *im.MayPush) error {
			q.UserIDs, q.Push = []string{"carl"}, &im.PushInfo{Title: "new"}
			return nil
		}, want: []string{"carl"}, title: "new"},
	} {
		b.answer = c.answer
		m := text(c.what, "alice", "bob")
		m.Push = &im.PushInfo{Title: "own"}
		k.send(m)
		k.work()
		out.mu.Lock()
		if len(out.sent) > 0 && out.sent[0].n.Title != c.title {
			t.Errorf("%s: title %q", c.what, out.sent[0].n.Title)
		}
		out.mu.Unlock()
		if got := out.reached(); !slices.Equal(got, c.want) {
			t.Errorf("%s: pushed to %v, want %v", c.what, got, c.want)
		}
	}
	if len(b.asked) != 3 || !slices.Equal(b.asked[0].UserIDs, []string{"bob"}) {
		t.Errorf("asked %v", b.asked)
	}
}

// Nobody is asked twice about one message, and without a vendor the business
// server is asked all the same.
func TestWithoutVendor(t *testing.T) {
	t.Parallel()
	b := &business{answer: func(*im.MayPush) error { return nil }}
	k := start(t, storetest.SQLite(t), push.Options{Hooks: b})
	k.users("alice", "bob")
	k.send(text("m", "alice", "bob"))
	k.work()
	if len(b.asked) != 1 {
		t.Errorf("asked %d times", len(b.asked))
	}
	if _, err := k.Test(t.Context(), "bob", push.Notification{}, false); err == nil || !strings.Contains(err.Error(), "openim-push.yml") {
		t.Errorf("test push without vendor: %v", err)
	}
	none := push.New(push.Options{})
	if none.Enabled(im.EventMessageToPush) {
		t.Error("pushes are recorded though nobody wants them")
	}
}

func TestWaitsForTheDeliveryToBeDecided(t *testing.T) {
	t.Parallel()
	decided, may := false, false
	k := start(t, storetest.SQLite(t), push.Options{Decided: func(string) (bool, bool) { return decided, may }})
	k.users("alice", "bob")
	k.send(text("m", "alice", "bob"))
	row := k.rows[0]
	if r := k.Deliver(t.Context(), &row, 1); r.Verdict != outbox.Held {
		t.Errorf("undecided: %v", r)
	}
	decided = true
	if r := k.Deliver(t.Context(), &row, 1); r.Verdict != outbox.Delivered || len(k.out.reached()) != 0 {
		t.Errorf("refused: %v", r)
	}
	may = true
	if r := k.Deliver(t.Context(), &row, 1); r.Verdict != outbox.Delivered || len(k.out.reached()) != 1 {
		t.Errorf("decided: %v", r)
	}
}

func TestTitles(t *testing.T) {
	t.Parallel()
	k := start(t, storetest.SQLite(t), push.Options{})
	k.users("alice", "bob")
	got := map[im.ContentType]string{}
	want := map[im.ContentType]string{101: "[TEXT]", 102: "[PICTURE]", 103: "[VOICE]", 104: "[VIDEO]", 105: "[File]", 106: "[@TEXT]", 110: "[NEWMSG]"}
	for _, kind := range slices.Sorted(maps.Keys(want)) {
		m := text(fmt.Sprint(kind), "alice", "bob")
		m.ContentType = kind
		k.send(m)
		k.work()
		got[kind] = k.out.sent[len(k.out.sent)-1].n.Title
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("titles %v", got)
	}
}

func TestTestPush(t *testing.T) {
	t.Parallel()
	out := &vendor{tokens: true}
	k := start(t, storetest.SQLite(t), push.Options{Vendor: out})
	k.users("bob")
	if _, err := k.Test(t.Context(), "bob", push.Notification{}, false); !errors.Is(err, im.ErrNotFound) {
		t.Errorf("without a token: %v", err)
	}
	k.write(func(tx *store.Tx) error {
		return tx.PutPushToken(store.PushToken{UserID: "bob", Platform: im.PlatformAndroid, Token: "tok"})
	})
	for _, dry := range []bool{true, false} {
		results, err := k.Test(t.Context(), "bob", push.Notification{Title: "t"}, dry)
		if err != nil || len(results) != 1 || results[0].Outcome != push.Accepted {
			t.Errorf("dry %v: %v, %v", dry, results, err)
		}
		if got := len(out.reached()); got != map[bool]int{true: 0, false: 1}[dry] {
			t.Errorf("dry %v: %d sent", dry, got)
		}
	}
}
