package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestJSONSameBytes(t *testing.T) {
	t.Parallel()
	var every strings.Builder
	for c := range rune(0x180) {
		every.WriteRune(c)
	}
	for _, text := range []string{
		"", "plain", every.String(), "\u2027\u2028\u2029\u202a", "\xff", "a\xc3", "\xed\xa0\x80", "\xf0\x9f\x99", "🙂\ufffd", "</script>&",
	} {
		for _, data := range [][]byte{nil, {}, {0}, {0xff, 0xfe}, []byte(text)} {
			request := Request{1003, text, text, "op", "incr", data}
			if got, want := JSON.AppendRequest(nil, &request), marshal(t, request); !bytes.Equal(got, want) {
				t.Errorf("request:\n got %s\nwant %s", got, want)
			}
			response := Response{-1, text, text, -1402, text, data}
			if got, want := JSON.AppendResponse(nil, &response), marshal(t, response); !bytes.Equal(got, want) {
				t.Errorf("response:\n got %s\nwant %s", got, want)
			}
		}
	}
}

func marshal(tb testing.TB, v any) []byte {
	tb.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestJSONDecode(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		frame string
		want  *Request // nil: refused
	}{
		"from the JS client": {
			`{"sendID":"u1","operationID":"op","msgIncr":"m","reqIdentifier":1003,"data":"ZGF0YQ=="}`,
			&Request{ReqIdentifier: 1003, SendID: "u1", OperationID: "op", MsgIncr: "m", Data: []byte("data")},
		},
		"spaces":             {" { \"sendID\" :\n\"u1\" , \"data\"\t: null } ", &Request{SendID: "u1"}},
		"empty object":       {`{}`, &Request{}},
		"null":               {`null`, &Request{}},
		"keys in other case": {`{"SENDID":"u1","ReqIdentifier":7}`, &Request{SendID: "u1", ReqIdentifier: 7}},
		"unknown keys":       {`{"extra":{"a":[1,2,{"b":"}"}]},"sendID":"u1"}`, &Request{SendID: "u1"}},
		"escapes":            {`{"sendID":"\u0075\n\ud83d\ude42\/"}`, &Request{SendID: "u\n🙂/"}},
		"broken UTF-8":       {"{\"sendID\":\"a\xffb\"}", &Request{SendID: "a\ufffdb"}},
		"null text":          {`{"sendID":null,"reqIdentifier":null}`, &Request{}},
		"last of two":        {`{"sendID":"a","sendID":"b"}`, &Request{SendID: "b"}},
		"ten digits":         {`{"reqIdentifier":2147483647}`, &Request{ReqIdentifier: 1<<31 - 1}},
		"negative":           {`{"reqIdentifier":-5}`, &Request{ReqIdentifier: -5}},
		"data as numbers":    {`{"data":[100,97]}`, &Request{Data: []byte("da")}},
		"int too large":      {`{"reqIdentifier":2147483648}`, nil},
		"int with fraction":  {`{"reqIdentifier":1.5}`, nil},
		"leading zero":       {`{"reqIdentifier":01}`, nil},
		"number as text":     {`{"reqIdentifier":"1003"}`, nil},
		"text as number":     {`{"sendID":5}`, nil},
		"base64 without pad": {`{"data":"ZGF0YQ"}`, nil},
		"base64 of URLs":     {`{"data":"_-8="}`, nil},
		"newline in base64":  {"{\"data\":\"ZGF0\nYQ==\"}", nil},
		"control in text":    {"{\"sendID\":\"a\x01\"}", nil},
		"comma at the end":   {`{"sendID":"a",}`, nil},
		"no comma":           {`{"sendID":"a" "token":"b"}`, nil},
		"open string":        {`{"sendID":"a`, nil},
		"open object":        {`{"sendID":"a"`, nil},
		"nothing":            {``, nil},
		"two objects":        {`{}{}`, nil},
		"array":              {`[]`, nil},
		"gob":                {string(Gob.AppendRequest(nil, &Request{})), nil},
	}
	for name, test := range tests {
		got := Request{1, "stale", "stale", "stale", "stale", []byte("stale")}
		err := JSON.DecodeRequest([]byte(test.frame), &got)
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

func FuzzJSONRequest(f *testing.F) {
	for _, r := range []Request{{}, {1003, "jwt", "u1", "op", "u1_1", []byte("data")}, {-1, "\u2028", "<\"\\\n", "🙂", "\xff", []byte{}}} {
		f.Add(JSON.AppendRequest(nil, &r))
	}
	f.Add([]byte(`{ "ReqIdentifier" : 1e3, "data":[1], "x":{"y":[]}, "token":"\u0041", "token":null }`))
	f.Add([]byte("{\"data\":\"ZGF0\r\nYQ==\"}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := Request{1, "stale", "stale", "stale", "stale", []byte("stale")}
		err := JSON.DecodeRequest(b, &r)
		var want Request
		if refErr := json.Unmarshal(b, &want); (err == nil) != (refErr == nil) {
			t.Fatalf("got %v, encoding/json %v", err, refErr)
		}
		if err != nil {
			return
		}
		if !sameRequest(&r, &want) || (r.Data == nil) != (want.Data == nil) {
			t.Fatalf("got %+v, encoding/json %+v", r, want)
		}
		if got, want := JSON.AppendRequest(nil, &r), marshal(t, want); !bytes.Equal(got, want) {
			t.Fatalf("encoded again:\n got %s\nwant %s", got, want)
		}
		if !utf8.ValidString(r.SendID) {
			t.Fatalf("invalid UTF-8 in %q", r.SendID)
		}
	})
}
