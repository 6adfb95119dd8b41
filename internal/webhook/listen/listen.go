// Package listen lets somebody who writes a handler receive real callbacks
// without an address of his own: his tool fetches the requests from the server and
// hands the answers back.
//
// A session is a temporary endpoint. After-events come to it beside those who get
// them anyway. Before-callbacks that are off are put to it, and its answers count;
// of those that are on it gets copies, unless it was opened to decide.
//
// What promises that a session which stands still slows nobody down: its queue is
// bounded, a call that finds it full or finds nobody fetching fails at once, and a
// session that was not fetched from for a while ends. After-events have lanes of
// their own.
package listen

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/webhook"
	"github.com/parley-im/parley/internal/webhook/registry"
)

const (
	// queued is how many requests of a session wait to be fetched.
	queued = 64
	// fetchWait is how long a fetch waits for a request.
	fetchWait = 20 * time.Second
	// betweenFetches is how long a session may be without a fetch under way
	// before calls to it fail at once.
	betweenFetches = 2 * time.Second
	// forgotten is how long a session lives without a fetch.
	forgotten = 30 * time.Second
	// mostSessions bounds how many there are.
	mostSessions = 16
	// largestAnswer is the most of an answer that is taken.
	largestAnswer = 1 << 20
)

// EndpointPrefix begins the names of the endpoints of sessions.
const EndpointPrefix = "listen-"

// Request is a call on its way to a session.
type Request struct {
	ID      string            `json:"id"`
	Path    string            `json:"path"` // "/" and the command
	Query   string            `json:"query,omitempty"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
	Copy    bool              `json:"copy,omitempty"` // the answer decides nothing
}

// Answer is what the handler said.
type Answer struct {
	ID      string            `json:"id"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body"`
	// Failure says that there is no answer, and why.
	Failure string `json:"failure,omitempty"`
}

// Options of a Hub.
type Options struct {
	// Changed is called after a session began or ended: the endpoints are
	// different now.
	Changed func(ctx context.Context) error
	// Gone is told of the endpoint of a session that ended, again every second
	// while it says that something is left of it.
	Gone   func(ctx context.Context, endpoint string) (more bool)
	Logger *slog.Logger
	Now    func() time.Time
}

// Hub holds the sessions. It is safe for concurrent use.
type Hub struct {
	o Options

	mu       sync.Mutex
	sessions map[string]*session
	left     []string // endpoints of which something is left
	closed   bool
}

type session struct {
	id     string
	events []string
	decide bool

	requests chan *exchange
	ended    chan struct{}

	// Guarded by Hub.mu.
	fetching  int       // fetches under way
	lastFetch time.Time // when the last one ended
	open      map[string]*exchange
}

// exchange is one call and the place for its answer.
type exchange struct {
	request Request
	answer  chan Answer // of one
}

// New returns a hub without sessions.
func New(o Options) *Hub {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Hub{o: o, sessions: make(map[string]*session)}
}

// Open begins a session for the callbacks that the patterns cover; * covers all.
// decide lets its answers count for before-callbacks that have a handler.
func (h *Hub) Open(ctx context.Context, events []string, decide bool) (id string, err error) {
	if len(events) == 0 {
		return "", im.ErrArgs.With("events is empty")
	}
	for _, pattern := range events {
		if !slices.ContainsFunc(registry.All(), func(c registry.Callback) bool { return webhook.Match(pattern, c.Key) }) {
			return "", im.ErrArgs.With("no callback matches '%s'", pattern)
		}
	}
	s := &session{
		id: strings.ToLower(rand.Text()[:12]), events: events, decide: decide,
		requests: make(chan *exchange, queued), ended: make(chan struct{}), lastFetch: h.o.Now(), open: make(map[string]*exchange),
	}
	h.mu.Lock()
	switch {
	case h.closed:
		h.mu.Unlock()
		return "", im.ErrInternal.With("the server is stopping")
	case len(h.sessions) >= mostSessions:
		h.mu.Unlock()
		return "", im.ErrArgs.With("%d sessions listen already", mostSessions)
	}
	h.sessions[s.id] = s
	h.mu.Unlock()
	if err := h.o.Changed(ctx); err != nil {
		h.end(context.WithoutCancel(ctx), s.id)
		return "", err
	}
	h.o.Logger.InfoContext(ctx, "webhook listener began", slog.String("session", s.id), slog.Any("events", events), slog.Bool("decides", decide))
	return s.id, nil
}

