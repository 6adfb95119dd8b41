package console

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/metrics"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/webhook"
)

// Every page is shown in both languages, also when there is nothing to show, and
// the one that needs to be told what to show says so.
func TestPages(t *testing.T) {
	s := newSite(t)
	b := s.loggedIn()
	for _, l := range languages {
		for _, p := range s.pages {
			status, body := b.get("/"+p.path, "Cookie", languageCookie+"="+string(l))
			want := http.StatusOK
			if p.hidden {
				want = http.StatusUnprocessableEntity
			}
			if status != want || !strings.Contains(body, `<html lang="`+string(l)+`"`) || !strings.Contains(body, l.text(p.title)) || strings.Contains(body, "%!") {
				t.Errorf("%s in %s: status %d\n%s", p.path, l, status, body)
			}
		}
	}
}

// hostile is what somebody writes who wants to run a script in the page.
const hostile = `"><script>alert(1)</script><img src=x onerror=alert(1)>'&{{.}}`

// What others write is text, wherever it is shown.
func TestHostileTexts(t *testing.T) {
	s := newSite(t)
	b := s.loggedIn()
	row := store.Delivery{
		EventID: hostile, Callback: hostile, Command: hostile, Kind: store.DeliveryAfter, OperationID: hostile, Subject: hostile,
		ClientMsgID: hostile, ServerMsgID: hostile, Attempt: 1, StartedAt: im.MillisOf(s.clock.Now()), Status: 200, Outcome: hostile,
		Reason: hostile, Answer: []byte(hostile), Endpoint: hostile,
	}
	if err := s.Store.Write(t.Context(), func(tx *store.Tx) error {
		if err := tx.InsertUser(im.User{UserID: hostile, Nickname: hostile, FaceURL: hostile, Ex: hostile}); err != nil {
			return err
		}
		if _, err := tx.InsertConsoleEntry(store.ConsoleEntry{UserID: hostile, Address: hostile, Action: hostile, Detail: hostile, Outcome: hostile}); err != nil {
			return err
		}
		return tx.InsertDeliveries([]store.Delivery{row})
	}); err != nil {
		t.Fatal(err)
	}
	s.Calls.Add(webhook.Exchange{
		Delivery: row, URL: func() string { return hostile }, Sent: http.Header{"X": {hostile}}, Header: http.Header{"X": {hostile}}, Body: []byte(hostile), Full: []byte(hostile),
	})
	slog.New(s.Warnings.Handler(slog.DiscardHandler)).WarnContext(t.Context(), hostile, slog.String("k", hostile))
	s.past.add(metrics.Point{
		At: im.MillisOf(s.clock.Now()), Connections: map[string]int64{hostile: 1}, Outbox: []metrics.Endpoint{{Name: hostile, State: "ok"}},
		Pushes: []metrics.PushResult{{Vendor: hostile, Outcome: hostile, Count: 1}},
	})
	q := url.QueryEscape(hostile)
	paths := []string{
		"/access", "/access?user=" + q, "/access/sessions", "/overview", "/webhooks/live", "/webhooks/live?subject=" + q, "/webhooks/dead?endpoint=" + q,
		"/webhooks/delivery?call=1", "/webhooks/delivery?event=" + q, "/webhooks/why?id=" + q, "/webhooks/why?id=x&env=" + q, "/webhooks/samples?callback=" + q, "/overview?done=" + q, "/login?next=" + q,
	}
	shown := 0
	check := func(what, body string) {
		t.Helper()
		if strings.Contains(body, "<script>alert") || strings.Contains(body, "<img src=x") {
			t.Errorf("%s: the text of others is markup:\n%s", what, body)
		}
		shown += strings.Count(body, "&lt;script&gt;")
	}
	for _, path := range paths {
		_, body := b.get(path)
		check(path, body)
	}
	_, body := b.post("/webhooks/endpoints/pause", url.Values{"endpoint": {hostile}, "reason": {hostile}})
	check("an error", body)
	for _, path := range []string{"/webhooks/live/calls?after=0", "/overview/figures"} {
		check(path, b.firstEvent(path))
	}
	if shown < 40 {
		t.Errorf("the text was shown %d times only: is it still looked for in the right places?", shown)
	}
}

// firstEvent opens a stream and returns what comes first.
func (b *browser) firstEvent(path string) string {
	b.t.Helper()
	ctx, stop := context.WithCancel(b.t.Context())
	defer stop()
	resp, _ := b.tail(ctx, path)
	defer resp.Body.Close()
	var text strings.Builder
	buf := make([]byte, 4096)
	for !strings.Contains(text.String(), "\ndata: ") || !strings.HasSuffix(text.String(), "\n\n") {
		n, err := resp.Body.Read(buf)
		text.Write(buf[:n])
		if err != nil {
			b.t.Fatalf("%s: %v after %q", path, err, text.String())
		}
	}
	return text.String()
}

