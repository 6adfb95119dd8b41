package config

import (
	"fmt"
	"sync"
)

// ownFile holds the settings for which OpenIM has no word.
const ownFile = "parley"

// files returns the schema of every recognised file, in reporting order.
var files = sync.OnceValue(func() []*file {
	list := schemas()
	for _, f := range list {
		f.index()
	}
	return list
})

func schemas() []*file {
	return []*file{
		ownSchema(), shareSchema(), webhooksSchema(), apiSchema(), gatewaySchema(), pushSchema(),
		{
			name: "openim-rpc-auth", title: "Tokens",
			keys: join([]key{sect("tokenPolicy", key{
				name: "expire", kind: days, doc: "life of a user token, in days", lo: 1, hi: 36500,
				bind: func(d *draft) any { return &d.Auth.TokenExpire },
			})}, commonBlocks()),
		},
		{
			name: "openim-rpc-msg", title: "Messages",
			keys: join([]key{{
				name: "friendVerify", kind: boolean, doc: "single messages need friendship",
				bind: func(d *draft) any { return &d.Message.FriendVerify },
			}}, commonBlocks()),
		},
		{
			name: "openim-rpc-group", title: "Groups",
			keys: join([]key{{
				name: "enableHistoryForNewMembers", kind: boolean,
				doc:  "new members see earlier messages; false lets them start at the current one",
				bind: func(d *draft) any { return &d.Group.EnableHistoryForNewMembers },
			}}, commonBlocks()),
		},
		thirdSchema(), minioSchema(), cronSchema(), logSchema(), notificationSchema(),
		serviceFile("openim-rpc-user"), serviceFile("openim-rpc-friend"),
		{
			// tokenPolicy strayed into the file of the Kubernetes ConfigMap.
			name: "openim-rpc-conversation", title: "Service without settings", ignored: "no settings of its own, and no internal RPC",
			keys: join(commonBlocks(), []key{ignoredSect("tokenPolicy", "belongs into openim-rpc-auth.yml", "expire")}),
		},
		{
			name: "openim-msgtransfer", title: "Stage that does not exist here", ignored: "messages are stored directly; there is no transfer stage",
			keys: commonBlocks(),
		},
		discoverySchema(), zookeeperSchema(), kafkaSchema(), mongoSchema(), redisSchema(), cacheSchema(),
		{
			name: "start-config", title: "Process list", ignored: "there is one process",
			keys: ignoredKeys("there is one process", "serviceBinaries", "toolBinaries", "maxFileDescriptors"),
		},
	}
}

func serviceFile(name string) *file {
	return &file{
		name: name, title: "Service without settings", ignored: "no settings of its own, and no internal RPC",
		keys: commonBlocks(),
	}
}

