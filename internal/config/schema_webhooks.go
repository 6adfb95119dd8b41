package config

import "github.com/parley-im/parley/internal/webhook/registry"

const webhooksFile = "webhooks"

// What the webhook engine does not do yet. A value for one of these is warned
// about, because an operator relies on it.
const (
	notSigned = "requests are not signed yet"
	notPaused = "endpoints that are down are not paused yet"
)

func webhooksSchema() *file {
	keys := []key{
		{
			name: "url", kind: text, doc: "base URL of the handler; the server appends /<command>",
			bind: func(d *draft) any { return &d.Webhooks.URL },
		},
		{
			name: "insecureSkipVerify", kind: boolean, notYet: "certificates are always verified", doc: "do not verify the handler's TLS certificate",
			bind: func(d *draft) any { return &d.Webhooks.InsecureSkipVerify },
		},
		sect("signature",
			key{
				name: "algorithm", kind: text, notYet: notSigned, doc: "HMAC-SHA1, HMAC-SHA256 or HMAC-SHA512; it signs a nonce only, prefer secret",
				bind: func(d *draft) any { return &d.Webhooks.Signature.Algorithm },
			},
			key{
				name: "signatureHeader", kind: text, notYet: notSigned, doc: "header of the signature",
				bind: func(d *draft) any { return &d.Webhooks.Signature.SignatureHeader },
			},
			key{
				name: "nonceHeader", kind: text, notYet: notSigned, doc: "header of the nonce",
				bind: func(d *draft) any { return &d.Webhooks.Signature.NonceHeader },
			},
			key{
				name: "secret", kind: text, notYet: notSigned, doc: "shared secret of the signature",
				bind: func(d *draft) any { return &d.Webhooks.Signature.Secret },
			},
		),
		{
			name: "beforeDeadline", kind: duration, positive: true,
			doc:  "time for all before-callbacks of one client operation together; SDKs give up after 10 s",
			bind: func(d *draft) any { return &d.Webhooks.BeforeDeadline },
		},
		{
			name: "strictActionCode", kind: boolean, bind: func(d *draft) any { return &d.Webhooks.StrictActionCode },
			doc: "failedContinue decides about answers with an actionCode other than 0; false approves them, as OpenIM does since 3.7",
		},
		{
			name: "secret", kind: text, notYet: notSigned, doc: "signs every request (Standard Webhooks headers)",
			bind: func(d *draft) any { return &d.Webhooks.Secret },
		},
		{
			name: "previousSecret", kind: text, notYet: notSigned, doc: "also signs, while the secret is being changed",
			bind: func(d *draft) any { return &d.Webhooks.PreviousSecret },
		},
		{
			name: "maxConcurrency", kind: integer, lo: 1, hi: 100000, doc: "before-callbacks in flight per callback",
			bind: func(d *draft) any { return &d.Webhooks.MaxConcurrency },
		},
		sect("retry",
			key{
				name: "initial", kind: duration, positive: true, doc: "wait before the first repetition of an after-callback",
				bind: func(d *draft) any { return &d.Webhooks.Retry.Initial },
			},
			key{
				name: "max", kind: duration, positive: true, doc: "longest wait between repetitions",
				bind: func(d *draft) any { return &d.Webhooks.Retry.Max },
			},
			key{
				name: "giveUpAfter", kind: duration, positive: true, doc: "age at which an event moves to the dead letters",
				bind: func(d *draft) any { return &d.Webhooks.Retry.GiveUpAfter },
			},
		),
		sect("breaker",
			key{
				name: "failures", kind: integer, notYet: notPaused, lo: 1, hi: 1000000, doc: "consecutive failures after which an endpoint is paused",
				bind: func(d *draft) any { return &d.Webhooks.Breaker.Failures },
			},
			key{
				name: "window", kind: duration, notYet: notPaused, positive: true, doc: "time over which the failure rate is taken",
				bind: func(d *draft) any { return &d.Webhooks.Breaker.Window },
			},
			key{
				name: "probe", kind: duration, notYet: notPaused, positive: true, doc: "wait between attempts while paused",
				bind: func(d *draft) any { return &d.Webhooks.Breaker.Probe },
			},
		),
		{
			name: "alertURL", kind: text, notYet: notPaused, doc: "told when an endpoint is paused and when it is back",
			bind: func(d *draft) any { return &d.Webhooks.AlertURL },
		},
		{
			name: "commandInQuery", kind: boolean, doc: "send ?command=<command> instead of a path, for handlers from before 3.4.2",
			bind: func(d *draft) any { return &d.Webhooks.CommandInQuery },
		},
	}
	for _, r := range registry.All() {
		keys = append(keys, sect(r.Key, callbackKeys(r.Key)...))
	}
	return &file{name: webhooksFile, title: "Webhooks", strict: true, live: true, keys: keys}
}

// callbackKeys are the options of one callback, in the order of callbackOptions.
func callbackKeys(name string) []key {
	cb := func(d *draft) *Callback { return d.callback(name) }
	return []key{
		{
			name: "enable", kind: boolean, doc: "off unless set",
			bind: func(d *draft) any { return &cb(d).Enable },
		},
		{
			name: "timeout", kind: seconds, positive: true, lo: -1 << 30, hi: 1 << 30, doc: "whole seconds for connecting, sending and reading the answer",
			bind: func(d *draft) any { return &cb(d).Timeout },
		},
		{
			name: "failedContinue", kind: boolean, doc: "before-callbacks only: continue when the handler gives no usable answer",
			bind: func(d *draft) any { return &cb(d).FailedContinue },
		},
		{
			name: "url", kind: text, doc: "base URL of this callback's handler, instead of the common one",
			bind: func(d *draft) any { return &cb(d).URL },
		},
		{
			name: "command", kind: text, doc: "command to send instead of the usual one, for handlers that route on another name",
			bind: func(d *draft) any { return &cb(d).Command },
		},
		{
			name: "attentionIds", kind: texts, doc: "only messages from or to one of these users or groups; empty for all",
			bind: func(d *draft) any { return &cb(d).AttentionIDs },
		},
		{
			name: "allowedTypes", kind: types, doc: "only these content types, as 101 or 200-500; empty for all",
			bind: func(d *draft) any { return &cb(d).AllowedTypes },
		},
		{
			name: "deniedTypes", kind: types, doc: "not these content types; wins over allowedTypes",
			bind: func(d *draft) any { return &cb(d).DeniedTypes },
		},
	}
}
