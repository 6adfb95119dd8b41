package webhook

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
	"github.com/parley-im/parley/internal/webhook/registry"
)

func TestBeforeSendRequest(t *testing.T) {
	h := serve(t, says(approval))
	e := newEngine(t, Config{URL: h.URL + "/webhook/?tenant=1", Callbacks: on(Callback{}, "beforeSendSingleMsg", "beforeSendGroupMsg", "beforeMsgModify")}, Options{})
	m := text("hi")
	if asked, err := e.BeforeSend(operation(), m); !asked || err != nil {
		t.Fatalf("asked %v, %v", asked, err)
	}
	if asked, changed, err := e.Modify(operation(), m); !asked || err != nil || changed != nil {
		t.Fatalf("asked %v, changed %v, %v", asked, changed, err)
	}
	group := text("hi")
	group.SessionType, group.RecvID, group.GroupID = im.GroupChat, "", "g"
	if asked, err := e.BeforeSend(operation(), group); !asked || err != nil {
		t.Fatalf("asked %v, %v", asked, err)
	}
	calls := h.got()
	for i, command := range []string{"callbackBeforeSendSingleMsgCommand", "callbackBeforeMsgModifyCommand", "callbackBeforeSendGroupMsgCommand"} {
		c := calls[i]
		if c.path != "/webhook/"+command || c.query != "tenant=1" {
			t.Errorf("called %s?%s, want %s", c.path, c.query, command)
		}
		var body map[string]any
		if err := json.Unmarshal(c.body, &body); err != nil || body["callbackCommand"] != command || body["operationID"] != "op-1" {
			t.Errorf("body %s, %v", c.body, err)
		}
		for key, want := range map[string]string{
			"Operationid": "op-1", "Content-Type": "application/json; charset=utf-8", "User-Agent": "Go-http-client/1.1", "Accept-Encoding": "gzip",
		} {
			if got := c.header.Get(key); got != want {
				t.Errorf("header %s is %q, want %q", key, got, want)
			}
		}
	}
}

func TestWhoIsNotAsked(t *testing.T) {
	h := serve(t, says(approval))
	callbacks := on(Callback{DeniedTypes: []TypeRange{{102, 102}}}, "beforeSendSingleMsg", "beforeSendGroupMsg", "beforeMsgModify")
	e := newEngine(t, Config{URL: h.URL, Callbacks: callbacks}, Options{IsAdmin: func(id string) bool { return id == "imAdmin" }})
	with := func(change func(*im.Message)) *im.Message { m := text("hi"); change(m); return m }
	for _, c := range []struct {
		name         string
		m            *im.Message
		send, modify bool
	}{
		{"user", text("hi"), true, true},
		{"admin's single message", with(func(m *im.Message) { m.SendID = "imAdmin" }), false, true},
		{"admin's group message", with(func(m *im.Message) { m.SendID, m.SessionType, m.GroupID = "imAdmin", im.GroupChat, "g" }), true, true},
		{"account", with(func(m *im.Message) { m.SessionType = im.AccountChat }), false, false},
		{"typing", with(func(m *im.Message) { m.ContentType = im.ContentTyping }), false, false},
		{"server type", with(func(m *im.Message) { m.ContentType = im.ContentReadReceipt }), false, false},
		{"denied type", with(func(m *im.Message) { m.ContentType = im.ContentPicture }), false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := len(h.got())
			asked, err := e.BeforeSend(operation(), c.m)
			if asked != c.send || err != nil {
				t.Errorf("BeforeSend asked: %v, %v; want %v", asked, err, c.send)
			}
			modified, _, err := e.Modify(operation(), c.m)
			if modified != c.modify || err != nil {
				t.Errorf("Modify asked: %v, %v; want %v", modified, err, c.modify)
			}
			if asks := e.Asks(c.m); asks != (c.send || c.modify) {
				t.Errorf("Asks says %v", asks)
			}
			want := 0
			for _, called := range []bool{c.send, c.modify} {
				if called {
					want++
				}
			}
			if n := len(h.got()) - before; n != want {
				t.Errorf("%d calls, want %d", n, want)
			}
		})
	}
}

