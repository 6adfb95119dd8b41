package native

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/openimsdk/openim-sdk-core/v3/open_im_sdk"
	"github.com/parley-im/parley/test/harness"
)

// The ledger of compatibility says of every function of the client core which
// requests it sends to the server and which test shows that it works. It is not
// written by hand: the functions are read from the core by reflection, the
// requests from the wire while the tests run, and the test of a function is the
// one that is named after it and calls it. A run of all tests compares what it
// saw with the file, and fails if a function has no test or sends something else.

const (
	ledgerFile = "../../compat/ledger.json"
	coreSource = "vendor/github.com/openimsdk/openim-sdk-core/v3/open_im_sdk"
)

var updateLedger = flag.Bool("update-ledger", false, "write "+ledgerFile+" instead of comparing with it")

// ledger is the file.
type ledger struct {
	Client    string          `json:"client"`
	Functions []*ledgerEntry  `json:"functions"`
	SetUp     []string        `json:"setUp"` // functions without an operation: they never send anything
	Unused    []unusedMethods `json:"unused"`
}

// ledgerEntry is one function of the core's interface for apps.
type ledgerEntry struct {
	Function string   `json:"function"`
	Method   string   `json:"method"`
	Test     string   `json:"test,omitempty"`
	Sends    []string `json:"sends,omitempty"`
	Then     []string `json:"then,omitempty"`  // may follow: devices fetch what changed, under the same operation id
	Local    string   `json:"local,omitempty"` // why it sends nothing
}

// unusedMethods are exported methods no function for apps leads to: the core's
// own machinery.
type unusedMethods struct {
	Type    string   `json:"type"`
	Methods []string `json:"methods"`
}

// localReasons says why functions send nothing, by name or beginning of a name.
// A function that is seen to send something is not asked for here.
var localReasons = []struct{ prefix, reason string }{
	{"Create", "builds a message"},
	{"GetAtAllTag", "a constant"},
	{"GetConversationIDBySessionType", "computes an id"},
	{"GetLoginStatus", "state of the session"},
	{"UnsubscribeUsersStatus", "the server is told with the next subscription"},
	{"NetworkStatusChanged", "closes the connection; the core makes a new one"},
	{"GetSubscribeUsersStatus", "kept by the connection"},
	{"GetInputStates", "kept by the device"},
	{"SetConversationDraft", "drafts stay on the device"},
	{"SetMessageLocalEx", "stays on the device"},
	{"HideAllConversations", "hides them on the device"},
	{"HideConversation", "hides it on the device"},
	{"DeleteMessageFromLocalStorage", "on the device only"},
	{"DeleteAllMsgFromLocal", "on the device only"},
	{"Insert", "on the device only"},
	{"Logs", "written to the device's log"},
	{"Search", "searches the device's database"},
	{"Get", "answered from the device's database"},
	{"FindMessageList", "answered from the device's database"},
	{"CheckFriend", "answered from the device's database"},
	{"IsJoinGroup", "answered from the device's database"},
}

// lookup asks for the profile of somebody the device does not know yet, which many
// functions do before what they are for.
const lookup = "/user/get_users_info"

// knows are functions that look up only what the device does not know yet; a
// login may have told it.
var knows = map[string]bool{"GetSelfUserInfo": true}

// observed is what a run sees of the core's functions.
var observed = observations{calls: map[string]*functionCall{}, latest: map[session]*functionCall{}}

type observations struct {
	mu     sync.Mutex
	calls  map[string]*functionCall // by operation id
	latest map[session]*functionCall
}

type session struct {
	userID   string
	platform int
}

// functionCall is one call of one method of the core, found by where it stands.
type functionCall struct {
	at       place
	test     string
	requests []string
}

type place struct {
	file string
	line int
}

