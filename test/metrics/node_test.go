package metrics

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/parley-im/parley/test/harness"
)

// patience bounds the wait for what must happen.
const patience = 60 * time.Second

// others plays the business server and the push vendor.
func others(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		switch {
		case err != nil:
			return // the server went away
		case r.URL.Path == "/v3/push":
			_, _ = io.WriteString(w, `{"sendno":"0","msg_id":"1"}`)
		case strings.Contains(string(body), "refuse me"):
			_, _ = io.WriteString(w, `{"actionCode":0,"errCode":70001,"errMsg":"no","nextCode":1}`)
		case strings.Contains(r.URL.Path, "BeforeAddFriend"):
			w.WriteHeader(http.StatusInternalServerError)
		default:
			_, _ = io.WriteString(w, `{"actionCode":0,"nextCode":0}`)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// used starts a server and does a little of everything that is measured.
func used(t *testing.T) *harness.Server {
	t.Helper()
	at := others(t)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"share.yml": "secret: metrics-secret\n",
		"log.yml":   "isStdout: true\nremainLogLevel: 4\nstorageLocation: \"\"\n",
		"webhooks.yml": "url: " + at + "\nbeforeSendSingleMsg: {enable: true}\nafterSendSingleMsg: {enable: true}\nbeforeAddFriend: {enable: true, failedContinue: true}\n" +
			"afterUserOnline: {enable: true}\n",
		"openim-push.yml": "enable: jpush\njpush: {appKey: key, masterSecret: master, pushURL: " + at + "/v3/push}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := harness.Start(harness.Options{Binary: binary, DataDir: t.TempDir(), ConfigDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the server wrote:\n%s", s.Output())
		}
	})
	if err := s.Register("alice", "bob"); err != nil {
		t.Fatal(err)
	}
	connect(t, s, "alice", 1)
	post := func(path string, body map[string]any, want int) {
		t.Helper()
		err := s.PostAdmin(path, body, nil)
		code := 0
		if refused, ok := err.(*harness.Error); ok { //nolint:errorlint // it is not wrapped
			code = refused.Code
		} else if err != nil {
			t.Fatal(err)
		}
		if code != want {
			t.Fatalf("%s: %v, want code %d", path, err, want)
		}
	}
	send := func(from, text string, want int) {
		t.Helper()
		post("/msg/send_msg", map[string]any{
			"sendID": from, "recvID": "bob", "senderPlatformID": 1, "content": map[string]any{"content": text}, "contentType": 101, "sessionType": 1,
		}, want)
	}
	send("alice", "hello", 0)
	send("alice", "refuse me", 70001)
	post("/friend/add_friend", map[string]any{"fromUserID": "alice", "toUserID": "bob", "reqMsg": "x", "ex": ""}, 0)
	return s
}

// connect opens a long connection that stays until the end of the test. It speaks
// JSON, as browsers do.
func connect(t *testing.T, s *harness.Server, userID string, platformID int) *websocket.Conn {
	t.Helper()
	token, err := s.UserToken(userID, platformID)
	if err != nil {
		t.Fatal(err)
	}
	q := url.Values{
		"sendID": {userID}, "token": {token}, "platformID": {fmt.Sprint(platformID)}, "operationID": {"metrics"}, "isMsgResp": {"true"}, "sdkType": {"js"},
	}
	c, resp, err := websocket.DefaultDialer.DialContext(t.Context(), s.WS+"/?"+q.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	t.Cleanup(func() { _ = c.Close() })
	if _, answer, err := c.ReadMessage(); err != nil || !strings.Contains(string(answer), `"errCode":0`) {
		t.Fatalf("handshake: %s %v", answer, err)
	}
	return c
}

// scrape reads /metrics as Prometheus does.
func scrape(t *testing.T, s *harness.Server) map[string]*dto.MetricFamily {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.API+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("/metrics: %d %v", resp.StatusCode, err)
	}
	return families
}

// await scrapes until a series has a value.
func await(t *testing.T, s *harness.Server, name string, labels map[string]string) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		for _, one := range series(scrape(t, s)) {
			if one.name == name && one.value > 0 && one.has(labels) {
				return
			}
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s %v never was above 0", name, labels)
		}
	}
}

// sample is one line of a scrape.
type sample struct {
	name   string
	labels map[string]string
	value  float64
}

func (s sample) has(labels map[string]string) bool {
	for k, v := range labels {
		if s.labels[k] != v {
			return false
		}
	}
	return true
}

// series are the lines of a scrape, as they are stored: those of a histogram
// under their own names.
func series(families map[string]*dto.MetricFamily) (list []sample) {
	for name, f := range families {
		for _, m := range f.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			switch f.GetType() {
			case dto.MetricType_COUNTER:
				list = append(list, sample{name, labels, m.GetCounter().GetValue()})
			case dto.MetricType_GAUGE:
				list = append(list, sample{name, labels, m.GetGauge().GetValue()})
			case dto.MetricType_HISTOGRAM:
				h := m.GetHistogram()
				bucket := map[string]string{"le": "+Inf"}
				for k, v := range labels {
					bucket[k] = v
				}
				list = append(list, sample{name + "_count", labels, float64(h.GetSampleCount())},
					sample{name + "_sum", labels, h.GetSampleSum()}, sample{name + "_bucket", bucket, float64(h.GetSampleCount())})
			default: // summaries of the Go runtime
				list = append(list, sample{name, labels, 0})
			}
		}
	}
	return list
}
