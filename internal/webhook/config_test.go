package webhook

import (
	"strings"
	"testing"
)

func TestTarget(t *testing.T) {
	const cmd = "callbackBeforeSendSingleMsgCommand"
	for _, c := range []struct {
		base    string
		inQuery bool
		want    string // with ?key=k added
		err     string
	}{
		{"http://h/webhook", false, "http://h/webhook/" + cmd + "?key=k", ""},
		{"http://h/webhook/", false, "http://h/webhook/" + cmd + "?key=k", ""},
		{"http://h/webhook//", false, "http://h/webhook/" + cmd + "?key=k", ""},
		{"http://h", false, "http://h/" + cmd + "?key=k", ""},
		{" https://h:8443/a%2Fb/ ", false, "https://h:8443/a%2Fb/" + cmd + "?key=k", ""},
		{"http://h/webhook?tenant=1", false, "http://h/webhook/" + cmd + "?tenant=1&key=k", ""},
		{"http://u:p@h/x", false, "http://u:p@h/x/" + cmd + "?key=k", ""},
		{"http://h/webhook", true, "http://h/webhook?command=" + cmd + "&key=k", ""},
		{"http://h/webhook?tenant=1", true, "http://h/webhook?tenant=1&command=" + cmd + "&key=k", ""},
		{"webhook://127.0.0.1:10008/callbackExample", false, "", `"webhook://127.0.0.1:10008/callbackExample": the scheme must be http or https`},
		{"", false, "", "scheme must be"},
		{"http:///x", false, "", "no host"},
		{"http://h/x#y", false, "", "fragment"},
		{"http://h/callbackExample/:command", false, "", ":command"},
		{"http://h/webhook/{cmd}", false, "", "{cmd}"},
		{"http://h/webhook/{command}", false, "", "{command}"},
		{"http://h/webhook/*", false, "", `"*"`},
		{"http://h/callbackAfterSendSingleMsgCommand", false, "", "appends it itself"},
		{"http://h/callbackExample", false, "http://h/callbackExample/" + cmd + "?key=k", ""},
	} {
		target, err := newTarget(c.base, cmd, c.inQuery)
		switch {
		case c.err != "":
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q: error %v, want %q", c.base, err, c.err)
			}
		case err != nil:
			t.Errorf("%q: %v", c.base, err)
		case target.url("key=k") != c.want:
			t.Errorf("%q: %s, want %s", c.base, target.url("key=k"), c.want)
		}
	}
	target, err := newTarget("http://u:secret@h/x?token=secret", cmd, false)
	if err != nil || strings.Contains(target.shown(), "secret") {
		t.Errorf("shown as %s, %v", target.shown(), err)
	}
}

func TestPlan(t *testing.T) {
	e, err := New(Config{URL: "http://h/x", Callbacks: map[string]Callback{
		"beforeMsgModify":    {Enable: true, FailedContinue: true},
		"afterSendSingleMsg": {Enable: true, AttentionIDs: []string{"a"}, DeniedTypes: []TypeRange{{102, 102}, {200, 300}}},
		"beforeOnlinePush":   {Enable: true},
		"afterUserOnline":    {},
	}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	on := e.plan.Load().byKey
	if len(on) != 3 || on["afterSendSingleMsg"] == nil || on["beforeMsgModify"] == nil || on["beforeOnlinePush"] == nil {
		t.Fatalf("on: %v", on)
	}
	if cb := on["afterSendSingleMsg"]; cb.target.shown() != "http://h/x/callbackAfterSendSingleMsgCommand" || cb.timeout != defaultTimeout ||
		len(cb.filter.attention) != 1 || len(cb.filter.denied) != 2 {
		t.Errorf("callback %+v", cb)
	}
	if _, err := New(Config{Callbacks: map[string]Callback{"afterUserOnline": {Enable: true}, "afterMsgSaveDB": {Enable: true}}}, Options{}); err == nil ||
		!strings.Contains(err.Error(), "afterUserOnline: ") || !strings.Contains(err.Error(), "afterMsgSaveDB: ") {
		t.Errorf("without a url: %v, want both callbacks named", err)
	}
	if _, err := New(Config{URL: "webhook://x", Callbacks: map[string]Callback{"afterUserOnline": {}}}, Options{}); err != nil {
		t.Errorf("a bad url nobody uses: %v", err)
	}
}