// called notes that a test is about to call the core. The call stands where the
// context for it was asked for, outside of device's own methods for that.
func (o *observations) called(operationID, test string, by session) {
	var pcs [8]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		f, more := frames.Next()
		if !strings.HasSuffix(f.Function, "(*device).ctx") && !strings.HasSuffix(f.Function, "(*device).call") || !more {
			call := &functionCall{at: place{filepath.Base(f.File), f.Line}, test: test}
			o.mu.Lock()
			defer o.mu.Unlock()
			o.calls[operationID], o.latest[by] = call, call
			return
		}
	}
}

// saw takes what came by the wire. Subscriptions go out under an id of the
// core's own; they belong to the call that was made last.
func (o *observations) saw(r harness.Request) {
	const subscribe = "2005"
	o.mu.Lock()
	defer o.mu.Unlock()
	call := o.calls[r.OperationID]
	if call == nil && r.Name == subscribe {
		call = o.latest[session{r.UserID, r.Platform}]
	}
	if call != nil && !slices.Contains(call.requests, r.Name) {
		call.requests = append(call.requests, r.Name)
	}
}

// ledger makes the file from what was seen, and says what is missing.
func (o *observations) ledger() (*ledger, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	entries, setUp, err := functionsForApps()
	if err != nil {
		return nil, err
	}
	standing, err := callsInTests()
	if err != nil {
		return nil, err
	}
	byMethod := map[string][]*functionCall{}
	for _, c := range o.calls {
		for _, name := range standing[c.at] {
			byMethod[name] = append(byMethod[name], c)
		}
	}
	l := &ledger{Client: "openim-sdk-core v3.8.3", Functions: entries, SetUp: setUp, Unused: withoutFunction(entries)}
	var missing []error
	for _, e := range l.Functions {
		_, name, _ := strings.Cut(e.Method, ".")
		first, then := map[string]bool{}, map[string]bool{}
		for _, c := range byMethod[name] {
			test := cmp.Or(namedAfter(c.test, e.Function), namedAfter(c.test, name))
			if test == "" {
				continue
			}
			if e.Test == "" || test < e.Test {
				e.Test = test
			}
			if i := slices.IndexFunc(c.requests, func(r string) bool { return r != lookup }); i >= 0 {
				first[c.requests[i]] = true
			}
			for _, r := range c.requests {
				then[r] = true
			}
		}
		if len(first) == 0 && then[lookup] {
			first[lookup] = true
		}
		maps.DeleteFunc(then, func(r string, _ bool) bool { return first[r] })
		e.Sends, e.Then = slices.Sorted(maps.Keys(first)), slices.Sorted(maps.Keys(then))
		if len(e.Sends) == 0 {
			e.Local = localReason(e.Function)
		}
		switch {
		case e.Test == "" && len(byMethod[name]) > 0:
			missing = append(missing, fmt.Errorf("%s is called by %s, but has no test of its name", e.Function, byMethod[name][0].test))
		case e.Test == "":
			missing = append(missing, fmt.Errorf("%s has no test", e.Function))
		case len(e.Sends) == 0 && e.Local == "":
			missing = append(missing, fmt.Errorf("%s sent nothing in %s, and no reason is known", e.Function, e.Test))
		}
	}
	return l, errors.Join(missing...)
}

// namedAfter is the test of a function that a test is or belongs to:
// TestRevokeMessage is RevokeMessage's, TestGroupQueries/IsJoinGroup IsJoinGroup's.
func namedAfter(test, function string) string {
	parts := strings.Split(test, "/")
	i := slices.IndexFunc(parts, func(part string) bool { return part == function || part == "Test"+function })
	return strings.Join(parts[:i+1], "/")
}

func localReason(function string) string {
	for _, r := range localReasons {
		if strings.HasPrefix(function, r.prefix) {
			return r.reason
		}
	}
	return ""
}

