package explain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/webhook"
	"github.com/parley-im/parley/internal/webhook/registry"
)

// Statuses of a path that nobody serves.
const (
	notFound         = 404
	methodNotAllowed = 405
)

// last is the newest call that a test holds for.
func (s *subject) last(holds func(store.Delivery) bool) (store.Delivery, bool) {
	for _, d := range slices.Backward(s.calls) {
		if holds(d) {
			return d, true
		}
	}
	return store.Delivery{}, false
}

// evidence shows one call.
func (s *subject) evidence(d store.Delivery) Text {
	text := say("%s: %s after %s", stamp(d.StartedAt), d.Outcome, time.Duration(d.DurationMS)*time.Millisecond)
	if !s.routeOf(d.Endpoint).own {
		text = say("%s, at endpoint %s", text, d.Endpoint)
	}
	if d.Status != 0 {
		text = say("%s, status %d", text, d.Status)
	}
	if d.Reason != "" {
		text = say("%s, %s", text, d.Reason)
	}
	return text
}

func began(answer []byte) Text {
	if len(answer) == 0 {
		return Text{}
	}
	return say("the answer began with %s", quote(answer))
}

func quote(answer []byte) string {
	const most = 120
	text := strings.ToValidUTF8(string(answer), "\uFFFD")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return strconv.Quote(text)
}

func html(answer []byte) bool {
	text := strings.ToLower(string(bytes.TrimSpace(bytes.TrimPrefix(answer, []byte("\xef\xbb\xbf")))))
	return strings.HasPrefix(text, "<!doctype") || strings.HasPrefix(text, "<html") || strings.HasPrefix(text, "<") && strings.Contains(text, ">")
}

// checkHTML: a page for people instead of an answer.
func checkHTML(s *subject) []Finding {
	d, ok := s.last(func(d store.Delivery) bool { return html(d.Answer) })
	if !ok {
		return nil
	}
	return s.finding(Problem, CauseHTML, say("the handler answers with an HTML page, usually that of a proxy, a login or an error"),
		say("see what %s leads to; answer with one JSON object", s.routeOf(d.Endpoint).url), s.evidence(d), began(d.Answer))
}

// checkErrorPage: an error page in JSON, which earlier servers took for approval.
func checkErrorPage(s *subject) []Finding {
	d, ok := s.last(func(d store.Delivery) bool {
		text := bytes.TrimSpace(d.Answer)
		lower := bytes.ToLower(text)
		return d.Status >= 400 && d.Status != notFound && bytes.HasPrefix(text, []byte("{")) &&
			!bytes.Contains(lower, []byte("nextcode")) && !bytes.Contains(lower, []byte("actioncode"))
	})
	if !ok {
		return nil
	}
	return s.finding(Problem, CauseErrorPage, say("the handler failed with status %d and a JSON error page, which is a failure and no approval", d.Status),
		say("look into the handler's own log at that time: it threw an error"), s.evidence(d), began(d.Answer))
}

// checkRedirect: the address is another.
func checkRedirect(s *subject) []Finding {
	d, ok := s.last(func(d store.Delivery) bool { return d.Status >= 300 && d.Status <= 399 })
	if !ok {
		return nil
	}
	return s.finding(Problem, CauseRedirect, say("the handler redirects with status %d, which is not followed: it would turn the POST into a GET without a body", d.Status),
		say("put the final address into url (often https instead of http, or a slash)"), s.evidence(d))
}

// checkPath: nobody is at that path.
func checkPath(s *subject) []Finding {
	d, ok := s.last(func(d store.Delivery) bool {
		return d.Status == notFound || d.Status == methodNotAllowed ||
			bytes.HasPrefix(bytes.TrimSpace(d.Answer), []byte("404 page not found"))
	})
	if !ok {
		return nil
	}
	return s.finding(Problem, CausePath, say("the handler has no route for this path: the server posts to url + / + command"),
		say("route POST …/%s in the handler (Spring /{cmd}, Gin and Express /:command), or correct url", s.command()),
		s.evidence(d), say("posted to %s", s.routeOf(d.Endpoint).url))
}

// checkMalformed: an answer that is no single JSON object.
func checkMalformed(s *subject) []Finding {
	d, ok := s.last(func(d store.Delivery) bool {
		return strings.Contains(d.Reason, "response format error") && !html(d.Answer)
	})
	if !ok {
		return nil
	}
	text := say("the answer is not one JSON object")
	switch {
	case strings.Contains(d.Reason, "after top-level value"):
		text = say("something follows the JSON object of the answer")
	case len(bytes.TrimSpace(d.Answer)) == 0:
		text = say("the answer is empty")
	}
	return s.finding(Problem, CauseMalformed, text, say("answer exactly one JSON object, such as %s", `{"actionCode":0,"errCode":0,"errMsg":"","errDlt":"","nextCode":0}`),
		s.evidence(d), began(d.Answer))
}

