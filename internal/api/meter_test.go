package api

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Requests are counted under the route they asked for, and everything that is no
// route under one name.
func TestMeteredRoutes(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []string
	h := New(Options{Meter: func(route string) func(int, int, time.Duration) {
		return func(status, errCode int, took time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, fmt.Sprint(route, " ", status, " ", errCode, " ", took > 0))
		}
	}})
	ask := func(method, path, body string) {
		r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
		r.Header.Set("operationID", "op")
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	ask(http.MethodPost, "/msg/send_msg", `{}`)
	ask(http.MethodPost, "/msg/send_msg/more", `{}`)
	ask(http.MethodGet, "/msg/send_msg", "")
	ask(http.MethodPost, "/auth/parse_token", `{"token":"no"}`)
	ask(http.MethodOptions, "/msg/send_msg", "")
	ask(http.MethodGet, "/random/"+strings.Repeat("x", 100), "")
	if want := []string{
		"/msg/send_msg 200 1001 true", "other 200 1001 true", "other 404 0 true",
		"/auth/parse_token 500 0 true", // there is no service behind it
		"/msg/send_msg 200 0 true", "other 404 0 true",
	}; !slices.Equal(got, want) {
		t.Errorf("counted\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A body that is too large ends the connection as it does without a meter.
func TestMeteredBodyLimit(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(New(Options{MaxBody: 10, Meter: func(string) func(int, int, time.Duration) {
		return func(int, int, time.Duration) {}
	}}))
	defer s.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/auth/get_admin_token", strings.NewReader(strings.Repeat("x", 1<<20)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("operationID", "op")
	resp, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	line, _ := bufio.NewReader(resp.Body).ReadString('\n')
	if resp.StatusCode != http.StatusRequestEntityTooLarge || !resp.Close {
		t.Errorf("status %d, close %v: %s", resp.StatusCode, resp.Close, line)
	}
}
