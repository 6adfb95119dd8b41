package webhook

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/parley-im/parley/internal/im"
)

func TestGuard(t *testing.T) {
	own := func() []netip.AddrPort {
		return []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:10002"), netip.MustParseAddrPort("192.168.1.1:10001")}
	}
	for address, want := range map[string]struct{ normal, strict bool }{
		"93.184.216.34:80":            {true, true},
		"[2606:4700::1111]:443":       {true, true},
		"10.0.0.5:8080":               {true, false},
		"192.168.1.7:8080":            {true, false},
		"127.0.0.1:8080":              {true, false},
		"[::1]:8080":                  {true, false},
		"[fd00::1]:80":                {true, false},
		"169.254.169.254:80":          {false, false},
		"169.254.1.1:80":              {false, false},
		"[::ffff:169.254.169.254]:80": {false, false},
		"[64:ff9b::a9fe:a9fe]:80":     {false, false},
		"[fe80::1%eth0]:80":           {false, false},
		"[fd00:ec2::254]:80":          {false, false},
		"100.100.100.200:80":          {false, false},
		"224.0.0.1:80":                {false, false},
		"127.0.0.1:10002":             {false, false},
		"[::1]:10002":                 {false, false},
		"0.0.0.0:10002":               {false, false},
		"93.184.216.34:10002":         {true, true},
		"192.168.1.1:10001":           {false, false},
		"192.168.1.2:10001":           {true, false},
		"not an address":              {false, false},
	} {
		for _, strict := range []bool{false, true} {
			allowed := want.normal
			if strict {
				allowed = want.strict
			}
			err := guard{strict: strict, listeners: own}.control("tcp", address, nil)
			if (err == nil) != allowed {
				t.Errorf("%s, strict %v: %v", address, strict, err)
			}
		}
	}
}

// The check is on what a name resolves to, and the refusal does not say what.
func TestGuardAtDial(t *testing.T) {
	h := serve(t, says(approval))
	address := netip.MustParseAddrPort(h.Listener.Addr().String())
	e := newEngine(t, Config{URL: h.URL, Callbacks: on(Callback{}, "beforeSendSingleMsg")},
		Options{Listeners: func() []netip.AddrPort { return []netip.AddrPort{address} }})
	_, err := e.BeforeSend(operation(), text("hi"))
	if refusal, _ := errors.AsType[*im.Error](err); refusal == nil || refusal.Code != 90004 || refusal.Detail != "beforeSendSingleMsg: address not allowed" {
		t.Errorf("calling ourselves: %v", err)
	}
	if len(h.got()) != 0 {
		t.Error("we called ourselves")
	}
}
