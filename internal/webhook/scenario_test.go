package webhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-im/parley/hooks/signature"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/outbox"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
)

const (
	secretOne = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	secretTwo = "whsec_ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
	secretKey = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
	publicKey = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
)

// works runs an engine with its outbox on a store until the test ends.
func works(t testing.TB, e *Engine, s *store.Store, o outbox.Options) (stop func()) {
	t.Helper()
	if err := e.Restore(context.Background(), s); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	parts.Go(func() {
		if err := outbox.New(s, o, e).Run(ctx); err != nil {
			t.Error(err)
		}
	})
	parts.Go(func() {
		if err := e.Run(ctx, s); err != nil {
			t.Error(err)
		}
	})
	stop = sync.OnceFunc(func() { cancel(); parts.Wait() })
	t.Cleanup(stop)
	return stop
}

// tell records that messages were sent, one in each conversation.
func tell(t testing.TB, s *store.Store, conversations ...string) {
	t.Helper()
	if err := s.Write(context.Background(), func(tx *store.Tx) error {
		for i, c := range conversations {
			m := text("hi")
			m.ConversationID, m.Seq, m.ServerMsgID = im.ConversationID(c), im.Seq(i+1), fmt.Sprint("s-", c)
			if err := tx.Record(im.MessageSent{Message: m, OperationID: c}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

func conversations(prefix string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint(prefix, i)
	}
	return list
}

// eventually waits for a condition, looking at it every few milliseconds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for limit := time.After(30 * time.Second); ; {
		if ok() {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

func backlog(t testing.TB, s *store.Store, endpoint string) (b store.Backlog) {
	t.Helper()
	list, err := s.Backlogs(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range list {
		if b.Endpoint == endpoint {
			return b
		}
	}
	return store.Backlog{Endpoint: endpoint}
}

// An event goes to every endpoint that wants it: the same id and body, each in
// lanes of its own; filters and wildcards choose.
func TestEndpointsOfTheList(t *testing.T) {
	main, audit := serve(t, says(approval)), serve(t, says("ok"))
	e := newEngine(t, Config{
		URL: main.URL, Callbacks: on(Callback{}, "afterSendSingleMsg"),
		Endpoints: []Endpoint{
			{Name: "audit", URL: audit.URL + "/a", Events: []string{"after*Msg"}},
			{Name: "pictures", URL: audit.URL + "/p", Events: []string{"*Msg"}, AllowedTypes: []TypeRange{{102, 102}}},
			{Name: "presence", URL: audit.URL + "/u", Events: []string{"afterUserOnline"}},
		},
	}, Options{})
	rows := e.Render(im.MessageSent{Message: text("hi"), OperationID: "op"})
	var lanes []string
	for _, r := range rows {
		lanes = append(lanes, r.Lane)
		if r.EventID != rows[0].EventID || string(r.Body) != string(rows[0].Body) {
			t.Errorf("copies differ: %+v", r)
		}
	}
	if subject := rows[0].Subject; !slices.Equal(lanes, []string{"default/" + subject, "audit/" + subject}) {
		t.Errorf("lanes %v", lanes)
	}
	if !e.Enabled(im.EventUserOnline) || e.Enabled(im.EventUserOffline) {
		t.Error("what the list wants is not what is recorded")
	}
	if rows := e.Render(im.UserOnline{Session: im.Session{UserID: "u"}}); len(rows) != 1 || rows[0].Lane != "presence/u" {
		t.Errorf("online: %+v", rows)
	}
	picture := text("hi")
	picture.ContentType = 102
	if rows := e.Render(im.MessageSent{Message: picture}); len(rows) != 3 || !strings.HasPrefix(rows[2].Lane, "pictures/") {
		t.Errorf("a picture: %+v", rows)
	}
	s := storetest.SQLite(t)(store.Options{Recorder: e})
	works(t, e, s, outbox.Options{})
	tell(t, s, "si_a_b")
	eventually(t, "both are told", func() bool { return len(main.got()) == 1 && len(audit.got()) == 1 })
	if m, a := main.got()[0], audit.got()[0]; string(m.body) != string(a.body) || m.header.Get("Webhook-Id") != a.header.Get("Webhook-Id") ||
		a.path != "/a/callbackAfterSendSingleMsgCommand" {
		t.Errorf("told %+v and %+v", m, a)
	}
}

// S23, structure: an endpoint that hangs takes no slot of another, whose calls
// use no more connections than they did while both were well; what waits is in
// the outbox.
func TestOneEndpointHangsAnotherIsHealthy(t *testing.T) {
	const slots, warm, load = 4, 40, 200
	release := make(chan struct{})
	hung := serve(t, func(http.ResponseWriter, *http.Request) { <-release })
	var dials atomic.Int64
	healthy := serve(t, says("ok"))
	e := newEngine(t, Config{
		URL: healthy.URL, Concurrency: slots, Callbacks: on(Callback{}, "afterSendSingleMsg"),
		Endpoints: []Endpoint{{Name: "hung", URL: hung.URL, Events: []string{"afterSendSingleMsg"}, Concurrency: slots, Timeout: time.Hour}},
	}, Options{})
	transport := e.plan.Load().client.http.Transport.(*http.Transport)
	dial, address := transport.DialContext, healthy.Listener.Addr().String()
	transport.DialContext = func(ctx context.Context, network, to string) (net.Conn, error) {
		if to == address {
			dials.Add(1)
		}
		return dial(ctx, network, to)
	}
	s := storetest.SQLite(t)(store.Options{Recorder: e})
	stop := works(t, e, s, outbox.Options{Drain: time.Millisecond})
	t.Cleanup(func() { close(release); stop() })

	tell(t, s, conversations("warm", warm)...)
	eventually(t, "the healthy one has all", func() bool { return len(healthy.got()) == warm })
	eventually(t, "the other hangs in all of its slots", func() bool { return len(hung.got()) == slots })
	afterWarmUp := dials.Load()
	if afterWarmUp > slots {
		t.Errorf("%d connections for %d slots", afterWarmUp, slots)
	}
	for i := range load {
		tell(t, s, fmt.Sprint("load", i))
	}
	eventually(t, "the healthy one has all of the load", func() bool { return len(healthy.got()) == warm+load })
	// The standard library gives a connection up when its writer is not heard of
	// for 50 ms, which a busy machine brings about now and then.
	if n := dials.Load() - afterWarmUp; n > load/20 {
		t.Errorf("%d new connections for %d events after warm-up", n, load)
	}
	if n := len(hung.got()); n != slots {
		t.Errorf("%d calls of the one that hangs, in %d slots", n, slots)
	}
	if b := backlog(t, s, "hung"); b.Events != warm+load {
		t.Errorf("%d events wait for the one that hangs, want %d", b.Events, warm+load)
	}
	t.Logf("%d connections after warm-up, %d after %d more events; the endpoint that hangs holds %d slots, %d events wait for it",
		afterWarmUp, dials.Load(), load, slots, warm+load)
}

// S26: with a secret every request verifies, before-calls included, through a
// rotation too; without one no header is added that was not there.
func TestSignatures(t *testing.T) {
	parse := func(text string) signature.Key {
		k, err := signature.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	h := serve(t, says(approval))
	pair := serve(t, says("ok"))
	config := func(secrets ...string) Config {
		return Config{
			URL: h.URL, Secrets: secrets, Callbacks: on(Callback{}, "beforeSendSingleMsg", "afterSendSingleMsg"),
			Endpoints: []Endpoint{{Name: "pair", URL: pair.URL, Secrets: []string{secretKey}, Events: []string{"afterSendSingleMsg"}}},
		}
	}
	var log logged
	e := newEngine(t, config(), Options{Logger: log.logger(slog.LevelDebug)})
	s := storetest.SQLite(t)(store.Options{Recorder: e})
	works(t, e, s, outbox.Options{})
	told := 0
	both := func() {
		t.Helper()
		if _, err := e.BeforeSend(operation(), text("hi")); err != nil {
			t.Fatal(err)
		}
		told++
		tell(t, s, fmt.Sprint("si_", told))
		eventually(t, "it is told", func() bool { return len(h.got()) == 2*told && len(pair.got()) == told })
	}
	both()
	for _, c := range h.got() {
		if c.header.Get("Webhook-Signature") != "" {
			t.Errorf("signed without a secret: %v", c.header)
		}
	}
	if h.got()[0].header.Get("Webhook-Id") != "" {
		t.Error("a before-call has an id without a secret")
	}
	// The verifier learns the new secret at any moment of the overlap.
	for _, step := range []struct{ signs, verifies []string }{
		{[]string{secretOne}, []string{secretOne}},
		{[]string{secretTwo, secretOne}, []string{secretOne}},
		{[]string{secretTwo, secretOne}, []string{secretTwo}},
		{[]string{secretTwo}, []string{secretTwo}},
	} {
		if err := e.Reload(config(step.signs...)); err != nil {
			t.Fatal(err)
		}
		from := len(h.got())
		both()
		for _, c := range h.got()[from:] {
			var keys []signature.Key
			for _, v := range step.verifies {
				keys = append(keys, parse(v))
			}
			if err := signature.Verify(c.header, c.body, time.Now(), keys...); err != nil {
				t.Errorf("%s: %v", c.path, err)
			}
			changed := append(slices.Clone(c.body), ' ')
			if signature.Verify(c.header, changed, time.Now(), keys...) == nil {
				t.Errorf("%s: a changed body verifies", c.path)
			}
			if err := signature.Verify(c.header, c.body, time.Now().Add(6*time.Minute), keys...); !errors.Is(err, signature.ErrTimestamp) {
				t.Errorf("%s: a replay verifies: %v", c.path, err)
			}
		}
	}
	for _, c := range pair.got() {
		if err := signature.Verify(c.header, c.body, time.Now(), parse(publicKey)); err != nil {
			t.Errorf("ed25519: %v", err)
		}
	}
	if err := e.Reload(config("whsec_short")); err == nil || strings.Contains(err.Error(), "short") {
		t.Errorf("a bad secret: %v", err)
	}
	for _, hush := range []string{secretOne, secretTwo, secretKey} {
		if strings.Contains(log.String(), hush[8:]) {
			t.Error("the log shows a secret")
		}
	}
}

// S17 and S25, before-calls: once the breaker is open nothing is asked, and
// failedContinue decides at once; a probe nobody waits for closes it.
func TestBreakerOfBeforeCalls(t *testing.T) {
	for _, goesOn := range []bool{true, false} {
		t.Run(fmt.Sprint("failedContinue ", goesOn), func(t *testing.T) {
			var mu sync.Mutex
			now := time.UnixMilli(goldenTime)
			clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
			h := serve(t, raw(""))
			var log logged
			alerts := serve(t, says(""))
			e := newEngine(t, Config{
				URL: h.URL, Alert: AlertHook{URL: alerts.URL}, Callbacks: on(Callback{FailedContinue: goesOn}, "beforeSendSingleMsg"),
			}, Options{Now: clock, Logger: log.logger(slog.LevelInfo)})
			works(t, e, storetest.SQLite(t)(store.Options{}), outbox.Options{})
			ask := func() {
				t.Helper()
				_, err := e.BeforeSend(operation(), text("hi"))
				var refusal *im.Error
				switch {
				case goesOn && err != nil:
					t.Fatalf("refused: %v", err)
				case !goesOn && (!errors.As(err, &refusal) || refusal.Code != 90004):
					t.Fatalf("got %v, want 90004", err)
				case !goesOn && strings.Contains(refusal.Detail, "127.0.0.1"):
					t.Fatalf("the detail shows the address: %s", refusal.Detail)
				}
			}
			for range 10 {
				ask()
			}
			calls := len(h.got())
			for range 50 {
				ask()
			}
			if n := len(h.got()); n != calls {
				t.Errorf("%d calls while the breaker was open", n-calls)
			}
			if n := log.lines("webhook breaker opened"); n != 1 {
				t.Errorf("said %d times that it opened", n)
			}
			eventually(t, "one alert", func() bool { return len(alerts.got()) == 1 })
			if body := string(alerts.got()[0].body); !strings.Contains(body, `"event":"endpoint.down"`) || !strings.Contains(body, "parley webhook resume default") {
				t.Errorf("alert %s", body)
			}

			h.mu.Lock()
			h.answer = says(approval)
			h.mu.Unlock()
			mu.Lock()
			now = now.Add(10 * time.Second)
			mu.Unlock()
			ask() // its copy is the probe
			eventually(t, "the breaker closes", func() bool { return !e.plan.Load().endpoints[DefaultEndpoint].breaker.view().open })
			if _, err := e.BeforeSend(operation(), text("hi")); err != nil {
				t.Errorf("after it is back: %v", err)
			}
			if n := log.lines("webhook breaker closed"); n != 1 {
				t.Errorf("said %d times that it is back", n)
			}
			eventually(t, "one more alert", func() bool { return len(alerts.got()) == 2 })
		})
	}
}

// S31: a handler that answers garbage for one callback: that one is set aside
// with one alert, which has its last answer; others at the same place go on.
func TestGarbageSetsOneCallbackAside(t *testing.T) {
	h := serve(t, nil)
	h.answer = func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "BeforeAddFriend") {
			_, _ = io.WriteString(w, "<html>oops</html>")
			return
		}
		_, _ = io.WriteString(w, approval)
	}
	alerts := serve(t, says(""))
	e := newEngine(t, Config{URL: h.URL, Alert: AlertHook{URL: alerts.URL, Secrets: []string{secretOne}}, Callbacks: on(Callback{FailedContinue: true}, "beforeSendSingleMsg", "beforeAddFriend")}, Options{})
	works(t, e, storetest.SQLite(t)(store.Options{}), outbox.Options{})
	for range 30 {
		if err := e.Ask(operation(), &im.MayRequestFriend{FromID: "a", ToID: "b"}); err != nil {
			t.Fatal(err)
		}
		if _, err := e.BeforeSend(operation(), text("hi")); err != nil {
			t.Fatal(err)
		}
	}
	friend, send := 0, 0
	for _, c := range h.got() {
		if strings.Contains(c.path, "BeforeAddFriend") {
			friend++
		} else {
			send++
		}
	}
	if friend != 10 || send != 30 {
		t.Errorf("%d calls of the callback that fails and %d of the other, want 10 and 30", friend, send)
	}
	eventually(t, "one alert", func() bool { return len(alerts.got()) > 0 })
	a := alerts.got()[0]
	for _, want := range []string{`"callback":"beforeAddFriend"`, "oops", "parley webhook resume default beforeAddFriend"} {
		if !strings.Contains(string(a.body), want) {
			t.Errorf("alert %s lacks %s", a.body, want)
		}
	}
	key, _ := signature.Parse(secretOne)
	if err := signature.Verify(a.header, a.body, time.Now(), key); err != nil {
		t.Errorf("alert: %v", err)
	}
	states, err := e.States(t.Context())
	if err != nil || len(states) != 1 || states[0].State != StateOK || len(states[0].Callbacks) != 1 || states[0].Callbacks[0].Callback != "beforeAddFriend" {
		t.Errorf("states %+v, %v", states, err)
	}
	// Repaired and resumed by hand; by itself it would take a probe.
	h.mu.Lock()
	h.answer = says(approval)
	h.mu.Unlock()
	if err := e.Resume(t.Context(), DefaultEndpoint, "beforeAddFriend"); err != nil {
		t.Fatal(err)
	}
	before := len(h.got())
	if err := e.Ask(operation(), &im.MayRequestFriend{FromID: "a", ToID: "b"}); err != nil || len(h.got()) != before+1 {
		t.Errorf("after resume: %v, %d calls", err, len(h.got())-before)
	}
}

// A handler that does not know one command gets no more of its events than it
// takes to see that; they are kept, and come when it learns it. Others of the same
// conversation go on. 410 is for good, until somebody resumes it.
func TestOneCallbackIsNotWanted(t *testing.T) {
	for _, c := range []struct {
		status int
		calls  int
	}{{http.StatusNotFound, 10}, {http.StatusGone, 1}} {
		t.Run(fmt.Sprint(c.status), func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, open storetest.Open) {
				h := serve(t, nil)
				refusing := func(w http.ResponseWriter, r *http.Request) {
					if strings.Contains(r.URL.Path, "AfterMsgSaveDB") {
						w.WriteHeader(c.status)
					}
				}
				h.answer = refusing
				e := newEngine(t, Config{URL: h.URL, Concurrency: 1, Callbacks: on(Callback{}, "afterSendSingleMsg", "afterMsgSaveDB")}, Options{})
				s := open(store.Options{Recorder: e})
				works(t, e, s, outbox.Options{Retry: outbox.Retry{Initial: time.Millisecond, Max: time.Millisecond}})
				count := func(part string) (n int) {
					for _, got := range h.got() {
						if strings.Contains(got.path, part) {
							n++
						}
					}
					return n
				}
				const events = 40
				tell(t, s, conversations("si_", events)...)
				eventually(t, "the other callback's events arrive", func() bool { return count("AfterSendSingleMsg") == events })
				eventually(t, "nothing waits", func() bool { return backlog(t, s, DefaultEndpoint).Events == 0 })
				if n := count("AfterMsgSaveDB"); n != c.calls {
					t.Errorf("%d calls of the callback nobody wants, want %d", n, c.calls)
				}
				h.mu.Lock()
				h.answer = says("")
				h.mu.Unlock()
				if err := e.Resume(t.Context(), DefaultEndpoint, "afterMsgSaveDB"); err != nil {
					t.Fatal(err)
				}
				var given int64
				if err := s.Read(t.Context(), func(tx *store.Tx) error {
					dead, err := tx.DeadEvents(store.DeadFilter{Limit: 1000})
					for _, d := range dead {
						if !d.Parked {
							given++
						}
					}
					return err
				}); err != nil {
					t.Fatal(err)
				}
				want := events - int(given) + c.calls // every attempt that failed came on top
				eventually(t, "what was set aside arrives", func() bool { return count("AfterMsgSaveDB") == want })
			})
		})
	}
}

// S27: another URL and an endpoint that goes and comes back: nothing is lost,
// pauses and breakers of what stays are kept, and a wrong configuration changes
// nothing.
func TestReload(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		first, second, audit := serve(t, says("")), serve(t, says("")), serve(t, says(""))
		config := func(url string, withAudit bool) Config {
			cfg := Config{URL: url, Callbacks: on(Callback{}, "afterSendSingleMsg")}
			if withAudit {
				cfg.Endpoints = []Endpoint{{Name: "audit", URL: audit.URL, Events: []string{"afterSend*"}}}
			}
			return cfg
		}
		e := newEngine(t, config(first.URL, true), Options{})
		s := open(store.Options{Recorder: e})
		works(t, e, s, outbox.Options{})
		tell(t, s, "si_1")
		eventually(t, "both are told", func() bool { return len(first.got()) == 1 && len(audit.got()) == 1 })

		if err := e.Pause(t.Context(), "audit", "", "maintenance"); err != nil {
			t.Fatal(err)
		}
		tell(t, s, "si_2", "si_3")
		eventually(t, "the other goes on", func() bool { return len(first.got()) == 3 })
		if err := e.Reload(config("ftp://nowhere", true)); err == nil {
			t.Error("a wrong url was taken")
		}
		if err := e.Reload(config(second.URL, true)); err != nil {
			t.Fatal(err)
		}
		tell(t, s, "si_4")
		eventually(t, "the new url is used", func() bool { return len(second.got()) == 1 })
		if len(audit.got()) != 1 || len(first.got()) != 3 {
			t.Errorf("the pause or the old url is not what it was: %d, %d", len(audit.got()), len(first.got()))
		}

		if err := e.Reload(config(second.URL, false)); err != nil {
			t.Fatal(err)
		}
		states, err := e.States(t.Context())
		if err != nil || len(states) != 2 || states[1].Name != "audit" || states[1].Kind != "removed" || states[1].Events != 3 {
			t.Fatalf("after it was removed: %+v, %v", states, err)
		}
		if err := e.Reload(config(second.URL, true)); err != nil {
			t.Fatal(err)
		}
		if _, paused := e.plan.Load().endpoints["audit"].pausedFor(""); !paused {
			t.Error("the pause is forgotten")
		}
		if err := e.Resume(t.Context(), "audit", ""); err != nil {
			t.Fatal(err)
		}
		eventually(t, "what waited arrives", func() bool { return len(audit.got()) == 4 })
		eventually(t, "and is recorded", func() bool { bytes, _ := s.WaitingBytes("audit"); return bytes == 0 })

		if _, err := e.Drop(t.Context(), "audit"); err == nil {
			t.Error("the events of an endpoint in use were dropped")
		}
		if err := e.Pause(t.Context(), "audit", "", ""); err != nil {
			t.Fatal(err)
		}
		tell(t, s, "si_5", "si_6")
		if err := e.Reload(config(second.URL, false)); err != nil {
			t.Fatal(err)
		}
		if n, err := e.Drop(t.Context(), "audit"); n != 2 || err != nil {
			t.Errorf("dropped %d, %v", n, err)
		}
		if bytes, _ := s.WaitingBytes("audit"); bytes != 0 {
			t.Errorf("%d bytes are still counted", bytes)
		}
	})
}

