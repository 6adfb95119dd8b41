package reference

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"

	"github.com/parley-im/parley/hooks/payload"
	"github.com/parley-im/parley/internal/webhook/registry"
)

// Object is a JSON object whose keys keep their order.
type Object []Member

// Member is one key of an Object.
type Member struct {
	Key   string
	Value any
}

// MarshalJSON meets json.Marshaler.
func (o Object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(m.Key)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(m.Value)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

const dialect = "https://json-schema.org/draft/2020-12/schema"

// Request is the JSON Schema of what the server posts.
func (d Docs) Request(c registry.Callback) Object {
	return append(Object{
		{"$schema", dialect},
		{"$id", "urn:parley:webhook:" + c.Command},
		{"title", c.Key},
		{"description", "What the server posts when " + c.Doc + "."},
	}, d.body(c.Request, c.Command)...)
}

// Answer is the JSON Schema of what a handler answers to a before-callback.
func (d Docs) Answer(c registry.Callback) Object {
	return append(Object{
		{"$schema", dialect},
		{"$id", "urn:parley:webhook:" + c.Command + ":answer"},
		{"title", "Answer to " + c.Key},
		{"description", "nextCode 1 refuses, 0 goes on. Keys that are left out or null change nothing."},
	}, d.body(c.Answer, "")...)
}

// body is the schema of a struct. In answers little is required: the server reads
// them leniently.
func (d Docs) body(t reflect.Type, command string) Object {
	var properties Object
	required := []string{}
	for _, f := range d.Fields(t) {
		property := d.value(f.Type, f.Null)
		if f.Key == "callbackCommand" && command != "" {
			property = Object{{"const", command}}
		}
		if about := f.About(); about != "" {
			property = append(property, Member{"description", about})
		}
		properties = append(properties, Member{f.Key, property})
		if !f.Optional {
			required = append(required, f.Key)
		}
	}
	if _, isAnswer := reflect.New(t).Interface().(interface{ Decide(payload.Answer) }); isAnswer {
		required = []string{"actionCode", "nextCode"}
	}
	return Object{{"type", "object"}, {"properties", properties}, {"required", required}}
}

// value is the schema of a value. More keys may come, so objects are open.
func (d Docs) value(t reflect.Type, null bool) Object {
	kind := func(name string) any {
		if null {
			return []string{name, "null"}
		}
		return name
	}
	switch t.Kind() {
	case reflect.String:
		return Object{{"type", kind("string")}}
	case reflect.Bool:
		return Object{{"type", kind("boolean")}}
	case reflect.Int32:
		return Object{{"type", kind("integer")}, {"minimum", math.MinInt32}, {"maximum", math.MaxInt32}}
	case reflect.Uint32:
		return Object{{"type", kind("integer")}, {"minimum", 0}, {"maximum", math.MaxUint32}}
	case reflect.Int64:
		return Object{{"type", kind("integer")}, {"format", "int64"}}
	case reflect.Slice:
		return Object{{"type", kind("array")}, {"items", d.value(t.Elem(), false)}}
	case reflect.Map:
		return Object{{"type", kind("object")}, {"additionalProperties", d.value(t.Elem(), false)}}
	default: // a struct, or TypeName panics
		_ = TypeName(t)
		body := d.body(t, "")
		body[0].Value = kind("object")
		return body
	}
}
