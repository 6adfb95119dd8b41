package native

import (
	"fmt"
	"testing"

	"github.com/parley-im/parley/test/harness"
)

// TestRestart ends the server while A is sending, without warning or by asking,
// and starts it again on the same data. The clients come back by themselves;
// every message A was told is sent is there once, and a failed one can be sent
// again.
func TestRestart(t *testing.T) {
	t.Run("killed", func(t *testing.T) { restart(t, (*harness.Server).Kill) })
	t.Run("stopped", func(t *testing.T) { restart(t, (*harness.Server).Stop) })
}

func restart(t *testing.T, end func(*harness.Server) error) {
	const before, total = 20, 60
	binary, err := harness.Build(binaries, false)
	if err != nil {
		t.Fatal(err)
	}
	server, err := harness.Start(harness.Options{Binary: binary, DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	a, b, conversationID := pair(t, server)

	type outcome struct {
		id     string
		failed error
	}
	outcomes := make(chan outcome, total)
	go func() {
		defer close(outcomes)
		for i := range total {
			m, err := a.mgr.Conversation().CreateTextMessage(a.ctx(), fmt.Sprint("message ", i))
			if err != nil {
				outcomes <- outcome{fmt.Sprint("message ", i), err}
				continue
			}
			_, err = a.trySend(b.userID, m, false)
			outcomes <- outcome{m.ClientMsgID, err}
		}
	}()
	b.await(fmt.Sprintf("%d messages", before), times("OnRecvNewMessage", before))
	if err := end(server); err != nil {
		t.Fatal(err)
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}

	acked := map[string]bool{}
	var failed []string
	for o := range outcomes {
		if o.failed == nil {
			acked[o.id] = true
			continue
		}
		t.Logf("failed: %v", o.failed)
		failed = append(failed, o.id)
	}
	if len(acked)+len(failed) != total {
		t.Fatalf("%d messages were sent and %d failed, want %d in all", len(acked), len(failed), total)
	}
	for _, d := range []*device{a, b} {
		d.await("a second connection", times("OnConnectSuccess", 2))
	}
	// What failed is in A's history as failed; an app offers to send it again.
	for _, id := range failed {
		a.resend(b.userID, conversationID, id)
		acked[id] = true
	}
	last := a.text(b.userID, "the last one")
	acked[last.ClientMsgID] = true
	b.received(last)

	log := b.pull(conversationID, 1, 2*total)
	if len(log) != total+1 {
		t.Errorf("the log has %d messages, want %d", len(log), total+1)
	}
	for i, m := range log {
		if m.Seq != int64(i+1) {
			t.Fatalf("place %d of the log has seq %d", i+1, m.Seq)
		}
		if !acked[m.ClientMsgID] {
			t.Errorf("seq %d is %s: twice, or never sent", m.Seq, m.ClientMsgID)
		}
		delete(acked, m.ClientMsgID)
	}
	for id := range acked {
		t.Errorf("%s was acknowledged and is lost", id)
	}
	if t.Failed() {
		return
	}
	b.awaitHistory(conversationID, a.settled(conversationID, total+1))
	fresh := install(t, server, b.userID, android).login()
	fresh.awaitHistory(conversationID, b.settled(conversationID, total+1))
}

// resend sends a failed message of the device's history once more.
func (d *device) resend(peer, conversationID, clientMsgID string) {
	d.t.Helper()
	m := d.stored(conversationID, []sent{{ClientMsgID: clientMsgID}})[0]
	d.send(peer, m)
}
