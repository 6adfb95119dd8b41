package listen

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-im/parley/internal/webhook"
)

func open(t *testing.T, h *Hub, events ...string) string {
	t.Helper()
	id, err := h.Open(t.Context(), events, false)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func newHub(t *testing.T) (*Hub, *[]string) {
	t.Helper()
	var gone []string
	return New(Options{
		Changed: func(context.Context) error { return nil },
		Gone: func(_ context.Context, endpoint string) bool {
			gone = append(gone, endpoint)
			return len(gone) < 3
		},
	}), &gone
}

func call(ctx context.Context, h *Hub, id string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address(id, "")+"/callbackX", strings.NewReader("{}"))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Operationid", "op")
	return h.RoundTrip(r)
}

// A request is fetched, answered, and the answer comes back.
func TestExchange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, _ := newHub(t)
		id := open(t, h, "*")
		var wg sync.WaitGroup
		wg.Go(func() {
			resp, err := call(t.Context(), h, id)
			if err != nil {
				t.Error(err)
				return
			}
			body, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != 201 || string(body) != "made" || resp.Header.Get("Retry-After") != "7" {
				t.Errorf("answered %d %s %v", resp.StatusCode, body, resp.Header)
			}
		})
		list, err := h.Next(t.Context(), id)
		if err != nil || len(list) != 1 || list[0].Path != "/callbackX" || list[0].Body != "{}" || list[0].Headers["Operationid"] != "op" {
			t.Fatalf("fetched %+v, %v", list, err)
		}
		if err := h.Answer(id, Answer{ID: list[0].ID, Status: 201, Headers: map[string]string{"retry-after": "7"}, Body: "made"}); err != nil {
			t.Error(err)
		}
		wg.Wait()
		// Late answers, and those of others, are for nobody.
		if err := h.Answer(id, Answer{ID: list[0].ID, Status: 200}); err != nil {
			t.Error(err)
		}
		wg.Go(func() {
			if _, err := call(t.Context(), h, id); err == nil || !strings.Contains(err.Error(), "refused") {
				t.Errorf("a handler that is down: %v", err)
			}
		})
		list, _ = h.Next(t.Context(), id)
		_ = h.Answer(id, Answer{ID: list[0].ID, Failure: "connection refused"})
		wg.Wait()
	})
}

// A session that stands still fails calls at once, holds a bounded number of
// them, and ends.
func TestStandstill(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, gone := newHub(t)
		id := open(t, h, "after*")
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		errs := make(chan error, 2*queued)
		for range queued + 5 {
			wg.Go(func() {
				_, err := call(ctx, h, id)
				errs <- err
			})
		}
		synctest.Wait()
		for range 5 {
			if err := <-errs; !errors.Is(err, errFull) {
				t.Errorf("beyond the queue: %v", err)
			}
		}
		if len(errs) != 0 {
			t.Errorf("%d more calls came back", len(errs))
		}
		time.Sleep(betweenFetches + time.Second) // of the bubble's clock
		began := time.Now()
		if _, err := call(ctx, h, id); !errors.Is(err, errNobody) || time.Since(began) != 0 {
			t.Errorf("without a fetch: %v after %s", err, time.Since(began))
		}
		running, stop := context.WithCancel(t.Context())
		wg.Go(func() { _ = h.Run(running) })
		time.Sleep(forgotten + 2*time.Second) // of the bubble's clock
		synctest.Wait()
		if len(*gone) < 1 || (*gone)[0] != EndpointPrefix+id {
			t.Errorf("gone: %v", *gone)
		}
		time.Sleep(10 * time.Second) // of the bubble's clock
		synctest.Wait()
		if len(*gone) != 3 {
			t.Errorf("told %d times of what was left until the third", len(*gone))
		}
		for range queued {
			if err := <-errs; !errors.Is(err, errEnded) {
				t.Errorf("calls of a session that ended: %v", err)
			}
		}
		if _, err := h.Next(t.Context(), id); err == nil {
			t.Error("a session that ended is fetched from")
		}
		cancel()
		stop()
		wg.Wait()
	})
}

// A fetch without requests returns, and keeps the session.
func TestFetchOfNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, gone := newHub(t)
		id := open(t, h, "*")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- h.Run(ctx) }()
		for range 5 {
			if list, err := h.Next(t.Context(), id); err != nil || list == nil || len(list) != 0 {
				t.Fatalf("%v %v", list, err)
			}
		}
		if len(*gone) != 0 {
			t.Error("the session is gone")
		}
		h.Shutdown()
		if _, err := h.Next(t.Context(), id); err == nil {
			t.Error("fetched after the end")
		}
		cancel()
		<-done
	})
}

// Handlers that there are keep deciding, unless the session is to decide.
func TestOverlay(t *testing.T) {
	t.Parallel()
	h, _ := newHub(t)
	base := webhook.Config{URL: "http://127.0.0.1:1", Callbacks: map[string]webhook.Callback{"beforeSendSingleMsg": {Enable: true}}}
	if got := h.Overlay(base); len(got.Endpoints) != 0 || len(got.Callbacks) != 1 {
		t.Errorf("without sessions: %+v", got)
	}
	id := open(t, h, "*SendSingleMsg", "beforeCreateGroup")
	got := h.Overlay(base)
	if len(base.Callbacks) != 1 {
		t.Error("the configuration itself was changed")
	}
	if cb := got.Callbacks["beforeSendSingleMsg"]; cb.URL != "" || !cb.Enable {
		t.Errorf("a callback with a handler: %+v", cb)
	}
	if cb := got.Callbacks["beforeCreateGroup"]; cb.URL != address(id, "") || !cb.Enable || !cb.FailedContinue {
		t.Errorf("a callback without: %+v", cb)
	}
	if e := got.Endpoints; len(e) != 2 || fmt.Sprint(e[0].Events) != "[afterSendSingleMsg]" || !e[1].Shadow || fmt.Sprint(e[1].Events) != "[beforeSendSingleMsg]" {
		t.Errorf("endpoints: %+v", e)
	}
	if err := h.Close(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	deciding, err := h.Open(t.Context(), []string{"beforeSendSingleMsg"}, true)
	if err != nil {
		t.Fatal(err)
	}
	if cb := h.Overlay(base).Callbacks["beforeSendSingleMsg"]; cb.URL != address(deciding, "") || cb.FailedContinue {
		t.Errorf("to decide: %+v", cb)
	}
	if _, err := h.Open(t.Context(), []string{"beforeNothing"}, false); err == nil {
		t.Error("a pattern that covers nothing is taken")
	}
	if _, err := webhook.New(h.Overlay(base), webhook.Options{}); err != nil {
		t.Errorf("the engine refuses it: %v", err)
	}
}
