package bench

import (
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"testing"
	"time"
)

const childEnv = "BENCH_TEST_SERVER"

// TestStart measures this test binary, which serves as the server when told to.
func TestStart(t *testing.T) {
	switch address := os.Getenv(childEnv); {
	case address == "fail":
		_, _ = os.Stderr.WriteString("no database\n")
		os.Exit(3)
	case address != "":
		signalled := make(chan os.Signal, 1)
		signal.Notify(signalled, os.Interrupt)
		go func() {
			_ = http.ListenAndServe(address, http.NotFoundHandler()) //nolint:gosec // a test's server needs no timeouts
		}()
		<-signalled
		os.Exit(0)
	}

	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	o := Options{
		Work: Start, API: "http://" + address, WS: "ws://" + address, Count: 3, Duration: time.Millisecond,
		Binary: os.Args[0], Args: []string{"-test.run=^TestStart$"},
	}

	t.Setenv(childEnv, address)
	go func() { _ = http.Serve(listener, http.NotFoundHandler()) }() //nolint:gosec // a test's server needs no timeouts
	if _, err := run(t, o); err == nil || !strings.Contains(err.Error(), "is taken") {
		t.Errorf("address in use: got %v", err)
	}
	_ = listener.Close()

	r, err := run(t, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.ReadyMillis) != 3 || r.ReadyMedian <= 0 || r.RSSAfter < 1<<20 {
		t.Errorf("got %+v", r)
	}

	t.Setenv(childEnv, "fail")
	if _, err := run(t, o); err == nil || !strings.Contains(err.Error(), "no database") {
		t.Errorf("server that fails: got %v", err)
	}
}
