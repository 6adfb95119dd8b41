package test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Commands as they are sent.
const (
	cmdBeforeSingle = "callbackBeforeSendSingleMsgCommand"
	cmdAfterSingle  = "callbackAfterSendSingleMsgCommand"
	cmdBeforeGroup  = "callbackBeforeSendGroupMsgCommand"
	cmdAfterGroup   = "callbackAfterSendGroupMsgCommand"
	cmdModify       = "callbackBeforeMsgModifyCommand"
	cmdSaved        = "callbackAfterMsgSaveDBCommand"
	cmdOnline       = "callbackAfterUserOnlineCommand"
	cmdOffline      = "callbackAfterUserOfflineCommand"
	cmdKicked       = "callbackAfterUserKickOffCommand"
)

const (
	approval      = `{"actionCode":0,"errCode":0,"errMsg":"","errDlt":"","nextCode":0}`
	rejection     = `{"actionCode":0,"errCode":5001,"errMsg":"refused","errDlt":"","nextCode":1}`
	bothRejection = `{"actionCode":1,"errCode":5001,"errMsg":"refused","errDlt":"","nextCode":1}`
)

// callbackEvent is the body of a callback, as far as scenarios look at it.
type callbackEvent struct {
	CallbackCommand string
	OperationID     string
	SendID          string
	RecvID          string
	GroupID         string
	ClientMsgID     string
	ServerMsgID     string
	ContentType     int
	Content         string
	Seq             int64
	UserID          string
	PlatformID      int
	Platform        string
	ConnID          string
}

// callback is one request that the business server got.
type callback struct {
	Command string // last segment of the path
	Path    string
	Query   string
	Header  http.Header
	Raw     []byte
	Event   callbackEvent
	At      time.Time
}

// ID is the identity of the delivery, the same in every repetition.
func (c callback) ID() string { return c.Header.Get("webhook-id") }

// answerer writes the answer to a callback.
type answerer func(w http.ResponseWriter, r *http.Request, c callback)

// business is a business server: it remembers what it is asked and told, and
// answers as it is programmed; what it is not programmed for it approves.
type business struct {
	*httptest.Server
	t *testing.T

	mu      sync.Mutex
	calls   []callback
	answers map[string]answerer
	changed chan struct{} // closed by the next call
}

// startBusiness starts a business server. Start it before the node that calls
// it, so that it ends later.
func startBusiness(t *testing.T) *business {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return startBusinessOn(t, l)
}

func startBusinessOn(t *testing.T, l net.Listener) *business {
	t.Helper()
	b := &business{t: t, answers: make(map[string]answerer), changed: make(chan struct{})}
	b.Server = &httptest.Server{Listener: l, Config: &http.Server{Handler: b, ReadHeaderTimeout: patience}}
	b.Start()
	t.Cleanup(b.Close)
	return b
}

// ServeHTTP implements http.Handler.
func (b *business) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return // the server went away
	}
	c := callback{
		Command: path.Base(r.URL.Path), Path: r.URL.Path, Query: r.URL.RawQuery, Header: r.Header, Raw: raw, At: time.Now(),
	}
	if err := json.Unmarshal(raw, &c.Event); err != nil {
		b.t.Errorf("%s: the body %q: %v", r.URL.Path, raw, err)
	}
	if err := checkBody(c.Event.CallbackCommand, raw); err != nil {
		b.t.Errorf("%s: %v in %s", r.URL.Path, err, raw)
	}
	if r.Method != http.MethodPost {
		b.t.Errorf("%s %s", r.Method, r.URL.Path)
	}
	b.mu.Lock()
	b.calls = append(b.calls, c)
	close(b.changed)
	b.changed = make(chan struct{})
	answer := b.answers[c.Command]
	b.mu.Unlock()
	if answer == nil {
		answer = says(approval)
	}
	answer(w, r, c)
}

// on programs the answer to a command.
func (b *business) on(command string, answer answerer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answers[command] = answer
}

// got is every call with one of the commands, all if none is named, in the
// order of arrival.
func (b *business) got(commands ...string) []callback {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(commands) == 0 {
		return slices.Clone(b.calls)
	}
	var out []callback
	for _, c := range b.calls {
		if slices.Contains(commands, c.Command) {
			out = append(out, c)
		}
	}
	return out
}