// A pause outlives the process.
func TestPauseOutlivesARestart(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		h := serve(t, says(""))
		cfg := Config{URL: h.URL, Callbacks: on(Callback{}, "afterSendSingleMsg", "beforeSendSingleMsg")}
		e := newEngine(t, cfg, Options{})
		s := open(store.Options{Recorder: e})
		stop := works(t, e, s, outbox.Options{})
		if err := e.Pause(t.Context(), DefaultEndpoint, "", "update of the handler"); err != nil {
			t.Fatal(err)
		}
		if err := e.Pause(t.Context(), "nowhere", "", ""); !errors.Is(err, ErrNoEndpoint) {
			t.Errorf("pausing what is not there: %v", err)
		}
		if err := e.Pause(t.Context(), DefaultEndpoint, "nothing", ""); err == nil {
			t.Error("paused a callback that does not exist")
		}
		stop()
		again := newEngine(t, cfg, Options{})
		stop = works(t, again, s, outbox.Options{})
		defer stop()
		tell(t, s, "si_1")
		states, err := again.States(t.Context())
		if err != nil || states[0].State != StatePaused || states[0].Reason != "update of the handler" {
			t.Errorf("states %+v, %v", states, err)
		}
		if _, err := again.BeforeSend(operation(), text("hi")); err == nil || !strings.Contains(err.Error(), "paused") {
			t.Errorf("a before-call meanwhile: %v", err)
		}
		if n := len(h.got()); n != 0 {
			t.Errorf("%d calls while paused", n)
		}
	})
}