// Close ends a session; calls that wait for its answers fail.
func (h *Hub) Close(ctx context.Context, id string) error {
	if !h.end(ctx, id) {
		return im.ErrNotFound.With("no session %s listens", id)
	}
	return nil
}

func (h *Hub) end(ctx context.Context, id string) bool {
	h.mu.Lock()
	s := h.sessions[id]
	delete(h.sessions, id)
	h.mu.Unlock()
	if s == nil {
		return false
	}
	close(s.ended)
	if err := h.o.Changed(ctx); err != nil {
		h.o.Logger.WarnContext(ctx, "webhook listener could not be removed", slog.Any("error", err))
		return true
	}
	h.clear(ctx, EndpointPrefix+id)
	h.o.Logger.InfoContext(ctx, "webhook listener ended", slog.String("session", id))
	return true
}

// clear tells of an endpoint that is gone.
func (h *Hub) clear(ctx context.Context, endpoint string) {
	if h.o.Gone != nil && h.o.Gone(ctx, endpoint) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.left = append(h.left, endpoint)
	}
}

// Left has an endpoint cleared that an earlier process left behind.
func (h *Hub) Left(endpoint string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.left = append(h.left, endpoint)
}

// Run ends sessions that nobody fetches from, until ctx ends; then all of them.
func (h *Hub) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			stale, left := h.stale()
			for _, id := range stale {
				h.end(ctx, id)
			}
			for _, endpoint := range left {
				h.clear(ctx, endpoint)
			}
		}
	}
}

// stale takes what Run has to do.
func (h *Hub) stale() (ids, left []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	left, h.left = h.left, nil
	for id, s := range h.sessions {
		if s.fetching == 0 && h.o.Now().Sub(s.lastFetch) > forgotten {
			ids = append(ids, id)
		}
	}
	return ids, left
}

// Shutdown ends all sessions, for good; fetches and calls under way return. The
// endpoints stay until the server is gone.
func (h *Hub) Shutdown() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for id, s := range h.sessions {
		close(s.ended)
		delete(h.sessions, id)
	}
}

// Next waits for requests of a session, and returns those that are there: none
// after a while.
func (h *Hub) Next(ctx context.Context, id string) ([]Request, error) {
	h.mu.Lock()
	s := h.sessions[id]
	if s != nil {
		s.fetching++
	}
	h.mu.Unlock()
	if s == nil {
		return nil, im.ErrNotFound.With("no session %s listens", id)
	}
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		s.fetching--
		s.lastFetch = h.o.Now()
	}()
	wait := time.NewTimer(fetchWait)
	defer wait.Stop()
	out := []Request{}
	select {
	case x := <-s.requests:
		out = append(out, x.request)
	case <-wait.C:
		return out, nil
	case <-s.ended:
		return nil, im.ErrNotFound.With("session %s has ended", id)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for {
		select {
		case x := <-s.requests:
			out = append(out, x.request)
		default:
			return out, nil
		}
	}
}

// Answer hands an answer to the call that waits for it. One that came too late is
// left out.
func (h *Hub) Answer(id string, a Answer) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.sessions[id]
	if s == nil {
		return im.ErrNotFound.With("no session %s listens", id)
	}
	if x := s.open[a.ID]; x != nil {
		delete(s.open, a.ID)
		x.answer <- a // it has room for one, and nobody else finds it
	}
	return nil
}

