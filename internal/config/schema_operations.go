package config

import (
	"net/netip"
	"net/url"

	"github.com/parley-im/parley/internal/edge"
)

// operationsKeys are the settings of parley.yml for who runs the server.
func operationsKeys() key {
	return sect("operations",
		key{
			name: "metricsFrom", kind: texts, live: true, bind: func(d *draft) any { return &d.Operations.MetricsFrom },
			doc: "addresses and networks (10.0.0.0/8) that may read /metrics and /prometheus_discovery beside this machine; those behind a trusted proxy by their own address",
		},
		key{
			name: "pprof", kind: text, bind: func(d *draft) any { return &d.Operations.Pprof },
			doc: "private address for profiles, such as 127.0.0.1:6060; empty for none. They are always on the control socket",
		},
		key{
			name: "minFreeDisk", kind: integer, lo: 0, hi: 1 << 50, bind: func(d *draft) any { return &d.Operations.MinFreeDisk },
			doc: "bytes free in the data directory below which /readyz says no; below ten times as many it warns. 0 for no check",
		},
		key{
			name: "stopDelay", kind: duration, bind: func(d *draft) any { return &d.Operations.StopDelay },
			doc: "how long a server that is told to stop goes on, saying no on /readyz, so that a load balancer sends nothing more",
		},
	)
}

// tracesKeys are the settings of parley.yml about OpenTelemetry.
func tracesKeys() key {
	return sect("traces",
		key{
			name: "endpoint", kind: text, bind: func(d *draft) any { return &d.Traces.Endpoint },
			doc: "OTLP/HTTP collector, such as http://127.0.0.1:4318; empty for that of OTEL_EXPORTER_OTLP_ENDPOINT, and no traces without either. The other OTEL_ variables count, too",
		},
		key{
			name: "percent", kind: integer, lo: 0, hi: 100, bind: func(d *draft) any { return &d.Traces.Percent },
			doc: "operations followed of 100, chosen by chance; OTEL_TRACES_SAMPLER goes before",
		},
	)
}

func (l *loader) checkOperations() {
	if v, ok := l.given(ownFile, "traces.endpoint"); ok && l.draft.Traces.Endpoint != "" {
		if u, err := url.Parse(l.draft.Traces.Endpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			l.atValue(v, Error, "traces.endpoint: %q is no address such as http://127.0.0.1:4318", l.draft.Traces.Endpoint)
		}
	}
	if v, ok := l.given(ownFile, "operations.metricsFrom"); ok {
		if _, err := edge.ParseNetworks(l.draft.Operations.MetricsFrom); err != nil {
			l.atValue(v, Error, "operations.metricsFrom: %s", err)
		}
	}
	if v, ok := l.given(ownFile, "operations.pprof"); ok && l.draft.Operations.Pprof != "" {
		switch a, err := netip.ParseAddrPort(l.draft.Operations.Pprof); {
		case err != nil:
			l.atValue(v, Error, "operations.pprof: %q is no address with a port, such as 127.0.0.1:6060", l.draft.Operations.Pprof)
		case !a.Addr().IsLoopback() && !a.Addr().IsPrivate():
			l.atValue(v, Error, "operations.pprof: profiles show what is in memory; %s is no loopback or private address", a.Addr())
		}
	}
	if v, ok := l.given(ownFile, "operations.stopDelay"); ok && l.draft.Operations.StopDelay < 0 {
		l.atValue(v, Error, "operations.stopDelay: a time cannot be negative")
	}
}
