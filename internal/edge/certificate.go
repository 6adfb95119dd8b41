package edge

import (
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"time"
)

// Certificate is the certificate the ports show, from a pair of PEM files.
// Handshakes that begin after a reload see the new one; connections stay.
type Certificate struct {
	certFile, keyFile string
	current           atomic.Pointer[pair]
}

type pair struct {
	cert tls.Certificate
	sum  [sha256.Size]byte // of both files
}

// OpenCertificate reads a pair of files: a chain that begins with the server's
// own certificate, and its key. An expired certificate is taken, so that a
// restart does not end what was still up.
func OpenCertificate(certFile, keyFile string) (*Certificate, error) {
	c := &Certificate{certFile: certFile, keyFile: keyFile}
	p, err := c.read()
	if err != nil {
		return nil, err
	}
	c.current.Store(p)
	return c, nil
}

func (c *Certificate) read() (*pair, error) {
	chain, err := os.ReadFile(c.certFile)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	key, err := os.ReadFile(c.keyFile)
	if err != nil {
		return nil, fmt.Errorf("key of the certificate: %w", err)
	}
	cert, err := tls.X509KeyPair(chain, key) // checks that they belong together
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", c.certFile, c.keyFile, err)
	}
	return &pair{cert: cert, sum: sha256.Sum256(slices.Concat(chain, []byte{0}, key))}, nil
}

// Files are the two files.
func (c *Certificate) Files() []string { return []string{c.certFile, c.keyFile} }

// Reload reads the files again and reports whether they hold another pair. What
// cannot be used, or is expired by now, leaves the old pair.
func (c *Certificate) Reload(now time.Time) (changed bool, err error) {
	p, err := c.read()
	if err != nil {
		return false, err
	}
	if p.sum == c.current.Load().sum {
		return false, nil
	}
	if end := p.cert.Leaf.NotAfter; now.After(end) {
		return false, fmt.Errorf("certificate %s expired at %s", c.certFile, end.UTC().Format(time.RFC3339))
	}
	c.current.Store(p)
	return true, nil
}

// Names are the host names and addresses the certificate in use is for.
func (c *Certificate) Names() []string {
	leaf := c.current.Load().cert.Leaf
	names := slices.Clone(leaf.DNSNames)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

// NotAfter is when the certificate in use expires.
func (c *Certificate) NotAfter() time.Time { return c.current.Load().cert.Leaf.NotAfter }

// TLS is the configuration of a listener that speaks the given protocols over
// TLS 1.2 and later, or only later.
func (c *Certificate) TLS(only13 bool, protocols ...string) *tls.Config {
	config := &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: protocols,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &c.current.Load().cert, nil },
	}
	if only13 {
		config.MinVersion = tls.VersionTLS13
	}
	return config
}
