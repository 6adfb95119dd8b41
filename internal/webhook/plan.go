package webhook

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/parley-im/parley/hooks/signature"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/webhook/registry"
)

// plan is a configuration made ready for use: never changed, only replaced.
type plan struct {
	deadline  time.Duration
	strict    bool                         // StrictActionCode
	byKey     map[string]*callback         // those that are on
	on        [registry.Last + 1]*callback // by number; nil is off
	asks      bool                         // a before callback is on
	wanted    [im.EventKinds]bool
	endpoints map[string]*endpoint
	client    *client
	reach     reach // what client was made for
	inQuery   bool
	alertHook alertTarget
	verify    Verify
	keep      Keep
	trial     *trial // nil for none
}

// reach is what decides which handlers can be called.
type reach struct{ strict, anyCertificate bool }

// callback is one callback that somebody wants.
type callback struct {
	registry.Callback
	// Before-calls: whom to ask. After-events go to the routes.
	target         target
	endpoint       *endpoint
	timeout        time.Duration
	failedContinue bool
	filter         filter // of before-calls
	limit          *limiter
	hinted         atomic.Bool // said once that its answers hold no verdict

	routes  []route     // of after-events
	shadows []*endpoint // get copies of before-calls
}

// route is an endpoint that wants a callback's events, those that its filter
// admits.
type route struct {
	endpoint *endpoint
	filter   filter
}

// admits reports whether anybody wants to be told about m.
func (cb *callback) admits(m *im.Message) bool {
	for i := range cb.routes {
		if cb.routes[i].filter.admits(m) {
			return true
		}
	}
	return false
}

// DefaultEndpoint is the base URL of webhooks.yml. A callback with a URL of its
// own is an endpoint named like the callback.
const DefaultEndpoint = "default"

var endpointName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// newPlan checks cfg. Endpoints that are in old as well keep their state.
func newPlan(cfg Config, o Options, old *plan) (*plan, error) {
	if cfg.BeforeDeadline <= 0 {
		cfg.BeforeDeadline = defaultBeforeDeadline
	}
	if cfg.MaxConcurrency <= 0 {
		cfg.MaxConcurrency = defaultMaxConcurrency
	}
	p := &plan{
		deadline: cfg.BeforeDeadline, strict: cfg.StrictActionCode, byKey: map[string]*callback{}, endpoints: map[string]*endpoint{},
		inQuery: cfg.CommandInQuery, reach: reach{cfg.Strict, cfg.InsecureSkipVerify}, verify: cfg.Verify, keep: cfg.Keep.withDefaults(),
	}
	var problems []error
	fault := func(err error) {
		if err != nil {
			problems = append(problems, err)
		}
	}
	keys, err := parseKeys(cfg.Secrets)
	fault(err)
	add := func(name, base string) *endpoint {
		ep := p.endpoints[name]
		if ep == nil {
			ep = &endpoint{name: name, base: base, keys: keys, slots: cfg.Concurrency, perSec: cfg.Rate}
			p.endpoints[name] = ep
		}
		return ep
	}
	names := map[string]string{cfg.URL: cmp.Or(cfg.name, DefaultEndpoint)}
	if _, err := newTarget(cfg.URL, "", cfg.CommandInQuery); err == nil {
		add(names[cfg.URL], cfg.URL)
	}
	for _, desc := range registry.All() {
		c := cfg.Callbacks[desc.Key]
		cb := &callback{
			Callback:       desc,
			timeout:        c.Timeout,
			failedContinue: c.FailedContinue,
			filter:         newFilter(c.AttentionIDs, c.AllowedTypes, c.DeniedTypes, desc.Filters),
			limit:          newLimiter(cfg.MaxConcurrency),
		}
		if c.Command != "" {
			cb.Command = c.Command
		}
		if cb.timeout <= 0 {
			cb.timeout = defaultTimeout
		}
		p.byKey[desc.Key] = cb
		base := c.URL
		if base == "" {
			base = cfg.URL
		}
		if _, known := names[base]; !known {
			names[base] = desc.Key
		}
		if cb.target, err = newTarget(base, cb.Command, cfg.CommandInQuery); err != nil {
			if c.Enable {
				fault(fmt.Errorf("%s: %w", desc.Key, err))
			}
			continue
		}
		cb.endpoint = add(names[base], base)
		if c.Enable {
			cb.routes = append(cb.routes, route{cb.endpoint, cb.filter})
		}
	}
	for _, given := range cfg.Endpoints {
		fault(p.list(given, cfg))
	}
	if p.alertHook.URL = cfg.Alert.URL; p.alertHook.URL != "" {
		_, err := newTarget(cfg.Alert.URL, "", true)
		fault(err)
		p.alertHook.keys, err = parseKeys(cfg.Alert.Secrets)
		fault(err)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	for key, cb := range p.byKey {
		if len(cb.routes) == 0 {
			delete(p.byKey, key)
			continue
		}
		p.on[cb.ID] = cb
		p.asks = p.asks || cb.Kind == registry.Before
	}
	for kind, ids := range reports {
		p.wanted[kind] = slices.ContainsFunc(ids, func(id registry.ID) bool { return p.on[id] != nil })
	}
	p.settle(cfg, o, old)
	if err := p.setApart(cfg, o, old); err != nil {
		return nil, err
	}
	return p, nil
}

// list adds an endpoint of the list, and routes to it what it wants.
func (p *plan) list(given Endpoint, cfg Config) error {
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("webhook endpoint %q: %w", given.Name, fmt.Errorf(format, args...))
	}
	switch {
	case !endpointName.MatchString(given.Name):
		return wrong("a name is up to 64 letters, digits, '.', '_' and '-'")
	case p.endpoints[given.Name] != nil || given.Name == DefaultEndpoint:
		return wrong("the name is taken")
	case given.Pull == (given.URL != ""):
		return wrong("give it a url, or pull: true, and not both")
	case given.Pull && given.Shadow:
		return wrong("shadow endpoints are called; they cannot fetch")
	case len(given.Events) == 0:
		return wrong("events is empty")
	}
	keys, err := parseKeys(given.Secrets)
	if err != nil {
		return wrong("%w", err)
	}
	ep := &endpoint{
		name: given.Name, base: given.URL, keys: keys, slots: given.Concurrency, perSec: given.Rate, shadow: given.Shadow, pull: given.Pull,
		timeout: given.Timeout, events: given.Events,
	}
	for _, text := range given.Secrets {
		if given.Pull && text != "" {
			ep.tokens = append(ep.tokens, sha256.Sum256([]byte(text)))
		}
	}
	if !given.Pull {
		if _, err := newTarget(given.URL, "", cfg.CommandInQuery); err != nil {
			return wrong("%w", err)
		}
	}
	used := make([]bool, len(given.Events))
	for _, cb := range p.byKey {
		if !ep.matches(cb.Key) {
			continue
		}
		for i, pattern := range given.Events {
			used[i] = used[i] || Match(pattern, cb.Key)
		}
		f := newFilter(given.AttentionIDs, given.AllowedTypes, given.DeniedTypes, cb.Filters)
		switch {
		case cb.Kind == registry.After && !ep.shadow:
			cb.routes = append(cb.routes, route{ep, f})
		case cb.Kind == registry.Before && ep.shadow:
			cb.shadows = append(cb.shadows, ep)
		}
	}
	if i := slices.Index(used, false); i >= 0 {
		return wrong("no callback matches %q", given.Events[i])
	}
	p.endpoints[given.Name] = ep
	return nil
}

