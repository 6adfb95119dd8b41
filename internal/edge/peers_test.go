package edge_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/parley-im/parley/internal/edge"
)

func networks(t testing.TB, list ...string) edge.Networks {
	t.Helper()
	n, err := edge.ParseNetworks(list)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// request is one from peer with headers given as name, value, name, value …
func request(peer string, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "http://im.test/", nil)
	r.RemoteAddr = peer
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func TestAddr(t *testing.T) {
	t.Parallel()
	peers := edge.NewPeers(networks(t, "10.0.0.0/8", "127.0.0.1", "fd00::/8"))
	const xff, real = "X-Forwarded-For", "X-Real-Ip"
	for _, c := range []struct {
		name, peer string
		headers    []string
		want       string
	}{
		{"no proxy", "203.0.113.9:1000", nil, "203.0.113.9"},
		{"forged by the client", "203.0.113.9:1000", []string{xff, "198.51.100.1", real, "198.51.100.2"}, "203.0.113.9"},
		{"forged loopback", "203.0.113.9:1000", []string{xff, "127.0.0.1"}, "203.0.113.9"},
		{"one proxy", "10.1.1.1:1000", []string{xff, "203.0.113.9"}, "203.0.113.9"},
		{"forged through a proxy", "10.1.1.1:1000", []string{xff, "198.51.100.1, 203.0.113.9"}, "203.0.113.9"},
		{"forged as a proxy through a proxy", "10.1.1.1:1000", []string{xff, "198.51.100.1, 10.9.9.9, 203.0.113.9"}, "203.0.113.9"},
		{"two proxies", "10.1.1.1:1000", []string{xff, "203.0.113.9, 10.2.2.2"}, "203.0.113.9"},
		{"two proxies, two lines", "10.1.1.1:1000", []string{xff, "198.51.100.1", xff, "203.0.113.9", xff, "10.2.2.2"}, "203.0.113.9"},
		{"only proxies", "10.1.1.1:1000", []string{xff, "10.3.3.3, 10.2.2.2"}, "10.3.3.3"},
		{"nonsense", "10.1.1.1:1000", []string{xff, "unknown"}, "10.1.1.1"},
		{"nonsense before an address", "10.1.1.1:1000", []string{xff, "x, 10.2.2.2"}, "10.2.2.2"},
		{"an empty word", "10.1.1.1:1000", []string{xff, "198.51.100.1, "}, "10.1.1.1"},
		{"an empty line", "10.1.1.1:1000", []string{xff, ""}, "10.1.1.1"},
		{"with a port", "10.1.1.1:1000", []string{xff, "203.0.113.9:4711"}, "203.0.113.9"},
		{"IPv6", "[fd00::1]:1000", []string{xff, "2001:db8::7"}, "2001:db8::7"},
		{"IPv6 in brackets", "10.1.1.1:1000", []string{xff, "[2001:db8::7]"}, "2001:db8::7"},
		{"IPv6 with a port", "10.1.1.1:1000", []string{xff, "[2001:db8::7]:4711"}, "2001:db8::7"},
		{"IPv6 with a zone", "10.1.1.1:1000", []string{xff, "fe80::1%eth0"}, "fe80::1"},
		{"IPv4 in IPv6", "[::ffff:10.1.1.1]:1000", []string{xff, "::ffff:203.0.113.9"}, "203.0.113.9"},
		{"X-Real-IP", "127.0.0.1:1000", []string{real, "203.0.113.9"}, "203.0.113.9"},
		{"both: the list counts", "127.0.0.1:1000", []string{real, "198.51.100.1", xff, "203.0.113.9"}, "203.0.113.9"},
		{"a broken X-Real-IP", "127.0.0.1:1000", []string{real, "203.0.113.9.1"}, "127.0.0.1"},
		{"a Unix socket", "@", []string{xff, "203.0.113.9"}, "invalid IP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := peers.Addr(request(c.peer, c.headers...)); got.String() != c.want {
				t.Errorf("address %s, want %s", got, c.want)
			}
		})
	}
	t.Run("nobody is trusted", func(t *testing.T) {
		t.Parallel()
		var none *edge.Peers
		r := request("127.0.0.1:1", xff, "203.0.113.9", "X-Forwarded-Proto", "https")
		for _, p := range []*edge.Peers{none, {}, edge.NewPeers(nil)} {
			if got := p.Addr(r); got != netip.MustParseAddr("127.0.0.1") || p.Secure(r) {
				t.Errorf("address %s, secure %v", got, p.Secure(r))
			}
		}
	})
	t.Run("changed while it runs", func(t *testing.T) {
		t.Parallel()
		p := edge.NewPeers(nil)
		p.Trust(networks(t, "192.0.2.1"))
		if got := p.Addr(request("192.0.2.1:1", xff, "203.0.113.9")); got != netip.MustParseAddr("203.0.113.9") {
			t.Errorf("address %s", got)
		}
	})
}

