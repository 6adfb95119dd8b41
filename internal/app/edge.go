package app

import (
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/edge"
	"github.com/parley-im/parley/internal/metrics"
	"github.com/parley-im/parley/internal/reload"
)

// front is what both ports know of the network in front of them.
type front struct {
	peers   *edge.Peers
	origins *edge.Origins
	limits  *edge.Limiter
	// calls and handshakes refuse load; nil when they are not to.
	calls, handshakes *edge.Shedder
}

func newFront(c *config.Config) front {
	return front{&edge.Peers{}, &edge.Origins{}, edge.NewLimiter(edge.Limits{}, time.Now), shedder(c.API.RateLimit), shedder(c.Gateway.RateLimit)}
}

func shedder(c config.RateLimit) *edge.Shedder {
	if !c.Enable {
		return nil
	}
	return edge.NewShedder(edge.ShedderOptions{
		Window: c.Window, Buckets: c.Bucket, Threshold: c.CPUThreshold, Now: time.Now, CPU: edge.ProcessCPU(),
	})
}

// prepare reads what the configuration says about it; the function it returns
// takes it over. It fails for what no checked configuration holds.
func (f front) prepare(c config.Edge) (use func(), err error) {
	proxies, err := edge.ParseNetworks(c.TrustedProxies)
	if err != nil {
		return nil, fmt.Errorf("edge.trustedProxies: %w", err)
	}
	origins, err := edge.ParseOrigins(c.AllowedOrigins)
	if err != nil {
		return nil, fmt.Errorf("edge.allowedOrigins: %w", err)
	}
	limits := edge.Limits{
		ConnectionsPerAddress: c.Limits.ConnectionsPerAddress, ConnectionsPerUser: c.Limits.ConnectionsPerUser,
		HandshakesPerAddress: c.Limits.HandshakesPerAddress, RequestsPerAddress: c.Limits.RequestsPerAddress, RequestsPerUser: c.Limits.RequestsPerUser,
		FailuresPerAddress: c.Limits.FailuresPerAddress, FramesPerConnection: c.Limits.FramesPerConnection,
	}
	if limits.Exempt, err = edge.ParseNetworks(c.Limits.ExemptAddresses); err != nil {
		return nil, fmt.Errorf("limits.exemptAddresses: %w", err)
	}
	return func() {
		f.peers.Trust(proxies)
		f.origins.Allow(origins)
		f.limits.Set(limits)
	}, nil
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

// edgeFigures are what metrics show of it.
func (s *server) edgeFigures(emit metrics.Emit) {
	for _, r := range edge.Rules() {
		emit(metrics.LimitRefusals, float64(s.front.limits.Refused(r)), r.String())
	}
	emit(metrics.LimitRefusals, float64(s.front.calls.Refused()), "load_calls")
	emit(metrics.LimitRefusals, float64(s.front.handshakes.Refused()), "load_handshakes")
	unusable, ends := 0.0, 0.0
	for _, b := range s.config.Status().Beside {
		if b.Problem != "" {
			unusable = 1
		}
	}
	if s.certificate != nil {
		ends = float64(s.certificate.NotAfter().Unix())
	}
	emit(metrics.CertificateUnusable, unusable)
	emit(metrics.CertificateEnds, ends)
}
