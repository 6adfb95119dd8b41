package config

import (
	"strings"
	"testing"
)

// Each provider says in its own way where a bucket is; all come to an S3 endpoint.
func TestObjectStores(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		third, minio, own string
		want              *S3 // nil for the built-in store
	}{
		"nothing":          {},
		"minio as shipped": {third: "object: {enable: minio}", minio: "bucket: openim\naccessKeyID: root\nsecretAccessKey: secret\ninternalAddress: localhost:10005"},
		"minio of one's own": {
			third: "object: {enable: minio}", own: "object: {external: true}",
			minio: "bucket: b\naccessKeyID: root\nsecretAccessKey: secret\ninternalAddress: minio:9000\nexternalAddress: https://files.example.com\npublicRead: true",
			want: &S3{
				Store: "minio", Endpoint: "http://minio:9000", PublicEndpoint: "https://files.example.com", Bucket: "b", AccessKey: "root", SecretKey: "secret", PublicRead: true,
			},
		},
		"aws": {
			third: "object: {enable: aws, aws: {region: eu-central-1, bucket: b, accessKeyID: id, secretAccessKey: secret, sessionToken: token}}",
			want: &S3{
				Store: "aws", Endpoint: "https://s3.eu-central-1.amazonaws.com", Region: "eu-central-1", Bucket: "b", AccessKey: "id", SecretKey: "secret",
				SessionToken: "token", BucketInHost: true,
			},
		},
		"aws of 3.7, an address without a name": {
			third: "object: {enable: aws, aws: {endpoint: 'http://127.0.0.1:9000', region: r, bucket: b, accessKeyID: id, accessKeySecret: secret}}",
			want:  &S3{Store: "aws", Endpoint: "http://127.0.0.1:9000", Region: "r", Bucket: "b", AccessKey: "id", SecretKey: "secret"},
		},
		"cos": {
			third: "object: {enable: cos, cos: {bucketURL: 'https://app-125.cos.ap-shanghai.myqcloud.com', secretID: id, secretKey: secret}}",
			want: &S3{
				Store: "cos", Endpoint: "https://cos.ap-shanghai.myqcloud.com", Region: "ap-shanghai", Bucket: "app-125", AccessKey: "id", SecretKey: "secret", BucketInHost: true,
			},
		},
		"oss": {
			third: "object: {enable: oss, oss: {endpoint: 'https://oss-cn-hangzhou.aliyuncs.com', bucket: b, accessKeyID: id, accessKeySecret: secret}}",
			want: &S3{
				Store: "oss", Endpoint: "https://s3.oss-cn-hangzhou.aliyuncs.com", Region: "oss-cn-hangzhou", Bucket: "b", AccessKey: "id", SecretKey: "secret", BucketInHost: true,
			},
		},
		"kodo": {
			third: "object: {enable: kodo, kodo: {endpoint: 'https://s3.cn-east-1.qiniucs.com', bucket: b, accessKeyID: id, accessKeySecret: secret}}",
			want:  &S3{Store: "kodo", Endpoint: "https://s3.cn-east-1.qiniucs.com", Bucket: "b", AccessKey: "id", SecretKey: "secret"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{"share.yml": "secret: of this test\n"}
			for file, text := range map[string]string{"openim-rpc-third.yml": c.third, "minio.yml": c.minio, "parley.yml": c.own} {
				if text != "" {
					files[file] = text + "\n"
				}
			}
			got, _ := mustLoad(t, Options{Dir: write(t, files)})
			switch {
			case (got.Object.S3 == nil) != (c.want == nil):
				t.Errorf("store %+v, want %+v", got.Object.S3, c.want)
			case c.want != nil && *got.Object.S3 != *c.want:
				t.Errorf("store\n%+v, want\n%+v", *got.Object.S3, *c.want)
			}
		})
	}
}

// A store that is chosen and not described is refused, and the message says what is
// missing.
func TestObjectStoresWithoutKeys(t *testing.T) {
	t.Parallel()
	for _, store := range []string{"cos", "oss", "kodo", "aws"} {
		got := errorsOf(t, Options{Dir: write(t, map[string]string{
			"share.yml": "secret: of this test\n", "openim-rpc-third.yml": "object: {enable: " + store + "}\n",
		})})
		if len(got) != 1 || !strings.Contains(got[0], "object store '"+store+"' has no address, bucket, access key, secret") {
			t.Errorf("%s: %q", store, got)
		}
	}
}
