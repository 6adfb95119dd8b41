package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Options says where to look.
type Options struct {
	// Dir is the configuration directory. When it is "", CONFIG_PATH of Environ
	// is used; without either the defaults and Environ make the configuration.
	Dir     string
	DataDir string // overrides parley.yml and the environment when set
	// Lenient accepts unknown names with a warning. Wrong values stay errors.
	Lenient bool
	Environ []string // in the form of os.Environ
	// Index picks one entry of every port list, counting from 0, for setups
	// that start OpenIM several times with -i. 0 listens on all of them.
	Index int
	// Contents replaces or adds files of Dir by name, to check what is about to
	// be written.
	Contents map[string][]byte
}

// Load reads the configuration. When it is invalid the error is a *Problems
// with everything that is wrong, the Config is nil, and the Report is filled
// all the same.
func Load(o Options) (*Config, *Report, error) {
	l := newLoader(o)
	l.readDir()
	return l.load()
}

// load makes a configuration from the files that were taken.
func (l *loader) load() (*Config, *Report, error) {
	l.readEnv()
	l.apply()
	l.finish()
	l.check()
	return l.result()
}

// loader holds one run of Load.
type loader struct {
	opts     Options
	dir      string
	env      map[string]string
	draft    *draft
	defaults *draft
	values   map[string]*value // by leaf id; the environment has replaced files
	names    map[string]string // schema file name → name found in dir
	broken   map[string]bool   // schema files that could not be understood
	report   *Report
	problems []Problem
}

// value is what an operator gave for one key.
type value struct {
	leaf leaf
	node *node
	file string // name in the directory, or name of the variable
	env  bool
	line int
	col  int
	// replaced is the value in the file that the environment wins over.
	replaced *value
}

func (v *value) source() string {
	if v.env {
		return "env " + v.file
	}
	return fmt.Sprintf("%s:%d", v.file, v.line)
}

// shown is the value as given, masked.
func (v *value) shown() string { return mask(v.leaf.path, v.node.String()) }

func newLoader(o Options) *loader {
	l := &loader{
		opts: o, env: make(map[string]string),
		values: make(map[string]*value), names: make(map[string]string), broken: make(map[string]bool), report: &Report{},
	}
	for _, assignment := range o.Environ {
		if name, v, ok := strings.Cut(assignment, "="); ok {
			l.env[name] = v
		}
	}
	l.dir = o.Dir
	if l.dir == "" {
		l.dir = l.env["CONFIG_PATH"]
	}
	l.draft, l.defaults = newDraft(l.dir), newDraft(l.dir)
	l.report.Dir = l.dir
	return l
}

func (l *loader) add(p Problem) { l.problems = append(l.problems, p) }

// at reports something about a value that was given.
func (l *loader) at(v *value, s Severity, format string, args ...any) {
	p := Problem{File: v.file, Path: v.leaf.path, Message: fmt.Sprintf(format, args...), Severity: s}
	if !v.env {
		p.Line, p.Col = v.line, v.col
	}
	l.add(p)
}

// given finds what the operator set; a key without a value is not set.
func (l *loader) given(file, path string) (*value, bool) {
	v, ok := l.values[leafID(file, path)]
	return v, ok && v.node.kind != nullNode
}

func (l *loader) givenLeaf(lf leaf) (*value, bool) {
	v, ok := l.values[lf.id]
	return v, ok && v.node.kind != nullNode
}

// changed reports whether a value came out different from the default.
func (l *loader) changed(v *value) bool {
	k := v.leaf.key
	return k.bind != nil && v.node.kind != nullNode &&
		format(k.bind(l.draft), k.kind) != format(k.bind(l.defaults), k.kind)
}

// unrelated are files of an OpenIM directory that configure other programs.
var unrelated = []string{
	"prometheus.yml", "alertmanager.yml", "instance-down-rules.yml", "email.tmpl", "grafana-template",
}

