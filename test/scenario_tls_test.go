package test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// authority signs the certificates of this package's servers; its clients trust
// nobody else.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate

	mu     sync.Mutex
	serial int64
}

var ours = newAuthority()

func newAuthority() *authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	a := &authority{key: key}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		panic(err)
	}
	trust := &tls.Config{RootCAs: x509.NewCertPool()}
	trust.RootCAs.AddCert(a.cert)
	http.DefaultTransport.(*http.Transport).TLSClientConfig = trust
	websocket.DefaultDialer.TLSClientConfig = trust
	return a
}

// issue makes a certificate for loopback, with its key, both as PEM.
func (a *authority) issue(t *testing.T) (cert, key []byte, serial int64) {
	t.Helper()
	a.mu.Lock()
	a.serial++
	serial = 1000 + a.serial
	a.mu.Unlock()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(serial), DNSNames: []string{"im.test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(12 * time.Hour),
	}, a.cert, &private.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), serial
}

// shownAt is the serial number of the certificate at an address, and the
// protocol that is agreed on.
func shownAt(t *testing.T, url string, offer ...string) (serial int64, protocol string) {
	t.Helper()
	config := websocket.DefaultDialer.TLSClientConfig.Clone()
	config.NextProtos = offer
	_, host, _ := strings.Cut(url, "://")
	conn, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	state := conn.(*tls.Conn).ConnectionState()
	return state.PeerCertificates[0].SerialNumber.Int64(), state.NegotiatedProtocol
}

// TestTLS: with a certificate both ports are encrypted, the API speaks HTTP/2,
// and a renewed certificate is shown without a restart; a pair that cannot be
// used changes nothing and is reported.
func TestTLS(t *testing.T) {
	t.Parallel()
	cert, key, first := ours.issue(t)
	n := startNode(t, setup{files: map[string]string{
		"parley.yml": "tls: {certFile: im.pem, keyFile: im.key}\n", "im.pem": string(cert), "im.key": string(key),
	}})
	if !strings.HasPrefix(n.API, "https://") || !strings.HasPrefix(n.WS, "wss://") || lineWith(n.output.String(), "WebSocket", n.WS) == "" {
		t.Fatalf("addresses %s %s", n.API, n.WS)
	}
	for _, at := range []struct{ url, protocol string }{{n.API, "h2"}, {n.WS, "http/1.1"}} {
		if serial, protocol := shownAt(t, at.url, "h2", "http/1.1"); serial != first || protocol != at.protocol {
			t.Errorf("%s: certificate %d, %s", at.url, serial, protocol)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, n.API+"/user/get_users_info", strings.NewReader(`{"userIDs":["imAdmin"]}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("operationID", "tls")
	req.Header.Set("token", n.admin)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	var answer refusal
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.ProtoMajor != 2 || answer != (refusal{}) {
		t.Errorf("HTTP/%d: %+v, %v", resp.ProtoMajor, answer, err)
	}
	_ = resp.Body.Close()

	// Plain clients get nowhere.
	for _, url := range []string{"http" + strings.TrimPrefix(n.API, "https"), "http" + strings.TrimPrefix(n.WS, "wss")} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusBadRequest {
				t.Errorf("%s in plain: status %d", url, resp.StatusCode)
			}
		}
	}

	n.register(t, "alice", "bob")
	alice, bob := n.device(t, "alice", platformMiniWeb), n.device(t, "bob", platformIOS)
	say := func(what string) {
		t.Helper()
		if s := alice.send(post{from: "alice", to: "bob", content: text(what), operationID: "tls"}); s.ErrCode != 0 {
			t.Fatalf("%+v", s)
		}
		if m := bob.next(); string(m.Content) != text(what) {
			t.Errorf("bob got %s", m.Content)
		}
	}
	say("over the first certificate")

	// Half of a pair: an error, and the old one stays.
	cert, key, second := ours.issue(t)
	n.write("im.pem", string(cert))
	n.awaitOutput("ERROR", "old ones stay", "certificate", "im.pem")
	if serial, _ := shownAt(t, n.WS); serial != first {
		t.Errorf("with half of a new pair %d is shown", serial)
	}
	status := n.beside()
	if status.Refused == 0 || !strings.Contains(status.Problem, "im.pem") || !strings.Contains(status.InUse, "im.test") {
		t.Errorf("status %+v", status)
	}
	if out := n.run("config", "status"); lineWith(out, "certificate since", "im.test") == "" || lineWith(out, "refused", "im.pem") == "" {
		t.Errorf("config status says\n%s", out)
	}
	n.write("im.key", string(key))
	for _, url := range []string{n.API, n.WS} {
		poll(t, "the new certificate", func() bool { serial, _ := shownAt(t, url); return serial == second })
	}
	if status := n.beside(); status.Problem != "" || status.Applied != 1 {
		t.Errorf("status %+v", status)
	}
	say("over the connections of before")

	// As tools that renew certificates do it: a link that moves.
	cert, key, third := ours.issue(t)
	n.write("new.pem", string(cert))
	n.write("new.key", string(key))
	for _, name := range []string{"pem", "key"} {
		if err := os.Symlink("new."+name, filepath.Join(n.dir, "link."+name)); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(n.dir, "link."+name), filepath.Join(n.dir, "im."+name)); err != nil {
			t.Fatal(err)
		}
	}
	n.run("config", "reload") // now, not in a second
	if serial, _ := shownAt(t, n.API); serial != third {
		t.Errorf("after config reload %d is shown", serial)
	}
}

// besideStatus is what config status says of the certificate.
type besideStatus struct {
	InUse, Problem   string
	Applied, Refused int
}

func (n *node) beside() besideStatus {
	n.t.Helper()
	var s struct{ Beside []besideStatus }
	n.call(n.t, "/config/status", map[string]any{}, &s)
	if len(s.Beside) != 1 {
		n.t.Fatalf("status %+v", s)
	}
	return s.Beside[0]
}

// TestTLSRefused: a server whose certificate cannot be used does not start, and
// says which file is at fault.
func TestTLSRefused(t *testing.T) {
	t.Parallel()
	cert, _, _ := ours.issue(t)
	_, other, _ := ours.issue(t)
	for name, c := range map[string]struct {
		yml, want string
	}{
		"no such file": {"tls: {certFile: no.pem, keyFile: im.key}\n", "no.pem"},
		"another key":  {"tls: {certFile: im.pem, keyFile: im.key}\n", "im.key"},
		"no key":       {"tls: {certFile: im.pem}\n", "parley.yml:1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := configDir(t, map[string]string{"parley.yml": c.yml, "im.pem": string(cert), "im.key": string(other)})
			out, errs, code := parleyCommand(t, nil, "serve", "-c", dir, "--data", t.TempDir(), "--api-addr", "127.0.0.1:0", "--ws-addr", "127.0.0.1:0")
			if code == 0 || !strings.Contains(out+errs, c.want) {
				t.Errorf("ended with %d:\n%s%s", code, out, errs)
			}
		})
	}
}
