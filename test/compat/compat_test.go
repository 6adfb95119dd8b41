package compat

import (
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/parley-im/parley/internal/api"
	"github.com/parley-im/parley/internal/gateway"
)

var update = flag.Bool("update", false, "write README.md")

const (
	apiTests    = "../../internal/api"
	recordings  = apiTests + "/testdata/golden"
	socketTests = "../../internal/gateway"
	identifiers = "../../internal/wire/envelope.go"
)

// ledger is what test/clients/native writes.
type ledger struct {
	Client    string
	Functions []function
	SetUp     []string
	Unused    []struct {
		Type    string
		Methods []string
	}
}

type function struct {
	Function, Method, Test, Local string
	Sends, Then                   []string
}

func readLedger(t *testing.T) (l ledger) {
	t.Helper()
	raw, err := os.ReadFile("ledger.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &l); err != nil {
		t.Fatal(err)
	}
	return l
}

// TestEveryFunctionHasATest reads the ledger as it is checked in; the tests of
// the client compare it with what they see.
func TestEveryFunctionHasATest(t *testing.T) {
	l := readLedger(t)
	if len(l.Functions) < 100 {
		t.Errorf("only %d functions", len(l.Functions))
	}
	for _, f := range l.Functions {
		switch {
		case f.Test == "":
			t.Errorf("%s has no test", f.Function)
		case len(f.Sends) == 0 && f.Local == "":
			t.Errorf("%s sends nothing, for no reason", f.Function)
		}
		for _, r := range slices.Concat(f.Sends, f.Then) {
			if !slices.Contains(requests(), r) {
				t.Errorf("%s sends %s, which the server does not know", f.Function, r)
			}
		}
	}
}

// requests is everything a client may ask: paths, then identifiers of the long
// connection.
func requests() []string {
	all := slices.Clone(api.Paths())
	for _, id := range gateway.Requests() {
		all = append(all, strconv.Itoa(int(id)))
	}
	return all
}

// TestEveryRequestIsShown: each is sent by a function of the client core, or by a
// test of the API.
func TestEveryRequestIsShown(t *testing.T) {
	shown := evidence(t, readLedger(t))
	for _, r := range requests() {
		if e := shown[r]; len(e.functions)+len(e.tests) == 0 && messenger(r) {
			t.Errorf("nothing shows %s", r)
		}
	}
}

// messenger is whether a request belongs to the messenger, files and devices
// included. Callbacks and operations are not the client core's, and have tests of
// their own.
func messenger(request string) bool {
	if _, err := strconv.Atoi(request); err == nil {
		return true
	}
	noun, _, _ := strings.Cut(request[1:], "/")
	return slices.Contains([]string{"auth", "user", "friend", "group", "msg", "conversation", "jssdk", "statistics", "object", "third"}, noun)
}

// proof is where a request is tried.
type proof struct {
	functions []string // of the client core
	tests     []string // of internal/api and internal/gateway
}

func evidence(t *testing.T, l ledger) map[string]proof {
	t.Helper()
	shown := map[string]proof{}
	for _, f := range l.Functions {
		for _, r := range slices.Concat(f.Sends, f.Then) {
			p := shown[r]
			p.functions = append(p.functions, f.Function)
			shown[r] = p
		}
	}
	for r, tests := range socketRequestsOfTests(t) {
		p := shown[r]
		p.tests = tests
		shown[r] = p
	}
	literals := literalsOfTests(t)
	for _, path := range api.Paths() {
		name := strings.TrimPrefix(path, "/group/") // as tables name a group's calls
		tests := map[string]bool{}
		for test, strings := range literals {
			if strings[path] || strings[name] {
				tests[test] = true
			}
		}
		p := shown[path]
		p.tests = slices.Sorted(maps.Keys(tests))
		shown[path] = p
	}
	return shown
}

// literalsOfTests is the texts that stand in each test of the API, those of its
// recordings among them.
func literalsOfTests(t *testing.T) map[string]map[string]bool {
	t.Helper()
	found := map[string]map[string]bool{}
	for _, f := range testsIn(t, apiTests) {
		found[f.Name.Name] = map[string]bool{}
		ast.Inspect(f, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if text, err := strconv.Unquote(lit.Value); err == nil {
					path, _, _ := strings.Cut(text, "?")
					found[f.Name.Name][path] = true
				}
			}
			return true
		})
	}
	traces, err := filepath.Glob(recordings + "/*.json")
	if err != nil || len(traces) == 0 {
		t.Fatalf("recordings: %d, %v", len(traces), err)
	}
	for _, path := range traces {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := "TestGolden/" + strings.TrimSuffix(filepath.Base(path), ".json")
		found[name] = map[string]bool{}
		for _, route := range api.Paths() {
			if strings.Contains(string(raw), strconv.Quote(route)) {
				found[name][route] = true
			}
		}
	}
	return found
}

