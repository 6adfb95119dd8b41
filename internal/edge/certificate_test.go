package edge_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/edge"
)

var now = time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)

// files are where a pair lies.
type files struct {
	t         *testing.T
	cert, key string
}

func newFiles(t *testing.T) files {
	t.Helper()
	dir := t.TempDir()
	return files{t, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
}

// pair makes a self-signed certificate for a name.
func pair(t *testing.T, name string, notAfter time.Time) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: now.AddDate(-1, 0, 0), NotAfter: notAfter,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
}

func (f files) write(cert, key []byte) {
	f.t.Helper()
	for path, data := range map[string][]byte{f.cert: cert, f.key: key} {
		if data == nil {
			continue
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			f.t.Fatal(err)
		}
	}
}

func TestCertificate(t *testing.T) {
	t.Parallel()
	f := newFiles(t)
	if _, err := edge.OpenCertificate(f.cert, f.key); err == nil {
		t.Error("opened without files")
	}
	f.write(pair(t, "one.test", now.AddDate(0, 1, 0)))
	c, err := edge.OpenCertificate(f.cert, f.key)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(c.Names(), " "); got != "one.test 127.0.0.1" || !c.NotAfter().Equal(now.AddDate(0, 1, 0)) {
		t.Errorf("in use: %s until %s", got, c.NotAfter())
	}
	if changed, err := c.Reload(now); changed || err != nil {
		t.Errorf("the same files: changed %v, %v", changed, err)
	}

	two, twoKey := pair(t, "two.test", now.AddDate(0, 2, 0))
	refused := func(name, want string) {
		t.Helper()
		changed, err := c.Reload(now)
		if changed || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: changed %v, %v", name, changed, err)
		}
		if got := served(t, c, false); got != "one.test" {
			t.Errorf("%s: a handshake shows %s", name, got)
		}
	}
	f.write(two, nil)
	refused("only the certificate is new", "match")
	f.write(two[:len(two)/2], twoKey)
	refused("half a certificate", f.cert)
	f.write([]byte{}, []byte{})
	refused("empty", f.cert)
	if err := os.Remove(f.key); err != nil {
		t.Fatal(err)
	}
	refused("no key", f.key)
	f.write(pair(t, "old.test", now.Add(-time.Hour)))
	refused("expired", "expired at 2030-05-01T11:00:00Z")

	f.write(two, twoKey)
	if changed, err := c.Reload(now); !changed || err != nil {
		t.Errorf("a good pair: changed %v, %v", changed, err)
	}
	if got := served(t, c, false); got != "two.test" {
		t.Errorf("a handshake shows %s", got)
	}

	// What a restart finds is better than nothing.
	f.write(pair(t, "old.test", now.Add(-time.Hour)))
	if _, err := edge.OpenCertificate(f.cert, f.key); err != nil {
		t.Errorf("an expired pair at the start: %v", err)
	}
}

// served is whose certificate a client is shown.
func served(t *testing.T, c *edge.Certificate, only13 bool) string {
	t.Helper()
	state, err := shake(c.TLS(only13, "h2", "http/1.1"), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	if state.NegotiatedProtocol != "h2" {
		t.Errorf("negotiated %q", state.NegotiatedProtocol)
	}
	return state.PeerCertificates[0].DNSNames[0]
}

// shake makes a handshake in memory.
func shake(server, client *tls.Config) (tls.ConnectionState, error) {
	a, b := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = tls.Server(a, server).Handshake() // the client tells
		_ = a.Close()
	}()
	conn := tls.Client(b, client)
	err := conn.Handshake()
	state := conn.ConnectionState()
	_ = b.Close()
	<-done
	return state, err
}

func TestTLSVersions(t *testing.T) {
	t.Parallel()
	f := newFiles(t)
	f.write(pair(t, "one.test", now.AddDate(0, 1, 0)))
	c, err := edge.OpenCertificate(f.cert, f.key)
	if err != nil {
		t.Fatal(err)
	}
	for _, try := range []struct {
		only13  bool
		version uint16
		ok      bool
	}{
		{false, tls.VersionTLS10, false},
		{false, tls.VersionTLS11, false},
		{false, tls.VersionTLS12, true},
		{false, tls.VersionTLS13, true},
		{true, tls.VersionTLS12, false},
		{true, tls.VersionTLS13, true},
	} {
		_, err := shake(c.TLS(try.only13, "http/1.1"), &tls.Config{InsecureSkipVerify: true, MinVersion: try.version, MaxVersion: try.version})
		if (err == nil) != try.ok {
			t.Errorf("only 1.3 %v, %s: %v", try.only13, tls.VersionName(try.version), err)
		}
	}
}
