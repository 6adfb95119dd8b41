// Package s3 keeps the contents of objects in a store that speaks S3. Clients put
// parts and get contents there directly, under signed URLs.
//
// Every upload is one multipart upload of the store, whose ETag of a part is its
// md5 sum. Buckets that encrypt with keys of their own (SSE-KMS, SSE-C) have
// other ETags and cannot be used.
package s3

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"mime"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/cors"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/parley-im/parley/internal/object"
	"github.com/parley-im/parley/internal/store"
)

// Options say where a bucket is.
type Options struct {
	// Endpoint is the URL this server reaches the store at, PublicEndpoint the one
	// clients use, default Endpoint.
	Endpoint, PublicEndpoint           string
	Region                             string // default "us-east-1"
	Bucket                             string
	AccessKey, SecretKey, SessionToken string
	// BucketInHost puts the bucket into the host name, as the large providers
	// want it, and not into the path.
	BucketInHost bool
	// PublicRead says that the bucket may be read without a signature.
	PublicRead bool
	Logger     *slog.Logger
}

// Store is an object.Backend on an S3 bucket. It is safe for concurrent use.
type Store struct {
	core   minio.Core
	public *minio.Client
	o      Options
}

// Open checks the options and makes the bucket when it is not there. Web pages may
// use a bucket it makes; the rules of others are their owner's.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.PublicEndpoint == "" {
		o.PublicEndpoint = o.Endpoint
	}
	own, err := client(o, o.Endpoint)
	if err != nil {
		return nil, err
	}
	public, err := client(o, o.PublicEndpoint)
	if err != nil {
		return nil, err
	}
	found, err := own.BucketExists(ctx, o.Bucket)
	if err != nil {
		return nil, fmt.Errorf("object store %s, bucket %s: %w", o.Endpoint, o.Bucket, err)
	}
	if !found {
		if err := own.MakeBucket(ctx, o.Bucket, minio.MakeBucketOptions{Region: o.Region}); err != nil {
			return nil, fmt.Errorf("object store %s: make bucket %s: %w", o.Endpoint, o.Bucket, err)
		}
		if err := own.SetBucketCors(ctx, o.Bucket, browsers()); err != nil {
			o.Logger.WarnContext(ctx, "the new bucket has no CORS rules; browsers need some, unless the object store has them for all buckets",
				"bucket", o.Bucket, "error", err)
		}
	}
	return &Store{core: minio.Core{Client: own}, public: public, o: o}, nil
}

// browsers lets pages of every origin use the links they are given. The permission
// is in the link; a page that has none can do nothing here.
func browsers() *cors.Config {
	return cors.NewConfig([]cors.Rule{{
		AllowedOrigin: []string{"*"}, AllowedMethod: []string{"GET", "HEAD", "PUT"}, AllowedHeader: []string{"*"}, ExposeHeader: []string{"ETag"},
	}})
}

func client(o Options, endpoint string) (*minio.Client, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("object store address %q must be http://host or https://host", endpoint)
	}
	lookup := minio.BucketLookupPath
	if o.BucketInHost {
		lookup = minio.BucketLookupDNS
	}
	c, err := minio.New(u.Host, &minio.Options{
		Creds: credentials.NewStaticV4(o.AccessKey, o.SecretKey, o.SessionToken), Secure: u.Scheme == "https", Region: o.Region, BucketLookup: lookup,
	})
	if err != nil {
		return nil, fmt.Errorf("object store %s: %w", endpoint, err)
	}
	return c, nil
}

// Limits are those of S3.
func (s *Store) Limits() object.Limits {
	return object.Limits{MinPart: 5 << 20, MaxPart: 5 << 30, MaxParts: 10000}
}

// asFile keeps browsers from running what somebody has uploaded, also where links
// cannot say so because the bucket is read without a signature.
const asFile = "attachment"

// Begin implements object.Backend.
func (s *Store) Begin(ctx context.Context, u *store.Upload) (string, error) {
	return s.core.NewMultipartUpload(ctx, s.o.Bucket, u.Key, minio.PutObjectOptions{ContentType: "application/octet-stream", ContentDisposition: asFile})
}

