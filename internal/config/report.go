package config

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/parley-im/parley/internal/webhook/registry"
)

// Report is what the operator is told at start and by `config check`. Values
// of secrets are masked before they get here.
type Report struct {
	Dir          string
	Found        []string
	Missing      []string // files whose keys keep their defaults
	Unrelated    []string // files that belong to other programs
	Unrecognised []string
	Env          []string // variables that were applied

	Settings []Entry // values other than the default
	Adapted  []Entry
	NotYet   []Entry // one per file, about values whose effect is not built yet
	Ignored  []Entry // one per file
	Legacy   []Entry

	// Problems are warnings and hints, in reading order. Errors are in the
	// error of Load.
	Problems []Problem

	WebhookURL string
	Webhooks   []Webhook // enabled callbacks
	Off        int       // callbacks that are not enabled

	Listen  []string
	DataDir string
	Log     string

	Effective *Effective // every value, for comparing and showing

	draft *Config // what came of it, also when it was refused
}

// Snapshot describes what was read, also when it was refused.
func (r *Report) Snapshot() Snapshot { return r.Effective.Snapshot(r.draft, r) }

// Entry is one line of the report.
type Entry struct {
	Source string // "webhooks.yml:12", "env IMENV_…", or a file name
	Path   string
	Value  string
	Note   string
}

// Webhook is one line of the webhook table.
type Webhook struct {
	Key            string
	Command        string
	URL            string
	Timeout        string
	FailedContinue string // "-" for after-callbacks
	Filters        string
	Sources        string
}

const hidden = "****"

// mask hides the value of a key that holds a secret, and passwords in URLs.
func mask(path, text string) string {
	if text == "" {
		return ""
	}
	if secret(path) {
		return hidden
	}
	return redactURL(text)
}

var secretParam = regexp.MustCompile(`(?i)([?&][^=&]*(?:secret|password|token|key|credential)[^=&]*=)[^&#\s]*`)

var userinfo = regexp.MustCompile(`://[^/@\s]*@`)

// redactURL hides user names and passwords, and query values named like one. It
// works on text and not on a parsed URL, because broken URLs are shown as well.
func redactURL(raw string) string {
	raw = userinfo.ReplaceAllString(raw, "://"+hidden+"@")
	return secretParam.ReplaceAllString(raw, "${1}"+hidden)
}

// describe fills the report from what was read and what came of it.
func (l *loader) describe(c *Config) {
	r := l.report
	for _, f := range files() {
		l.describeFile(f, c)
	}
	slices.Sort(r.Env)
	r.WebhookURL = redactURL(c.Webhooks.URL)
	for _, k := range registry.All() {
		if cb := c.Webhooks.Callbacks[k.Key]; cb.Enable {
			r.Webhooks = append(r.Webhooks, describeCallback(k, cb, c.Webhooks.CommandInQuery))
		} else {
			r.Off++
		}
	}
	for _, port := range c.API.Ports {
		r.Listen = append(r.Listen, "API "+net.JoinHostPort(c.API.ListenIP, strconv.Itoa(port)))
	}
	for _, port := range c.Gateway.Ports {
		r.Listen = append(r.Listen, "WebSocket "+net.JoinHostPort(c.Gateway.ListenIP, strconv.Itoa(port)))
	}
	r.DataDir = c.DataDir
	r.Log = describeLog(c.Log)
}

func (l *loader) describeFile(f *file, c *Config) {
	r := l.report
	var ignored, notYet byReason
	for _, lf := range f.all {
		v, ok := l.values[lf.id]
		if !ok {
			continue
		}
		k := lf.key
		if k.verdict == Ignore {
			if !k.quiet {
				ignored.add(k.doc, lf.path)
			}
			continue
		}
		if v.node.kind == nullNode {
			continue
		}
		changed := l.changed(v)
		e := Entry{Source: v.source(), Path: lf.path, Value: v.shown(), Note: k.doc}
		switch {
		case changed && k.notYet != "":
			notYet.add(k.notYet, lf.path)
		case k.verdict == Legacy:
			r.Legacy = append(r.Legacy, e)
		case k.verdict == Adapt && k.notYet == "":
			if k.effect != nil {
				e.Note = k.effect(c)
			}
			r.Adapted = append(r.Adapted, e)
		case changed && (v.env || !lf.ofCallback()):
			e.Note = ""
			if v.replaced != nil {
				e.Note = "overrides " + v.replaced.source()
			}
			r.Settings = append(r.Settings, e)
		}
	}
	name, found := l.names[f.name]
	if !found {
		name = f.fileName()
	}
	if note := notYet.String(); note != "" {
		r.NotYet = append(r.NotYet, Entry{Source: name, Note: note})
	}
	note := ignored.String()
	if f.ignored != "" && (found || note != "") {
		note = f.ignored
		if !found {
			note += " (from the environment)"
		}
	}
	if note != "" {
		r.Ignored = append(r.Ignored, Entry{Source: name, Note: note})
	}
}

// ofCallback reports whether the key is an option of one callback. Those are
// told in the webhook table.
func (l leaf) ofCallback() bool {
	_, ok := registry.Lookup(l.section())
	return ok && l.file.name == webhooksFile
}

// byReason collects keys that share a fate.
type byReason struct {
	reasons []string
	paths   map[string][]string
}

func (b *byReason) add(reason, path string) {
	if b.paths == nil {
		b.paths = make(map[string][]string)
	}
	if b.paths[reason] == nil {
		b.reasons = append(b.reasons, reason)
	}
	b.paths[reason] = append(b.paths[reason], path)
}

func (b *byReason) String() string {
	parts := make([]string, len(b.reasons))
	for i, reason := range b.reasons {
		parts[i] = collapse(b.paths[reason]) + ": " + reason
	}
	return strings.Join(parts, "; ")
}

