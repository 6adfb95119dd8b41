package metrics

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/parley-im/parley/test/harness"
)

// traces is a collector that keeps what it gets, and a business server that keeps
// the traceparent of every call.
type traces struct {
	t *testing.T

	mu      sync.Mutex
	spans   map[string]*otlp.Span // by id
	service string
	parents map[string]string // commands, by the traceparent of their call
	changed chan struct{}
}

func (c *traces) collect(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		c.t.Errorf("export: %v", err)
	}
	var req collector.ExportTraceServiceRequest
	if err := proto.Unmarshal(raw, &req); err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Authorization") != "Bearer collector" {
		c.t.Errorf("export to %s with %q: %v", r.URL.Path, r.Header.Get("Authorization"), err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range req.GetResourceSpans() {
		for _, a := range resource.GetResource().GetAttributes() {
			if a.GetKey() == "service.name" {
				c.service = a.GetValue().GetStringValue()
			}
		}
		for _, scope := range resource.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				c.spans[string(s.GetSpanId())] = s
			}
		}
	}
	close(c.changed)
	c.changed = make(chan struct{})
	w.Header().Set("Content-Type", "application/x-protobuf")
	w.WriteHeader(http.StatusOK)
}

func (c *traces) handle(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	c.parents[r.Header.Get("Traceparent")] = strings.TrimPrefix(r.URL.Path, "/callback/")
	c.mu.Unlock()
	_, _ = io.WriteString(w, `{"actionCode":0,"nextCode":0}`)
}

// await waits until a condition on the spans holds.
func (c *traces) await(what string, met func(spans map[string]*otlp.Span) bool) {
	c.t.Helper()
	deadline := time.After(patience)
	for {
		c.mu.Lock()
		done, changed := met(c.spans), c.changed
		c.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			c.t.Fatalf("%s: never came; the spans are\n%s", what, c.tree())
		}
	}
}

func attribute(s *otlp.Span, key string) string {
	for _, a := range s.GetAttributes() {
		if a.GetKey() == key {
			if text := a.GetValue().GetStringValue(); text != "" {
				return text
			}
			return fmt.Sprint(a.GetValue().GetIntValue())
		}
	}
	return ""
}

// named are the spans of a name.
func named(spans map[string]*otlp.Span, name string) (found []*otlp.Span) {
	for _, s := range spans {
		if s.GetName() == name {
			found = append(found, s)
		}
	}
	return found
}

