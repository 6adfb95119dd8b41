package api

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/object"
)

// formField is the form field that holds the file.
const formField = "file"

// slowest is the rate in bytes per second below which a transfer is given up;
// every one has patience on top.
const (
	slowest  = 16 << 10
	patience = time.Minute
)

// files serves what is no JSON call: contents up and down. Uploads carry their
// permission in the link; an object's name is enough to read it, as in OpenIM.
func (s *server) files(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reading := r.Method == http.MethodGet || r.Method == http.MethodHead
		under := func(prefix string) (rest string, ok bool) { return strings.CutPrefix(r.URL.Path, "/"+prefix) }
		if name, ok := under("object/"); ok && reading {
			s.getObject(w, r, name, s.Objects.Get)
			return
		}
		if name, ok := under(object.DataPath); ok && reading {
			q := r.URL.Query()
			s.getObject(w, r, name, func(ctx context.Context, name string, p object.Picture) (*object.Served, string, error) {
				return s.Objects.GetSigned(ctx, name, p, q.Get("expires"), q.Get("signature"))
			})
			return
		}
		if part, ok := under(object.PartPath); ok && r.Method == http.MethodPut {
			s.putPart(w, r, part)
			return
		}
		if form, ok := under(object.FormPath); ok && r.Method == http.MethodPost {
			s.postForm(w, r, form)
			return
		}
		if r.URL.Path == "/third/prometheus" && reading {
			http.Redirect(w, r, s.GrafanaURL, http.StatusFound)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// mayTransfer counts a transfer for its address: nobody is known by name. It
// answers what a limit forbids.
func (s *server) mayTransfer(w http.ResponseWriter, r *http.Request) bool {
	v := s.Limits.Request(s.Peers.Addr(r), "")
	if !v.Allowed() {
		w.Header().Set("Retry-After", strconv.Itoa(v.RetryAfter()))
		s.failFile(w, r, im.ErrTooManyRequests.With("%s", v))
	}
	return v.Allowed()
}

type getter func(ctx context.Context, name string, p object.Picture) (*object.Served, string, error)

func (s *server) getObject(w http.ResponseWriter, r *http.Request, name string, get getter) {
	if !s.mayTransfer(w, r) {
		return
	}
	ctx := im.WithOperation(r.Context(), r.URL.Query().Get("operationID"))
	picture, err := object.ParsePicture(r.URL.Query().Get)
	if err != nil {
		s.failFile(w, r, err)
		return
	}
	o, link, err := get(ctx, name, picture)
	if err != nil {
		s.failFile(w, r, err)
		return
	}
	if link != "" {
		http.Redirect(w, r, link, http.StatusFound)
		return
	}
	defer o.Close()
	size, err := o.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = o.Seek(0, io.SeekStart)
	}
	if err != nil {
		s.failFile(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", o.ContentType)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": o.Filename}))
	// Whatever a user has uploaded, a browser must not run it here.
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("ETag", `"`+o.Key+`"`)
	h.Set("Cache-Control", "private, no-cache")                                            // a name may get another content; the ETag saves the transfer
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(transferTime(size))) // not every connection has one
	http.ServeContent(w, r, "", o.At, o)
}

// putPart takes <upload id>/<part number>.
func (s *server) putPart(w http.ResponseWriter, r *http.Request, rest string) {
	if !s.mayTransfer(w, r) {
		return
	}
	upload, number, ok := strings.Cut(rest, "/")
	n, err := strconv.Atoi(number)
	if !ok || err != nil || n < 1 {
		s.failFile(w, r, im.ErrNotFound.With("no such part"))
		return
	}
	if r.ContentLength < 0 {
		w.WriteHeader(http.StatusLengthRequired)
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(transferTime(r.ContentLength))) // not every connection has one
	q := r.URL.Query()
	if err := s.Objects.Receive(r.Context(), upload, n, q.Get("expires"), q.Get("signature"), r.ContentLength, r.Body); err != nil {
		s.failFile(w, r, err)
		return
	}
	w.WriteHeader(http.StatusOK)
}

func (s *server) postForm(w http.ResponseWriter, r *http.Request, formID string) {
	if !s.mayTransfer(w, r) {
		return
	}
	q := r.URL.Query()
	size, err := s.Objects.FormSize(r.Context(), formID, q.Get("expires"), q.Get("signature"))
	if err != nil {
		s.failFile(w, r, err)
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(transferTime(size))) // not every connection has one
	r.Body = http.MaxBytesReader(unmetered(w), r.Body, size+s.MaxBody)
	parts, err := r.MultipartReader()
	if err != nil {
		s.failFile(w, r, im.ErrArgs.With("not a multipart form"))
		return
	}
	for {
		part, err := parts.NextPart()
		if err != nil {
			s.failFile(w, r, im.ErrArgs.With("the form has no field %q", formField))
			return
		}
		if part.FormName() != formField {
			continue
		}
		if err := s.Objects.ReceiveForm(r.Context(), formID, part); err != nil {
			s.failFile(w, r, err)
			return
		}
		w.WriteHeader(http.StatusOK)
		return
	}
}

func transferTime(size int64) time.Duration {
	return patience + time.Duration(size/slowest)*time.Second
}

// failFile answers with a status and plain text, as OpenIM's downloads do.
func (s *server) failFile(w http.ResponseWriter, r *http.Request, err error) {
	status, text := http.StatusInternalServerError, "internal error"
	if known, ok := errors.AsType[*im.Error](err); ok {
		text = known.Error()
		switch known.Code {
		case im.ErrArgs.Code:
			status = http.StatusBadRequest
		case im.ErrNoPermission.Code:
			status = http.StatusForbidden
		case im.ErrNotFound.Code:
			status = http.StatusNotFound
		case im.ErrTooManyRequests.Code:
			status = http.StatusTooManyRequests
		}
	} else if r.Context().Err() == nil {
		s.Logger.WarnContext(r.Context(), "transfer failed", "path", r.URL.Path, "error", err)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Del("Content-Disposition")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // a client that is gone reads nothing
}
