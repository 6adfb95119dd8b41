package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/parley-im/parley/internal/app"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/webhook/desk"
)

// dataFlag says which running server a command talks to.
type dataFlag struct {
	Data string `help:"Data directory of the running server." default:"./parley-data" env:"PARLEY_DATADIR" type:"path"`
}

// do makes a request over the control socket of the running server.
func (d dataFlag) do(ctx context.Context, method, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://control"+path, nil)
	if err != nil {
		return nil, err
	}
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return app.DialControl(ctx, d.Data)
	}}}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("no server runs on %s: %w", d.Data, err)
	}
	return resp, nil
}

// call asks the running server over its control socket.
func (d dataFlag) call(ctx context.Context, method, path string, form url.Values, out any) error {
	return d.stream(ctx, method, path, form, func(r io.Reader) error { return json.NewDecoder(r).Decode(out) })
}

// stream is call for answers of any kind.
func (d dataFlag) stream(ctx context.Context, method, path string, form url.Values, take func(io.Reader) error) error {
	if len(form) > 0 {
		path += "?" + form.Encode()
	}
	resp, err := d.do(ctx, method, path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(io.LimitReader(resp.Body, 4096)) // what there is of the message
		return errors.New(strings.TrimSpace(string(b)))
	}
	return take(resp.Body)
}

type tokenCmd struct{ dataFlag }

// Run prints the token alone, for use in scripts.
func (t *tokenCmd) Run(ctx context.Context, w io.Writer) error {
	var token app.AdminToken
	if err := t.call(ctx, http.MethodPost, "/token", nil, &token); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, token.Token)
	return err
}

type webhookCmd struct {
	Why        whyCmd        `cmd:"" help:"Explain why a callback was called or not, and what became of it."`
	Deliveries deliveriesCmd `cmd:"" help:"List calls to the business server, newest first."`
	Show       showCmd       `cmd:"" help:"Show one event: its attempts, whether it waits or was given up, its body."`
	Dead       deadCmd       `cmd:"" help:"List events that were given up."`
	Endpoints  endpointsCmd  `cmd:"" help:"List where callbacks go, and what waits there."`
	Pause      pauseCmd      `cmd:"" help:"Stop an endpoint, or one callback of it, until resume."`
	Resume     resumeCmd     `cmd:"" help:"End a pause, or call an endpoint that is down again at once."`
	Recover    recoverCmd    `cmd:"" help:"Deliver again what was given up in a range of time and not delivered since."`
	Gaps       gapsCmd       `cmd:"" help:"List stretches of events that were not kept because the outbox was full."`
	Drop       dropCmd       `cmd:"" help:"Forget what waits for an endpoint that is not configured any more."`
	Rotate     rotateCmd     `cmd:"" help:"Give an endpoint a new secret; the old one keeps signing beside it until --finish."`
	Replay     replayCmd     `cmd:"" help:"Deliver given-up events again: one by id, those of a callback, or all. With --to, ask a handler again what files of record hold."`

	Listen  listenCmd  `cmd:"" help:"Receive callbacks without an address: hand them to a local handler, and its answers back."`
	Trigger triggerCmd `cmd:"" help:"Send a sample of a callback through the real pipeline."`
	Test    testCmd    `cmd:"" help:"Send a sample to the configured handler and print how its answer is read."`
	Tail    tailCmd    `cmd:"" help:"Print calls as they are made."`
	Record  recordCmd  `cmd:"" help:"Listen, and keep requests and answers as files."`

	Conform  conformCmd  `cmd:"" help:"Test a handler: play good, bad and odd requests at it and print a scored report."`
	Sign     signCmd     `cmd:"" help:"Print the signature headers for a body on standard input."`
	Verify   verifyCmd   `cmd:"" help:"Check a signature by hand, for a body on standard input."`
	Schema   schemaCmd   `cmd:"" help:"Print the JSON Schema of a callback, or of all."`
	AsyncAPI asyncAPICmd `cmd:"" name:"asyncapi" help:"Print the AsyncAPI 3 document of all callbacks."`
}

type deliveriesCmd struct {
	dataFlag
	Event     string `help:"Only this event (webhook-id)."`
	Callback  string `help:"Only this callback, by its key in webhooks.yml."`
	Operation string `help:"Only this operationID."`
	Subject   string `help:"Only this conversation or user."`
	Message   string `help:"Only this message, by client or server id."`
	Outcome   string `help:"Only this outcome."`
	Before    int    `help:"Only entries below this id, to go on where a list ended."`
	Limit     int    `help:"At most this many." default:"50"`
	JSON      bool   `name:"json" help:"One JSON object per line."`
}

