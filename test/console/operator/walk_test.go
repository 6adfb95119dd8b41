package operator

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// TestWalk goes through every page and does everything that can be done there, in
// both languages, each on a server of its own, and compares what the page says
// with what the API says.
func TestWalk(t *testing.T) {
	for _, lang := range []string{"en", "zh"} {
		t.Run(lang, func(t *testing.T) {
			s := start(t, everything, nil, "IMENV_WEBHOOKS_AFTERUSERONLINE_TIMEOUT=4")
			if err := s.talk(3); err != nil {
				t.Fatal(err)
			}
			w := &walk{page: login(t, s, lang)}
			w.overview()
			w.callbacks()
			w.live()
			w.why()
			w.samples()
			w.endpoints()
			w.dead()
			w.removed()
			w.access()
		})
	}
}

type walk struct {
	*page
	done []string // actions, as the audit trail has them
}

// visit opens a page and looks at its language and weight.
func (w *walk) visit(path string) {
	w.t.Helper()
	w.goTo("/" + path)
	if han := w.eval(`/\p{Script=Han}/u.test(document.querySelector("h1").innerText + document.querySelector("nav").innerText)`); han != (w.lang == "zh") {
		w.t.Errorf("%s is not in %s:\n%s", path, w.lang, w.text())
	}
	if !w.eval(`performance.getEntries().filter(e => e.transferSize).reduce((n, e) => n + e.transferSize, 0) < 150000`) {
		w.t.Errorf("%s weighs too much", path)
	}
	w.wait(`performance.getEntriesByName("first-contentful-paint").length > 0`)
	w.t.Logf("%-24s first paint after %.0f ms", path, w.number(`performance.getEntriesByName("first-contentful-paint")[0].startTime`))
}

// number evaluates an expression.
func (p *page) number(js string) float64 {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	n, err := chromedp.Run(ctx, chromedp.Evaluate[float64](js))
	if err != nil {
		p.t.Fatalf("%s: %v\n%s", js, err, p.text())
	}
	return n
}

// words evaluates an expression that is a list of texts.
func (p *page) words(js string) []string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	list, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](js))
	if err != nil {
		p.t.Fatalf("%s: %v\n%s", js, err, p.text())
	}
	return list
}

// acts presses the button of a form and waits for what it says.
func (w *walk) acts(action, form string) {
	w.t.Helper()
	w.done = append(w.done, action)
	w.press(form + ` button:not([formaction])`)
	w.has(`.note.ok, .verdict, .columns pre`)
	if w.eval(`!!document.querySelector('[role="alert"]')`) {
		w.t.Errorf("%s failed:\n%s", action, w.text())
	}
}

// opens unfolds the menu that a form is in.
func (w *walk) opens(form string) string {
	w.t.Helper()
	w.eval(`(() => { document.querySelectorAll("[data-test]").forEach(e => e.removeAttribute("data-test"));
		document.querySelector(` + quote(form) + `).closest("details").querySelector("summary").setAttribute("data-test", "menu"); return true })()`)
	w.click(`[data-test="menu"]`)
	return `details[open] > ` + form
}

func (w *walk) overview() {
	w.visit("overview")
	w.wait(`document.querySelector('[data-stream]').dataset.live === "on"`)
	// The first point is there within five seconds, and comes by itself.
	w.has(`.figure polyline`)
	names := w.words(`[...document.querySelectorAll('.columns a[href*="endpoint-"]')].map(a => a.textContent)`)
	if !slices.Equal(names, w.endpointNames()) {
		w.t.Errorf("the overview has the endpoints %v", names)
	}
	// Somebody breaks the audit, which is seen here.
	w.has(`.health.ok`)
}

func (w *walk) callbacks() {
	w.visit("webhooks")
	var on struct{ Callbacks []string }
	w.api("/webhook/callbacks", struct{}{}, &on)
	shown := w.words(`[...document.querySelectorAll("tbody .key")].map(e => e.textContent)`)
	slices.Sort(on.Callbacks)
	slices.Sort(shown)
	if !slices.Equal(on.Callbacks, shown) {
		w.t.Errorf("on are %v, shown %v", on.Callbacks, shown)
	}
	w.shows("webhooks.yml:6")
	w.shows("env IMENV_WEBHOOKS_AFTERUSERONLINE_TIMEOUT")
	w.press(`main .bar a.button`)
	if n := w.number(`document.querySelectorAll("tbody tr").length`); n != 53 {
		w.t.Errorf("%v callbacks, want all 53", n)
	}
	if err := w.write(strings.Replace(everything, "timeout: 3", "timeout: 2", 1)); err != nil {
		w.t.Fatal(err)
	}
	w.acts("webhooks/reload", `form[action$="/webhooks/reload"]`)
	w.wait(`document.querySelector("tbody tr").innerText.includes("2s")`)
}

