package operator

import (
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // a body that breaks off is answered all the same
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

const ask = "url: HANDLER/webhook\nbeforeSendSingleMsg: {enable: true, failedContinue: false}\n"

// complaint is something people ask in forums, and what the page must name.
type complaint struct {
	name     string
	webhooks string
	edit     string // of webhooks.yml while the server runs
	answer   http.HandlerFunc
	env      string
	sends    bool   // a message is sent, and asked about
	callback string // asked about otherwise
	pasted   string // variables
	cause    string
	parts    []string // of what is said
}

var complaints = []complaint{
	{
		name: "wrong nesting", webhooks: ask, edit: "callback:\n  url: HANDLER\n  afterSendSingleMsg:\n    enable: true\n",
		callback: "afterSendSingleMsg", cause: "wrong-nesting", parts: []string{"webhooks.yml:1", "top level"},
	},
	{
		name: "misspelled key", webhooks: "url: HANDLER\nbeforeSendSingelMsg:\n  enable: true\n", env: "PARLEY_CONFIG_LENIENT=true",
		callback: "beforeSendSingleMsg", cause: "misspelled-key", parts: []string{"webhooks.yml:2", "beforeSendSingelMsg"},
	},
	{
		name: "attentionIds excludes", webhooks: "url: HANDLER\nafterSendSingleMsg:\n  enable: true\n  attentionIds: [bot]\n",
		sends: true, cause: "attention-ids", parts: []string{"ann", "bob", "[bot]", "webhooks.yml:4"},
	},
	{
		name: "a variable that never reached the process", webhooks: "url: HANDLER\n",
		callback: "afterSendSingleMsg", pasted: "  - IMENV_WEBHOOKS_AFTERSENDSINGLEMSG_ENABLE=true", cause: "variable-not-in-process",
		parts: []string{"IMENV_WEBHOOKS_AFTERSENDSINGLEMSG_ENABLE"},
	},
	{
		name: "legacy key of a pair", webhooks: "url: HANDLER\nbeforeUpdateUserInfo: {enable: true}\n",
		callback: "beforeUpdateUserInfoEx", cause: "legacy-key", parts: []string{"beforeUpdateUserInfo"},
	},
	{
		name: "callback on the wrong stage", webhooks: "url: HANDLER\nafterSendSingleMsg: {enable: true}\n",
		answer: says(200, `{"actionCode":0,"errCode":5001,"errMsg":"no","errDlt":"","nextCode":1}`),
		sends:  true, cause: "wrong-stage", parts: []string{"beforeSendSingleMsg"},
	},
	{
		name: "handler returning HTML", webhooks: ask, answer: says(200, "<!DOCTYPE html>\n<html><body>Sign in</body></html>"),
		sends: true, cause: "answer-is-html", parts: []string{"<!DOCTYPE html>"},
	},
	{
		name: "status 500 with a JSON page", webhooks: ask, answer: says(500, `{"status":500,"error":"Internal Server Error"}`),
		sends: true, cause: "status-with-json-page", parts: []string{"500"},
	},
	{
		name: "redirect", webhooks: ask, answer: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://login.example.test/", http.StatusFound)
		},
		sends: true, cause: "redirect", parts: []string{"302", "https://login.example.test/"},
	},
	{
		name: "wrong path placeholder", webhooks: ask, edit: "url: \"HANDLER/webhook/:command\"\nbeforeSendSingleMsg: {enable: true}\n",
		callback: "beforeSendSingleMsg", cause: "path-placeholder", parts: []string{"webhooks.yml:1"},
	},
	{
		name: "timeout longer than the client's patience", webhooks: "url: HANDLER\nbeforeSendSingleMsg: {enable: true, timeout: 20}\nbeforeDeadline: 30s\n",
		callback: "beforeSendSingleMsg", cause: "longer-than-patience", parts: []string{"20s", "webhooks.yml:2"},
	},
}

// Each of the usual complaints is found in three clicks, starting from the first
// page: Webhooks, Why?, Ask.
func TestComplaints(t *testing.T) {
	for _, c := range complaints {
		t.Run(c.name, func(t *testing.T) { c.isFound(t) })
	}
	t.Run("single-threaded handler that calls back into the API", singleThreaded)
}

func (c complaint) isFound(t *testing.T) {
	answer := c.answer
	if answer == nil {
		answer = says(200, `{"actionCode":0,"nextCode":0}`)
	}
	var env []string
	if c.env != "" {
		env = append(env, c.env)
	}
	s := start(t, c.webhooks, answer, env...)
	id := ""
	if c.sends {
		id = sendAs(t, s, "why-"+strings.ReplaceAll(c.name, " ", "-"))
	}
	if c.edit != "" {
		if err := s.write(c.edit); err != nil {
			t.Fatal(err)
		}
		awaitRefused(t, s)
	}
	p := login(t, s, "en")
	p.finds(id, c.callback, c.pasted, c.cause, c.parts)
	p.speak("zh")
	said := `[...document.querySelectorAll('[data-cause="` + c.cause + `"] > p')]`
	if !p.eval(said + `.length > 1 && ` + said + `.every(e => /\p{Script=Han}/u.test(e.innerText.replace("处理办法", "")))`) {
		t.Errorf("not in Chinese:\n%s", p.text())
	}
}

// finds asks for the cause on the page.
func (p *page) finds(id, callback, pasted, cause string, parts []string) {
	p.t.Helper()
	p.clicks = 0
	p.follow("Webhooks")
	p.follow("Why?")
	p.fill(`input[name="id"]`, id)
	p.fill(`select[name="callback"]`, callback)
	if pasted != "" {
		p.fill(`textarea[name="env"]`, pasted)
	}
	p.press(`main form button.main`)
	if p.clicks > 3 {
		p.t.Errorf("%d clicks", p.clicks)
	}
	selector := `[data-cause="` + cause + `"]`
	deadline := time.Now().Add(patience)
	for !p.eval(`!!document.querySelector(` + quote(selector) + `)`) { // a before-call is logged a moment after it ended
		if time.Now().After(deadline) {
			p.t.Fatalf("the page does not name %s:\n%s", cause, p.text())
		}
		p.reload()
	}
	for _, part := range parts {
		if !p.eval(`[...document.querySelectorAll(` + quote(selector) + `)].some(e => e.innerText.includes(` + quote(part) + `))`) {
			p.t.Errorf("%s is named without %q:\n%s", cause, part, p.text())
		}
	}
}

// singleThreaded is a handler that makes one thing after the other, and asks the
// API for something about which it is asked.
func singleThreaded(t *testing.T) {
	busy := make(chan struct{}, 1)
	var s *site
	s = start(t, "url: HANDLER\nbeforeSendSingleMsg: {enable: true, failedContinue: false, timeout: 1}\n", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // a body that breaks off is answered all the same
		busy <- struct{}{}
		defer func() { <-busy }()
		if r.URL.Path == "/make" { // what its own clients ask for
			_, _ = io.WriteString(w, sendAs(t, s, "why-itself"))
			return
		}
		_, _ = io.WriteString(w, `{"actionCode":0,"nextCode":0}`)
	})
	resp, err := http.Post(s.handler.URL+"/make", "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	login(t, s, "en").finds("why-itself", "", "", "handler-waits-for-itself", []string{"timeout after 1s"})
}

// start is a server of a test's own.
func start(t *testing.T, webhooks string, answer http.HandlerFunc, env ...string) *site {
	t.Helper()
	s, err := startSite(filepath.Join(t.TempDir(), "s"), webhooks, answer, env...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}