func (l *loader) readDir() {
	if l.dir == "" {
		return
	}
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		l.add(Problem{Severity: Error, Message: fmt.Sprintf("configuration directory: %v", err)})
		return
	}
	present := make(map[string]bool, len(entries))
	for _, entry := range entries {
		// A ConfigMap is mounted as links into hidden directories.
		if !strings.HasPrefix(entry.Name(), ".") {
			present[entry.Name()] = true
		}
	}
	for name := range l.opts.Contents {
		present[name] = true
	}
	for _, f := range files() {
		short, long := f.name+".yml", f.name+".yaml"
		switch {
		case present[short] && present[long]:
			l.add(Problem{
				File: short, Severity: Error,
				Message: fmt.Sprintf("both %s and %s exist; keep one of them", short, long),
			})
			l.broken[f.name] = true
		case present[short]:
			l.readFile(f, short)
		case present[long]:
			l.readFile(f, long)
		default:
			if f.ignored == "" && f.name != ownFile {
				l.report.Missing = append(l.report.Missing, short)
			}
		}
		delete(present, short)
		delete(present, long)
	}
	for _, entry := range entries {
		if present[entry.Name()] {
			l.strange(entry.Name())
		}
	}
}

// strange deals with a file that is no part of the schema.
func (l *loader) strange(name string) {
	ext := filepath.Ext(name)
	base := strings.TrimSuffix(name, ext)
	switch {
	case slices.Contains(unrelated, name), strings.HasPrefix(name, "README"):
		l.report.Unrelated = append(l.report.Unrelated, name)
		return
	case ext != ".yml" && ext != ".yaml":
		return
	case base == "config" && l.oldConfig(name):
		return
	}
	l.report.Unrecognised = append(l.report.Unrecognised, name)
	known := make([]string, 0, len(files()))
	for _, f := range files() {
		known = append(known, f.name)
	}
	message := "file not recognised"
	if near := nearest(base, known); near != "" {
		message += fmt.Sprintf(" (did you mean '%s%s'?)", near, ext)
	}
	l.add(Problem{File: name, Severity: Warning, Message: message})
}

func (l *loader) readFile(f *file, name string) {
	data, given := l.opts.Contents[name]
	var err error
	if !given {
		data, err = readLimited(filepath.Join(l.dir, name))
	}
	if err != nil {
		l.add(Problem{File: name, Severity: f.severity(), Message: err.Error()})
		l.broken[f.name] = true
		return
	}
	l.takeFile(f, name, data)
}

// takeFile collects the values of one file.
func (l *loader) takeFile(f *file, name string, data []byte) {
	l.names[f.name] = name
	l.report.Found = append(l.report.Found, name)
	root, errs := parseYAML(data)
	severity := f.severity()
	for _, e := range errs {
		l.add(Problem{File: name, Line: e.line, Col: e.col, Message: e.message, Severity: severity})
	}
	l.broken[f.name] = root == nil
	if root == nil || root.kind == nullNode {
		return
	}
	if root.kind != mapNode {
		l.broken[f.name] = true
		l.add(Problem{
			File: name, Line: root.line, Col: root.col, Severity: severity,
			Message: "expected keys with values, each on a line of its own",
		})
		return
	}
	w := walker{loader: l, file: f, name: name}
	w.walk("", f.keys, root)
}

// readLimited reads a regular file. Reading stops where parseYAML would refuse
// the size anyway.
func readLimited(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, shortPathError(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	if info.Size() > maxFileBytes {
		return nil, fmt.Errorf("the file has %d bytes; at most %d are read", info.Size(), maxFileBytes)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, shortPathError(err)
	}
	return data, nil
}

// shortPathError drops the path, which the problem names already.
func shortPathError(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("cannot be read: %w", e.Err)
	}
	return err
}

// result sorts what was found into an error, for errors, and the report.
func (l *loader) result() (*Config, *Report, error) {
	lenient := l.opts.Lenient || l.draft.lenient
	var refused Problems
	for _, p := range l.problems {
		if p.Severity == Error && p.name && lenient {
			p.Severity = Warning
		}
		if p.Severity == Error {
			refused.List = append(refused.List, p)
		} else {
			l.report.Problems = append(l.report.Problems, p)
		}
	}
	sortProblems(refused.List)
	sortProblems(l.report.Problems)
	cfg := l.draft.Config
	l.describe(cfg)
	l.report.Effective = l.effective()
	l.report.draft = cfg
	if len(refused.List) > 0 {
		return nil, l.report, &refused
	}
	return cfg, l.report, nil
}