// settle compares the run with the file, or writes it.
func (o *observations) settle() error {
	seen, missing := o.ledger()
	if seen == nil {
		return missing
	}
	var kept ledger
	raw, err := os.ReadFile(ledgerFile)
	if err == nil {
		err = json.Unmarshal(raw, &kept)
	}
	if err != nil && !*updateLedger {
		return errors.Join(missing, err)
	}
	fmt.Println(seen.count())
	if !*updateLedger {
		missing = errors.Join(missing, seen.recall(&kept))
	}
	now, err := json.MarshalIndent(seen, "", "\t")
	if err != nil {
		return err
	}
	now = append(now, '\n')
	if *updateLedger {
		return errors.Join(missing, os.WriteFile(ledgerFile, now, 0o600))
	}
	if !bytes.Equal(raw, now) {
		missing = errors.Join(missing, fmt.Errorf("%s is not what this run saw (go test -update-ledger writes it): %s", ledgerFile, firstDifference(string(raw), string(now))))
	}
	return missing
}

// recall takes over from the file what a run need not show again: the requests
// that follow a change, which devices put together if it is followed by another.
// What a function itself asks must be seen every time.
func (l *ledger) recall(kept *ledger) error {
	var gone []error
	for _, e := range l.Functions {
		i := slices.IndexFunc(kept.Functions, func(k *ledgerEntry) bool { return k.Function == e.Function })
		if i < 0 {
			continue
		}
		k := kept.Functions[i]
		if knows[e.Function] {
			e.Sends, e.Then, e.Local = k.Sends, k.Then, k.Local
			continue
		}
		seen, known := slices.Concat(e.Sends, e.Then), slices.Concat(k.Sends, k.Then)
		if lost := without(k.Sends, seen); len(lost) > 0 {
			gone = append(gone, fmt.Errorf("%s did not send %v in %s", e.Function, lost, e.Test))
		}
		// A function that asks several things at once does so in any order.
		if len(without(e.Sends, known)) == 0 {
			e.Sends = k.Sends
		}
		e.Then = k.Then
	}
	return errors.Join(gone...)
}

func without(list, these []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(r string) bool { return slices.Contains(these, r) })
}

func (l *ledger) count() string {
	sending, local := 0, 0
	for _, e := range l.Functions {
		switch {
		case e.Test == "":
		case e.Local != "":
			local++
		default:
			sending++
		}
	}
	return fmt.Sprintf("ledger: %d functions of the client core: %d send requests and have a test, %d are local and have one, %d lack a test",
		len(l.Functions), sending, local, len(l.Functions)-sending-local)
}

func firstDifference(kept, seen string) string {
	was, is := strings.Split(kept, "\n"), strings.Split(seen, "\n")
	for i := range min(len(was), len(is)) {
		if was[i] != is[i] {
			return fmt.Sprintf("line %d is\n%s\nnow\n%s", i+1, was[i], is[i])
		}
	}
	return "one is longer"
}

// nouns are the core's types with functions for apps, by how the core reaches
// them from a session.
var nouns = func() map[string]reflect.Type {
	types := map[string]reflect.Type{}
	manager := reflect.TypeFor[*open_im_sdk.LoginMgr]()
	types["LoginMgr"] = manager
	for _, name := range []string{"User", "Relation", "Group", "Conversation", "LongConnMgr", "Third", "File"} {
		m, ok := manager.MethodByName(name)
		if !ok {
			panic("the core has no " + name)
		}
		types[name] = m.Type.Out(0)
	}
	return types
}()

