package config

import (
	"slices"
	"strings"
	"testing"
)

// TestEdgeValues: what is in front of the ports, from the file and from the
// environment; mistakes are named with their line.
func TestEdgeValues(t *testing.T) {
	t.Parallel()
	good := map[string]string{
		"parley.yml": "tls: {certFile: im.pem, keyFile: im.key, minVersion: 1.3}\n" +
			"edge: {trustedProxies: [10.0.0.0/8, '::1'], allowedOrigins: 'https://a.example.com, https://*.b.example.com'}\n" +
			"limits: {requestsPerAddress: 50, exemptAddresses: 192.0.2.0/24}\n",
	}
	c, _ := mustLoad(t, Options{Dir: write(t, good), Environ: []string{"PARLEY_LIMITS_CONNECTIONSPERUSER=7", "IMENV_PARLEY_EDGE_TRUSTEDPROXIES=127.0.0.1"}})
	e := c.Edge
	if !slices.Equal(e.TrustedProxies, []string{"127.0.0.1"}) || len(e.AllowedOrigins) != 2 || e.AllowedOrigins[1] != "https://*.b.example.com" ||
		e.Limits.RequestsPerAddress != 50 || e.Limits.ConnectionsPerUser != 7 || e.Limits.RequestsPerUser != Default().Edge.Limits.RequestsPerUser ||
		!slices.Equal(e.Limits.ExemptAddresses, []string{"192.0.2.0/24"}) || c.TLS != (TLS{"im.pem", "im.key", "1.3"}) {
		t.Errorf("edge %+v, TLS %+v", e, c.TLS)
	}
	for text, want := range map[string]string{
		"edge: {trustedProxies: [10.0.0.0/8, proxy.local]}\n": `parley.yml:1:24: edge.trustedProxies: "proxy.local" is no address`,
		"\nlimits: {exemptAddresses: office}\n":               `parley.yml:2:27: limits.exemptAddresses: "office" is no address`,
		"edge: {allowedOrigins: [app.example.com]}\n":         `edge.allowedOrigins: "app.example.com" is no origin`,
		"tls: {certFile: im.pem}\n":                           "tls.certFile needs tls.keyFile",
		"tls: {keyFile: im.key}\n":                            "tls.keyFile needs tls.certFile",
		"tls: {minVersion: 1.1}\n":                            "expected one of 1.2, 1.3, got '1.1'",
		"limits: {requestsPerAddress: -1}\n":                  "from 0 to 1000000, got '-1'",
		"limits: {requestPerAddress: 1}\n":                    "requestsPerAddress",
	} {
		got := errorsOf(t, Options{Dir: write(t, map[string]string{"parley.yml": text})})
		if len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
