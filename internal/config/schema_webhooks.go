package config

import "github.com/parley-im/parley/internal/webhook/registry"

const webhooksFile = "webhooks"

// What the webhook engine does not do yet. A value for one of these is warned
// about, because an operator relies on it.
const notSigned = "a signed nonce protects no request; set secret, which signs all of it"

func webhooksSchema() *file {
	keys := []key{
		{
			name: "url", kind: text, doc: "base URL of the handler; the server appends /<command>",
			bind: func(d *draft) any { return &d.Webhooks.URL },
		},
		{
			name: "insecureSkipVerify", kind: boolean, doc: "do not verify the handler's TLS certificate",
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
			name: "secret", kind: text, doc: "signs every request to url (Standard Webhooks headers): whsec_ or whsk_ and base64",
			bind: func(d *draft) any { return &d.Webhooks.Secret },
		},
		{
			name: "previousSecret", kind: text, doc: "also signs, while the secret is being changed",
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
				name: "failures", kind: integer, lo: 1, hi: 1000000, doc: "failures in a row after which an endpoint, or one callback of it, counts as down",
				bind: func(d *draft) any { return &d.Webhooks.Breaker.Failures },
			},
			key{
				name: "rate", kind: integer, lo: 0, hi: 100, doc: "percent of at least 20 calls in the window that may fail, 0 for any number",
				bind: func(d *draft) any { return &d.Webhooks.Breaker.Rate },
			},
			key{
				name: "window", kind: duration, positive: true, doc: "time over which the failure rate is taken",
				bind: func(d *draft) any { return &d.Webhooks.Breaker.Window },
			},
			key{
				name: "probe", kind: duration, positive: true, doc: "wait between attempts while it is down",
				bind: func(d *draft) any { return &d.Webhooks.Breaker.Probe },
			},
		),
		sect("alert",
			key{
				name: "url", kind: text, doc: "told of endpoints that are down or back, full outboxes, gaps and dead letters",
				bind: func(d *draft) any { return &d.Webhooks.Alert.URL },
			},
			key{
				name: "secret", kind: text, doc: "signs the alerts",
				bind: func(d *draft) any { return &d.Webhooks.Alert.Secret },
			},
		),
		{
			name: "alertURL", kind: text, verdict: Legacy, doc: "another spelling of alert.url", replacedBy: "webhooks.yml: alert.url",
			bind: func(d *draft) any { return &d.Webhooks.Alert.URL },
		},
		{
			name: "concurrency", kind: integer, lo: 1, hi: 100000, doc: "lanes of after-callbacks in work at a time, for each endpoint",
			bind: func(d *draft) any { return &d.Webhooks.Concurrency },
		},
		{
			name: "rate", kind: integer, lo: 0, hi: 1000000, doc: "attempts of after-callbacks per second, for each endpoint; 0 for no limit",
			bind: func(d *draft) any { return &d.Webhooks.Rate },
		},
		{
			name: "endpoints", kind: endpointList, doc: "more places that get after-callbacks, or as shadows copies of before-callbacks; see below",
			bind: func(d *draft) any { return &d.Webhooks.Endpoints },
		},
		sect("verify",
			key{
				name: "every", kind: duration, doc: "how often endpoints are checked by a test call or a connection; 0 is never",
				bind: func(d *draft) any { return &d.Webhooks.Verify.Every },
			},
			key{
				name: "callback", kind: text, doc: "callback whose command the test call has; empty opens a connection only",
				bind: func(d *draft) any { return &d.Webhooks.Verify.Callback },
			},
		),
		sect("outbox",
			key{
				name: "maxBytes", kind: integer, lo: 1 << 10, hi: 1 << 50, doc: "after-events that may wait for one endpoint; what comes beyond is not kept and leaves the record of a gap",
				bind: func(d *draft) any { return &d.Webhooks.Outbox.MaxBytes },
			},
		),
		sect("deadLetters",
			key{
				name: "keep", kind: duration, positive: true, doc: "how long events that were given up are kept",
				bind: func(d *draft) any { return &d.Webhooks.DeadLetters.Keep },
			},
			key{
				name: "rows", kind: integer, lo: 1, hi: 1 << 50, doc: "at most so many of them",
				bind: func(d *draft) any { return &d.Webhooks.DeadLetters.Rows },
			},
		),
		sect("deliveryLog",
			key{
				name: "keep", kind: duration, positive: true, doc: "how long calls are kept in the log",
				bind: func(d *draft) any { return &d.Webhooks.DeliveryLog.Keep },
			},
			key{
				name: "rows", kind: integer, lo: 1, hi: 1 << 50, doc: "at most so many of them",
				bind: func(d *draft) any { return &d.Webhooks.DeliveryLog.Rows },
			},
		),
		sect("pullLog",
			key{
				name: "keep", kind: duration, positive: true, doc: "how long events can be fetched",
				bind: func(d *draft) any { return &d.Webhooks.PullLog.Keep },
			},
			key{
				name: "maxBytes", kind: integer, lo: 1 << 10, hi: 1 << 50, doc: "at most so much of them, for each endpoint",
				bind: func(d *draft) any { return &d.Webhooks.PullLog.MaxBytes },
			},
		),
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
