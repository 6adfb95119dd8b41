package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/reload"
)

type configCmd struct {
	Check  checkCmd  `cmd:"" help:"Check a configuration directory and print what it means."`
	Reload reloadCmd `cmd:"" help:"Make the running server read its configuration again."`
	Status statusCmd `cmd:"" help:"Tell what is in effect in the running server, and what is wrong with its files."`
}

type checkCmd struct {
	Dir     string `arg:"" optional:"" type:"path" help:"OpenIM configuration directory."`
	Lenient bool   `name:"config-lenient" env:"PARLEY_CONFIG_LENIENT" help:"Warn about unknown names instead of refusing them."`
}

// Run prints the report of a directory; errors make the exit code 1.
func (k *checkCmd) Run(w io.Writer) error {
	_, report, err := configFlags{Dir: k.Dir, Lenient: k.Lenient}.load()
	if err != nil {
		return reportErrors(report, err)
	}
	_, err = report.WriteTo(w)
	return err
}

type reloadCmd struct{ dataFlag }

// Run prints what changed; a refused configuration makes the exit code 1.
func (r *reloadCmd) Run(ctx context.Context, w io.Writer) error {
	var out reload.Outcome
	if err := r.call(ctx, http.MethodPost, "/config/reload", nil, &out); err != nil {
		return err
	}
	if len(out.Changes)+len(out.Pending) == 0 {
		_, err := fmt.Fprintln(w, "nothing changed")
		return err
	}
	printChanges(w, out.Changes, "in effect")
	printChanges(w, out.Pending, "needs a restart")
	return nil
}

func printChanges(w io.Writer, changes []config.Change, fate string) {
	for _, c := range changes {
		fmt.Fprintf(w, "%s: %s %s: %s -> %s (%s)\n", fate, c.File, c.Path, quoted(c.Old), quoted(c.New), c.Source)
	}
}

func quoted(s string) string {
	if s == "" {
		return `""`
	}
	return s
}

type statusCmd struct {
	dataFlag
	JSON bool `name:"json" help:"As a JSON object."`
}

// Run prints the state of the configuration.
func (s *statusCmd) Run(ctx context.Context, w io.Writer) error {
	var out reload.Status
	if err := s.call(ctx, http.MethodGet, "/config/status", nil, &out); err != nil {
		return err
	}
	if s.JSON {
		return json.NewEncoder(w).Encode(out)
	}
	fmt.Fprintf(w, "in effect since %s, read again with changes %d times, refused %d times\n",
		out.Since.Time().Format(time.RFC3339), out.Applied, out.Refused)
	printChanges(w, out.Pending, "needs a restart")
	if len(out.Problems) > 0 {
		fmt.Fprintf(w, "the files were refused at %s:\n", out.RefusedAt.Time().Format(time.RFC3339))
	}
	for _, p := range out.Problems {
		fmt.Fprintf(w, "  %s\n", p.Error())
	}
	for _, b := range out.Beside {
		fmt.Fprintf(w, "%s since %s: %s\n", b.Name, b.Since.Time().Format(time.RFC3339), b.InUse)
		if b.Problem != "" {
			fmt.Fprintf(w, "  what the files hold now was refused at %s: %s\n", b.RefusedAt.Time().Format(time.RFC3339), b.Problem)
		}
	}
	return nil
}
