package reference

import (
	"cmp"
	"encoding"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/parley-im/parley/internal/webhook/reference"
)

const module = "github.com/parley-im/parley"

// schemas collects the schemas of types. A type may have two: in answers keys
// are there and may be null, in requests they may be left out.
type schemas struct {
	root  string
	docs  map[string]reference.Docs // by package
	names map[named]string
	taken map[string]reflect.Type
	made  map[string]object
}

type named struct {
	typ     reflect.Type
	request bool
}

func newSchemas(root string) *schemas {
	return &schemas{
		root: root, docs: map[string]reference.Docs{}, names: map[named]string{}, taken: map[string]reflect.Type{}, made: map[string]object{},
	}
}

// request is the schema of a request's body.
func (s *schemas) request(t reflect.Type) (object, error) {
	schema, err := s.value(t, true, false)
	if err != nil || t.NumField() == 0 {
		return object{{"type", "object"}}, err
	}
	name := s.names[named{t, true}]
	if required := requiredKeys(t); len(required) > 0 && !s.made[name].has("required") {
		s.made[name] = append(s.made[name], member{"required", required})
	}
	return schema, nil
}

// answer is the schema of an answer's data.
func (s *schemas) answer(t reflect.Type) (object, error) {
	if t.Kind() == reflect.Pointer { // handlers answer something or fail
		t = t.Elem()
	}
	return s.value(t, false, false)
}

// components are the schemas of the types that have a name.
func (s *schemas) components() (object, error) {
	var out object
	for _, name := range slices.Sorted(maps.Keys(s.made)) {
		out = append(out, member{name, s.made[name]})
	}
	return out, nil
}

// value is the schema of a value.
func (s *schemas) value(t reflect.Type, request, null bool) (object, error) {
	kind := func(name string, more ...member) (object, error) {
		if null && !request {
			return append(object{{"type", []string{name, "null"}}}, more...), nil
		}
		return append(object{{"type", name}}, more...), nil
	}
	switch {
	case t == reflect.TypeFor[json.RawMessage]() || t.Kind() == reflect.Interface:
		return object{}, nil
	case t.Kind() == reflect.Pointer:
		return s.value(t.Elem(), request, true)
	case strings.HasSuffix(t.PkgPath(), "/wrapperspb"):
		field, _ := t.FieldByName("Value")
		return s.value(field.Type, request, true)
	case t.Implements(reflect.TypeFor[encoding.TextMarshaler]()):
		return kind("string")
	case t.Name() == "contentObject":
		return kind("object", member{"additionalProperties", true}, member{"description", "what the message holds, in the shape of its contentType"})
	case t.Kind() != reflect.Struct && reflect.PointerTo(t).Implements(reflect.TypeFor[json.Marshaler]()):
		return nil, fmt.Errorf("%s writes its own JSON: say in package reference what it looks like", t)
	}
	switch t.Kind() {
	case reflect.String:
		return kind("string")
	case reflect.Bool:
		return kind("boolean")
	case reflect.Int32:
		return kind("integer", member{"format", "int32"})
	case reflect.Int64, reflect.Int:
		return kind("integer", member{"format", "int64"})
	case reflect.Int8, reflect.Int16:
		return kind("integer")
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uint:
		return kind("integer", member{"minimum", 0})
	case reflect.Float32, reflect.Float64:
		return kind("number")
	case reflect.Slice, reflect.Array:
		null = null || t.Kind() == reflect.Slice
		if t.Elem().Kind() == reflect.Uint8 {
			return kind("string", member{"contentEncoding", "base64"})
		}
		element := t.Elem()
		if element.Kind() == reflect.Pointer { // lists hold no null
			element = element.Elem()
		}
		items, err := s.value(element, request, false)
		if err != nil {
			return nil, err
		}
		return kind("array", member{"items", items})
	case reflect.Map:
		null = true
		element := t.Elem()
		if element.Kind() == reflect.Pointer {
			element = element.Elem()
		}
		values, err := s.value(element, request, false)
		if err != nil {
			return nil, err
		}
		return kind("object", member{"additionalProperties", values})
	case reflect.Struct:
		if t.Name() == "" {
			schema, err := s.body(t, request)
			if err != nil {
				return nil, err
			}
			return kind("object", schema[1:]...)
		}
		name, err := s.component(t, request)
		switch {
		case err != nil:
			return nil, err
		case null && !request:
			return object{{"anyOf", []object{ref(name), {{"type", "null"}}}}}, nil
		}
		return ref(name), nil
	default:
		return nil, fmt.Errorf("a body holds a %s", t)
	}
}

// component makes the schema of a type that has a name, once.
func (s *schemas) component(t reflect.Type, request bool) (string, error) {
	as := named{t, request}
	if name, ok := s.names[as]; ok {
		return name, nil
	}
	name := capital(t.Name())
	if request && !strings.HasSuffix(name, "Req") {
		name = strings.TrimSuffix(name, "Request") + "Input"
	}
	if other, ok := s.taken[name]; ok && other != t {
		name = capital(t.PkgPath()[strings.LastIndexByte(t.PkgPath(), '/')+1:]) + name
	}
	if other, ok := s.taken[name]; ok {
		return "", fmt.Errorf("%s and %s are both called %s", other, t, name)
	}
	s.taken[name], s.names[as] = t, name
	schema, err := s.body(t, request)
	s.made[name] = schema
	return name, err
}

