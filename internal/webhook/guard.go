package webhook

import (
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"code.dny.dev/ssrf"
)

// guard decides at dial time, on the resolved address, whether a handler may
// live there. Private networks are where business servers usually are; the
// addresses refused always are those where none can be.
type guard struct {
	strict    bool // refuse private and loopback addresses too
	listeners func() []netip.AddrPort
}

// deniedError is the refusal to dial.
type deniedError struct{ reason string }

func (e *deniedError) Error() string { return "webhook address refused: " + e.reason }

var publicOnly = ssrf.New(ssrf.WithAnyPort())

// Where clouds tell instances their credentials, besides the link-local range.
var metadata = []netip.Prefix{
	netip.MustParsePrefix("fd00:ec2::254/128"),
	netip.MustParsePrefix("100.100.100.200/32"),
}

// nat64 addresses stand for IPv4 ones.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

func (g guard) control(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return &deniedError{fmt.Sprintf("%s is not an address", address)}
	}
	return g.check(netip.AddrPortFrom(to.Addr().Unmap().WithZone(""), to.Port()))
}

func (g guard) check(to netip.AddrPort) error {
	ip := to.Addr()
	if nat64.Contains(ip) {
		b := ip.As16()
		ip = netip.AddrFrom4([4]byte(b[12:]))
	}
	switch {
	case ip.IsLinkLocalUnicast(), ip.IsLinkLocalMulticast(), ip.IsMulticast(), ip.IsInterfaceLocalMulticast():
		return &deniedError{fmt.Sprintf("%s is link-local or multicast", ip)}
	}
	for _, p := range metadata {
		if p.Contains(ip) {
			return &deniedError{fmt.Sprintf("%s serves cloud metadata", ip)}
		}
	}
	for _, own := range g.listeners() {
		if own.Port() != to.Port() {
			continue
		}
		if own.Addr().Unmap() == ip || ip.IsUnspecified() || own.Addr().IsUnspecified() && local(ip) {
			return &deniedError{fmt.Sprintf("%s is this server itself", to)}
		}
	}
	if g.strict {
		if err := publicOnly.SafeAddr(ip); err != nil {
			return &deniedError{err.Error()}
		}
	}
	return nil
}

// local reports whether ip is one of this machine's.
func local(ip netip.Addr) bool {
	if ip.IsLoopback() {
		return true
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range addresses {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr().Unmap() == ip {
			return true
		}
	}
	return false
}
