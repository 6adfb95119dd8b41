package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/parley-im/parley/internal/webhook/registry"
)

// checkBody compares a body with the type that the registry has for its
// callback: no key unknown, none missing, each of its type. A command that an
// operator chose himself is in no registry.
func checkBody(command string, raw []byte) error {
	c, ok := registry.ByCommand(command)
	if !ok {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(reflect.New(c.Request).Interface()); err != nil {
		return err
	}
	var got map[string]json.RawMessage
	if err := json.Unmarshal(raw, &got); err != nil {
		return err
	}
	for _, key := range keysOf(c.Request) {
		if _, there := got[key]; !there {
			return fmt.Errorf("no %q", key)
		}
	}
	if !strings.HasSuffix(string(raw), "}\n") {
		return fmt.Errorf("ends in %q", raw[max(0, len(raw)-3):])
	}
	return nil
}

var bodyKeys sync.Map // by type

// keysOf are the keys that every body of a type has.
func keysOf(body reflect.Type) []string {
	if keys, ok := bodyKeys.Load(body); ok {
		return keys.([]string)
	}
	text, _ := json.Marshal(reflect.New(body).Interface()) // structs of strings and numbers
	var all map[string]json.RawMessage
	_ = json.Unmarshal(text, &all)
	keys := slices.Collect(maps.Keys(all))
	bodyKeys.Store(body, keys)
	return keys
}