func capital(name string) string {
	letters := []rune(name)
	letters[0] = unicode.ToUpper(letters[0])
	return strings.ReplaceAll(string(letters), "_", "")
}

// body is the schema of a struct. More keys may come, so objects are open.
func (s *schemas) body(t reflect.Type, request bool) (object, error) {
	properties := object{}
	required := []string{}
	for _, f := range jsonFields(t) {
		property, err := s.value(f.field.Type, request, false)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", t, f.field.Name, err)
		}
		if about := s.about(f); about != "" && !property.has("description") {
			property = append(slices.Clip(property), member{"description", about})
		}
		properties = append(properties, member{f.key, property})
		if !f.optional {
			required = append(required, f.key)
		}
	}
	schema := object{{"type", "object"}}
	if text := s.comments(t)[t.Name()]; text != "" && t.Name() != "" {
		schema = append(schema, member{"description", text})
	}
	schema = append(schema, member{"properties", properties})
	if !request && len(required) > 0 {
		schema = append(schema, member{"required", required})
	}
	return schema, nil
}

// about says what a key holds: the glossary of callbacks has the words both
// share, the field's comment what differs.
func (s *schemas) about(f jsonField) string {
	return reference.Field{Key: f.key, Doc: s.comments(f.owner)[f.owner.Name()+"."+f.field.Name]}.About()
}

// comments are those of the package of a type of this module. OpenIM's types
// have none worth repeating.
func (s *schemas) comments(t reflect.Type) reference.Docs {
	inside, ours := strings.CutPrefix(t.PkgPath(), module+"/")
	if !ours {
		return nil
	}
	if _, ok := s.docs[inside]; !ok {
		docs, err := reference.ReadDocs(filepath.Join(s.root, inside))
		if err != nil {
			panic(err) // the type came from there
		}
		s.docs[inside] = docs
	}
	return s.docs[inside]
}

// jsonField is a key of an object, as encoding/json sees it.
type jsonField struct {
	key      string
	owner    reflect.Type
	field    reflect.StructField
	index    []int
	optional bool
}

func jsonFields(t reflect.Type) []jsonField {
	var out []jsonField
	for i := range t.NumField() {
		f := t.Field(i)
		key, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case key == "-":
			continue
		case f.Anonymous && key == "":
			inner := f.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			for _, g := range jsonFields(inner) {
				g.index = append([]int{i}, g.index...)
				out = append(out, g)
			}
			continue
		case !f.IsExported():
			continue
		}
		optional := slices.ContainsFunc(strings.Split(options, ","), func(o string) bool { return o == "omitempty" || o == "omitzero" })
		out = append(out, jsonField{cmp.Or(key, f.Name), t, f, []int{i}, optional})
	}
	return out
}

// requiredKeys are those without which the request's own check fails, whatever
// number the others hold: what is needed for one type of session only is not
// among them.
func requiredKeys(t reflect.Type) []string {
	var required []string
	passed := false
	for _, number := range []int64{1, 2, 3, 101} { // the check may want one of some list
		keys, ok := requiredWith(t, number)
		switch {
		case !ok:
		case !passed:
			required, passed = keys, true
		default:
			required = slices.DeleteFunc(required, func(key string) bool { return !slices.Contains(keys, key) })
		}
	}
	return required
}

func requiredWith(t reflect.Type, number int64) (keys []string, ok bool) {
	full := func() reflect.Value {
		v := reflect.New(t)
		fill(v.Elem(), number, 4)
		return v
	}
	if !passes(full()) {
		return nil, false
	}
	for _, f := range jsonFields(t) {
		v := full()
		v.Elem().FieldByIndex(f.index).SetZero()
		if !passes(v) {
			keys = append(keys, f.key)
		}
	}
	return keys, true
}

// passes runs the check of a request. One that falls over a value that is not
// there needs it.
func passes(req reflect.Value) (ok bool) {
	c, has := req.Interface().(interface{ Check() error })
	if !has {
		return true
	}
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	return c.Check() == nil
}

// fill puts something into every field, to a depth.
func fill(v reflect.Value, number int64, depth int) {
	if depth == 0 || !v.CanSet() {
		return
	}
	if u, ok := v.Addr().Interface().(json.Unmarshaler); ok && v.Kind() == reflect.Struct && !strings.HasSuffix(v.Type().PkgPath(), "/wrapperspb") {
		_ = u.UnmarshalJSON([]byte(`{"key":"text"}`)) // one that takes none stays empty
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("1")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(number)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(number)) //nolint:gosec // a few small ones
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), number, depth-1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), number, depth-1)
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, number, depth-1)
		fill(value, number, depth-1)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Anonymous && !v.Type().Field(i).IsExported() { // outgoing: its fields can be set
				for j := range v.Field(i).NumField() {
					fill(v.Field(i).Field(j), number, depth-1)
				}
				continue
			}
			fill(v.Field(i), number, depth-1)
		}
	default:
	}
}