func ownSchema() *file {
	return &file{
		name: ownFile, title: "Parley's own settings", strict: true,
		keys: []key{
			{
				name: "dataDir", kind: text, doc: "where the server keeps its own data",
				bind: func(d *draft) any { return &d.DataDir },
			},
			{
				name: "strict", kind: boolean, doc: "refuse unsafe settings, such as OpenIM's shipped secret, instead of warning; callbacks go to public addresses only",
				bind: func(d *draft) any { return &d.Strict },
			},
			sect("config", key{
				name: "lenient", kind: boolean, doc: "accept unknown names with a warning",
				bind: func(d *draft) any { return &d.lenient },
			}),
			sect("storage",
				sect("postgres", key{
					name: "url", kind: text, doc: "connection URL of PostgreSQL; empty for the embedded SQLite",
					bind: func(d *draft) any { return &d.Storage.Postgres.URL },
				}),
				sect("sqlite",
					key{
						name: "synchronous", kind: text, oneOf: []string{"FULL", "NORMAL"},
						doc:  "FULL loses nothing when the power fails, NORMAL may lose the last moments and is faster",
						bind: func(d *draft) any { return &d.Storage.SQLite.Synchronous },
					},
					key{
						name: "mmapSize", kind: integer, lo: 0, hi: 1 << 50, doc: "bytes of the database file mapped into memory; 0 for none",
						bind: func(d *draft) any { return &d.Storage.SQLite.MmapSize },
					},
				),
			),
			objectKeys(),
			sect("push", sect("fcm", key{
				name: "url", kind: text, doc: "address to push to in place of Google's, for example of a relay where Google cannot be reached",
				bind: func(d *draft) any { return &d.Push.FCM.URL },
			}), sect("apns",
				key{
					name: "keyFile", kind: text, bind: func(d *draft) any { return &d.Push.APNs.KeyFile },
					doc: "Apple's .p8 key, relative to the configuration directory: iPhones and iPads are pushed to directly, by the tokens they register",
				},
				key{name: "keyID", kind: text, doc: "id of the key", bind: func(d *draft) any { return &d.Push.APNs.KeyID }},
				key{name: "teamID", kind: text, doc: "id of the developer team", bind: func(d *draft) any { return &d.Push.APNs.TeamID }},
				key{name: "topic", kind: text, doc: "bundle id of the app", bind: func(d *draft) any { return &d.Push.APNs.Topic }},
				key{
					name: "url", kind: text, bind: func(d *draft) any { return &d.Push.APNs.URL },
					doc: "address to push to in place of Apple's, which is chosen by iosPush.production of openim-push.yml",
				},
			)),
			tlsKeys(), edgeKeys(),
			consoleKeys(), operationsKeys(), tracesKeys(),
			limitKeys(),
		},
	}
}

func shareSchema() *file {
	const internal = "there are no internal services"
	return &file{
		name: "share", title: "Secret, administrators, login policy", strict: true,
		keys: []key{
			{
				name: "secret", kind: text, bind: func(d *draft) any { return &d.Share.Secret },
				doc: "password of the administrator's token API and signing key of all tokens; the business server has the same value",
			},
			sect("imAdminUser",
				key{
					name: "userIDs", kind: texts, live: true, doc: "user ids of the system administrators",
					bind: func(d *draft) any { return &d.adminIDs },
				},
				key{
					name: "nicknames", kind: texts, live: true, doc: "their nicknames, in the same order; a missing one is the user id",
					bind: func(d *draft) any { return &d.adminNames },
				},
			),
			{
				name: "imAdminUserID", kind: texts, live: true, verdict: Legacy, doc: "administrators, up to 3.8.3: use imAdminUser.userIDs",
				bind: func(d *draft) any { return &d.legacyAdmins },
			},
			sect("multiLogin",
				key{
					name: "policy", kind: integer, live: true, bind: func(d *draft) any { return &d.Share.MultiLogin.Policy },
					doc: "0 no kicking, 1 one session per platform, 4 one per device class, 5 PC unrestricted and one other",
				},
				key{
					name: "maxNumOneEnd", kind: integer, live: true, lo: 1, hi: 1 << 30, doc: "tokens per platform, for policy 0",
					bind: func(d *draft) any { return &d.Share.MultiLogin.MaxNumOneEnd },
				},
			),
			{
				name: "multiLoginPolicy", kind: integer, verdict: Legacy, replacedBy: "share.yml: multiLogin.policy",
				doc: "3.8.1: use multiLogin.policy", bind: func(d *draft) any { return &d.Share.MultiLogin.Policy },
			},
			sect("rpcMaxBodySize",
				key{
					name: "requestMaxBodySize", kind: integer, verdict: Adapt, lo: 1024, hi: 1 << 40,
					doc:    "limit of a request body, in bytes; there is no internal RPC, so it is the HTTP API's",
					bind:   func(d *draft) any { return &d.API.MaxBodyBytes },
					effect: func(c *Config) string { return fmt.Sprintf("HTTP bodies up to %d bytes", c.API.MaxBodyBytes) },
				},
				key{name: "responseMaxBodySize", verdict: Ignore, doc: "there is no internal RPC"},
			),
			ignoredSect("rpcRegisterName", internal,
				"user", "friend", "msg", "push", "messageGateway", "group", "auth", "conversation", "third"),
			{name: "env", verdict: Ignore, doc: internal},
		},
	}
}

