package webhook

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
)

// Breakers tells of endpoints and of those of their callbacks that are not as the
// endpoint is, without a database.
func TestBreakers(t *testing.T) {
	h := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	e := newEngine(t, Config{
		URL: h.URL, Breaker: Breaker{Failures: 2}, Callbacks: on(Callback{FailedContinue: true}, "beforeSendSingleMsg"),
		Endpoints: []Endpoint{{Name: "audit", URL: h.URL, Events: []string{"after*"}}},
	}, Options{})
	expect := func(when string, want ...string) {
		t.Helper()
		var got []string
		for _, b := range e.Breakers() {
			got = append(got, fmt.Sprintf("%s/%s %s", b.Endpoint, b.Callback, b.State))
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", when, got, want)
		}
	}
	expect("at first", "audit/ ok", "default/ ok")
	for range 2 {
		if _, err := e.BeforeSend(t.Context(), text("hi")); err != nil {
			t.Fatal(err)
		}
	}
	expect("a callback that is not there", "audit/ ok", "default/ ok", "default/beforeSendSingleMsg down")
	if err := e.Pause(t.Context(), "audit", "", ""); err != nil {
		t.Fatal(err)
	}
	expect("paused", "audit/ paused", "default/ ok", "default/beforeSendSingleMsg down")
	if err := e.Resume(t.Context(), "default", ""); err != nil {
		t.Fatal(err)
	}
	expect("resumed", "audit/ paused", "default/ ok", "default/beforeSendSingleMsg ok")
	for _, q := range e.Queues() {
		if q.Name == "" || q.Length > 0 && q.Room == 0 || q.Length > q.Room && q.Name != "webhook_shadow" {
			t.Errorf("queue %+v", q)
		}
	}
}
