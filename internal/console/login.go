package console

import (
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/parley-im/parley/internal/im"
)

// loginView is what the login page shows.
type loginView struct {
	view
	Next string
}

func (c *Console) showLogin(w http.ResponseWriter, r *http.Request) {
	c.renderLogin(w, r, http.StatusOK, "", r.URL.Query().Get("next"))
}

func (c *Console) renderLogin(w http.ResponseWriter, r *http.Request, status int, wrong, next string) {
	v := loginView{view: view{Lang: languageOf(r), Theme: themeOf(r), Path: r.URL.Path, Version: c.Version}, Next: next}
	if wrong != "" {
		v.Error = v.Lang.text(wrong)
	}
	c.render(w, r, status, loginTemplate, "layout", v)
}

// login opens a session for who shows the secret or an administrator's token.
func (c *Console) login(w http.ResponseWriter, r *http.Request) {
	ctx := im.WithOperation(r.Context(), "console")
	next := r.PostFormValue("next")
	if !c.logins.allow(c.Peers.Addr(r), c.Now()) {
		c.renderLogin(w, r, http.StatusTooManyRequests, "login.slow", next)
		return
	}
	userID, until, err := c.Auth.Administrator(ctx, strings.TrimSpace(r.PostFormValue("secret")))
	if err != nil {
		c.note(r, "", "login", "refused")
		c.Logger.WarnContext(ctx, "console login refused", "address", c.addressOf(r))
		c.renderLogin(w, r, http.StatusForbidden, "login.wrong", next)
		return
	}
	if err := c.open(w, r, userID, until); err != nil {
		c.Logger.ErrorContext(ctx, "console login failed", "error", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	c.note(r, userID, "login", outcomeDone)
	http.Redirect(w, r, inside(next), http.StatusSeeOther)
}

// inside is where a path of ours leads; anything else leads to the first page.
func inside(next string) string {
	if strings.HasPrefix(next, Base+"/") && !strings.ContainsAny(next, "\\\r\n") && !strings.Contains(next, "//") {
		return next
	}
	return Base + "/"
}

func (c *Console) logout(w http.ResponseWriter, r *request) {
	if err := c.audited(r, "logout", "", func() error {
		_, err := c.end(r.Request, r.session.Hash)
		return err
	}); err != nil {
		c.Logger.ErrorContext(r.Context(), "console logout failed", "error", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Path: Base, MaxAge: -1, HttpOnly: true, Secure: c.Peers.Secure(r.Request), SameSite: http.SameSiteStrictMode})
	http.Redirect(w, r.Request, Base+"/login", http.StatusSeeOther)
}

// Bounds of tries to log in: for one address, and for all together.
const (
	triesPerAddress = 5
	tryEvery        = 12 * time.Second // another one for an address
	triesOfAll      = 60
	tryOfAllEvery   = time.Second
	addressesKept   = 10_000
)

// attempts slows down who guesses.
type attempts struct {
	mu  sync.Mutex
	by  map[netip.Prefix]*rate.Limiter
	all *rate.Limiter
}

func newAttempts() *attempts {
	return &attempts{by: make(map[netip.Prefix]*rate.Limiter), all: rate.NewLimiter(rate.Every(tryOfAllEvery), triesOfAll)}
}

// allow reports whether an address may try now. An IPv6 network counts as one
// address.
func (a *attempts) allow(addr netip.Addr, now time.Time) bool {
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	key, _ := addr.Prefix(bits) // in range
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.by[key]
	if l == nil {
		if len(a.by) >= addressesKept {
			clear(a.by) // the bound of all stays
		}
		l = rate.NewLimiter(rate.Every(tryEvery), triesPerAddress)
		a.by[key] = l
	}
	return l.AllowN(now, 1) && a.all.AllowN(now, 1)
}
