package web

import (
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/parley-im/parley/test/harness"
)

// TestTwoBrowsers is the life of one conversation between two browsers.
func TestTwoBrowsers(t *testing.T) {
	ids := users(t, shared, "alice", "bob")
	a, b := open(t, shared, ids[0]), open(t, shared, ids[1])
	conversationID := single(ids[0], ids[1])
	for _, p := range []*page{a, b} {
		if reinstalled := p.login(); !reinstalled {
			t.Errorf("the fresh browser of %s synced as if it had been used before", p.userID)
		}
		nickname := eval[string](p, `im.getSelfUserInfo().then(r => r.data.nickname)`)
		if nickname != harness.Nickname(p.userID) {
			t.Errorf("%s sees itself as %q", p.userID, nickname)
		}
	}

	var said []message
	say := func(from, to *page, create, text string) {
		t.Helper()
		m := from.send(to.userID, create)
		if m.ServerMsgID == "" || m.SendTime == 0 {
			t.Errorf("sent without an answer of the server: %+v", m)
		}
		got := to.received(m)
		if got.Text != text || got.SendID != from.userID || got.ContentType != m.ContentType {
			t.Errorf("%s was shown %+v, want %s of %s", to.userID, got, text, from.userID)
		}
		said = append(said, got)
	}
	say(a, b, `im.createTextMessage("hello <你好> 🙂")`, `{"content":"hello <你好> 🙂"}`)
	say(b, a, `im.createTextMessage("hi")`, `{"content":"hi"}`)
	say(a, b, `im.createCustomMessage({data: "{\"n\":1}", extension: "e", description: "d"})`, `{"data":"{\"n\":1}","description":"d","extension":"e"}`)
	say(a, b, `im.createLocationMessage({description: "here", longitude: 13.4, latitude: 52.5})`, `{"description":"here","longitude":13.4,"latitude":52.5}`)
	say(b, a, `im.createFaceMessage({index: 2, data: "smile"})`, `{"index":2,"data":"smile"}`)
	say(a, b, `im.createQuoteMessage({text: "yes", message: JSON.stringify(`+
		`(await im.getAdvancedHistoryMessageList({count: 50, viewType: 0, startClientMsgID: "", conversationID: `+quote(conversationID)+`})).data.messageList[0])})`, `"yes"`)

	whole := b.awaitHistory(conversationID, said)
	a.awaitHistory(conversationID, said)
	for i, m := range whole {
		if m.Seq != int64(i+1) {
			t.Errorf("message %d has seq %d", i, m.Seq)
		}
	}

	t.Run("after reloading the page", func(t *testing.T) {
		b := b.in(t)
		b.reload()
		if reinstalled := b.login(); reinstalled {
			t.Error("the reloaded page synced as if it were newly installed")
		}
		b.awaitHistory(conversationID, said)
		m := a.sendText(b.userID, "are you back?")
		said = append(said, b.received(m))
	})

	t.Run("in a browser that was never used", func(t *testing.T) {
		// The second session on the same platform ends the first one.
		if _, err := shared.AnotherToken(b.userID, platformWeb, b.token); err != nil {
			t.Fatal(err)
		}
		fresh := open(t, shared, b.userID)
		fresh.login()
		fresh.awaitHistory(conversationID, said)
		eval[chromedp.Void](b.in(t), `waitFor("OnKickedOffline")`)

		entry := eval[struct {
			ShowName    string
			UnreadCount int
			Latest      string
		}](fresh, `im.getAllConversationList().then(r => r.data).then(l => ({
			ShowName: l[0].showName, UnreadCount: l[0].unreadCount, Latest: JSON.parse(l[0].latestMsg).clientMsgID}))`)
		if entry.ShowName != harness.Nickname(a.userID) || entry.Latest != said[len(said)-1].ClientMsgID {
			t.Errorf("the list shows %+v", entry)
		}
	})
}

// in is the same page for a subtest.
func (p *page) in(t *testing.T) *page {
	return &page{t: t, ctx: p.ctx, server: p.server, userID: p.userID}
}

