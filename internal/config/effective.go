package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/parley-im/parley/internal/webhook/registry"
)

// Effective is every value of a configuration that has one, with its place. It
// is never changed.
type Effective struct {
	values  []effectiveValue // in schema order
	ignored map[string]*node // values given for keys without effect, by leaf id
}

type effectiveValue struct {
	leaf   leaf
	text   string // as written in a file, not masked
	json   any    // the same, for JSON
	source string
}

// sourceOf is the place of a value.
func (e *Effective) sourceOf(file, path string) string {
	i := slices.IndexFunc(e.values, func(v effectiveValue) bool { return v.leaf.file.name == file && v.leaf.path == path })
	if i < 0 {
		return sourceDefault
	}
	return e.values[i].source
}

func (v effectiveValue) shown() string { return mask(v.leaf.path, v.text) }

// effective lists what the loader came to. A name of an older release is left
// out when it only stands for a value of today's.
func (l *loader) effective() *Effective {
	e := &Effective{ignored: make(map[string]*node)}
	for id, v := range l.values {
		if v.leaf.key.bind == nil {
			e.ignored[id] = v.node
		}
	}
	seen := make(map[any]bool)
	for _, f := range files() {
		for _, lf := range f.all {
			if lf.key.bind == nil || lf.key.verdict == Legacy {
				continue
			}
			seen[lf.key.bind(l.draft)] = true
		}
	}
	for _, f := range files() {
		for _, lf := range f.all {
			k := lf.key
			if k.bind == nil || k.verdict == Legacy && seen[k.bind(l.draft)] {
				continue
			}
			bound := k.bind(l.draft)
			v := effectiveValue{leaf: lf, text: format(bound, k.kind), json: jsonValue(bound, k.kind), source: sourceDefault}
			if given, ok := l.givenLeaf(lf); ok {
				v.source = given.source()
			} else if given, ok := l.standIn(bound); ok {
				v.source = given.source()
			}
			e.values = append(e.values, v)
		}
	}
	return e
}

// standIn finds a value given under a name of an older release.
func (l *loader) standIn(bound any) (*value, bool) {
	for _, v := range l.values {
		if k := v.leaf.key; k.verdict == Legacy && k.bind != nil && v.node.kind != nullNode && k.bind(l.draft) == bound {
			return v, true
		}
	}
	return nil, false
}

// Source is where the value of a key comes from: "webhooks.yml:12", "env
// IMENV_WEBHOOKS_URL" or "default".
func (e *Effective) Source(file, path string) string {
	id := leafID(file, path)
	for _, v := range e.values {
		if v.leaf.id == id {
			return v.source
		}
	}
	return sourceDefault
}

// Change is a key that has another value than before.
type Change struct {
	File   string `json:"file"`
	Path   string `json:"path"`
	Old    string `json:"old"`    // masked
	New    string `json:"new"`    // masked
	Source string `json:"source"` // of the new value
	Live   bool   `json:"live"`   // takes effect without a restart
}

// Changes lists the keys whose values differ in next.
func (e *Effective) Changes(next *Effective) []Change {
	var out []Change
	for i, v := range e.values {
		n := next.values[i]
		if v.text == n.text {
			continue
		}
		out = append(out, Change{
			File: v.leaf.file.fileName(), Path: v.leaf.path, Old: v.shown(), New: n.shown(), Source: n.source, Live: v.leaf.live(),
		})
	}
	return out
}

// WithLive is e with the values of next that take effect without a restart.
func (e *Effective) WithLive(next *Effective) *Effective {
	out := &Effective{values: slices.Clone(e.values), ignored: next.ignored}
	for i, v := range out.values {
		if v.leaf.live() {
			out.values[i] = next.values[i]
		}
	}
	return out
}

