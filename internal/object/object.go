// Package object keeps files: pictures, recordings, documents and the logs of
// apps (rest-api 3.6, 5).
//
// A client hashes a file, asks for an upload, puts the parts where it is told to
// and completes it. A content is stored once however many names it has; its key
// in the object store is made here and never by a client, so no name can reach
// outside. A Backend keeps the bytes; the rows that say what they are lie in the
// database, and a content that no row names is deleted.
//
// The package knows no HTTP: it says which URL a client is to use, and the API
// hands it what arrives there.
package object

import (
	"context"
	"crypto/md5" //nolint:gosec // the protocol's hash of parts
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// How long what a client was given can be used.
const (
	uploadFor = 7 * 24 * time.Hour // an upload, counted from its start
	signFor   = 24 * time.Hour     // one part's URL
	accessFor = 7 * 24 * time.Hour // a link to an object
	formFor   = 10 * time.Minute   // a form
	formMax   = 24 * time.Hour     // what an administrator may ask for
)

const (
	maxSign    = 1000 // parts signed by one call
	maxUploads = 1000 // unfinished uploads of one user
)

// Limits are the sizes of parts a backend takes, in bytes, and their number.
type Limits struct {
	MinPart, MaxPart int64
	MaxParts         int
}

// Backend keeps bytes under keys. Keys are made of lower-case letters, digits,
// "-", "_" and "." only.
type Backend interface {
	Limits() Limits
	// Begin prepares for the parts of an upload and returns what the backend
	// calls it.
	Begin(ctx context.Context, u *store.Upload) (backendID string, err error)
	// Finish makes the content u.Key of its parts, whose md5 sums in hexadecimal
	// must be sums. A part that is missing or different is ErrParts. It can be
	// repeated.
	Finish(ctx context.Context, u *store.Upload, sums []string) error
	// Discard deletes the parts of an upload. Unknown ones are no error.
	Discard(ctx context.Context, u *store.Upload) error

	Put(ctx context.Context, key, contentType string, size int64, r io.Reader) error
	// Open opens a content. One that is not there is fs.ErrNotExist.
	Open(ctx context.Context, key string) (Content, error)
	Delete(ctx context.Context, key string) error
}

// Content are the bytes of a content.
type Content interface {
	io.ReadSeekCloser
	io.ReaderAt
}

// Receiver is a Backend whose parts arrive through this server.
type Receiver interface {
	// Receive stores one part of exactly length bytes, in place of an earlier one.
	Receive(ctx context.Context, u *store.Upload, number int, length int64, r io.Reader) error
}

// Direct is a Backend that clients talk to without this server between.
type Direct interface {
	// PartURL is where to put a part until a time.
	PartURL(ctx context.Context, u *store.Upload, number int, until time.Duration) (string, error)
	// ContentURL is where to get a content, under a file name.
	ContentURL(ctx context.Context, key, filename, contentType string, until time.Duration) (string, error)
}

// ErrParts says that what was uploaded is not what the client thinks.
var ErrParts = errors.New("object: a part is missing or differs from its sum")

// Options tune a Service.
type Options struct {
	Secret  []byte // signs URLs
	MaxSize int64  // bytes of one object, default 10 GiB
	Quota   int64  // bytes of one user, 0 for no limit
	// TotalQuota is the bytes of everybody, 0 for no limit. Smaller forms of pictures
	// are not counted.
	TotalQuota int64
	Logger     *slog.Logger
	Now        func() time.Time // default time.Now
}

// Service keeps objects. It is safe for concurrent use.
type Service struct {
	store      *store.Store
	backend    Backend
	signer     signer
	maxSize    int64
	quota      int64
	totalQuota int64
	usage      usage
	log        *slog.Logger
	now        func() time.Time
	resizes    chan struct{}

	deleting sync.RWMutex // held for reading by Keep
}

// New returns a service that keeps bytes in b.
func New(s *store.Store, b Backend, o Options) *Service {
	if o.MaxSize <= 0 {
		o.MaxSize = 10 << 30
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Service{
		store: s, backend: b, signer: newSigner(o.Secret), maxSize: o.MaxSize, quota: o.Quota, totalQuota: o.TotalQuota,
		log: o.Logger, now: o.Now, resizes: make(chan struct{}, maxResizes),
	}
}

// Limits are the sizes of parts the object store takes.
func (s *Service) Limits() Limits { return s.backend.Limits() }

// PartSize is the size in bytes of the parts of a content (rest-api 5.2).
// Clients compute the same.
func (s *Service) PartSize(size int64) (int64, error) {
	l := s.backend.Limits()
	switch {
	case size <= 0:
		return 0, im.ErrArgs.With("size must be greater than 0")
	case size > s.maxSize:
		return 0, im.ErrArgs.With("size must be at most %d bytes", s.maxSize)
	case size > l.MaxPart*int64(l.MaxParts):
		return 0, im.ErrArgs.With("size must be less than or equal to the max limit")
	case size <= l.MinPart*int64(l.MaxParts):
		return l.MinPart, nil
	}
	n := int64(l.MaxParts)
	return (size + n - 1) / n, nil
}

// File says what an uploaded content is called.
type File struct {
	Name        string
	ContentType string
	Cause       string
}

// Part is where to put one part of an upload.
type Part struct {
	Number int
	URL    string
}

// Started is the answer to Start.
type Started struct {
	Done      bool // the content was there already: nothing to upload
	UploadID  string
	PartSize  int64
	Parts     []Part // where to put the first of them
	ExpiresAt im.Millis
}

// Start begins an upload of a content by its hash and size. firstParts are
// signed at once; a negative number means all. base is the server's address as
// the client sees it, with a slash at its end.
func (s *Service) Start(ctx context.Context, base, hash string, size int64, firstParts int, f File) (Started, error) {
	caller := im.CallerOf(ctx)
	if err := checkName(caller, f.Name); err != nil {
		return Started{}, err
	}
	if raw, err := hex.DecodeString(hash); err != nil || len(raw) != md5.Size {
		return Started{}, im.ErrArgs.With("hash must be 32 hexadecimal digits")
	}
	hash = strings.ToLower(hash)
	partSize, err := s.PartSize(size)
	if err != nil {
		return Started{}, err
	}
	u := store.Upload{
		ID: newKey("u"), UserID: caller.UserID, Key: newKey("b"), Hash: hash, Size: size, PartSize: partSize,
		ExpiresAt: im.MillisOf(s.now().Add(uploadFor)),
	}
	switch {
	case firstParts > u.Parts():
		return Started{}, im.ErrArgs.With("too many parts")
	case firstParts < 0:
		firstParts = min(u.Parts(), maxSign)
	case firstParts > maxSign:
		return Started{}, im.ErrArgs.With("more than %d parts in one call", maxSign)
	}
	if done, err := s.reuse(ctx, hash, size, f); err != nil || done {
		return Started{Done: done}, err
	}
	if err := s.admit(ctx, caller, size); err != nil {
		return Started{}, err
	}
	if err := s.room(ctx, size); err != nil {
		return Started{}, err
	}
	if u.BackendID, err = s.backend.Begin(ctx, &u); err != nil {
		return Started{}, fmt.Errorf("begin upload: %w", err)
	}
	if err := s.store.Write(ctx, func(tx *store.Tx) error { return tx.InsertUpload(u) }); err != nil {
		return Started{}, err
	}
	numbers := make([]int, firstParts)
	for i := range numbers {
		numbers[i] = i + 1
	}
	parts, err := s.sign(ctx, base, &u, numbers)
	return Started{UploadID: u.ID, PartSize: partSize, Parts: parts, ExpiresAt: u.ExpiresAt}, err
}

// reuse names a content that is stored already.
func (s *Service) reuse(ctx context.Context, hash string, size int64, f File) (done bool, err error) {
	var known bool
	err = s.store.Read(ctx, func(tx *store.Tx) (err error) {
		_, _, known, err = tx.ContentOf(hash, size)
		return err
	})
	if err != nil || !known {
		return false, err
	}
	caller := im.CallerOf(ctx)
	if err := s.admit(ctx, caller, size); err != nil {
		return false, err
	}
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		key, stored, found, err := tx.ContentOf(hash, size)
		if err != nil || !found {
			return err
		}
		done, err = tx.PutObject(s.object(caller, key, stored, f))
		return err
	})
	return done, err
}

