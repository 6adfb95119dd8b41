package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/parley-im/parley/hooks/schema"
	"github.com/parley-im/parley/internal/webhook/registry"
)

type schemaCmd struct {
	Event  string `arg:"" optional:"" help:"A callback by its key in webhooks.yml or its command; default all, by key."`
	Answer bool   `help:"The schema of the answer to a before-callback instead of that of the request."`
}

// Run prints a JSON Schema, draft 2020-12.
func (s *schemaCmd) Run(w io.Writer) error {
	if s.Event != "" {
		c, err := findCallback(s.Event)
		if err != nil {
			return err
		}
		text, err := s.of(c)
		if err == nil {
			_, err = w.Write(text)
		}
		return err
	}
	all := map[string]json.RawMessage{}
	for _, c := range registry.All() {
		if s.Answer && c.Kind != registry.Before {
			continue
		}
		text, err := s.of(c)
		if err != nil {
			return err
		}
		all[c.Key] = text
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(all)
}

func (s *schemaCmd) of(c registry.Callback) ([]byte, error) {
	if !s.Answer {
		return schema.Request(c.Command)
	}
	if c.Kind != registry.Before {
		return nil, fmt.Errorf("%s is a report: any 2xx status answers it", c.Key)
	}
	return schema.Answer(c.Command)
}

// findCallback takes a key, a command, or a name that a command had.
func findCallback(name string) (registry.Callback, error) {
	for _, c := range registry.All() {
		if strings.EqualFold(c.Key, name) || c.Command == name || slices.Contains(c.Aliases, name) {
			return c, nil
		}
	}
	return registry.Callback{}, fmt.Errorf("there is no callback %s; docs/webhooks.md lists all", name)
}

type asyncAPICmd struct{}

// Run prints the document.
func (asyncAPICmd) Run(w io.Writer) error {
	_, err := w.Write(schema.AsyncAPI())
	return err
}
