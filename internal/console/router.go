package console

import (
	"errors"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"

	"github.com/parley-im/parley/internal/im"
)

// maxForm is the most bytes of a form.
const maxForm = 1 << 20

// policy lets a page load what comes from here, and run no script of its text.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// routes is who may do what: static files, the login and the language are for
// everybody, all else is for administrators who are logged in.
func (c *Console) routes() http.Handler {
	mux := http.NewServeMux()
	first := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, Base+"/"+c.pages[0].path, http.StatusSeeOther)
	}
	mux.HandleFunc("GET "+Base, first)
	mux.HandleFunc("GET "+Base+"/{$}", first)
	mux.HandleFunc("GET "+Base+"/static/{file}", serveAsset)
	mux.HandleFunc("GET "+Base+"/login", c.showLogin)
	mux.HandleFunc("POST "+Base+"/login", c.login)
	mux.HandleFunc("POST "+Base+"/logout", c.loggedIn(c.logout))
	mux.HandleFunc("POST "+Base+"/preferences", c.setPreferences)
	for _, p := range c.pages {
		at := Base + "/" + p.path
		mux.HandleFunc("GET "+at, c.loggedIn(func(w http.ResponseWriter, r *request) { c.show(w, r, p) }))
		for i := range p.actions {
			a := &p.actions[i]
			mux.HandleFunc("POST "+at+"/"+a.name, c.loggedIn(func(w http.ResponseWriter, r *request) { c.act(w, r, p, a) }))
		}
		for i := range p.streams {
			s := &p.streams[i]
			mux.HandleFunc("GET "+at+"/"+s.name, c.loggedIn(func(w http.ResponseWriter, r *request) { c.stream(w, r, p, s) }))
		}
	}
	return c.recover(headers(sameOrigin(mux)))
}

// headers are on everything that is served here.
func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin") // "no-referrer" would make browsers hide the origin of forms
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		next.ServeHTTP(w, r)
	})
}

// sameOrigin refuses every change that a page of another origin asks for. What
// does not say where it comes from is refused too: browsers always say it.
func sameOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			origin, err := url.Parse(r.Header.Get("Origin"))
			site := r.Header.Get("Sec-Fetch-Site")
			if err != nil || origin.Host == "" || origin.Host != r.Host || site != "" && site != "same-origin" {
				http.Error(w, "the request comes from another origin", http.StatusForbidden)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

func (c *Console) recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch p := recover(); p {
			case nil:
			case http.ErrAbortHandler:
				panic(p)
			default:
				c.Logger.ErrorContext(r.Context(), "panic in console", "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
				http.Error(w, "internal error", http.StatusInternalServerError)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// loggedIn lets administrators through who have a session and, for a change, its
// form token.
func (c *Console) loggedIn(next func(http.ResponseWriter, *request)) http.HandlerFunc {
	return func(w http.ResponseWriter, hr *http.Request) {
		session, cookie, err := c.session(hr)
		switch {
		case err != nil:
			c.Logger.ErrorContext(hr.Context(), "console session cannot be read", "error", err)
			http.Error(w, "internal error", http.StatusInternalServerError)
			return
		case session == nil && hr.Method == http.MethodGet && !isStream(hr):
			http.Redirect(w, hr, Base+"/login?"+url.Values{"next": {hr.URL.RequestURI()}}.Encode(), http.StatusSeeOther)
			return
		case session == nil:
			http.Error(w, "not logged in", http.StatusUnauthorized)
			return
		}
		ctx := im.WithCaller(im.WithOperation(hr.Context(), "console"), im.Caller{UserID: session.UserID, Platform: im.PlatformAdmin, Admin: true})
		r := &request{Request: hr.WithContext(ctx), console: c, session: *session, lang: languageOf(hr), csrf: csrfOf(cookie)}
		if hr.Method != http.MethodGet && !sameToken(r.PostFormValue(csrfField), r.csrf) {
			http.Error(w, "the form has no valid token: load the page again", http.StatusForbidden)
			return
		}
		next(w, r)
	}
}

func isStream(r *http.Request) bool { return r.Header.Get("Accept") == "text/event-stream" }

// show answers with a page.
func (c *Console) show(w http.ResponseWriter, r *request, p *page) {
	v := c.view(r, p)
	if key := r.URL.Query().Get("done"); hasText(key) && strings.HasPrefix(key, "done.") {
		v.Done, v.DoneN = key, r.URL.Query().Get("n")
	}
	status := http.StatusOK
	var err error
	if v.Data, err = p.show(r); err != nil {
		status = v.fail(r, err)
	}
	c.render(w, r.Request, status, p.template, "layout", v)
}

// act records an action, carries it out, and shows what became of it.
func (c *Console) act(w http.ResponseWriter, r *request, p *page, a *action) {
	var d done
	err := c.audited(r, p.path+"/"+a.name, a.detail(r.PostForm), func() (err error) {
		d, err = a.do(r)
		return err
	})
	inline := r.Header.Get("X-Inline") != "" // asked by the page's script, which stays where it is
	switch {
	case err == nil && d.result == nil && inline:
		w.WriteHeader(http.StatusNoContent)
		return
	case err == nil && d.result == nil:
		to, _, _ := strings.Cut(d.to, "#")
		at, err := url.Parse(Base + "/" + to)
		if d.to == "" || err != nil {
			at = &url.URL{Path: Base + "/" + p.path}
		}
		q := at.Query()
		if d.say != "" {
			q.Set("done", d.say)
			q.Set("n", number(d.n))
		}
		at.RawQuery = q.Encode()
		http.Redirect(w, r.Request, at.String(), http.StatusSeeOther)
		return
	}
	v := c.view(r, p)
	v.Form = r.PostForm
	status := http.StatusOK
	if err != nil {
		status = v.fail(r, err)
		if inline {
			http.Error(w, v.Error, status)
			return
		}
	}
	v.Result = d.result
	var showErr error
	if v.Data, showErr = p.show(r); showErr != nil && err == nil {
		status = v.fail(r, showErr)
	}
	c.render(w, r.Request, status, p.template, "layout", v)
}

// fail puts what went wrong into the view. The person in front of it is an
// administrator: he is told what the command line would tell him.
func (v *view) fail(r *request, err error) (status int) {
	status = http.StatusUnprocessableEntity
	if known, ok := errors.AsType[*im.Error](err); ok {
		v.Error = r.lang.refusal(known)
		return status
	}
	r.console.Logger.WarnContext(r.Context(), "console request failed", "path", r.URL.Path, "error", err)
	v.Error = err.Error()
	return status
}
