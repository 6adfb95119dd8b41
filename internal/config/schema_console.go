package config

// consoleKeys are the settings of parley.yml about the operator's page.
func consoleKeys() key {
	return sect("console",
		key{
			name: "enable", kind: boolean, doc: "serve the operator's page under /console",
			bind: func(d *draft) any { return &d.Console.Enable },
		},
		key{
			name: "listen", kind: text, doc: "address for the operator's page alone, such as 127.0.0.1:10003; empty serves it on the API's ports",
			bind: func(d *draft) any { return &d.Console.Listen },
		},
		key{
			name: "sessionLife", kind: duration, positive: true, doc: "how long a login lasts",
			bind: func(d *draft) any { return &d.Console.SessionLife },
		},
		key{
			name: "contentReaders", kind: texts, doc: "user ids of the administrators who may look at message content, which is recorded each time; * for all, an empty list for nobody",
			bind: func(d *draft) any { return &d.Console.ContentReaders },
		},
	)
}
