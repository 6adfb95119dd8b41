package test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
)

// get asks a node's API port as a load balancer or Prometheus would.
func (n *node) get(path string, headers ...string) (status int, body string) {
	n.t.Helper()
	return fetch(n.t, n.API+path, headers...)
}

func fetch(t *testing.T, url string, headers ...string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(raw)
}

// readiness is what /readyz answers.
type readiness struct {
	Ready  bool
	Checks map[string]struct{ State, Reason string }
}

func (n *node) readiness() (status int, r readiness) {
	n.t.Helper()
	status, body := n.get("/readyz")
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		n.t.Fatalf("/readyz: %v in %q", err, body)
	}
	return status, r
}

func TestHealth(t *testing.T) {
	t.Parallel()
	n := startNode(t, setup{})
	if status, body := n.get("/healthz"); status != http.StatusOK || body != "ok\n" {
		t.Errorf("/healthz: %d %q", status, body)
	}
	status, r := n.readiness()
	if status != http.StatusOK || !r.Ready {
		t.Errorf("/readyz: %d %+v", status, r)
	}
	for _, name := range []string{"process", "store", "schema", "disk", "outbox", "writes"} {
		if c := r.Checks[name]; c.State == "failed" || c.State == "" {
			t.Errorf("%s: %+v", name, c)
		}
	}

	full := startNode(t, setup{files: map[string]string{"parley.yml": "operations:\n  minFreeDisk: 1125899906842624\n"}})
	status, r = full.readiness()
	if c := r.Checks["disk"]; status != http.StatusServiceUnavailable || r.Ready || c.State != "failed" || !strings.HasSuffix(c.Reason, "MiB free in the data directory") {
		t.Errorf("with too little space: %d %+v", status, r)
	}
}

// A server that is told to stop says so first, and goes on meanwhile.
func TestStopDelay(t *testing.T) {
	t.Parallel()
	n := startNode(t, setup{files: map[string]string{"parley.yml": "operations:\n  stopDelay: 3s\n"}})
	n.register(t, "alice", "bob")
	n.terminate()
	n.awaitOutput("no longer ready")
	if status, r := n.readiness(); status != http.StatusServiceUnavailable || r.Checks["process"].Reason != "the server is stopping" {
		t.Errorf("%d %+v", status, r)
	}
	if s := n.send(t, post{from: "alice", to: "bob", content: text("hi"), operationID: "late"}); s.ErrCode != 0 {
		t.Errorf("a send meanwhile: %+v", s)
	}
	if code := n.ended(); code != 0 {
		t.Errorf("ended with %d", code)
	}
}

// Metrics are for this machine and who was named. Whoever came through a proxy is
// not of this machine.
func TestWhoReadsMetrics(t *testing.T) {
	t.Parallel()
	forwarded := []string{"X-Forwarded-For", "203.0.113.7"}
	for name, c := range map[string]struct {
		config          string
		direct, proxied int // status
	}{
		"as it is":             {"", 200, 403},
		"a proxy, not trusted": {"operations: {metricsFrom: [203.0.113.0/24]}\n", 200, 403},
		"a trusted proxy":      {"operations: {metricsFrom: [203.0.113.0/24]}\nedge: {trustedProxies: [127.0.0.1]}\n", 200, 200},
		"of somebody else":     {"operations: {metricsFrom: [10.0.0.0/8]}\nedge: {trustedProxies: [127.0.0.1]}\n", 200, 403},
		"off":                  {"", 404, 404},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{"parley.yml": c.config}
			if c.direct == 404 {
				files["openim-api.yml"] = "prometheus:\n  enable: false\n"
			}
			n := startNode(t, setup{files: files})
			if status, body := n.get("/metrics"); status != c.direct || status == 200 != strings.Contains(body, "\nparley_connections_limit ") {
				t.Errorf("from here: %d", status)
			}
			if status, _ := n.get("/metrics", forwarded...); status != c.proxied {
				t.Errorf("through a proxy: %d", status)
			}
			discovered := fmt.Sprintf(`[{"targets":[%q],"labels":{"namespace":"default"}}]`, strings.TrimPrefix(n.API, "http://"))
			for _, d := range []struct {
				path string
				may  bool
				from []string
			}{
				{"/prometheus_discovery/api", c.direct == 200, nil},
				{"/prometheus_discovery/api", c.proxied == 200, forwarded},
				{"/prometheus_discovery/msg_gateway", false, nil},
			} {
				want := "[]"
				if d.may {
					want = discovered
				}
				if status, body := n.get(d.path, d.from...); status != 200 || strings.TrimSpace(body) != want {
					t.Errorf("%s %v: %d %s, want %s", d.path, d.from, status, body, want)
				}
			}
			if status, _ := n.get("/prometheus_discovery/nothing"); status != 404 {
				t.Errorf("an unknown service: %d", status)
			}
		})
	}
}

