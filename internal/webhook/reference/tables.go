package reference

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/parley-im/parley/internal/webhook/registry"
)

// Language of a table.
type Language int

// Languages of the documentation.
const (
	English Language = iota
	Chinese
)

// When says when a callback is made.
func (l Language) When(c registry.Callback) string {
	if l == Chinese {
		return chineseEvents[c.Key]
	}
	return c.Doc
}

// phrases of the tables, in both languages.
var phrases = map[string]words{
	"answer":  {"Answer; `actionCode`, `errCode`, `errMsg`, `errDlt` and `nextCode` as always, and", "应答；除 `actionCode`、`errCode`、`errMsg`、`errDlt`、`nextCode` 外还可包含"},
	"plain":   {"The answer changes nothing but lets the operation go on or refuses it.", "应答只决定继续或拒绝，不能修改。"},
	"columns": {"| Key | Type | Meaning |", "| 字段 | 类型 | 含义 |"},
	"null":    {" or null", " 或 null"},
	"objects": {"Objects in lists and fields", "嵌套对象"},
}

func (l Language) say(phrase string) string {
	if l == Chinese {
		return phrases[phrase].chinese
	}
	return phrases[phrase].english
}

// Bodies is the reference of all bodies: a chapter for each callback, with the
// keys of its request and of what its answer may change, and then the objects
// that they hold.
func (d Docs) Bodies(l Language) string {
	var b strings.Builder
	var objects []reflect.Type
	known := map[reflect.Type]bool{}
	table := func(fields []Field) {
		fmt.Fprintf(&b, "%s\n|---|---|---|\n", l.say("columns"))
		for _, f := range fields {
			about := f.About()
			if l == Chinese {
				about = f.AboutChinese()
			}
			kind := TypeName(f.Type)
			if f.Null && !f.Optional {
				kind += l.say("null")
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Key, kind, strings.ReplaceAll(about, "|", "\\|"))
			inner := f.Type
			if inner.Kind() == reflect.Slice {
				inner = inner.Elem()
			}
			if inner.Kind() == reflect.Struct && !known[inner] {
				known[inner] = true
				objects = append(objects, inner)
			}
		}
	}
	for _, c := range registry.All() {
		fmt.Fprintf(&b, "\n## %s\n\n`%s`: %s\n\n", c.Key, c.Command, l.When(c))
		table(d.Fields(c.Request))
		if c.Kind != registry.Before {
			continue
		}
		changes := d.Changes(c)
		if len(changes) == 0 {
			fmt.Fprintf(&b, "\n%s\n", l.say("plain"))
			continue
		}
		fmt.Fprintf(&b, "\n%s\n\n", l.say("answer"))
		table(changes)
	}
	fmt.Fprintf(&b, "\n## %s\n", l.say("objects"))
	for i := 0; i < len(objects); i++ { // tables add to it
		fmt.Fprintf(&b, "\n### %s\n\n", objects[i].Name())
		table(d.Fields(objects[i]))
	}
	return b.String()
}

// Changes are the keys by which the answer to a before-callback changes the
// operation.
func (d Docs) Changes(c registry.Callback) (changes []Field) {
	for _, f := range d.Fields(c.Answer) {
		switch f.Key {
		case "actionCode", "errCode", "errMsg", "errDlt", "nextCode":
		default:
			changes = append(changes, f)
		}
	}
	return changes
}
