package explain

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/parley-im/parley/internal/webhook"
)

// describe sums a callback up.
func (s *subject) describe() Callback {
	c := Callback{Key: s.desc.Key, Command: s.command(), On: s.on(), Source: s.enableSource(), Places: s.places()}
	if s.config.Enable {
		c.URL = s.config.URL
	}
	c.Decision = sumUp(c.Places)
	for _, d := range slices.Concat(s.calls, s.copies) {
		c.Calls = append(c.Calls, Call{
			At: d.StartedAt, EventID: d.EventID, Endpoint: d.Endpoint, Attempt: d.Attempt, Status: d.Status, DurationMS: d.DurationMS,
			Outcome: d.Outcome, Reason: d.Reason, Answer: strings.ToValidUTF8(string(d.Answer), "\uFFFD"),
		})
	}
	return c
}

// sumUp is the decision at the only place that anything is to be said of, or all
// of them by name.
func sumUp(places []Place) Text {
	var told []Place
	for i, p := range places {
		if p.On || p.Attempts+p.Waiting > 0 || i == 0 && !slices.ContainsFunc(places, func(o Place) bool { return o.On }) {
			told = append(told, p)
		}
	}
	if len(told) == 1 {
		return told[0].Decision
	}
	var all Text
	for i, p := range told {
		if one := say("%s: %s", p.Endpoint, p.Decision); i == 0 {
			all = one
		} else {
			all = say("%s; %s", all, one)
		}
	}
	return all
}

// lines shows a place: what became of the callback there, why it comes there or
// not, and whether the endpoint works.
func (p Place) lines() string {
	text := fmt.Sprintf("  %s (%s): %s; %s", p.Endpoint, p.Kind, p.Decision, p.By)
	if p.URL != "" && p.On {
		text += ", posted to " + p.URL
	}
	if p.State != "" && p.State != webhook.StateOK && (p.On || p.Waiting > 0) {
		text += fmt.Sprintf("\n    %s since %s: %s", p.State, stamp(p.Since), p.Reason)
	}
	return text
}

// WriteTo renders the report for people.
func (r Report) WriteTo(w io.Writer) (int64, error) {
	var b strings.Builder
	if !r.Message.IsZero() {
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
		if len(c.Places) > 1 {
			fmt.Fprintf(&b, "%s:\n", c.Key)
			for _, p := range c.Places {
				fmt.Fprintln(&b, p.lines())
			}
		} else {
			fmt.Fprintf(&b, "%s: %s\n", c.Key, c.Decision)
			if c.On {
				fmt.Fprintf(&b, "  on by %s, posted to %s\n", c.Source, c.URL)
			}
		}
		for _, call := range c.Calls {
			line := fmt.Sprintf("  %s attempt %d: %s after %s", stamp(call.At), call.Attempt, call.Outcome, time.Duration(call.DurationMS)*time.Millisecond)
			if len(c.Places) > 1 {
				line += " at " + call.Endpoint
			}
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
		if !f.Remedy.IsZero() {
			fmt.Fprintf(&b, "    do: %s\n", f.Remedy)
		}
	}
	if len(r.Findings) == 0 {
		fmt.Fprintln(&b, "nothing is wrong that the server can see")
	}
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}
