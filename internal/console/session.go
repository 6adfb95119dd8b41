package console

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

const (
	sessionCookie = "parley_console"
	csrfField     = "csrf"
)

// open logs an administrator in. The cookie ends with the browser, the session
// with SessionLife. The cookie is a random text; the store knows
// its hash, so a stolen database logs nobody in.
func (c *Console) open(w http.ResponseWriter, r *http.Request, userID string, until time.Time) error {
	now := c.Now()
	ends := now.Add(c.SessionLife)
	if !until.IsZero() && until.Before(ends) {
		ends = until // a session does not outlive the token it was opened with
	}
	text := rand.Text()
	s := store.ConsoleSession{
		Hash: hashOf(text), UserID: userID, Address: c.addressOf(r), Agent: short(r.UserAgent(), 200),
		OpenedAt: im.MillisOf(now), ExpiresAt: im.MillisOf(ends),
	}
	if err := c.Store.Write(r.Context(), func(tx *store.Tx) error { return tx.InsertConsoleSession(s) }); err != nil {
		return err
	}
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookie, Value: text, Path: Base, HttpOnly: true, Secure: c.Peers.Secure(r), SameSite: http.SameSiteStrictMode,
	})
	return nil
}

// session is the login a request belongs to, nil for none. It is looked up each
// time: a session that was ended, and one of a former administrator, is over at
// once.
func (c *Console) session(r *http.Request) (*store.ConsoleSession, string, error) {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil || cookie.Value == "" {
		return nil, "", nil
	}
	s, err := c.lookUp(r, hashOf(cookie.Value))
	return s, cookie.Value, err
}

func (c *Console) lookUp(r *http.Request, hash string) (*store.ConsoleSession, error) {
	var s store.ConsoleSession
	var found bool
	if err := c.Store.Read(r.Context(), func(tx *store.Tx) (err error) {
		s, found, err = tx.ConsoleSession(hash, im.MillisOf(c.Now()))
		return err
	}); err != nil {
		return nil, err
	}
	if !found || !c.Auth.IsAdmin(s.UserID) {
		return nil, nil
	}
	return &s, nil
}

// end ends a session.
func (c *Console) end(r *http.Request, hash string) (was bool, err error) {
	err = c.Store.Write(r.Context(), func(tx *store.Tx) (err error) {
		was, err = tx.DeleteConsoleSession(hash)
		return err
	})
	return was, err
}

// addressOf is where a request came from.
func (c *Console) addressOf(r *http.Request) string { return c.Peers.Addr(r).String() }

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// csrfOf is the form token of a session: nobody knows it who does not know the
// cookie, and it does not give the cookie away.
func csrfOf(cookie string) string { return hashOf("form of " + cookie) }

func sameToken(given, want string) bool {
	return subtle.ConstantTimeCompare([]byte(given), []byte(want)) == 1
}
