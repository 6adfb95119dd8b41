package config

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// write makes a configuration directory. A share.yml with a secret is added
// unless the test has its own or removes it with an empty text.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	all := map[string]string{"share.yml": "secret: 'test secret'\n"}
	maps.Copy(all, files)
	for name, text := range all {
		if name == "share.yml" && text == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func mustLoad(t *testing.T, o Options) (*Config, *Report) {
	t.Helper()
	c, r, err := Load(o)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return c, r
}

// errorsOf loads what must be refused and returns the lines of the error.
func errorsOf(t *testing.T, o Options) []string {
	t.Helper()
	c, r, err := Load(o)
	problems, ok := errors.AsType[*Problems](err)
	if !ok {
		t.Fatalf("Load: got %v, want *Problems", err)
	}
	if c != nil {
		t.Error("a refused configuration was returned")
	}
	if r == nil {
		t.Error("a refused configuration has no report")
	}
	var lines []string
	for _, p := range problems.List {
		lines = append(lines, p.Error())
	}
	return lines
}

func warnings(r *Report) []string {
	var lines []string
	for _, p := range r.Problems {
		lines = append(lines, p.Severity.String()+": "+p.Error())
	}
	return lines
}

func render(r *Report) string {
	var b strings.Builder
	_, _ = r.WriteTo(&b)
	return b.String()
}

// expectLine looks for a finding that starts with place and has all parts.
func expectLine(t *testing.T, lines []string, place string, parts ...string) {
	t.Helper()
	for _, line := range lines {
		rest, ok := strings.CutPrefix(line, place)
		if !ok {
			continue
		}
		missing := false
		for _, part := range parts {
			missing = missing || !strings.Contains(rest, part)
		}
		if !missing {
			return
		}
	}
	t.Errorf("no finding at %q with %q in:\n%s", place, parts, strings.Join(lines, "\n"))
}