// tree shows spans below their parents.
func (c *traces) tree() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var lines []string
	for _, s := range c.spans {
		path := s.GetName()
		for p := c.spans[string(s.GetParentSpanId())]; p != nil; p = c.spans[string(p.GetParentSpanId())] {
			path = p.GetName() + " > " + path
		}
		lines = append(lines, path)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// sendOverSocket sends to bob as a client does and waits for the answer.
func sendOverSocket(t *testing.T, c *websocket.Conn, text string) {
	t.Helper()
	var m []byte // sdkws.MsgData
	for field, value := range map[protowire.Number]string{1: "alice", 2: "bob", 4: "client-msg-id", 12: fmt.Sprintf(`{"content":%q}`, text)} {
		m = protowire.AppendString(protowire.AppendTag(m, field, protowire.BytesType), value)
	}
	for field, value := range map[protowire.Number]uint64{6: 5, 9: 1, 10: 100, 11: 101} {
		m = protowire.AppendVarint(protowire.AppendTag(m, field, protowire.VarintType), value)
	}
	frame, err := json.Marshal(map[string]any{"reqIdentifier": 1003, "sendID": "alice", "operationID": "over the socket", "msgIncr": "1", "data": m})
	if err == nil {
		err = c.WriteMessage(websocket.BinaryMessage, frame) // JSON too is a binary message
	}
	if err != nil {
		t.Fatal(err)
	}
	for {
		var answer struct {
			ReqIdentifier int
			ErrCode       int
			ErrMsg        string
		}
		if err := c.ReadJSON(&answer); err != nil {
			t.Fatal(err)
		}
		if answer.ReqIdentifier == 1003 {
			if answer.ErrCode != 0 {
				t.Fatalf("refused: %+v", answer)
			}
			return
		}
	}
}

// One send through the server gives the expected tree, and its handlers can go on
// with it.
func TestTracesOfASend(t *testing.T) {
	c := &traces{t: t, spans: map[string]*otlp.Span{}, parents: map[string]string{}, changed: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/traces", c.collect)
	mux.HandleFunc("/callback/", c.handle)
	others := httptest.NewServer(mux)
	defer others.Close()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"share.yml":    "secret: traces-secret\n",
		"log.yml":      "isStdout: true\nremainLogLevel: 4\nstorageLocation: \"\"\nisJson: true\n",
		"parley.yml":   "traces:\n  endpoint: " + others.URL + "\n",
		"webhooks.yml": "url: " + others.URL + "/callback\nbeforeSendSingleMsg: {enable: true}\nafterSendSingleMsg: {enable: true}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := harness.Start(harness.Options{
		Binary: binary, DataDir: t.TempDir(), ConfigDir: dir,
		Env: []string{"OTEL_BSP_SCHEDULE_DELAY=10", "OTEL_EXPORTER_OTLP_HEADERS=Authorization=Bearer%20collector", "OTEL_RESOURCE_ATTRIBUTES=deployment.environment=test"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the server wrote:\n%s", s.Output())
		}
	}()
	if err := s.Register("alice", "bob"); err != nil {
		t.Fatal(err)
	}
	const secret = "nobody but bob may read this"
	if err := s.PostAdmin("/msg/send_msg", map[string]any{
		"sendID": "alice", "recvID": "bob", "senderPlatformID": 1, "content": map[string]any{"content": secret}, "contentType": 101, "sessionType": 1,
	}, nil); err != nil {
		t.Fatal(err)
	}
	c.await("the attempt to deliver the event", func(spans map[string]*otlp.Span) bool {
		return len(named(spans, "outbox.attempt")) == 1 && len(named(spans, "POST /msg/send_msg")) == 1
	})
	sendOverSocket(t, connect(t, s, "alice", 5), secret)
	c.await("the send over the socket", func(spans map[string]*otlp.Span) bool {
		return len(named(spans, "outbox.attempt")) == 2 && len(named(spans, "socket.send")) == 1
	})
	want := []string{
		"POST /msg/send_msg",
		"POST /msg/send_msg > message.send",
		"POST /msg/send_msg > message.send > message.commit",
		"POST /msg/send_msg > message.send > message.commit > message.deliver",
		"POST /msg/send_msg > message.send > message.rules",
		"POST /msg/send_msg > message.send > webhook.before",
		"outbox.attempt", "outbox.attempt",
		"socket.send", "socket.send > message.send", "socket.send > message.send > message.commit",
		"socket.send > message.send > message.commit > message.deliver", "socket.send > message.send > message.rules",
		"socket.send > message.send > webhook.before",
	}
	var got []string
	for _, line := range strings.Split(c.tree(), "\n") {
		if strings.HasPrefix(line, "POST /msg/send_msg") || strings.HasPrefix(line, "outbox") || strings.HasPrefix(line, "socket") {
			got = append(got, line)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("the spans are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	root, socket := named(c.spans, "POST /msg/send_msg")[0], named(c.spans, "socket.send")[0]
	if got := attribute(socket, "parley.operation_id"); got != "over the socket" {
		t.Errorf("over the socket: %q", got)
	}
	origins := map[string]*otlp.Span{}
	for _, s := range []*otlp.Span{root, socket} {
		origins[attribute(s, "parley.operation_id")] = s
	}
	for _, s := range named(c.spans, "outbox.attempt") {
		from, links := origins[attribute(s, "parley.operation_id")], s.GetLinks()
		if len(links) != 1 || string(links[0].GetSpanId()) != string(from.GetSpanId()) || string(links[0].GetTraceId()) != string(from.GetTraceId()) {
			t.Errorf("the attempt is linked to %v", links)
		}
		if attribute(s, "parley.outcome") != "delivered" || attribute(s, "parley.callback") != "afterSendSingleMsg" {
			t.Errorf("the attempt: %v", s.GetAttributes())
		}
	}
	for name, command := range map[string]string{"webhook.before": "callbackBeforeSendSingleMsgCommand", "outbox.attempt": "callbackAfterSendSingleMsgCommand"} {
		for _, s := range named(c.spans, name) {
			if header := fmt.Sprintf("00-%x-%x-01", s.GetTraceId(), s.GetSpanId()); c.parents[header] != command {
				t.Errorf("no call of %s had the traceparent %s", command, header)
			}
		}
	}
	for _, s := range named(c.spans, "webhook.before") {
		if attribute(s, "parley.outcome") != "approve" || attribute(s, "http.response.status_code") != "200" {
			t.Errorf("a call: %v", s.GetAttributes())
		}
	}
	if c.service != "parley" {
		t.Errorf("the service is %q", c.service)
	}
	if !strings.Contains(s.Output(), fmt.Sprintf(`"trace_id":"%x"`, root.GetTraceId())) {
		t.Error("no line of the log names the trace")
	}
	for _, span := range c.spans {
		if strings.Contains(span.String(), secret) || strings.Contains(span.String(), "traces-secret") {
			t.Errorf("a span tells what it must not: %v", span)
		}
	}
}
