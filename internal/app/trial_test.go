package app

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/trial"
	"github.com/parley-im/parley/internal/webhook/registry"
)

// business is a configured handler that approves everything and remembers it.
type business struct {
	mu    sync.Mutex
	calls []string // command and body
}

func (b *business) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // what was read is enough for a test
	b.mu.Lock()
	b.calls = append(b.calls, r.URL.Path+" "+string(body))
	b.mu.Unlock()
	_, _ = io.WriteString(w, `{"actionCode":0,"nextCode":0}`)
}

func (b *business) about(part string) (out []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.calls {
		if strings.Contains(c, part) {
			out = append(out, c)
		}
	}
	return out
}

// trying is a node whose every callback goes to a business server.
type trying struct {
	*node
	*business
	seen int // notes
}

func startTrying(t *testing.T) *trying {
	t.Helper()
	b := &business{}
	handler := httptest.NewServer(b)
	t.Cleanup(handler.Close)
	n := startNodeWith(t, func(c *config.Config) {
		c.Webhooks.URL = handler.URL
		c.Message.FriendVerify = true
		c.Webhooks.Callbacks = map[string]config.Callback{}
		for _, cb := range registry.All() {
			c.Webhooks.Callbacks[cb.Key] = config.Callback{Enable: true, Timeout: patience}
		}
	})
	n.server.wsAddress = n.socket
	ctx, cancel := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	parts.Go(func() { _ = n.server.outbox.Run(ctx) })
	parts.Go(func() { _ = n.server.presence.Run(ctx) })
	parts.Go(func() { _ = n.server.runListens(ctx) })
	parts.Go(func() { _ = n.server.hooks.Run(ctx, n.server.store) })
	t.Cleanup(func() {
		n.server.trial.Shutdown(context.WithoutCancel(t.Context()))
		cancel()
		parts.Wait()
	})
	return &trying{node: n, business: b}
}

func (n *trying) begin(set trial.Settings) {
	n.t.Helper()
	if err := n.server.trial.Begin(n.t.Context(), "imAdmin", set); err != nil {
		n.t.Fatal(err)
	}
}

func (n *trying) set(set trial.Settings) {
	n.t.Helper()
	if err := n.server.trial.Set(n.t.Context(), set); err != nil {
		n.t.Fatal(err)
	}
}

// until returns the notes since the last call, up to and with one of each kind
// that belongs to the message with the text.
func (n *trying) until(kinds ...trial.Kind) (got []trial.Note) {
	n.t.Helper()
	limit := time.After(patience)
	for {
		notes, moved := n.server.trial.Since(n.seen)
		missing := slices.Clone(kinds)
		for _, note := range notes {
			if i := slices.Index(missing, note.Kind); i >= 0 {
				missing = slices.Delete(missing, i, i+1)
			}
		}
		if len(missing) == 0 {
			n.seen = notes[len(notes)-1].N
			return notes
		}
		select {
		case <-moved:
		case <-limit:
			n.t.Fatalf("waited for %v, there is %+v", missing, notes)
		}
	}
}

func find(t *testing.T, notes []trial.Note, kind trial.Kind) trial.Note {
	t.Helper()
	i := slices.IndexFunc(notes, func(n trial.Note) bool { return n.Kind == kind })
	if i < 0 {
		t.Fatalf("no %s among %+v", kind, notes)
	}
	return notes[i]
}

// kindsOf leaves out what happens beside a message in an order of its own.
func kindsOf(notes []trial.Note) (kinds []trial.Kind) {
	for _, n := range notes {
		if n.Kind != trial.Told {
			kinds = append(kinds, n.Kind)
		}
	}
	return kinds
}

