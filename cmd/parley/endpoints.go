package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/webhook"
	"github.com/parley-im/parley/internal/webhook/desk"
)

type endpointsCmd struct{ dataFlag }

// Run prints a table, with a line below each endpoint that needs one.
func (c *endpointsCmd) Run(ctx context.Context, w io.Writer) error {
	var list []webhook.EndpointState
	if err := c.call(ctx, http.MethodGet, "/webhook/endpoints", nil, &list); err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ENDPOINT\tKIND\tSTATE\tSINCE\tSIGNED\tWAITING\tLANES\tBYTES\tOLDEST\tURL")
	for _, e := range list {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%t\t%d\t%d\t%d\t%s\t%s\n", e.Name, e.Kind, e.State, at(e.Since), e.Signed, e.Events, e.Lanes, e.Bytes, at(e.Oldest), e.URL)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, e := range list {
		if e.Reason != "" {
			fmt.Fprintf(w, "%s: %s\n", e.Name, strings.TrimSpace(e.Reason+" "+lastAnswer(e.Answer)))
		}
		for _, cb := range e.Callbacks {
			fmt.Fprintf(w, "%s %s: %s since %s: %s\n", e.Name, cb.Callback, cb.State, at(cb.Since), strings.TrimSpace(cb.Reason+" "+lastAnswer(cb.Answer)))
		}
		if e.Kind == "pull" {
			fmt.Fprintf(w, "%s: cursors %d to %d can be fetched\n", e.Name, e.Floor, e.Last)
		}
	}
	return nil
}

func at(t im.Millis) string {
	if t == 0 {
		return "-"
	}
	return t.Time().UTC().Format(time.RFC3339)
}

func lastAnswer(s string) string {
	if s == "" {
		return ""
	}
	return fmt.Sprintf("(answer: %q)", s)
}

// oneEndpoint names an endpoint, or one callback of it.
type oneEndpoint struct {
	dataFlag
	Endpoint string `arg:"" help:"Name of the endpoint; that of url in webhooks.yml is default."`
	Callback string `arg:"" optional:"" help:"Key of one callback, such as afterSendSingleMsg."`
}

func (o oneEndpoint) form() url.Values {
	return url.Values{"endpoint": {o.Endpoint}, "callback": {o.Callback}}
}

type pauseCmd struct {
	oneEndpoint
	Reason string `help:"Why, for those who look at it later."`
}

// Run pauses.
func (c *pauseCmd) Run(ctx context.Context, w io.Writer) error {
	form := c.form()
	form.Set("reason", c.Reason)
	var out any
	if err := c.call(ctx, http.MethodPost, "/webhook/pause", form, &out); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, "paused; its after-events are kept until: parley webhook resume", strings.TrimSpace(c.Endpoint+" "+c.Callback))
	return err
}

type resumeCmd struct{ oneEndpoint }

// Run resumes.
func (c *resumeCmd) Run(ctx context.Context, w io.Writer) error {
	var out any
	if err := c.call(ctx, http.MethodPost, "/webhook/resume", c.form(), &out); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, "resumed")
	return err
}

type recoverCmd struct {
	dataFlag
	From     time.Time `help:"Given up at this time or later, as 2006-01-02T15:04:05Z." required:""`
	To       time.Time `help:"Given up before this time; default now."`
	Endpoint string    `help:"Only those of this endpoint."`
	Callback string    `help:"Only those of this callback, by its key in webhooks.yml."`
}

// Run puts given-up events back, but for those that were delivered since.
func (c *recoverCmd) Run(ctx context.Context, w io.Writer) error {
	form := url.Values{"endpoint": {c.Endpoint}, "callback": {c.Callback}, "from": {c.From.Format(time.RFC3339)}}
	if !c.To.IsZero() {
		if !c.From.Before(c.To) {
			return errors.New("--from must be before --to")
		}
		form.Set("to", c.To.Format(time.RFC3339))
	}
	var out struct{ Replayed int }
	if err := c.call(ctx, http.MethodPost, "/webhook/recover", form, &out); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%d events put back\n", out.Replayed)
	return err
}

type gapsCmd struct{ dataFlag }

// Run prints a table of what was not kept.
func (c *gapsCmd) Run(ctx context.Context, w io.Writer) error {
	var g desk.Gaps
	if err := c.call(ctx, http.MethodGet, "/webhook/gaps", nil, &g); err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "LANE\tEVENTS\tFIRST\tLAST\tPLACE")
	for place, list := range map[string][]store.Gap{"ahead": g.Waiting, "passed": g.Passed} {
		for _, gap := range list {
			fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\n", gap.Lane, gap.Events, at(gap.FirstAt), at(gap.LastAt), place)
		}
	}
	return t.Flush()
}

type rotateCmd struct {
	dataFlag
	Endpoint string `arg:"" help:"Name of the endpoint; that of url in webhooks.yml is default."`
	Finish   bool   `help:"Stop signing with the previous secret: the handler knows the new one."`
}

// Run prints the new secret alone, for use in scripts.
func (c *rotateCmd) Run(ctx context.Context, w io.Writer) error {
	form := url.Values{"endpoint": {c.Endpoint}}
	if c.Finish {
		form.Set("finish", "1")
	}
	var out struct{ Secret string }
	if err := c.call(ctx, http.MethodPost, "/webhook/rotate", form, &out); err != nil || c.Finish {
		return err
	}
	_, err := fmt.Fprintln(w, out.Secret)
	return err
}

type dropCmd struct {
	dataFlag
	Endpoint string `arg:"" help:"Name of an endpoint that is not configured any more."`
}

// Run forgets what waits for an endpoint that is gone.
func (c *dropCmd) Run(ctx context.Context, w io.Writer) error {
	var out struct{ Dropped int64 }
	if err := c.call(ctx, http.MethodPost, "/webhook/drop", url.Values{"endpoint": {c.Endpoint}}, &out); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%d events dropped\n", out.Dropped)
	return err
}
