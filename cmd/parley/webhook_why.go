package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/webhook/explain"
	"github.com/parley-im/parley/internal/webhook/registry"
)

type whyCmd struct {
	dataFlag
	ID      string `arg:"" optional:"" help:"An operationID, a clientMsgID, a serverMsgID, or an event's id (webhook-id)."`
	Config  string `placeholder:"EVENT" help:"A callback, by its key in webhooks.yml: why it is called or not in general, or with an ID for that."`
	Dir     string `short:"c" type:"path" help:"Look into this configuration directory instead of asking the running server."`
	EnvFile string `name:"env-file" type:"path" help:"Also count the variables of this file (such as .env of docker compose) as set here."`
	JSON    bool   `name:"json" help:"As a JSON object."`
}

// Run prints what is known and what is wrong.
func (c *whyCmd) Run(ctx context.Context, w io.Writer) error {
	env, err := c.variables()
	if err != nil {
		return err
	}
	q := explain.Question{ID: c.ID, Callback: c.Config, Env: env}
	var report explain.Report
	switch {
	case c.ID == "" && c.Config == "":
		return errors.New("say which: an id, or a callback with --config")
	case c.Dir != "" && c.ID != "":
		return errors.New("only the running server knows ids; leave out -c")
	case c.Dir != "":
		if _, known := registry.Lookup(c.Config); !known {
			return fmt.Errorf("'%s' is no callback of webhooks.yml", c.Config)
		}
		_, read, err := config.Load(config.Options{Dir: c.Dir, Environ: os.Environ()})
		report = explain.Files(read, err, q)
	default:
		form := url.Values{"id": {q.ID}, "callback": {q.Callback}, "env": {strings.Join(q.Env, ",")}}
		if err := c.call(ctx, http.MethodGet, "/webhook/why", form, &report); err != nil {
			return err
		}
	}
	if c.JSON {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(report)
	}
	_, err = report.WriteTo(w)
	return err
}

// variables are the names of the settings that are set here.
func (c *whyCmd) variables() ([]string, error) {
	lines := os.Environ()
	if c.EnvFile != "" {
		text, err := os.ReadFile(c.EnvFile)
		if err != nil {
			return nil, err
		}
		lines = append(lines, strings.Split(string(text), "\n")...)
	}
	var names []string
	for _, line := range lines {
		name, value, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
		if strings.HasPrefix(name, "IMENV_") && strings.TrimSpace(value) != "" {
			names = append(names, strings.TrimSpace(name))
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
