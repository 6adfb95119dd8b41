package app

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

const fetchSecret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

type fetchedPage struct {
	ErrCode int
	ErrDlt  string
	Data    struct {
		Endpoint, Cursor string
		More             bool
		Events           []struct{ Cursor, ID, Callback, CallbackCommand, Body string }
	}
}

// Who has the endpoint's secret, or an administrator's token, fetches events as
// they are recorded; what was forgotten is said to be.
func TestFetchEvents(t *testing.T) {
	n := startNodeWith(t, func(c *config.Config) {
		c.Webhooks.Endpoints = []config.Endpoint{{Name: "report", Pull: true, Secret: fetchSecret, Events: []string{"afterUserOnline"}}}
	})
	ctx, cancel := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	parts.Go(func() { _ = n.server.outbox.Run(ctx) })
	t.Cleanup(func() { cancel(); parts.Wait() })
	get := func(query string, header ...string) (p fetchedPage) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, n.rest+"/webhook/events"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		if err := json.NewDecoder(resp.Body).Decode(&p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	bearer := []string{"Authorization", "Bearer " + fetchSecret}
	for _, c := range []struct {
		name, query string
		header      []string
		code        int
	}{
		{"nobody", "", nil, 1001},
		{"a wrong secret", "", []string{"Authorization", "Bearer whsec_no"}, 1002},
		{"an empty secret", "", []string{"Authorization", "Bearer "}, 1001},
		{"the secret for another endpoint", "?endpoint=other", bearer, 1002},
		{"a broken token", "", []string{"token", "x"}, 1503},
		{"an odd cursor", "?after=x", bearer, 1001},
		{"a cursor from the future", "?after=99", bearer, 1001},
		{"an endpoint that is not there", "?endpoint=other", []string{"token", n.admin}, 1004},
		{"the secret", "", bearer, 0},
		{"an administrator", "?endpoint=report", []string{"token", n.admin}, 0},
		{"an administrator who names none", "", []string{"token", n.admin}, 0},
	} {
		if p := get(c.query, c.header...); p.ErrCode != c.code || c.code == 0 && (p.Data.Endpoint != "report" || len(p.Data.Events) != 0) {
			t.Errorf("%s: %+v, want %d", c.name, p, c.code)
		}
	}
	online := func(userID string) {
		t.Helper()
		if err := n.server.store.Write(t.Context(), func(tx *store.Tx) error {
			return tx.Record(im.UserOnline{Session: im.Session{UserID: userID, ConnID: userID}})
		}); err != nil {
			t.Error(err)
		}
	}
	waited := make(chan fetchedPage)
	go func() { waited <- get("?wait=50", bearer...) }()
	online("alice")
	first := <-waited // answered by the event, not by the time
	if len(first.Data.Events) != 1 || first.Data.Cursor != "1" || first.Data.More || first.Data.Events[0].CallbackCommand != "callbackAfterUserOnlineCommand" {
		t.Fatalf("first: %+v", first)
	}
	var body struct{ UserID, CallbackCommand string }
	if err := json.Unmarshal([]byte(first.Data.Events[0].Body), &body); err != nil || body.UserID != "alice" || body.CallbackCommand != first.Data.Events[0].CallbackCommand {
		t.Errorf("body %q, %v", first.Data.Events[0].Body, err)
	}
	online("bob")
	second := get("?wait=50&after=1", bearer...)
	if len(second.Data.Events) != 1 || second.Data.Cursor != "2" || second.Data.Events[0].ID == first.Data.Events[0].ID {
		t.Errorf("second: %+v", second)
	}
	if one := get("?limit=1", bearer...); len(one.Data.Events) != 1 || !one.Data.More {
		t.Errorf("a page of one: %+v", one)
	}
	if again := get("?after=0", bearer...); len(again.Data.Events) != 2 {
		t.Errorf("from the beginning: %+v", again)
	}
	if _, err := n.server.store.PrunePull(t.Context(), "report", im.MillisOf(time.Now().Add(time.Hour)), 1); err != nil {
		t.Fatal(err)
	}
	if old := get("?after=0", bearer...); old.ErrCode != 80010 || old.ErrDlt == "" {
		t.Errorf("a cursor that is too old: %+v", old)
	}
	if rest := get("", bearer...); rest.ErrCode != 0 || rest.Data.Cursor != "2" {
		t.Errorf("without a cursor: %+v", rest)
	}
}
