package schema_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/parley-im/parley/hooks/payload"
	"github.com/parley-im/parley/hooks/schema"
	"github.com/parley-im/parley/internal/webhook/reference"
	"github.com/parley-im/parley/internal/webhook/registry"
)

var update = flag.Bool("update", false, "write the files anew")

// TestGenerated keeps the files equal to the registry and the types.
func TestGenerated(t *testing.T) {
	t.Parallel()
	docs, err := reference.ReadDocs("../payload")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]reference.Object{"asyncapi.json": docs.AsyncAPI()}
	for _, c := range registry.All() {
		want[c.Command+".json"] = docs.Request(c)
		if c.Kind == registry.Before {
			want[c.Command+".answer.json"] = docs.Answer(c)
		}
	}
	there, err := filepath.Glob("*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range there {
		if _, ok := want[name]; !ok {
			t.Errorf("%s is of no callback", name)
		}
	}
	for name, document := range want {
		text, err := json.MarshalIndent(document, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, '\n')
		if got, err := os.ReadFile(name); err == nil && bytes.Equal(got, text) {
			continue
		}
		if !*update {
			t.Errorf("%s is out of date; run: go generate ./hooks/schema", name)
			continue
		}
		if err := os.WriteFile(name, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func compile(t *testing.T, text []byte, err error) *jsonschema.Schema {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("schema.json", document); err != nil {
		t.Fatal(err)
	}
	s, err := compiler.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// validates decodes a body as its receiver would and returns what is wrong with it.
func validates(t *testing.T, s *jsonschema.Schema, body any) error {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(document)
}

func TestSamplesValidate(t *testing.T) {
	t.Parallel()
	for _, c := range registry.All() {
		text, err := schema.Request(c.Command)
		request := compile(t, text, err)
		if err := validates(t, request, c.Sample(c.Command)); err != nil {
			t.Errorf("%s: %v", c.Key, err)
		}
		if validates(t, request, c.Sample("another")) == nil {
			t.Errorf("%s: a body of another command is valid", c.Key)
		}
		// Every key is asked for, and its type is looked at; more keys may come.
		var sample map[string]any
		raw, err := json.Marshal(c.Sample(c.Command))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, &sample); err != nil {
			t.Fatal(err)
		}
		sample["somethingNew"] = true
		if err := validates(t, request, sample); err != nil {
			t.Errorf("%s with another key: %v", c.Key, err)
		}
		for key, value := range sample {
			if key == "somethingNew" {
				continue
			}
			sample[key] = map[string]any{"no": "key holds this"}
			if validates(t, request, sample) == nil {
				t.Errorf("%s: %s may hold anything", c.Key, key)
			}
			delete(sample, key)
			optional := c.ID == registry.BeforeOfflinePush && slices.Contains([]string{"title", "desc", "ex", "iOSPushSound", "iOSBadgeCount", "signalInfo"}, key)
			if err := validates(t, request, sample); (err == nil) != optional {
				t.Errorf("%s without %s: %v", c.Key, key, err)
			}
			sample[key] = value
		}

		text, err = schema.Answer(c.Command)
		if c.Kind == registry.After {
			if !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s has an answer: %v", c.Key, err)
			}
			continue
		}
		answer := compile(t, text, err)
		if err := validates(t, answer, payload.Answer{NextCode: 1, ErrCode: 5001}); err != nil {
			t.Errorf("refusing %s: %v", c.Key, err)
		}
		for _, wrong := range []string{`{}`, `{"actionCode":0,"nextCode":"0"}`, `[]`, `"ok"`} {
			if validates(t, answer, json.RawMessage(wrong)) == nil {
				t.Errorf("%s may be answered %s", c.Key, wrong)
			}
		}
	}
}

// Every reference in the document leads somewhere, and every callback has its
// operation, with a reply if it is a question.
func TestAsyncAPI(t *testing.T) {
	t.Parallel()
	var document struct {
		AsyncAPI   string
		Operations map[string]struct {
			Action string
			Reply  *struct{ Messages []any }
		}
		Channels map[string]struct{ Address string }
	}
	if err := json.Unmarshal(schema.AsyncAPI(), &document); err != nil {
		t.Fatal(err)
	}
	if document.AsyncAPI != "3.0.0" || len(document.Operations) != len(registry.All()) {
		t.Errorf("%s with %d operations", document.AsyncAPI, len(document.Operations))
	}
	for _, c := range registry.All() {
		o := document.Operations[c.Key]
		if o.Action != "send" || (o.Reply != nil) != (c.Kind == registry.Before) || document.Channels[c.Key].Address != "/"+c.Command {
			t.Errorf("%s: %+v on %s", c.Key, o, document.Channels[c.Key].Address)
		}
	}
	var whole any
	if err := json.Unmarshal(schema.AsyncAPI(), &whole); err != nil {
		t.Fatal(err)
	}
	found := 0
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			if to, ok := v["$ref"].(string); ok {
				found++
				at := whole
				for _, step := range strings.Split(strings.TrimPrefix(to, "#/"), "/") {
					object, _ := at.(map[string]any)
					at = object[step]
				}
				if at == nil {
					t.Errorf("%s leads nowhere", to)
				}
			}
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(whole)
	if found < 3*len(registry.All()) {
		t.Errorf("only %d references", found)
	}
}
