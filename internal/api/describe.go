package api

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"runtime"
	"slices"

	"github.com/parley-im/parley/docs"
	"github.com/parley-im/parley/internal/im"
)

// Route says what a call takes and answers, for documents made of it.
type Route struct {
	Path      string
	Request   reflect.Type
	Answer    reflect.Type // of the envelope's data; nil if there is never any
	Token     bool         // a token is needed
	AdminOnly bool
	BadBody   int    // HTTP status when the body cannot be read
	Handler   string // the function behind it, as package runtime spells it
}

// Routes lists all calls that are POSTs of JSON, so that nothing is said of them
// without saying it of each.
func Routes() []Route {
	var s server
	s.routes()
	return s.table
}

// Paths lists the paths of all calls.
func Paths() []string {
	var paths []string
	for _, r := range Routes() {
		paths = append(paths, r.Path)
	}
	return paths
}

// described is a handler that knows its Route, all but the path.
type described struct {
	Route
	http.HandlerFunc
}

func (s *server) note(path string, h http.Handler) {
	r := h.(described).Route // every POST is
	r.Path, r.Token = path, !slices.Contains(tokenFree, path)
	if r.Answer == reflect.TypeFor[none]() {
		r.Answer = nil
	}
	s.table = append(s.table, r)
}

// events describes what call does not make.
func (s *server) events() http.Handler {
	return described{Route{
		Request: reflect.TypeFor[fetchQuery](), Answer: reflect.TypeFor[*fetchAnswer](), BadBody: http.StatusOK, Handler: functionName(s.fetchEvents),
	}, s.fetchEvents}
}

func functionName(f any) string { return runtime.FuncForPC(reflect.ValueOf(f).Pointer()).Name() }

// isAdminOnly tries a rule on an ordinary user. Rules that look into the request
// or the database, of which there is none here, may not get through it.
func isAdminOnly[Req any](may rule[Req]) (only bool) {
	defer func() {
		if recover() != nil {
			only = false
		}
	}()
	const somebody = "somebody"
	err := may(im.WithCaller(context.Background(), im.Caller{UserID: somebody}), new(Req))
	got, _ := errors.AsType[*im.Error](err)
	return got != nil && *got == *notAdmin(somebody)
}

// openAPI serves the description of this API, the same in all servers of a
// version.
func openAPI(w http.ResponseWriter, _ *http.Request) {
	_, _ = w.Write(docs.OpenAPI()) // a client that is gone reads nothing
}
