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

func (l *loader) checkEdge() {
	if v, ok := l.given(ownFile, "edge.trustedProxies"); ok {
		if _, err := edge.ParseNetworks(l.draft.Edge.TrustedProxies); err != nil {
			l.atValue(v, Error, "edge.trustedProxies: %s", err)
		}
	}
}