// raw takes over the connection and writes bytes as they are.
func raw(bytes string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, buffered, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		_, _ = buffered.WriteString(bytes)
		_ = buffered.Flush()
	}
}

// What odd answers come to, against a real server. The codes are those of the
// refusal with failedContinue off; 0 approves, and with failedContinue on only
// real refusals refuse.
func TestOddAnswers(t *testing.T) {
	big := strings.Repeat(" ", 2<<20)
	zip := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = io.WriteString(z, body)
			_ = z.Close()
		}
	}
	status := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		}
	}
	redirect := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/moved" {
				if r.Method != http.MethodPost || r.ContentLength <= 0 {
					w.WriteHeader(http.StatusTeapot)
					return
				}
				_, _ = io.WriteString(w, approval)
				return
			}
			w.Header().Set("Location", "/moved")
			w.WriteHeader(code)
		}
	}
	endless := func(first string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_, err := io.WriteString(w, first)
			for err == nil && r.Context().Err() == nil {
				_, err = io.WriteString(w, big)
			}
		}
	}
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		code   int
		reject bool
	}{
		{name: "plain approval", answer: says(approval)},
		{name: "empty", answer: says(""), code: 90007},
		{name: "204", answer: status(204, ""), code: 90007},
		{name: "null", answer: says("null")},
		{name: "{}", answer: says("{}")},
		{name: "[]", answer: says("[]"), code: 90007},
		{name: "string", answer: says(`"ok"`), code: 90007},
		{name: "html", answer: says("<html><body>ok</body></html>"), code: 90007},
		{name: "bom", answer: says("\xEF\xBB\xBF" + approval)},
		{name: "nextCode in a string", answer: says(`{"nextCode":"0"}`)},
		{name: "nextCode empty", answer: says(`{"nextCode":""}`)},
		{name: "nextCode 1.0", answer: says(`{"nextCode":1.0,"errCode":5001}`), code: 5001, reject: true},
		{name: "2 MiB", answer: says(approval + big), code: 90007},
		{name: "2 MiB behind a refusal", answer: says(`{"nextCode":1,"errCode":5001}` + big), code: 5001, reject: true},
		{name: "endless", answer: endless(approval), code: 90007},
		{name: "endless behind a refusal", answer: endless(`{"nextCode":1,"errCode":5001}`), code: 5001, reject: true},
		{name: "chunked cut", answer: raw(head + "Transfer-Encoding: chunked\r\n\r\n10\r\n{\"actionCode\":0,"), code: 90004},
		{name: "cut by length", answer: raw(head + "Content-Length: 100\r\n\r\n" + approval), code: 90004},
		{name: "gzip", answer: zip(approval)},
		{name: "gzip refusal", answer: zip(`{"nextCode":1,"errCode":5001}`), code: 5001, reject: true},
		{name: "gzip bomb", answer: zip(approval + big), code: 90007},
		{name: "gzip broken", answer: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, "no gzip at all")
		}, code: 90004},
		{name: "301", answer: redirect(301), code: 90004},
		{name: "302", answer: redirect(302), code: 90004},
		{name: "303", answer: redirect(303), code: 90004},
		{name: "307", answer: redirect(307)},
		{name: "308", answer: redirect(308)},
		{name: "307 for ever", answer: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", r.URL.Path)
			w.WriteHeader(307)
		}, code: 90004},
		{name: "404 text", answer: status(404, "404 page not found"), code: 90004},
		{name: "404 refusal", answer: status(404, `{"nextCode":1,"errCode":5001}`), code: 5001, reject: true},
		{name: "500 page", answer: status(500, `{"status":500,"error":"Internal Server Error"}`), code: 90004},
		{name: "text/plain", answer: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			_, _ = io.WriteString(w, approval)
		}},
		{name: "not http", answer: raw("ok\r\n\r\n"), code: 90004},
		{name: "no answer", answer: raw(""), code: 90004},
		{name: "reject then garbage", answer: says(`{"nextCode":1,"errCode":5001}Callback done`), code: 5001, reject: true},
		{name: "approve then reject", answer: says(approval + `{"nextCode":1,"errCode":5001}`), code: 90007},
		{name: "unknown command", answer: says("unsupported command"), code: 90007},
		{name: "huge header", answer: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Big", strings.Repeat("x", 128<<10))
			_, _ = io.WriteString(w, approval)
		}, code: 90004},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := serve(t, c.answer)
			for _, failedContinue := range []bool{true, false} {
				e := newEngine(t, Config{URL: h.URL, Callbacks: on(Callback{FailedContinue: failedContinue}, "beforeSendSingleMsg")}, Options{})
				asked, err := e.BeforeSend(operation(), text("hi"))
				want := c.code
				if failedContinue && !c.reject {
					want = 0
				}
				refusal, _ := errors.AsType[*im.Error](err)
				if !asked || (err == nil) != (want == 0) || want != 0 && (refusal == nil || refusal.Code != want) {
					t.Errorf("failedContinue %v: asked %v, %v; want code %d", failedContinue, asked, err, want)
				}
				if refusal != nil && strings.Contains(refusal.Detail, h.URL[len("http://"):]) {
					t.Errorf("the refusal names the address: %s", refusal.Detail)
				}
				e.plan.Load().client.http.CloseIdleConnections()
			}
			if n := len(h.got()); c.name != "307" && c.name != "308" && c.name != "307 for ever" && n != 2 {
				t.Errorf("%d calls for two operations", n)
			}
		})
	}
}

