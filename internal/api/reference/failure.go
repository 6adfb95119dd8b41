package reference

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/parley-im/parley/internal/api"
)

// failures knows which errors a route can answer: those of im's table that are
// named in a function which its rule or handler can reach. Reaching is read from
// the source: whoever mentions a function may call it, and a call through an
// interface of this module may be one of any type that has all its methods. So the
// list is complete, as
// far as errors come from the table, and may hold a code too many.
type failures struct {
	table  map[string]code     // by variable of im
	names  map[string][]string // function → errors it names
	calls  map[string][]string // function → functions it mentions
	routes map[string][]string // path → functions
	free   map[string]bool     // functions that answer with codes of handlers
	// types are the methods of each type by name, asked the methods of each
	// interface that is called through.
	types map[string]map[string]string
	asked map[string]*types.Interface
}

type code struct {
	Number int
	Name   string
}

// codes are the errors of a route.
type codes struct {
	list     []code // by number
	handlers bool   // and those of handlers of callbacks, 5000 to 9999
}

func (c codes) String() string {
	var parts []string
	for _, e := range c.list {
		parts = append(parts, fmt.Sprintf("%d %s", e.Number, e.Name))
	}
	if c.handlers {
		parts = append(parts, "5000 to 9999 as a handler of callbacks chose")
	}
	return strings.Join(parts, ", ")
}

func (c codes) schema() object {
	numbers := []int{}
	for _, e := range c.list {
		numbers = append(numbers, e.Number)
	}
	if !c.handlers {
		return object{{"type", "integer"}, {"enum", numbers}}
	}
	return object{{"anyOf", []object{
		{{"type", "integer"}, {"enum", numbers}},
		{{"type", "integer"}, {"minimum", 5000}, {"maximum", 9999}, {"description", "of a handler of callbacks"}},
	}}}
}

const (
	identify = "(*" + module + "/internal/api.server).identify"
	tooMany  = "(*" + module + "/internal/api.server).tooMany" // answers with a status of its own
	imError  = module + "/internal/im.Error"
)

func (f *failures) of(r api.Route) (codes, error) {
	roots := f.routes[r.Path]
	if len(roots) == 0 {
		return codes{}, errors.New("routes.go does not have it as post(path, call)")
	}
	if r.Token {
		roots = append(slices.Clip(roots), identify)
	}
	seen := map[string]bool{}
	var out codes
	var walk func(string)
	walk = func(name string) {
		if seen[name] || name == tooMany {
			return
		}
		seen[name] = true
		out.handlers = out.handlers || f.free[name]
		for _, e := range f.names[name] {
			if c := f.table[e]; !slices.Contains(out.list, c) {
				out.list = append(out.list, c)
			}
		}
		for _, callee := range f.calls[name] {
			walk(callee)
		}
	}
	for _, name := range roots {
		walk(name)
	}
	slices.SortFunc(out.list, func(a, b code) int { return a.Number - b.Number })
	return out, nil
}

// goPackage is what go list says of a package.
type goPackage struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
}

func readFailures(root string) (*failures, error) {
	packages, err := listPackages(root)
	if err != nil {
		return nil, err
	}
	exports := map[string]string{}
	for _, p := range packages {
		exports[p.ImportPath] = p.Export
	}
	files := token.NewFileSet()
	imports := importer.ForCompiler(files, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	f := &failures{
		table: map[string]code{}, names: map[string][]string{}, calls: map[string][]string{}, routes: map[string][]string{},
		free: map[string]bool{}, types: map[string]map[string]string{}, asked: map[string]*types.Interface{},
	}
	for _, p := range packages {
		if !strings.HasPrefix(p.ImportPath, module+"/internal/") {
			continue
		}
		var parsed []*ast.File
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(files, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				return nil, err
			}
			parsed = append(parsed, file)
		}
		info := &types.Info{Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}, Types: map[ast.Expr]types.TypeAndValue{}}
		checked := types.Config{Importer: imports}
		if _, err := checked.Check(p.ImportPath, files, parsed, info); err != nil {
			return nil, fmt.Errorf("%s: %w", p.ImportPath, err)
		}
		for _, file := range parsed {
			f.readFile(p.ImportPath, file, info)
		}
	}
	f.resolveInterfaces()
	return f, nil
}

// listPackages lists the API's packages with what the compiler made of them.
func listPackages(root string) ([]goPackage, error) {
	cmd := exec.Command("go", "list", "-deps", "-export", "-json=ImportPath,Dir,Export,GoFiles", "./internal/app")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			err = fmt.Errorf("%w\n%s", err, exit.Stderr)
		}
		return nil, fmt.Errorf("go list: %w", err)
	}
	var all []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		all = append(all, p)
	}
}

