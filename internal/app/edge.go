package app

import (
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/edge"
	"github.com/parley-im/parley/internal/reload"
)

// prepareEdge reads what the configuration says about the network in front of
// the ports; the function it returns takes it over. It fails for what no checked
// configuration holds.
func (s *server) prepareEdge(c *config.Config) (use func(), err error) {
	proxies, err := edge.ParseNetworks(c.Edge.TrustedProxies)
	if err != nil {
		return nil, fmt.Errorf("edge.trustedProxies: %w", err)
	}
	return func() { s.peers.Trust(proxies) }, nil
}

// openCertificate reads the certificate of the ports, if there is to be one.
func (s *server) openCertificate() error {
	c := s.options.Config
	if c.TLS.CertFile == "" {
		return nil
	}
	var err error
	if s.certificate, err = edge.OpenCertificate(besideConfig(c, c.TLS.CertFile), besideConfig(c, c.TLS.KeyFile)); err != nil {
		return fmt.Errorf("tls: %w", err)
	}
	if end := s.certificate.NotAfter(); time.Now().After(end) {
		s.log.Error("the certificate has expired", "not_after", end.UTC().Format(time.RFC3339))
	}
	return nil
}

// beside are the files that a running server takes over without a change of its
// configuration.
func (s *server) beside() []reload.Beside {
	if s.certificate == nil {
		return nil
	}
	return []reload.Beside{{
		Name: "certificate", Files: s.certificate.Files(),
		Load: func() (bool, error) { return s.certificate.Reload(time.Now()) },
		Describe: func() string {
			return fmt.Sprintf("for %s, until %s", strings.Join(s.certificate.Names(), ", "), s.certificate.NotAfter().UTC().Format(time.RFC3339))
		},
	}}
}

// encrypted makes listeners speak TLS if there is a certificate.
func (s *server) encrypted(listeners []net.Listener, protocols ...string) []net.Listener {
	if s.certificate == nil {
		return listeners
	}
	out := make([]net.Listener, len(listeners))
	for i, l := range listeners {
		out[i] = tls.NewListener(l, s.certificate.TLS(s.options.Config.TLS.MinVersion == "1.3", protocols...))
	}
	return out
}

// scheme is that of addresses of our ports: http or ws, with an s when they are
// encrypted.
func (s *server) scheme(plain string) string {
	if s.certificate != nil {
		plain += "s"
	}
	return plain + "://"
}
