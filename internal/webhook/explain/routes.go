package explain

import (
	"slices"
	"strings"
	"time"

	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/webhook"
	"github.com/parley-im/parley/internal/webhook/registry"
)

// route is one place that a callback goes to, or might: its own handler, which
// its switch and url are about, or an endpoint of the list.
type route struct {
	name    string
	kind    string // push, pull or shadow
	own     bool
	url     string // that calls are posted to
	wants   bool   // the callback comes here, unless a filter leaves it out
	by      Text   // what says so, or why not
	timeout time.Duration
	filters webhook.Callback
	// source says where an option of the place comes from.
	source func(option string) Text
}

// findRoutes is the rule of the webhook engine, as the configuration that applied
// has it: after-events go to every endpoint whose events cover the key, copies of
// before-calls to shadows, and only the callback's own handler is asked.
func (s *subject) findRoutes() []route {
	own := route{
		name: s.ownEndpoint(), kind: "push", own: true, url: s.config.URL, wants: s.config.Enable, timeout: s.config.Timeout,
		by: say("enable is false by %s", s.shownSource()), filters: filters(s.config.AttentionIDs, s.config.AllowedTypes, s.config.DeniedTypes),
		source: func(option string) Text { return verbatim(s.config.Sources[option]) },
	}
	if own.wants {
		own.by = say("on by %s", s.shownSource())
	}
	out := []route{own}
	for _, e := range s.Config.Webhooks.Endpoints {
		r := route{
			name: e.Name, kind: "push", timeout: e.Timeout, filters: filters(e.AttentionIDs, e.AllowedTypes, e.DeniedTypes),
			source: func(string) Text { return say("endpoint %s, %s", e.Name, e.Source) },
		}
		if r.timeout == 0 {
			r.timeout = s.config.Timeout
		}
		switch {
		case e.Shadow:
			r.kind = "shadow"
		case e.Pull:
			r.kind = "pull"
		}
		if e.URL != "" {
			r.url = strings.TrimRight(e.URL, "/") + "/" + s.command()
		}
		i := slices.IndexFunc(e.Events, func(pattern string) bool { return webhook.Match(pattern, s.desc.Key) })
		switch {
		case i < 0:
			r.by = say("its events %q do not cover %s", e.Events, s.desc.Key)
		case e.Shadow && s.desc.Kind == registry.After:
			r.by = say("a shadow gets copies of before-calls, and nothing else")
		case !e.Shadow && s.desc.Kind == registry.Before:
			r.by = say("only the handler of url is asked; endpoints of the list are told of after-events")
		case e.Shadow && !s.config.Enable:
			r.by = say("nobody is asked, so there is no call to copy")
		default:
			r.wants, r.by = true, say("its events cover it with %q", e.Events[i])
		}
		out = append(out, r)
	}
	return out
}

func filters(attention []string, allowed, denied []config.TypeRange) webhook.Callback {
	c := webhook.Callback{AttentionIDs: attention}
	for _, r := range allowed {
		c.AllowedTypes = append(c.AllowedTypes, webhook.TypeRange(r))
	}
	for _, r := range denied {
		c.DeniedTypes = append(c.DeniedTypes, webhook.TypeRange(r))
	}
	return c
}

func (s *subject) command() string {
	if s.config.Command != "" {
		return s.config.Command
	}
	return s.desc.Command
}

// ownEndpoint is the name under which calls to the callback's own handler are
// known: default, or the key of the first callback with that address.
func (s *subject) ownEndpoint() string {
	name, length := webhook.DefaultEndpoint, 0
	for _, e := range s.Endpoints {
		_, isKey := registry.Lookup(e.Name)
		base := strings.TrimRight(e.URL, "/") + "/"
		if (isKey || e.Name == name) && len(base) > length && strings.HasPrefix(s.config.URL, base) {
			name, length = e.Name, len(base)
		}
	}
	return name
}

// routeOf is the place that an endpoint's name stands for. What is known of no
// place, such as a listener that has gone, counts as the callback's own.
func (s *subject) routeOf(endpoint string) *route {
	for i := range s.routes {
		if s.routes[i].name == endpoint {
			return &s.routes[i]
		}
	}
	return &s.routes[0]
}

