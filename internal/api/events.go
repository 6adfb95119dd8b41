package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/parley-im/parley/internal/auth"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// Webhooks is what administrators, and business servers that fetch events, do
// with the webhook engine.
type Webhooks interface {
	// Fetch returns events after a cursor, below 0 the oldest that are kept; it
	// waits for the first.
	Fetch(ctx context.Context, endpoint string, after int64, limit int, wait time.Duration) ([]store.PulledEvent, store.PullRange, error)
	// Fetcher finds the endpoint a secret opens; OnlyFetcher the only one there is.
	Fetcher(endpoint, secret string) (name string, ok bool)
	OnlyFetcher() (name string, ok bool)
	// States lists the endpoints, ready for JSON.
	States(ctx context.Context) (any, error)
	Pause(ctx context.Context, endpoint, callback, reason string) error
	Resume(ctx context.Context, endpoint, callback string) error
}

// noWebhooks stands in where there is no webhook engine.
type noWebhooks struct{}

var errNoWebhooks = im.ErrNotFound.With("there are no webhooks here")

func (noWebhooks) Fetch(context.Context, string, int64, int, time.Duration) ([]store.PulledEvent, store.PullRange, error) {
	return nil, store.PullRange{}, errNoWebhooks
}
func (noWebhooks) Fetcher(string, string) (string, bool)               { return "", false }
func (noWebhooks) OnlyFetcher() (string, bool)                         { return "", false }
func (noWebhooks) States(context.Context) (any, error)                 { return nil, errNoWebhooks }
func (noWebhooks) Pause(context.Context, string, string, string) error { return errNoWebhooks }
func (noWebhooks) Resume(context.Context, string, string) error        { return errNoWebhooks }

// eventsPath is where events are fetched. It has its own way to identify the
// caller: an administrator's token, or the endpoint's secret as a bearer token.
const eventsPath = "/webhook/events"

// fetchQuery is the query of the URL, or the body of a POST.
type fetchQuery struct {
	Endpoint string `json:"endpoint"`
	After    string `json:"after"` // cursor; "" for the oldest that is kept
	Limit    int    `json:"limit"`
	Wait     int    `json:"wait"` // seconds
}

// fetched is one event. Its body is that of the request that an endpoint with a
// URL gets, byte for byte.
type fetched struct {
	Cursor      string      `json:"cursor"`
	ID          string      `json:"id,omitempty"` // webhook-id
	Callback    string      `json:"callback,omitempty"`
	Command     string      `json:"callbackCommand,omitempty"`
	OperationID string      `json:"operationID,omitempty"`
	Subject     string      `json:"subject,omitempty"`
	Query       string      `json:"query,omitempty"`
	Time        im.Millis   `json:"time,omitempty"`
	Body        string      `json:"body,omitempty"`
	Gap         *fetchedGap `json:"gap,omitempty"`
}

// fetchedGap stands for events that were not kept because the outbox was full.
type fetchedGap struct {
	Subject string    `json:"subject"`
	Events  int64     `json:"events"`
	From    im.Millis `json:"from"`
	To      im.Millis `json:"to"`
}

type fetchAnswer struct {
	Endpoint string    `json:"endpoint"`
	Events   []fetched `json:"events"`
	Cursor   string    `json:"cursor"` // give it as after next time
	More     bool      `json:"more"`
}

func (s *server) fetchEvents(w http.ResponseWriter, r *http.Request) {
	from := s.Peers.Addr(r)
	if v := s.Limits.Attempt(from); !v.Allowed() {
		s.tooMany(w, r, v)
		return
	}
	q, err := readFetch(r)
	if err == nil {
		if q.Endpoint, err = s.fetcher(r, q.Endpoint); errors.Is(err, im.ErrNoPermission) || auth.Forged(err) {
			s.Limits.Failed(from)
		}
	}
	var answer *fetchAnswer
	if err == nil {
		answer, err = s.fetch(r.Context(), q)
	}
	if err != nil {
		s.answers.fail(w, r, err)
		return
	}
	s.answers.ok(w, r, answer)
}