// Sign says where to put further parts of an upload.
func (s *Service) Sign(ctx context.Context, base, uploadID string, numbers []int) ([]Part, error) {
	if len(numbers) > maxSign {
		return nil, im.ErrArgs.With("more than %d parts in one call", maxSign)
	}
	u, err := s.uploadOf(ctx, uploadID)
	if err != nil {
		return nil, err
	}
	return s.sign(ctx, base, &u, numbers)
}

func (s *Service) sign(ctx context.Context, base string, u *store.Upload, numbers []int) ([]Part, error) {
	parts := make([]Part, len(numbers))
	for i, n := range numbers {
		if n < 1 || n > u.Parts() {
			return nil, im.ErrArgs.With("part %d of %d", n, u.Parts())
		}
		parts[i].Number = n
		direct, ok := s.backend.(Direct)
		if !ok {
			parts[i].URL = s.signer.partURL(base, u.ID, n, s.now().Add(signFor))
			continue
		}
		var err error
		if parts[i].URL, err = direct.PartURL(ctx, u, n, signFor); err != nil {
			return nil, fmt.Errorf("sign part: %w", err)
		}
	}
	return parts, nil
}

// uploadOf returns an upload of the caller.
func (s *Service) uploadOf(ctx context.Context, id string) (u store.Upload, err error) {
	var found bool
	err = s.store.Read(ctx, func(tx *store.Tx) (err error) {
		u, found, err = tx.Upload(id)
		return err
	})
	switch {
	case err != nil:
		return u, err
	case !found, u.ExpiresAt < im.MillisOf(s.now()):
		return u, im.ErrNotFound.With("upload not found")
	case !im.CallerOf(ctx).May(u.UserID):
		return u, im.ErrNoPermission.With("the upload of another user")
	}
	return u, nil
}