// A shadow gets what the handler is asked, and its answers only into the log.
func TestShadow(t *testing.T) {
	h := serve(t, says(approval))
	shadow := serve(t, nil)
	shadow.answer = func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, []string{approval, `{"actionCode":0,"nextCode":1,"errCode":5001}`, "garbage"}[(len(shadow.got())-1)%3])
	}
	e := newEngine(t, Config{
		URL: h.URL, Callbacks: on(Callback{}, "beforeSendSingleMsg"),
		Endpoints: []Endpoint{{Name: "next", URL: shadow.URL, Shadow: true, Concurrency: 1, Events: []string{"before*"}}},
	}, Options{})
	s := storetest.SQLite(t)(store.Options{})
	works(t, e, s, outbox.Options{})
	for range 3 {
		if _, err := e.BeforeSend(operation(), text("hi")); err != nil {
			t.Fatal(err)
		}
	}
	var outcomes []string
	eventually(t, "three rows", func() bool {
		outcomes = nil
		if err := s.Read(t.Context(), func(tx *store.Tx) error {
			rows, err := tx.Deliveries(store.DeliveryFilter{Endpoint: "next"})
			for _, r := range rows {
				outcomes = append(outcomes, r.Outcome)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return len(outcomes) == 3
	})
	slices.Sort(outcomes)
	if !slices.Equal(outcomes, []string{outcomeAgrees, outcomeDiffers, outcomeNoWord}) {
		t.Errorf("outcomes %v", outcomes)
	}
	for i, c := range shadow.got() {
		if c.path != "/callbackBeforeSendSingleMsgCommand" || string(c.body) != string(h.got()[i].body) {
			t.Errorf("copy %d: %s %s", i, c.path, c.body)
		}
	}
}

// A shadow that hangs delays nobody: what finds no room in its queue is left out
// and counted.
func TestShadowThatHangsDelaysNobody(t *testing.T) {
	release := make(chan struct{})
	h, shadow := serve(t, says(approval)), serve(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	e := newEngine(t, Config{
		URL: h.URL, Callbacks: on(Callback{}, "beforeSendSingleMsg"),
		Endpoints: []Endpoint{{Name: "next", URL: shadow.URL, Shadow: true, Concurrency: 1, Events: []string{"beforeSendSingleMsg"}}},
	}, Options{})
	const calls = shadowsWaiting + 50
	for range calls {
		if _, err := e.BeforeSend(operation(), text("hi")); err != nil {
			t.Fatal(err)
		}
	}
	if n := e.tally("next", "beforeSendSingleMsg", "shadow_left_out"); n < 40 || n > 50 {
		t.Errorf("%d copies left out of %d, with %d waiting", n, calls, shadowsWaiting)
	}
	if n := len(shadow.got()); n > 1 {
		t.Errorf("%d copies under way, want one at a time", n)
	}
	e.stop()
}

// A scheduled check finds a handler that is down before traffic does.
func TestScheduledVerification(t *testing.T) {
	for _, callback := range []string{"", "beforeSendSingleMsg"} {
		t.Run("calls "+callback, func(t *testing.T) {
			clock := &jumping{now: time.UnixMilli(goldenTime)}
			h := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
			var log logged
			e := newEngine(t, Config{
				URL: h.URL, Secrets: []string{secretOne}, Breaker: Breaker{Failures: 3}, Verify: Verify{Every: time.Minute, Callback: callback}, Callbacks: on(Callback{}, "beforeSendSingleMsg"),
			}, Options{Clock: clock, Logger: log.logger(slog.LevelInfo)})
			if callback == "" {
				h.Close() // nothing listens
			}
			works(t, e, storetest.SQLite(t)(store.Options{}), outbox.Options{})
			eventually(t, "it is noticed", func() bool { return log.lines("breaker opened") == 1 })
			for i, c := range h.got() {
				if i == 0 && (c.path != "/callbackBeforeSendSingleMsgCommand" || !strings.Contains(string(c.body), `"verification":true`) || c.header.Get("Webhook-Signature") == "") {
					t.Errorf("test call %s %s", c.path, c.body)
				}
			}
		})
	}
}

// Recovering a range of time leaves out what its endpoint got meanwhile.
func TestRecoverSkipsWhatSucceededLater(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		h := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) })
		e := newEngine(t, Config{URL: h.URL, Breaker: Breaker{Failures: 1000, Rate: -1}, Callbacks: on(Callback{}, "afterSendSingleMsg")}, Options{})
		s := open(store.Options{Recorder: e})
		works(t, e, s, outbox.Options{Retry: outbox.Retry{Initial: time.Millisecond, Max: time.Millisecond}})
		dead := func() (list []store.DeadEvent) {
			if err := s.Read(t.Context(), func(tx *store.Tx) (err error) {
				list, err = tx.DeadEvents(store.DeadFilter{})
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return list
		}
		tell(t, s, conversations("si_", 5)...)
		eventually(t, "they are given up", func() bool { return len(dead()) == 5 })
		h.mu.Lock()
		h.answer = says("")
		h.mu.Unlock()
		seen := dead()[0]
		// As if it had been delivered some other way.
		if err := s.Write(t.Context(), func(tx *store.Tx) error {
			return tx.InsertDeliveries([]store.Delivery{
				{EventID: seen.EventID, Endpoint: DefaultEndpoint, Outcome: store.OutcomeDelivered},
				{EventID: dead()[1].EventID, Endpoint: "another", Outcome: store.OutcomeDelivered},
			})
		}); err != nil {
			t.Fatal(err)
		}
		if n, err := s.ReplayDead(t.Context(), store.DeadFilter{From: seen.DiedAt + 3_600_000, Unseen: true}); n != 0 || err != nil {
			t.Errorf("later than all of them: %d, %v", n, err)
		}
		if n, err := s.ReplayDead(t.Context(), store.DeadFilter{From: seen.DiedAt - 3_600_000, Endpoint: DefaultEndpoint, Unseen: true}); n != 4 || err != nil {
			t.Errorf("recovered %d, %v; want 4", n, err)
		}
		eventually(t, "they arrive", func() bool { return len(h.got()) == 5*fewTries+4 })
		if left := dead(); len(left) != 1 || left[0].EventID != seen.EventID {
			t.Errorf("left %+v", left)
		}
	})
}