func readFetch(r *http.Request) (q fetchQuery, err error) {
	form := r.URL.Query()
	q.Endpoint, q.After = form.Get("endpoint"), form.Get("after")
	for _, n := range []struct {
		name string
		to   *int
	}{{"limit", &q.Limit}, {"wait", &q.Wait}} {
		if text := form.Get(n.name); text != "" {
			if *n.to, err = strconv.Atoi(text); err != nil {
				return q, im.ErrArgs.With("%s is not a number", n.name)
			}
		}
	}
	if r.Method != http.MethodPost {
		return q, nil
	}
	if r.Header.Get("operationID") == "" {
		return q, im.ErrArgs.With("header must have operationID")
	}
	return q, decode(r.Body, &q)
}

// fetcher identifies the caller and finds the endpoint he fetches from.
func (s *server) fetcher(r *http.Request, name string) (string, error) {
	if secret, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		endpoint, ok := s.Webhooks.Fetcher(name, strings.TrimSpace(secret))
		if !ok {
			return "", im.ErrNoPermission.With("the bearer token opens no endpoint")
		}
		return endpoint, nil
	}
	token := r.Header.Get("token")
	if token == "" {
		return "", im.ErrArgs.With("header must have token, or Authorization: Bearer and the endpoint's secret")
	}
	claims, err := s.Auth.Verify(r.Context(), token)
	switch {
	case err != nil:
		return "", err
	case !s.Auth.IsAdmin(claims.UserID):
		return "", notAdmin(claims.UserID)
	case name != "":
		return name, nil
	}
	only, ok := s.Webhooks.OnlyFetcher()
	if !ok {
		return "", im.ErrArgs.With("endpoint is missing")
	}
	return only, nil
}

func (s *server) fetch(ctx context.Context, q fetchQuery) (*fetchAnswer, error) {
	after := int64(-1)
	if q.After != "" {
		var err error
		if after, err = strconv.ParseInt(q.After, 10, 64); err != nil || after < 0 {
			return nil, im.ErrArgs.With("after is not a cursor")
		}
	}
	events, kept, err := s.Webhooks.Fetch(ctx, q.Endpoint, after, q.Limit, time.Duration(max(0, q.Wait))*time.Second)
	switch {
	case errors.Is(err, store.ErrCursorTooOld):
		return nil, im.ErrCursorTooOld.With("events up to cursor %d are forgotten, %d is the last; reconcile, then go on after %d", kept.Floor, kept.Last, kept.Floor)
	case err != nil:
		return nil, err
	case after > kept.Last:
		return nil, im.ErrArgs.With("cursor %d is beyond the last, which is %d", after, kept.Last)
	}
	out := &fetchAnswer{Endpoint: q.Endpoint, Events: make([]fetched, 0, len(events)), Cursor: strconv.FormatInt(max(after, kept.Floor), 10)}
	for i := range events {
		out.Events = append(out.Events, fetchedOf(&events[i]))
		out.Cursor = out.Events[i].Cursor
	}
	if n := len(events); n > 0 {
		out.More = events[n-1].Cursor < kept.Last
	}
	return out, nil
}

func fetchedOf(e *store.PulledEvent) fetched {
	out := fetched{Cursor: strconv.FormatInt(e.Cursor, 10)}
	if e.Missing > 0 {
		out.Gap = &fetchedGap{Subject: e.Subject, Events: e.Missing, From: e.CreatedAt, To: e.MissingUntil}
		return out
	}
	out.ID, out.Callback, out.Command, out.OperationID, out.Subject = e.EventID, e.Callback, e.Command, e.OperationID, e.Subject
	out.Query, out.Time, out.Body = e.Query, e.CreatedAt, string(e.Body)
	return out
}

type endpointRequest struct {
	Endpoint string `json:"endpoint"`
	Callback string `json:"callback"`
	Reason   string `json:"reason"`
}

func (s *server) webhookEndpoints(ctx context.Context, _ *struct{}) (any, error) {
	list, err := s.Webhooks.States(ctx)
	return map[string]any{"endpoints": list}, err
}

func (s *server) pauseWebhook(ctx context.Context, req *endpointRequest) (none, error) {
	return none{}, asArgs(s.Webhooks.Pause(ctx, req.Endpoint, req.Callback, req.Reason))
}

func (s *server) resumeWebhook(ctx context.Context, req *endpointRequest) (none, error) {
	return none{}, asArgs(s.Webhooks.Resume(ctx, req.Endpoint, req.Callback))
}

// asArgs shows an administrator what is wrong with a name.
func asArgs(err error) error {
	if err == nil {
		return nil
	}
	return im.ErrArgs.With("%s", err)
}
