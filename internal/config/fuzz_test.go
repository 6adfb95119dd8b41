package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-im/parley/internal/webhook/registry"
)

// FuzzLoad gives any text to every recognised file: it must be refused with
// places inside the text, or make a complete configuration.
func FuzzLoad(f *testing.F) {
	shipped, err := filepath.Glob("testdata/openim/main-2026-07/*.yml")
	if err != nil || len(shipped) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for i, schema := range files() {
		for _, path := range shipped {
			if filepath.Base(path) != schema.fileName() {
				continue
			}
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(uint8(i), data)
		}
	}
	for _, seed := range []string{
		"", "a", "- a", "a: &x [*x]", "a: &x {b: 1}\nc: {<<: *x, <<: [*x, *x]}", "? [a]\n: b", "{{[", "a: !!binary x", "%YAML 1.2\n---\na: 1",
		"url: |\n  x\nurl: >-\n y\n", "\xff\xfe", "a: 1\r\n\tb", "afterUserOnline: {timeout: 1e300, enable: .inf}", "'a': \"\\u0000\"",
		"beforeMsgModify: {deniedTypes: [-1, 5-, 9999999999999]}",
	} {
		f.Add(uint8(2), []byte(seed))
	}
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		schema := files()[int(which)%len(files())]
		l := newLoader(Options{})
		l.takeFile(schema, schema.fileName(), data)
		c, r, err := l.load()
		if _, err := r.WriteTo(new(strings.Builder)); err != nil {
			t.Fatal(err)
		}
		lines := strings.Count(string(data), "\n") + strings.Count(string(data), "\r") + 1
		if err != nil {
			problems, ok := errors.AsType[*Problems](err)
			if !ok || len(problems.List) == 0 {
				t.Fatalf("refused with %v", err)
			}
			for _, p := range problems.List {
				if p.Line < 0 || p.Line > lines || p.Message == "" {
					t.Fatalf("%d lines, problem %+v", lines, p)
				}
			}
			return
		}
		if len(c.Webhooks.Callbacks) != len(registry.All()) || len(c.API.Ports) == 0 || len(c.Gateway.Ports) == 0 {
			t.Fatalf("incomplete: %+v", c)
		}
		for key, cb := range c.Webhooks.Callbacks {
			if cb.Timeout <= 0 || cb.Command == "" || cb.Key != key {
				t.Fatalf("%s: %+v", key, cb)
			}
		}
	})
}
