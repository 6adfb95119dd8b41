package config

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Limits on one file. They are far above any real configuration and keep a
// broken or hostile file (alias bombs, endless nesting) from costing more than
// an error message.
const (
	maxFileBytes = 256 << 10
	maxLines     = 10_000
	maxNodes     = 20_000
	maxDepth     = 50
)

// nodeKind is what a YAML value is, before any schema is applied.
type nodeKind uint8

const (
	nullNode nodeKind = iota
	scalarNode
	listNode
	mapNode
)

// node is a YAML value with its place. Aliases and merge keys are resolved.
type node struct {
	kind   nodeKind
	text   string // of a scalar, as written, without quotes
	quoted bool
	line   int
	col    int
	items  []*node
	fields []field
}

// field is one entry of a mapping.
type field struct {
	name string
	line int
	col  int
	val  *node
}

// syntaxError is a problem of the YAML text itself.
type syntaxError struct {
	line, col int
	message   string
}

func (e *syntaxError) Error() string { return e.message }

// parseYAML reads one document; an empty one is a null node. Without a node the
// file could not be understood at all; with one, the errors are keys given
// twice, of which the first counts.
func parseYAML(text []byte) (root *node, errs []*syntaxError) {
	if len(text) > maxFileBytes {
		return nil, []*syntaxError{{line: 1, message: fmt.Sprintf("the file has %d bytes; at most %d are read", len(text), maxFileBytes)}}
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	text = bytes.ReplaceAll(text, []byte("\r"), []byte("\n")) // a line break for the parser, too
	if e := checkText(text); e != nil {
		return nil, []*syntaxError{e}
	}
	// The parser is not ours; a panic in it is one more kind of bad input.
	defer func() {
		if r := recover(); r != nil {
			root, errs = nil, []*syntaxError{{line: 1, message: "this is not valid YAML"}}
		}
	}()
	// Duplicates are looked for below, where letter case does not count.
	file, err := parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, []*syntaxError{asSyntaxError(err)}
	}
	c := converter{anchors: make(map[string]*node)}
	root, err = c.document(file)
	if err != nil {
		return nil, []*syntaxError{asSyntaxError(err)}
	}
	return root, c.duplicates
}

// checkText refuses what the parser reports badly or could choke on: tabs as
// indentation, and flow collections nested beyond any sense.
func checkText(text []byte) *syntaxError {
	depth, line := 0, 0
	for l := range bytes.Lines(text) {
		if line++; line > maxLines {
			return &syntaxError{line: line, message: fmt.Sprintf("the file has more than %d lines", maxLines)}
		}
		if indent := l[:len(l)-len(bytes.TrimLeft(l, " \t"))]; len(bytes.TrimSpace(l)) > 0 {
			if i := bytes.IndexByte(indent, '\t'); i >= 0 {
				return &syntaxError{line: line, col: i + 1, message: "a tab is used for indentation; YAML allows only spaces"}
			}
			if len(indent) > 20*maxDepth {
				return &syntaxError{line: line, col: len(indent), message: "nested too deeply"}
			}
		}
		for i, b := range l {
			switch b {
			case '[', '{':
				depth++
			case ']', '}':
				depth = max(depth-1, 0)
			case 0:
				return &syntaxError{line: line, col: i + 1, message: "the file contains a NUL byte; it is not text"}
			}
			if depth > maxDepth {
				return &syntaxError{line: line, col: i + 1, message: "nested too deeply"}
			}
		}
		// Compact block nesting ("- - - x", "? ? x") needs no indentation.
		if bytes.Count(l, []byte("- "))+bytes.Count(l, []byte("? "))+bytes.Count(l, []byte("-\t")) > 10*maxDepth {
			return &syntaxError{line: line, col: 1, message: "nested too deeply"}
		}
	}
	return nil
}

func asSyntaxError(err error) *syntaxError {
	if e, ok := errors.AsType[*syntaxError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*yaml.SyntaxError](err); ok {
		s := &syntaxError{line: 1, message: "invalid YAML: " + e.Message}
		s.line, s.col = place(e.Token)
		return s
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	return &syntaxError{line: 1, message: "invalid YAML: " + first}
}

func place(t *token.Token) (line, col int) {
	if t == nil || t.Position == nil {
		return 1, 0
	}
	return max(t.Position.Line, 1), max(t.Position.Column, 0)
}

// converter turns the parser's tree into nodes.
type converter struct {
	anchors    map[string]*node
	count      int
	duplicates []*syntaxError
}

func (c *converter) document(file *ast.File) (*node, error) {
	var root *node
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if _, ok := doc.Body.(*ast.CommentGroupNode); ok {
			continue
		}
		if root != nil {
			return nil, c.fail(doc.Body, "only one YAML document per file is read; join them")
		}
		var err error
		if root, err = c.convert(doc.Body, 0); err != nil {
			return nil, err
		}
	}
	if root == nil {
		root = &node{kind: nullNode, line: 1, col: 1}
	}
	return root, nil
}

func (c *converter) fail(at ast.Node, format string, args ...any) *syntaxError {
	e := &syntaxError{line: 1, message: fmt.Sprintf(format, args...)}
	if at != nil {
		e.line, e.col = place(at.GetToken())
	}
	return e
}

