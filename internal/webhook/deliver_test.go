package webhook

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/outbox"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
)

func TestDeliver(t *testing.T) {
	now := time.UnixMilli(goldenTime)
	status := func(code int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(code)
		}
	}
	for _, c := range []struct {
		name    string
		answer  http.HandlerFunc
		attempt int
		want    outbox.Verdict
		after   time.Duration
	}{
		{name: "200", answer: says("whatever"), want: outbox.Delivered},
		{name: "200 empty", answer: says(""), want: outbox.Delivered},
		{name: "204", answer: status(204), want: outbox.Delivered},
		{name: "a verdict is not looked at", answer: says(`{"nextCode":1}`), want: outbox.Delivered},
		{name: "200, then the connection breaks", answer: raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"), want: outbox.Delivered},
		{name: "no answer", answer: raw(""), want: outbox.Retrying},
		{name: "302", answer: status(302, "Location", "/x"), attempt: 99, want: outbox.Retrying},
		{name: "400 first", answer: status(400), want: outbox.Retrying},
		{name: "400 second", answer: status(400), attempt: 2, want: outbox.Retrying},
		{name: "400 third", answer: status(400), attempt: 3, want: outbox.Dead},
		{name: "410", answer: status(410), want: outbox.Parked},
		{name: "408", answer: status(408), attempt: 99, want: outbox.Retrying},
		{name: "425", answer: status(425), attempt: 99, want: outbox.Retrying},
		{name: "429", answer: status(429), attempt: 99, want: outbox.Retrying},
		{name: "500", answer: status(500), attempt: 99, want: outbox.Retrying},
		{name: "503 with seconds", answer: status(503, "Retry-After", "120"), want: outbox.Retrying, after: 2 * time.Minute},
		{name: "503 with a date", answer: status(503, "Retry-After", now.UTC().Add(90*time.Second).Format(http.TimeFormat)), want: outbox.Retrying, after: 90*time.Second - 123*time.Millisecond},
		{name: "503 with a past date", answer: status(503, "Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT"), want: outbox.Retrying},
		{name: "503 with centuries", answer: status(503, "Retry-After", "99999999999999"), want: outbox.Retrying, after: time.Hour},
		{name: "503 with nonsense", answer: status(503, "Retry-After", "soon"), want: outbox.Retrying},
		{name: "429 negative", answer: status(429, "Retry-After", "-5"), want: outbox.Retrying},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := serve(t, c.answer)
			var log logged
			e := newEngine(t, Config{URL: h.URL + "/webhook?tenant=1", Callbacks: on(Callback{}, "afterSendSingleMsg")},
				Options{Logger: log.logger(slog.LevelInfo), Now: func() time.Time { return now }})
			attempt := max(c.attempt, 1)
			ev := store.OutboxEvent{
				Lane: "default/si_a_b", EventID: "ev-1", Callback: "afterSendSingleMsg", Command: "callbackAfterSendSingleMsgCommand", OperationID: "op-1",
				Subject: "si_a_b", ServerMsgID: "s1", Query: "key=a%2Bb%3D", Body: []byte("{\"secret\":1}\n"),
			}
			res := e.Deliver(t.Context(), &ev, attempt)
			if res.Verdict != c.want || res.After != c.after {
				t.Errorf("verdict %d after %s, want %d after %s", res.Verdict, res.After, c.want, c.after)
			}
			if (res.Reason == "") != (c.want == outbox.Delivered) {
				t.Errorf("reason %q", res.Reason)
			}
			got := h.got()[0]
			if got.path != "/webhook/callbackAfterSendSingleMsgCommand" || got.query != "tenant=1&key=a%2Bb%3D" || string(got.body) != string(ev.Body) {
				t.Errorf("called %s?%s with %q", got.path, got.query, got.body)
			}
			for key, want := range map[string]string{"Webhook-Id": "ev-1", "Webhook-Timestamp": "1700000000", "Operationid": "op-1"} {
				if got.header.Get(key) != want {
					t.Errorf("header %s is %q, want %q", key, got.header.Get(key), want)
				}
			}
			if l := res.Log; l == nil || l.EventID != "ev-1" || l.Attempt != attempt || l.Kind != store.DeliveryAfter || l.Outcome == "" || l.ServerMsgID != "s1" {
				t.Errorf("log row %+v", l)
			}
			level := "level=WARN"
			if c.want == outbox.Delivered {
				level = "level=INFO"
			}
			for _, want := range []string{level, "webhook", "callback=afterSendSingleMsg", "event_id=ev-1", fmt.Sprint("attempt=", attempt)} {
				if !strings.Contains(log.String(), want) {
					t.Errorf("log %s lacks %s", log.String(), want)
				}
			}
			if strings.Contains(log.String(), "secret") || strings.Contains(log.String(), "tenant") {
				t.Errorf("log holds the body or the query: %s", log.String())
			}
		})
	}
}