func apiSchema() *file {
	return &file{
		name: "openim-api", title: "HTTP API",
		keys: []key{
			sect("api",
				key{
					name: "listenIP", kind: text, doc: "address to listen on",
					bind: func(d *draft) any { return &d.API.ListenIP },
				},
				key{
					name: "ports", kind: ports, doc: "ports to listen on, all of them",
					bind: func(d *draft) any { return &d.API.Ports },
				},
				key{
					name: "compressionLevel", kind: integer, lo: -1, hi: 2,
					doc:  "0 default, 1 best, 2 speed, -1 off; only when the client accepts gzip",
					bind: func(d *draft) any { return &d.API.CompressionLevel },
				},
			),
			sect("prometheus",
				key{
					name: "enable", kind: boolean, verdict: Adapt, doc: "serve /metrics on the API's ports, for the whole process",
					bind: func(d *draft) any { return &d.Metrics.Enable },
				},
				key{name: "autoSetPorts", verdict: Ignore, doc: "there is no port for metrics alone"},
				key{name: "ports", verdict: Ignore, doc: "there is no port for metrics alone"},
				key{
					name: "grafanaURL", kind: text, doc: "where /third/prometheus redirects to",
					bind: func(d *draft) any { return &d.API.GrafanaURL },
				},
			),
			workingLimiter("calls", func(d *draft) *RateLimit { return &d.API.RateLimit }),
			breakerBlock(), rpcBlock(),
		},
	}
}

func gatewaySchema() *file {
	return &file{
		name: "openim-msggateway", title: "WebSocket gateway",
		keys: []key{
			{
				name: "listenIP", kind: text, doc: "address to listen on",
				bind: func(d *draft) any { return &d.Gateway.ListenIP },
			},
			sect("longConnSvr",
				key{
					name: "ports", kind: ports, doc: "ports to listen on, all of them",
					bind: func(d *draft) any { return &d.Gateway.Ports },
				},
				key{
					name: "websocketMaxConnNum", kind: integer, lo: 1, hi: 1 << 30, doc: "connections at a time; more are refused",
					bind: func(d *draft) any { return &d.Gateway.MaxConns },
				},
				key{
					name: "websocketMaxMsgLen", kind: integer, verdict: Adapt, lo: 0, hi: 1 << 30,
					doc:    "largest frame in bytes; at least 51200, which is what OpenIM enforces whatever its file says",
					bind:   func(d *draft) any { return &d.maxFrame },
					effect: func(c *Config) string { return fmt.Sprintf("frames up to %d bytes", c.Gateway.MaxFrameBytes) },
				},
				key{
					name: "websocketTimeout", kind: seconds, lo: 1, hi: 3600, doc: "time for the handshake, in seconds",
					bind: func(d *draft) any { return &d.Gateway.HandshakeTimeout },
				},
			),
			{
				name: "multiLoginPolicy", kind: integer, verdict: Legacy, replacedBy: "share.yml: multiLogin.policy",
				doc: "3.7 and 3.8.0: use multiLogin.policy in share.yml", bind: func(d *draft) any { return &d.Share.MultiLogin.Policy },
			},
			rpcBlock(), metricsBlock(),
			workingLimiter("handshakes", func(d *draft) *RateLimit { return &d.Gateway.RateLimit }),
			breakerBlock(),
		},
	}
}

