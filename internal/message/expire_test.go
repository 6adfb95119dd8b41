package message_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
)

const day im.Millis = 86_400_000

// sentAt sends with a time of its own, as an administrator may.
func (k *kit) sentAt(at im.Millis, m *im.Message) {
	k.t.Helper()
	m.SendTime = at
	if _, err := k.Send(as(k.t, "imAdmin"), m); err != nil {
		k.t.Fatal(err)
	}
}

// all does the steps of a job and returns how many there were.
func (k *kit) all(step func() (bool, error)) (steps int) {
	k.t.Helper()
	for {
		done, err := step()
		if err != nil {
			k.t.Fatal(err)
		}
		if steps++; done {
			return steps
		}
	}
}

func TestExpire(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		now := k.store.Now()
		const chat, gone, fresh = im.ConversationID("si_a_b"), im.ConversationID("si_a_x"), im.ConversationID("si_a_z")
		for i := range 1200 { // more than one step
			k.sentAt(now-10*day+im.Millis(i), single("a", "b", "old"))
		}
		k.sentAt(now-day, single("a", "b", "new"))
		k.sentAt(now-10*day, single("a", "x", "old"))
		k.send(single("a", "z", "new"))
		if err := k.Delete(as(t, "b"), "b", chat, []im.Seq{3, 1201}, message.ForSelf); err != nil {
			t.Fatal(err)
		}
		k.mu.Lock()
		k.delivered = nil
		k.mu.Unlock()

		step := k.Expire(now - 5*day)
		if n := k.all(func() (bool, error) { return step(t.Context()) }); n < 5 {
			t.Errorf("%d steps", n)
		}
		if len(k.delivered) != 0 {
			t.Errorf("told %v", k.delivered)
		}
		k.pulled("a", chat, 1201, "1201:new")
		k.expect("all of it", "a", gone)
		k.expect("none of it", "a", fresh, "1:new")
		states, _, err := k.ReadStates(as(t, "a"), "a", nil, false)
		if err != nil || states[chat].MaxSeq != 1201 || states[gone].MaxSeq != 1 || states[gone].MaxSeqTime != now-10*day {
			t.Errorf("states %v %v", states, err)
		}
		got, err := k.PullSeqs(as(t, "a"), "a", []im.SeqList{{ConversationID: chat, Seqs: []im.Seq{1199, 1200, 1201}}}, true)
		if err != nil || len(got[chat].Messages) != 1 || !got[chat].IsEnd || got[chat].EndSeq != 1201 {
			t.Errorf("scrolling up: %v %v", got, err)
		}
		k.send(single("x", "a", "next"))
		k.expect("seqs go on", "a", gone, "2:next")

		// A second run finds nothing.
		step = k.Expire(now - 5*day)
		if n := k.all(func() (bool, error) { return step(t.Context()) }); n != 2 {
			t.Errorf("nothing to do took %d steps", n)
		}
		// What was hidden of a removed message is forgotten with it.
		var hidden []im.Seq
		if err := k.store.Read(t.Context(), func(tx *store.Tx) (err error) {
			hidden, err = tx.HiddenMessages("b", chat, 1, 2000)
			return err
		}); err != nil || !slices.Equal(hidden, []im.Seq{1201}) {
			t.Errorf("hidden %v %v", hidden, err)
		}
	})
}

// pulled checks the last message of a long conversation.
func (k *kit) pulled(userID string, c im.ConversationID, last im.Seq, want string) {
	k.t.Helper()
	got, err := k.PullRanges(as(k.t, userID), userID, []im.Range{{ConversationID: c, First: 1, Last: last, Num: 100}}, false)
	if err != nil || len(got[c].Messages) != 1 || fmt.Sprintf("%d:%s", got[c].Messages[0].Seq, got[c].Messages[0].Content) != want {
		k.t.Errorf("%s pulls %v %v, want %s", userID, got[c].Messages, err, want)
	}
}

// Nobody's sends wait for a whole run: messages that come in between are kept.
func TestExpireBesideSends(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		now := k.store.Now()
		for i := range 20 {
			k.sentAt(now-10*day+im.Millis(i), single("a", "b", "old"))
		}
		step := k.Expire(now - day)
		n := k.all(func() (bool, error) {
			k.send(single("a", "b", "new"))
			return step(t.Context())
		})
		got := k.shown("b", "si_a_b")
		if len(got) != n || got[0] != "21:new" {
			t.Errorf("%d sent beside it, sees %v", n, got)
		}
	})
}

