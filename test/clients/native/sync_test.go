package native

import (
	"fmt"
	"sync"
	"testing"

	"github.com/openimsdk/openim-sdk-core/v3/pkg/constant"
	"github.com/parley-im/parley/test/harness"
)

// TestConversationList: what both apps show while and after a short exchange.
func TestConversationList(t *testing.T) {
	a, b, conversationID := pair(t, shared)
	entryOfA := func(unread int32, latest sent) entry {
		return entry{harness.Nickname(a.userID), harness.FaceURL(a.userID), unread, latest.ClientMsgID}
	}
	entryOfB := func(unread int32, latest sent) entry {
		return entry{harness.Nickname(b.userID), harness.FaceURL(b.userID), unread, latest.ClientMsgID}
	}

	var last sent
	for i := range 3 {
		last = a.text(b.userID, fmt.Sprint("message ", i))
	}
	b.received(last)
	b.awaitEntry(conversationID, entryOfA(3, last))
	b.awaitUnread(3)
	a.awaitEntry(conversationID, entryOfB(0, last))
	a.awaitUnread(0)

	t.Run("after reinstalling", func(t *testing.T) {
		a, b := a.in(t), b.in(t)
		a2 := install(t, shared, a.userID, android).login()
		b2 := install(t, shared, b.userID, android).login()
		b2.awaitEntry(conversationID, entryOfA(3, last))
		b2.awaitUnread(3)
		a2.awaitEntry(conversationID, entryOfB(0, last))
		a2.awaitUnread(0)
		want := a.settled(conversationID, 3)
		a2.awaitHistory(conversationID, want)
		b.awaitHistory(conversationID, want)
		b2.awaitHistory(conversationID, want)
	})

	t.Run("after answering", func(t *testing.T) {
		a, b := a.in(t), b.in(t)
		answer := b.text(a.userID, "answer")
		a.received(answer)
		a.awaitEntry(conversationID, entryOfB(1, answer))
		a.awaitUnread(1)
		// The server takes one's own message as having read up to it.
		fresh := install(t, shared, b.userID, windows).login()
		fresh.awaitEntry(conversationID, entryOfA(0, answer))
		fresh.awaitUnread(0)
	})

	t.Run("with a second conversation", func(t *testing.T) {
		b := b.in(t)
		c := install(t, shared, users(t, shared, "carol")[0], ios).login()
		s := c.text(b.userID, "hi")
		b.received(s)
		b.awaitEntry(single(b.userID, c.userID), entry{harness.Nickname(c.userID), harness.FaceURL(c.userID), 1, s.ClientMsgID})
		fresh := install(t, shared, b.userID, windows).login()
		fresh.awaitUnread(1)
		fresh.awaitEntry(single(b.userID, c.userID), entry{harness.Nickname(c.userID), harness.FaceURL(c.userID), 1, s.ClientMsgID})
	})
}

// TestMarkAsRead: reading on one device clears the badge on the user's others and
// shows the sender a receipt.
func TestMarkAsRead(t *testing.T) {
	a, b, conversationID := pair(t, shared)
	desk := install(t, shared, b.userID, windows).login()
	var last sent
	for range 2 {
		last = a.text(b.userID, "read me")
	}
	b.received(last)
	desk.received(last)
	b.awaitUnread(2)
	desk.awaitUnread(2)

	if err := b.mgr.Conversation().MarkConversationMessageAsRead(b.call(), conversationID); err != nil {
		t.Fatal(err)
	}
	b.awaitUnread(0)
	desk.awaitUnread(0)
	a.await("a read receipt", named("OnRecvC2CReadReceipt"))
	install(t, shared, b.userID, android).login().awaitUnread(0)
	for _, d := range []*device{a, install(t, shared, a.userID, android).login()} {
		d.eventually("A's messages shown as read", func() error {
			messages, _, err := d.page(conversationID, "", 10)
			if err != nil {
				return err
			}
			if len(messages) != 2 || !messages[0].IsRead || !messages[1].IsRead {
				return fmt.Errorf("not all of %d are", len(messages))
			}
			return nil
		})
	}
}

// TestOffline: messages sent while B was away.
func TestOffline(t *testing.T) {
	t.Run("returning", func(t *testing.T) {
		a, b, conversationID := pair(t, shared)
		b.logout()
		var last sent
		for i := range 3 {
			last = a.text(b.userID, fmt.Sprint("while you were away ", i))
		}
		b.login()
		b.received(last)
		b.awaitUnread(3)
		b.awaitHistory(conversationID, a.settled(conversationID, 3))
	})
	t.Run("logging in for the first time", func(t *testing.T) {
		ids := users(t, shared, "alice", "bob")
		a := install(t, shared, ids[0], ios).login()
		var last sent
		for i := range 3 {
			last = a.text(ids[1], fmt.Sprint("before you came ", i))
		}
		b := install(t, shared, ids[1], ios).login()
		conversationID := single(ids[0], ids[1])
		b.awaitEntry(conversationID, entry{harness.Nickname(a.userID), harness.FaceURL(a.userID), 3, last.ClientMsgID})
		b.awaitUnread(3)
		b.awaitHistory(conversationID, a.settled(conversationID, 3))
	})
	t.Run("for so long that history comes in pages", func(t *testing.T) {
		const count = 230
		a, b, conversationID := pair(t, shared)
		b.received(a.text(b.userID, "before"))
		b.logout()
		for i := range count {
			a.text(b.userID, fmt.Sprint("message ", i))
		}
		b.login()
		b.awaitUnread(count + 1)
		want := a.settled(conversationID, count+1)
		for i, l := range want[1:] {
			if text := fmt.Sprintf(`{"content":"message %d"}`, i); l.Content != text {
				t.Fatalf("message %d reads %s", i, l.Content)
			}
		}
		b.awaitHistory(conversationID, want)
		fresh := install(t, shared, b.userID, android).login()
		fresh.awaitHistory(conversationID, want)
	})
}