func pushSchema() *file {
	word := func(name, doc string, bind func(*draft) any) key {
		return key{name: name, kind: text, doc: doc, bind: bind}
	}
	jpush := func(verdict Verdict) []key {
		old := func(name string) string {
			if verdict == Legacy {
				return "openim-push.yml: jpush." + name
			}
			return ""
		}
		keys := []key{
			word("appKey", "JPush application key", func(d *draft) any { return &d.Push.JPush.AppKey }),
			word("masterSecret", "JPush master secret", func(d *draft) any { return &d.Push.JPush.MasterSecret }),
			word("pushURL", "JPush endpoint", func(d *draft) any { return &d.Push.JPush.PushURL }),
			word("pushIntent", "Android intent", func(d *draft) any { return &d.Push.JPush.PushIntent }),
		}
		for i := range keys {
			keys[i].verdict, keys[i].replacedBy = verdict, old(keys[i].name)
		}
		return keys
	}
	return &file{
		name: "openim-push", title: "Offline push",
		keys: join([]key{
			{
				name: "enable", kind: text, oneOf: []string{"", "getui", "fcm", "jpush"},
				doc:  "the push vendor: getui, fcm, jpush, or empty for none",
				bind: func(d *draft) any { return &d.Push.Vendor },
			},
			sect("geTui",
				word("pushUrl", "GeTui endpoint; replace $appId by yours", func(d *draft) any { return &d.Push.GeTui.PushURL }),
				word("masterSecret", "GeTui master secret", func(d *draft) any { return &d.Push.GeTui.MasterSecret }),
				word("appKey", "GeTui application key", func(d *draft) any { return &d.Push.GeTui.AppKey }),
				word("intent", "Android intent", func(d *draft) any { return &d.Push.GeTui.Intent }),
				word("channelID", "Android notification channel", func(d *draft) any { return &d.Push.GeTui.ChannelID }),
				word("channelName", "its name", func(d *draft) any { return &d.Push.GeTui.ChannelName }),
			),
			sect("fcm",
				word("filePath", "service account file, relative to the configuration directory; wins over authURL",
					func(d *draft) any { return &d.Push.FCM.FilePath }),
				word("authURL", "where to fetch the service account", func(d *draft) any { return &d.Push.FCM.AuthURL }),
				key{
					name: "serviceAccount", kind: text, verdict: Legacy, replacedBy: "openim-push.yml: fcm.filePath",
					doc: "3.7: use fcm.filePath", bind: func(d *draft) any { return &d.Push.FCM.FilePath },
				},
			),
			sect("jpush", jpush(Honour)...),
			sect("jpns", jpush(Legacy)...),
			sect("iosPush",
				word("pushSound", "sound of pushes to iOS", func(d *draft) any { return &d.Push.IOS.PushSound }),
				key{
					name: "badgeCount", kind: boolean, doc: "raise the badge on iOS",
					bind: func(d *draft) any { return &d.Push.IOS.BadgeCount },
				},
				key{
					name: "production", kind: boolean, doc: "use Apple's production environment",
					bind: func(d *draft) any { return &d.Push.IOS.Production },
				},
			),
			{
				name: "maxConcurrentWorkers", kind: integer, verdict: Adapt, lo: 1, hi: 10000,
				doc: "vendor calls at a time", bind: func(d *draft) any { return &d.Push.MaxConcurrentWorkers },
			},
			{name: "fullUserCache", verdict: Ignore, doc: "presence is always in memory"},
		}, commonBlocks()),
	}
}

// legacyKeys are names of older releases that nothing today corresponds to.
func legacyKeys(reason string, names ...string) []key {
	keys := ignoredKeys(reason, names...)
	for i := range keys {
		keys[i].verdict = Legacy
	}
	return keys
}