func (f *failures) readFile(path string, file *ast.File, info *types.Info) {
	for _, decl := range file.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			fn, ok := info.Defs[decl.Name].(*types.Func)
			if !ok || decl.Body == nil {
				continue
			}
			name := functionName(fn)
			if recv := fn.Signature().Recv(); recv != nil {
				typ := strings.TrimPrefix(recv.Type().String(), "*")
				if f.types[typ] == nil {
					f.types[typ] = map[string]string{}
				}
				f.types[typ][fn.Name()] = name
			}
			f.readBody(name, decl.Body, info)
			if path == module+"/internal/api" && fn.Name() == "routes" {
				f.readRoutes(decl.Body, info)
			}
		case *ast.GenDecl: // a variable's function or error counts for who mentions the variable
			for _, spec := range decl.Specs {
				value, ok := spec.(*ast.ValueSpec)
				if !ok {
					continue
				}
				for i, id := range value.Names {
					if i >= len(value.Values) {
						break
					}
					name := path + "." + id.Name
					f.readBody(name, value.Values[i], info)
					if path == module+"/internal/im" {
						f.readCode(name, value.Values[i], info)
					}
				}
			}
		}
	}
}

// readCode takes a line of the error table.
func (f *failures) readCode(name string, e ast.Expr, info *types.Info) {
	if u, ok := e.(*ast.UnaryExpr); ok {
		e = u.X
	}
	literal, ok := e.(*ast.CompositeLit)
	if !ok || info.Types[literal].Type.String() != imError {
		return
	}
	var c code
	for _, element := range literal.Elts {
		pair, ok := element.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		value := info.Types[pair.Value].Value
		switch pair.Key.(*ast.Ident).Name {
		case "Code":
			number, _ := constant.Int64Val(value)
			c.Number = int(number)
		case "Msg":
			c.Name = constant.StringVal(value)
		}
	}
	f.table[name] = c
	f.names[name] = append(f.names[name], name)
}

// readBody notes what a piece of code mentions.
func (f *failures) readBody(name string, body ast.Node, info *types.Info) {
	f.calls[name] = append(f.calls[name], f.mentions(body, info)...)
	if strings.HasPrefix(name, module+"/internal/im.") || strings.HasPrefix(name, "(*"+imError) {
		return
	}
	ast.Inspect(body, func(n ast.Node) bool {
		literal, ok := n.(*ast.CompositeLit)
		if !ok || info.Types[literal].Type.String() != imError {
			return true
		}
		for _, element := range literal.Elts {
			if pair, ok := element.(*ast.KeyValueExpr); ok && pair.Key.(*ast.Ident).Name == "Code" && info.Types[pair.Value].Value == nil {
				f.free[name] = true
			}
		}
		return true
	})
}

// mentions lists the functions and package variables of this module in a piece
// of code.
func (f *failures) mentions(node ast.Node, info *types.Info) []string {
	var out []string
	ast.Inspect(node, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		if !ok {
			return true
		}
		used := info.Uses[id]
		if used == nil || used.Pkg() == nil || !strings.HasPrefix(used.Pkg().Path(), module+"/") {
			return true
		}
		switch used := used.(type) {
		case *types.Func:
			if used.Signature().Results().Len() == 0 && used.Pkg().Path() != module+"/internal/api" {
				return true // no error comes out of it; the API's own may answer
			}
			out = append(out, functionName(used))
			if recv := used.Signature().Recv(); recv != nil && types.IsInterface(recv.Type()) {
				f.asked[functionName(used)] = recv.Type().Underlying().(*types.Interface)
			}
		case *types.Var:
			if used.Parent() == used.Pkg().Scope() {
				out = append(out, used.Pkg().Path()+"."+used.Name())
			}
		}
		return true
	})
	return out
}

// functionName is the same wherever the function is mentioned.
func functionName(fn *types.Func) string { return fn.Origin().FullName() }

// readRoutes takes the lines post(path, call(…)).
func (f *failures) readRoutes(body *ast.BlockStmt, info *types.Info) {
	ast.Inspect(body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) != 2 {
			return true
		}
		if id, ok := call.Fun.(*ast.Ident); !ok || id.Name != "post" {
			return true
		}
		path := constant.StringVal(info.Types[call.Args[0]].Value)
		f.routes[path] = f.mentions(call.Args[1], info)
		return true
	})
}

// resolveInterfaces lets a method of an interface mention those that may be meant.
func (f *failures) resolveInterfaces() {
	for called, asked := range f.asked {
		method := called[strings.LastIndexByte(called, '.')+1:]
		for _, methods := range f.types {
			all := true
			for m := range asked.Methods() {
				all = all && methods[m.Name()] != ""
			}
			if all {
				f.calls[called] = append(f.calls[called], methods[method])
			}
		}
	}
}