func TestTimeouts(t *testing.T) {
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		cfg    func(*Config)
		detail string
	}{
		{"callback's own", hang, func(c *Config) {
			c.Callbacks = on(Callback{Timeout: 20 * time.Millisecond}, "beforeSendSingleMsg")
		}, "beforeSendSingleMsg: timeout after 20ms"},
		{"operation's", hang, func(c *Config) { c.BeforeDeadline = 20 * time.Millisecond }, "the time of the whole operation was up"},
		{"in the body", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, `{"actionCode":0`)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, func(c *Config) { c.Callbacks = on(Callback{Timeout: 20 * time.Millisecond}, "beforeSendSingleMsg") }, "timeout after 20ms"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := serve(t, c.answer)
			cfg := Config{URL: h.URL, Callbacks: on(Callback{}, "beforeSendSingleMsg")}
			c.cfg(&cfg)
			e := newEngine(t, cfg, Options{})
			_, err := e.BeforeSend(e.WithDeadline(operation()), text("hi"))
			if !errors.Is(err, im.ErrNetwork) || !strings.Contains(err.Error(), c.detail) {
				t.Errorf("%v, want 90004 with %q", err, c.detail)
			}
		})
	}
	t.Run("shared by the calls of an operation", func(t *testing.T) {
		h := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "Modify") {
				t.Error("called after the operation's time was up")
			}
			<-r.Context().Done()
		})
		e := newEngine(t, Config{URL: h.URL, BeforeDeadline: 20 * time.Millisecond, Callbacks: on(Callback{FailedContinue: true}, "beforeSendSingleMsg", "beforeMsgModify")}, Options{})
		ctx := e.WithDeadline(operation())
		if _, err := e.BeforeSend(ctx, text("hi")); err != nil {
			t.Error(err)
		}
		if asked, _, err := e.Modify(ctx, text("hi")); !asked || err != nil {
			t.Error(asked, err)
		}
	})
}

func TestClientsHangUp(t *testing.T) {
	h := serve(t, says(`{"nextCode":1,"errCode":5001}`))
	e := newEngine(t, Config{URL: h.URL, Callbacks: on(Callback{}, "beforeSendSingleMsg")}, Options{})
	ctx, cancel := context.WithCancel(operation())
	cancel()
	if _, err := e.BeforeSend(ctx, text("hi")); !errors.Is(err, &im.Error{Code: 5001}) {
		t.Errorf("%v: the handler's answer must count whether or not the client waits", err)
	}
}