// testsIn is the test functions of a folder.
func testsIn(t *testing.T, folder string) (tests []*ast.FuncDecl) {
	t.Helper()
	files, err := filepath.Glob(folder + "/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(f.Name.Name, "Test") {
				tests = append(tests, f)
			}
		}
	}
	if len(tests) == 0 {
		t.Fatalf("no tests in %s", folder)
	}
	return tests
}

// socketRequestsOfTests is the tests of the gateway that name each identifier.
func socketRequestsOfTests(t *testing.T) map[string][]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), identifiers, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 {
			if value, ok := spec.Values[0].(*ast.BasicLit); ok && value.Kind == token.INT {
				named[spec.Names[0].Name] = value.Value
			}
		}
		return true
	})
	found := map[string][]string{}
	for _, f := range testsIn(t, socketTests) {
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if r := named[s.Sel.Name]; r != "" && !slices.Contains(found[r], f.Name.Name) {
					found[r] = append(found[r], f.Name.Name)
				}
			}
			return true
		})
	}
	return found
}

// TestReadme: README.md is true. -update writes it. A test it names must still try
// what it is named for; that there are others since is no reason to fail.
func TestReadme(t *testing.T) {
	l := readLedger(t)
	shown := evidence(t, l)
	want := readme(l, shown)
	if *update {
		if err := os.WriteFile("README.md", []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	functions, table, _ := strings.Cut(string(raw), requestsTitle)
	if wanted, _, _ := strings.Cut(want, requestsTitle); functions != wanted {
		t.Error("the functions in README.md are not those of ledger.json: go test ./test/compat -update")
	}
	listed := map[string]bool{}
	for row := range strings.Lines(table) {
		cells := strings.Split(row, "|")
		if len(cells) != 5 || !strings.HasPrefix(cells[1], " `") {
			continue
		}
		request := strings.Trim(cells[1], " `")
		listed[request] = true
		for _, test := range strings.Split(strings.TrimSpace(cells[3]), ", ") {
			if test != "" && !slices.Contains(shown[request].tests, test) {
				t.Errorf("README.md says that %s tries %s", test, request)
			}
		}
	}
	for _, r := range requests() {
		if messenger(r) && !listed[r] {
			t.Errorf("%s is not in README.md: go test ./test/compat -update", r)
		}
	}
}

const requestsTitle = "## Requests\n"

func readme(l ledger, shown map[string]proof) string {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	sending, local := 0, 0
	for _, f := range l.Functions {
		switch {
		case f.Local != "":
			local++
		default:
			sending++
		}
	}
	say("# Ledger of compatibility")
	say("")
	say("<!-- Written by: go test ./test/compat -update -->")
	say("")
	say("The functions %s gives to apps, read from it by reflection: %d. Of these %d send requests, and %d answer", l.Client, len(l.Functions), sending, local)
	say("on the device. Each has one test named after it in [test/clients/native](../clients/native), which checks")
	say("what every device concerned knows afterwards. What a function sends was seen on the wire by its operation id while that test ran,")
	say("and is seen again by every run: a function without a test, or one that sends something else, fails the run. `ledger.json` is the same for programs;")
	say("it also lists what may follow, and the core's exported methods that no function for apps leads to.")
	noun := ""
	for _, f := range l.Functions {
		if n, _, _ := strings.Cut(f.Method, "."); n != noun {
			noun = n
			say("\n## %s\n\n| Function | Sends | Test |\n|---|---|---|", noun)
		}
		sends := code(f.Sends)
		switch {
		case f.Local != "":
			sends = "nothing: " + f.Local
		}
		say("| %s | %s | %s |", f.Function, sends, f.Test)
	}
	say("\nFunctions that take no operation and only set up the device: %s.", strings.Join(l.SetUp, ", "))
	say("\n%s\nWhat the server answers, with the functions of the client that ask for it, or after which devices fetch it; for those no client asks for, the tests of `internal/api`", requestsTitle)
	say("(`internal/gateway` for the long connection's) that try it; those of callbacks and operations are left out. Who may ask is in [docs/authorisation.md](../../docs/authorisation.md), where every request is tried by every role.")
	say("\n| Request | Client | Tests of the server |\n|---|---|---|")
	for _, r := range requests() {
		if !messenger(r) {
			continue
		}
		p := shown[r]
		client, tests := strings.Join(p.functions, ", "), ""
		if client == "" {
			tests = strings.Join(p.tests, ", ")
		}
		if len(p.functions) > 6 {
			client = fmt.Sprintf("%s and %d more", strings.Join(p.functions[:5], ", "), len(p.functions)-5)
		}
		say("| `%s` | %s | %s |", r, client, tests)
	}
	return b.String()
}

func code(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "`" + strings.Join(names, "`, `") + "`"
}
