package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const richWebhooks = `url: https://user:pass@biz.example.test/hook?tenant=1&token=abc
secret: "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
retry: {initial: 2s}
beforeSendSingleMsg:
  enable: true
  timeout: 3
  failedContinue: true
  deniedTypes: [102, "110-120"]
afterSendSingleMsg:
  enable: true
  attentionIds: ["0123", 'a"b\c', "\u0007"]
`

// What File shows can be handed back: it means the same, and secrets survive.
func TestWebhooksText(t *testing.T) {
	t.Parallel()
	load := func(webhooks string) (*Config, *Report) {
		t.Helper()
		dir := t.TempDir()
		for name, text := range map[string]string{"share.yml": "secret: x\n", "webhooks.yml": webhooks} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		c, r, err := Load(Options{Dir: dir})
		if err != nil {
			t.Fatalf("%v\n%s", err, webhooks)
		}
		return c, r
	}
	_, before := load(richWebhooks)
	shown, ok := before.Effective.File("webhooks.yml")
	if !ok || !json.Valid([]byte(shown)) {
		t.Fatalf("shown as %s", shown)
	}
	for _, hush := range []string{"pass", "abc", "whsec_"} {
		if strings.Contains(shown, hush) {
			t.Errorf("%s is shown", hush)
		}
	}
	for _, want := range []string{`"URL":"https://****@biz`, `"BeforeSendSingleMsg":{"Enable":true,"Timeout":3,"FailedContinue":true`, `"DeniedTypes":["102","110-120"]`, `"Secret":"****"`} {
		if !strings.Contains(shown, want) {
			t.Errorf("%s is not in %s", want, shown)
		}
	}
	text, err := before.Effective.WebhooksText([]byte(shown))
	if err != nil {
		t.Fatal(err)
	}
	_, after := load(string(text))
	if changes := before.Effective.Changes(after.Effective); len(changes) > 0 {
		t.Errorf("handed back it means %+v\n%s", changes, text)
	}
	if len(after.Problems) > len(before.Problems) {
		t.Errorf("handed back it warns of %v\n%s", after.Problems, text)
	}

	commented := "# ours\nurl: http://127.0.0.1:1\n"
	if text, err := before.Effective.WebhooksText([]byte(commented)); err != nil || string(text) != commented {
		t.Errorf("YAML became %q, %v", text, err)
	}
	for name, data := range map[string]string{
		"a masked value that was never there": `{"previousSecret":"****"}`,
		"another masked URL":                  `{"url":"https://****@other.test/"}`,
		"broken JSON":                         `{"url":`,
	} {
		if text, err := before.Effective.WebhooksText([]byte(data)); err == nil {
			t.Errorf("%s became %q", name, text)
		}
	}
	misspelled, err := before.Effective.WebhooksText([]byte(`{"URL":"http://127.0.0.1:1","beforeSendSingelMsg":{"enable":true}}`))
	if err != nil || !strings.Contains(string(misspelled), "beforeSendSingelMsg") {
		t.Errorf("an unknown key became %q, %v", misspelled, err)
	}
}

// Every file that OpenIM ships is shown, without its secrets.
func TestFile(t *testing.T) {
	t.Parallel()
	_, r, err := Load(Options{Dir: "testdata/openim/v3.8.3"})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range FileNames() {
		text, ok := r.Effective.File(name)
		if !ok || !json.Valid([]byte(text)) || strings.Contains(text, "openIM123") {
			t.Errorf("%s: %s", name, text)
		}
	}
	if _, ok := r.Effective.File("parley.yml"); ok {
		t.Error("a file that OpenIM does not have is shown")
	}
}
