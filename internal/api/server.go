// Package api is the REST interface: OpenIM's paths, bodies and answers.
//
// routes.go is the whole surface on one page: every path with who may call it
// and what it does. A handler decodes OpenIM's shape, absorbs its oddities,
// calls one noun and encodes the answer; rules live in the nouns. The package
// keeps no state between requests.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/parley-im/parley/internal/auth"
	"github.com/parley-im/parley/internal/conversation"
	"github.com/parley-im/parley/internal/device"
	"github.com/parley-im/parley/internal/edge"
	"github.com/parley-im/parley/internal/group"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/object"
	"github.com/parley-im/parley/internal/relation"
	"github.com/parley-im/parley/internal/trace"
	"github.com/parley-im/parley/internal/user"
	"github.com/parley-im/parley/internal/webhook/explain"
)

// Online tells who is connected where.
type Online interface {
	// Platforms returns the platforms a user is online on.
	Platforms(userID string) []im.Platform
	// Sessions returns a user's connections.
	Sessions(userID string) []OnlineSession
}

// OnlineSession is one connection of a user.
type OnlineSession struct {
	Platform   im.Platform
	ConnID     string
	Background bool
	Token      string
}

// Options are what the API works with.
type Options struct {
	Auth          *auth.Service
	Users         *user.Service
	Relations     *relation.Service
	Groups        *group.Service
	Conversations *conversation.Service
	Messages      *message.Service
	Objects       *object.Service
	Devices       *device.Service

	Online   Online
	Webhooks Webhooks // nil without a webhook engine
	// Kick closes the connections of a user's platform.
	Kick func(ctx context.Context, userID string, p im.Platform)

	Tools HandlerTools
	// Why explains what became of a callback.
	Why     func(ctx context.Context, q explain.Question) (explain.Report, error)
	Config  Configuration
	Restart func(context.Context) error // nil if the server cannot begin anew
	Version string                      // of this server
	Peers   *edge.Peers                 // knows clients' addresses; nil trusts no proxy
	Origins *edge.Origins               // of pages whose answers browsers may read; nil allows all
	Limits  *edge.Limiter               // nil has none
	Load    *edge.Shedder               // of calls; nil refuses none

	MaxBody int64 // bytes of a request body
	// PublicURL is the address in links to objects, "" for the one that was called.
	PublicURL        string
	GrafanaURL       string // where /third/prometheus leads
	CompressionLevel int    // 0 default, 1 best, 2 fastest, -1 off
	// Meter, if set, is asked once for every route for what counts its requests:
	// with the HTTP status, the answer's errCode and the time it took, 0 if it
	// waited on purpose.
	Meter  func(route string) func(status, errCode int, took time.Duration)
	Tracer *trace.Tracer // nil for none
	Logger *slog.Logger
	Now    func() time.Time
}

type server struct {
	Options
	answers *answerWriter
	table   []Route
}

// New returns the handler of the API.
func New(o Options) http.Handler {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Webhooks == nil {
		o.Webhooks = noWebhooks{}
	}
	if o.MaxBody <= 0 {
		o.MaxBody = 8 << 20
	}
	s := &server{Options: o, answers: newAnswerWriter(o.CompressionLevel, o.Logger)}
	h := s.routes()
	for _, wrap := range []func(http.Handler) http.Handler{ // from the inside out
		s.identify,
		s.shed,
		s.limitBody,
		s.files,
		s.cors,
		s.recover,
		s.traced(),
		s.metered(),
	} {
		h = wrap(h)
	}
	return h
}
