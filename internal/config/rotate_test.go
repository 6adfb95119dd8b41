package config

import "testing"

func TestWithSecrets(t *testing.T) {
	for _, test := range []struct {
		name, text, endpoint, secret, previous, want string
	}{
		{"an empty file", "", "default", "s", "", "secret: \"s\"\n"},
		{"no secret yet", "url: http://h\n# note\nbeforeSendSingleMsg:\n  enable: true\n", "default", "s", "", "url: http://h\nsecret: \"s\"\n# note\nbeforeSendSingleMsg:\n  enable: true\n"},
		{"rotation", "url: http://h\nsecret: old\n", "default", "new", "old", "url: http://h\npreviousSecret: \"old\"\nsecret: \"new\"\n"},
		{"another secret further down", "url: http://h\nalert:\n  secret: a\nsecret: old\n", "default", "new", "old", "url: http://h\npreviousSecret: \"old\"\nalert:\n  secret: a\nsecret: \"new\"\n"},
		{"the end of a rotation", "secret: new # it\npreviousSecret: old\nurl: http://h\n", "default", "new", "", "secret: \"new\"\nurl: http://h\n"},
		{"letter case", "Secret: old\nurl: http://h\n", "default", "new", "", "secret: \"new\"\nurl: http://h\n"},
		{"an endpoint", "endpoints:\n  - name: a\n    secret: one\n  - name: b\n    url: http://b\n    secret: old\n", "b", "new", "old", "endpoints:\n  - name: a\n    secret: one\n  - name: b\n    previousSecret: \"old\"\n    url: http://b\n    secret: \"new\"\n"},
		{"an endpoint whose secret comes first", "endpoints:\n  - secret: old\n    name: b\n", "b", "new", "old", "endpoints:\n  - secret: \"new\"\n    previousSecret: \"old\"\n    name: b\n"},
	} {
		got, err := WithSecrets([]byte(test.text), test.endpoint, test.secret, test.previous)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		} else if string(got) != test.want {
			t.Errorf("%s: got\n%swant\n%s", test.name, got, test.want)
		}
	}
	for name, test := range map[string]struct{ text, endpoint string }{
		"no such endpoint":  {"url: http://h\n", "b"},
		"all on one line":   {"{url: http://h, secret: old}\n", "default"},
		"an inline item":    {"endpoints:\n  - {name: b, url: http://b}\n", "b"},
		"not YAML":          {"url: [\n", "default"},
		"a folded secret":   {"secret: >-\n  old\nurl: http://h\n", "default"},
		"a section at head": {"alert:\n  url: http://h\n", "default"},
	} {
		if got, err := WithSecrets([]byte(test.text), test.endpoint, "new", ""); err == nil {
			t.Errorf("%s became\n%s", name, got)
		}
	}
}