// WithLive is c with the parts of next that take effect without a restart: those
// that the schema marks live.
func (c *Config) WithLive(next *Config) *Config {
	out := *c
	out.Share.Admins, out.Share.MultiLogin = next.Share.Admins, next.Share.MultiLogin
	out.Log, out.Notification, out.Webhooks, out.Edge = next.Log, next.Notification, next.Webhooks, next.Edge
	out.Operations.MetricsFrom = next.Operations.MetricsFrom
	return &out
}

// Value is one key of a Snapshot.
type Value struct {
	File   string `json:"file"`
	Path   string `json:"path"`
	Value  string `json:"value"`  // masked
	Source string `json:"source"` // "webhooks.yml:12", "env IMENV_WEBHOOKS_URL" or "default"
}

// Snapshot is an effective configuration as it is kept and shown, secrets masked.
type Snapshot struct {
	Hash     string          `json:"hash"` // of the values
	Dir      string          `json:"dir"`
	Env      []string        `json:"env"`    // variables that were applied
	Values   []Value         `json:"values"` // those with a source other than the default
	Webhooks WebhookSnapshot `json:"webhooks"`
	Problems []Problem       `json:"problems"` // warnings and hints
}

// WebhookSnapshot is the part of webhooks.yml that decides who is called.
type WebhookSnapshot struct {
	URL       string     `json:"url"` // masked
	Callbacks []Callback `json:"callbacks"`
	// BeforeDeadline is shared by the before-calls of an operation.
	BeforeDeadline time.Duration    `json:"beforeDeadline"`
	Endpoints      []ListedEndpoint `json:"endpoints,omitempty"`
}

// ListedEndpoint is an entry of endpoints as a Snapshot keeps it: all that
// decides what it gets, and no secrets.
type ListedEndpoint struct {
	Name         string        `json:"name"`
	URL          string        `json:"url,omitempty"` // masked
	Events       []string      `json:"events"`
	AttentionIDs []string      `json:"attentionIds,omitempty"`
	AllowedTypes []TypeRange   `json:"allowedTypes,omitempty"`
	DeniedTypes  []TypeRange   `json:"deniedTypes,omitempty"`
	Timeout      time.Duration `json:"timeout,omitempty"`
	Shadow       bool          `json:"shadow,omitempty"`
	Pull         bool          `json:"pull,omitempty"`
	Source       string        `json:"source"` // of the list
}

// Snapshot describes a configuration that is in effect: c with the values e,
// loaded with the report r.
func (e *Effective) Snapshot(c *Config, r *Report) Snapshot {
	s := Snapshot{Dir: r.Dir, Env: r.Env, Problems: r.Problems}
	h := sha256.New()
	for _, v := range e.values {
		fmt.Fprintf(h, "%s\x00%s\x00%s\x00", v.leaf.id, v.shown(), v.source)
		if v.source != sourceDefault {
			s.Values = append(s.Values, Value{v.leaf.file.fileName(), v.leaf.path, v.shown(), v.source})
		}
	}
	s.Hash = hex.EncodeToString(h.Sum(nil)[:8])
	s.Webhooks.URL, s.Webhooks.BeforeDeadline = redactURL(c.Webhooks.URL), c.Webhooks.BeforeDeadline
	for _, r := range registry.All() {
		cb := c.Webhooks.Callbacks[r.Key]
		cb.URL = redactURL(fullURL(cb.URL, cb.Command, c.Webhooks.CommandInQuery))
		s.Webhooks.Callbacks = append(s.Webhooks.Callbacks, cb)
	}
	for _, ep := range c.Webhooks.Endpoints {
		s.Webhooks.Endpoints = append(s.Webhooks.Endpoints, ListedEndpoint{
			Name: ep.Name, URL: redactURL(ep.URL), Events: ep.Events, AttentionIDs: ep.AttentionIDs, AllowedTypes: ep.AllowedTypes,
			DeniedTypes: ep.DeniedTypes, Timeout: ep.Timeout, Shadow: ep.Shadow, Pull: ep.Pull, Source: e.sourceOf(webhooksFile, "endpoints"),
		})
	}
	return s
}