// Every mode of the sample handler has its outcome, and the business server hears
// of none of it.
func TestTrialModes(t *testing.T) {
	n := startTrying(t)
	n.begin(trial.Settings{Handler: trial.Sample, Mode: trial.Approve})
	for _, online := range n.until(trial.Told, trial.Told) {
		if online.Callback != "afterUserOnline" || online.Outcome != "delivered" {
			t.Errorf("before anything was sent: %+v", online)
		}
	}
	send := func(from int, text string) {
		t.Helper()
		if err := n.server.trial.Send(from, text); err != nil {
			t.Fatal(err)
		}
	}
	goesOut := []trial.Kind{trial.Sent, trial.Asked, trial.Judged, trial.Stored, trial.Received}
	refused := []trial.Kind{trial.Sent, trial.Asked, trial.Judged, trial.Refused}
	for _, c := range []struct {
		name    string
		set     trial.Settings
		text    string
		kinds   []trial.Kind
		outcome string
		code    int
	}{
		{"approve", trial.Settings{Mode: trial.Approve}, "hello", goesOut, "approve", 0},
		{"refuse", trial.Settings{Mode: trial.Refuse, Word: "Spam"}, "buy sPam now", refused, "reject", 5001},
		{"refuse something else", trial.Settings{Mode: trial.Refuse, Word: "spam"}, "buy ham now", goesOut, "approve", 0},
		{"slow", trial.Settings{Mode: trial.Slow}, "wait", goesOut, "approve", 0},
		{"late", trial.Settings{Mode: trial.Late}, "wait longer", refused, "failed_refuse", 90004},
		{"late, failedContinue", trial.Settings{Mode: trial.Late, FailedContinue: true}, "go on", goesOut, "failed_continue", 0},
		{"garbage", trial.Settings{Mode: trial.Garbage}, "what?", refused, "failed_refuse", 90007},
		{"garbage, failedContinue", trial.Settings{Mode: trial.Garbage, FailedContinue: true}, "never mind", goesOut, "failed_continue", 0},
		{"down", trial.Settings{Mode: trial.Down}, "anybody?", refused, "failed_refuse", 90004},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := &trying{node: n.in(t), business: n.business, seen: n.seen}
			c.set.Handler = trial.Sample
			n.set(c.set)
			send(0, c.text)
			wait := c.kinds
			if c.code == 0 {
				wait = append(slices.Clone(wait), trial.Told)
			}
			notes := n.until(wait...)
			got := kindsOf(notes)
			if len(got) > 3 { // answers go to one phone and messages to the other, in no order
				slices.Sort(got[3:])
				slices.Sort(c.kinds[3:])
			}
			if !slices.Equal(got, c.kinds) {
				t.Errorf("noted %v, want %v", got, c.kinds)
			}
			sent, judged := find(t, notes, trial.Sent), find(t, notes, trial.Judged)
			var body struct{ SendID, RecvID, Content string }
			if err := json.Unmarshal([]byte(find(t, notes, trial.Asked).Body), &body); err != nil || body.Content != `{"content":"`+c.text+`"}` || body.SendID != trial.Users[0].UserID {
				t.Errorf("asked with %+v, %v", body, err)
			}
			if judged.Outcome != c.outcome || judged.ID != sent.ID || judged.Code != c.code {
				t.Errorf("judged %+v, want %s", judged, c.outcome)
			}
			if c.code != 0 {
				if r := find(t, notes, trial.Refused); r.Code != c.code || r.ID != sent.ID || r.Text == "" {
					t.Errorf("refused with %+v", r)
				}
				return
			}
			r, told := find(t, notes, trial.Received), find(t, notes, trial.Told)
			if r.Text != c.text || r.Phone != 1 || r.Seq == 0 || find(t, notes, trial.Stored).ServerMsgID != r.ServerMsgID {
				t.Errorf("received %+v", r)
			}
			if told.Callback != "afterSendSingleMsg" || told.Outcome != "delivered" || !strings.Contains(told.Body, c.text) {
				t.Errorf("told %+v", told)
			}
		})
		notes, _ := n.server.trial.Since(0)
		n.seen = notes[len(notes)-1].N
	}

	// A handler that is down loses nothing.
	n.set(trial.Settings{Handler: trial.Sample, Mode: trial.Down, FailedContinue: true})
	send(1, "kept")
	if first := find(t, n.until(trial.Received, trial.Told), trial.Told); first.Outcome != "retry" || first.Status != 503 {
		t.Errorf("told a handler that is down: %+v", first)
	}
	n.set(trial.Settings{Handler: trial.Sample, Mode: trial.Approve, FailedContinue: true})
	for {
		if again := find(t, n.until(trial.Told), trial.Told); again.Outcome == "delivered" {
			if again.Attempt < 2 || !strings.Contains(again.Body, "kept") {
				t.Errorf("told again: %+v", again)
			}
			break
		}
	}
	if heard := n.about("try_parley"); len(heard) > 0 {
		t.Errorf("the business server heard of it: %q", heard)
	}
}

