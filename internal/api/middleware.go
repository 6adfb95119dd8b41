package api

import (
	"errors"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/parley-im/parley/internal/auth"
	"github.com/parley-im/parley/internal/edge"
	"github.com/parley-im/parley/internal/im"
)

// recover answers 500 without a body when a handler panics.
func (s *server) recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			s.Logger.ErrorContext(ctx, "panic in handler", "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
			w.WriteHeader(http.StatusInternalServerError)
		}()
		next.ServeHTTP(w, r)
	})
}

// cors lets browsers call from the allowed origins, by default from all of them:
// tokens travel in a header, never in a cookie.
func (s *server) cors(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		if s.Origins.Any() {
			h.Set("Access-Control-Allow-Origin", "*")
		} else {
			h.Set("Vary", "Origin")
			if origin := r.Header.Get("Origin"); origin != "" && s.Origins.Allowed(r) {
				h.Set("Access-Control-Allow-Origin", origin)
			}
		}
		h.Set("Access-Control-Allow-Methods", "*")
		h.Set("Access-Control-Allow-Headers", "*")
		h.Set("Access-Control-Expose-Headers", "Content-Length, Access-Control-Allow-Origin, Access-Control-Allow-Headers,"+
			"Cache-Control,Content-Language,Content-Type,Expires,Last-Modified,Pragma,FooBar")
		h.Set("Access-Control-Max-Age", "172800")
		h.Set("Access-Control-Allow-Credentials", "false")
		h.Set("Content-Type", "application/json")
		h.Set("X-Http-Id", uuid.NewString())
		if r.Method == http.MethodOptions {
			_, _ = w.Write([]byte(`"Options Request!"`)) // a client that is gone reads nothing
			return
		}
		next.ServeHTTP(w, r)
	})
}

// maxUnknownBody bounds, in bytes, what is read from somebody who has shown no
// token.
const maxUnknownBody = 64 << 10

func (s *server) limitBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		most := s.MaxBody
		if hasPrefix(r.URL.Path, tokenFree) {
			most = min(most, maxUnknownBody)
		}
		r.Body = http.MaxBytesReader(unmetered(w), r.Body, most)
		next.ServeHTTP(w, r)
	})
}

// tokenFree are the beginnings of the paths that need no token.
var tokenFree = []string{"/auth/get_admin_token", "/auth/parse_token"}

// identify checks the two headers every POST must carry and makes the caller
// known to what follows. It runs for unknown paths too.
func (s *server) identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path == eventsPath {
			next.ServeHTTP(w, r)
			return
		}
		operationID := r.Header.Get("operationID")
		if operationID == "" {
			s.answers.fail(w, r, im.ErrArgs.With("header must have operationID"))
			return
		}
		caller := im.Caller{Addr: s.Peers.Addr(r)}
		ctx := im.WithOperation(r.Context(), operationID)
		if hasPrefix(r.URL.Path, tokenFree) {
			if v := s.Limits.Attempt(caller.Addr); !v.Allowed() {
				s.tooMany(w, r, v)
				return
			}
		} else {
			token := r.Header.Get("token")
			if token == "" {
				s.answers.fail(w, r, im.ErrArgs.With("header must have token"))
				return
			}
			claims, err := s.Auth.Verify(ctx, token)
			if err != nil {
				s.failToken(w, r, caller.Addr, err)
				return
			}
			caller.UserID, caller.Platform, caller.Admin = claims.UserID, claims.Platform, s.Auth.IsAdmin(claims.UserID)
			if !caller.Admin {
				if v := s.Limits.Request(caller.Addr, caller.UserID); !v.Allowed() {
					s.tooMany(w, r, v)
					return
				}
			}
		}
		next.ServeHTTP(w, r.WithContext(im.WithCaller(ctx, caller)))
	})
}

// failToken answers a token fault. A forged token counts as a failed attempt,
// and every fault as a request of its address.
func (s *server) failToken(w http.ResponseWriter, r *http.Request, from netip.Addr, err error) {
	v := s.Limits.Request(from, "")
	if v.Allowed() && auth.Forged(err) {
		v = s.Limits.Failed(from)
	}
	if !v.Allowed() {
		s.tooMany(w, r, v)
		return
	}
	s.answers.fail(w, r, err)
}

// shed refuses calls while there is more to do than can be done. What waits on
// purpose is no load.
func (s *server) shed(next http.Handler) http.Handler {
	if s.Load == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || waits[r.URL.Path] {
			next.ServeHTTP(w, r)
			return
		}
		began, ok := s.Load.Enter()
		if !ok {
			h := w.Header()
			h.Set("Retry-After", "1")
			h.Set("X-RateLimit-Policy", "BBR")
			h.Set("X-RateLimit-Limit", strconv.Itoa(s.Load.Limit()))
			h.Set("X-RateLimit-Remaining", "0")
			s.answers.failStatus(w, r, http.StatusTooManyRequests, im.ErrTooManyRequests.With("the server is busy"))
			return
		}
		defer s.Load.Leave(began)
		next.ServeHTTP(w, r)
	})
}

// tooMany refuses a request that a limit forbids.
func (s *server) tooMany(w http.ResponseWriter, r *http.Request, v edge.Verdict) {
	w.Header().Set("Retry-After", strconv.Itoa(v.RetryAfter()))
	s.answers.failStatus(w, r, http.StatusTooManyRequests, im.ErrTooManyRequests.With("%s", v))
}

func hasPrefix(s string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

// exact serves a route only under its very path, and everything else as not
// found: no redirects, and no "method not allowed".
func exact(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != r.Method+" "+r.URL.Path {
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte("404 page not found")) // a client that is gone reads nothing
			return
		}
		h.ServeHTTP(w, r)
	})
}