// TestOffline: B comes back to messages sent while the page was closed.
func TestOffline(t *testing.T) {
	ids := users(t, shared, "alice", "bob")
	a := open(t, shared, ids[0])
	a.login()
	conversationID := single(ids[0], ids[1])
	var said []message
	for _, text := range []string{"one", "two", "three"} {
		said = append(said, a.sendText(ids[1], text))
	}
	b := open(t, shared, ids[1])
	b.login()
	unread := eval[int](b, `im.getTotalUnreadMsgCount().then(r => Number(r.data))`)
	if unread != len(said) {
		t.Errorf("B has %d unread, want %d", unread, len(said))
	}
	got := b.awaitHistory(conversationID, said)
	a.awaitHistory(conversationID, got)
}

func TestTokenRefused(t *testing.T) {
	p := open(t, shared, users(t, shared, "alice")[0])
	p.loginWith("not-a-token")
	eval[chromedp.Void](p, `waitFor("OnUserTokenInvalid")`)
	if names := eval[[]string](p, `events.map(e => e.name)`); slices.Contains(names, "OnConnectSuccess") {
		t.Errorf("connected all the same: %v", names)
	}
}

// TestCORS makes a page of another origin do by hand what the client does.
func TestCORS(t *testing.T) {
	userID := users(t, shared, "alice")[0]
	token, err := shared.UserToken(userID, platformWeb)
	if err != nil {
		t.Fatal(err)
	}
	p := open(t, shared, userID)
	if origin := eval[string](p, `location.origin`); origin == shared.API || origin != pages {
		t.Fatalf("the page has the origin %s, the server %s", origin, shared.API)
	}

	t.Run("a call with headers that need a preflight", func(t *testing.T) {
		got := eval[struct {
			Status  int
			ErrCode int
			Users   []string
		}](p.in(t), `fetch(%s + "/user/get_users_info", {
			method: "POST", headers: {"Content-Type": "application/json", operationID: "cors", token: %s}, body: JSON.stringify({userIDs: [%s]}),
		}).then(async r => { const body = await r.json(); return {Status: r.status, ErrCode: body.errCode, Users: body.data.usersInfo.map(u => u.userID)} })`,
			shared.API, token, userID)
		if got.Status != 200 || got.ErrCode != 0 || !slices.Equal(got.Users, []string{userID}) {
			t.Errorf("the page was given %+v", got)
		}
	})
	t.Run("a refused call can be read, too", func(t *testing.T) {
		code := eval[int](p.in(t), `fetch(%s + "/user/get_users_info", {method: "POST", headers: {operationID: "cors"}, body: "{}"})
			.then(r => r.json()).then(body => body.errCode)`, shared.API)
		if code != 1001 {
			t.Errorf("a call without token: errCode %d, want 1001", code)
		}
	})
	t.Run("the socket takes any origin", func(t *testing.T) {
		first := eval[string](p.in(t), `new Promise((ok, no) => {
			const ws = new WebSocket(%s + "?sendID=" + %s + "&token=" + %s + "&platformID=5&operationID=cors&isBackground=false&isMsgResp=true&sdkType=js");
			ws.onmessage = e => { ok(typeof e.data === "string" ? e.data : "binary"); ws.close() };
			ws.onerror = () => no(new Error("refused"));
		})`, shared.WS, userID, token)
		if first != `{"errCode":0,"errMsg":"","errDlt":""}` {
			t.Errorf("the first frame is %s", first)
		}
	})
}

// TestKilledServer: pages come back by themselves after the server has ended
// without warning and was started again.
func TestKilledServer(t *testing.T) {
	server, err := harness.Start(harness.Options{Binary: binary, DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	ids := users(t, server, "alice", "bob")
	a, b := open(t, server, ids[0]), open(t, server, ids[1])
	a.login()
	b.login()
	before := a.sendText(b.userID, "before")
	said := []message{b.received(before)}

	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*page{a, b} {
		eval[chromedp.Void](p, `waitFor("OnConnectFailed")`)
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*page{a, b} {
		eval[chromedp.Void](p, `waitFor("OnConnectSuccess", () => events.filter(e => e.name === "OnConnectSuccess").length > 1)`)
	}
	after := a.sendText(b.userID, "after")
	said = append(said, b.received(after))
	b.awaitHistory(single(ids[0], ids[1]), said)
	a.awaitHistory(single(ids[0], ids[1]), said)
}