// Real users are asked about at the business server while a trial goes on, and
// not at the sample handler. With the configured handler, messages of the phones
// go there too, but not their comings and goings.
func TestTrialIsApart(t *testing.T) {
	n := startTrying(t)
	n.begin(trial.Settings{Handler: trial.Sample, Mode: trial.Refuse, Word: "x"})
	if err := n.server.trial.Begin(t.Context(), "imAdmin", trial.Settings{Handler: trial.Nobody, Mode: trial.Approve}); err == nil {
		t.Error("a second trial began")
	}
	n.register("ann", "bob")
	n.must("/friend/import_friend", `{"ownerUserID":"ann","friendUserIDs":["bob","try_parley_ann"]}`)
	message := func(from, to string) string {
		return `{"sendID":"` + from + `","recvID":"` + to + `","content":{"content":"x marks"},"contentType":101,"sessionType":1}`
	}
	n.must("/msg/send_msg", message("ann", "bob"))
	n.must("/msg/send_msg", message("ann", "try_parley_ann"))
	if got := n.about("callbackBeforeSendSingleMsgCommand"); len(got) != 2 {
		t.Errorf("the business server was asked %q", got)
	}
	notes, _ := n.server.trial.Since(0)
	for _, note := range notes {
		if note.Callback != "afterUserOnline" {
			t.Errorf("the trial heard %+v", note)
		}
	}
	n.set(trial.Settings{Handler: trial.Configured, Mode: trial.Approve})
	if err := n.server.trial.Send(0, "to the real one"); err != nil {
		t.Fatal(err)
	}
	notes = n.until(trial.Received, trial.Told, trial.Told) // sent, and saved
	if judged := find(t, notes, trial.Judged); judged.Outcome != "approve" || find(t, notes, trial.Asked).Body == "" {
		t.Errorf("judged %+v", judged)
	}
	if got := n.about("to the real one"); len(got) < 3 {
		t.Errorf("the business server heard %q", got)
	}
	n.server.services.Kick(t.Context(), trial.Users[1].UserID, im.PlatformAndroid)
	if kicked := find(t, n.until(trial.Failed), trial.Failed); kicked.Phone != 1 || !strings.Contains(kicked.Text, "logged out") {
		t.Errorf("a phone that was kicked: %+v", kicked)
	}
	if err := n.server.trial.End(t.Context(), trial.Ended, "imAdmin"); err != nil {
		t.Fatal(err)
	}
	if n.server.trial.Send(0, "late") == nil || n.server.trial.State().Running {
		t.Error("the trial goes on")
	}
	if got := append(n.about("callbackAfterUserOnlineCommand"), n.about("callbackAfterUserOfflineCommand")...); len(got) > 0 {
		t.Errorf("the business server heard who is there: %q", got)
	}
	for _, u := range trial.Users {
		// Its connection ends when the server reads that it was closed.
		for tick, limit := time.Tick(5*time.Millisecond), time.After(patience); len(n.server.presence.Platforms(u.UserID)) > 0; {
			select {
			case <-tick:
			case <-limit:
				t.Fatalf("%s is still there", u.UserID)
			}
		}
	}
	states, err := n.server.hooks.States(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, st := range states {
		if st.Name == trial.Endpoint && st.Kind != "removed" {
			t.Errorf("its endpoint is still there: %+v", st)
		}
	}
}
