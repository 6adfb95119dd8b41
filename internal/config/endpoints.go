package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/parley-im/parley/hooks/signature"
	"github.com/parley-im/parley/internal/webhook/registry"
)

// Endpoint is one entry of endpoints in webhooks.yml: one more place that is
// told, or asked for comparison.
type Endpoint struct {
	Name           string
	URL            string // "" for one that fetches
	Secret         string
	PreviousSecret string
	Events         []string
	AttentionIDs   []string
	AllowedTypes   []TypeRange
	DeniedTypes    []TypeRange
	Timeout        time.Duration // 0 for that of the callback
	Concurrency    int           // 0 for the common one
	Rate           int           // attempts per second, 0 for no limit
	Shadow         bool
	Pull           bool
}

// endpointKey is one key of an endpoint; bind points into it.
type endpointKey struct {
	key
	bind func(*Endpoint) any
}

// endpointKeys are the keys of each entry of endpoints.
var endpointKeys = []endpointKey{
	{key{name: "name", kind: text, doc: "letters, digits, '.', '_' and '-'; names the endpoint in commands, logs and alerts"}, func(e *Endpoint) any { return &e.Name }},
	{key{name: "url", kind: text, doc: "base URL; the server appends /<command>"}, func(e *Endpoint) any { return &e.URL }},
	{key{name: "secret", kind: text, doc: "signs the requests: whsec_ or whsk_ and base64; also the bearer token for fetching"}, func(e *Endpoint) any { return &e.Secret }},
	{key{name: "previousSecret", kind: text, doc: "also signs, while the secret is being changed"}, func(e *Endpoint) any { return &e.PreviousSecret }},
	{key{name: "events", kind: texts, doc: "keys of callbacks, * for any letters: after*, *Msg"}, func(e *Endpoint) any { return &e.Events }},
	{key{name: "attentionIds", kind: texts, doc: "as for a callback"}, func(e *Endpoint) any { return &e.AttentionIDs }},
	{key{name: "allowedTypes", kind: types, doc: "as for a callback"}, func(e *Endpoint) any { return &e.AllowedTypes }},
	{key{name: "deniedTypes", kind: types, doc: "as for a callback"}, func(e *Endpoint) any { return &e.DeniedTypes }},
	{key{name: "timeout", kind: seconds, lo: 1, hi: 3600, doc: "whole seconds, instead of the callbacks' own"}, func(e *Endpoint) any { return &e.Timeout }},
	{key{name: "concurrency", kind: integer, lo: 1, hi: 100000, doc: "lanes of after-callbacks in work at a time"}, func(e *Endpoint) any { return &e.Concurrency }},
	{key{name: "rate", kind: integer, lo: 0, hi: 1000000, doc: "attempts per second, 0 for no limit"}, func(e *Endpoint) any { return &e.Rate }},
	{key{name: "shadow", kind: boolean, doc: "gets copies of before-calls; its answers are compared and never obeyed"}, func(e *Endpoint) any { return &e.Shadow }},
	{key{name: "pull", kind: boolean, doc: "has no url; its events are fetched from /webhook/events"}, func(e *Endpoint) any { return &e.Pull }},
}

func endpointKeyNames() []string {
	names := make([]string, len(endpointKeys))
	for i, k := range endpointKeys {
		names[i] = k.name
	}
	return names
}

// applyEndpoints reads the list. As a variable, or when it was handed back by
// /config, it is one text that holds it.
func (l *loader) applyEndpoints(v *value) {
	n := v.node
	if n.kind == scalarNode && strings.TrimSpace(n.text) == "" {
		return
	}
	if n.kind == scalarNode && strings.HasPrefix(strings.TrimSpace(n.text), "[") {
		if parsed, errs := parseYAML([]byte(n.text)); parsed != nil && len(errs) == 0 {
			n = parsed
		}
	}
	if n.kind != listNode {
		l.atValue(v, Error, "endpoints: expected %s", endpointList.expected())
		return
	}
	var list []Endpoint
	for i, item := range n.items {
		path := fmt.Sprintf("endpoints[%d]", i)
		if item.kind != mapNode {
			l.atNode(v, item, Error, "%s: expected keys such as name, url and events", path)
			continue
		}
		var e Endpoint
		for _, f := range item.fields {
			l.applyEndpointKey(v, &e, path, f)
		}
		list = append(list, e)
	}
	l.draft.Webhooks.Endpoints = list
}

func (l *loader) applyEndpointKey(v *value, e *Endpoint, path string, f field) {
	path += "." + f.name
	here := &node{line: f.line, col: f.col}
	i := slices.IndexFunc(endpointKeys, func(k endpointKey) bool { return strings.EqualFold(k.name, f.name) })
	if i < 0 {
		message := unknownKey(path)
		if near := nearest(f.name, endpointKeyNames()); near != "" {
			message += fmt.Sprintf(" (did you mean '%s'?)", near)
		}
		l.atNode(v, here, Error, "%s", message)
		return
	}
	k := endpointKeys[i]
	if f.val.kind == nullNode {
		return
	}
	dst := k.bind(e)
	if err := assign(dst, k.kind, f.val); err != nil {
		l.atNode(v, f.val, Error, "%s: %s, got '%s'", path, err, mask(path, err.at.String()))
		return
	}
	var amount int64
	switch p := dst.(type) {
	case *int:
		amount = int64(*p)
	case *time.Duration:
		amount = int64(*p / time.Second)
	default:
		return
	}
	if k.lo != k.hi && (amount < k.lo || amount > k.hi) {
		l.atNode(v, f.val, Error, "%s: expected %s from %d to %d, got '%d'", path, k.kind.expected(), k.lo, k.hi, amount)
	}
}

