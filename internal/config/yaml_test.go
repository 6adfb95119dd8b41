package config

import (
	"strings"
	"testing"
)

func TestYAMLLimits(t *testing.T) {
	t.Parallel()
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for _, pair := range []string{"ba", "cb", "dc", "ed", "fe"} {
		ref := "*" + pair[1:]
		bomb += pair[:1] + ": &" + pair[:1] + " [" + strings.TrimSuffix(strings.Repeat(ref+",", 10), ",") + "]\n"
	}
	tests := map[string]struct{ text, want string }{
		"bytes":      {strings.Repeat("x", maxFileBytes+1), "bytes"},
		"lines":      {strings.Repeat("a: b\n", maxLines+1), "lines"},
		"alias bomb": {bomb, "more than 20000 values"},
		"brackets":   {strings.Repeat("[", 100_000), "nested too deeply"},
		"dashes":     {strings.Repeat("- ", 100_000), "nested too deeply"},
		"questions":  {strings.Repeat("? ", 100_000), "nested too deeply"},
		"sections":   {nested(200), "nested too deeply"},
		"NUL":        {"a: b\x00", "NUL"},
		"documents":  {"a: 1\n---\nb: 2\n", "only one YAML document"},
		"alias":      {"a: *b\n", "no anchor"},
		"odd key":    {"? [a]\n: b\n", "invalid key"},
		"odd merge":  {"a: 1\n<<: x\n", "needs a mapping"},
		"unreadable": {"a: 'b\n", "invalid YAML"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root, errs := parseYAML([]byte(tt.text))
			if root != nil || len(errs) != 1 || !strings.Contains(errs[0].message, tt.want) {
				t.Fatalf("got %v, %v; want an error about %q", root, errs, tt.want)
			}
			if errs[0].line < 1 {
				t.Errorf("the error has line %d", errs[0].line)
			}
		})
	}
}

func nested(levels int) string {
	var b strings.Builder
	for i := range levels {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

func TestMergeKeys(t *testing.T) {
	t.Parallel()
	root, errs := parseYAML([]byte("base: &base\n  a: 1\n  b: 2\nmore: &more {c: 3, a: 9}\nall:\n  b: 7\n  <<: [*base, *more]\n"))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	all, _ := root.field("ALL")
	for name, want := range map[string]string{"a": "1", "b": "7", "c": "3"} {
		if f, ok := all.val.field(name); !ok || f.val.text != want {
			t.Errorf("%s is %v, want %s", name, f.val, want)
		}
	}
	if len(all.val.fields) != 3 {
		t.Errorf("%d fields", len(all.val.fields))
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	names := []string{"enable", "timeout", "failedContinue", "w", "j", "db"}
	for name, want := range map[string]string{
		"enabled": "enable", "Enabel": "enable", "failContinue": "failedContinue", "timeuot": "timeout",
		"x": "", "zz": "", "somethingElse": "", "tmeout": "timeout",
	} {
		if got := nearest(name, names); got != want {
			t.Errorf("nearest(%s) = %q, want %q", name, got, want)
		}
	}
	if typo("x", names) || typo("dx", names) || !typo("enabled", names) {
		t.Error("typo takes short names for slips, or misses a real one")
	}
}
