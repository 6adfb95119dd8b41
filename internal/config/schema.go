package config

import (
	"strings"
)

// Verdict is what the server does with a known key.
type Verdict uint8

const (
	// Honour means read and obeyed, with the same meaning and unit.
	Honour Verdict = iota
	// Adapt means the intent is kept but mapped onto something different.
	Adapt
	// Ignore means accepted, without effect; the reason is told.
	Ignore
	// Legacy is a name of an older release, accepted in place of today's.
	Legacy
)

func (v Verdict) String() string {
	switch v {
	case Honour:
		return "HONOUR"
	case Adapt:
		return "ADAPT"
	case Ignore:
		return "IGNORE"
	case Legacy:
		return "LEGACY"
	default:
		return "unknown"
	}
}

// key describes one key of one file.
type key struct {
	name    string
	kind    kind
	verdict Verdict
	// doc says what the key means or, when it has no effect, why.
	doc  string
	keys []key // of a section

	// bind points into the draft; nil for keys without a value of their own.
	bind func(*draft) any
	// lo and hi bound integers and durations in the key's unit, unless equal.
	lo, hi int64
	// oneOf lists the accepted words, in any letter case.
	oneOf []string
	// replacedBy is the full name ("share.yml: multiLogin.policy") of the key
	// that wins over this one.
	replacedBy string
	// effect renders what an adapted key comes down to.
	effect func(*Config) string
	// notYet says what is missing before the key can have its effect.
	notYet string
	// quiet keeps a key out of the report: it ships in OpenIM's own files and
	// nobody reads it.
	quiet bool
	// live values take effect in a running server.
	live bool
	// positive replaces values of 0 and below by the default, with a warning.
	positive bool
}

// file describes one file of the configuration directory.
type file struct {
	name   string // without extension
	title  string
	strict bool // every unknown key is an error
	// ignored is the reason why nothing in the file has an effect.
	ignored string
	live    bool // all of its values take effect in a running server
	keys    []key

	all []leaf // filled once, by index
}

func schemaOf(name string) *file {
	for _, f := range files() {
		if f.name == name {
			return f
		}
	}
	return nil
}

// fileName is the file's usual name; .yaml is accepted as well.
func (f *file) fileName() string { return f.name + ".yml" }

// severity is how bad an unreadable file is.
func (f *file) severity() Severity {
	if f.ignored != "" {
		return Warning
	}
	return Error
}

// envPrefix is what OpenIM's scheme puts before the keys of the file.
func (f *file) envPrefix() string {
	return "IMENV_" + strings.ToUpper(strings.ReplaceAll(f.name, "-", "_")) + "_"
}

// leaf is a key that holds a value, with its place in the schema.
type leaf struct {
	file *file
	path string // dotted, below the file
	key  *key
	id   string // names the leaf in maps; letter case does not count
}

// live reports whether a running server takes the value over.
func (l leaf) live() bool { return l.file.live || l.key.live }

func leafID(file, path string) string { return file + ":" + strings.ToLower(path) }

func (l leaf) env() string {
	return l.file.envPrefix() + envPath(l.path)
}

// ownEnv is the variable of parley.yml's own scheme, or "".
func (l leaf) ownEnv() string {
	if l.file.name != ownFile {
		return ""
	}
	return "PARLEY_" + envPath(l.path)
}

func envPath(path string) string { return strings.ToUpper(strings.ReplaceAll(path, ".", "_")) }

// index lists the values of the file, in schema order.
func (f *file) index() {
	var walk func(prefix string, keys []key)
	walk = func(prefix string, keys []key) {
		for i := range keys {
			k := &keys[i]
			if k.kind == section {
				walk(prefix+k.name+".", k.keys)
				continue
			}
			path := prefix + k.name
			f.all = append(f.all, leaf{file: f, path: path, key: k, id: leafID(f.name, path)})
		}
	}
	walk("", f.keys)
}

func findKey(keys []key, name string) *key {
	for i := range keys {
		if strings.EqualFold(keys[i].name, name) {
			return &keys[i]
		}
	}
	return nil
}

func keyNames(keys []key) []string {
	names := make([]string, len(keys))
	for i := range keys {
		names[i] = keys[i].name
	}
	return names
}

// secret reports whether values of a key must never be shown. The sections
// above it do not count: tokenPolicy.expire is no secret. Endpoints hold some.
func secret(path string) bool {
	path = strings.ToLower(path[strings.LastIndexByte(path, '.')+1:])
	for _, word := range []string{"secret", "password", "pwd", "token", "key", "credential", "endpoints"} {
		if strings.Contains(path, word) {
			return true
		}
	}
	return false
}

// Shorthands for the tables.

func sect(name string, keys ...key) key { return key{name: name, kind: section, keys: keys} }

func ignoredKeys(reason string, names ...string) []key {
	keys := make([]key, len(names))
	for i, name := range names {
		keys[i] = key{name: name, verdict: Ignore, doc: reason}
	}
	return keys
}

func ignoredSect(name, reason string, names ...string) key {
	return sect(name, ignoredKeys(reason, names...)...)
}

func join(lists ...[]key) []key {
	var out []key
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}

// Blocks that many service files share.

func rpcBlock() key {
	return ignoredSect("rpc", "there is no internal RPC", "registerIP", "listenIP", "autoSetPorts", "ports")
}

func metricsBlock() key {
	return ignoredSect("prometheus", "one process has one metrics endpoint, configured in openim-api.yml",
		"enable", "autoSetPorts", "ports")
}

func limiterBlock() key {
	return ignoredSect("ratelimiter", "load is shed at the API and the gateway, by their own files",
		"enable", "window", "bucket", "cpuThreshold")
}

func breakerBlock() key {
	return ignoredSect("circuitBreaker", "it is a breaker between OpenIM's own services, not for webhooks; there are no such services here",
		"enable", "window", "bucket", "success", "request")
}

func commonBlocks() []key {
	return []key{rpcBlock(), metricsBlock(), limiterBlock(), breakerBlock()}
}

// workingLimiter is the block in the files where it has an effect; what says
// what is refused.
func workingLimiter(what string, bind func(*draft) *RateLimit) key {
	return sect("ratelimiter",
		key{
			name: "enable", kind: boolean, verdict: Adapt, doc: "refuse " + what + " with 429 while the CPU is busy and more is under way than was lately done",
			bind: func(d *draft) any { return &bind(d).Enable },
		},
		key{
			name: "window", kind: duration, verdict: Adapt, doc: "the past that tells how much is done at a time",
			bind: func(d *draft) any { return &bind(d).Window },
		},
		key{
			name: "bucket", kind: integer, verdict: Adapt, lo: 1, hi: 100_000, doc: "parts of the window",
			bind: func(d *draft) any { return &bind(d).Bucket },
		},
		key{
			name: "cpuThreshold", kind: integer, verdict: Adapt, lo: 1, hi: 1000,
			doc:  "use of the CPUs by this process, per mille of those it may use, above which the CPU is busy",
			bind: func(d *draft) any { return &bind(d).CPUThreshold },
		},
	)
}
