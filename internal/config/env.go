package config

import (
	"fmt"
	"slices"
	"strings"
)

// oldEnv maps variables of the containers up to 3.6 to what has an effect now.
var oldEnv = map[string]string{
	"CALLBACK_ENABLE":          "IMENV_WEBHOOKS_<KEY>_ENABLE",
	"CALLBACK_TIMEOUT":         "IMENV_WEBHOOKS_<KEY>_TIMEOUT",
	"CALLBACK_FAILED_CONTINUE": "IMENV_WEBHOOKS_<KEY>_FAILEDCONTINUE",
	"CALLBACK_URL":             "IMENV_WEBHOOKS_URL",
	"API_OPENIM_PORT":          "IMENV_OPENIM_API_API_PORTS",
	"OPENIM_WS_PORT":           "IMENV_OPENIM_MSGGATEWAY_LONGCONNSVR_PORTS",
	"OPENIM_SECRET":            "IMENV_SHARE_SECRET",
}

// readEnv takes over IMENV_* and PARLEY_* variables. They win over files, and
// work whether or not the file or the key exists. Empty ones do not count:
// docker compose passes every unset variable as an empty one.
func (l *loader) readEnv() {
	known := make(map[string]leaf)
	own := make(map[string]leaf)
	for _, f := range files() {
		for _, lf := range f.all {
			known[lf.env()] = lf
			if name := lf.ownEnv(); name != "" {
				own[name] = lf
			}
		}
	}
	names := make([]string, 0, len(l.env))
	for name, text := range l.env {
		if text != "" {
			names = append(names, name)
		}
	}
	// PARLEY_ sorts after IMENV_ and so wins over IMENV_PARLEY_.
	slices.Sort(names)
	var old []string
	for _, name := range names {
		switch {
		case strings.HasPrefix(name, "IMENV_"):
			l.takeEnv(name, known, true)
		case strings.HasPrefix(name, "PARLEY_"):
			l.takeEnv(name, own, false)
		case oldEnv[name] != "":
			old = append(old, fmt.Sprintf("%s (now %s)", name, oldEnv[name]))
		case strings.HasPrefix(name, "OPENIM_") && !serviceLink(name):
			old = append(old, name)
		}
	}
	if len(old) > 0 {
		l.add(Problem{
			Severity: Warning,
			Message:  "environment variables without effect since 3.7: " + strings.Join(old, ", ") + "; settings are IMENV_<FILE>_<KEY>",
		})
	}
}

// serviceLink recognises the variables that Kubernetes and Docker derive from
// the name of a service; they are not settings.
func serviceLink(name string) bool {
	return strings.Contains(name, "_SERVICE_") || strings.HasSuffix(name, "_SERVICE") ||
		strings.Contains(name, "_TCP") || strings.Contains(name, "_UDP") || strings.HasSuffix(name, "_PORT")
}

func (l *loader) takeEnv(name string, known map[string]leaf, all bool) {
	lf, ok := known[name]
	if !ok {
		l.strangeEnv(name, known, all)
		return
	}
	text := l.env[name]
	n := &node{kind: scalarNode, text: text}
	switch lf.key.kind {
	case texts, ports, types:
		if strings.HasPrefix(strings.TrimSpace(text), "[") {
			parsed, errs := parseYAML([]byte(text))
			if len(errs) > 0 || parsed.kind != listNode {
				l.add(Problem{
					File: name, Path: lf.path, Severity: Error,
					Message: fmt.Sprintf("'%s' begins like a list but is not one; write [\"a\",\"b\"] or a,b", mask(lf.path, text)),
				})
				return
			}
			n = parsed
		}
	}
	v := &value{leaf: lf, node: n, file: name, env: true}
	if before, ok := l.values[lf.id]; ok {
		v.replaced = before
		if before.env && before.node.String() != n.String() {
			l.at(v, Warning, "%s has another value and is not used", before.file)
		}
	}
	l.values[lf.id] = v
	l.report.Env = append(l.report.Env, name)
}

func (l *loader) strangeEnv(name string, known map[string]leaf, all bool) {
	names := make([]string, 0, len(known))
	for k := range known {
		names = append(names, k)
	}
	// Kubernetes gives every pod PARLEY_PORT, PARLEY_SERVICE_HOST and more when
	// a service has that name, so only slips are worth a word there.
	if !all && (serviceLink(name) || !typo(name, names)) {
		return
	}
	severity := Warning
	for _, prefix := range []string{"IMENV_WEBHOOKS_", "IMENV_SHARE_", "IMENV_PARLEY_"} {
		if strings.HasPrefix(name, prefix) {
			severity = Error
		}
	}
	message := "unknown variable"
	near := nearest(name, names)
	if rest, ok := strings.CutPrefix(name, "IMENV_WEBHOOKS_"); ok {
		old, option, _ := strings.Cut(rest, "_")
		if why, key := explainCallback(old); why != "" {
			message, near = message+": "+why, ""
			if current := "IMENV_WEBHOOKS_" + strings.ToUpper(key) + "_" + option; slices.Contains(names, current) {
				near = current
			}
		}
	}
	if near != "" {
		message += fmt.Sprintf(" (did you mean '%s'?)", near)
	}
	l.add(Problem{File: name, Message: message, Severity: severity, Kind: Variable, name: true})
}

// section is the part of a path before the last dot.
func (l leaf) section() string {
	i := max(strings.LastIndexByte(l.path, '.'), 0)
	return l.path[:i]
}