func (c *converter) convert(n ast.Node, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, c.fail(n, "nested too deeply")
	}
	if c.count++; c.count > maxNodes {
		return nil, c.fail(n, "the file has more than %d values", maxNodes)
	}
	if n == nil {
		return &node{kind: nullNode}, nil
	}
	out := &node{}
	out.line, out.col = place(n.GetToken())
	switch n := n.(type) {
	case *ast.NullNode:
		return out, nil
	case *ast.StringNode:
		out.kind, out.text = scalarNode, n.Value
		out.quoted = n.Token.Type == token.SingleQuoteType || n.Token.Type == token.DoubleQuoteType
		return out, nil
	case *ast.LiteralNode:
		out.kind, out.quoted = scalarNode, true
		if n.Value != nil {
			out.text = n.Value.Value
		}
		return out, nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		// The text as written: a secret of 0123 must not become 83.
		out.kind, out.text = scalarNode, n.GetToken().Value
		return out, nil
	case *ast.TagNode:
		return c.convert(n.Value, depth+1)
	case *ast.AnchorNode:
		v, err := c.convert(n.Value, depth+1)
		if err != nil {
			return nil, err
		}
		if n.Name != nil {
			c.anchors[n.Name.GetToken().Value] = v
		}
		return v, nil
	case *ast.AliasNode:
		if n.Value == nil {
			return nil, c.fail(n, "alias without a name")
		}
		name := n.Value.GetToken().Value
		target, ok := c.anchors[name]
		if !ok {
			return nil, c.fail(n, "alias *%s has no anchor &%s before it", name, name)
		}
		// A copy costs its size, so that aliases of aliases run into maxNodes.
		return c.clone(target, n)
	case *ast.SequenceNode:
		out.kind = listNode
		for _, v := range n.Values {
			item, err := c.convert(v, depth+1)
			if err != nil {
				return nil, err
			}
			out.items = append(out.items, item)
		}
		return out, nil
	case *ast.MappingValueNode:
		out.kind = mapNode
		return out, c.addField(out, n, depth)
	case *ast.MappingNode:
		out.kind = mapNode
		for _, v := range n.Values {
			if err := c.addField(out, v, depth); err != nil {
				return nil, err
			}
		}
		return out, nil
	default:
		return nil, c.fail(n, "this kind of YAML value is not supported")
	}
}

func (c *converter) clone(n *node, at ast.Node) (*node, error) {
	if c.count++; c.count > maxNodes {
		return nil, c.fail(at, "the file has more than %d values", maxNodes)
	}
	out := *n
	out.items, out.fields = nil, nil
	for _, item := range n.items {
		v, err := c.clone(item, at)
		if err != nil {
			return nil, err
		}
		out.items = append(out.items, v)
	}
	for _, f := range n.fields {
		v, err := c.clone(f.val, at)
		if err != nil {
			return nil, err
		}
		f.val = v
		out.fields = append(out.fields, f)
	}
	return &out, nil
}

func (c *converter) addField(m *node, v *ast.MappingValueNode, depth int) error {
	val, err := c.convert(v.Value, depth+1)
	if err != nil {
		return err
	}
	if _, merge := v.Key.(*ast.MergeKeyNode); merge {
		return c.merge(m, val, v)
	}
	key := ast.Node(v.Key)
	if k, ok := key.(*ast.MappingKeyNode); ok && k.Value != nil {
		key = k.Value
	}
	if a, ok := key.(*ast.AnchorNode); ok && a.Value != nil {
		key = a.Value
	}
	f := field{val: val}
	switch key.(type) {
	case ast.ScalarNode:
		f.name = key.GetToken().Value
	default:
		return c.fail(v.Key, "a key must be a plain word")
	}
	f.line, f.col = place(key.GetToken())
	for i, other := range m.fields {
		if !strings.EqualFold(other.name, f.name) {
			continue
		}
		if other.line == 0 { // merged in, and the explicit key wins
			m.fields[i] = f
			return nil
		}
		c.duplicates = append(c.duplicates, &syntaxError{
			line: f.line, col: f.col,
			message: fmt.Sprintf("key '%s' is given twice, first in line %d", f.name, other.line),
		})
		return nil
	}
	m.fields = append(m.fields, f)
	return nil
}

// merge adds what `<<` brings. Merged entries carry line 0 so that an explicit
// key of the same name, before or after, replaces them.
func (c *converter) merge(m, val *node, at *ast.MappingValueNode) error {
	sources := []*node{val}
	if val.kind == listNode {
		sources = val.items
	}
	for _, source := range sources {
		if source.kind != mapNode {
			return c.fail(at, "'<<' needs a mapping")
		}
		for _, f := range source.fields {
			if _, ok := m.field(f.name); ok {
				continue
			}
			f.line, f.col = 0, 0
			m.fields = append(m.fields, f)
		}
	}
	return nil
}

// field finds an entry without regard to letter case.
func (n *node) field(name string) (field, bool) {
	for _, f := range n.fields {
		if strings.EqualFold(f.name, name) {
			return f, true
		}
	}
	return field{}, false
}

// String renders a value as an operator would write it on one line.
func (n *node) String() string {
	switch n.kind {
	case scalarNode:
		return n.text
	case listNode:
		items := make([]string, len(n.items))
		for i, item := range n.items {
			items[i] = item.String()
		}
		return "[" + strings.Join(items, ", ") + "]"
	case mapNode:
		return "a section"
	default:
		return ""
	}
}
