package conform

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/parley-im/parley/hooks/signature"
)

// Options say what is tested and what it is told.
type Options struct {
	// URL of the handler, as in webhooks.yml: without the command.
	URL string
	// Secret is the text form of the handler's key, "whsec_…" or "whsk_…". Without
	// it requests are not signed and checks of signatures are left out.
	Secret string
	// CommandInQuery sends ?command=<command> instead of a path segment.
	CommandInQuery bool
	// Audit is the address that tells how often an event was stored, "" for
	// <URL>/conform.
	Audit string
	// API is where to listen as the IM server's API while the suite runs, "" for
	// a free port of the loopback address.
	API string
	// Forbidden is a text that the handler refuses, "" if it refuses none.
	Forbidden string
	// Timeout of one call, as in webhooks.yml; 0 means 5 s.
	Timeout time.Duration
}

// Outcome of a check.
type Outcome string

// Outcomes.
const (
	Passed        Outcome = "passed"
	Failed        Outcome = "failed"
	NotObservable Outcome = "not observable" // the handler offers no way to see it, or there is no secret
	NotJudged     Outcome = "not judged"     // another check failed that this one builds on
)

// Result is what a check found.
type Result struct {
	Check   string  `json:"check"`
	Rule    string  `json:"rule"` // what a good handler does
	Outcome Outcome `json:"outcome"`
	Sent    string  `json:"sent,omitempty"`
	Got     string  `json:"got,omitempty"`
	Why     string  `json:"why,omitempty"`  // it matters; with failures
	Mend    string  `json:"mend,omitempty"` // with failures
	Note    string  `json:"note,omitempty"` // why it was not judged
}

// Report is the outcome of the suite.
type Report struct {
	URL     string   `json:"url"`
	Passed  int      `json:"passed"`
	Judged  int      `json:"judged"` // passed and failed
	Results []Result `json:"results"`
}

// Failures are the failed checks.
func (r *Report) Failures() []Result {
	var failed []Result
	for _, result := range r.Results {
		if result.Outcome == Failed {
			failed = append(failed, result)
		}
	}
	return failed
}

// Run plays the suite. It fails only if it could not be played: a handler that
// does everything wrong makes a report.
func Run(ctx context.Context, o Options) (*Report, error) {
	p, err := newPlayer(o)
	if err != nil {
		return nil, err
	}
	defer p.close()
	report := &Report{URL: o.URL}
	outcomes := map[string]Outcome{}
	for _, c := range suite {
		result := Result{Check: c.name, Rule: c.rule}
		if missing := unmet(c, outcomes); missing != "" {
			result.Outcome, result.Note = NotJudged, "builds on "+missing
		} else if c.signed && p.key == nil {
			result.Outcome, result.Note = NotObservable, "no secret was given"
		} else {
			f := c.run(ctx, p)
			result.Outcome, result.Sent, result.Got, result.Note = f.outcome, f.sent, f.got, f.note
		}
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("the suite was interrupted: %w", err)
		}
		switch result.Outcome {
		case Failed:
			result.Why, result.Mend = c.why, c.mend
			report.Judged++
		case Passed:
			report.Passed++
			report.Judged++
		case NotObservable, NotJudged:
		}
		outcomes[c.name] = result.Outcome
		report.Results = append(report.Results, result)
	}
	return report, nil
}

// unmet names the first check that c builds on and that did not pass. One that
// could not be observed is no obstacle.
func unmet(c check, outcomes map[string]Outcome) string {
	for _, name := range c.needs {
		if o := outcomes[name]; o == Failed || o == NotJudged {
			return name
		}
	}
	return ""
}

var errNoBase = errors.New("the address of the handler must be http:// or https:// with a host, without a fragment")

func newPlayer(o Options) (*player, error) {
	base, err := url.Parse(strings.TrimSpace(o.URL))
	if err != nil || base.Host == "" || base.Fragment != "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, errNoBase
	}
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Second
	}
	p := &player{options: o, base: base, run: runID()}
	if o.Secret != "" {
		key, err := signature.Parse(o.Secret)
		if err != nil {
			return nil, err
		}
		if !key.CanSign() {
			return nil, errors.New("a public key cannot sign: give the secret that the server would sign with")
		}
		p.key = &key
	}
	if err := p.listen(); err != nil {
		return nil, err
	}
	p.http = newClient()
	return p, nil
}
