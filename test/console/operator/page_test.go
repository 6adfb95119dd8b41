package operator

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience bounds every step in a page.
const patience = 40 * time.Second

// page is a tab of a fresh browser profile.
type page struct {
	*site
	t    *testing.T
	ctx  context.Context
	lang string

	clicks int

	mu    sync.Mutex
	wrong []string // errors of the console, requests to other hosts
}

// open is a tab in a language, before the login.
func open(t *testing.T, s *site, lang string) *page {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(closeTab)
	p := &page{site: s, t: t, ctx: ctx, lang: lang}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1280, 800)); err != nil {
		t.Fatalf("new browser context: %v", err)
	}
	if err := chromedp.Listen(ctx, p.listen); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, w := range p.wrong {
			t.Error(w)
		}
	})
	p.goTo("/login")
	p.speak(lang)
	return p
}

// speak changes the language of the page.
func (p *page) speak(lang string) {
	p.t.Helper()
	p.lang = lang
	p.press(`button[name="language"][value="` + lang + `"]`)
	p.wait(`document.documentElement.lang === ` + quote(lang))
}

// login opens a tab whose user is logged in.
func login(t *testing.T, s *site, lang string) *page {
	t.Helper()
	p := open(t, s, lang)
	p.fill(`input[name="secret"]`, s.Secret)
	p.press(`form.login button.main`)
	p.wait(`!!document.querySelector("header.side")`)
	return p
}

// in is the same page for a subtest.
func (p *page) in(t *testing.T) *page { return &page{site: p.site, t: t, ctx: p.ctx, lang: p.lang} }

// listen notes what must never happen: an error on the browser's console, a
// script that throws, a request to anybody else.
func (p *page) listen(ev any) {
	note := func(format string, args ...any) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.wrong = append(p.wrong, fmt.Sprintf(format, args...))
	}
	switch e := ev.(type) {
	case *runtime.EventExceptionThrown:
		raw, err := json.Marshal(e.ExceptionDetails)
		note("thrown in the page: %s %v", raw, err)
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError && !strings.Contains(e.Entry.Text, "422") && !strings.Contains(e.Entry.Text, "403") {
			note("on the console: %s (%s)", e.Entry.Text, e.Entry.URL)
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError {
			raw, err := json.Marshal(e.Args)
			note("on the console: %s %v", raw, err)
		}
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err != nil || u.Host != p.host() && u.Scheme != "data" {
			note("a request to %s", e.Request.URL)
		}
	}
}

func (p *page) host() string {
	u, err := url.Parse(p.Console)
	if err != nil {
		return ""
	}
	return u.Host
}

// do carries out a step of the browser.
func (p *page) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.t.Fatalf("%s: %v\n%s", what, err, p.text())
	}
}

// goTo opens a path of the console.
func (p *page) goTo(path string) {
	p.t.Helper()
	p.do("open "+path, chromedp.Navigate(p.Console+path))
}

// reload loads the page again.
func (p *page) reload() {
	p.t.Helper()
	p.do("reload", chromedp.Reload())
}

// click presses what a selector finds, as a person does.
func (p *page) click(selector string) {
	p.t.Helper()
	p.clicks++
	p.do("click "+selector, chromedp.Click(selector))
}

// press clicks what leads to another page, or to this one again, and waits for it.
func (p *page) press(selector string) {
	p.t.Helper()
	p.eval(`window.before = true`)
	p.click(selector)
	p.wait(`!window.before`)
}

// follow clicks a link of the main part by its words.
func (p *page) follow(text string) {
	p.t.Helper()
	p.eval(fmt.Sprintf(`(() => { const a = [...document.querySelectorAll("main a, header nav a")].find(a => a.textContent.trim() === %s);
		if (!a) throw new Error("no such link"); document.querySelectorAll("[data-test]").forEach(e => e.removeAttribute("data-test")); a.setAttribute("data-test", "link"); return true })()`, quote(text)))
	p.press(`[data-test="link"]`)
}

func (p *page) fill(selector, text string) {
	p.t.Helper()
	if !p.eval(`(() => { const e = document.querySelector(` + quote(selector) + `); e.value = ` + quote(text) + `; return e.value === ` + quote(text) + ` })()`) {
		p.t.Fatalf("%s does not take %q", selector, text)
	}
}

// eval runs a JavaScript expression of true or false.
func (p *page) eval(js string) bool {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](js))
	if err != nil {
		p.t.Fatalf("%s: %v\n%s", js, err, p.text())
	}
	return ok
}

// wait waits until an expression is true, also in the page that comes next.
func (p *page) wait(js string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	for {
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("document.readyState === 'complete' && ("+js+")"))
		if err == nil && ok {
			return
		}
		select {
		case <-ctx.Done():
			p.t.Fatalf("waited for %s (%v)\n%s", js, err, p.text())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// shows waits until the page has a text.
func (p *page) shows(text string) {
	p.t.Helper()
	p.wait(`document.body.innerText.includes(` + quote(text) + `)`)
}

// text is what the page shows, for messages.
func (p *page) text() string {
	ctx, cancel := context.WithTimeout(p.ctx, 5*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
	if err != nil {
		return err.Error()
	}
	return text
}

// has waits for an element.
func (p *page) has(selector string) {
	p.t.Helper()
	p.wait(`!!document.querySelector(` + quote(selector) + `)`)
}

func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // of a string
	}
	return string(b)
}
