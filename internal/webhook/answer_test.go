package webhook

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestParseAnswer(t *testing.T) {
	const approve = `{"actionCode":0,"errCode":0,"errMsg":"","errDlt":"","nextCode":0}`
	for _, c := range []struct {
		name    string
		body    string
		refuses bool
		err     string // part of the error's text, "" for a usable answer
		action  int
		code    int
	}{
		{name: "approval", body: approve},
		{name: "bom", body: "\xEF\xBB\xBF" + approve},
		{name: "whitespace and bom", body: " \r\n\xEF\xBB\xBF \n" + approve + "\r\n\t "},
		{name: "any letter case", body: `{"ActionCode":0,"NEXTCODE":1,"errcode":7}`, refuses: true, code: 7},
		{name: "no protocol field", body: `{"ok":true}`},
		{name: "empty object", body: `{}`},
		{name: "null", body: ` null `},
		{name: "string codes", body: `{"actionCode":"0","errCode":"5001","nextCode":"1"}`, refuses: true, code: 5001},
		{name: "string zero", body: `{"nextCode":"0"}`},
		{name: "empty string", body: `{"nextCode":"","actionCode":" ","errCode":null}`},
		{name: "integral float", body: `{"nextCode":1.0,"errCode":5e3}`, refuses: true, code: 5000},
		{name: "float in a string", body: `{"nextCode":"1.0"}`, refuses: true},
		{name: "negative", body: `{"actionCode":-1}`, action: -1},
		{name: "null codes", body: `{"actionCode":null,"nextCode":null}`},
		{name: "errMsg of the wrong type", body: `{"nextCode":0,"errMsg":{"a":1}}`},
		{name: "override of the wrong type", body: `{"nextCode":0,"content":[1]}`},

		{name: "empty", body: "", err: "unexpected end of JSON input"},
		{name: "spaces only", body: " \n", err: "unexpected end of JSON input"},
		{name: "bom only", body: "\xEF\xBB\xBF", err: "unexpected end of JSON input"},
		{name: "plain text", body: "unsupported command", err: "invalid character 'u' looking for beginning of value"},
		{name: "html", body: "<html>", err: "invalid character '<'"},
		{name: "404 text", body: "404 page not found", err: "invalid character 'p' after top-level value"},
		{name: "callback text", body: "200 CallbackOK", err: "invalid character 'C' after top-level value"},
		{name: "text behind", body: approve + " Callback done", err: "invalid character 'C' after top-level value"},
		{name: "text behind a refusal", body: `{"nextCode":1,"errCode":5}oops`, refuses: true, code: 5, err: "after top-level value"},
		{name: "approve, approve", body: approve + approve, err: "invalid character '{' after top-level value"},
		{name: "approve, reject", body: approve + `{"nextCode":1}`, err: "invalid character '{' after top-level value"},
		{name: "reject, approve", body: `{"nextCode":1}` + approve, refuses: true, err: "after top-level value"},
		{name: "array", body: `[{"nextCode":1}]`, err: "not an object"},
		{name: "string", body: `"ok"`, err: "not an object"},
		{name: "number", body: `1`, err: "not an object"},
		{name: "true", body: `{"nextCode":true}`, err: "nextCode"},
		{name: "fraction", body: `{"nextCode":1.5}`, err: "nextCode: 1.5 is not a whole number"},
		{name: "word", body: `{"nextCode":"yes"}`, err: `nextCode: "yes" is not a number`},
		{name: "hex", body: `{"nextCode":"0x1p0"}`, err: "nextCode"},
		{name: "infinity", body: `{"nextCode":"inf"}`, err: "nextCode"},
		{name: "too big", body: `{"errCode":99999999999}`, err: "errCode"},
		{name: "far too big", body: `{"errCode":1e999}`, err: "errCode"},
		{name: "object", body: `{"actionCode":{"value":0}}`, err: "actionCode"},
		{name: "refusal with a bad code", body: `{"nextCode":1,"errCode":"none"}`, refuses: true, err: "errCode"},
		{name: "said twice", body: `{"nextCode":1,"nextCode":0}`, refuses: true},
		{name: "cut after the verdict", body: `{"actionCode":0,"nextCode":1,"errM`, refuses: true, err: "unexpected end of JSON input"},
		{name: "cut before the verdict", body: `{"actionCode":0,"nextC`, err: "unexpected end of JSON input"},
		{name: "cut inside the verdict", body: `{"actionCode":0,"nextCode":1`, err: "unexpected end of JSON input"},
		{name: "verdict in an inner object", body: `{"data":{"nextCode":1}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, refuses, err := parseAnswer([]byte(c.body))
			if refuses != c.refuses {
				t.Errorf("refuses: %v, want %v", refuses, c.refuses)
			}
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("error %v, want %q", err, c.err)
			}
			if err != nil && !strings.HasSuffix(err.Error(), "response format error") {
				t.Errorf("error %q does not end in what operators search for", err)
			}
			if a.errCode != c.code || a.actionCode != c.action {
				t.Errorf("errCode %d, actionCode %d; want %d, %d", a.errCode, a.actionCode, c.code, c.action)
			}
		})
	}
}

// The promise of the parser: a first JSON value that says nextCode 1 refuses,
// whatever surrounds it, and only whole well-formed answers approve.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		`{"actionCode":0,"errCode":0,"errMsg":"","errDlt":"","nextCode":0}`, `{"nextCode":1}x`, `{"nextCode":"1"}`, `{"nextCode":1.0} {}`,
		"\xEF\xBB\xBF{}", `null`, `[]`, ``, `{"content":{"value":"x"}}`, `{"nextCode":1,"errCode":[]}`, `{"NextCode":1,"nextCode":0}`, `{"nextCode":1`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		a, refuses, err := parseAnswer(body)
		trimmed := bytes.TrimSpace(bytes.TrimPrefix(bytes.TrimSpace(body), bom))
		var first map[string]json.RawMessage
		if json.NewDecoder(bytes.NewReader(trimmed)).Decode(&first) == nil {
			for key, raw := range first {
				if n, bad := codeOf(raw); strings.EqualFold(key, "nextCode") && bad == nil && n == 1 && !refuses {
					t.Errorf("%q says nextCode 1 and does not refuse", body)
				}
			}
		}
		if err == nil && !json.Valid(trimmed) {
			t.Errorf("%q is no JSON and is taken for an answer", body)
		}
		if err == nil && a.nextCode == 1 && !refuses {
			t.Errorf("%q: nextCode 1 without a refusal", body)
		}
	})
}
