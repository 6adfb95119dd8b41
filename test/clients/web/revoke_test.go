package web

import (
	"testing"

	"github.com/parley-im/parley/test/harness"
)

// TestRevoke: a message taken back is so for both sides, for a peer whose page
// was closed meanwhile, and after a reload.
func TestRevoke(t *testing.T) {
	ids := users(t, shared, "alice", "bob")
	a, b := open(t, shared, ids[0]), open(t, shared, ids[1])
	conversationID := single(ids[0], ids[1])
	a.login()
	b.login()
	said := []message{b.received(a.sendText(b.userID, "one")), b.received(a.sendText(b.userID, "two"))}
	a.awaitHistory(conversationID, said)
	b.awaitHistory(conversationID, said)

	revoke := func(i int) {
		t.Helper()
		eval[any](a, `im.revokeMessage({conversationID: %s, clientMsgID: %s}).then(r => r.errCode)`, conversationID, said[i].ClientMsgID)
		said[i].Text = "null"
	}
	told := func(p *page, i int) {
		t.Helper()
		got := eval[struct{ RevokerID, RevokerNickname, SourceMessageSendID string }](p,
			`waitFor("OnNewRecvMessageRevoked", r => r.clientMsgID === %s)`, said[i].ClientMsgID)
		if got.RevokerID != a.userID || got.RevokerNickname != harness.Nickname(a.userID) || got.SourceMessageSendID != a.userID {
			t.Errorf("%s was told %+v", p.userID, got)
		}
	}
	shown := func(p *page, revoked int) {
		t.Helper()
		for i, m := range p.awaitHistory(conversationID, said) {
			if want := map[bool]int{true: 2101, false: 101}[i < revoked]; m.ContentType != want {
				t.Errorf("%s is shown message %d as type %d, want %d", p.userID, i, m.ContentType, want)
			}
		}
	}
	revoke(0)
	for _, p := range []*page{a, b} {
		told(p, 0)
		shown(p, 1)
	}
	b.reload()
	revoke(1)
	b.login()
	told(b, 1)
	shown(b, 2)
	a.reload()
	a.login()
	shown(a, 2)
}
