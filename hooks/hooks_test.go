package hooks_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-im/parley/hooks"
	"github.com/parley-im/parley/hooks/payload"
	"github.com/parley-im/parley/hooks/signature"
	"github.com/parley-im/parley/internal/conform"
	"github.com/parley-im/parley/internal/webhook/registry"
)

func newHandler(t *testing.T, o hooks.Options) *hooks.Handler {
	t.Helper()
	o.Unsigned = len(o.Secrets) == 0
	h, err := hooks.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// post makes a call with the given webhook-id, "" for none.
func post(t *testing.T, h http.Handler, id string, body any) (int, []byte) {
	t.Helper()
	raw, ok := body.(string)
	if !ok {
		encoded, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		raw = string(encoded)
	}
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/webhook/x", strings.NewReader(raw))
	req.Header.Set("OperationID", "op-1")
	if id != "" {
		req.Header.Set(signature.HeaderID, id)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w.Code, w.Body.Bytes()
}

// Every callback of the registry has a function of its own, which gets what the
// server sends and whose verdict and changes arrive.
func TestEveryCallback(t *testing.T) {
	t.Parallel()
	for _, c := range registry.All() {
		t.Run(c.Key, func(t *testing.T) {
			t.Parallel()
			h := newHandler(t, hooks.Options{})
			register := reflect.ValueOf(h).MethodByName(strings.ToUpper(c.Key[:1]) + c.Key[1:])
			if !register.IsValid() {
				t.Fatal("no function to register")
			}
			typ := register.Type().In(0)
			var got any
			register.Call([]reflect.Value{reflect.MakeFunc(typ, func(in []reflect.Value) []reflect.Value {
				got = in[1].Elem().Interface()
				if call := hooks.CallOf(in[0].Interface().(context.Context)); call.Command != c.Command || call.ID != "evt" || call.OperationID != "op-1" {
					t.Errorf("the call is %+v", call)
				}
				if len(in) == 3 {
					setSome(in[2].Elem())
				}
				none := reflect.Zero(reflect.TypeFor[error]())
				if c.Kind == registry.After {
					return []reflect.Value{none}
				}
				return []reflect.Value{reflect.ValueOf(hooks.Refuse(5001, "no").WithDetail("because")), none}
			})})

			for _, command := range append([]string{c.Command}, c.Aliases...) {
				got = nil
				want := c.Sample(command)
				status, answer := post(t, h, "evt", want)
				if status != http.StatusOK {
					t.Fatalf("answered %d %s", status, answer)
				}
				if c.Kind == registry.After {
					if command == c.Command && !reflect.DeepEqual(got, want) {
						t.Errorf("got %+v, want %+v", got, want)
					}
					continue
				}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("got %+v, want %+v", got, want)
				}
				read := reflect.New(c.Answer)
				if err := json.Unmarshal(answer, read.Interface()); err != nil {
					t.Fatal(err)
				}
				wanted := reflect.New(c.Answer)
				decided := payload.Answer{NextCode: 1, ErrCode: 5001, ErrMsg: "no", ErrDlt: "because"}
				if c.Answer == reflect.TypeFor[payload.Answer]() {
					wanted.Elem().Set(reflect.ValueOf(decided))
				} else {
					setSome(wanted.Elem())
					wanted.Elem().FieldByName("Answer").Set(reflect.ValueOf(decided))
				}
				if !reflect.DeepEqual(read.Interface(), wanted.Interface()) {
					t.Errorf("answered %s", answer)
				}
			}
		})
	}
}

// setSome fills the fields of an answer that are pointers to text.
func setSome(answer reflect.Value) {
	for i := range answer.NumField() {
		if f := answer.Field(i); f.Type() == reflect.TypeFor[*string]() {
			f.Set(reflect.ValueOf(new("changed")))
		}
	}
}

func TestWhatNobodyRegisteredForIsApproved(t *testing.T) {
	t.Parallel()
	h := newHandler(t, hooks.Options{})
	var reported []string
	h.EveryAfter(func(_ context.Context, c hooks.Call) error {
		reported = append(reported, c.Command)
		return nil
	})
	const approval = `{"actionCode":0,"errCode":0,"errMsg":"","errDlt":"","nextCode":0}` + "\n"
	for i, command := range []string{
		"callbackBeforeSendSingleMsgCommand", "callbackBeforeSomethingNewCommand", "callbackAfterSomethingNewCommand", "callbackBeforeAfterMsgCommand",
	} {
		status, answer := post(t, h, fmt.Sprint(i), map[string]string{"callbackCommand": command})
		if status != http.StatusOK || string(answer) != approval {
			t.Errorf("%s: %d %s", command, status, answer)
		}
	}
	if got := strings.Join(reported, " "); got != "callbackAfterSomethingNewCommand callbackBeforeAfterMsgCommand" {
		t.Errorf("reported: %s", got)
	}
}

func TestRename(t *testing.T) {
	t.Parallel()
	h := newHandler(t, hooks.Options{})
	h.Rename("moderate", "callbackBeforeSendSingleMsgCommand")
	h.BeforeSendSingleMsg(func(context.Context, *payload.SingleMessage) (hooks.Verdict, error) {
		return hooks.Refuse(5001, "no"), nil
	})
	if _, answer := post(t, h, "", map[string]string{"callbackCommand": "moderate"}); !bytes.Contains(answer, []byte(`"nextCode":1`)) {
		t.Errorf("answered %s", answer)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := newHandler(t, hooks.Options{Logger: slog.New(slog.NewTextHandler(&log, nil)), MaxBody: 1000})
	h.BeforeSendSingleMsg(func(context.Context, *payload.SingleMessage) (hooks.Verdict, error) {
		return hooks.Refuse(5001, "no"), errors.New("database is gone")
	})
	h.BeforeMsgModify(func(_ context.Context, _ *payload.AddressedMessage, change *payload.MessageAnswer) (hooks.Verdict, error) {
		*change.Content += "!" // nil
		return hooks.Allow(), nil
	})
	for name, c := range map[string]struct {
		body   string
		status int
	}{
		"an error":       {`{"callbackCommand":"callbackBeforeSendSingleMsgCommand"}`, 500},
		"a panic":        {`{"callbackCommand":"callbackBeforeMsgModifyCommand"}`, 500},
		"a wrong type":   {`{"callbackCommand":"callbackBeforeSendSingleMsgCommand","sendID":7}`, 500},
		"no JSON":        {`{`, 400},
		"no command":     {`{}`, 400},
		"a list":         {`[]`, 400},
		"too large":      {`{"callbackCommand":"` + strings.Repeat("x", 1000) + `"}`, 413},
		"nothing at all": {``, 400},
	} {
		if status, answer := post(t, h, "", c.body); status != c.status || bytes.Contains(answer, []byte("nextCode")) || bytes.Contains(answer, []byte("database")) {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
	for _, want := range []string{"database is gone", "nil pointer", "cannot unmarshal number"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not tell of %q", want)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", w.Code)
	}
}

func TestNewWantsASecretOrUnsigned(t *testing.T) {
	t.Parallel()
	if _, err := hooks.New(hooks.Options{}); err == nil {
		t.Error("a handler that anybody can speak to was made by omission")
	}
	if _, err := hooks.New(hooks.Options{Secrets: []string{"topsecret"}}); err == nil || strings.Contains(err.Error(), "topsecret") {
		t.Errorf("a wrong secret: %v", err)
	}
}

func TestSignaturesWithAClock(t *testing.T) {
	t.Parallel()
	former, current := signature.New(), signature.New()
	now := time.Unix(1_800_000_000, 0)
	h := newHandler(t, hooks.Options{Secrets: []string{current, former}, Now: func() time.Time { return now }})
	body := []byte(`{"callbackCommand":"callbackBeforeSendSingleMsgCommand"}`)
	call := func(secret string, at time.Time) int {
		key, err := signature.Parse(secret)
		if err != nil {
			t.Fatal(err)
		}
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", bytes.NewReader(body))
		signature.Set(req.Header, "evt", at, body, key)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		return w.Code
	}
	for name, c := range map[string]struct {
		secret string
		at     time.Time
		status int
	}{
		"current key": {current, now, 200}, "former key": {former, now, 200}, "another key": {signature.New(), now, 401},
		"recent": {current, now.Add(-5 * time.Minute), 200}, "old": {current, now.Add(-5*time.Minute - time.Second), 401},
	} {
		if got := call(c.secret, c.at); got != c.status {
			t.Errorf("%s: %d", name, got)
		}
	}
}

func TestReportsRunOnce(t *testing.T) {
	t.Parallel()
	h := newHandler(t, hooks.Options{})
	var order []string
	fails := true
	h.EveryAfter(func(_ context.Context, c hooks.Call) error {
		order = append(order, "every "+c.ID)
		return nil
	})
	h.AfterSendSingleMsg(func(ctx context.Context, _ *payload.SingleMessage) error {
		order = append(order, "one "+hooks.CallOf(ctx).ID)
		if fails {
			return errors.New("try again")
		}
		return nil
	})
	body := map[string]string{"callbackCommand": "callbackAfterSendSingleMsgCommand"}
	for _, c := range []struct {
		id     string
		fails  bool
		status int
	}{{"a", true, 500}, {"a", false, 200}, {"a", false, 200}, {"b", false, 200}, {"", false, 200}, {"", false, 200}} {
		fails = c.fails
		if status, answer := post(t, h, c.id, body); status != c.status {
			t.Errorf("%+v: %d %s", c, status, answer)
		}
	}
	if got, want := strings.Join(order, ", "), "every a, one a, every a, one a, every b, one b, every , one , every , one "; got != want {
		t.Errorf("ran %s, want %s", got, want)
	}
}

func TestRememberIsBounded(t *testing.T) {
	t.Parallel()
	seen := hooks.Remember(2)
	ran := map[string]int{}
	for _, id := range []string{"a", "b", "a", "c", "b", "c", "a"} { // c pushes a out
		if err := seen.Once(t.Context(), id, func(context.Context) error { ran[id]++; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if ran["a"] != 2 || ran["b"] != 1 || ran["c"] != 1 {
		t.Errorf("ran %v", ran)
	}
}

func TestDeliveriesOfOneEventWaitForEachOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		seen := hooks.Remember(10)
		started, finish := make(chan struct{}), make(chan error)
		results := make(chan error, 3)
		go func() {
			results <- seen.Once(t.Context(), "a", func(context.Context) error {
				close(started)
				return <-finish
			})
		}()
		<-started
		ran := 0
		var second sync.WaitGroup
		second.Go(func() {
			results <- seen.Once(t.Context(), "a", func(context.Context) error { ran++; return nil })
		})
		gone, cancel := context.WithCancel(t.Context())
		second.Go(func() {
			results <- seen.Once(gone, "a", func(context.Context) error { ran += 10; return nil })
		})
		synctest.Wait()
		if ran != 0 {
			t.Fatal("ran beside the first")
		}
		cancel()
		if err := <-results; !errors.Is(err, context.Canceled) {
			t.Errorf("who hung up got %v", err)
		}
		failed := errors.New("failed")
		finish <- failed
		if err := <-results; !errors.Is(err, failed) && err != nil {
			t.Error(err)
		}
		second.Wait()
		if ran != 1 {
			t.Errorf("after the first failed, the second ran %d times", ran)
		}
	})
}

// TestConform plays the whole suite at a handler made with the package.
func TestConform(t *testing.T) {
	t.Parallel()
	secret := signature.New()
	h := newHandler(t, hooks.Options{Secrets: []string{secret}})
	filter := func(content string) (hooks.Verdict, error) {
		if strings.Contains(content, "casino") {
			return hooks.Refuse(5001, "refused"), nil
		}
		return hooks.Allow(), nil
	}
	h.BeforeSendSingleMsg(func(ctx context.Context, m *payload.SingleMessage) (hooks.Verdict, error) {
		if api := hooks.CallOf(ctx).Header.Get("Conform-Api"); api != "" {
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, api, nil)
			if err != nil {
				return hooks.Allow(), err
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				return hooks.Allow(), err
			}
			_ = resp.Body.Close()
		}
		return filter(m.Content)
	})
	var mu sync.Mutex
	stored := map[string]int{}
	h.EveryAfter(func(_ context.Context, c hooks.Call) error {
		mu.Lock()
		defer mu.Unlock()
		stored[c.ID]++
		return nil
	})
	mux := http.NewServeMux()
	mux.Handle("/webhook/", h)
	mux.HandleFunc("GET /webhook/conform", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		_, _ = io.WriteString(w, fmt.Sprintf(`{"count":%d}`, stored[r.URL.Query().Get("id")]))
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	report, err := conform.Run(t.Context(), conform.Options{URL: s.URL + "/webhook", Secret: secret, Forbidden: "casino", Timeout: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if report.Passed != len(report.Results) {
		var b strings.Builder
		_, _ = report.WriteTo(&b)
		t.Errorf("%s", &b)
	}
}