// Run prints a table, or JSON lines.
func (d *deliveriesCmd) Run(ctx context.Context, w io.Writer) error {
	form := url.Values{"limit": {strconv.Itoa(d.Limit)}}
	for name, value := range map[string]string{
		"event": d.Event, "callback": d.Callback, "operation": d.Operation, "subject": d.Subject, "message": d.Message, "outcome": d.Outcome,
	} {
		if value != "" {
			form.Set(name, value)
		}
	}
	if d.Before > 0 {
		form.Set("before", strconv.Itoa(d.Before))
	}
	var list []store.Delivery
	if err := d.call(ctx, http.MethodGet, "/webhook/deliveries", form, &list); err != nil {
		return err
	}
	if d.JSON {
		enc := json.NewEncoder(w)
		for _, e := range list {
			if err := enc.Encode(e); err != nil {
				return err
			}
		}
		return nil
	}
	return printDeliveries(w, list)
}

func printDeliveries(w io.Writer, list []store.Delivery) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tTIME\tCALLBACK\tATTEMPT\tSTATUS\tMS\tOUTCOME\tSUBJECT\tEVENT\tREASON")
	for _, e := range list {
		fmt.Fprintf(t, "%d\t%s\t%s\t%d\t%d\t%d\t%s\t%s\t%s\t%s\n", e.ID, e.StartedAt.Time().Format(time.RFC3339), e.Callback, e.Attempt,
			e.Status, e.DurationMS, e.Outcome, e.Subject, e.EventID, e.Reason)
	}
	return t.Flush()
}

type showCmd struct {
	dataFlag
	Event string `arg:"" help:"The event's id (webhook-id)."`
}

// Run prints everything known of an event.
func (s *showCmd) Run(ctx context.Context, w io.Writer) error {
	var e desk.Event
	if err := s.call(ctx, http.MethodGet, "/webhook/event", url.Values{"id": {s.Event}}, &e); err != nil {
		return err
	}
	switch {
	case e.Pending != nil:
		fmt.Fprintf(w, "waits in lane %s since %s\n%s\n", e.Pending.Lane, e.Pending.CreatedAt.Time().Format(time.RFC3339), e.Pending.Body)
	case len(e.Dead) > 0:
		d := e.Dead[0]
		fmt.Fprintf(w, "given up at %s after %d attempts: %s\n%s\n", d.DiedAt.Time().Format(time.RFC3339), d.Attempts, d.Reason, d.Body)
	case len(e.Deliveries) == 0:
		return fmt.Errorf("no event %s is known", s.Event)
	default:
		fmt.Fprintln(w, "done")
	}
	return printDeliveries(w, e.Deliveries)
}

type deadCmd struct {
	dataFlag
	Endpoint string `help:"Only those of this endpoint."`
	Callback string `help:"Only this callback, by its key in webhooks.yml."`
	Limit    int    `help:"At most this many." default:"50"`
}

// Run prints a table.
func (d *deadCmd) Run(ctx context.Context, w io.Writer) error {
	var list []store.DeadEvent
	form := url.Values{"limit": {strconv.Itoa(d.Limit)}, "callback": {d.Callback}, "endpoint": {d.Endpoint}}
	if err := d.call(ctx, http.MethodGet, "/webhook/dead", form, &list); err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "DIED\tCALLBACK\tATTEMPTS\tSUBJECT\tEVENT\tREASON")
	for _, e := range list {
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\t%s\n", e.DiedAt.Time().Format(time.RFC3339), e.Callback, e.Attempts, e.Subject, e.EventID, e.Reason)
	}
	return t.Flush()
}

type replayCmd struct {
	dataFlag
	forwardFlags
	Items    []string `arg:"" optional:"" help:"The event's id (webhook-id); with --to, files."`
	Callback string   `help:"All given-up events of this callback."`
	All      bool     `help:"All given-up events."`
	To       string   `placeholder:"URL" help:"Ask this handler again what the files hold, and compare the answers."`
}

// Run puts events back into their lanes.
func (r *replayCmd) Run(ctx context.Context, w io.Writer) error {
	switch {
	case r.To != "" && len(r.Items) == 0:
		return errors.New("name the files")
	case r.To != "":
		return replayFiles(ctx, w, r.forwardFlags, r.To, r.Items)
	case len(r.Items) > 1:
		return errors.New("one event at a time; for files name the handler with --to")
	case len(r.Items) == 0 && r.Callback == "" && !r.All:
		return errors.New("say which: an event id, --callback or --all")
	}
	event := strings.Join(r.Items, "")
	var out struct{ Replayed int }
	form := url.Values{"event": {event}, "callback": {r.Callback}}
	if err := r.call(ctx, http.MethodPost, "/webhook/replay", form, &out); err != nil {
		return err
	}
	if event != "" && out.Replayed == 0 {
		return fmt.Errorf("no event %s was given up", event)
	}
	_, err := fmt.Fprintf(w, "%d events put back\n", out.Replayed)
	return err
}