func cronSchema() *file {
	const current = "openim-crontask.yml: cronExecuteTime"
	schedule := func(d *draft) any { return &d.Cron.Schedule }
	return &file{
		name: "openim-crontask", title: "Scheduled clean-up",
		keys: []key{
			{name: "cronExecuteTime", kind: text, doc: "when clean-up runs: five fields, local time", bind: schedule},
			{
				name: "retainChatRecords", kind: days, lo: -1 << 30, hi: 36500,
				doc:  "days to keep messages; below 1 keeps them for ever. Unlike upstream it does not switch the other jobs off",
				bind: func(d *draft) any { return &d.Cron.RetainChatRecords },
			},
			{
				name: "fileExpireTime", kind: days, lo: -1 << 30, hi: 36500, doc: "days to keep files; 0 or less keeps them for ever",
				bind: func(d *draft) any { return &d.Cron.FileExpire },
			},
			{
				name: "deleteObjectType", kind: texts, doc: "kinds of files that expire; empty for none",
				bind: func(d *draft) any { return &d.Cron.DeleteObjectTypes },
			},
			{name: "chatRecordsClearTime", kind: text, verdict: Legacy, replacedBy: current, doc: "3.7: use cronExecuteTime", bind: schedule},
			{name: "msgDestructTime", kind: text, verdict: Legacy, replacedBy: current, doc: "3.7: use cronExecuteTime", bind: schedule},
			{name: "enableCronLocker", verdict: Ignore, doc: "one process needs no lock"},
			metricsBlock(), rpcBlock(),
		},
	}
}

func logSchema() *file {
	return &file{
		name: "log", title: "Logs", live: true,
		keys: []key{
			{
				name: "storageLocation", kind: text,
				doc:  "directory of the log files; OpenIM's ../../../../logs/ means logs/ next to the configuration directory",
				bind: func(d *draft) any { return &d.Log.StorageLocation },
			},
			{
				name: "rotationTime", kind: hours, lo: 1, hi: 100000, doc: "hours per log file, counted from midnight",
				bind: func(d *draft) any { return &d.Log.RotationTime },
			},
			{
				name: "remainRotationCount", kind: integer, lo: 0, hi: 100000, doc: "log files to keep beside the current one",
				bind: func(d *draft) any { return &d.Log.RemainRotationCount },
			},
			{
				name: "remainLogLevel", kind: integer, lo: 0, hi: 6, bind: func(d *draft) any { return &d.Log.Level },
				doc: "0, 1 and 2 error, 3 warn, 4 info, 5 and 6 debug; OpenIM's 0 and 1 are fatal and panic, and its 6 has the statements of the database, too",
			},
			{name: "isStdout", kind: boolean, doc: "log to standard output", bind: func(d *draft) any { return &d.Log.Stdout }},
			{name: "isJson", kind: boolean, doc: "log JSON lines", bind: func(d *draft) any { return &d.Log.JSON }},
			{name: "isSimplify", kind: boolean, doc: "cut values after 1,024 bytes", bind: func(d *draft) any { return &d.Log.Simplify }},
			{name: "withStack", verdict: Ignore, doc: "unused upstream as well"},
		},
	}
}

func notificationSchema() *file {
	f := &file{name: "notification", title: "Notifications", live: true}
	for _, s := range shippedNotifications {
		event := func(d *draft) *Notification { return d.notification(s.event) }
		f.keys = append(f.keys, sect(s.event,
			key{
				name: "isSendMsg", kind: boolean, doc: "show the event as a chat message",
				bind: func(d *draft) any { return &event(d).IsSendMsg },
			},
			key{name: "reliabilityLevel", verdict: Ignore, quiet: true, doc: "always 1, as upstream"},
			key{name: "unreadCount", verdict: Ignore, quiet: true, doc: "always false, as upstream"},
			sect("offlinePush",
				key{
					name: "enable", kind: boolean, doc: "push the event to absent users",
					bind: func(d *draft) any { return &event(d).OfflinePush.Enable },
				},
				key{
					name: "title", kind: text, doc: "title of the push",
					bind: func(d *draft) any { return &event(d).OfflinePush.Title },
				},
				key{
					name: "desc", kind: text, doc: "text of the push",
					bind: func(d *draft) any { return &event(d).OfflinePush.Desc },
				},
				key{
					name: "ext", kind: text, doc: "data for the application",
					bind: func(d *draft) any { return &event(d).OfflinePush.Ext },
				},
			),
			sect("defaultTips", key{name: "tips", verdict: Ignore, quiet: true, doc: "shipped with OpenIM and read by nobody"}),
		))
	}
	return f
}
