package webhook

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Config is webhooks.yml as the engine needs it.
type Config struct {
	URL string // base of every callback without one of its own
	// BeforeDeadline is shared by all before-calls of one client operation,
	// default 8 s.
	BeforeDeadline time.Duration
	// StrictActionCode lets failedContinue decide about an answer whose
	// actionCode is not 0 and whose nextCode is not 1. Without it such an answer
	// approves.
	StrictActionCode bool
	CommandInQuery   bool // send ?command= instead of a path segment
	MaxConcurrency   int  // before-calls in flight per callback, default 256
	// Strict refuses private and loopback addresses too.
	Strict             bool
	InsecureSkipVerify bool                // take any TLS certificate
	Callbacks          map[string]Callback // by key; a missing one is off

	// Secrets sign calls to the base URLs above, the current one first; others
	// sign beside it while it is changed.
	Secrets []string
	// Concurrency is how many lanes of after-events may be in work for one
	// endpoint, default 256; Rate is attempts per second, 0 for no limit.
	Concurrency int
	Rate        float64
	Breaker     Breaker
	Endpoints   []Endpoint // beside the base URLs
	Alert       AlertHook
	Verify      Verify
	Keep        Keep
	Trial       *Trial // nil for none

	name string // of the endpoint at URL, default DefaultEndpoint
}

// Keep bounds what is kept to be looked at later.
type Keep struct {
	Deliveries   time.Duration // default 7 days
	DeliveryRows int64         // default 500,000
	Dead         time.Duration // default 30 days
	DeadRows     int64         // default 1,000,000
	Pull         time.Duration // of each endpoint that fetches, default 7 days
	PullBytes    int64         // default 1 GiB
}

func (k Keep) withDefaults() Keep {
	const day = 24 * time.Hour
	or := func(d *time.Duration, def time.Duration) {
		if *d <= 0 {
			*d = def
		}
	}
	orRows := func(n *int64, def int64) {
		if *n <= 0 {
			*n = def
		}
	}
	or(&k.Deliveries, 7*day)
	or(&k.Dead, 30*day)
	or(&k.Pull, 7*day)
	orRows(&k.DeliveryRows, 500_000)
	orRows(&k.DeadRows, 1_000_000)
	orRows(&k.PullBytes, 1<<30)
	return k
}

// Endpoint is one more place for after-events, or with Shadow for copies of
// before-calls. It gets every callback that Events cover, whether or not the
// callback is on in webhooks.yml; a shadow those before-callbacks that are on.
type Endpoint struct {
	Name         string
	URL          string
	Secrets      []string
	Events       []string // keys of callbacks; * stands for any letters
	AttentionIDs []string
	AllowedTypes []TypeRange
	DeniedTypes  []TypeRange
	Timeout      time.Duration // of after-events, default that of the callback
	Concurrency  int           // default Config.Concurrency's
	Rate         float64
	Shadow       bool
	Pull         bool // has no URL; its events are fetched
}

// Verify checks handlers before traffic needs them.
type Verify struct {
	Every time.Duration // 0 is off
	// Callback, if set, is called with a body that says it is a check. Otherwise
	// a connection is opened and nothing sent.
	Callback string
}

// Callback is one entry of webhooks.yml.
type Callback struct {
	Enable         bool
	Command        string // default: that of the registry
	URL            string // base, default Config.URL
	Timeout        time.Duration
	FailedContinue bool
	AttentionIDs   []string
	AllowedTypes   []TypeRange
	DeniedTypes    []TypeRange
}

// TypeRange is a range of content types, both ends included.
type TypeRange struct {
	From, To int32
}

// ListenScheme is that of addresses which Options.Listen answers for.
const ListenScheme = "listen"

const (
	defaultTimeout        = 5 * time.Second
	defaultBeforeDeadline = 8 * time.Second
	defaultMaxConcurrency = 256
	defaultConcurrency    = 256
	defaultShadows        = 16 // copies under way to one endpoint
)

var commandAtEnd = regexp.MustCompile(`(?i)callback\w*command/?$`)

// target is where a callback is posted to. Its parts are kept as text, so that
// an escaped base is sent as it was written.
type target struct {
	path  string // up to the query
	query string // without "?"
}

// newTarget joins a base and a command by exactly one slash and keeps the
// base's query.
func newTarget(base, command string, inQuery bool) (target, error) {
	u, err := url.Parse(strings.TrimSpace(base))
	switch {
	case err != nil:
		return target{}, fmt.Errorf("webhook url: %w", err)
	case u.Scheme != "http" && u.Scheme != "https" && u.Scheme != ListenScheme:
		return target{}, fmt.Errorf("webhook url %q: the scheme must be http or https", u.Redacted())
	case u.Host == "":
		return target{}, fmt.Errorf("webhook url %q has no host", u.Redacted())
	case u.Fragment != "":
		return target{}, fmt.Errorf("webhook url %q must not have a fragment (#)", u.Redacted())
	}
	for _, placeholder := range []string{":command", "{cmd}", "{command}", "*"} {
		if strings.Contains(u.Path, placeholder) {
			return target{}, fmt.Errorf("webhook url %q: remove %q, the server appends the command itself", u.Redacted(), placeholder)
		}
	}
	if commandAtEnd.MatchString(u.Path) {
		return target{}, fmt.Errorf("webhook url %q: remove the command at the end, the server appends it itself", u.Redacted())
	}
	path := strings.TrimRight(u.EscapedPath(), "/")
	query := u.RawQuery
	if inQuery {
		query = joinQuery(query, "command="+url.QueryEscape(command))
	} else {
		path += "/" + url.PathEscape(command)
	}
	origin := url.URL{Scheme: u.Scheme, User: u.User, Host: u.Host}
	return target{path: origin.String() + path, query: query}, nil
}

// url is the address to post to, with more added to the query.
func (t target) url(more string) string {
	if q := joinQuery(t.query, more); q != "" {
		return t.path + "?" + q
	}
	return t.path
}

// shown is the address for logs: without a password and without the query,
// which may hold a token.
func (t target) shown() string {
	u, err := url.Parse(t.path)
	if err != nil {
		return ""
	}
	return u.Redacted()
}

func joinQuery(parts ...string) string {
	parts = slices.DeleteFunc(slices.Clone(parts), func(s string) bool { return s == "" })
	return strings.Join(parts, "&")
}
