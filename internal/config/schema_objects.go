package config

// objectKeys are the settings of parley.yml about files.
func objectKeys() key {
	return sect("object",
		key{
			name: "external", kind: boolean, doc: "keep files in the MinIO server of minio.yml, when openim-rpc-third.yml says minio; false for the built-in store",
			bind: func(d *draft) any { return &d.externalStore },
		},
		key{
			name: "publicURL", kind: text, doc: "address of the API in links to files, as clients reach it; empty for the one they called, or the header X-Request-Api of a proxy",
			bind: func(d *draft) any { return &d.Object.PublicURL },
		},
		key{
			name: "maxSize", kind: integer, lo: 1, hi: 1 << 45, doc: "bytes of one file",
			bind: func(d *draft) any { return &d.Object.MaxSize },
		},
		key{
			name: "userQuota", kind: integer, lo: 0, hi: 1 << 60, doc: "bytes one user may store, administrators excepted; 0 for no limit",
			bind: func(d *draft) any { return &d.Object.UserQuota },
		},
		key{
			name: "totalQuota", kind: integer, lo: 0, hi: 1 << 60, doc: "bytes that everybody together may store, each content counted once; 0 for no limit",
			bind: func(d *draft) any { return &d.Object.TotalQuota },
		},
	)
}

func thirdSchema() *file {
	// One block for each store, with its own names for the same things.
	bind := func(store string, field func(*S3) any) func(*draft) any {
		return func(d *draft) any { return field(d.stores[store]) }
	}
	str := func(store, name, doc string, field func(*S3) any) key {
		return key{name: name, kind: text, verdict: Adapt, doc: doc, bind: bind(store, field)}
	}
	accessKey := func(s *S3) any { return &s.AccessKey }
	secretKey := func(s *S3) any { return &s.SecretKey }
	token := func(s *S3) any { return &s.SessionToken }
	endpoint := func(s *S3) any { return &s.Endpoint }
	bucket := func(s *S3) any { return &s.Bucket }
	region := func(s *S3) any { return &s.Region }
	public := func(store string) key {
		return key{name: "publicRead", kind: boolean, verdict: Adapt, doc: "the bucket can be read without a signature", bind: bind(store, func(s *S3) any { return &s.PublicRead })}
	}
	return &file{
		name: "openim-rpc-third", title: "Object storage",
		keys: join([]key{
			sect("object",
				key{
					name: "enable", kind: text, oneOf: []string{"", "minio", "cos", "oss", "kodo", "aws"}, verdict: Adapt,
					doc:  "minio means the built-in file store (see object.external of parley.yml); the others are used through their S3 interface",
					bind: func(d *draft) any { return &d.objectStore },
				},
				sect("cos",
					str("cos", "bucketURL", "https://<bucket>.cos.<region>.myqcloud.com", endpoint),
					str("cos", "secretID", "access key", accessKey), str("cos", "secretKey", "secret", secretKey),
					str("cos", "sessionToken", "temporary credentials", token), public("cos"),
				),
				sect("oss",
					str("oss", "endpoint", "https://oss-<region>.aliyuncs.com", endpoint), str("oss", "bucket", "bucket", bucket),
					key{name: "bucketURL", verdict: Ignore, doc: "made of endpoint and bucket"},
					str("oss", "accessKeyID", "access key", accessKey), str("oss", "accessKeySecret", "secret", secretKey),
					str("oss", "sessionToken", "temporary credentials", token), public("oss"),
				),
				sect("kodo",
					str("kodo", "endpoint", "S3 endpoint, https://s3.<region>.qiniucs.com", endpoint), str("kodo", "bucket", "bucket", bucket),
					key{name: "bucketURL", verdict: Ignore, doc: "made of endpoint and bucket"},
					str("kodo", "accessKeyID", "access key", accessKey), str("kodo", "accessKeySecret", "secret", secretKey),
					str("kodo", "sessionToken", "temporary credentials", token), public("kodo"),
				),
				sect("aws",
					str("aws", "region", "region", region), str("aws", "bucket", "bucket", bucket),
					str("aws", "accessKeyID", "access key", accessKey), str("aws", "secretAccessKey", "secret", secretKey),
					str("aws", "sessionToken", "temporary credentials", token), public("aws"),
					key{name: "endpoint", kind: text, verdict: Legacy, doc: "3.7: address of the store, default that of the region", bind: bind("aws", endpoint)},
					key{name: "accessKeySecret", kind: text, verdict: Legacy, doc: "3.7: use secretAccessKey", replacedBy: "openim-rpc-third.yml: object.aws.secretAccessKey", bind: bind("aws", secretKey)},
				),
			),
		}, commonBlocks()),
	}
}

func minioSchema() *file {
	const only = "; only with object.external of parley.yml"
	field := func(f func(*S3) any) func(*draft) any { return func(d *draft) any { return f(d.stores["minio"]) } }
	str := func(name, doc string, f func(*S3) any) key {
		return key{name: name, kind: text, verdict: Adapt, doc: doc, bind: field(f)}
	}
	const old = "3.7: use internalAddress and externalAddress"
	return &file{
		name: "minio", title: "File store",
		keys: join([]key{
			str("bucket", "bucket of MinIO, top directory of the built-in store", func(s *S3) any { return &s.Bucket }),
			str("accessKeyID", "access key"+only, func(s *S3) any { return &s.AccessKey }),
			str("secretAccessKey", "secret"+only, func(s *S3) any { return &s.SecretKey }),
			str("sessionToken", "temporary credentials"+only, func(s *S3) any { return &s.SessionToken }),
			str("internalAddress", "address of MinIO for this server"+only, func(s *S3) any { return &s.Endpoint }),
			str("externalAddress", "address of MinIO for clients"+only+"; links to the built-in store lead to the API", func(s *S3) any { return &s.PublicEndpoint }),
			{
				name: "publicRead", kind: boolean, verdict: Adapt, doc: "the bucket can be read without a signature" + only, bind: field(func(s *S3) any { return &s.PublicRead }),
			},
		}, legacyKeys(old, "url", "internalIP", "externalIP", "port")),
	}
}
