package console

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/auth"
	"github.com/parley-im/parley/internal/edge"
	"github.com/parley-im/parley/internal/im"
)

// doors are everything behind the login: every page, action and stream.
func (c *Console) doors() (gets, posts, streams []string) {
	for _, p := range c.pages {
		at := "/" + p.path
		gets = append(gets, at)
		for _, a := range p.actions {
			posts = append(posts, at+"/"+a.name)
		}
		for _, s := range p.streams {
			streams = append(streams, at+"/"+s.name)
		}
	}
	return gets, append(posts, "/logout"), streams
}

// Nobody gets anything without a session: not without a cookie, with a made-up
// one, or with a user's token in its place.
func TestNothingWithoutLogin(t *testing.T) {
	s := newSite(t)
	token, _, err := s.auth.UserToken(t.Context(), "alice", im.PlatformWeb)
	if err != nil {
		t.Fatal(err)
	}
	gets, posts, streams := s.doors()
	for name, cookie := range map[string]string{"no cookie": "", "a made-up one": sessionCookie + "=ABC", "a user's token": sessionCookie + "=" + token} {
		t.Run(name, func(t *testing.T) {
			b := s.browser()
			with := func(h ...string) []string {
				if cookie != "" {
					h = append(h, "Cookie", cookie)
				}
				return append(h, "token", token)
			}
			for _, path := range gets {
				resp := b.send(http.MethodGet, path, nil, with()...)
				resp.Body.Close()
				if to := resp.Header.Get("Location"); resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(to, Base+"/login?next=") {
					t.Errorf("GET %s: %d to %q, want to the login", path, resp.StatusCode, to)
				}
			}
			for _, path := range posts {
				if status, _ := b.do(http.MethodPost, path, url.Values{csrfField: {"x"}}, with("Origin", s.url)...); status != http.StatusUnauthorized {
					t.Errorf("POST %s: %d, want 401", path, status)
				}
			}
			for _, path := range streams {
				if status, _ := b.get(path, with("Accept", "text/event-stream")...); status != http.StatusUnauthorized {
					t.Errorf("stream %s: %d, want 401", path, status)
				}
			}
		})
	}
	if n := len(s.entries()); n != 0 {
		t.Errorf("%d entries in the audit trail of what was not done", n)
	}
}

func TestLogin(t *testing.T) {
	t.Run("with the secret", func(t *testing.T) {
		s := newSite(t)
		b := s.loggedIn()
		if status, page := b.get("/access"); status != http.StatusOK || !strings.Contains(page, "imAdmin") {
			t.Errorf("status %d:\n%s", status, page)
		}
		got := s.entries()
		if len(got) != 1 || got[0].Action != "login" || got[0].UserID != "imAdmin" || got[0].Outcome != outcomeDone || got[0].Address != "127.0.0.1" {
			t.Errorf("the audit trail has %+v", got)
		}
	})
	t.Run("with a token, no longer than it lasts", func(t *testing.T) {
		s := newSite(t)
		token, _, err := s.auth.AdminToken(t.Context(), secret, "second")
		if err != nil {
			t.Fatal(err)
		}
		s.clock.Pass(90*24*time.Hour - time.Hour)
		b := s.browser()
		if status, _ := b.login(token); status != http.StatusSeeOther {
			t.Fatalf("status %d", status)
		}
		if got := s.entries(); got[0].UserID != "second" {
			t.Errorf("logged in as %+v", got)
		}
		s.clock.Pass(time.Hour)
		if status, _ := b.get("/access"); status != http.StatusSeeOther {
			t.Errorf("the session outlived the token: %d", status)
		}
	})
	t.Run("refused", func(t *testing.T) {
		s := newSite(t)
		token, _, err := s.auth.UserToken(t.Context(), "alice", im.PlatformWeb)
		if err != nil {
			t.Fatal(err)
		}
		for _, wrong := range []string{"", "guess", token, secret + "x"} {
			b := s.browser()
			if status, _ := b.login(wrong); status != http.StatusForbidden {
				t.Errorf("login with %q: %d", wrong, status)
			}
			if status, _ := b.get("/access"); status != http.StatusSeeOther {
				t.Errorf("after it: %d", status)
			}
		}
		for _, e := range s.entries() {
			if e.Outcome != "refused" || strings.Contains(e.Detail, "guess") {
				t.Errorf("the audit trail has %+v", e)
			}
		}
	})
	t.Run("goes on where it came from, and nowhere else", func(t *testing.T) {
		s := newSite(t)
		for next, want := range map[string]string{
			"/console/access?user=a":  "/console/access?user=a",
			"https://evil.example/":   "/console/",
			"//evil.example/":         "/console/",
			"/console//evil.example":  "/console/",
			"/console/\\evil.example": "/console/",
			"":                        "/console/",
		} {
			s.clock.Pass(time.Minute)
			resp := s.browser().send(http.MethodPost, "/login", url.Values{"secret": {secret}, "next": {next}}, "Origin", s.url)
			resp.Body.Close()
			if to := resp.Header.Get("Location"); to != want {
				t.Errorf("next %q led to %q, want %q", next, to, want)
			}
		}
	})
}

