package wire

import (
	"errors"
	"strings"
	"testing"
)

func TestEnvelopeRoundTrip(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 70_000)
	requests := map[string]Request{
		"empty":    {},
		"usual":    {ReqIdentifier: 1003, Token: "jwt", SendID: "u1", OperationID: "op", MsgIncr: "u1_1", Data: []byte("\x00\x01\xff")},
		"negative": {ReqIdentifier: -1 << 31, MsgIncr: "1"},
		"largest":  {ReqIdentifier: 1<<31 - 1, Data: []byte{0}},
		"long":     {ReqIdentifier: 64, Token: long, Data: []byte(long)},
		"odd text": {SendID: "\u2028<&>\"\\\n\t\b\f\x00\x1f日本語🙂", OperationID: "/", MsgIncr: "\x7f"},
	}
	for _, form := range []Form{Gob, JSON} {
		// One Request for all frames: nothing of one may show in the next.
		var got Request
		for name, want := range requests {
			if err := form.DecodeRequest(form.AppendRequest(nil, &want), &got); err != nil {
				t.Errorf("%v request %s: %v", form, name, err)
			}
			if !sameRequest(&got, &want) {
				t.Errorf("%v request %s: got %+v, want %+v", form, name, got, want)
			}
		}
	}
	responses := map[string]Response{
		"empty":  {},
		"push":   {ReqIdentifier: 2001, OperationID: "op", Data: []byte("data")},
		"reply":  {ReqIdentifier: 1003, MsgIncr: "u1_1", OperationID: "op", Data: []byte("data")},
		"error":  {ReqIdentifier: 1003, MsgIncr: "u1_1", OperationID: "op", ErrCode: 1402, ErrMsg: "muted"},
		"signed": {ReqIdentifier: -2001, ErrCode: -1},
		"long":   {ErrMsg: long, Data: []byte(long)},
	}
	for _, form := range []Form{Gob, JSON} {
		var got Response
		for name, want := range responses {
			if err := form.DecodeResponse(form.AppendResponse(nil, &want), &got); err != nil {
				t.Errorf("%v response %s: %v", form, name, err)
			}
			if !sameResponse(&got, &want) {
				t.Errorf("%v response %s: got %+v, want %+v", form, name, got, want)
			}
		}
	}
}

func TestAppendKeepsWhatIsThere(t *testing.T) {
	t.Parallel()
	for _, form := range []Form{Gob, JSON} {
		alone := form.AppendResponse(nil, &Response{ReqIdentifier: 2001, Data: []byte("data")})
		after := form.AppendResponse([]byte("before"), &Response{ReqIdentifier: 2001, Data: []byte("data")})
		if string(after) != "before"+string(alone) {
			t.Errorf("%v: got %q", form, after)
		}
	}
	if got := Compress([]byte("before"), []byte("text")); string(got) != "before"+string(Compress(nil, []byte("text"))) {
		t.Errorf("gzip: got %q", got)
	}
}

func TestEncodingDoesNotAllocate(t *testing.T) {
	r := pushOf(t, 1)
	buf := make([]byte, 0, 4096)
	for _, form := range []Form{Gob, JSON} {
		if n := testing.AllocsPerRun(100, func() { buf = form.AppendResponse(buf[:0], r) }); n != 0 {
			t.Errorf("%v: %v allocations", form, n)
		}
	}
}

func TestDecodeRequestKeepsEqualStrings(t *testing.T) {
	frame := Gob.AppendRequest(nil, requestOf(t))
	var r Request
	if n := testing.AllocsPerRun(100, func() { _ = Gob.DecodeRequest(frame, &r) }); n != 0 {
		t.Errorf("%v allocations for a frame like the one before", n)
	}
}

func TestDecodeRefusesHugeEnvelopes(t *testing.T) {
	t.Parallel()
	huge := make([]byte, maxEnvelope+1)
	for _, form := range []Form{Gob, JSON} {
		if err := form.DecodeRequest(huge, new(Request)); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%v request: got %v", form, err)
		}
		if err := form.DecodeResponse(huge, new(Response)); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%v response: got %v", form, err)
		}
	}
}

func sameRequest(a, b *Request) bool {
	return a.ReqIdentifier == b.ReqIdentifier && a.Token == b.Token && a.SendID == b.SendID &&
		a.OperationID == b.OperationID && a.MsgIncr == b.MsgIncr && string(a.Data) == string(b.Data)
}

func sameResponse(a, b *Response) bool {
	return a.ReqIdentifier == b.ReqIdentifier && a.MsgIncr == b.MsgIncr && a.OperationID == b.OperationID &&
		a.ErrCode == b.ErrCode && a.ErrMsg == b.ErrMsg && string(a.Data) == string(b.Data)
}