func TestProfiles(t *testing.T) {
	t.Parallel()
	for address, message := range map[string]string{
		"0.0.0.0:0": "no loopback or private address",
		"8.8.8.8:1": "no loopback or private address",
		"localhost": "no address with a port",
	} {
		dir := configDir(t, map[string]string{"parley.yml": "operations: {pprof: \"" + address + "\"}\n"})
		if _, errs, code := parleyCommand(t, nil, "serve", "-c", dir); code != 1 || !strings.Contains(errs, message) {
			t.Errorf("%s: %d %s", address, code, errs)
		}
	}
	n := startNode(t, setup{files: map[string]string{"parley.yml": "operations: {pprof: \"127.0.0.1:0\"}\n"}})
	_, at, _ := strings.Cut(strings.TrimSpace(n.awaitOutput("profiles are served")), "address=")
	if status, body := fetch(t, "http://"+at+"/debug/pprof/goroutine?debug=1"); status != 200 || !strings.Contains(body, "goroutine profile:") {
		t.Errorf("%d %.100s", status, body)
	}
	if status, _ := n.get("/debug/pprof/"); status != 404 {
		t.Errorf("on the API port: %d", status)
	}
}

// An administrator restarts the server: the same process begins anew with the
// configuration as it is now, and nothing is lost. It does not restart into one
// it cannot start with.
func TestRestart(t *testing.T) {
	t.Parallel()
	n := startNode(t, setup{files: map[string]string{"openim-api.yml": "api:\n  compressionLevel: 0\n"}})
	n.register(t, "alice", "bob")
	before := n.send(t, post{from: "alice", to: "bob", content: text("hi"), operationID: "before"})

	n.write("openim-api.yml", "api:\n  compressionLevl: 0\n")
	if got := n.post(t, "/restart", map[string]any{}, nil); got.ErrCode != 1001 || !strings.Contains(got.ErrDlt, "not restarted") {
		t.Errorf("with a wrong configuration: %+v", got)
	}
	n.write("openim-api.yml", "api:\n  compressionLevel: 0\nprometheus:\n  enable: false\n")
	if status, _ := n.get("/metrics"); status != 200 {
		t.Errorf("before: %d", status)
	}
	pid, old := n.cmd.Process.Pid, n.API
	n.call(t, "/restart", map[string]any{}, nil)
	ready := n.ready
	poll(t, "the server to begin anew", func() bool {
		var now child
		raw, err := os.ReadFile(ready)
		if err != nil || json.Unmarshal(raw, &now) != nil || now.API == old {
			return false
		}
		n.API, n.WS = now.API, now.WS
		return true
	})
	if n.cmd.Process.Pid != pid || n.cmd.ProcessState != nil {
		t.Error("it is another process")
	}
	if status, _ := n.get("/metrics"); status != 404 {
		t.Errorf("the new configuration is not used: %d", status)
	}
	log := n.device(t, "bob", platformMiniWeb).history(post{from: "alice", to: "bob"}.conversation())
	if len(log) != 1 || log[0].ServerMsgID != before.serverMsgID {
		t.Errorf("stored is %v", log)
	}
	n.terminate()
	if code := n.ended(); code != 0 {
		t.Errorf("ended with %d", code)
	}
}
