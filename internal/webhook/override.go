package webhook

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"

	"github.com/parley-im/parley/hooks/payload"
)

// override reads a field of an answer into dest, raw or wrapped as {"value": x}.
// Neither an absent field nor a null is there; one of another type is an error
// and leaves dest as it was.
func (a *answer) override(name string, dest reflect.Value) (there bool, err error) {
	raw, given := a.overrides[strings.ToLower(name)]
	if !given {
		raw, given = a.snake(name)
	}
	if given && wrapped(raw) {
		var w struct{ Value json.RawMessage }
		if err := json.Unmarshal(raw, &w); err != nil {
			return false, err
		}
		raw = w.Value
	}
	if !given || bytes.Equal(raw, []byte("null")) {
		return false, nil
	}
	v := reflect.New(dest.Type())
	if err := json.Unmarshal(raw, v.Interface()); err != nil {
		return false, err
	}
	dest.Set(v.Elem())
	return true, nil
}

// snake finds a field by the spelling some callbacks had before they were
// renamed: recv_msg_opt.
func (a *answer) snake(name string) (json.RawMessage, bool) {
	for key, raw := range a.overrides {
		if strings.Contains(key, "_") && strings.EqualFold(strings.ReplaceAll(key, "_", ""), name) {
			return raw, true
		}
	}
	return nil, false
}

// wrapped reports whether raw is an object with the one key "value", the form
// the public documentation prints.
func wrapped(raw json.RawMessage) bool {
	var keys map[string]json.RawMessage
	if json.Unmarshal(raw, &keys) != nil || len(keys) != 1 {
		return false
	}
	_, ok := keys["value"]
	return ok
}

var envelope = reflect.TypeFor[payload.Answer]()

// into fills the overrides of dest, a pointer to a type of payload: pointers,
// lists and maps, which stay nil for what is absent. What is of the wrong type
// is dropped and named.
func (a *answer) into(dest any) (dropped []string) { return a.fill(reflect.ValueOf(dest).Elem()) }

func (a *answer) fill(v reflect.Value) (dropped []string) {
	if v.Type() == envelope {
		return nil
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous {
			dropped = append(dropped, a.fill(v.Field(i))...)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if _, err := a.override(name, v.Field(i)); err != nil {
			dropped = append(dropped, name)
		}
	}
	return dropped
}

// objectOf reads an object that an answer holds.
func objectOf(raw json.RawMessage) (answer, bool) {
	var keys map[string]json.RawMessage
	if json.Unmarshal(raw, &keys) != nil || keys == nil {
		return answer{}, false
	}
	lower := make(map[string]json.RawMessage, len(keys))
	for k, v := range keys {
		lower[strings.ToLower(k)] = v
	}
	return answer{overrides: lower}, true
}
