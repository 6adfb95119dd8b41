package wire

import (
	"bytes"
	"encoding/gob"
	"encoding/hex"
	"errors"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// sdkRequest and sdkResponse are the Go SDK's envelopes: other names, other
// order, int where we have int32.
type sdkRequest struct {
	ReqIdentifier int
	Token         string
	SendID        string
	OperationID   string
	MsgIncr       string
	Data          []byte
}

type sdkResponse struct {
	ReqIdentifier int
	ErrCode       int
	ErrMsg        string
	MsgIncr       string
	OperationID   string
	Data          []byte
}

func encodeGob(tb testing.TB, v any) []byte {
	tb.Helper()
	var buf bytes.Buffer
	if err := gob.NewEncoder(&buf).Encode(v); err != nil {
		tb.Fatal(err)
	}
	return buf.Bytes()
}

func decodeGob(b []byte, v any) error {
	return gob.NewDecoder(bytes.NewReader(b)).Decode(v)
}

// TestGobSameBytes compares with encoding/gob byte for byte. Its type ids count
// up within a process, so a child process encodes the one type that gets id 64.
func TestGobSameBytes(t *testing.T) {
	const child = "WIRE_TEST_ENCODE"
	switch os.Getenv(child) {
	case "request":
		type Req Request
		_, _ = os.Stdout.WriteString("frame:" + hex.EncodeToString(encodeGob(t, (*Req)(&Request{1003, "jwt", "u1", "op", "u1_1", []byte("data")}))) + "\n")
		return
	case "response":
		type Resp Response
		_, _ = os.Stdout.WriteString("frame:" + hex.EncodeToString(encodeGob(t, (*Resp)(&Response{2001, "u1_1", "op", 1402, "muted", []byte("data")}))) + "\n")
		return
	}
	t.Parallel()
	for which, ours := range map[string][]byte{
		"request":  Gob.AppendRequest(nil, &Request{1003, "jwt", "u1", "op", "u1_1", []byte("data")}),
		"response": Gob.AppendResponse(nil, &Response{2001, "u1_1", "op", 1402, "muted", []byte("data")}),
	} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestGobSameBytes$")
		cmd.Env = append(os.Environ(), child+"="+which)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", which, err, out)
		}
		_, frame, _ := strings.Cut(string(out), "frame:")
		frame, _, _ = strings.Cut(frame, "\n")
		if got := hex.EncodeToString(ours); got != frame {
			t.Errorf("%s:\n got %s\nwant %s", which, got, frame)
		}
	}
}

