package console

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/auth"
	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/metrics"
	"github.com/parley-im/parley/internal/reload"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
	"github.com/parley-im/parley/internal/webhook"
	"github.com/parley-im/parley/internal/webhook/desk"
	"github.com/parley-im/parley/internal/webhook/explain"
	"github.com/parley-im/parley/internal/webhook/tail"
)

func TestMain(m *testing.M) { storetest.Main(m) }

const secret = "the secret"

// site is a console with its store, served.
type site struct {
	*Console
	t     *testing.T
	url   string
	auth  *auth.Service
	clock *storetest.Clock
	past  *history
}

// history is a past the test makes up.
type history struct {
	mu     sync.Mutex
	points []metrics.Point
}

func (h *history) add(p metrics.Point) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.points = append(h.points, p)
}

// Points implements History.
func (h *history) Points(after im.Millis) (out []metrics.Point) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.points {
		if p.At > after {
			out = append(out, p)
		}
	}
	return out
}

func newSite(t *testing.T, change ...func(*Options)) *site {
	t.Helper()
	clock := storetest.NewClock()
	s := storetest.SQLite(t)(store.Options{Now: clock.Now})
	if err := s.Write(t.Context(), func(tx *store.Tx) error {
		for id, level := range map[string]int32{"imAdmin": 2, "second": 2, "alice": 0} {
			if err := tx.InsertUser(im.User{UserID: id, AppLevel: level}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	a := auth.New(s, auth.Options{
		Secret: []byte(secret), Expire: 90 * 24 * time.Hour, Admins: []string{"imAdmin", "second"}, Policy: auth.PolicyPerPlatform, Now: clock.Now,
	})
	calls := &tail.Log{}
	config := config.Default()
	settings := reload.New(reload.Options{Config: config, Store: s, Now: clock.Now})
	hooks, err := webhook.New(webhook.Config{}, webhook.Options{Watch: calls.Add, Now: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	if err := hooks.Restore(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	d := &desk.Desk{Store: s, Hooks: hooks, Config: settings, Explainer: &explain.Explainer{
		Store: s, Config: settings, IsAdmin: a.IsAdmin, Online: func(string) []string { return nil },
		Endpoints:   func(context.Context) ([]explain.Endpoint, error) { return nil, nil },
		LostLogRows: hooks.LostLogRows, Now: clock.Now,
	}}
	past := &history{}
	o := Options{Store: s, Auth: a, SessionLife: 12 * time.Hour, Now: clock.Now, Desk: d, Calls: calls, History: past, Warnings: &Warnings{}, Chat: chatOf(s, a), Trial: noTrial()}
	for _, f := range change {
		f(&o)
	}
	c := New(o)
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	t.Cleanup(c.Shutdown)
	return &site{Console: c, t: t, url: server.URL, auth: a, clock: clock, past: past}
}

// browser is somebody with cookies, who follows no redirects.
type browser struct {
	*site
	client *http.Client
	csrf   string
}

func (s *site) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return &browser{site: s, client: &http.Client{
		Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// loggedIn is a browser with a session, opened with the secret.
func (s *site) loggedIn() *browser {
	s.t.Helper()
	b := s.browser()
	if status, _ := b.login(secret); status != http.StatusSeeOther {
		s.t.Fatalf("login: status %d", status)
	}
	return b
}

var csrfValue = regexp.MustCompile(`name="csrf" value="([0-9a-f]+)"`)

func (b *browser) login(shown string) (status int, body string) {
	b.t.Helper()
	status, body = b.post("/login", url.Values{"secret": {shown}})
	if status == http.StatusSeeOther {
		_, page := b.get("/access")
		if m := csrfValue.FindStringSubmatch(page); m != nil {
			b.csrf = m[1]
		}
	}
	return status, body
}

// get asks for a path below Base.
func (b *browser) get(path string, header ...string) (status int, body string) {
	b.t.Helper()
	return b.do(http.MethodGet, path, nil, header...)
}

// post sends a form as the pages do: with their origin and form token.
func (b *browser) post(path string, form url.Values, header ...string) (status int, body string) {
	b.t.Helper()
	if b.csrf != "" && form.Get(csrfField) == "" {
		form.Set(csrfField, b.csrf)
	}
	return b.do(http.MethodPost, path, form, append([]string{"Origin", b.url}, header...)...)
}

func (b *browser) do(method, path string, form url.Values, header ...string) (status int, body string) {
	b.t.Helper()
	resp := b.send(method, path, form, header...)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func (b *browser) send(method, path string, form url.Values, header ...string) *http.Response {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.url+Base+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp
}

// entries is the audit trail, oldest first.
func (s *site) entries() (out []store.ConsoleEntry) {
	s.t.Helper()
	if err := s.Store.Read(s.t.Context(), func(tx *store.Tx) error {
		list, err := tx.ConsoleEntries(store.ConsoleFilter{})
		for i := range list {
			out = append(out, list[len(list)-1-i])
		}
		return err
	}); err != nil {
		s.t.Fatal(err)
	}
	return out
}
