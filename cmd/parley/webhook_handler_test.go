package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/parley-im/parley/hooks/signature"
	"github.com/parley-im/parley/internal/conform"
)

// The published vector of Standard Webhooks.
const (
	vectorSecret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	vectorID        = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	vectorTime      = 1614265330
	vectorBody      = `{"test": 2432232314}`
	vectorSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

func TestSignPrintsHeaders(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := (&signCmd{Secret: []string{vectorSecret}, ID: vectorID, Timestamp: vectorTime}).sign(&out, []byte(vectorBody)); err != nil {
		t.Fatal(err)
	}
	want := "webhook-id: " + vectorID + "\nwebhook-timestamp: 1614265330\nwebhook-signature: " + vectorSignature + "\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", &out, want)
	}

	out.Reset()
	fresh := signCmd{Secret: []string{signature.New(), vectorSecret}}
	if err := fresh.sign(&out, []byte(vectorBody)); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	_, sig, _ := strings.Cut(lines[2], ": ")
	_, id, _ := strings.Cut(lines[0], ": ")
	if id == "" || len(strings.Fields(sig)) != 2 {
		t.Errorf("a fresh signature with two keys: %s", &out)
	}

	if err := (&signCmd{Secret: []string{"whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="}}).sign(&out, nil); err == nil {
		t.Error("signed with a public key")
	}
}

func TestVerifyTellsRightFromWrong(t *testing.T) {
	t.Parallel()
	right := verifyCmd{Secret: []string{signature.New(), vectorSecret}, ID: vectorID, Timestamp: vectorTime, Signature: vectorSignature}
	var out bytes.Buffer
	if err := right.verify(&out, []byte(vectorBody)); err != nil || out.String() != "the signature is right\n" {
		t.Errorf("%q, %v", &out, err)
	}
	late := right
	late.At = vectorTime + 301
	other := right
	other.ID += "x"
	for name, c := range map[string]struct {
		cmd  verifyCmd
		body string
	}{"another body": {right, vectorBody + "\n"}, "too late": {late, vectorBody}, "another id": {other, vectorBody}} {
		if err := c.cmd.verify(&out, []byte(c.body)); err == nil {
			t.Errorf("%s was right", name)
		}
	}
}

func TestConformFailsWithAReport(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	var out bytes.Buffer
	if err := (&conformCmd{URL: s.URL, JSON: true}).Run(t.Context(), &out); err == nil {
		t.Error("a handler that knows nothing passed")
	}
	var report conform.Report
	if err := json.Unmarshal(out.Bytes(), &report); err != nil || report.Judged == 0 || len(report.Failures()) == 0 {
		t.Errorf("%v in %s", err, &out)
	}
}

func TestSchemaIsFoundByKeyCommandAndOldName(t *testing.T) {
	t.Parallel()
	for _, event := range []string{"afterRevokeMsg", "AFTERREVOKEMSG", "callbackBeforeAfterMsgCommand", "callbackAfterRevokeMsgCommand"} {
		var out bytes.Buffer
		if err := (&schemaCmd{Event: event}).Run(&out); err != nil || !strings.Contains(out.String(), `"title": "afterRevokeMsg"`) {
			t.Errorf("%s: %v %s", event, err, &out)
		}
	}
	var all map[string]any
	var out bytes.Buffer
	if err := (&schemaCmd{Answer: true}).Run(&out); err != nil || json.Unmarshal(out.Bytes(), &all) != nil || all["beforeMsgModify"] == nil || all["afterRevokeMsg"] != nil {
		t.Errorf("%v %v", err, all)
	}
	for _, c := range []schemaCmd{{Event: "beforeNothing"}, {Event: "afterRevokeMsg", Answer: true}} {
		if err := c.Run(&out); err == nil {
			t.Errorf("%+v was found", c)
		}
	}
	out.Reset()
	if err := (asyncAPICmd{}).Run(&out); err != nil || !json.Valid(out.Bytes()) {
		t.Error("no AsyncAPI document")
	}
}