// await waits until the calls so far meet a condition.
func (b *business) await(t *testing.T, what string, met func(all []callback) bool) []callback {
	t.Helper()
	deadline := time.After(patience)
	for {
		b.mu.Lock()
		all, changed := slices.Clip(b.calls), b.changed
		b.mu.Unlock()
		if met(all) {
			return all
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("waited for %s; %d callbacks came:\n%s", what, len(all), describe(all))
		}
	}
}

// awaitCount waits for a number of calls with the commands and returns these.
func (b *business) awaitCount(t *testing.T, count int, commands ...string) []callback {
	t.Helper()
	b.await(t, fmt.Sprint(count, " × ", commands), func([]callback) bool { return len(b.got(commands...)) >= count })
	return b.got(commands...)
}

// events are the after-events with one of the commands in the order in which
// they came first. Each may come again, with the same id and body: a server that
// dies between delivering and recording it does not know.
func (b *business) events(commands ...string) []callback {
	var out []callback
	bodies := map[string]string{}
	for _, c := range b.got(commands...) {
		body, again := bodies[c.ID()]
		if !again {
			bodies[c.ID()] = string(c.Raw)
			out = append(out, c)
		} else if body != string(c.Raw) {
			b.t.Errorf("%s came with two bodies: %s and %s", c.ID(), body, c.Raw)
		}
	}
	return out
}

// awaitEvents waits for a number of different events and returns all.
func (b *business) awaitEvents(t *testing.T, count int, commands ...string) []callback {
	t.Helper()
	b.await(t, fmt.Sprint(count, " × ", commands), func([]callback) bool { return len(b.events(commands...)) >= count })
	return b.events(commands...)
}

// describe is the last of the calls, for messages.
func describe(all []callback) string {
	var text strings.Builder
	for _, c := range all[max(0, len(all)-20):] {
		fmt.Fprintf(&text, "%s %s\n", c.Path, c.Raw)
	}
	return text.String()
}

func commandsOf(all []callback) []string {
	out := make([]string, len(all))
	for i, c := range all {
		out[i] = c.Command
	}
	return out
}

// says answers 200 with a body.
func says(body string) answerer { return saysStatus(http.StatusOK, body) }

func saysStatus(status int, body string) answerer {
	return func(w http.ResponseWriter, _ *http.Request, _ callback) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// oneAfterAnother gives each call the next answer, and the last one to all after it.
func oneAfterAnother(answers ...answerer) answerer {
	var mu sync.Mutex
	return func(w http.ResponseWriter, r *http.Request, c callback) {
		mu.Lock()
		next := answers[0]
		if len(answers) > 1 {
			answers = answers[1:]
		}
		mu.Unlock()
		next(w, r, c)
	}
}

// hangs answers nothing until the server gives up.
func hangs(_ http.ResponseWriter, r *http.Request, _ callback) { <-r.Context().Done() }

// hangsUntil answers with a body once released.
func hangsUntil(released <-chan struct{}, body string) answerer {
	return func(w http.ResponseWriter, r *http.Request, c callback) {
		select {
		case <-released:
			says(body)(w, r, c)
		case <-r.Context().Done():
		}
	}
}

// dropsConnection closes without an answer.
func dropsConnection(http.ResponseWriter, *http.Request, callback) { panic(http.ErrAbortHandler) }

// breaksOff begins a chunked answer and closes in the middle of it.
func breaksOff(begin string) answerer {
	return func(w http.ResponseWriter, _ *http.Request, _ callback) {
		_, _ = io.WriteString(w, begin)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// neverEnds writes until the server hangs up.
func neverEnds(w http.ResponseWriter, _ *http.Request, _ callback) {
	_, _ = io.WriteString(w, `{"actionCode":0,"nextCode":0,"errMsg":"`)
	chunk := []byte(strings.Repeat("a", 64<<10))
	for {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

// stalls begins an answer and never goes on.
func stalls(begin string) answerer {
	return func(w http.ResponseWriter, r *http.Request, _ callback) {
		_, _ = io.WriteString(w, begin)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
}

func saysCompressed(body string) answerer {
	return func(w http.ResponseWriter, _ *http.Request, _ callback) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, body)
		_ = z.Close()
	}
}

func redirects(status int, to string) answerer {
	return func(w http.ResponseWriter, r *http.Request, _ callback) { http.Redirect(w, r, to, status) }
}
