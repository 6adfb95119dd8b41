package explain

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/parley-im/parley/internal/webhook/registry"
)

// describe sums a callback up.
func (s *subject) describe() Callback {
	c := Callback{Key: s.desc.Key, Command: s.desc.Command, On: s.config.Enable, Source: s.enableSource(), Decision: s.decision()}
	if s.config.Command != "" {
		c.Command = s.config.Command
	}
	if s.config.Enable {
		c.URL = s.config.URL
	}
	for _, d := range s.calls {
		c.Calls = append(c.Calls, Call{
			At: d.StartedAt, EventID: d.EventID, Attempt: d.Attempt, Status: d.Status, DurationMS: d.DurationMS,
			Outcome: d.Outcome, Reason: d.Reason, Answer: strings.ToValidUTF8(string(d.Answer), "\uFFFD"),
		})
	}
	return c
}

// decisions says what an outcome came to.
var decisions = map[string]string{
	"approve":         "the handler approved, the operation went on",
	"reject":          "the handler refused, the operation was refused",
	"failed_continue": "there was no usable answer; failedContinue is true, the operation went on unchanged",
	"failed_refuse":   "there was no usable answer; failedContinue is false, the operation was refused",
	"delivered":       "the handler took the event",
	"retry":           "the handler did not take the event; it is tried again",
	"dead_letter":     "the event was given up",
	"interrupted":     "the server stopped during the attempt; it is made again",
	"breaker_open":    "the endpoint counts as down, so the handler was not called",
}

func (s *subject) decision() string {
	for _, d := range s.Dead {
		if d.Callback == s.desc.Key {
			return decisions["dead_letter"]
		}
	}
	if n := len(s.calls); n > 0 {
		last := s.calls[n-1]
		if text, ok := decisions[last.Outcome]; ok {
			return text
		}
		return last.Outcome
	}
	for _, w := range s.Waiting {
		if w.Event.Callback == s.desc.Key {
			return "the event waits for its first attempt"
		}
	}
	switch {
	case !s.config.Enable:
		return "off: nobody was called"
	case s.ID == "":
		return "on"
	case s.Message != nil && len(checkFilters(s)) > 0:
		return "left out by a filter: nobody was called"
	case s.desc.Kind == registry.After:
		return "on, and no event is known: it was delivered longer ago than the log is kept, or never made"
	default:
		return "on, and no call is known"
	}
}

// WriteTo renders the report for people.
func (r Report) WriteTo(w io.Writer) (int64, error) {
	var b strings.Builder
	if r.Message != "" {
		fmt.Fprintln(&b, r.Message)
	}
	if r.Since > 0 {
		fmt.Fprintf(&b, "by the configuration of %s\n", stamp(r.Since))
	}
	var off []string
	for _, c := range r.Callbacks {
		if !c.On && len(c.Calls) == 0 && r.Key == "" {
			off = append(off, c.Key)
			continue
		}
		fmt.Fprintf(&b, "%s: %s\n", c.Key, c.Decision)
		if c.On {
			fmt.Fprintf(&b, "  on by %s, posted to %s\n", c.Source, c.URL)
		}
		for _, call := range c.Calls {
			line := fmt.Sprintf("  %s attempt %d: %s after %s", stamp(call.At), call.Attempt, call.Outcome, time.Duration(call.DurationMS)*time.Millisecond)
			if call.Status != 0 {
				line += fmt.Sprintf(", status %d", call.Status)
			}
			if call.Reason != "" {
				line += ", " + call.Reason
			}
			fmt.Fprintln(&b, line)
		}
	}
	if len(off) > 0 {
		fmt.Fprintf(&b, "off: %s\n", strings.Join(off, ", "))
	}
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%s %s: %s\n", f.Severity, f.Cause, f.Text)
		for _, e := range f.Evidence {
			fmt.Fprintf(&b, "    seen: %s\n", e)
		}
		if f.Remedy != "" {
			fmt.Fprintf(&b, "    do: %s\n", f.Remedy)
		}
	}
	if len(r.Findings) == 0 {
		fmt.Fprintln(&b, "nothing is wrong that the server can see")
	}
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}