func TestSecure(t *testing.T) {
	t.Parallel()
	peers := edge.NewPeers(networks(t, "10.0.0.0/8"))
	const proto = "X-Forwarded-Proto"
	for _, c := range []struct {
		name, peer string
		headers    []string
		want       bool
	}{
		{"plain", "10.1.1.1:1", nil, false},
		{"a proxy says https", "10.1.1.1:1", []string{proto, "https"}, true},
		{"a proxy says HTTPS", "10.1.1.1:1", []string{proto, "HTTPS"}, true},
		{"a proxy says http", "10.1.1.1:1", []string{proto, "http"}, false},
		{"the proxy's own line is the last", "10.1.1.1:1", []string{proto, "https", proto, "http"}, false},
		{"forged by the client", "203.0.113.9:1", []string{proto, "https"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := peers.Secure(request(c.peer, c.headers...)); got != c.want {
				t.Errorf("secure %v, want %v", got, c.want)
			}
		})
	}
}

func TestLocal(t *testing.T) {
	t.Parallel()
	for _, trusted := range []edge.Networks{nil, networks(t, "127.0.0.0/8", "10.0.0.0/8")} {
		peers := edge.NewPeers(trusted)
		for _, c := range []struct {
			name, peer string
			headers    []string
			want       bool
		}{
			{"loopback", "127.0.0.1:1", nil, true},
			{"IPv6 loopback", "[::1]:1", nil, true},
			{"mapped loopback", "[::ffff:127.0.0.1]:1", nil, true},
			{"Unix socket", "@", nil, true},
			{"another machine", "10.1.1.1:1", nil, false},
			{"another machine that says it is this one", "10.1.1.1:1", []string{"X-Forwarded-For", "127.0.0.1"}, false},
			{"a proxy on this machine", "127.0.0.1:1", []string{"X-Forwarded-For", "203.0.113.9"}, false},
			{"a proxy on this machine, for this machine", "127.0.0.1:1", []string{"X-Real-IP", "127.0.0.1"}, false},
			{"a proxy that says only Via", "127.0.0.1:1", []string{"Via", "1.1 cache"}, false},
		} {
			if got := peers.Local(request(c.peer, c.headers...)); got != c.want {
				t.Errorf("%s, trusting %v: local %v, want %v", c.name, trusted, got, c.want)
			}
		}
	}
}

func TestNetworks(t *testing.T) {
	t.Parallel()
	n := networks(t, "10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::1", "::ffff:198.51.100.0/120")
	for addr, want := range map[string]bool{
		"10.255.0.1": true, "11.0.0.1": false, "192.0.2.7": true, "192.0.2.8": false,
		"2001:db8::5": true, "2001:db9::5": false, "::1": true, "198.51.100.200": true, "198.51.101.1": false,
	} {
		if got := n.Contain(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %v, want %v", addr, got, want)
		}
	}
	for _, bad := range []string{"", "10.0.0.0/33", "example.com", "10.0.0.1-10.0.0.9", "::ffff:0:0/90"} {
		if _, err := edge.ParseNetworks([]string{bad}); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// FuzzAddr: whatever an untrusted peer writes, it keeps its address; whatever it
// writes through a trusted proxy, it gets no address but one in the header.
func FuzzAddr(f *testing.F) {
	f.Add("198.51.100.1, 10.0.0.1", "127.0.0.1")
	f.Add(",,[::1]:80,", "x")
	peers := edge.NewPeers(edge.Networks{netip.MustParsePrefix("10.0.0.0/8")})
	f.Fuzz(func(t *testing.T, forwarded, real string) {
		headers := []string{"X-Forwarded-For", forwarded, "X-Real-Ip", real}
		if got := peers.Addr(request("203.0.113.9:1", headers...)); got != netip.MustParseAddr("203.0.113.9") {
			t.Errorf("became %s", got)
		}
		headers[1] += ", 203.0.113.9"
		if got := peers.Addr(request("10.0.0.1:1", headers...)); got != netip.MustParseAddr("203.0.113.9") {
			t.Errorf("through a proxy became %s", got)
		}
	})
}