// TestThirdDevice: what A sends from the phone appears on A's other devices.
func TestThirdDevice(t *testing.T) {
	a, b, conversationID := pair(t, shared)
	desk := install(t, shared, a.userID, windows).login()
	tablet := install(t, shared, a.userID, android).login()

	out := a.text(b.userID, "from the phone")
	in := b.text(a.userID, "answer")
	for _, d := range []*device{desk, tablet} {
		if got := d.received(out); got.SendID != a.userID || content(got) != `{"content":"from the phone"}` {
			t.Errorf("platform %d was shown %s of %s", d.platform, content(got), got.SendID)
		}
		d.received(in)
	}
	a.received(in)
	from := desk.text(b.userID, "from the desk")
	a.received(from)
	tablet.received(from)
	want := a.settled(conversationID, 3)
	for _, d := range []*device{b, desk, tablet} {
		d.awaitHistory(conversationID, want)
	}
	for _, d := range []*device{a, desk, tablet} {
		for _, m := range d.journal.messages() {
			if m.SendID == d.userID && int(m.SenderPlatformID) == d.platform {
				t.Errorf("platform %d was shown its own message %s as new", d.platform, m.ClientMsgID)
			}
		}
	}
}

// TestBothSendAtOnce: one order for both, nothing lost, nothing twice.
func TestBothSendAtOnce(t *testing.T) {
	const each = 200
	a, b, conversationID := pair(t, shared)
	ids := bothSend(t, a, b, each)

	for _, side := range []struct{ d, from *device }{{a, b}, {b, a}} {
		side.d.await(fmt.Sprintf("%d messages", each), times("OnRecvNewMessage", each))
		shown := map[string]int{}
		for _, m := range side.d.journal.messages() {
			shown[m.ClientMsgID]++
		}
		for _, id := range ids[side.from] {
			if shown[id] != 1 {
				t.Errorf("%s was shown %s %d times", side.d.userID, id, shown[id])
			}
		}
		if len(shown) != each {
			t.Errorf("%s was shown %d different messages, want %d", side.d.userID, len(shown), each)
		}
	}

	log := a.pull(conversationID, 1, 2*each+1)
	if len(log) != 2*each {
		t.Fatalf("the log has %d messages, want %d", len(log), 2*each)
	}
	next := map[string]int{}
	for i, m := range log {
		if m.Seq != int64(i+1) {
			t.Fatalf("place %d of the log has seq %d", i+1, m.Seq)
		}
		from := a
		if m.SendID == b.userID {
			from = b
		}
		if want := ids[from][next[m.SendID]]; m.ClientMsgID != want {
			t.Fatalf("seq %d is %s; its sender sent %s next", m.Seq, m.ClientMsgID, want)
		}
		next[m.SendID]++
	}
	// An app scrolls by time: the order must be the same.
	want := a.settled(conversationID, 2*each)
	b.awaitHistory(conversationID, want)
	for i, l := range want {
		if l.Seq != int64(i+1) {
			t.Fatalf("place %d of the history has seq %d", i+1, l.Seq)
		}
	}
}

// bothSend lets two devices send to each other at once and returns what each
// sent, in order.
func bothSend(t *testing.T, a, b *device, each int) map[*device][]string {
	t.Helper()
	ids := map[*device][]string{a: make([]string, each), b: make([]string, each)}
	var senders sync.WaitGroup
	for _, side := range []struct{ d, to *device }{{a, b}, {b, a}} {
		mine := ids[side.d]
		senders.Go(func() {
			for i := range each {
				m, err := side.d.mgr.Conversation().CreateTextMessage(side.d.ctx(), fmt.Sprint(side.d.userID, " ", i))
				if err != nil {
					t.Error(err)
					return
				}
				mine[i] = m.ClientMsgID
				if _, err := side.d.trySend(side.to.userID, m, false); err != nil {
					t.Errorf("%s, message %d: %v", side.d.userID, i, err)
					return
				}
			}
		})
	}
	senders.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return ids
}

// TestAdminSends: a business server's message over REST reaches both sides.
func TestAdminSends(t *testing.T) {
	a, b, conversationID := pair(t, shared)
	var got struct{ ServerMsgID, ClientMsgID string }
	err := shared.PostAdmin("/msg/send_msg", map[string]any{
		"sendID": a.userID, "recvID": b.userID, "senderPlatformID": 10, "senderNickname": "Alice",
		"content": map[string]any{"content": "by the server"}, "contentType": constant.Text, "sessionType": constant.SingleChatType,
	}, &got)
	if err != nil {
		t.Fatal(err)
	}
	s := sent{ClientMsgID: got.ClientMsgID, ServerMsgID: got.ServerMsgID}
	for _, d := range []*device{a, b} {
		if m := d.received(s); content(m) != `{"content":"by the server"}` || m.SendID != a.userID {
			t.Errorf("%s was shown %s of %s", d.userID, content(m), m.SendID)
		}
	}
	b.awaitHistory(conversationID, a.settled(conversationID, 1))
}
