package test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

// lastScenario is the number of acceptance scenarios of the webhooks.
const lastScenario = 31

// TestEveryScenarioHasATest: each number is the name of a test of this package.
func TestEveryScenarioHasATest(t *testing.T) {
	t.Parallel()
	names := regexp.MustCompile(`^TestS(\d\d)[A-Z]`)
	tests := make(map[int]string)
	files, err := filepath.Glob("scenario_*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv != nil {
				continue
			}
			if m := names.FindStringSubmatch(f.Name.Name); m != nil {
				number, _ := strconv.Atoi(m[1])
				tests[number] = f.Name.Name
			}
		}
	}
	for i := 1; i <= lastScenario; i++ {
		if tests[i] == "" {
			t.Errorf("scenario S%02d has no test", i)
		}
		delete(tests, i)
	}
	for number, name := range tests {
		t.Errorf("%s: there is no scenario %d", name, number)
	}
}
