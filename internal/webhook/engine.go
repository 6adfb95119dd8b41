package webhook

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/webhook/registry"
)

// Options are what the engine needs besides its configuration.
type Options struct {
	// IsAdmin tells system administrators, whose single messages nobody is
	// asked about. Default: nobody is one.
	IsAdmin func(userID string) bool
	// Listeners are the server's own addresses, which must not be called.
	Listeners func() []netip.AddrPort
	Logger    *slog.Logger     // default: discards
	Now       func() time.Time // stamps events; default time.Now
	// KeepDeliveries and KeepRows bound the delivery log, default 7 days and
	// 500,000 rows.
	KeepDeliveries time.Duration
	KeepRows       int64
}

// Engine is the webhook engine. Its methods are safe for concurrent use.
type Engine struct {
	plan   atomic.Pointer[plan]
	client *client
	log    *slog.Logger
	o      Options
	calls  deliveryLog
}

// plan is a configuration made ready for use: never changed, only replaced.
type plan struct {
	deadline time.Duration
	strict   bool                         // StrictActionCode
	byKey    map[string]*callback         // those that are on
	on       [registry.Last + 1]*callback // by number; nil is off
	asks     bool                         // a before callback is on
	wanted   [im.EventKinds]bool
}

// callback is one callback that is on.
type callback struct {
	registry.Callback
	target         target
	endpoint       string // first part of the lane's name
	timeout        time.Duration
	failedContinue bool
	filter         filter
	limit          *limiter
	hinted         atomic.Bool // said once that its answers hold no verdict
}

// defaultEndpoint is the base URL of webhooks.yml. A callback with a URL of its
// own is an endpoint named like the callback.
const defaultEndpoint = "default"

// New checks cfg and returns an engine for it. Delivering after-events and the
// delivery log begin with Run and with an outbox given the engine as handler.
func New(cfg Config, o Options) (*Engine, error) {
	if o.IsAdmin == nil {
		o.IsAdmin = func(string) bool { return false }
	}
	if o.Listeners == nil {
		o.Listeners = func() []netip.AddrPort { return nil }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.KeepDeliveries <= 0 {
		o.KeepDeliveries = 7 * 24 * time.Hour
	}
	if o.KeepRows <= 0 {
		o.KeepRows = 500_000
	}
	p, err := newPlan(cfg)
	if err != nil {
		return nil, err
	}
	e := &Engine{
		client: newClient(guard{strict: cfg.Strict, listeners: o.Listeners}, cfg.InsecureSkipVerify),
		log:    o.Logger,
		o:      o,
		calls:  deliveryLog{rows: make(chan store.Delivery, callsBuffered)},
	}
	e.plan.Store(p)
	return e, nil
}

// Reload replaces the configuration, or leaves it as it is when cfg is not
// valid. Calls under way end with the old one.
func (e *Engine) Reload(cfg Config) error {
	p, err := newPlan(cfg)
	if err != nil {
		return err
	}
	e.plan.Store(p)
	return nil
}

func newPlan(cfg Config) (*plan, error) {
	if cfg.BeforeDeadline <= 0 {
		cfg.BeforeDeadline = defaultBeforeDeadline
	}
	if cfg.MaxConcurrency <= 0 {
		cfg.MaxConcurrency = defaultMaxConcurrency
	}
	p := &plan{deadline: cfg.BeforeDeadline, strict: cfg.StrictActionCode, byKey: map[string]*callback{}}
	endpoints := map[string]string{cfg.URL: defaultEndpoint}
	var problems []error
	for _, desc := range registry.All() {
		c, given := cfg.Callbacks[desc.Key]
		if !given {
			continue
		}
		cb := &callback{
			Callback:       desc,
			timeout:        c.Timeout,
			failedContinue: c.FailedContinue,
			filter:         newFilter(c, desc.Filters),
			limit:          newLimiter(cfg.MaxConcurrency),
		}
		if c.Command != "" {
			cb.Command = c.Command
		}
		if cb.timeout <= 0 {
			cb.timeout = defaultTimeout
		}
		base := c.URL
		if base == "" {
			base = cfg.URL
		}
		if _, known := endpoints[base]; !known {
			endpoints[base] = desc.Key
		}
		cb.endpoint = endpoints[base]
		var err error
		if cb.target, err = newTarget(base, cb.Command, cfg.CommandInQuery); err != nil && c.Enable {
			problems = append(problems, fmt.Errorf("%s: %w", desc.Key, err))
		}
		if c.Enable {
			p.byKey[desc.Key], p.on[desc.ID] = cb, cb
			p.asks = p.asks || desc.Kind == registry.Before
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	for kind, ids := range reports {
		p.wanted[kind] = slices.ContainsFunc(ids, func(id registry.ID) bool { return p.on[id] != nil })
	}
	return p, nil
}

// notFired are the callbacks this version never makes.
var notFired = []registry.ID{registry.BeforeOfflinePush, registry.BeforeOnlinePush, registry.BeforeGroupOnlinePush}

// LongestAttempt is the longest time an after-event's attempt can take. The
// outbox needs leases of at least twice that.
func (e *Engine) LongestAttempt() time.Duration {
	longest := defaultTimeout
	for _, cb := range e.plan.Load().byKey {
		if cb.Kind == registry.After {
			longest = max(longest, cb.timeout)
		}
	}
	return longest
}

// short cuts what is shown of texts that others wrote.
func short(s string, n int) string {
	if len(s) > n {
		s = s[:n] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