// atNode is at with the place of a part of the value.
func (l *loader) atNode(v *value, n *node, s Severity, format string, args ...any) {
	at := *v
	if !v.env && n.line > 0 {
		at.line, at.col = n.line, n.col
	}
	l.at(&at, s, format, args...)
}

var endpointName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func (l *loader) checkEndpoints() {
	v, ok := l.given(webhooksFile, "endpoints")
	if !ok {
		return
	}
	taken := map[string]bool{"default": true}
	for _, r := range registry.All() {
		taken[r.Key] = true
	}
	for i := range l.draft.Webhooks.Endpoints {
		e := &l.draft.Webhooks.Endpoints[i]
		path := fmt.Sprintf("endpoints[%d]", i)
		wrong := func(key, format string, args ...any) {
			l.atNode(v, endpointNode(v, i, key), Error, "%s.%s: %s", path, key, fmt.Sprintf(format, args...))
		}
		switch {
		case !endpointName.MatchString(e.Name):
			wrong("name", "expected up to 64 letters, digits, '.', '_' and '-', got '%s'", e.Name)
		case taken[e.Name]:
			wrong("name", "'%s' is the name of another endpoint", e.Name)
		}
		taken[e.Name] = true
		switch {
		case e.Pull && e.URL != "":
			wrong("url", "an endpoint with pull: true has no url")
		case e.Pull && e.Shadow:
			wrong("shadow", "an endpoint with pull: true cannot be a shadow")
		case !e.Pull && e.URL == "":
			wrong("url", "missing; or set pull: true to fetch events")
		case e.URL != "":
			l.checkURL(v, endpointNode(v, i, "url"), baseURL{path: path + ".url", raw: e.URL, enabled: true}, e.Secret != "")
		}
		if len(e.Events) == 0 {
			wrong("events", "missing; write the keys of callbacks, or after* for all after-callbacks")
		}
		for _, pattern := range e.Events {
			l.checkPattern(e, pattern, wrong)
		}
		l.checkKeyText(v, endpointNode(v, i, "secret"), path+".secret", e.Secret)
		l.checkKeyText(v, endpointNode(v, i, "previousSecret"), path+".previousSecret", e.PreviousSecret)
	}
}

func (l *loader) checkPattern(e *Endpoint, pattern string, wrong func(key, format string, args ...any)) {
	var keys []string
	wanted, used := registry.After, false
	if e.Shadow {
		wanted = registry.Before
	}
	found := false
	for _, r := range registry.All() {
		keys = append(keys, r.Key)
		if matchKey(pattern, r.Key) {
			found, used = true, used || r.Kind == wanted
		}
	}
	switch {
	case !found:
		if near := nearest(pattern, keys); near != "" {
			wrong("events", "no callback matches '%s' (did you mean '%s'?)", pattern, near)
			return
		}
		wrong("events", "no callback matches '%s'", pattern)
	case !used && e.Shadow:
		wrong("events", "'%s' covers no before-callback, and a shadow gets nothing else", pattern)
	case !used:
		wrong("events", "'%s' covers before-callbacks only: they ask the handler in url, or one with shadow: true", pattern)
	}
}

// matchKey is the rule of the webhook engine: * stands for any letters.
func matchKey(pattern, key string) bool {
	quoted := strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*")
	ok, err := regexp.MatchString("^"+quoted+"$", key)
	return err == nil && ok
}

func (l *loader) checkKeyText(v *value, n *node, path, text string) {
	if text == "" {
		return
	}
	if k, err := signature.Parse(text); err != nil || !k.CanSign() {
		l.atNode(v, n, Error, "%s: expected whsec_ followed by base64 of 24 to 64 bytes, or an ed25519 key as whsk_; make one with: echo whsec_$(openssl rand -base64 32)", path)
	}
}

// endpointNode is the place of a key of the i-th endpoint, or of the endpoint.
func endpointNode(v *value, i int, key string) *node {
	if v.node.kind != listNode || i >= len(v.node.items) {
		return v.node
	}
	item := v.node.items[i]
	if f, ok := item.field(key); ok {
		return &node{line: f.line, col: f.col}
	}
	return item
}

// formatEndpoints renders a list as applyEndpoints reads it, secrets included.
func formatEndpoints(list []Endpoint) string {
	if len(list) == 0 {
		return ""
	}
	var b bytes.Buffer
	for i := range list {
		b.WriteString(map[bool]string{true: "[{", false: ",{"}[i == 0])
		first := true
		for _, k := range endpointKeys {
			var none Endpoint
			bound := k.bind(&list[i])
			if format(bound, k.kind) == format(k.bind(&none), k.kind) {
				continue
			}
			if !first {
				b.WriteByte(',')
			}
			first = false
			value, err := json.Marshal(jsonValue(bound, k.kind))
			if err != nil {
				panic(fmt.Sprintf("config: endpoint %s: %v", k.name, err)) // texts and numbers
			}
			fmt.Fprintf(&b, "%q:%s", k.name, value)
		}
		b.WriteByte('}')
	}
	b.WriteByte(']')
	return b.String()
}
