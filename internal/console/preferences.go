package console

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	languageCookie = "parley_language"
	themeCookie    = "parley_theme"
)

// themes are the ways to look; the first follows the device.
var themes = []string{"auto", "light", "dark"}

// setPreferences keeps language and theme in the browser. They say nothing about
// anybody and need no login.
func (c *Console) setPreferences(w http.ResponseWriter, r *http.Request) {
	keep := func(name, value string) {
		http.SetCookie(w, &http.Cookie{
			Name: name, Value: value, Path: Base, Expires: time.Now().AddDate(1, 0, 0), HttpOnly: true, Secure: c.Peers.Secure(r), SameSite: http.SameSiteStrictMode,
		})
	}
	if l := language(r.PostFormValue("language")); l.valid() {
		keep(languageCookie, string(l))
	}
	if t := r.PostFormValue("theme"); slices.Contains(themes, t) {
		keep(themeCookie, t)
	}
	http.Redirect(w, r, inside(r.PostFormValue("next")), http.StatusSeeOther)
}

func languageOf(r *http.Request) language {
	if kept, err := r.Cookie(languageCookie); err == nil && language(kept.Value).valid() {
		return language(kept.Value)
	}
	if strings.HasPrefix(strings.ToLower(r.Header.Get("Accept-Language")), string(chinese)) {
		return chinese
	}
	return english
}

func themeOf(r *http.Request) string {
	if c, err := r.Cookie(themeCookie); err == nil && slices.Contains(themes, c.Value) {
		return c.Value
	}
	return themes[0]
}