// Guessing is slowed down for an address, and comes back with time.
func TestLoginRate(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	for range triesPerAddress {
		if status, _ := b.login("guess"); status != http.StatusForbidden {
			t.Fatalf("status %d", status)
		}
	}
	if status, _ := b.login(secret); status != http.StatusTooManyRequests {
		t.Errorf("one try too many: %d", status)
	}
	s.clock.Pass(tryEvery)
	if status, _ := b.login(secret); status != http.StatusSeeOther {
		t.Errorf("after a while: %d", status)
	}
	a := newAttempts()
	now := s.clock.Now()
	for i := range triesOfAll {
		if !a.allow(netip.MustParseAddr("2001:db8:0:"+number(int64(i))+"::1"), now) {
			t.Fatalf("try %d from an address of its own was refused", i)
		}
	}
	if a.allow(netip.MustParseAddr("192.0.2.1"), now) {
		t.Error("all addresses together have no bound")
	}
	a = newAttempts()
	for i := range triesPerAddress {
		a.allow(netip.MustParseAddr("2001:db8::"+number(int64(i))), now)
	}
	if a.allow(netip.MustParseAddr("2001:db8::ffff"), now) || !a.allow(netip.MustParseAddr("2001:db8:1::1"), now) {
		t.Error("an IPv6 network of /64 must count as one address")
	}
}