func TestSaturationFailsAtOnce(t *testing.T) {
	entered, release := make(chan struct{}, 8), make(chan struct{})
	h := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		entered <- struct{}{}
		<-release
		_, _ = io.WriteString(w, approval)
	})
	e := newEngine(t, Config{URL: h.URL, MaxConcurrency: 2, Callbacks: on(Callback{}, "beforeSendSingleMsg")}, Options{})
	var calls sync.WaitGroup
	var failed atomic.Int32
	ask := func() {
		if _, err := e.BeforeSend(operation(), text("hi")); err != nil {
			failed.Add(1)
		}
	}
	for range 2 { // running
		calls.Go(ask)
		<-entered
	}
	limit := e.plan.Load().on[registry.BeforeSendSingleMsg].limit
	for range 2 { // waiting
		calls.Go(ask)
	}
	for limit.waiting.Load() < 2 {
		runtime.Gosched() // the waiters have nothing else to tell us by
	}
	_, err := e.BeforeSend(operation(), text("hi"))
	if !errors.Is(err, im.ErrNetwork) || !strings.Contains(err.Error(), "too many calls") {
		t.Errorf("the fifth call: %v, want a failure at once", err)
	}
	close(release)
	calls.Wait()
	if failed.Load() != 0 || len(h.got()) != 4 {
		t.Errorf("%d of the four calls failed, %d arrived", failed.Load(), len(h.got()))
	}
}

// deadPool answers like a transport whose pooled connections are dead: the
// first calls fail, after so many bytes were written.
type deadPool struct {
	dead, written int
	calls         int
}

func (d *deadPool) RoundTrip(r *http.Request) (*http.Response, error) {
	d.calls++
	here, there := net.Pipe()
	defer func() { _, _ = here.Close(), there.Close() }()
	conn := &countingConn{Conn: here}
	httptrace.ContextClientTrace(r.Context()).GotConn(httptrace.GotConnInfo{Conn: conn, Reused: true})
	if d.calls <= d.dead {
		conn.written.Add(int64(d.written))
		return nil, errors.New("http: server closed idle connection")
	}
	return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(approval)), Header: http.Header{}}, nil
}

// A pooled connection that died while it was idle costs one reconnect, not an
// operation; one that took a byte is not replaced.
func TestDeadPooledConnection(t *testing.T) {
	for _, c := range []struct {
		name  string
		pool  deadPool
		calls int
		ok    bool
	}{
		{"alive", deadPool{}, 1, true},
		{"dead once", deadPool{dead: 1}, 2, true},
		{"dead twice", deadPool{dead: 2}, 2, false},
		{"dead after a byte", deadPool{dead: 1, written: 1}, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEngine(t, Config{URL: "http://127.0.0.1:9", Callbacks: on(Callback{}, "beforeSendSingleMsg")}, Options{})
			e.plan.Load().client.http.Transport = &c.pool
			if _, err := e.BeforeSend(operation(), text("hi")); (err == nil) != c.ok || c.pool.calls != c.calls {
				t.Errorf("%v after %d calls, want %d", err, c.pool.calls, c.calls)
			}
		})
	}
}

// A call that reached the handler is never made twice, even on a reused
// connection that breaks.
func TestNoSecondCallAfterBytesWereWritten(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	var requests atomic.Int32
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				in := bufio.NewReader(conn)
				for n := 0; ; n++ {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, r.Body)
					requests.Add(1)
					if n == 1 {
						return // the second request of a connection gets no answer
					}
					_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(approval), approval)
				}
			}()
		}
	}()
	e := newEngine(t, Config{URL: "http://" + listener.Addr().String(), Callbacks: on(Callback{}, "beforeSendSingleMsg")}, Options{})
	if _, err := e.BeforeSend(operation(), text("hi")); err != nil {
		t.Fatal(err)
	}
	if _, err := e.BeforeSend(operation(), text("hi")); !errors.Is(err, im.ErrNetwork) {
		t.Errorf("%v, want 90004", err)
	}
	if n := requests.Load(); n != 2 {
		t.Errorf("%d requests for two operations", n)
	}
}