func (w *walk) live() {
	w.visit("webhooks/live")
	w.wait(`document.querySelector('[data-stream]').dataset.live === "on"`)
	before := w.number(`document.querySelectorAll("tbody tr").length`)
	if err := w.talk(1); err != nil {
		w.t.Fatal(err)
	}
	w.wait(fmt.Sprintf(`document.querySelectorAll("tbody tr").length >= %v`, before+5))
	// What was refused, and nothing else.
	w.goTo("/webhooks/live?callback=beforeSendSingleMsg&outcome=reject")
	var log struct{ Deliveries []struct{ Outcome string } }
	w.api("/webhook/deliveries", map[string]any{"callback": "beforeSendSingleMsg", "limit": 100}, &log)
	refused := 0
	for _, d := range log.Deliveries {
		if d.Outcome == "reject" {
			refused++
		}
	}
	if n := w.number(`document.querySelectorAll("tbody tr").length`); int(n) != refused || refused != 2 {
		w.t.Errorf("%v refusals are shown, the log has %d", n, refused)
	}
	w.press(`tbody a`)
	w.shows("Webhook-Signature: v1,")
	w.shows("si_ann_bob")
	if strings.Contains(w.text(), "a forbidden word") {
		w.t.Error("what was written is shown before anybody asked")
	}
	w.acts("webhooks/delivery/content", `form[action$="/delivery/content"]`)
	w.shows("a forbidden word")
	w.shows("the word list")
}

func (w *walk) why() {
	w.visit("webhooks/why")
	id, _, err := w.send("ann", "bob", "asked about", "walk-why")
	if err != nil {
		w.t.Fatal(err)
	}
	w.fill(`input[name="id"]`, id)
	w.press(`main form button.main`)
	w.wait(`document.querySelectorAll(".decided").length > 0`)
	w.shows("afterSendSingleMsg")
	w.goTo("/webhooks/why?id=ann")
	w.wait(`document.querySelectorAll("tbody tr").length > 5`)
}

func (w *walk) samples() {
	w.visit("webhooks/samples?callback=beforeSendSingleMsg")
	w.acts("webhooks/samples/test", `form[action$="/samples/test"]`)
	w.has(`.verdict .badge.ok`)
	w.shows("HTTP 200")
	w.goTo("/webhooks/samples?callback=afterSendSingleMsg")
	w.acts("webhooks/samples/trigger", `form[action$="/samples/trigger"]`)
	w.press(`.verdict a`)
	for !w.eval(`document.body.innerText.includes("afterSendSingleMsg") && document.querySelectorAll(".call .badge.ok").length >= 2`) {
		w.reload() // both endpoints hear of it in a moment
	}
}

type endpoint struct {
	Name, State, Reason string
	Signed              bool
	Events              int
}

// api makes a call of an administrator.
func (w *walk) api(path string, body, data any) {
	w.t.Helper()
	if err := w.PostAdmin(path, body, data); err != nil {
		w.t.Fatal(err)
	}
}

func (w *walk) endpointList() []endpoint {
	w.t.Helper()
	var list struct{ Endpoints []endpoint }
	w.api("/webhook/endpoints", struct{}{}, &list)
	return list.Endpoints
}

func (w *walk) endpointNames() (names []string) {
	w.t.Helper()
	for _, e := range w.endpointList() {
		names = append(names, e.Name)
	}
	return names
}

func (w *walk) endpoint(name string) endpoint {
	w.t.Helper()
	for _, e := range w.endpointList() {
		if e.Name == name {
			return e
		}
	}
	return endpoint{}
}

