package explain

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// formats are those of every say of this package, with how many arguments it is
// given.
func formats(t *testing.T) map[string]int {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	set := token.NewFileSet()
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if f, ok := call.Fun.(*ast.Ident); !ok || f.Name != "say" {
				return true
			}
			literal, ok := call.Args[0].(*ast.BasicLit)
			if !ok || call.Ellipsis.IsValid() {
				t.Errorf("%s: the format and each argument have to be written out", set.Position(call.Pos()))
				return true
			}
			format, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			if n := len(verbs(t, format)); n != len(call.Args)-1 {
				t.Errorf("%s: %d arguments for %d verbs", set.Position(call.Pos()), len(call.Args)-1, n)
			}
			found[format] = len(call.Args) - 1
			return true
		})
	}
	if len(found) == 0 {
		t.Fatal("no say was found")
	}
	return found
}

var verb = regexp.MustCompile(`%(?:\[(\d+)\])?(.)`)

// verbs are those of a format by the number of their argument, from 1.
func verbs(t *testing.T, format string) map[int]string {
	of, next := map[int]string{}, 1
	for _, m := range verb.FindAllStringSubmatch(format, -1) {
		if m[1] != "" {
			n, err := strconv.Atoi(m[1])
			if err != nil {
				t.Fatal(err)
			}
			next = n
		}
		if of[next] != "" {
			t.Errorf("%q has argument %d twice", format, next)
		}
		of[next] = m[2]
		next++
	}
	return of
}

// Every text can be said in Chinese, of the same things.
func TestChinese(t *testing.T) {
	said := formats(t)
	for format := range said {
		text, ok := Chinese[format]
		if !ok {
			t.Errorf("no Chinese for %q", format)
			continue
		}
		if want, have := verbs(t, format), verbs(t, text); !maps.Equal(want, have) {
			t.Errorf("%q takes %v, %q takes %v", format, want, text, have)
		}
		letters := func(s string) bool { return strings.ContainsFunc(verb.ReplaceAllString(s, ""), unicode.IsLetter) }
		if han := strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Han, r) }); letters(format) && !han {
			t.Errorf("%q is no Chinese for %q", text, format)
		}
	}
	for format := range Chinese {
		if _, ok := said[format]; !ok {
			t.Errorf("nothing says %q", format)
		}
	}
}

// Texts inside of others are rendered alike, and JSON has the English as a string.
func TestText(t *testing.T) {
	inner := say("%s is off", "afterMsgSaveDB")
	text := say("endpoint %s is %s since %s: %s", "crm", say("down"), stamp(0), inner)
	if have, want := text.String(), "endpoint crm is down since the start: afterMsgSaveDB is off"; have != want {
		t.Errorf("%q, want %q", have, want)
	}
	if have, want := text.In(Chinese), "端点 crm 自 启动时 起处于故障状态：afterMsgSaveDB 未启用"; have != want {
		t.Errorf("%q, want %q", have, want)
	}
	if have := (Text{}).In(Chinese) + verbatim("100 %s").In(Chinese); have != "100 %s" {
		t.Errorf("%q", have)
	}
}