// functionsForApps reads the core's interface: the exported functions of its
// package, each with the method it leads to, which must exist.
func functionsForApps() (entries []*ledgerEntry, setUp []string, err error) {
	files, err := filepath.Glob(filepath.Join(coreSource, "*.go"))
	if err != nil {
		return nil, nil, err
	}
	operation := reflect.TypeFor[context.Context]()
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, nil, err
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv != nil || !f.Name.IsExported() {
				continue
			}
			method := methodOf(f)
			if method == "" {
				continue
			}
			noun, name, _ := strings.Cut(method, ".")
			m, ok := nouns[noun].MethodByName(name)
			if !ok {
				return nil, nil, fmt.Errorf("%s leads to %s, which the core does not have", f.Name.Name, method)
			}
			if m.Type.NumIn() < 2 || m.Type.In(1) != operation {
				setUp = append(setUp, f.Name.Name)
				continue
			}
			entries = append(entries, &ledgerEntry{Function: f.Name.Name, Method: method})
		}
	}
	if len(entries) < 100 {
		return nil, nil, fmt.Errorf("%d functions in %s: run prepare.sh", len(entries), coreSource)
	}
	slices.SortFunc(entries, func(a, b *ledgerEntry) int {
		return cmp.Or(cmp.Compare(strings.Split(a.Method, ".")[0], strings.Split(b.Method, ".")[0]), cmp.Compare(a.Function, b.Function))
	})
	slices.Sort(setUp)
	return entries, setUp, nil
}

// methodOf finds UserForSDK.Group().CreateGroup, or UserForSDK.Login, in a
// function's body.
func methodOf(f *ast.FuncDecl) (method string) {
	const theSession = "UserForSDK"
	ast.Inspect(f.Body, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		switch x := s.X.(type) {
		case *ast.Ident:
			if x.Name == theSession && method == "" && nouns[s.Sel.Name] == nil && s.Sel.Name != "ImConfig" {
				method = "LoginMgr." + s.Sel.Name
			}
		case *ast.CallExpr:
			if inner, ok := x.Fun.(*ast.SelectorExpr); ok && nouns[inner.Sel.Name] != nil {
				method = inner.Sel.Name + "." + s.Sel.Name
			}
		}
		return true
	})
	return method
}

// withoutFunction are the methods reflection finds and no function for apps leads to.
func withoutFunction(entries []*ledgerEntry) []unusedMethods {
	used := map[string]bool{}
	for _, e := range entries {
		used[e.Method] = true
	}
	var all []unusedMethods
	for _, noun := range slices.Sorted(maps.Keys(nouns)) {
		u := unusedMethods{Type: noun}
		for m := range nouns[noun].Methods() {
			if !used[noun+"."+m.Name] && !ofDatabase(nouns[noun], m.Name) {
				u.Methods = append(u.Methods, m.Name)
			}
		}
		all = append(all, u)
	}
	return all
}

// ofDatabase: the core embeds its database's whole interface in places.
func ofDatabase(noun reflect.Type, method string) bool {
	for f := range noun.Elem().Fields() {
		if f.Anonymous && f.Type.Kind() == reflect.Interface {
			if _, ok := f.Type.MethodByName(method); ok {
				return true
			}
		}
	}
	return false
}

// callsInTests is which methods of the core are called on which lines of this
// package: those whose first argument is a device's context.
func callsInTests() (map[place][]string, error) {
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		return nil, err
	}
	calls := map[place][]string{}
	for _, path := range files {
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			outer, ok := n.(*ast.CallExpr)
			if !ok || len(outer.Args) == 0 {
				return true
			}
			function, ok := outer.Fun.(*ast.SelectorExpr)
			if !ok || !isContext(outer.Args[0]) {
				return true
			}
			at := place{path, set.Position(outer.Args[0].Pos()).Line}
			calls[at] = append(calls[at], function.Sel.Name)
			return true
		})
	}
	var ambiguous []error
	for at, names := range calls {
		if len(names) > 1 {
			ambiguous = append(ambiguous, errors.New(at.file+":"+strconv.Itoa(at.line)+" calls the core more than once"))
		}
	}
	return calls, errors.Join(ambiguous...)
}

// isContext: an expression like d.call() or s.b.ctx().
func isContext(e ast.Expr) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok || len(call.Args) > 0 {
		return false
	}
	s, ok := call.Fun.(*ast.SelectorExpr)
	return ok && (s.Sel.Name == "call" || s.Sel.Name == "ctx")
}