func TestDestruct(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		now := k.store.Now()
		const c = im.ConversationID("si_a_b")
		for i := range im.Millis(6) {
			k.sentAt(now-(6-i)*day, single("a", "b", fmt.Sprint("m", i+1)))
		}
		on, after := true, int64(3*day/1000)
		k.write(func(tx *store.Tx) error {
			_, err := tx.UpdateConversation("b", c, store.ConversationChange{Destruct: &on, DestructTime: &after})
			return err
		})
		versionOf := func(userID string) (v im.Version) {
			k.write(func(tx *store.Tx) (err error) {
				v, err = tx.Version(im.VersionConversations, userID)
				return err
			})
			return v
		}
		before, others := versionOf("b"), versionOf("a")
		run := func(at im.Millis) {
			t.Helper()
			k.mu.Lock()
			k.delivered, k.noticed = nil, nil
			k.mu.Unlock()
			step := k.Destruct(at)
			k.all(func() (bool, error) { return step(t.Context()) })
		}
		run(now - 1000)
		k.expect("after three days", "b", c, "4:m4", "5:m5", "6:m6")
		k.expect("the other side", "a", c, "1:m1", "2:m2", "3:m3", "4:m4", "5:m5", "6:m6")
		if n, ok := k.noticed.(im.ConversationsChanged); !ok || n.UserID != "b" || !slices.Equal(n.ConversationIDs, []im.ConversationID{c}) || len(k.delivered) != 1 {
			t.Errorf("told %v, delivered %v", k.noticed, k.delivered)
		}
		if versionOf("b").Version != before.Version+1 || versionOf("a") != others {
			t.Errorf("versions of b %v then %v, of a %v then %v", before, versionOf("b"), others, versionOf("a"))
		}
		row := k.row("b", c)
		if row.MinSeq != 4 || row.LatestDestructTime != now-1000 {
			t.Errorf("row %+v", row)
		}
		run(now - 1000)
		if versionOf("b").Version != before.Version+1 || k.noticed != nil {
			t.Error("a run without anything to do changed the list")
		}
		run(now + 10*day)
		k.expect("in the end", "b", c)
		off := false
		k.write(func(tx *store.Tx) error {
			_, err := tx.UpdateConversation("b", c, store.ConversationChange{Destruct: &off})
			return err
		})
		k.sentAt(now, single("a", "b", "kept"))
		run(now + 20*day)
		k.expect("switched off", "b", c, "7:kept")
	})
}

func (k *kit) row(userID string, c im.ConversationID) (row im.Conversation) {
	k.t.Helper()
	if err := k.store.Read(k.t.Context(), func(tx *store.Tx) (err error) {
		row, _, err = tx.Conversation(userID, c)
		return err
	}); err != nil {
		k.t.Fatal(err)
	}
	return row
}

func TestRemoveOlder(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		now := k.store.Now()
		k.sentAt(now-2*day, single("a", "b", "old"))
		k.sentAt(now, single("a", "b", "new"))
		k.sentAt(now-2*day, single("a", "x", "other"))
		ids := []im.ConversationID{"si_a_b", "si_none"}
		if err := k.RemoveOlder(as(t, "a"), ids, now-day); !errors.Is(err, im.ErrNoPermission) {
			t.Errorf("a user: %v", err)
		}
		if err := k.RemoveOlder(as(t, "imAdmin"), make([]im.ConversationID, 1001), now-day); !errors.Is(err, im.ErrArgs) {
			t.Errorf("too many: %v", err)
		}
		if err := k.RemoveOlder(as(t, "imAdmin"), ids, now-day); err != nil {
			t.Fatal(err)
		}
		k.expect("those before", "a", "si_a_b", "2:new")
		k.expect("another chat", "a", "si_a_x", "1:other")
	})
}

func TestSendLimit(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		stands := time.UnixMilli(1_700_000_000_000)
		s := open(store.Options{Now: func() time.Time { return stands }})
		k := newKit(t, s, message.Options{SendLimit: message.SendLimit{PerSecond: 1, Burst: 2}})
		send := func(caller, from string) error {
			_, err := k.Send(as(t, caller), single(from, "b", "x"))
			return err
		}
		for i := range 2 {
			if err := send("a", "a"); err != nil {
				t.Errorf("message %d: %v", i+1, err)
			}
		}
		before := len(k.delivered)
		if err := send("a", "a"); !errors.Is(err, im.ErrTooManyRequests) {
			t.Errorf("message 3: %v", err)
		}
		if len(k.delivered) != before {
			t.Error("a refused message was delivered")
		}
		for range 10 {
			if err := send("imAdmin", "a"); err != nil {
				t.Errorf("an administrator: %v", err)
			}
		}
		if err := send("x", "x"); err != nil {
			t.Errorf("another user: %v", err)
		}
	})
}
