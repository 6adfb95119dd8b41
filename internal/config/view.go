package config

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parley-im/parley/internal/webhook/registry"
)

// FileNames are the files that OpenIM's own list of configurations has.
func FileNames() []string {
	var names []string
	for _, f := range files() {
		if f.name != ownFile && f.name != "zookeeper" && f.name != "start-config" {
			names = append(names, f.fileName())
		}
	}
	slices.Sort(names)
	return names
}

// File is what is in effect of one file, as a JSON object with OpenIM's field
// names; of keys without effect, what the file says. Secrets are masked.
func (e *Effective) File(name string) (string, bool) {
	if !slices.Contains(FileNames(), name) {
		return "", false
	}
	f := schemaOf(strings.TrimSuffix(name, ".yml"))
	values := make(map[string]effectiveValue, len(e.values))
	for _, v := range e.values {
		values[v.leaf.id] = v
	}
	var b bytes.Buffer
	e.writeSection(&b, f, "", f.keys, values)
	return b.String(), true
}

func (e *Effective) writeSection(b *bytes.Buffer, f *file, prefix string, keys []key, values map[string]effectiveValue) {
	b.WriteByte('{')
	first := true
	for _, k := range keys {
		path := prefix + k.name
		var value []byte
		v, bound := values[leafID(f.name, path)]
		given, ignored := e.ignored[leafID(f.name, path)]
		switch {
		case k.kind == section:
			var inner bytes.Buffer
			e.writeSection(&inner, f, path+".", k.keys, values)
			value = inner.Bytes()
		case bound && !obeyed(v.leaf):
		case bound && secret(path) && v.text != "":
			value = marshal(hidden)
		case bound:
			value = marshal(maskURLs(v.json))
		case ignored && secret(path) && given.kind != nullNode:
			value = marshal(hidden)
		case ignored:
			value = marshal(maskURLs(given.json()))
		}
		if value == nil {
			continue
		}
		if !first {
			b.WriteByte(',')
		}
		first = false
		b.Write(marshal(goName(k.name)))
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
}

// obeyed reports whether an option means something for its callback.
func obeyed(l leaf) bool {
	r, ok := registry.Lookup(l.section())
	if !ok || l.file.name != webhooksFile {
		return true
	}
	switch l.key.name {
	case "failedContinue":
		return r.Kind == registry.Before
	case "attentionIds":
		return r.Filters.Attention
	case "allowedTypes", "deniedTypes":
		return r.Filters.Types
	}
	return true
}

// goNames are OpenIM's field names that do not only differ in the first letter.
var goNames = map[string]string{
	"url": "URL", "uri": "URI", "rpc": "RPC", "imAdminUser": "IMAdminUser", "fcm": "FCM", "jpush": "JPush", "iosPush": "IOSPush",
}

func goName(key string) string {
	if name, ok := goNames[key]; ok {
		return name
	}
	return strings.ToUpper(key[:1]) + key[1:]
}

// jsonValue is a bound value for JSON: numbers in the key's unit.
func jsonValue(src any, k kind) any {
	switch p := src.(type) {
	case *string:
		return *p
	case *bool:
		return *p
	case *int:
		return *p
	case *int64:
		return *p
	case *[]string:
		return slices.Clone(*p)
	case *[]int:
		return slices.Clone(*p)
	case *[]Endpoint:
		return formatEndpoints(*p)
	case *[]TypeRange:
		out := make([]string, len(*p))
		for i, r := range *p {
			out[i] = r.String()
		}
		return out
	case *time.Duration:
		if k == duration {
			return shortDuration(*p)
		}
		n, _ := strconv.ParseInt(format(p, k), 10, 64) // whole units
		return n
	default:
		return nil
	}
}

// json is a YAML value for JSON: unquoted numbers and booleans are that.
func (n *node) json() any {
	switch n.kind {
	case scalarNode:
		if !n.quoted {
			if i, err := strconv.ParseInt(n.text, 10, 64); err == nil {
				return i
			}
			if b, err := strconv.ParseBool(n.text); err == nil && len(n.text) > 1 {
				return b
			}
		}
		return n.text
	case listNode:
		out := make([]any, len(n.items))
		for i, item := range n.items {
			out[i] = item.json()
		}
		return out
	case mapNode:
		out := make(map[string]any, len(n.fields))
		for _, f := range n.fields {
			if secret(f.name) {
				out[f.name] = hidden
				continue
			}
			out[f.name] = f.val.json()
		}
		return out
	default:
		return nil
	}
}

func maskURLs(v any) any {
	switch v := v.(type) {
	case string:
		return redactURL(v)
	case []string:
		out := make([]string, len(v))
		for i, s := range v {
			out[i] = redactURL(s)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = maskURLs(item)
		}
		return out
	default:
		return v
	}
}

func marshal(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // of strings, numbers and lists of them
	return bytes.TrimSpace(b.Bytes())
}
