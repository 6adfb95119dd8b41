package wire

import (
	"encoding/binary"
	"fmt"
)

// What a peer may define. Real envelopes define one type of six fields.
const (
	gobMaxTypes  = 32
	gobMaxFields = 64
	gobMaxDepth  = 16 // of values inside values that are skipped
)

// gobForm is the shape of a defined type.
type gobForm uint8

const (
	gobNoForm   gobForm = iota
	gobListForm         // array or slice
	gobStructForm
	gobMapForm
	gobOpaqueForm // bytes made by the peer's own marshaller
)

type gobType struct {
	form      gobForm
	key, elem int64
	length    int64 // of an array; -1 for a slice
	fields    []gobMember
}

type gobMember struct {
	name   []byte
	typeID int64
}

type gobTypes map[int64]*gobType

// readGobTypes reads the definitions b begins with. prefix is their bytes, id
// the type of the value that follows.
func readGobTypes(b []byte) (types gobTypes, prefix []byte, id int64, err error) {
	types = make(gobTypes)
	r := gobReader{b: b}
	for {
		prefix = b[:len(b)-len(r.b)]
		body := gobReader{b: r.bytes()}
		id := body.int()
		if r.bad || body.bad {
			return nil, nil, 0, fmt.Errorf("%w: message cut short", ErrMalformed)
		}
		if id >= 0 {
			if !types.complete() {
				return nil, nil, 0, fmt.Errorf("%w: a type is used and not defined", ErrMalformed)
			}
			return types, prefix, id, nil
		}
		if id > -gobFirstUserType || types[-id] != nil {
			return nil, nil, 0, fmt.Errorf("%w: type %d defined again", ErrMalformed, -id)
		}
		if len(types) == gobMaxTypes {
			return nil, nil, 0, fmt.Errorf("%w: more than %d types", ErrMalformed, gobMaxTypes)
		}
		t := body.typeDefinition()
		if body.bad || len(body.b) != 0 || t.form == gobNoForm {
			return nil, nil, 0, fmt.Errorf("%w: definition of type %d", ErrMalformed, -id)
		}
		types[-id] = t
	}
}

func (ts gobTypes) complete() bool {
	known := func(id int64) bool {
		return id >= int64(gobBool) && id <= int64(gobInterface) || ts[id] != nil
	}
	for _, t := range ts {
		switch t.form {
		case gobListForm:
			if !known(t.elem) {
				return false
			}
		case gobMapForm:
			if !known(t.key) || !known(t.elem) {
				return false
			}
		case gobStructForm:
			for _, f := range t.fields {
				if !known(f.typeID) {
					return false
				}
			}
		default:
		}
	}
	return true
}

// typeDefinition reads gob's description of a type: a struct with one of seven
// fields set, each again a struct whose first field holds a name and an id.
func (r *gobReader) typeDefinition() *gobType {
	const name, id = 1, 2
	t := new(gobType)
	common := func() {
		r.structure(id, func(n int) {
			if n == name {
				r.bytes()
			} else {
				r.int()
			}
		})
	}
	r.structure(7, func(n int) {
		if t.form != gobNoForm {
			r.fail()
			return
		}
		switch n {
		case 1:
			t.form = gobListForm
		case 2:
			t.form, t.length = gobListForm, -1
		case 3:
			t.form = gobStructForm
		case 4:
			t.form = gobMapForm
		default:
			t.form = gobOpaqueForm
		}
		form := n
		r.structure(3, func(n int) {
			switch {
			case n == 1:
				common()
			case form == 3 && n == 2:
				t.fields = r.members()
			case form == 4 && n == 2:
				t.key = r.int()
			case form == 4 && n == 3, form == 1 && n == 2, form == 2 && n == 2:
				t.elem = r.int()
			case form == 1 && n == 3:
				if t.length = r.int(); t.length < 0 {
					r.fail()
				}
			default:
				r.fail()
			}
		})
	})
	return t
}

func (r *gobReader) members() []gobMember {
	count := r.uint()
	if count > gobMaxFields {
		r.fail()
		return nil
	}
	members := make([]gobMember, 0, count)
	for range count {
		var m gobMember
		r.structure(2, func(n int) {
			if n == 1 {
				m.name = r.bytes()
			} else {
				m.typeID = r.int()
			}
		})
		members = append(members, m)
	}
	return members
}

// skip passes over a value of a type we have no field for. Every value takes at
// least one byte, so a hostile count ends with the input.
func (ts gobTypes) skip(r *gobReader, id int64, depth int) {
	if depth > gobMaxDepth {
		r.fail()
		return
	}
	switch gobKind(id) {
	case gobBool, gobInt, gobUint, gobFloat:
		r.uint()
		return
	case gobComplex:
		r.uint()
		r.uint()
		return
	case gobBytes, gobString:
		r.bytes()
		return
	case gobInterface: // its value would name a type of the peer's program
		r.fail()
		return
	}
	t := ts[id]
	if t == nil {
		r.fail()
		return
	}
	switch t.form {
	case gobListForm:
		n := r.uint()
		if t.length >= 0 && n != uint64(t.length) {
			r.fail()
		}
		for ; n > 0 && !r.bad; n-- {
			ts.skip(r, t.elem, depth+1)
		}
	case gobMapForm:
		for n := r.uint(); n > 0 && !r.bad; n-- {
			ts.skip(r, t.key, depth+1)
			ts.skip(r, t.elem, depth+1)
		}
	case gobStructForm:
		r.structure(len(t.fields), func(n int) { ts.skip(r, t.fields[n-1].typeID, depth+1) })
	case gobOpaqueForm:
		r.bytes()
	default:
		r.fail()
	}
}

// gobReader reads gob's elements. The first fault empties it and sticks; from
// then on it reads zeros, which end every loop.
type gobReader struct {
	b   []byte
	bad bool
}

func (r *gobReader) fail() {
	r.b, r.bad = nil, true
}

func (r *gobReader) uint() uint64 {
	if len(r.b) == 0 {
		r.fail()
		return 0
	}
	first := r.b[0]
	if first < 0x80 {
		r.b = r.b[1:]
		return uint64(first)
	}
	n := -int(int8(first)) // count of bytes, negated
	if n > 8 || n >= len(r.b) {
		r.fail()
		return 0
	}
	var be [8]byte
	copy(be[8-n:], r.b[1:1+n])
	r.b = r.b[1+n:]
	return binary.BigEndian.Uint64(be[:])
}

func (r *gobReader) int() int64 {
	u := r.uint()
	return int64(u>>1) ^ -int64(u&1)
}

func (r *gobReader) bytes() []byte {
	n := r.uint()
	if n > uint64(len(r.b)) {
		r.fail()
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

// structure calls field with the number, from 1 to last, of each field present.
func (r *gobReader) structure(last int, field func(n int)) {
	n := uint64(0)
	for {
		delta := r.uint()
		if delta == 0 {
			return
		}
		if delta > uint64(last)-n {
			r.fail()
			return
		}
		n += delta
		field(int(n))
	}
}