// A page and all it loads weigh little, also with much to show.
func TestPageWeight(t *testing.T) {
	const most = 150_000
	s := newSite(t)
	b := s.loggedIn()
	rows := make([]store.Delivery, 300)
	for i := range rows {
		rows[i] = store.Delivery{
			EventID: "01997f2e-0000-7000-8000-" + number(int64(i)), Callback: "afterSendSingleMsg", Command: "callbackAfterSendSingleMsgCommand", Kind: store.DeliveryAfter,
			OperationID: "operation-" + number(int64(i)), Subject: "si_alice_bob" + number(int64(i)), StartedAt: im.MillisOf(s.clock.Now()), Outcome: "retry",
			Reason: "connection refused by 127.0.0.1:" + number(int64(i)), Endpoint: "default",
		}
	}
	if err := s.Store.Write(t.Context(), func(tx *store.Tx) error { return tx.InsertDeliveries(rows) }); err != nil {
		t.Fatal(err)
	}
	for i := range int64(720) {
		s.past.add(metrics.Point{
			At: im.MillisOf(s.clock.Now()) - im.Millis((720-i)*5000), Accepted: float64(i % 97), CommitP50: 0.0003 * float64(i%7), CommitP99: 0.001 * float64(i%13),
			Connections: map[string]int64{"iOS": 3 * i, "Web": i % 31}, Outbox: []metrics.Endpoint{{Name: "default", State: "ok", Events: i % 50}},
		})
	}
	static := 0
	for _, a := range assets().byName {
		static += len(a.zipped)
	}
	for _, p := range s.pages {
		resp := b.send(http.MethodGet, "/"+p.path+"?all=1", nil, "Accept-Encoding", "gzip")
		n, err := io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if resp.Header.Get("Content-Encoding") != "gzip" {
			t.Errorf("%s is not compressed", p.path)
		}
		t.Logf("%-22s %6d bytes, with the static files %6d", p.path, n, int(n)+static)
		if int(n)+static > most {
			t.Errorf("%s weighs %d bytes", p.path, int(n)+static)
		}
	}
}

// An open overview is drawn once for all who look at it, and only when there is
// something new.
func TestOverviewIsDrawnOnce(t *testing.T) {
	s := newSite(t)
	drawn := 0
	cache := &overviewCache{console: s.Console}
	s.Health = func(context.Context) []Check { drawn++; return nil }
	state := overviewState{point: 1}
	for range 10 {
		if _, err := cache.html(t.Context(), english, state); err != nil {
			t.Fatal(err)
		}
	}
	if drawn != 1 {
		t.Errorf("drawn %d times", drawn)
	}
	state.point++
	if _, err := cache.html(t.Context(), english, state); err != nil || drawn != 2 {
		t.Errorf("something new was drawn %d times, %v", drawn, err)
	}
}

func TestWarnings(t *testing.T) {
	var w Warnings
	log := slog.New(w.Handler(slog.DiscardHandler)).With("part", "x").WithGroup("g")
	log.InfoContext(t.Context(), "fine")
	for i := range warningsKept + 5 {
		log.WarnContext(t.Context(), "careful", slog.Int("n", i))
	}
	lines, count := w.recent()
	if len(lines) != warningsKept || count != warningsKept+5 || lines[0].Attrs != "part=x g.n=54" || lines[0].Message != "careful" {
		t.Errorf("%d of %d, the first %+v", len(lines), count, lines[0])
	}
}

func TestChart(t *testing.T) {
	now := im.MillisOf(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	c := drawChart(now, []im.Millis{now - 7_200_000, now - 3_500_000, now - 1000, now}, whole, []float64{1000, 5, 2, 10})
	if c.Max != "10" || strings.Count(c.Lines[0], ",") != 2 || !strings.HasSuffix(c.Lines[0], "360,3.0") {
		t.Errorf("drawn %+v", c)
	}
	if empty := drawChart(now, nil, whole, nil); empty.Area != "" || empty.Max != "0" {
		t.Errorf("nothing is drawn as %+v", empty)
	}
}

// Links carry what they are made of, encoded once.
func TestLinks(t *testing.T) {
	s := newSite(t)
	s.Calls.Add(webhook.Exchange{Delivery: store.Delivery{Callback: "beforeSendSingleMsg", OperationID: "a&b=c d"}, URL: func() string { return "" }})
	_, body := s.loggedIn().get("/webhooks/live")
	for _, want := range []string{`/webhooks/delivery?call=1"`, `/webhooks/why?id=a%26b%3Dc&#43;d"`} {
		if !strings.Contains(body, want) {
			t.Errorf("no link to %s in\n%s", want, body)
		}
	}
}
