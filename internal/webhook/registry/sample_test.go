package registry

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strings"
	"testing"

	"github.com/parley-im/parley/hooks/payload"
)

// idNames are the constants of id.go, as they are written there.
var idNames = func() (names [Last + 1]string) {
	file, err := parser.ParseFile(token.NewFileSet(), "id.go", nil, 0)
	if err != nil {
		panic(err)
	}
	n := 0
	ast.Inspect(file, func(node ast.Node) bool {
		if spec, ok := node.(*ast.ValueSpec); ok && n < int(Last) {
			n++
			names[n] = spec.Names[0].Name
		}
		return true
	})
	return names
}()

// Every callback has a sample of its own type that says its command and comes
// through JSON unharmed, and an answer with the envelope.
func TestBodies(t *testing.T) {
	t.Parallel()
	for _, c := range All() {
		sample := c.Sample(c.Command)
		text, err := json.Marshal(sample)
		if err != nil {
			t.Errorf("%s: %v", c.Key, err)
			continue
		}
		var plain map[string]any
		if err := json.Unmarshal(text, &plain); err != nil || plain["callbackCommand"] != c.Command {
			t.Errorf("%s: %v, sample %s", c.Key, err, text)
		}
		again := reflect.New(c.Request)
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.DisallowUnknownFields()
		if err := dec.Decode(again.Interface()); err != nil || !reflect.DeepEqual(again.Elem().Interface(), sample) {
			t.Errorf("%s: %v, %+v came back as %+v", c.Key, err, sample, again.Elem())
		}
		if c.Kind == After && c.Answer != reflect.TypeFor[payload.Answer]() {
			t.Errorf("%s reports, its answer changes nothing: %s", c.Key, c.Answer)
		}
		if c.Answer != reflect.TypeFor[payload.Answer]() && c.Answer.Field(0).Type != reflect.TypeFor[payload.Answer]() {
			t.Errorf("%s is answered by %s, which lacks the envelope", c.Key, c.Answer)
		}
		if !strings.HasPrefix(c.Request.PkgPath(), "github.com/parley-im/parley/") {
			t.Errorf("%s has a body of %s", c.Key, c.Request)
		}
	}
}
