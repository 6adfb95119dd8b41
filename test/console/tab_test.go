package console

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/parley-im/parley/test/harness"
)

// patience bounds every step; it is an error, not a measurement.
const patience = 60 * time.Second

// mostBytes is what a page may weigh in transfer, all it loads included.
const mostBytes = 150 << 10

var languages = []string{"en", "zh"}

// tab is a browser with storage of its own, in front of the operator's page.
type tab struct {
	t      *testing.T
	ctx    context.Context
	server *harness.Server

	mu    sync.Mutex
	wrong []string
	bytes float64 // transferred since the last visit
}

// openTab opens a browser in a language, not logged in.
func openTab(t *testing.T, server *harness.Server, language string) *tab {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(closeTab)
	p := &tab{t: t, ctx: ctx, server: server}
	if err := chromedp.Do(ctx); err != nil { // the tab lives as long as the context of its first step
		t.Fatal(err)
	}
	p.do(chromedp.EmulateViewport(1360, 900))
	if err := chromedp.Listen(ctx, p.listen); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.nothingWrong)
	p.visit("/login")
	p.press("button[name=language][value=" + language + "]")
	p.until(`document.documentElement.lang === ` + quote(language))
	return p
}

// login opens a browser that is logged in with the server's secret.
func login(t *testing.T, server *harness.Server, language string) *tab {
	t.Helper()
	p := openTab(t, server, language)
	p.fill("input[name=secret]", server.Secret)
	p.press(".login button")
	p.until(`!!document.querySelector("header.side")`)
	return p
}

func (p *tab) listen(ev any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch ev := ev.(type) {
	case *runtime.EventExceptionThrown:
		p.wrong = append(p.wrong, "uncaught: "+text(ev.ExceptionDetails))
	case *runtime.EventConsoleAPICalled:
		if ev.Type == runtime.ConsoleAPICalledTypeError || ev.Type == runtime.ConsoleAPICalledTypeWarning {
			p.wrong = append(p.wrong, "console: "+text(ev.Args))
		}
	case *cdplog.EventEntryAdded:
		if ev.Entry.Level == cdplog.EntryLevelError {
			p.wrong = append(p.wrong, "log: "+text(ev.Entry))
		}
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(ev.Request.URL); err != nil || u.Scheme != "data" && "http://"+u.Host != p.server.API {
			p.wrong = append(p.wrong, "asks "+ev.Request.URL)
		}
	case *network.EventLoadingFinished:
		p.bytes += ev.EncodedDataLength
	}
}

// nothingWrong fails on what the browser complained about since the last time.
func (p *tab) nothingWrong() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.wrong {
		p.t.Error(w)
	}
	p.wrong = nil
}

// expect takes a complaint off the list: an answer that is no success is one.
func (p *tab) expect(part string) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, w := range p.wrong {
		if strings.Contains(w, part) {
			p.wrong = append(p.wrong[:i], p.wrong[i+1:]...)
			return
		}
	}
	p.t.Errorf("the browser did not complain of %q, only of %q", part, p.wrong)
}

func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.t.Fatal(err)
	}
}

// visit loads a page by its path below /console.
func (p *tab) visit(path string) {
	p.t.Helper()
	p.mu.Lock()
	p.bytes = 0
	p.mu.Unlock()
	p.do(chromedp.Navigate(p.server.API + "/console" + path))
	p.until(`document.readyState === "complete"`)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bytes > mostBytes {
		p.t.Errorf("%s transfers %.0f bytes", path, p.bytes)
	}
}

// eval runs JavaScript in the page.
func eval[T any](p *tab, js string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	got, err := chromedp.Run(ctx, chromedp.Evaluate[T](js))
	if err != nil {
		p.t.Fatalf("%s: %v", js, err)
	}
	return got
}

// until waits until JavaScript is true in the page that is there by then.
func (p *tab) until(js string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		got, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("!!("+js+")"))
		if err == nil && got {
			return
		}
		last = err // a page that is being left has nothing to ask
		select {
		case <-tick.C:
		case <-ctx.Done():
			p.t.Fatalf("%s did not become true: %v; the page says:\n%s", js, last, p.said())
		}
	}
}

// said is the text of the page.
func (p *tab) said() string {
	p.t.Helper()
	return eval[string](p, `document.body.innerText`)
}

// says waits for a text on the page.
func (p *tab) says(parts ...string) {
	p.t.Helper()
	for _, part := range parts {
		p.until(`document.body.innerText.includes(` + quote(part) + `)`)
	}
}

func (p *tab) fill(selector, value string) {
	p.t.Helper()
	p.until(`document.querySelector(` + quote(selector) + `)`)
	eval[bool](p, `(() => { const el = document.querySelector(`+quote(selector)+`); el.value = `+quote(value)+
		`; el.dispatchEvent(new Event("input", {bubbles: true})); return true })()`)
}

// press clicks as a person would: what cannot be seen cannot be clicked.
func (p *tab) press(selector string) {
	p.t.Helper()
	p.until(`(el => el && el.getClientRects().length > 0 && !el.disabled)(document.querySelector(` + quote(selector) + `))`)
	eval[bool](p, `(() => { document.querySelector(`+quote(selector)+`).click(); return true })()`)
}

// shot keeps a picture of the page for people, if asked to.
func (p *tab) shot(name string) {
	p.t.Helper()
	dir := os.Getenv("PARLEY_SCREENSHOTS")
	if dir == "" {
		return
	}
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		p.t.Fatal(err)
	}
}

func quote(s string) string { return text(s) }

func text(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(raw)
}

// in is the same tab in a part of the test.
func (p *tab) in(t *testing.T) *tab {
	return &tab{t: t, ctx: p.ctx, server: p.server}
}

// narrow gives the window another size.
func (p *tab) narrow(width, height int64) {
	p.t.Helper()
	p.do(chromedp.EmulateViewport(width, height))
}

// key presses a key where the focus is.
func (p *tab) key(key string) {
	p.t.Helper()
	p.do(chromedp.KeyEvent(key))
}

// dark switches to the dark appearance for a picture.
func (p *tab) dark() {
	p.t.Helper()
	eval[bool](p, `(document.documentElement.dataset.theme = "dark") === "dark"`)
}