func timedOut(d store.Delivery) bool { return strings.Contains(d.Reason, "timeout after") }

// checkOwnRequest: the handler asked for what it is then asked about, and handles
// one request at a time.
func checkOwnRequest(s *subject) []Finding {
	d, ok := s.last(func(d store.Delivery) bool { return timedOut(d) && strings.Contains(d.Reason, webhook.OwnRequest) })
	if !ok {
		return nil
	}
	return s.finding(Problem, CauseOwnRequest,
		say("the handler waits for itself: it called the API and could not answer the callback that its own call made until the call ended"),
		say("let the handler take several requests at a time, or make the API call after answering; no lock of the server is involved"), s.evidence(d))
}

// checkTimeout: too slow.
func checkTimeout(s *subject) []Finding {
	d, ok := s.last(timedOut)
	if !ok || strings.Contains(d.Reason, webhook.OwnRequest) {
		return nil
	}
	remedy := say("answer faster: do the work after answering, or in an after-callback")
	if strings.Contains(d.Reason, "whole operation") {
		remedy = say("all before-callbacks of one operation share beforeDeadline; %s", remedy)
	}
	return s.finding(Problem, CauseTimeout, say("the handler did not answer in time"), remedy, s.evidence(d),
		say("timeout: %s (%s)", s.routeOf(d.Endpoint).timeout, s.routeOf(d.Endpoint).source("timeout")))
}

// checkPatience: clients give up before the server does.
func checkPatience(s *subject) []Finding {
	if s.desc.Kind != registry.Before {
		return nil
	}
	deadline := s.Config.Webhooks.BeforeDeadline
	configured := say("timeout: %s (%s), beforeDeadline %s, clients give up after %s", s.config.Timeout, s.config.Sources["timeout"], deadline, patience)
	remedy := say("keep timeout below 8 s: a client that has given up shows a failed message and sends it again")
	if d, ok := s.last(func(d store.Delivery) bool { return time.Duration(d.DurationMS)*time.Millisecond >= patience }); ok {
		return s.finding(Problem, CausePatience, say("a call took longer than the %s that clients wait", patience), remedy, s.evidence(d), configured)
	}
	if !s.config.Enable || s.config.Timeout <= deadline && s.config.Timeout < patience {
		return nil
	}
	text := say("its timeout of %s is longer than clients wait; calls are cut off at beforeDeadline", s.config.Timeout)
	if deadline >= patience {
		text = say("its timeout of %s is longer than the %s that clients wait, and beforeDeadline does not cut calls off before", s.config.Timeout, patience)
	}
	sev := Note
	if s.asked {
		sev = Problem
	}
	return s.finding(sev, CausePatience, text, remedy, configured)
}

// checkUnreachable: nobody listens there.
func checkUnreachable(s *subject) []Finding {
	d, ok := s.last(func(d store.Delivery) bool {
		return d.Status == 0 && d.Reason != "" && !timedOut(d) && d.Outcome != "interrupted" && d.Outcome != "breaker_open" && d.DurationMS >= 0 &&
			slices.ContainsFunc([]string{"refused", "no such host", "connection reset", "EOF", "certificate", "tls", "network is unreachable", "no route"}, func(word string) bool {
				return strings.Contains(d.Reason, word)
			})
	})
	if !ok {
		return nil
	}
	return s.finding(Problem, CauseUnreachable, say("the handler cannot be reached from the server"), say("try the address from where the server runs; inside a container 127.0.0.1 is the container itself"),
		s.evidence(d), say("posted to %s", s.routeOf(d.Endpoint).url))
}

// checkRejected: the handler said no.
func checkRejected(s *subject) []Finding {
	d, ok := s.last(func(d store.Delivery) bool { return d.Outcome == "reject" })
	if !ok {
		return nil
	}
	return s.finding(Note, CauseRejected, say("the handler refused with code %d, and so the operation was refused", d.ErrCode), Text{}, s.evidence(d), began(d.Answer))
}

// checkHandlerFault: the handler said that it failed.
func checkHandlerFault(s *subject) []Finding {
	d, ok := s.last(func(d store.Delivery) bool { return strings.Contains(d.Reason, "the handler says it failed") })
	if !ok {
		return nil
	}
	return s.finding(Problem, CauseHandlerFault, say("the handler says that it failed: actionCode is not 0"), say("answer actionCode 0 when the callback was handled; refuse with nextCode 1"), s.evidence(d), began(d.Answer))
}