func TestSession(t *testing.T) {
	proxy, err := edge.ParseNetworks([]string{"127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, func(o *Options) { o.Peers = edge.NewPeers(proxy) })
	b := s.loggedIn()
	other := s.loggedIn()
	var cookie *http.Cookie
	at, err := url.Parse(s.url + Base)
	if err != nil {
		t.Fatal(err)
	}
	resp := s.browser().send(http.MethodPost, "/login", url.Values{"secret": {secret}}, "Origin", s.url, "X-Forwarded-Proto", "https")
	resp.Body.Close()
	for _, c := range resp.Cookies() {
		if c.Name == sessionCookie {
			cookie = c
		}
	}
	if cookie == nil || !cookie.HttpOnly || !cookie.Secure || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != Base {
		t.Errorf("the cookie is %+v", cookie)
	}
	if n := len(b.client.Jar.Cookies(at)); n != 1 {
		t.Errorf("%d cookies", n)
	}

	hash := hashOf(other.client.Jar.Cookies(at)[0].Value)
	if status, _ := b.post("/access/sessions/end", url.Values{"session": {hash}}); status != http.StatusSeeOther {
		t.Errorf("ending the other login: %d", status)
	}
	if status, _ := other.get("/access"); status != http.StatusSeeOther {
		t.Errorf("the ended session goes on: %d", status)
	}
	if status, _ := b.post("/access/sessions/end", url.Values{"session": {hash}}); status != http.StatusUnprocessableEntity {
		t.Errorf("ending it again: %d", status)
	}
	if status, _ := b.post("/logout", url.Values{}); status != http.StatusSeeOther {
		t.Error("logout failed")
	}
	if status, _ := b.get("/access"); status != http.StatusSeeOther {
		t.Errorf("after the logout: %d", status)
	}

	b = s.loggedIn()
	s.clock.Pass(12 * time.Hour)
	if status, _ := b.get("/access"); status != http.StatusSeeOther {
		t.Errorf("the session did not end: %d", status)
	}
	b = s.loggedIn()
	s.auth.SetRules(auth.Rules{Admins: []string{"second"}, Policy: auth.PolicyPerPlatform})
	if status, _ := b.get("/access"); status != http.StatusSeeOther {
		t.Errorf("a former administrator is let in: %d", status)
	}
}

// A change needs an origin of ours and the session's form token.
func TestForgedChanges(t *testing.T) {
	s := newSite(t)
	b := s.loggedIn()
	_, posts, _ := s.doors()
	before := len(s.entries())
	for _, path := range append(posts, "/login", "/preferences") {
		for _, test := range []struct {
			name   string
			header []string
		}{
			{"no origin", nil},
			{"another origin", []string{"Origin", "https://evil.example"}},
			{"a hidden origin", []string{"Origin", "null"}},
			{"another port", []string{"Origin", "http://127.0.0.1:1"}},
			{"another site by the browser's word", []string{"Origin", s.url, "Sec-Fetch-Site", "cross-site"}},
		} {
			if status, _ := b.do(http.MethodPost, path, url.Values{csrfField: {b.csrf}, "secret": {secret}}, test.header...); status != http.StatusForbidden {
				t.Errorf("%s from %s: %d", path, test.name, status)
			}
		}
	}
	foreign := s.loggedIn()
	before++ // its login
	for _, path := range posts {
		for name, csrf := range map[string]string{"no token": "", "a wrong one": "00", "that of another login": foreign.csrf} {
			if status, _ := b.do(http.MethodPost, path, url.Values{csrfField: {csrf}}, "Origin", s.url); status != http.StatusForbidden {
				t.Errorf("%s with %s: %d", path, name, status)
			}
		}
	}
	if n := len(s.entries()); n != before {
		t.Errorf("%d entries in the audit trail, %d before", n, before)
	}
}

func TestHeaders(t *testing.T) {
	s := newSite(t)
	b := s.loggedIn()
	gets, _, _ := s.doors()
	for _, path := range append(gets, "/login", "/static/nothing") {
		resp := b.send(http.MethodGet, path, nil)
		resp.Body.Close()
		h := resp.Header
		csp := h.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", path, h)
		}
	}
	path, err := assetPath("console.css")
	if err != nil {
		t.Fatal(err)
	}
	resp := s.browser().send(http.MethodGet, strings.TrimPrefix(path, Base), nil)
	resp.Body.Close()
	if !strings.Contains(resp.Header.Get("Cache-Control"), "immutable") || resp.StatusCode != http.StatusOK {
		t.Errorf("%s: %d %v", path, resp.StatusCode, resp.Header)
	}
}

// Every action that is carried out stands in the audit trail, with its fields
// but for those that are private.
func TestActionDetail(t *testing.T) {
	a := action{name: "send", private: []string{"text"}}
	got := a.detail(url.Values{csrfField: {"t"}, "text": {"the content"}, "to": {"alice & bob"}, "empty": {""}, "two": {"1", "2"}})
	if got != "text=…&to=alice & bob&two=1&two=2" {
		t.Errorf("recorded as %q", got)
	}
	if long := a.detail(url.Values{"to": {strings.Repeat("x", 10_000)}}); len(long) > detailKept+10 {
		t.Errorf("%d bytes are kept", len(long))
	}
	var names []string
	for _, p := range newSite(t).pages {
		for _, act := range p.actions {
			names = append(names, p.path+"/"+act.name)
		}
	}
	slices.Sort(names)
	if len(slices.Compact(names)) != len(names) {
		t.Errorf("two actions have one name: %v", names)
	}
}
