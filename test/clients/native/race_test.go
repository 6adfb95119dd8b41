package native

import (
	"fmt"
	"testing"

	"github.com/parley-im/parley/test/harness"
)

// TestRaceSmoke has the clients do a bit of everything against a server built
// with the race detector; the harness fails it when the server had a race.
func TestRaceSmoke(t *testing.T) {
	const each = 50
	binary, err := harness.Build(binaries, true)
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
	desk := install(t, server, a.userID, windows).login()
	if _, err := desk.mgr.LongConnMgr().SubscribeUsersStatus(desk.call(), []string{b.userID}); err != nil {
		t.Fatal(err)
	}
	bothSend(t, a, b, each)
	a.await("B's messages", times("OnRecvNewMessage", each))
	b.await("A's messages", times("OnRecvNewMessage", each))
	desk.await("all messages", times("OnRecvNewMessage", 2*each))
	want := a.settled(conversationID, 2*each)
	b.awaitHistory(conversationID, want)

	b.logout()
	var last sent
	for i := range 5 {
		last = a.text(b.userID, fmt.Sprint("away ", i))
	}
	b.login()
	b.received(last)
	second := a.instead()
	a.cutOff("OnKickedOffline")
	second.awaitHistory(conversationID, b.settled(conversationID, 2*each+5))
	for _, d := range []*device{second, desk, b} {
		d.logout()
	}
}
