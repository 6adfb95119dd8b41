package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"

	"github.com/parley-im/parley/internal/im"
)

// envelope is the shape of every answer. HTTP status 200 goes with errors too;
// clients look at errCode only.
type envelope struct {
	ErrCode int    `json:"errCode"`
	ErrMsg  string `json:"errMsg"`
	ErrDlt  string `json:"errDlt"`
	Data    any    `json:"data,omitempty"`
}

// compressFrom is the size from which compressing an answer pays.
const compressFrom = 256

// answerWriter encodes answers.
type answerWriter struct {
	log  *slog.Logger
	gzip *sync.Pool // of *gzip.Writer; nil when compression is off
}

func newAnswerWriter(level int, log *slog.Logger) *answerWriter {
	a := &answerWriter{log: log}
	gzipLevel, known := map[int]int{0: gzip.DefaultCompression, 1: gzip.BestCompression, 2: gzip.BestSpeed}[level]
	if known {
		a.gzip = &sync.Pool{New: func() any {
			w, _ := gzip.NewWriterLevel(nil, gzipLevel) // fails for unknown levels only
			return w
		}}
	}
	return a
}

// ok answers with data; nil data is left out.
func (a *answerWriter) ok(w http.ResponseWriter, r *http.Request, data any) {
	a.write(w, r, http.StatusOK, envelope{Data: data})
}

// fail answers with an error. What clients may not see is logged here, once.
func (a *answerWriter) fail(w http.ResponseWriter, r *http.Request, err error) {
	a.failStatus(w, r, http.StatusOK, err)
}

func (a *answerWriter) failStatus(w http.ResponseWriter, r *http.Request, status int, err error) {
	known, ok := errors.AsType[*im.Error](err)
	if !ok {
		known = im.ErrInternal
		if r.Context().Err() == nil || !errors.Is(err, context.Canceled) { // a client that left is no fault
			a.log.ErrorContext(r.Context(), "request failed", "path", r.URL.Path, "error", err)
		}
	}
	a.write(w, r, status, envelope{ErrCode: known.Code, ErrMsg: known.Msg, ErrDlt: known.Detail})
}

func (a *answerWriter) write(w http.ResponseWriter, r *http.Request, status int, e envelope) {
	if m, ok := w.(*meteredWriter); ok {
		m.errCode = e.ErrCode
	}
	body, err := json.Marshal(e)
	if err != nil {
		a.log.ErrorContext(r.Context(), "encode answer", "path", r.URL.Path, "error", err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Add("Vary", "Accept-Encoding")
	if a.gzip != nil && len(body) >= compressFrom && acceptsGzip(r) {
		h.Set("Content-Encoding", "gzip")
		w.WriteHeader(status)
		z := a.gzip.Get().(*gzip.Writer) // the pool holds nothing else
		z.Reset(w)
		_, _ = z.Write(body) // a client that is gone reads nothing
		_ = z.Close()
		a.gzip.Put(z)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that is gone reads nothing
}

// acceptsGzip reads Accept-Encoding; a quality of 0 refuses.
func acceptsGzip(r *http.Request) bool {
	for _, header := range r.Header.Values("Accept-Encoding") {
		for offer := range strings.SplitSeq(header, ",") {
			coding, params, _ := strings.Cut(offer, ";")
			if strings.TrimSpace(coding) != "gzip" {
				continue
			}
			q, has := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
			quality, err := strconv.ParseFloat(q, 64)
			return !has || err != nil || quality > 0
		}
	}
	return false
}
