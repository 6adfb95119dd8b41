package main

import (
	"encoding/json"
	"net/http"
)

// What lets `parley webhook conform` look inside. It is no part of a handler.

// serveCount tells how often an event was stored.
func (a *auditor) serveCount(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	count := a.times[r.URL.Query().Get("id")]
	a.mu.Unlock()
	_ = json.NewEncoder(w).Encode(map[string]int{"count": count})
}

// callsBack calls the API from inside a callback when it is told to.
func callsBack(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if api := r.Header.Get("Conform-Api"); api != "" {
			req, err := http.NewRequestWithContext(r.Context(), http.MethodPost, api, nil)
			if err == nil {
				if resp, err := http.DefaultClient.Do(req); err == nil {
					_ = resp.Body.Close()
				}
			}
		}
		next.ServeHTTP(w, r)
	})
}