// on reports whether anybody is asked or told.
func (s *subject) on() bool {
	return slices.ContainsFunc(s.routes, func(r route) bool { return r.wants && r.kind != "shadow" })
}

// trace is what is known of the question at one place.
type trace struct {
	calls   []store.Delivery
	waiting []Waiting
	dead    []store.DeadEvent
	cursors []int64
}

func (t trace) empty() bool { return len(t.calls)+len(t.waiting)+len(t.dead)+len(t.cursors) == 0 }

// traceAt finds what is known of the callback at one of its places.
func (s *subject) traceAt(r *route) (t trace) {
	for _, calls := range [][]store.Delivery{s.calls, s.copies} {
		for _, d := range calls {
			if s.routeOf(d.Endpoint) == r {
				t.calls = append(t.calls, d)
			}
		}
	}
	for _, w := range s.Waiting {
		if w.Event.Callback == s.desc.Key && s.routeOf(store.EndpointOf(w.Event.Lane)) == r {
			t.waiting = append(t.waiting, w)
		}
	}
	for _, d := range s.Dead {
		if d.Callback == s.desc.Key && s.routeOf(store.EndpointOf(d.Lane)) == r {
			t.dead = append(t.dead, d)
		}
	}
	for _, p := range s.Pulled {
		if p.Callback == s.desc.Key && s.routeOf(p.Endpoint) == r {
			t.cursors = append(t.cursors, p.Cursor)
		}
	}
	return t
}

// places sums up every route.
func (s *subject) places() []Place {
	out := make([]Place, len(s.routes))
	for i := range s.routes {
		r := &s.routes[i]
		t := s.traceAt(r)
		out[i] = Place{
			Endpoint: r.name, Kind: r.kind, URL: r.url, On: r.wants, By: r.by, Waiting: len(t.waiting), Attempts: len(t.calls), Decision: s.decisionAt(r, t),
		}
		if !r.wants && t.empty() {
			out[i].URL = ""
		}
		for _, e := range s.Endpoints {
			if e.Name == r.name {
				out[i].State, out[i].Since, out[i].Reason = e.State, e.Since, e.Reason
			}
		}
	}
	return out
}

// decisions says what an outcome came to.
var decisions = map[string]Text{
	"approve":         say("the handler approved, the operation went on"),
	"reject":          say("the handler refused, the operation was refused"),
	"failed_continue": say("there was no usable answer; failedContinue is true, the operation went on unchanged"),
	"failed_refuse":   say("there was no usable answer; failedContinue is false, the operation was refused"),
	"delivered":       say("the handler took the event"),
	"retry":           say("the handler did not take the event; it is tried again"),
	"dead_letter":     say("the event was given up"),
	"interrupted":     say("the server stopped during the attempt; it is made again"),
	"breaker_open":    say("the endpoint counts as down, so the handler was not called"),
	"shadow_agrees":   say("its answer would have decided the same; nobody obeyed it"),
	"shadow_differs":  say("its answer would have decided otherwise; nobody obeyed it"),
	"shadow_failed":   say("it had no usable answer; nobody waited for it"),
}

// decisionAt says what became of the callback at one place.
func (s *subject) decisionAt(r *route, t trace) Text {
	if len(t.dead) > 0 {
		return decisions["dead_letter"]
	}
	for _, d := range slices.Backward(t.calls) {
		switch text, known := decisions[d.Outcome]; {
		case known:
			return text
		case d.Outcome != "probe": // a copy that nobody waited for
			return verbatim(d.Outcome)
		}
	}
	switch {
	case len(t.waiting) > 0:
		return say("the event waits for its first attempt")
	case len(t.cursors) > 0:
		return say("kept for fetching as cursor %d", t.cursors[0])
	case !r.wants && r.own:
		return say("off: nobody was called")
	case !r.wants:
		return say("it does not come here")
	case s.ID == "":
		return say("on")
	case s.Message != nil && webhook.Excluded(s.desc, r.filters, s.Message) != "":
		return say("left out by a filter: nobody was called")
	case r.kind == "pull":
		return say("on, and the event is not among the newest that are kept for fetching")
	case s.desc.Kind == registry.After:
		return say("on, and no event is known: it was delivered longer ago than the log is kept, or never made")
	default:
		return say("on, and no call is known")
	}
}