func TestBeforeLog(t *testing.T) {
	var log logged
	h := serve(t, says(`{"nextCode":0}Callback done`))
	e := newEngine(t, Config{URL: h.URL + "?token=geheim", Callbacks: on(Callback{FailedContinue: true}, "beforeSendSingleMsg")}, Options{Logger: log.logger(slog.LevelInfo)})
	if _, err := e.BeforeSend(operation(), text("secret words")); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"level=WARN", "webhook failed, going on without it", "callback=beforeSendSingleMsg", "url=" + h.URL + "/callbackBeforeSendSingleMsgCommand",
		"outcome=failed_continue", "after top-level value", "Callback done", "status=200",
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("log lacks %q: %s", want, log.String())
		}
	}
	h.answer = says("{}")
	for range 3 {
		if _, err := e.BeforeSend(operation(), text("secret words")); err != nil {
			t.Fatal(err)
		}
	}
	if n := log.lines("hold no actionCode and no nextCode"); n != 1 {
		t.Errorf("the hint about empty answers was given %d times", n)
	}
	if n := log.lines(`msg="webhook success"`); n != 3 {
		t.Errorf("%d successes logged, want 3", n)
	}
	h.answer = says(`{"nextCode":1,"errCode":1501}`)
	if _, err := e.BeforeSend(operation(), text("x")); !errors.Is(err, im.ErrTokenExpired) {
		t.Errorf("%v, want the handler's code", err)
	}
	if log.lines("makes clients log out") != 1 {
		t.Errorf("no warning about code 1501")
	}
	for _, never := range []string{"secret words", "geheim"} {
		if strings.Contains(log.String(), never) {
			t.Errorf("the log holds %q", never)
		}
	}
}

func TestBeforeDeliveryRows(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		s := open(store.Options{})
		h := serve(t, says(`{"nextCode":1,"errCode":5001,"errMsg":"no"}`))
		e := newEngine(t, Config{URL: h.URL, Callbacks: on(Callback{}, "beforeSendSingleMsg", "beforeMsgModify")}, Options{})
		if _, err := e.BeforeSend(operation(), text("hi")); err == nil {
			t.Fatal("not refused")
		}
		h.answer = says("\xff\x00 odd")
		if _, _, err := e.Modify(operation(), text("hi")); err == nil {
			t.Fatal("not refused")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := e.Run(ctx, s); err != nil { // writes what waits, then ends
			t.Fatal(err)
		}
		var rows []store.Delivery
		if err := s.Read(t.Context(), func(tx *store.Tx) (err error) {
			rows, err = tx.Deliveries(store.DeliveryFilter{OperationID: "op-1"})
			return err
		}); err != nil || len(rows) != 2 {
			t.Fatalf("rows %+v, %v", rows, err)
		}
		r := rows[1] // newest first
		if r.Callback != "beforeSendSingleMsg" || r.Kind != store.DeliveryBefore || r.Outcome != "reject" || r.ErrCode != 5001 || r.Status != 200 ||
			r.Subject != "si_alice_bob" || r.ServerMsgID != "s1" || r.ClientMsgID != "c1" || r.StartedAt == 0 || !strings.Contains(string(r.Answer), "5001") {
			t.Errorf("row %+v", r)
		}
		if r := rows[0]; r.Outcome != "failed_refuse" || r.ErrCode != 90007 || string(r.Answer) != "\xff\x00 odd" {
			t.Errorf("row %+v", r)
		}
	})
}

// A full log buffer loses rows, says so once, and keeps nobody waiting.
func TestFullDeliveryLog(t *testing.T) {
	var log logged
	e := newEngine(t, Config{}, Options{Logger: log.logger(slog.LevelWarn)})
	for range callsBuffered + 10 {
		e.record(t.Context(), store.Delivery{})
	}
	if e.LostLogRows() != 10 || log.lines("rows of before-calls are lost") != 1 {
		t.Errorf("%d rows lost, log %s", e.LostLogRows(), log.String())
	}
}

