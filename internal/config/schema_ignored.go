package config

// The files in this file configure components that one process makes
// unnecessary. Their keys are known only so that a slip in a name does not pass
// for a working setting, and so that the report can say why they do nothing.

func discoverySchema() *file {
	const reason = "there are no services to discover"
	return &file{
		name: "discovery", title: "Service discovery", ignored: reason,
		keys: []key{
			{name: "enable", verdict: Ignore, doc: reason},
			ignoredSect("etcd", reason, "rootDirectory", "address", "username", "password"),
			ignoredSect("kubernetes", reason, "namespace"),
			ignoredSect("rpcService", reason,
				"user", "friend", "msg", "push", "messageGateway", "group", "auth", "conversation", "third"),
			ignoredSect("zookeeper", reason, "schema", "address", "username", "password"),
		},
	}
}

func zookeeperSchema() *file {
	const reason = "there are no services to discover"
	return &file{
		name: "zookeeper", title: "Service discovery of 3.7", ignored: reason,
		keys: ignoredKeys(reason, "schema", "address", "username", "password"),
	}
}

func kafkaSchema() *file {
	const reason = "the internal queue is embedded"
	return &file{
		name: "kafka", title: "Message queue", ignored: reason,
		keys: join(
			ignoredKeys(reason, "username", "password", "producerAck", "compressType", "address",
				"toRedisTopic", "toMongoTopic", "toPushTopic", "toOfflinePushTopic",
				"toRedisGroupID", "toMongoGroupID", "toPushGroupID", "toOfflinePushGroupID"),
			[]key{ignoredSect("tls", reason, "enableTLS", "caCrt", "clientCrt", "clientKey", "clientKeyPwd", "insecureSkipVerify")},
		),
	}
}

func mongoSchema() *file {
	const reason = "storage is embedded; data in an existing MongoDB is not read, it has to be moved over"
	return &file{
		name: "mongodb", title: "Database", ignored: reason,
		keys: join(
			ignoredKeys(reason, "uri", "address", "database", "username", "password", "authSource", "maxPoolSize", "maxRetry", "mongoMode"),
			[]key{
				ignoredSect("replicaSet", reason, "name", "hosts", "readConcern", "maxStaleness"),
				ignoredSect("readPreference", reason, "mode", "tagSets", "maxStaleness"),
				ignoredSect("writeConcern", reason, "w", "j", "wtimeout"),
			},
		),
	}
}

func redisSchema() *file {
	const reason = "cache, tokens and presence are embedded"
	return &file{
		name: "redis", title: "Cache", ignored: reason,
		keys: join(
			ignoredKeys(reason, "address", "username", "password", "redisMode", "clusterMode", "db", "maxRetry", "poolSize", "enablePipeline"),
			[]key{ignoredSect("sentinelMode", reason, "masterName", "sentinelsAddrs", "routeByLatency", "routeRandomly")},
		),
	}
}

func cacheSchema() *file {
	const reason = "one process needs no cache between processes"
	f := &file{name: "local-cache", title: "Cache between processes", ignored: reason}
	for _, name := range []string{"auth", "user", "group", "friend", "conversation"} {
		f.keys = append(f.keys, ignoredSect(name, reason, "topic", "slotNum", "slotSize", "successExpire", "failedExpire"))
	}
	return f
}