// checkEndpoint: calls are held back.
func checkEndpoint(s *subject) []Finding {
	var out []Finding
	for _, e := range s.Endpoints {
		if reason, ok := e.Callbacks[s.desc.Key]; ok && s.routeOf(e.Name).kind != "shadow" {
			out = append(out, s.finding(Problem, CauseEndpoint, say("%s at endpoint %s is stopped", s.desc.Key, e.Name), resume(e.Name), verbatim(reason))...)
		}
		if e.State != "ok" && s.belongsTo(e) {
			consequence := say("after-events wait")
			if s.desc.Kind == registry.Before {
				consequence = say("before-calls are decided by failedContinue at once, after-events wait")
			}
			out = append(out, s.finding(Problem, CauseEndpoint, say("endpoint %s is %s since %s: %s", e.Name, shownState(e.State), stamp(e.Since), consequence),
				resume(e.Name), verbatim(e.Reason))...)
		}
	}
	return out
}

// shownState is the state of an endpoint that does not work.
func shownState(state string) Text {
	switch state {
	case webhook.StateDown:
		return say("down")
	case webhook.StatePaused:
		return say("paused")
	default:
		return verbatim(state)
	}
}

func resume(name string) Text {
	return say("repair the handler: probes go on; or: parley webhook resume %s", name)
}

func (s *subject) belongsTo(e Endpoint) bool {
	for _, r := range s.routes[1:] {
		if r.name == e.Name {
			return r.wants && r.kind != "shadow"
		}
	}
	for _, w := range s.Waiting {
		if name, _, _ := strings.Cut(w.Event.Lane, "/"); w.Event.Callback == s.desc.Key && name == e.Name {
			return true
		}
	}
	return s.config.Enable && strings.HasPrefix(s.config.URL, strings.TrimRight(e.URL, "/")+"/")
}

// checkQueued: the event is on its way.
func checkQueued(s *subject) []Finding {
	var out []Finding
	for _, w := range s.Waiting {
		if w.Event.Callback != s.desc.Key {
			continue
		}
		text := say("event %s waits in lane %s since %s", w.Event.EventID, w.Event.Lane, stamp(w.Event.CreatedAt))
		var evidence []Text
		if w.Lane.Ahead > 0 {
			evidence = append(evidence, say("%d events of the same lane come first, in order", w.Lane.Ahead))
		}
		if w.Lane.FailingSince > 0 {
			evidence = append(evidence, say("the lane fails since %s; %d attempts at its first event; the next is due at %s", stamp(w.Lane.FailingSince), w.Lane.Attempts, stamp(w.Lane.Due)))
		}
		out = append(out, s.finding(Note, CauseQueued, text, Text{}, evidence...)...)
	}
	return out
}

// checkDead: nobody will try again.
func checkDead(s *subject) []Finding {
	var out []Finding
	for _, d := range s.Dead {
		if d.Callback != s.desc.Key {
			continue
		}
		text := say("event %s was given up at %s after %d attempts: %s", d.EventID, stamp(d.DiedAt), d.Attempts, d.Reason)
		if r := s.routeOf(store.EndpointOf(d.Lane)); !r.own {
			text = say("event %s was given up for endpoint %s at %s after %d attempts: %s", d.EventID, r.name, stamp(d.DiedAt), d.Attempts, d.Reason)
		}
		out = append(out, s.finding(Problem, CauseDead, text, say("once the handler works: parley webhook replay %s", d.EventID))...)
	}
	return out
}

// refuses reports whether an answer says nextCode 1.
func refuses(answer []byte) bool {
	var a struct {
		NextCode any `json:"nextCode"`
	}
	if json.Unmarshal(bytes.TrimPrefix(answer, []byte("\xef\xbb\xbf")), &a) != nil {
		return false
	}
	return fmt.Sprint(a.NextCode) == "1"
}

func stamp(t im.Millis) Text {
	if t == 0 {
		return say("the start")
	}
	return verbatim(t.Time().Format("2006-01-02 15:04:05"))
}

// unknown is the finding about an id that nothing is known of.
func unknown(f *Facts) Finding {
	var on []string
	for _, c := range f.Config.Webhooks.Callbacks {
		if c.Enable {
			on = append(on, c.Key)
		}
	}
	out := Finding{
		Severity: Problem, Cause: CauseUnknown,
		Text:   say("nothing is known of %q: no call about it was made or recorded, and no message with this id is among the newest", f.ID),
		Remedy: say("ask by the message's clientMsgID or serverMsgID, or about the callback: parley webhook why --config EVENT"),
	}
	if len(on) == 0 {
		out.Evidence = []Text{say("every callback is off")}
	} else {
		out.Evidence = []Text{say("on: %s", strings.Join(on, ", "))}
	}
	if f.LostLogRows > 0 {
		out.Evidence = append(out.Evidence, say("%d calls are missing in the delivery log, which could not keep up", f.LostLogRows))
	}
	return out
}