func (w *walk) endpoints() {
	w.visit("webhooks/endpoints")
	form := w.opens(`form[action$="/pause"]:has(input[value="audit"])`)
	w.fill(form+` input[name="reason"]`, "maintenance")
	w.acts("webhooks/endpoints/pause", form)
	if e := w.endpoint("audit"); e.State != "paused" || e.Reason != "maintenance" {
		w.t.Errorf("after the pause: %+v", e)
	}
	w.wait(`document.querySelector("#endpoint-audit").innerText.includes("maintenance")`)
	w.acts("webhooks/endpoints/resume", `#endpoint-audit .actions > form[action$="/resume"]`)
	if e := w.endpoint("audit"); e.State != "ok" {
		w.t.Errorf("after the resumption: %+v", e)
	}
	// One callback of it.
	form = w.opens(`form[action$="/pause"]:has(input[value="audit"])`)
	w.fill(form+` select[name="callback"]`, "afterSendSingleMsg")
	w.acts("webhooks/endpoints/pause", form)
	w.acts("webhooks/endpoints/resume", `#endpoint-audit .paused form`)

	w.acts("webhooks/endpoints/rotate", w.opens(`form[action$="/rotate"]:has(input[value="default"])`))
	shown := w.words(`[document.querySelector(".secret").textContent]`)[0]
	file := w.file()
	if !strings.Contains(file, `secret: "`+shown+`"`) || !strings.Contains(file, `previousSecret: "`+secret+`"`) || !strings.Contains(file, "# The business server of the tests.") {
		w.t.Errorf("%q was shown, the file is\n%s", shown, file)
	}
	w.opens(`form[action$="/rotate"]:has(input[value="default"])`)
	w.press(`details[open] button[formaction$="/finish"]`)
	w.done = append(w.done, "webhooks/endpoints/finish")
	w.has(`.note.ok`)
	if file = w.file(); strings.Contains(file, "previousSecret") || !strings.Contains(file, shown) {
		w.t.Errorf("after the rotation the file is\n%s", file)
	}
}

func (w *walk) file() string {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(w.dir, "webhooks.yml"))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

// dead lets the audit give up on some events, and delivers them again in every way
// there is.
func (w *walk) dead() {
	w.broken.Store(true)
	for i := range 4 {
		if _, _, err := w.send("ann", "cy", "lost", fmt.Sprintf("walk-lost-%d", i)); err != nil {
			w.t.Fatal(err)
		}
	}
	w.visit("webhooks/dead")
	deadline := time.Now().Add(patience)
	for w.number(`document.querySelectorAll('tbody form').length`) < 4 {
		if time.Now().After(deadline) {
			w.t.Fatalf("the events were not given up:\n%s", w.text())
		}
		w.reload()
	}
	w.broken.Store(false)
	w.acts("webhooks/dead/replay", `tbody tr:last-child form`)
	w.press(`tbody a`)
	w.acts("webhooks/delivery/replay", `form[action$="/delivery/replay"]`)
	w.goTo("/webhooks/dead")
	form := w.opens(`form[action$="/dead/recover"]`)
	w.fill(form+` input[name="from"]`, time.Now().UTC().Add(-time.Hour).Format("2006-01-02T15:04"))
	w.fill(form+` input[name="endpoint"]`, "audit")
	w.acts("webhooks/dead/recover", form)
	form = w.opens(`form[action$="/dead/replay"]`)
	w.do("all", chromedp.Click(form+` input[name="all"]`))
	w.acts("webhooks/dead/replay", form)
	w.goTo("/webhooks/dead")
	w.has(`td.empty`)
	for w.endpoint("audit").Events > 0 {
		if time.Now().After(deadline.Add(patience)) {
			w.t.Fatalf("the events do not arrive: %+v", w.endpoint("audit"))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// removed forgets what waits for an endpoint that is gone.
func (w *walk) removed() {
	w.api("/webhook/pause", map[string]any{"endpoint": "audit"}, nil)
	if _, _, err := w.send("ann", "cy", "kept", "walk-kept"); err != nil {
		w.t.Fatal(err)
	}
	file := w.file()
	if err := os.WriteFile(filepath.Join(w.dir, "webhooks.yml"), []byte(file[:strings.Index(file, "endpoints:")]), 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.goTo("/webhooks")
	w.acts("webhooks/reload", `form[action$="/webhooks/reload"]`)
	w.goTo("/webhooks/endpoints")
	w.acts("webhooks/endpoints/drop", w.opens(`form[action$="/drop"]`))
	if names := w.endpointNames(); !slices.Equal(names, []string{"default"}) {
		w.t.Errorf("after it was dropped there are %v", names)
	}
}

func (w *walk) access() {
	other := login(w.t, w.site, w.lang)
	w.visit("access/sessions")
	if n := w.number(`document.querySelectorAll("tbody tr").length`); n != 2 {
		w.t.Errorf("%v logins", n)
	}
	w.acts("access/sessions/end", `tbody tr:not(:has(.badge)) form`)
	other.goTo("/overview")
	other.has(`form.login`)
	w.visit("access")
	trail := w.words(`[...document.querySelectorAll("tbody code")].map(e => e.textContent).reverse()`)
	want := slices.Insert(slices.Clone(w.done), 0, "login")
	want = slices.Insert(want, len(want)-1, "login") // the other's
	if !slices.Equal(trail, want) {
		w.t.Errorf("the audit trail has %q, want %q", trail, want)
	}
	if n := w.number(`document.querySelectorAll("tbody .badge.bad").length`); n != 0 {
		w.t.Errorf("%v of them failed", n)
	}
	w.press(`form.who button`)
	w.has(`form.login`)
}
