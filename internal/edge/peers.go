package edge

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
)

// Peers knows which peers are proxies of the operator's, and so whose address a
// request has. The nil *Peers and the zero Peers trust nobody.
type Peers struct {
	trusted atomic.Pointer[Networks]
}

// NewPeers returns Peers that trust the proxies in the given networks.
func NewPeers(trusted Networks) *Peers {
	p := &Peers{}
	p.Trust(trusted)
	return p
}

// Trust replaces the networks of proxies.
func (p *Peers) Trust(trusted Networks) { p.trusted.Store(&trusted) }

func (p *Peers) trusts(a netip.Addr) bool {
	if p == nil {
		return false
	}
	list := p.trusted.Load()
	return list != nil && list.Contain(a)
}

// Addr is the address of the client that made the request. A peer that is no
// trusted proxy is the client, whatever its headers say. What a trusted proxy
// says counts: of X-Forwarded-For the last address that is no trusted proxy
// itself, since everything before it may be made up; without that header,
// X-Real-IP. The zero Addr stands for a Unix socket.
func (p *Peers) Addr(r *http.Request) netip.Addr {
	peer := peerOf(r)
	if !p.trusts(peer) {
		return peer
	}
	lines := r.Header["X-Forwarded-For"]
	if len(lines) == 0 {
		if a, ok := parseAddr(r.Header.Get("X-Real-Ip")); ok {
			return a
		}
		return peer
	}
	client := peer
	for i := len(lines) - 1; i >= 0; i-- {
		for rest := lines[i]; rest != ""; {
			var word string
			if comma := strings.LastIndexByte(rest, ','); comma >= 0 {
				rest, word = rest[:comma], rest[comma+1:]
			} else {
				rest, word = "", rest
			}
			a, ok := parseAddr(word)
			if !ok {
				return client // whoever wrote it is the last one that is known
			}
			if client = a; !p.trusts(a) {
				return client
			}
		}
	}
	return client
}

// Secure reports whether the client's own connection was encrypted: to us, or
// to a trusted proxy that says so in X-Forwarded-Proto.
func (p *Peers) Secure(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	said := r.Header["X-Forwarded-Proto"]
	return len(said) > 0 && p.trusts(peerOf(r)) && strings.EqualFold(strings.TrimSpace(said[len(said)-1]), "https")
}

// forwarding are headers by which a proxy is known.
var forwarding = []string{"X-Forwarded-For", "X-Real-Ip", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded", "Via"}

// Local reports whether the request was made on this machine and came here
// directly. What is shown on loopback only must ask this and not the address: a
// proxy on this machine that nobody declared makes everybody look local.
func (p *Peers) Local(r *http.Request) bool {
	if peer := peerOf(r); peer.IsValid() && !peer.IsLoopback() {
		return false
	}
	for _, name := range forwarding {
		if len(r.Header[name]) > 0 {
			return false
		}
	}
	return true
}

// peerOf is the other end of the socket: the zero Addr for a Unix socket.
func peerOf(r *http.Request) netip.Addr {
	from, _ := netip.ParseAddrPort(r.RemoteAddr) // zero if it is none
	return from.Addr().Unmap().WithZone("")
}

// parseAddr reads an address as proxies write it: alone or with a port, IPv6
// with or without brackets.
func parseAddr(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	a, err := netip.ParseAddr(s)
	if err != nil {
		if inner, ok := strings.CutPrefix(s, "["); ok && strings.HasSuffix(inner, "]") {
			a, err = netip.ParseAddr(inner[:len(inner)-1])
		} else {
			var with netip.AddrPort
			with, err = netip.ParseAddrPort(s)
			a = with.Addr()
		}
	}
	return a.Unmap().WithZone(""), err == nil
}

// Networks is a list of address ranges.
type Networks []netip.Prefix

// ParseNetworks reads addresses ("10.0.0.7") and ranges ("10.0.0.0/8").
func ParseNetworks(list []string) (Networks, error) {
	var out Networks
	for _, s := range list {
		prefix, err := netip.ParsePrefix(s)
		if err != nil {
			a, addrErr := netip.ParseAddr(s)
			if addrErr != nil {
				return nil, fmt.Errorf("%q is no address and no range such as 10.0.0.0/8", s)
			}
			prefix = netip.PrefixFrom(a, a.BitLen())
		}
		// Addresses are compared in their short form.
		if a := prefix.Addr(); a.Is4In6() {
			if prefix.Bits() < 96 {
				return nil, fmt.Errorf("%q holds IPv4 and other addresses; write the IPv4 range itself", s)
			}
			prefix = netip.PrefixFrom(a.Unmap(), prefix.Bits()-96)
		}
		out = append(out, prefix.Masked())
	}
	return out, nil
}

// Contain reports whether a lies in one of the networks.
func (n Networks) Contain(a netip.Addr) bool {
	for _, prefix := range n {
		if prefix.Contains(a) {
			return true
		}
	}
	return false
}