func TestDeliverTimesOutAndIsInterrupted(t *testing.T) {
	entered := make(chan string, 2)
	h := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		entered <- r.URL.Path
		<-r.Context().Done()
	})
	callbacks := on(Callback{Timeout: 20 * time.Millisecond}, "afterSendSingleMsg")
	callbacks["afterUserOnline"] = Callback{Enable: true, Timeout: time.Hour}
	e := newEngine(t, Config{URL: h.URL, Callbacks: callbacks}, Options{})
	res := e.Deliver(t.Context(), &store.OutboxEvent{Lane: "default/x", Callback: "afterSendSingleMsg", Command: "callbackAfterSendSingleMsgCommand"}, 1)
	if res.Verdict != outbox.Retrying || res.Reason != "timeout after 20ms" {
		t.Errorf("timeout: %+v", res)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for <-entered != "/callbackAfterUserOnlineCommand" { // the first call may not have come this far
		}
		cancel()
	}()
	if res := e.Deliver(ctx, &store.OutboxEvent{Lane: "default/x", Callback: "afterUserOnline", Command: "callbackAfterUserOnlineCommand"}, 1); res.Verdict != outbox.Interrupted {
		t.Errorf("shutdown: %+v", res)
	}
	if res := e.Deliver(t.Context(), &store.OutboxEvent{Lane: "gone/x", Callback: "afterUserOffline"}, 1); res.Verdict != outbox.Held {
		t.Errorf("to an endpoint that is gone: %+v", res)
	}
}

// jumping is a clock on which pauses pass at once.
type jumping struct {
	mu  sync.Mutex
	now time.Time
}

func (c *jumping) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *jumping) Timer(d time.Duration) (<-chan time.Time, func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fired := make(chan time.Time, 1)
	if d < time.Hour {
		c.now = c.now.Add(d)
		fired <- c.now
	}
	return fired, func() {}
}

// From a recorded change to the handler: 503 three times, then 200, gives four
// identical bodies with one id and growing gaps; then the next message; nothing
// for what was rolled back.
func TestFromRecordToHandler(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		clock := &jumping{now: time.UnixMilli(goldenTime)}
		type arrival struct {
			call
			at time.Time
		}
		arrivals := make(chan arrival, 16)
		var seen int
		h := serve(t, nil)
		h.answer = func(w http.ResponseWriter, _ *http.Request) {
			calls := h.got()
			seen++ // one lane: one call at a time
			if seen <= 3 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			arrivals <- arrival{calls[len(calls)-1], clock.Now()}
			_, _ = io.WriteString(w, "{}")
		}
		e := newEngine(t, Config{URL: h.URL, Callbacks: on(Callback{}, "afterSendSingleMsg", "afterMsgSaveDB")}, Options{Now: clock.Now})
		s := open(store.Options{Recorder: e, Now: clock.Now})
		message := func(n int) im.MessageSent {
			m := text(fmt.Sprint("message ", n))
			m.ConversationID, m.Seq, m.ServerMsgID = "si_alice_bob", im.Seq(n), fmt.Sprint("s", n)
			return im.MessageSent{Message: m, OperationID: fmt.Sprint("op-", n)}
		}
		rolledBack := s.Write(t.Context(), func(tx *store.Tx) error {
			if err := tx.Record(message(9)); err != nil {
				return err
			}
			return io.ErrClosedPipe
		})
		if rolledBack == nil {
			t.Fatal("not rolled back")
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		box := outbox.New(s, outbox.Options{Clock: clock, Lease: 1000 * time.Hour, Poll: 1000 * time.Hour}, e)
		go func() { ended <- box.Run(ctx) }()
		for n := range 2 {
			if err := s.Write(t.Context(), func(tx *store.Tx) error { return tx.Record(message(n + 1)) }); err != nil {
				t.Fatal(err)
			}
		}
		var got []arrival
		for range 4 + 3 {
			got = append(got, <-arrivals)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		first := got[0]
		id := first.header.Get("Webhook-Id")
		for i, a := range got[:4] {
			if string(a.body) != string(first.body) || a.header.Get("Webhook-Id") != id || a.query != first.query || a.header.Get("Operationid") != "op-1" {
				t.Errorf("attempt %d differs from the first: %+v", i+1, a)
			}
			if i > 0 {
				full := time.Second << (i - 1)
				if gap := a.at.Sub(got[i-1].at); gap < full*3/4-time.Millisecond || gap > full {
					t.Errorf("gap %d is %s, want %s less up to a quarter", i, gap, full)
				}
			}
		}
		var order []string
		ids := map[string]bool{}
		for _, a := range got[3:] {
			order = append(order, strings.TrimPrefix(a.path, "/callbackAfter")+" "+a.header.Get("Operationid"))
			ids[a.header.Get("Webhook-Id")] = true
		}
		want := []string{"SendSingleMsgCommand op-1", "MsgSaveDBCommand op-1", "SendSingleMsgCommand op-2", "MsgSaveDBCommand op-2"}
		if !slices.Equal(order, want) || len(ids) != 4 {
			t.Errorf("order %v with %d ids, want %v", order, len(ids), want)
		}
		var outcomes []string
		if err := s.Read(t.Context(), func(tx *store.Tx) error {
			rows, err := tx.Deliveries(store.DeliveryFilter{EventID: id})
			for _, r := range rows {
				outcomes = append(outcomes, fmt.Sprintf("%d %s %d", r.Attempt, r.Outcome, r.Status))
			}
			return err
		}); err != nil || !reflect.DeepEqual(outcomes, []string{"4 delivered 200", "3 retry 503", "2 retry 503", "1 retry 503"}) {
			t.Errorf("delivery log %v, %v", outcomes, err)
		}
	})
}
