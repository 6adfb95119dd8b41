package api

import (
	"net/http"

	"github.com/parley-im/parley/internal/trace"
)

// traced follows calls. It costs nothing while traces are off.
func (s *server) traced() func(http.Handler) http.Handler {
	if s.Tracer == nil {
		return func(next http.Handler) http.Handler { return next }
	}
	routes := make(map[string]bool, len(s.table))
	for _, route := range s.table {
		routes[route.Path] = true
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !routes[r.URL.Path] || waits[r.URL.Path] {
				next.ServeHTTP(w, r)
				return
			}
			ctx, span := s.Tracer.Begin(r.Context(), r.Method+" "+r.URL.Path, r.Header.Get("operationID"), r.Header.Get("traceparent"))
			defer func() {
				if m, ok := w.(*meteredWriter); ok { // counted outside of us
					span.SetInt(trace.Status, m.status)
					if m.errCode != 0 {
						span.SetInt(trace.Code, m.errCode)
					}
				}
				span.End(nil)
			}()
			span.Set(trace.Route, r.URL.Path)
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}
}