func TestGobReadBySDK(t *testing.T) {
	t.Parallel()
	for _, want := range []Response{
		{ReqIdentifier: 2001, OperationID: "op", Data: bytes.Repeat([]byte{7}, 70_000)},
		{ReqIdentifier: math.MinInt32, MsgIncr: "1", OperationID: "2", ErrCode: math.MaxInt32, ErrMsg: "3", Data: []byte{0}},
		{ErrCode: 63},
		{ErrCode: 64},
		{ErrCode: -64},
		{ErrCode: -65},
		{ErrCode: 128},
		{ErrMsg: strings.Repeat("e", 127)},
		{ErrMsg: strings.Repeat("e", 128)},
		{ErrMsg: strings.Repeat("e", 256)},
		{},
	} {
		var got sdkResponse
		if err := decodeGob(Gob.AppendResponse(nil, &want), &got); err != nil {
			t.Errorf("%+v: %v", want, err)
			continue
		}
		if int32(got.ReqIdentifier) != want.ReqIdentifier || int32(got.ErrCode) != want.ErrCode || got.ErrMsg != want.ErrMsg ||
			got.MsgIncr != want.MsgIncr || got.OperationID != want.OperationID || !bytes.Equal(got.Data, want.Data) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

type inner struct {
	A   int
	Sub *inner
	M   map[string][]float64
}

type appMarshaled struct{ s string }

func (m appMarshaled) GobEncode() ([]byte, error)   { return []byte(m.s), nil }
func (m *appMarshaled) GobDecode(data []byte) error { m.s = string(data); return nil }

// manyFields has every kind of field a gob can hold around the ones we know.
type manyFields struct {
	Flag          bool
	Data          []byte
	Small         uint8
	Num           int64
	OperationID   string
	Float         float64
	Complex       complex128
	Bytes         []byte
	Texts         []string
	Array         [3]int
	Map           map[string]int
	MsgIncr       string
	Nested        inner
	NestedList    []inner
	MapOfLists    map[int][]map[string]inner
	Time          time.Time
	Custom        appMarshaled
	ReqIdentifier int32
	Pointer       *int
	SendID        string
	Last          []bool
}

func TestGobUnknownFields(t *testing.T) {
	t.Parallel()
	seven := 7
	sub := inner{A: -5, Sub: &inner{M: map[string][]float64{"x": {1.5, -2}}}}
	v := manyFields{
		true, []byte("data"), 200, math.MinInt64, "op", -0.25, 2 + 3i, []byte("bytes"),
		[]string{"a", "", "c"},
		[3]int{1, 0, 3},
		map[string]int{"one": 1, "two": 2},
		"incr", sub,
		[]inner{sub, {}, sub},
		map[int][]map[string]inner{4: {{"k": sub}, {}}},
		time.Unix(1753000000, 0),
		appMarshaled{"custom"},
		1003, &seven, "u1",
		[]bool{true, false},
	}
	want := Request{ReqIdentifier: 1003, SendID: "u1", OperationID: "op", MsgIncr: "incr", Data: []byte("data")}
	frame := encodeGob(t, v)
	for range 2 { // parsed, then from the remembered plan
		got := Request{Token: "stale"}
		if err := Gob.DecodeRequest(frame, &got); err != nil {
			t.Fatal(err)
		}
		if !sameRequest(&got, &want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	for n := range frame {
		if err := Gob.DecodeRequest(frame[:n], new(Request)); !errors.Is(err, ErrMalformed) {
			t.Fatalf("first %d of %d bytes: got %v", n, len(frame), err)
		}
	}
}

func TestGobOtherStructs(t *testing.T) {
	t.Parallel()
	type few struct{ OperationID string }
	type wide struct{ ReqIdentifier int64 }
	type unsigned struct{ ReqIdentifier uint }
	type textData struct{ Data string }
	type stranger struct{ A, B int }
	type withInterface struct {
		ReqIdentifier int
		Any           any
	}
	gob.Register(few{})
	tests := map[string]struct {
		value any
		want  *Request // nil: refused
	}{
		"one field":           {few{"op"}, &Request{OperationID: "op"}},
		"wider int":           {wide{1003}, &Request{ReqIdentifier: 1003}},
		"int out of range":    {wide{1 << 31}, nil},
		"int below range":     {wide{-1<<31 - 1}, nil},
		"field of other type": {unsigned{1}, nil},
		"string for bytes":    {textData{"x"}, nil},
		"no common field":     {stranger{1, 2}, nil},
		"not a struct":        {[]int{1}, nil},
		"no defined type":     {"text", nil},
		"interface":           {withInterface{1, few{"x"}}, nil},
		"nil interface":       {withInterface{1, nil}, &Request{ReqIdentifier: 1}},
		"pointer":             {&few{"op"}, &Request{OperationID: "op"}},
	}
	for name, test := range tests {
		got := Request{Token: "stale", Data: []byte("stale")}
		err := Gob.DecodeRequest(encodeGob(t, test.value), &got)
		switch {
		case test.want == nil && !errors.Is(err, ErrMalformed):
			t.Errorf("%s: got %v, want a refusal", name, err)
		case test.want != nil && err != nil:
			t.Errorf("%s: %v", name, err)
		case test.want != nil && !sameRequest(&got, test.want):
			t.Errorf("%s: got %+v, want %+v", name, got, *test.want)
		}
	}
}

func TestGobMalformed(t *testing.T) {
	t.Parallel()
	good := Gob.AppendRequest(nil, &Request{ReqIdentifier: 1003, SendID: "u1", Data: []byte("data")})
	d := len(requestSchema.descriptor)
	deep := new(inner)
	for range gobMaxDepth + 1 {
		deep = &inner{Sub: deep}
	}
	type nested struct {
		ReqIdentifier int
		Deep          *inner
	}
	for name, frame := range map[string][]byte{
		"nothing":                {},
		"zero length":            {0},
		"only a descriptor":      good[:d],
		"only a value":           good[d:],
		"two values":             append(bytes.Clone(good), good[d:]...),
		"descriptor twice":       append(bytes.Clone(good[:d]), good...),
		"descriptor after value": append(bytes.Clone(good), good[:d]...),
		"garbage after":          append(bytes.Clone(good), 0),
		"length of 2^64-1":       {0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"length of nine bytes":   {0xf7, 1, 1, 1, 1, 1, 1, 1, 1, 1},
		"type id of 64 bits":     {9, 0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"built-in type defined":  {2, 0x03, 0},
		"empty definition":       {2, 0x7f, 0},
		"nested too deep":        encodeGob(t, nested{1, deep}),
		"a json frame":           JSON.AppendRequest(nil, &Request{}),
	} {
		for range 2 {
			if err := Gob.DecodeRequest(frame, new(Request)); !errors.Is(err, ErrMalformed) {
				t.Errorf("%s: got %v", name, err)
			}
		}
	}
	for i := range good {
		for _, flip := range []byte{1, 0x7f, 0x80, 0xff} {
			bad := bytes.Clone(good)
			bad[i] ^= flip
			_ = Gob.DecodeRequest(bad, new(Request)) // must return, whatever it says
		}
	}
}

// TestGobPlansAreBounded floods the memory of definitions with more than it
// keeps; the oldest are forgotten, all are understood.
func TestGobPlansAreBounded(t *testing.T) {
	t.Parallel()
	s := newGobSchema("Req", requestSchema.fields)
	for n := range 3 * gobPlansKept {
		name := strings.Repeat("R", n+1)
		frame := append(newGobSchema(name, requestSchema.fields).descriptor, 3, 0xff, 0x80, 0)
		for range 2 {
			if err := s.decode(frame, new(gobFrame)); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if known := len(*s.plans.known.Load()); known > gobPlansKept {
			t.Fatalf("%d plans kept", known)
		}
	}
}

func TestGobPlanDoesNotAlias(t *testing.T) {
	t.Parallel()
	s := newGobSchema("Req", requestSchema.fields)
	type padded struct {
		Pad inner
		Req string
		// SendID last, so that skipping must work to find it.
		SendID string
	}
	frame := encodeGob(t, padded{inner{A: 3, M: map[string][]float64{"k": {1}}}, "r", "u1"})
	again := bytes.Clone(frame)
	if err := s.decode(frame, new(gobFrame)); err != nil {
		t.Fatal(err)
	}
	clear(frame)
	var f gobFrame
	if err := s.decode(again, &f); err != nil || string(f.texts[1]) != "u1" {
		t.Errorf("got %q, %v", f.texts[1], err)
	}
}

func FuzzGobRequest(f *testing.F) {
	f.Add(Gob.AppendRequest(nil, &Request{}))
	f.Add(Gob.AppendRequest(nil, &Request{ReqIdentifier: 1003, Token: "jwt", SendID: "u1", OperationID: "op", MsgIncr: "u1_1", Data: []byte("data")}))
	f.Add(encodeGob(f, sdkRequest{ReqIdentifier: 1001, MsgIncr: "1"}))
	f.Add(encodeGob(f, manyFields{ReqIdentifier: 1, Nested: inner{M: map[string][]float64{"x": {1}}}, Texts: []string{"a"}, Complex: 1i, Time: time.Unix(1, 0)}))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r Request
		if Gob.DecodeRequest(b, &r) != nil {
			return // we are stricter: no bytes after the value, no interfaces, limits
		}
		var ref sdkRequest
		if err := decodeGob(b, &ref); err != nil {
			t.Fatalf("accepted %+v, encoding/gob says %v", r, err)
		}
		want := Request{int32(ref.ReqIdentifier), ref.Token, ref.SendID, ref.OperationID, ref.MsgIncr, ref.Data}
		if !sameRequest(&r, &want) {
			t.Fatalf("got %+v, encoding/gob %+v", r, want)
		}
		var again sdkRequest
		if err := decodeGob(Gob.AppendRequest(nil, &r), &again); err != nil || !sameRequest(&r, &Request{int32(again.ReqIdentifier), again.Token, again.SendID, again.OperationID, again.MsgIncr, again.Data}) {
			t.Fatalf("encoded again: %+v, %v", again, err)
		}
	})
}

func FuzzGobResponse(f *testing.F) {
	f.Add(Gob.AppendResponse(nil, &Response{}))
	f.Add(Gob.AppendResponse(nil, &Response{ReqIdentifier: 2001, MsgIncr: "1", OperationID: "op", ErrCode: 1402, ErrMsg: "muted", Data: []byte("data")}))
	f.Add(encodeGob(f, sdkResponse{ReqIdentifier: 1001, MsgIncr: "1"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r Response
		if Gob.DecodeResponse(b, &r) != nil {
			return
		}
		var ref sdkResponse
		if err := decodeGob(b, &ref); err != nil {
			t.Fatalf("accepted %+v, encoding/gob says %v", r, err)
		}
		want := Response{int32(ref.ReqIdentifier), ref.MsgIncr, ref.OperationID, int32(ref.ErrCode), ref.ErrMsg, ref.Data}
		if !sameResponse(&r, &want) {
			t.Fatalf("got %+v, encoding/gob %+v", r, want)
		}
	})
}
