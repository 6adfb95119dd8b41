package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/webhook"
)

type testCmd struct {
	remoteFlags
	Event string `arg:"" optional:"" help:"A callback, by its key in webhooks.yml; default all that are on."`
	JSON  bool   `name:"json" help:"One JSON object per line."`
}

// Run prints the verdict on each sample. One that is of no use makes the exit code
// 1.
func (t *testCmd) Run(ctx context.Context, w io.Writer) error {
	r, err := t.remote(ctx)
	if err != nil {
		return err
	}
	keys := []string{t.Event}
	if t.Event == "" {
		var on struct{ Callbacks []string }
		if err := r.Post(ctx, "/webhook/callbacks", struct{}{}, &on); err != nil {
			return err
		}
		if keys = on.Callbacks; len(keys) == 0 {
			return errors.New("every callback is off; name one to test it all the same")
		}
	}
	failed := 0
	for _, key := range keys {
		var v webhook.Verdict
		if err := r.Post(ctx, "/webhook/test", map[string]string{"callback": key}, &v); err != nil {
			return err
		}
		if v.Reason != "" {
			failed++
		}
		if t.JSON {
			if err := json.NewEncoder(w).Encode(v); err != nil {
				return err
			}
			continue
		}
		printVerdict(w, v)
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d callbacks got no answer that can be used", failed, len(keys))
	}
	return nil
}

func printVerdict(w io.Writer, v webhook.Verdict) {
	signed := "not signed"
	if v.Signed {
		signed = "signed"
	}
	fmt.Fprintf(w, "%s -> %s (%s)\n", v.Callback, v.URL, signed)
	fmt.Fprintf(w, "  status %d after %d ms, %s\n", v.Status, v.DurationMS, v.Outcome)
	if v.Reason != "" {
		fmt.Fprintf(w, "  reason: %s\n", v.Reason)
	}
	if v.ErrCode != 0 {
		fmt.Fprintf(w, "  the caller would get %d %s %s\n", v.ErrCode, v.ErrMsg, v.ErrDlt)
	}
	if v.Answer != "" {
		fmt.Fprintf(w, "  answer: %s\n", strings.TrimSpace(v.Answer))
	}
}

type triggerCmd struct {
	remoteFlags
	Event string        `arg:"" help:"A callback that is on, by its key in webhooks.yml."`
	Wait  time.Duration `help:"How long to wait for the outcome." default:"30s"`
}

// Run sends a sample through the whole pipeline and prints each attempt, until one
// settles it.
func (t *triggerCmd) Run(ctx context.Context, w io.Writer) error {
	r, err := t.remote(ctx)
	if err != nil {
		return err
	}
	var started struct{ OperationID string }
	if err := r.Post(ctx, "/webhook/trigger", map[string]string{"callback": t.Event}, &started); err != nil {
		return err
	}
	fmt.Fprintf(w, "operation %s\n", started.OperationID)
	ctx, cancel := context.WithTimeout(ctx, t.Wait)
	defer cancel()
	settled := errors.New("settled")
	err = follow(ctx, w, r, map[string]any{"operation": started.OperationID}, 0, func(d store.Delivery) error {
		printDelivery(w, d)
		if d.Outcome == "retry" {
			return nil
		}
		return settled
	})
	switch {
	case errors.Is(err, settled):
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no outcome after %s: see parley webhook why %s", t.Wait, started.OperationID)
	}
	return err
}

type tailCmd struct {
	remoteFlags
	Event    string `help:"Only this callback, by its key in webhooks.yml."`
	Endpoint string `help:"Only calls to this endpoint."`
	Status   string `help:"Only calls with this HTTP status, or outcome, or class such as 5xx; none for calls without an answer."`
	JSON     bool   `name:"json" help:"One JSON object per line."`
}

// Run prints calls as they are logged, until it is interrupted. It reads the
// delivery log, so nothing waits for it.
func (t *tailCmd) Run(ctx context.Context, w io.Writer) error {
	r, err := t.remote(ctx)
	if err != nil {
		return err
	}
	filter := map[string]any{"callback": t.Event, "endpoint": t.Endpoint}
	var newest struct{ Deliveries []store.Delivery }
	if err := r.Post(ctx, "/webhook/deliveries", map[string]any{"limit": 1}, &newest); err != nil {
		return err
	}
	var after int64
	if len(newest.Deliveries) > 0 {
		after = newest.Deliveries[0].ID
	}
	err = follow(ctx, w, r, filter, after, func(d store.Delivery) error {
		switch {
		case !t.wants(d):
			return nil
		case t.JSON:
			return json.NewEncoder(w).Encode(d)
		}
		printDelivery(w, d)
		return nil
	})
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (t *tailCmd) wants(d store.Delivery) bool {
	status := fmt.Sprint(d.Status)
	return t.Status == "" || t.Status == status || t.Status == d.Outcome || t.Status == "none" && d.Status == 0 ||
		len(t.Status) == 3 && strings.HasSuffix(t.Status, "xx") && d.Status != 0 && status[0] == t.Status[0]
}

const (
	lookAgain = 300 * time.Millisecond
	// overlap is how many ids are looked at again: rows written at the same time
	// may appear in another order than that of their ids.
	overlap = 100
	// mostRows is how many rows are read at a time.
	mostRows = 1000
)

// follow hands on the rows of the delivery log above an id, each once and in
// order, as they appear.
func follow(ctx context.Context, w io.Writer, r *remote, filter map[string]any, after int64, f func(store.Delivery) error) error {
	seen := make(map[int64]bool)
	start, newest := after, after
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		filter["after"], filter["limit"] = max(start, newest-overlap), mostRows
		var out struct{ Deliveries []store.Delivery }
		if err := r.Post(ctx, "/webhook/deliveries", filter, &out); err != nil {
			return err
		}
		if len(out.Deliveries) == mostRows && newest > 0 {
			fmt.Fprintf(w, "more than %d calls at once: older ones are left out here; parley webhook deliveries has them\n", mostRows)
		}
		for _, d := range slices.Backward(out.Deliveries) {
			if seen[d.ID] {
				continue
			}
			seen[d.ID] = true
			newest = max(newest, d.ID)
			if err := f(d); err != nil {
				return err
			}
		}
		for id := range seen {
			if id < newest-2*overlap {
				delete(seen, id)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func printDelivery(w io.Writer, d store.Delivery) {
	line := fmt.Sprintf("%s %s %s attempt %d: %s after %d ms", d.StartedAt.Time().Format("15:04:05.000"), d.Callback, d.Endpoint, d.Attempt, d.Outcome, d.DurationMS)
	if d.Status != 0 {
		line += fmt.Sprintf(", status %d", d.Status)
	}
	if d.Reason != "" {
		line += ", " + d.Reason
	}
	if d.ErrCode != 0 {
		line += fmt.Sprintf(", code %d", d.ErrCode)
	}
	fmt.Fprintln(w, line)
}
