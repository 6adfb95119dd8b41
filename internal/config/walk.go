package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/parley-im/parley/internal/webhook/registry"
)

// walker compares one file with its schema.
type walker struct {
	*loader
	file *file
	name string // in the directory
}

func (w *walker) walk(prefix string, keys []key, n *node) {
	for _, f := range n.fields {
		if f.line == 0 { // brought in by a merge key
			f.line, f.col = f.val.line, f.val.col
		}
		k := findKey(keys, f.name)
		switch {
		case k == nil:
			w.unknown(prefix, keys, f)
		case k.kind != section:
			w.keep(prefix, k, f)
		case f.val.kind == mapNode:
			w.walk(prefix+k.name+".", k.keys, f.val)
		case f.val.kind == nullNode, w.file.ignored != "":
		default:
			w.problem(f, Error, prefix+k.name,
				"%s: expected %s, got '%s'", prefix+k.name, section.expected(), mask(prefix+k.name, f.val.String()))
		}
	}
}

func (w *walker) keep(prefix string, k *key, f field) {
	v := &value{
		leaf: leaf{file: w.file, path: prefix + k.name, key: k, id: leafID(w.file.name, prefix+k.name)},
		node: f.val, file: w.name, line: f.line, col: f.col,
	}
	w.values[v.leaf.id] = v
}

func (w *walker) problem(f field, s Severity, path, format string, args ...any) *Problem {
	w.add(Problem{
		File: w.name, Line: f.line, Col: f.col, Path: path,
		Message: fmt.Sprintf(format, args...), Severity: s,
	})
	return &w.problems[len(w.problems)-1]
}

// unknown explains a key that is not in the schema as well as it can.
func (w *walker) unknown(prefix string, keys []key, f field) {
	path := prefix + f.name
	if prefix == "" && w.wrapper(f) {
		// Not a matter of names: everything inside would be without effect.
		noun := "a known key"
		if w.file.name == webhooksFile {
			noun = "a webhook"
		}
		w.problem(f, Error, path,
			"'%s' is not %s; keys must be at the top level: remove this line and un-indent its contents (move everything out of '%s:')",
			f.name, noun, f.name).Kind = Nested
		return
	}
	names := keyNames(keys)
	severity := Warning
	if w.file.strict || typo(f.name, names) {
		severity = Error
	}
	p := w.problem(f, severity, path, "%s", w.explain(prefix, path, f.name, names))
	p.name, p.Kind = true, Unknown
}

// unknownKey begins the message about a key that does not exist. The path of an
// option stands without quotes, as in every message about an option.
func unknownKey(path string) string {
	if strings.Contains(path, ".") {
		return "unknown key " + path
	}
	return "unknown key '" + path + "'"
}

func (w *walker) explain(prefix, path, name string, names []string) string {
	if w.file.name == webhooksFile {
		if prefix == "" {
			if message, _ := explainCallback(name); message != "" {
				return message
			}
		} else if _, isCallback := registry.Lookup(strings.TrimSuffix(prefix, ".")); isCallback {
			if k := findKey(w.file.keys, name); k != nil {
				return fmt.Sprintf("%s: '%s' can only be set at the top level of %s", unknownKey(path), k.name, w.name)
			}
		}
	}
	message := unknownKey(path)
	if near := nearest(name, names); near != "" {
		return message + fmt.Sprintf(" (did you mean '%s'?)", near)
	}
	for _, l := range w.file.all {
		if i := strings.LastIndexByte(l.path, '.'); strings.EqualFold(l.path[i+1:], name) {
			return message + fmt.Sprintf(" (did you mean '%s'?)", l.path)
		}
	}
	return message
}

// explainCallback knows the other names a callback goes by. The key is "" when
// there is no such callback today.
func explainCallback(name string) (message, key string) {
	same := func(other string) bool { return strings.EqualFold(other, name) }
	for _, c := range registry.All() {
		if same(c.Command) || slices.ContainsFunc(c.Aliases, same) {
			return fmt.Sprintf("'%s' is a command, the key is '%s'", name, c.Key), c.Key
		}
	}
	for old, current := range registry.OldNames() {
		switch {
		case !same(old):
		case current == "":
			return fmt.Sprintf("'%s' no longer exists since 3.7", name), ""
		default:
			return fmt.Sprintf("'%s' was renamed to '%s' in 3.7", name, current), current
		}
	}
	return "", ""
}

// wrapper reports whether an unknown top-level key only adds a level above keys
// that belong to the top.
func (w *walker) wrapper(f field) bool {
	if f.val.kind != mapNode {
		return false
	}
	return slices.ContainsFunc(f.val.fields, func(inner field) bool {
		if findKey(w.file.keys, inner.name) != nil {
			return true
		}
		message, _ := explainCallback(inner.name)
		return w.file.name == webhooksFile && message != ""
	})
}

// oldConfig looks for the single file of OpenIM up to 3.6, whose callback block
// nobody reads any more.
func (l *loader) oldConfig(name string) bool {
	data, err := readLimited(filepath.Join(l.dir, name))
	if err != nil {
		return false
	}
	root, _ := parseYAML(data)
	if root == nil {
		return false
	}
	f, ok := root.field("callback")
	if !ok || f.val.kind != mapNode {
		return false
	}
	l.report.Unrelated = append(l.report.Unrelated, name)
	var renamed []string
	for _, inner := range f.val.fields {
		for old, current := range registry.OldNames() {
			if strings.EqualFold(old, inner.name) {
				if current == "" {
					current = "(gone)"
				}
				renamed = append(renamed, old+" -> "+current)
			}
		}
	}
	slices.Sort(renamed)
	message := "this is the configuration of OpenIM 3.6 or older, which is not read; its 'callback' block belongs into webhooks.yml, with every key at the top level"
	if len(renamed) > 0 {
		message += "; renamed: " + strings.Join(renamed, ", ")
	}
	severity := Error
	if _, ok := l.names[webhooksFile]; ok {
		severity = Warning
	}
	l.add(Problem{File: name, Line: f.line, Col: f.col, Path: f.name, Message: message, Severity: severity})
	return true
}
