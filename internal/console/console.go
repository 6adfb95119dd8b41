package console

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/parley-im/parley/internal/edge"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/metrics"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/trial"
	"github.com/parley-im/parley/internal/webhook/desk"
	"github.com/parley-im/parley/internal/webhook/tail"
)

// Base is the path under which everything here is served.
const Base = "/console"

// Auth tells who may log in.
type Auth interface {
	// Administrator tells who shows the secret or an administrator's token, and
	// until when the latter lasts.
	Administrator(ctx context.Context, shown string) (userID string, until time.Time, err error)
	IsAdmin(userID string) bool
}

// History is the last hour, a point every few seconds.
type History interface {
	Points(after im.Millis) []metrics.Point
}

// Options are what the pages work with.
type Options struct {
	Store       *store.Store
	Auth        Auth
	Peers       *edge.Peers // knows the proxies; nil trusts none
	Version     string
	SessionLife time.Duration
	History     History
	Health      func(context.Context) []Check // what the server needs; nil tells nothing
	Warnings    *Warnings                     // of its log
	Desk        *desk.Desk                    // what operators do with webhooks
	Calls       *tail.Log                     // the last calls to handlers
	Chat        Chat
	Trial       *trial.Service
	// ReadsContent tells which administrators may look at message content.
	ReadsContent func(userID string) bool
	Logger       *slog.Logger
	Now          func() time.Time // default time.Now
}

// Console serves the operator's page. It is an http.Handler for Base and what is
// below it.
type Console struct {
	Options
	pages     []*page
	templates templates
	handler   http.Handler
	logins    *attempts
	streams   streams
	reveals   reveals
}

// New returns the console of a server.
func New(o Options) *Console {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Console{Options: o, logins: newAttempts()}
	c.pages = pages(c)
	c.streams.end = make(chan struct{})
	if c.Warnings == nil {
		c.Warnings = &Warnings{}
	}
	c.templates = templatesOf(c.pages)
	c.handler = c.routes()
	return c
}

// ServeHTTP implements http.Handler.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.handler.ServeHTTP(w, r) }

// Shutdown ends the streams that pages keep open, so that the HTTP server can
// drain.
func (c *Console) Shutdown() { c.streams.shutdown() }
