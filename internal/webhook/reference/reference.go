// Package reference describes the bodies of callbacks for people and machines:
// lists of fields, JSON Schema and AsyncAPI, all from the registry, the types of
// payload and the comments in their source.
//
// Its results are generated files, which tests compare; the server does not
// import it.
package reference

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
)

// Docs are the comments of types ("Message") and fields ("Message.Content").
type Docs map[string]string

// ReadDocs reads the comments of the package in a directory.
func ReadDocs(dir string) (Docs, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no source in %s: %w", dir, os.ErrNotExist)
	}
	docs := Docs{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		for _, decl := range file.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range gen.Specs {
				if typ, ok := spec.(*ast.TypeSpec); ok {
					docs.add(typ, gen.Doc)
				}
			}
		}
	}
	return docs, nil
}

func (d Docs) add(typ *ast.TypeSpec, doc *ast.CommentGroup) {
	d[typ.Name.Name] = oneLine(doc)
	body, ok := typ.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, field := range body.Fields.List {
		for _, name := range field.Names {
			d[typ.Name.Name+"."+name.Name] = strings.TrimSpace(oneLine(field.Doc) + " " + oneLine(field.Comment))
		}
	}
}

// oneLine is a comment on one line.
func oneLine(doc *ast.CommentGroup) string {
	return strings.Join(strings.Fields(doc.Text()), " ")
}

// Field is a key of a body.
type Field struct {
	Key      string
	Type     reflect.Type // without the pointer of one that may be null
	Doc      string       // the field's own comment
	Optional bool         // may be left out
	Null     bool         // may be null
}

// Fields lists the keys of a body, those of embedded types in their place.
func (d Docs) Fields(t reflect.Type) []Field {
	var fields []Field
	for i := range t.NumField() {
		f := t.Field(i)
		typ := f.Type
		if f.Anonymous {
			pointer := typ.Kind() == reflect.Pointer
			if pointer {
				typ = typ.Elem()
			}
			for _, inner := range d.Fields(typ) {
				inner.Optional = inner.Optional || pointer
				fields = append(fields, inner)
			}
			continue
		}
		key, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		field := Field{Key: key, Type: typ, Doc: d[t.Name()+"."+f.Name], Optional: strings.Contains(options, "omitempty")}
		switch typ.Kind() {
		case reflect.Pointer:
			field.Type, field.Null = typ.Elem(), true
		case reflect.Slice, reflect.Map:
			field.Null = true
		default:
		}
		fields = append(fields, field)
	}
	return fields
}

// TypeName says what a field holds, in the words of JSON.
func TypeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Int32, reflect.Int64, reflect.Uint32:
		return t.Kind().String()
	case reflect.Slice:
		return TypeName(t.Elem()) + "[]"
	case reflect.Map:
		return "object of " + TypeName(t.Elem())
	case reflect.Struct:
		return t.Name()
	default:
		panic(fmt.Sprintf("reference: a body holds a %s", t)) // a new kind of field needs a name
	}
}

// About says what a field holds, in English.
func (f Field) About() string { return joined(glossary[f.Key].english, f.Doc, "; ") }

// AboutChinese says it in Chinese.
func (f Field) AboutChinese() string {
	return joined(glossary[f.Key].chinese, chineseComments[f.Doc], "；")
}

// joined leaves out a comment that only repeats the glossary.
func joined(meaning, comment, between string) string {
	switch {
	case meaning == "" || strings.Contains(comment, meaning):
		return comment
	case comment == "" || strings.Contains(meaning, comment):
		return meaning
	}
	return meaning + between + comment
}