// Receive stores a part that arrives under a signed URL. length is what the
// client says that r holds, in bytes; it must be the part's size.
func (s *Service) Receive(ctx context.Context, uploadID string, number int, expires, signature string, length int64, r io.Reader) error {
	receiver, ok := s.backend.(Receiver)
	if !ok || !s.signer.valid(partText(uploadID, number), expires, signature, s.now()) {
		return im.ErrNoPermission.With("the link is wrong or has expired")
	}
	u, err := s.uploadOf(im.WithCaller(ctx, im.Caller{Server: true}), uploadID)
	if err != nil {
		return err
	}
	if number > u.Parts() || length != u.PartLength(number) {
		return im.ErrArgs.With("part %d must have %d bytes", number, u.PartLength(number))
	}
	return receiver.Receive(ctx, &u, number, length, r)
}

// Complete ends an upload: sums are the md5 sums of its parts in hexadecimal.
// Completing it again succeeds.
func (s *Service) Complete(ctx context.Context, uploadID string, sums []string, f File) error {
	caller := im.CallerOf(ctx)
	if err := checkName(caller, f.Name); err != nil {
		return err
	}
	for i, sum := range sums {
		sums[i] = strings.ToLower(strings.Trim(sum, `"`))
	}
	total := md5.Sum([]byte(strings.Join(sums, ","))) //nolint:gosec // the protocol's hash
	hash := hex.EncodeToString(total[:])
	u, err := s.uploadOf(ctx, uploadID)
	if errors.Is(err, im.ErrNotFound) { // completed before?
		if done, err := s.reuse(ctx, hash, 0, f); err != nil || done {
			return err
		}
	}
	switch {
	case err != nil:
		return err
	case hash != u.Hash:
		return im.ErrArgs.With("md5 mismatching")
	case len(sums) != u.Parts():
		return im.ErrArgs.With("%d parts of %d", len(sums), u.Parts())
	}
	if err := s.backend.Finish(ctx, &u, sums); err != nil {
		if errors.Is(err, ErrParts) {
			return im.ErrArgs.With("a part is missing or differs from its md5")
		}
		return fmt.Errorf("finish upload: %w", err)
	}
	var kept string
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		key, err := tx.PutContent(u.Key, u.Hash, u.Size, s.store.Now())
		if err != nil {
			return err
		}
		if stored, err := tx.PutObject(s.object(caller, key, u.Size, f)); err != nil || !stored {
			return errors.Join(err, errVanished(stored))
		}
		kept = key
		return tx.DeleteUpload(u.ID)
	})
	if err != nil {
		return err
	}
	s.discard(ctx, &u)
	if kept != u.Key { // another upload of the same content was first
		s.drop(ctx, u.Key)
	}
	return nil
}

// drop deletes bytes that are in the trash already, before Sweep does. No snapshot of
// the database names them, so a backup does not miss them.
func (s *Service) drop(ctx context.Context, key string) {
	ctx = context.WithoutCancel(ctx)
	err := s.backend.Delete(ctx, key)
	if err == nil {
		err = s.store.Write(ctx, func(tx *store.Tx) error { return tx.ForgetTrash([]string{key}) })
	}
	if err != nil {
		s.log.WarnContext(ctx, "second copy of a content not deleted", "key", key, "error", err)
	}
}

func errVanished(stored bool) error {
	if stored {
		return nil
	}
	return errors.New("object: content deleted while it was named")
}

// discard deletes what is left of an upload that is no longer needed. What it
// cannot delete now, Sweep finds.
func (s *Service) discard(ctx context.Context, u *store.Upload) {
	if err := s.backend.Discard(context.WithoutCancel(ctx), u); err != nil {
		s.log.WarnContext(ctx, "parts of a finished upload not deleted", "upload", u.ID, "error", err)
	}
}

func (s *Service) object(caller im.Caller, key string, size int64, f File) store.Object {
	return store.Object{
		Name: f.Name, Key: key, UserID: caller.UserID, Size: size, ContentType: contentType(f.ContentType), Cause: short(f.Cause), CreatedAt: s.store.Now(),
	}
}

// newKey makes a key that nobody has guessed or used.
func newKey(prefix string) string { return prefix + "-" + uuid.NewString() }
