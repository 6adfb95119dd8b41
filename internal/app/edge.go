package app

import (
	"fmt"

	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/edge"
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