func TestDisabledCostsNothing(t *testing.T) {
	off := newEngine(t, Config{}, Options{})
	filtered := newEngine(t, Config{URL: "http://127.0.0.1:9", Callbacks: on(Callback{AttentionIDs: []string{"x"}, DeniedTypes: []TypeRange{{101, 101}}},
		"beforeSendSingleMsg", "beforeMsgModify", "afterSendSingleMsg", "afterMsgSaveDB")}, Options{})
	m, ctx := text("hi"), operation()
	m.Seq = 1
	var event im.Event = &im.MessageSent{Message: m}
	for name, f := range map[string]func(){
		"off, send":      func() { _, _ = off.BeforeSend(off.WithDeadline(ctx), m) },
		"off, modify":    func() { _, _, _ = off.Modify(ctx, m) },
		"off, record":    func() { _ = off.Enabled(im.EventMessageSent) && off.Render(event) != nil },
		"filter, send":   func() { _, _ = filtered.BeforeSend(ctx, m) },
		"filter, modify": func() { _, _, _ = filtered.Modify(ctx, m) },
		"filter, record": func() { _ = filtered.Enabled(im.EventMessageSent) && filtered.Render(event) != nil },
		"off, questions": func() {
			for kind := range im.QuestionKinds {
				_ = off.Wants(im.QuestionKind(kind))
			}
		},
		"off, events": func() {
			for kind := range im.EventKinds {
				_ = off.Enabled(im.EventKind(kind))
			}
		},
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkDisabledBeforeSend(b *testing.B) {
	e := newEngine(b, Config{}, Options{})
	m, ctx := text("hi"), operation()
	b.ReportAllocs()
	for b.Loop() {
		_, _ = e.BeforeSend(ctx, m)
		_, _, _ = e.Modify(ctx, m)
	}
}

func BenchmarkDisabledRecord(b *testing.B) {
	e := newEngine(b, Config{}, Options{})
	b.ReportAllocs()
	for b.Loop() {
		_ = e.Enabled(im.EventMessageSent)
	}
}

// BenchmarkDisabledQuestions and BenchmarkDisabledEvents are what every place in
// the nouns does when the callback is off.
func BenchmarkDisabledQuestions(b *testing.B) {
	e := newEngine(b, Config{}, Options{})
	for kind, id := range questions {
		if id == 0 {
			continue
		}
		b.Run(registry.Of(id).Key, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = e.Wants(im.QuestionKind(kind))
			}
		})
	}
}

func BenchmarkDisabledEvents(b *testing.B) {
	e := newEngine(b, Config{}, Options{})
	for kind, ids := range reports {
		for _, id := range ids {
			b.Run(registry.Of(id).Key, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					_ = e.Enabled(im.EventKind(kind))
				}
			})
		}
	}
}

func BenchmarkRecord(b *testing.B) {
	e := allOn(b)
	m := text("hi")
	m.Seq, m.ConversationID = 1, "si_alice_bob"
	b.ReportAllocs()
	for b.Loop() {
		_ = e.Render(im.MessageSent{Message: m, OperationID: "op"})
	}
}

func TestCertificates(t *testing.T) {
	server := httptest.NewTLSServer(says(approval))
	t.Cleanup(server.Close)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	for _, skip := range []bool{true, false} {
		e := newEngine(t, Config{URL: server.URL, InsecureSkipVerify: skip, Callbacks: on(Callback{}, "beforeSendSingleMsg")}, Options{})
		_, err := e.BeforeSend(operation(), text("hi"))
		if skip && err != nil || !skip && (!errors.Is(err, im.ErrNetwork) || !strings.Contains(err.Error(), "TLS failed")) {
			t.Errorf("insecureSkipVerify %v: %v", skip, err)
		}
	}
}
