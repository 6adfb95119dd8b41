package config

import "github.com/parley-im/parley/internal/edge"

// edgeKeys are the settings of parley.yml about what is in front of the ports.
func edgeKeys() key {
	return sect("edge",
		key{
			name: "trustedProxies", kind: texts, live: true, bind: func(d *draft) any { return &d.Edge.TrustedProxies },
			doc: "addresses and networks (10.0.0.0/8) of your proxies: from them alone X-Forwarded-For, X-Real-IP and X-Forwarded-Proto count",
		},
		key{
			name: "allowedOrigins", kind: texts, live: true, bind: func(d *draft) any { return &d.Edge.AllowedOrigins },
			doc: "web pages that browsers may call from, such as https://app.example.com or https://*.example.com; empty for all. Apps that are no web page are not concerned",
		},
	)
}

// limitKeys are the settings of parley.yml about how much is too much.
func limitKeys() key {
	limit := func(name, doc string, field func(*EdgeLimits) *int) key {
		return key{
			name: name, kind: integer, live: true, lo: 0, hi: 1_000_000, doc: doc + "; 0 for no limit",
			bind: func(d *draft) any { return field(&d.Edge.Limits) },
		}
	}
	const burst = ", on average, and at once what ten seconds allow"
	return sect("limits",
		key{
			name: "sendsPerSecond", kind: integer, lo: 0, hi: 1_000_000, bind: func(d *draft) any { return &d.Limits.SendsPerSecond },
			doc: "messages a user may send per second, on average over all his devices; faster ones are refused with code 429. 0 for no limit; administrators have none",
		},
		key{
			name: "sendBurst", kind: integer, lo: 1, hi: 1_000_000, doc: "messages a user may send at once after a pause",
			bind: func(d *draft) any { return &d.Limits.SendBurst },
		},
		limit("connectionsPerUser", "connections of one user; administrators have no limit", func(l *EdgeLimits) *int { return &l.ConnectionsPerUser }),
		limit("connectionsPerAddress", "connections from one address; those of administrators are let in", func(l *EdgeLimits) *int { return &l.ConnectionsPerAddress }),
		limit("handshakesPerAddress", "handshakes per second from one address"+burst, func(l *EdgeLimits) *int { return &l.HandshakesPerAddress }),
		limit("requestsPerUser", "HTTP requests per second of one user"+burst+"; administrators have no limit", func(l *EdgeLimits) *int { return &l.RequestsPerUser }),
		limit("requestsPerAddress", "HTTP requests and transfers per second from one address"+burst+"; administrators' requests do not count", func(l *EdgeLimits) *int { return &l.RequestsPerAddress }),
		limit("failuresPerAddress", "wrong secrets and forged tokens per minute from one address; then tokens that are valid still work, and get_admin_token does not", func(l *EdgeLimits) *int { return &l.FailuresPerAddress }),
		limit("framesPerConnection", "frames per second on one connection"+burst+"; administrators have no limit", func(l *EdgeLimits) *int { return &l.FramesPerConnection }),
		key{
			name: "exemptAddresses", kind: texts, live: true, bind: func(d *draft) any { return &d.Edge.Limits.ExemptAddresses },
			doc: "addresses and networks that no limit per address concerns, such as those of business servers",
		},
	)
}

// tlsKeys are the settings of parley.yml about encryption at the ports.
func tlsKeys() key {
	return sect("tls",
		key{
			name: "certFile", kind: text, bind: func(d *draft) any { return &d.TLS.CertFile },
			doc: "PEM file of the certificate and its chain, relative to the configuration directory: both ports speak TLS. A running server takes over what the files hold when they change",
		},
		key{
			name: "keyFile", kind: text, bind: func(d *draft) any { return &d.TLS.KeyFile },
			doc: "PEM file of its key",
		},
		key{
			name: "minVersion", kind: text, oneOf: []string{"1.2", "1.3"}, doc: "oldest version of TLS that is spoken",
			bind: func(d *draft) any { return &d.TLS.MinVersion },
		},
	)
}

func (l *loader) checkEdge() {
	if t := l.draft.TLS; (t.CertFile == "") != (t.KeyFile == "") {
		there, missing := "tls.certFile", "tls.keyFile"
		if t.CertFile == "" {
			there, missing = missing, there
		}
		if v, ok := l.given(ownFile, there); ok {
			l.at(v, Error, "%s needs %s", there, missing)
		}
	}
	for path, list := range map[string][]string{
		"edge.trustedProxies": l.draft.Edge.TrustedProxies, "limits.exemptAddresses": l.draft.Edge.Limits.ExemptAddresses,
	} {
		if _, err := edge.ParseNetworks(list); err != nil {
			l.atGiven(path, err)
		}
	}
	if _, err := edge.ParseOrigins(l.draft.Edge.AllowedOrigins); err != nil {
		l.atGiven("edge.allowedOrigins", err)
	}
}

// atGiven reports what is wrong with a value of parley.yml.
func (l *loader) atGiven(path string, err error) {
	if v, ok := l.given(ownFile, path); ok {
		l.atValue(v, Error, "%s: %s", path, err)
	}
}
