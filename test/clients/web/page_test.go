package web

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/parley-im/parley/test/harness"
)

const platformWeb = 5

// patience bounds every step in a page; a promise that never settles would hang
// the test otherwise.
const patience = 60 * time.Second

// page is one browser profile with the client loaded: what a user has in front
// of them. Each has its own storage.
type page struct {
	t      *testing.T
	ctx    context.Context
	server *harness.Server
	userID string
	token  string

	mu     sync.Mutex
	errors []string // uncaught in the page
}

// open loads the client in a fresh profile.
func open(t *testing.T, server *harness.Server, userID string) *page {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(closeTab)
	p := &page{t: t, ctx: ctx, server: server, userID: userID}
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("new browser context: %v", err)
	}
	if err := chromedp.Listen(ctx, p.listen); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.noErrors)
	p.load(chromedp.Navigate(pages))
	return p
}

// reload loads the page again; its storage stays.
func (p *page) reload() {
	p.t.Helper()
	p.load(chromedp.Reload())
}

func (p *page) load(how chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, how); err != nil {
		p.t.Fatalf("load the page: %v", err)
	}
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool]("!!(window.ready && window.initSDK)",
		chromedp.WithPollingInterval(20*time.Millisecond), chromedp.WithPollingTimeout(patience))); err != nil {
		p.t.Fatalf("the client did not load: %v", err)
	}
}

func (p *page) listen(ev any) {
	if thrown, ok := ev.(*runtime.EventExceptionThrown); ok {
		raw, err := json.Marshal(thrown.ExceptionDetails)
		if err != nil {
			raw = []byte(err.Error())
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.errors = append(p.errors, string(raw))
	}
}

func (p *page) noErrors() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.errors {
		p.t.Errorf("uncaught in the page of %s: %s", p.userID, e)
	}
}

// tryEval runs a JavaScript expression, waits for it if it is a promise, and
// decodes what it gives. The client rejects with plain objects; they come back as
// text.
func tryEval[T any](p *page, js string) (T, error) {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](
		"(async () => { try { return await ("+js+") } catch (e) { throw new Error(e instanceof Error ? e.message : JSON.stringify(e)) } })()",
		chromedp.EvalAwaitPromise))
}

func eval[T any](p *page, js string, args ...any) T {
	p.t.Helper()
	for i, arg := range args {
		raw, err := json.Marshal(arg)
		if err != nil {
			p.t.Fatal(err)
		}
		args[i] = string(raw)
	}
	got, err := tryEval[T](p, fmt.Sprintf(js, args...))
	if err != nil {
		p.t.Fatalf("%s: %s: %v", p.userID, js, err)
	}
	return got
}

// login starts a session with a new token and waits until the client is in step
// with the server. It says whether the client took itself for newly installed.
func (p *page) login() (reinstalled bool) {
	p.t.Helper()
	token, err := p.server.UserToken(p.userID, platformWeb)
	if err != nil {
		p.t.Fatal(err)
	}
	p.loginWith(token)
	return eval[bool](p, `waitFor("OnSyncServerFinish")`)
}

func (p *page) loginWith(token string) {
	p.t.Helper()
	p.token = token
	eval[chromedp.Void](p, `im.login(%s)`, map[string]any{
		"userID": p.userID, "token": token, "platformID": platformWeb,
		"apiAddr": p.server.API, "wsAddr": p.server.WS, "logLevel": 1, "isLogStandardOutput": false,
	})
}

// message is what a test looks at in a message of the client.
type message struct {
	ClientMsgID string `json:"clientMsgID"`
	ServerMsgID string `json:"serverMsgID"`
	SendID      string `json:"sendID"`
	ContentType int    `json:"contentType"`
	Seq         int64  `json:"seq"`
	SendTime    int64  `json:"sendTime"`
	Text        string `json:"text"` // the element as JSON, keys in order
}

// pick is a JavaScript function from the client's message to ours.
const pick = `(m => ({
	clientMsgID: m.clientMsgID, serverMsgID: m.serverMsgID, sendID: m.sendID, contentType: m.contentType, seq: m.seq, sendTime: m.sendTime,
	text: JSON.stringify(m.textElem ?? m.customElem ?? m.locationElem ?? m.faceElem ?? m.cardElem ?? m.quoteElem?.text ?? m.atTextElem?.text ?? m.pictureElem?.sourcePicture?.url ?? null),
}))`

// send sends what the JavaScript expression creates and returns what the client
// says it sent.
func (p *page) send(recvID, create string) message {
	p.t.Helper()
	return eval[message](p, `(async () => {
		const made = (await (`+create+`)).data;
		const sent = (await im.sendMessageNotOss({recvID: %s, groupID: "", message: made})).data;
		return `+pick+`({...made, ...sent});
	})()`, recvID)
}

func (p *page) sendText(recvID, text string) message {
	p.t.Helper()
	return p.send(recvID, `im.createTextMessage(`+quote(text)+`)`)
}

// received waits until the client has shown a message as new.
func (p *page) received(sent message) message {
	p.t.Helper()
	return eval[message](p, `received(%s).then(`+pick+`)`, sent.ClientMsgID)
}

// history is the newest messages of a conversation, oldest first.
func (p *page) history(conversationID string, count int) []message {
	p.t.Helper()
	return eval[[]message](p, `im.getAdvancedHistoryMessageList({count: %v, viewType: 0, startClientMsgID: "", conversationID: %s})
		.then(r => r.data.messageList.map(`+pick+`))`, count, conversationID)
}

// awaitHistory waits until the history holds these messages, all with a seq.
func (p *page) awaitHistory(conversationID string, want []message) []message {
	p.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		got := p.history(conversationID, 50)
		if slices.EqualFunc(got, want, func(g, w message) bool { return g.Seq > 0 && g.ClientMsgID == w.ClientMsgID && g.Text == w.Text }) {
			return got
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			p.t.Fatalf("%s sees\n%+v\nwant\n%+v", p.userID, got, want)
		}
	}
}

func quote(s string) string {
	raw, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string
	}
	return string(raw)
}

func users(t *testing.T, server *harness.Server, names ...string) []string {
	t.Helper()
	ids := make([]string, len(names))
	for i, name := range names {
		ids[i] = harness.UserID(name)
	}
	if err := server.Register(ids...); err != nil {
		t.Fatalf("register: %v", err)
	}
	return ids
}

func single(a, b string) string {
	ids := []string{a, b}
	slices.Sort(ids)
	return "si_" + ids[0] + "_" + ids[1]
}
