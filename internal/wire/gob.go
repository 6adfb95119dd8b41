package wire

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// A gob stream is a sequence of messages: a length, a type id, a body. A
// negative id defines the type with that number; a positive one precedes a
// value. Clients use a fresh encoder and a fresh decoder for every frame, so a
// frame is always "definition of the envelope, one envelope". The definition
// never changes on our side and is a constant prefix.

// gobKind is how a field of an envelope is encoded, in gob's numbering.
type gobKind int64

const (
	gobBool      gobKind = 1
	gobInt       gobKind = 2
	gobUint      gobKind = 3
	gobFloat     gobKind = 4
	gobBytes     gobKind = 5
	gobString    gobKind = 6
	gobComplex   gobKind = 7
	gobInterface gobKind = 8

	gobFirstUserType = 64 // below are gob's own types
)

// gobField is a field of an envelope; slot is its place among the fields of the
// same kind in a gobFrame.
type gobField struct {
	name string
	kind gobKind
	slot int
}

// gobSchema describes one of the two envelopes. Fields are in the order in
// which we encode them, which need not be the peer's.
type gobSchema struct {
	fields     []gobField
	descriptor []byte
	plans      gobPlans
}

// gobFrame is a decoded envelope of either schema. Texts and data alias the
// input.
type gobFrame struct {
	ints  [2]int64
	texts [4][]byte
	data  []byte
}

var (
	requestSchema = newGobSchema("Req", []gobField{
		{"ReqIdentifier", gobInt, 0},
		{"Token", gobString, 0},
		{"SendID", gobString, 1},
		{"OperationID", gobString, 2},
		{"MsgIncr", gobString, 3},
		{"Data", gobBytes, 0},
	})
	responseSchema = newGobSchema("Resp", []gobField{
		{"ReqIdentifier", gobInt, 0},
		{"MsgIncr", gobString, 0},
		{"OperationID", gobString, 1},
		{"ErrCode", gobInt, 1},
		{"ErrMsg", gobString, 2},
		{"Data", gobBytes, 0},
	})
)

func newGobSchema(name string, fields []gobField) *gobSchema {
	const structType = 3 // field number in gob's description of a type
	def := appendGobInt(nil, -gobFirstUserType)
	def = append(def, structType)
	def = append(def, 1, 1) // common part: name, id
	def = appendGobText(def, name)
	def = append(def, 1)
	def = appendGobInt(def, gobFirstUserType)
	def = append(def, 0, 1) // end of the common part; list of fields
	def = appendGobUint(def, uint64(len(fields)))
	for _, f := range fields {
		def = append(def, 1)
		def = appendGobText(def, f.name)
		def = append(def, 1)
		def = appendGobInt(def, int64(f.kind))
		def = append(def, 0)
	}
	def = append(def, 0, 0) // end of the struct type, end of the definition
	return &gobSchema{
		fields:     fields,
		descriptor: append(appendGobUint(nil, uint64(len(def))), def...),
	}
}

func appendGobRequest(dst []byte, r *Request) []byte {
	size := gobIntSize(r.ReqIdentifier) + gobTextSize(len(r.Token)) + gobTextSize(len(r.SendID)) +
		gobTextSize(len(r.OperationID)) + gobTextSize(len(r.MsgIncr)) + gobTextSize(len(r.Data))
	w := beginGobValue(dst, requestSchema, size)
	w.int(1, r.ReqIdentifier)
	w.text(2, r.Token)
	w.text(3, r.SendID)
	w.text(4, r.OperationID)
	w.text(5, r.MsgIncr)
	w.bytes(6, r.Data)
	return append(w.buf, 0)
}

func appendGobResponse(dst []byte, r *Response) []byte {
	size := gobIntSize(r.ReqIdentifier) + gobTextSize(len(r.MsgIncr)) + gobTextSize(len(r.OperationID)) +
		gobIntSize(r.ErrCode) + gobTextSize(len(r.ErrMsg)) + gobTextSize(len(r.Data))
	w := beginGobValue(dst, responseSchema, size)
	w.int(1, r.ReqIdentifier)
	w.text(2, r.MsgIncr)
	w.text(3, r.OperationID)
	w.int(4, r.ErrCode)
	w.text(5, r.ErrMsg)
	w.bytes(6, r.Data)
	return append(w.buf, 0)
}

// gobWriter writes the fields of a struct: a field is preceded by its distance
// from the one before, and left out when zero.
type gobWriter struct {
	buf  []byte
	last byte
}

// beginGobValue appends what precedes the fields; size is their sum.
func beginGobValue(dst []byte, s *gobSchema, size int) gobWriter {
	dst = slices.Grow(dst, len(s.descriptor)+9+2+size+1) // a length takes up to nine bytes
	dst = append(dst, s.descriptor...)
	dst = appendGobUint(dst, uint64(2+size+1)) // type id, fields, end
	return gobWriter{buf: appendGobInt(dst, gobFirstUserType)}
}

func (w *gobWriter) field(n byte) {
	w.buf = append(w.buf, n-w.last)
	w.last = n
}

func (w *gobWriter) int(n byte, v int32) {
	if v != 0 {
		w.field(n)
		w.buf = appendGobInt(w.buf, int64(v))
	}
}

func (w *gobWriter) text(n byte, s string) {
	if s != "" {
		w.field(n)
		w.buf = appendGobText(w.buf, s)
	}
}

func (w *gobWriter) bytes(n byte, b []byte) {
	if len(b) != 0 {
		w.field(n)
		w.buf = append(appendGobUint(w.buf, uint64(len(b))), b...)
	}
}

// gobIntSize and gobTextSize include the byte for the distance.
func gobIntSize(v int32) int {
	if v == 0 {
		return 0
	}
	return 1 + gobUintSize(gobZigzag(int64(v)))
}

func gobTextSize(n int) int {
	if n == 0 {
		return 0
	}
	return 1 + gobUintSize(uint64(n)) + n
}

func gobUintSize(v uint64) int {
	if v < 0x80 {
		return 1
	}
	return 1 + (bits.Len64(v)+7)/8
}

func gobZigzag(v int64) uint64 {
	return uint64(v<<1) ^ uint64(v>>63)
}

// appendGobUint appends one byte for a small number, otherwise the negated
// count of bytes and then the bytes, big end first.
func appendGobUint(dst []byte, v uint64) []byte {
	if v < 0x80 {
		return append(dst, byte(v))
	}
	n := (bits.Len64(v) + 7) / 8
	var be [8]byte
	binary.BigEndian.PutUint64(be[:], v)
	dst = append(dst, byte(-n))
	return append(dst, be[8-n:]...)
}

func appendGobInt(dst []byte, v int64) []byte {
	return appendGobUint(dst, gobZigzag(v))
}

func appendGobText(dst []byte, s string) []byte {
	return append(appendGobUint(dst, uint64(len(s))), s...)
}
