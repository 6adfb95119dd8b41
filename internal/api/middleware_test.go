package api

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestPanicIsAnswered(t *testing.T) {
	var log bytes.Buffer
	s := &server{Options: Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}}
	h := s.recover(s.cors(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("broken invariant") })))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/user/get_users_info", strings.NewReader("{}")))
	if w.Code != http.StatusInternalServerError || w.Body.Len() != 0 {
		t.Errorf("status %d, body %q", w.Code, w.Body)
	}
	if w.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Error("a browser cannot see the status")
	}
	if !strings.Contains(log.String(), "broken invariant") || !strings.Contains(log.String(), "middleware_test.go") {
		t.Errorf("log says %q", log.String())
	}
}

func TestAcceptsGzip(t *testing.T) {
	for header, want := range map[string]bool{
		"": false, "gzip": true, "deflate, gzip": true, "gzip;q=0": false, "gzip; q=0.5": true, "br": false, "gzip;q=x": true,
	} {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header.Set("Accept-Encoding", header)
		if got := acceptsGzip(r); got != want {
			t.Errorf("%q: %v", header, got)
		}
	}
}

func TestHasNUL(t *testing.T) {
	for text, want := range map[string]bool{
		``: false, `\u0000`: true, `\\u0000`: false, `\\\u0000`: true, `a\\u0000 \u0000`: true, `\u0001`: false,
	} {
		if got := hasNUL([]byte(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}
