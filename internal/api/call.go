package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"

	"github.com/parley-im/parley/internal/im"
)

// none is the answer of calls without data.
type none struct{}

// call makes a handler of a function: decode and check the body, ask who may,
// run, encode.
func call[Req, Resp any](s *server, may rule[Req], f func(context.Context, *Req) (Resp, error)) http.Handler {
	return adapt(s, http.StatusOK, may, f)
}

// callBound is call for the routes that answer a bad body with status 400.
func callBound[Req, Resp any](s *server, may rule[Req], f func(context.Context, *Req) (Resp, error)) http.Handler {
	return adapt(s, http.StatusBadRequest, may, f)
}

func adapt[Req, Resp any](s *server, badBody int, may rule[Req], f func(context.Context, *Req) (Resp, error)) http.Handler {
	about := Route{
		Request: reflect.TypeFor[Req](), Answer: reflect.TypeFor[Resp](), AdminOnly: isAdminOnly(may),
		BadBody: badBody, Handler: functionName(f),
	}
	return described{about, func(w http.ResponseWriter, r *http.Request) {
		req := new(Req)
		if q, ok := any(req).(queryTaker); ok {
			q.takeQuery(r)
		}
		if a, ok := any(req).(addressTaker); ok {
			a.takeAddress(r, s.PublicURL, s.Peers.Secure(r))
		}
		if err := decode(r.Body, req); err != nil {
			status := badBody
			if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
				status = http.StatusRequestEntityTooLarge
				err = im.ErrArgs.With("request body is larger than %d bytes", s.MaxBody)
			}
			s.answers.failStatus(w, r, status, err)
			return
		}
		ctx := r.Context()
		if err := may(ctx, req); err != nil {
			s.answers.fail(w, r, err)
			return
		}
		resp, err := f(ctx, req)
		if err != nil {
			s.answers.fail(w, r, err)
			return
		}
		if _, empty := any(resp).(none); empty {
			s.answers.ok(w, r, nil)
			return
		}
		s.answers.ok(w, r, resp)
	}}
}

// queryTaker is a request of which a part is in the URL.
type queryTaker interface{ takeQuery(r *http.Request) }

// addressTaker is a request whose answer holds links to this server.
type addressTaker interface {
	takeAddress(r *http.Request, public string, secure bool)
}

// checker is a request that knows what it needs; the protocol's types do.
type checker interface{ Check() error }

// decode reads a JSON body into req and checks its required fields.
func decode(body io.Reader, req any) error {
	raw, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	return decodeBytes(raw, req)
}

func decodeBytes(raw []byte, req any) error {
	if hasNUL(raw) {
		return im.ErrArgs.With("a text holds the character NUL")
	}
	if err := json.Unmarshal(raw, req); err != nil {
		return im.ErrArgs.With("%s", err)
	}
	dropEmptyLists(req)
	if c, ok := req.(checker); ok {
		if err := c.Check(); err != nil {
			if known, ok := errors.AsType[*im.Error](err); ok {
				return known
			}
			return im.ErrArgs.With("%s", err)
		}
	}
	return nil
}

// dropEmptyLists makes [] mean the same as null: no list was given.
func dropEmptyLists(req any) {
	v := reflect.ValueOf(req).Elem()
	if v.Kind() != reflect.Struct {
		return
	}
	for _, f := range v.Fields() {
		if f.Kind() == reflect.Slice && f.Len() == 0 && f.CanSet() {
			f.SetZero()
		}
	}
}

// hasNUL reports whether JSON text holds an escaped NUL, which no database
// column takes. An escaped backslash before "u0000" makes it plain text.
func hasNUL(raw []byte) bool {
	escape := []byte(`\u0000`)
	for {
		i := bytes.Index(raw, escape)
		if i < 0 {
			return false
		}
		backslashes := 1
		for j := i - 1; j >= 0 && raw[j] == '\\'; j-- {
			backslashes++
		}
		if backslashes%2 == 1 {
			return true
		}
		raw = raw[i+len(escape):]
	}
}
