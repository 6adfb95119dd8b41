package config

import "github.com/parley-im/parley/internal/edge"

// edgeKeys are the settings of parley.yml about what is in front of the ports.
func edgeKeys() key {
	return sect("edge",
		key{
			name: "trustedProxies", kind: texts, live: true, bind: func(d *draft) any { return &d.Edge.TrustedProxies },
			doc: "addresses and networks (10.0.0.0/8) of your proxies: from them alone X-Forwarded-For, X-Real-IP and X-Forwarded-Proto count",
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
	if v, ok := l.given(ownFile, "edge.trustedProxies"); ok {
		if _, err := edge.ParseNetworks(l.draft.Edge.TrustedProxies); err != nil {
			l.atValue(v, Error, "edge.trustedProxies: %s", err)
		}
	}
}
