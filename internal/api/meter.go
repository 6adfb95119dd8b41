package api

import (
	"io"
	"net/http"
	"strings"
	"time"
)

// Routes that are not one path: the files, and what nobody answers.
const (
	routeFiles = "/object/"
	routeOther = "other"
)

// waits are routes that answer late on purpose: their time says nothing.
var waits = map[string]bool{eventsPath: true, "/webhook/listen/next": true}

// metered counts requests by route. What clients ask for beyond the routes is one
// of them, so that nobody can make a new series.
func (s *server) metered() func(http.Handler) http.Handler {
	if s.Meter == nil {
		return func(next http.Handler) http.Handler { return next }
	}
	meters := make(map[string]func(int, int, time.Duration), len(s.table)+2)
	for _, route := range s.table {
		meters[route.Path] = s.Meter(route.Path)
	}
	files, other := s.Meter(routeFiles), s.Meter(routeOther)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			began := time.Now()
			m := &meteredWriter{ResponseWriter: w, status: http.StatusOK}
			defer func() {
				count := meters[r.URL.Path]
				switch {
				case count != nil && m.status != http.StatusNotFound:
				case strings.HasPrefix(r.URL.Path, routeFiles):
					count = files
				default:
					count = other
				}
				took := time.Since(began)
				if waits[r.URL.Path] {
					took = 0
				}
				count(m.status, m.errCode, took)
			}()
			next.ServeHTTP(m, r)
		})
	}
}

// meteredWriter keeps what an answer said of itself.
type meteredWriter struct {
	http.ResponseWriter
	status, errCode int
}

// WriteHeader implements http.ResponseWriter.
func (m *meteredWriter) WriteHeader(status int) {
	m.status = status
	m.ResponseWriter.WriteHeader(status)
}

// ReadFrom lets files go from disk to network without being copied through here.
func (m *meteredWriter) ReadFrom(r io.Reader) (int64, error) { return io.Copy(m.ResponseWriter, r) }

// Unwrap is for http.ResponseController.
func (m *meteredWriter) Unwrap() http.ResponseWriter { return m.ResponseWriter }

// unmetered is the writer of the server itself, which some of net/http must have.
func unmetered(w http.ResponseWriter) http.ResponseWriter {
	if m, ok := w.(*meteredWriter); ok {
		return m.ResponseWriter
	}
	return w
}