// settle gives every endpoint its state and limits: those it had, if it is the
// same endpoint.
func (p *plan) settle(cfg Config, o Options, old *plan) {
	breaker := cfg.Breaker.withDefaults()
	for name, ep := range p.endpoints {
		if ep.slots <= 0 {
			ep.slots = defaultConcurrency
		}
		if old != nil {
			if before := old.endpoints[name]; before != nil && before.base == ep.base && before.pull == ep.pull {
				ep.state = before.state
				ep.configure(breaker)
				ep.copies = before.copies
				if before.perSec == ep.perSec {
					ep.rate = before.rate
				}
			}
		}
		if ep.state == nil {
			ep.state = newState(breaker)
		}
		if ep.shadow && ep.copies == nil {
			ep.copies = newQueue(min(ep.slots, defaultShadows))
		}
		ep.longest = max(defaultTimeout, ep.timeout)
		if ep.rate == nil && ep.perSec > 0 {
			ep.rate = rate.NewLimiter(rate.Limit(ep.perSec), max(1, int(math.Ceil(ep.perSec))))
		}
	}
	for _, cb := range p.byKey {
		for _, r := range cb.routes {
			if r.endpoint.timeout == 0 && cb.Kind == registry.After {
				r.endpoint.longest = max(r.endpoint.longest, cb.timeout)
			}
		}
	}
	if old != nil {
		for key, cb := range p.byKey {
			if before := old.byKey[key]; before != nil && cap(before.limit.slots) == cap(cb.limit.slots) {
				cb.limit = before.limit
			}
		}
		if old.reach == p.reach {
			p.client = old.client
		}
	}
	if p.client == nil {
		p.client = newClient(guard{strict: cfg.Strict, listeners: o.Listeners}, cfg.InsecureSkipVerify, o.Listen)
	}
}

// names lists the endpoints in order.
func (p *plan) names() []string { return slices.Sorted(maps.Keys(p.endpoints)) }

// parseKeys reads secrets, the current one first. Errors do not show them.
func parseKeys(secrets []string) ([]signature.Key, error) {
	var keys []signature.Key
	for _, text := range secrets {
		if text == "" {
			continue
		}
		k, err := signature.Parse(text)
		if err != nil {
			return nil, err
		}
		if !k.CanSign() {
			return nil, errors.New("webhook secret: a public key (whpk_) cannot sign")
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// Reload replaces the configuration, or leaves the old one when cfg is wrong.
// Calls under way end with the old settings. Endpoints that stay as they are keep
// breakers, pauses and limits; what waits for those that are gone stays in the
// outbox until they come back or an administrator drops it.
func (e *Engine) Reload(cfg Config) error {
	e.reloading.Lock()
	defer e.reloading.Unlock()
	old := e.plan.Load()
	p, err := newPlan(cfg, e.o, old)
	if err != nil {
		return err
	}
	for _, ep := range p.endpoints {
		ep.restore(e.pauses)
	}
	e.plan.Store(p)
	if p.client != old.client {
		old.client.http.CloseIdleConnections()
	}
	e.signal()
	return nil
}