// Overlay adds the sessions to a configuration.
func (h *Hub) Overlay(cfg webhook.Config) webhook.Config {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.sessions) == 0 {
		return cfg
	}
	cfg.Callbacks, cfg.Endpoints = maps.Clone(cfg.Callbacks), slices.Clone(cfg.Endpoints)
	if cfg.Callbacks == nil {
		cfg.Callbacks = make(map[string]webhook.Callback)
	}
	for _, id := range slices.Sorted(maps.Keys(h.sessions)) {
		s := h.sessions[id]
		var after, copies []string
		for _, c := range registry.All() {
			if !slices.ContainsFunc(s.events, func(pattern string) bool { return webhook.Match(pattern, c.Key) }) {
				continue
			}
			given := cfg.Callbacks[c.Key]
			switch {
			case c.Kind == registry.After:
				after = append(after, c.Key)
			case given.Enable && !s.decide:
				copies = append(copies, c.Key)
			default:
				// A tool that was stopped must not stop the users.
				given.FailedContinue = given.FailedContinue || !given.Enable
				given.Enable, given.URL = true, address(id, "")
				cfg.Callbacks[c.Key] = given
			}
		}
		if len(after) > 0 {
			cfg.Endpoints = append(cfg.Endpoints, webhook.Endpoint{Name: EndpointPrefix + id, URL: address(id, ""), Events: after})
		}
		if len(copies) > 0 {
			cfg.Endpoints = append(cfg.Endpoints, webhook.Endpoint{Name: EndpointPrefix + id + "-copies", URL: address(id, "copies"), Events: copies, Shadow: true})
		}
	}
	return cfg
}

func address(id, what string) string {
	url := webhook.ListenScheme + "://" + id
	if what != "" {
		url += "/" + what
	}
	return url
}

var (
	errNobody = errors.New("nobody listens: the listener does not fetch")
	errFull   = errors.New("the listener is behind: its queue is full")
	errEnded  = errors.New("the listener has ended")
)

// RoundTrip implements http.RoundTripper for addresses of sessions.
func (h *Hub) RoundTrip(r *http.Request) (*http.Response, error) {
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	x := &exchange{answer: make(chan Answer, 1), request: Request{
		ID: rand.Text(), Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Headers: make(map[string]string), Body: string(body),
	}}
	if path, ok := strings.CutPrefix(x.request.Path, "/copies/"); ok {
		x.request.Path, x.request.Copy = "/"+path, true
	}
	for name := range r.Header {
		x.request.Headers[name] = r.Header.Get(name)
	}
	s, err := h.enqueue(r.URL.Host, x)
	if err != nil {
		return nil, err
	}
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(s.open, x.request.ID)
	}()
	select {
	case a := <-x.answer:
		return response(r, a)
	case <-s.ended:
		return nil, errEnded
	case <-r.Context().Done():
		return nil, context.Cause(r.Context())
	}
}

func (h *Hub) enqueue(id string, x *exchange) (*session, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.sessions[id]
	switch {
	case s == nil:
		return nil, errEnded
	case s.fetching == 0 && h.o.Now().Sub(s.lastFetch) > betweenFetches:
		return nil, errNobody
	}
	select {
	case s.requests <- x:
		s.open[x.request.ID] = x
		return s, nil
	default:
		return nil, errFull
	}
}

func response(r *http.Request, a Answer) (*http.Response, error) {
	if a.Failure != "" {
		return nil, fmt.Errorf("the listener's handler: %s", a.Failure)
	}
	if a.Status < 100 || a.Status > 999 || len(a.Body) > largestAnswer {
		return nil, errors.New("the listener handed back no answer that can be one")
	}
	header := make(http.Header)
	for name, value := range a.Headers {
		header.Set(name, value)
	}
	return &http.Response{
		Status: strconv.Itoa(a.Status) + " " + http.StatusText(a.Status), StatusCode: a.Status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: io.NopCloser(bytes.NewReader([]byte(a.Body))), ContentLength: int64(len(a.Body)), Request: r,
	}, nil
}

var _ http.RoundTripper = (*Hub)(nil)