// collapse shortens "rpc.ports, rpc.listenIP" to "rpc.*", and long lists.
func collapse(paths []string) string {
	var out []string
	for _, path := range paths {
		if i := strings.LastIndexByte(path, '.'); i >= 0 {
			sibling := func(other string) bool { return other != path && strings.HasPrefix(other, path[:i+1]) }
			if slices.ContainsFunc(paths, sibling) {
				path = path[:i] + ".*"
			}
		}
		if !slices.Contains(out, path) {
			out = append(out, path)
		}
	}
	if n := len(out); n > 6 {
		out = append(out[:3:3], fmt.Sprintf("and %d more", n-3))
	}
	return strings.Join(out, ", ")
}

func describeCallback(r registry.Callback, c Callback, inQuery bool) Webhook {
	w := Webhook{
		Key: r.Key, Command: c.Command, URL: redactURL(fullURL(c.URL, c.Command, inQuery)),
		Timeout: shortDuration(c.Timeout), FailedContinue: "-",
	}
	if r.Kind == registry.Before {
		w.FailedContinue = strconv.FormatBool(c.FailedContinue)
	}
	var filters []string
	if len(c.AttentionIDs) > 0 {
		filters = append(filters, "attentionIds "+strings.Join(c.AttentionIDs, ","))
	}
	if len(c.AllowedTypes) > 0 {
		filters = append(filters, "only "+format(&c.AllowedTypes, types))
	}
	if len(c.DeniedTypes) > 0 {
		filters = append(filters, "not "+format(&c.DeniedTypes, types))
	}
	w.Filters = strings.Join(filters, ", ")
	// Options from the same place are told together.
	var places []string
	options := make(map[string][]string)
	for _, option := range callbackOptions {
		if option == "failedContinue" && r.Kind == registry.After {
			continue
		}
		source := c.Sources[option]
		if source == sourceDefault && !slices.Contains([]string{"timeout", "failedContinue"}, option) {
			continue
		}
		if options[source] == nil {
			places = append(places, source)
		}
		options[source] = append(options[source], option)
	}
	for i, place := range places {
		places[i] = strings.Join(options[place], ", ") + ": " + place
	}
	w.Sources = strings.Join(places, "; ")
	return w
}

// fullURL is what will be called, for showing.
func fullURL(base, command string, inQuery bool) string {
	u, err := url.Parse(base)
	if err != nil || base == "" {
		return base
	}
	if inQuery {
		q := u.Query()
		q.Set("command", command)
		u.RawQuery = q.Encode()
		return u.String()
	}
	return u.JoinPath(command).String()
}

func describeLog(c Log) string {
	levels := []string{"fatal", "panic", "error", "warn", "info", "debug", "debug with SQL"}
	where := []string{}
	if c.Stdout {
		where = append(where, "standard output")
	}
	if c.StorageLocation != "" {
		where = append(where, c.StorageLocation)
	}
	if len(where) == 0 {
		where = append(where, "nowhere")
	}
	level := strconv.Itoa(c.Level)
	if c.Level >= 0 && c.Level < len(levels) {
		level += " (" + levels[c.Level] + ")"
	}
	return strings.Join(where, ", ") + ", level " + level
}

// WriteTo renders the report as text. It is shown to people, in terminals and
// in container logs.
func (r *Report) WriteTo(w io.Writer) (int64, error) {
	var b strings.Builder
	if r.Dir == "" {
		b.WriteString("configuration: no directory, built-in defaults and environment\n")
	} else {
		fmt.Fprintf(&b, "configuration: %s\n", r.Dir)
	}
	list := func(title string, items []string) {
		if len(items) > 0 {
			fmt.Fprintf(&b, "  %s: %s\n", title, strings.Join(items, ", "))
		}
	}
	list("found", r.Found)
	list("missing, defaults are used", r.Missing)
	list("not recognised", r.Unrecognised)
	list("of other programs, not read", r.Unrelated)
	list("environment applied", r.Env)

	r.writeWebhooks(&b)
	writeEntries(&b, "settings other than the default", r.Settings)
	writeEntries(&b, "adapted", r.Adapted)
	writeEntries(&b, "names of older releases", r.Legacy)
	writeEntries(&b, "read, but without effect yet", r.NotYet)
	writeEntries(&b, "without effect", r.Ignored)
	if len(r.Problems) > 0 {
		b.WriteString("warnings and hints:\n")
		for _, p := range r.Problems {
			fmt.Fprintf(&b, "  %s: %s\n", p.Severity, p.Error())
		}
	}
	list("listening", r.Listen)
	fmt.Fprintf(&b, "  data: %s\n  log: %s\n", r.DataDir, r.Log)
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

func (r *Report) writeWebhooks(b *strings.Builder) {
	if len(r.Webhooks) == 0 {
		fmt.Fprintf(b, "webhooks: all %d off\n", r.Off)
		return
	}
	fmt.Fprintf(b, "webhooks: %d on, %d off\n", len(r.Webhooks), r.Off)
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "  key\tcommand\tURL\ttimeout\tfailedContinue\tfilters\tset by")
	for _, w := range r.Webhooks {
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\n", w.Key, w.Command, w.URL, w.Timeout, w.FailedContinue, w.Filters, w.Sources)
	}
	_ = t.Flush() // a strings.Builder does not fail
}

func writeEntries(b *strings.Builder, title string, entries []Entry) {
	if len(entries) == 0 {
		return
	}
	fmt.Fprintf(b, "%s:\n", title)
	for _, e := range entries {
		line := "  " + e.Source
		if e.Path != "" {
			line += " " + e.Path
		}
		if e.Value != "" {
			line += " = " + e.Value
		}
		if e.Note != "" {
			line += " — " + e.Note
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}