// PartURL implements object.Direct.
func (s *Store) PartURL(ctx context.Context, u *store.Upload, number int, until time.Duration) (string, error) {
	signed, err := s.public.Presign(ctx, "PUT", s.o.Bucket, u.Key, until, url.Values{
		"uploadId": {u.BackendID}, "partNumber": {strconv.Itoa(number)},
	})
	if err != nil {
		return "", err
	}
	return signed.String(), nil
}

// Finish implements object.Backend.
func (s *Store) Finish(ctx context.Context, u *store.Upload, sums []string) error {
	parts := make([]minio.CompletePart, len(sums))
	for i, sum := range sums {
		parts[i] = minio.CompletePart{PartNumber: i + 1, ETag: sum}
	}
	_, err := s.core.CompleteMultipartUpload(ctx, s.o.Bucket, u.Key, u.BackendID, parts, minio.PutObjectOptions{})
	switch minio.ToErrorResponse(err).Code {
	case "InvalidPart", "InvalidPartOrder", "EntityTooSmall":
		return fmt.Errorf("%w: %w", object.ErrParts, err)
	case "NoSuchUpload": // repeated
		if info, statErr := s.core.StatObject(ctx, s.o.Bucket, u.Key, minio.StatObjectOptions{}); statErr == nil && info.Size == u.Size {
			return nil
		}
	}
	if err != nil {
		return err
	}
	// Parts of other lengths than announced have the sums all the same.
	info, err := s.core.StatObject(ctx, s.o.Bucket, u.Key, minio.StatObjectOptions{})
	if err != nil {
		return err
	}
	if info.Size != u.Size {
		return fmt.Errorf("%w: %d bytes instead of %d", object.ErrParts, info.Size, u.Size)
	}
	return nil
}

// Discard implements object.Backend.
func (s *Store) Discard(ctx context.Context, u *store.Upload) error {
	if u.BackendID == "" {
		return nil
	}
	err := s.core.AbortMultipartUpload(ctx, s.o.Bucket, u.Key, u.BackendID)
	if minio.ToErrorResponse(err).Code == "NoSuchUpload" {
		return nil
	}
	return err
}

// Put implements object.Backend.
func (s *Store) Put(ctx context.Context, key, contentType string, size int64, r io.Reader) error {
	_, err := s.core.Client.PutObject(ctx, s.o.Bucket, key, r, size, minio.PutObjectOptions{
		ContentType: contentType, ContentDisposition: asFile, PartSize: 16 << 20,
	})
	return err
}

// Open implements object.Backend.
func (s *Store) Open(ctx context.Context, key string) (object.Content, error) {
	o, err := s.core.Client.GetObject(ctx, s.o.Bucket, key, minio.GetObjectOptions{})
	if err != nil {
		return nil, notFound(err)
	}
	if _, err := o.Stat(); err != nil {
		return nil, notFound(err)
	}
	return o, nil
}

// Delete implements object.Backend.
func (s *Store) Delete(ctx context.Context, key string) error {
	return s.core.RemoveObject(ctx, s.o.Bucket, key, minio.RemoveObjectOptions{})
}

// ContentURL implements object.Direct.
func (s *Store) ContentURL(ctx context.Context, key, filename, contentType string, until time.Duration) (string, error) {
	if s.o.PublicRead {
		u := *s.public.EndpointURL()
		if s.o.BucketInHost {
			u.Host = s.o.Bucket + "." + u.Host
		} else {
			u.Path = "/" + s.o.Bucket
		}
		return strings.TrimSuffix(u.String(), "/") + "/" + key, nil
	}
	signed, err := s.public.PresignedGetObject(ctx, s.o.Bucket, key, until, url.Values{
		"response-content-type":        {contentType},
		"response-content-disposition": {mime.FormatMediaType("attachment", map[string]string{"filename": filename})},
	})
	if err != nil {
		return "", err
	}
	return signed.String(), nil
}

func notFound(err error) error {
	if minio.ToErrorResponse(err).Code == "NoSuchKey" {
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return err
}

var (
	_ object.Backend = (*Store)(nil)
	_ object.Direct  = (*Store)(nil)
)
