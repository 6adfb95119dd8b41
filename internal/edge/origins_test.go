package edge_test

import (
	"testing"

	"github.com/parley-im/parley/internal/edge"
)

func TestOrigins(t *testing.T) {
	t.Parallel()
	some, err := edge.NewOrigins([]string{"https://app.example.com", "HTTP://localhost:5173/", "https://*.chat.example.com", "capacitor://localhost", "null"})
	if err != nil {
		t.Fatal(err)
	}
	for origin, want := range map[string]bool{
		"":                                 true, // no browser
		"https://app.example.com":          true,
		"https://APP.example.com":          true,
		"http://app.example.com":           false,
		"https://app.example.com:8443":     false,
		"https://app.example.com.evil.org": false,
		"https://evil.org/app.example.com": false,
		"http://localhost:5173":            true,
		"http://localhost:5174":            false,
		"https://a.chat.example.com":       true,
		"https://a.b.chat.example.com":     true,
		"https://chat.example.com":         false,
		"https://.chat.example.com":        false,
		"https://evilchat.example.com":     false,
		"http://a.chat.example.com":        false,
		"capacitor://localhost":            true,
		"null":                             true,
		"file://":                          false,
	} {
		r := request("203.0.113.1:1")
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		if got := some.Allowed(r); got != want {
			t.Errorf("%q: %v, want %v", origin, got, want)
		}
		var none *edge.Origins
		for _, all := range []*edge.Origins{none, {}} {
			if !all.Allowed(r) || !all.Any() {
				t.Errorf("%q is refused without a list", origin)
			}
		}
	}
	if some.Any() {
		t.Error("a list that allows all")
	}
	for _, bad := range []string{"", "*", "app.example.com", "https://app.example.com/page", "https://*", "https://a.*.com", "https://user@host"} {
		if _, err := edge.ParseOrigins([]string{bad}); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
