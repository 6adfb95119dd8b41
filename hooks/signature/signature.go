// Package signature signs and verifies webhook requests by the Standard Webhooks
// scheme: HMAC-SHA256 (v1) and ed25519 (v1a) over "id.timestamp.body".
//
// The server signs with it and handlers verify with it. It knows the standard
// library only, keeps no state and never puts a key into an error.
package signature

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Names of the headers.
const (
	HeaderID        = "Webhook-Id"        // the same on every attempt of an event
	HeaderTimestamp = "Webhook-Timestamp" // of this attempt, in Unix seconds
	HeaderSignature = "Webhook-Signature" // "v1,<base64>", one for each key, by spaces
)

// Tolerance is how far the timestamp of a request may be from the verifier's
// clock, into the past and into the future. Who deduplicates by id must remember
// ids for longer than that.
const Tolerance = 5 * time.Minute

// Why Verify refused.
var (
	ErrNoHeaders    = errors.New("webhook signature: a header is missing or not readable")
	ErrTimestamp    = errors.New("webhook signature: the timestamp is more than 5 minutes away")
	ErrNoMatch      = errors.New("webhook signature: no signature matches")
	ErrNoKeys       = errors.New("webhook signature: no key to verify with")
	errNoSecret     = errors.New("webhook secret: expected whsec_, whsk_ or whpk_ followed by base64")
	errShortSecret  = errors.New("webhook secret: whsec_ takes 24 to 64 bytes")
	errPrivateShape = errors.New("webhook secret: whsk_ takes the 64 bytes of an ed25519 key, seed then public key")
	errPublicShape  = errors.New("webhook secret: whpk_ takes the 32 bytes of an ed25519 public key")
)

// Prefixes of the text forms of keys.
const (
	prefixSymmetric = "whsec_"
	prefixPrivate   = "whsk_"
	prefixPublic    = "whpk_"
)

// Key is a secret, or one half of a key pair. The zero Key signs and verifies
// nothing. Its text is never shown.
type Key struct {
	secret  []byte // symmetric
	private ed25519.PrivateKey
	public  ed25519.PublicKey
}

// Parse reads the text form of a key: "whsec_" (shared secret), "whsk_" (ed25519
// key pair, signs and verifies) or "whpk_" (ed25519 public key, verifies), each
// followed by standard base64. Errors do not hold the text.
func Parse(secret string) (Key, error) {
	secret = strings.TrimSpace(secret)
	for _, prefix := range []string{prefixSymmetric, prefixPrivate, prefixPublic} {
		encoded, ok := strings.CutPrefix(secret, prefix)
		if !ok {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			if raw, err = base64.RawStdEncoding.DecodeString(encoded); err != nil {
				return Key{}, errNoSecret
			}
		}
		return parse(prefix, raw)
	}
	return Key{}, errNoSecret
}

func parse(prefix string, raw []byte) (Key, error) {
	switch prefix {
	case prefixSymmetric:
		if len(raw) < 24 || len(raw) > 64 {
			return Key{}, errShortSecret
		}
		return Key{secret: raw}, nil
	case prefixPrivate:
		if len(raw) != ed25519.PrivateKeySize {
			return Key{}, errPrivateShape
		}
		private := ed25519.NewKeyFromSeed(raw[:ed25519.SeedSize])
		if subtle.ConstantTimeCompare(private, raw) != 1 {
			return Key{}, errPrivateShape
		}
		return Key{private: private, public: private.Public().(ed25519.PublicKey)}, nil
	default:
		if len(raw) != ed25519.PublicKeySize {
			return Key{}, errPublicShape
		}
		return Key{public: raw}, nil
	}
}

// New returns the text form of a fresh shared secret of 32 random bytes.
func New() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails
	return prefixSymmetric + base64.StdEncoding.EncodeToString(raw)
}

// String hides the key.
func (Key) String() string { return "[webhook key]" }

// GoString hides the key.
func (Key) GoString() string { return "[webhook key]" }

// LogValue hides the key.
func (Key) LogValue() slog.Value { return slog.StringValue("[webhook key]") }

// CanSign reports whether the key can make signatures: a public key cannot.
func (k Key) CanSign() bool { return k.secret != nil || k.private != nil }

// Sign returns one signature, such as "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
// or "" when the key cannot sign. timestamp is that of the header.
func (k Key) Sign(id string, timestamp time.Time, body []byte) string {
	content := signed(id, strconv.FormatInt(timestamp.Unix(), 10), body)
	switch {
	case k.secret != nil:
		return "v1," + base64.StdEncoding.EncodeToString(mac(k.secret, content))
	case k.private != nil:
		return "v1a," + base64.StdEncoding.EncodeToString(ed25519.Sign(k.private, content))
	}
	return ""
}

// SignAll is the value of the signature header: one signature of each key, in
// the order given. During a rotation the current key comes first.
func SignAll(id string, timestamp time.Time, body []byte, keys ...Key) string {
	var b strings.Builder
	for _, k := range keys {
		if s := k.Sign(id, timestamp, body); s != "" {
			if b.Len() > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(s)
		}
	}
	return b.String()
}

// Set puts the three headers on a request.
func Set(h http.Header, id string, timestamp time.Time, body []byte, keys ...Key) {
	h.Set(HeaderID, id)
	h.Set(HeaderTimestamp, strconv.FormatInt(timestamp.Unix(), 10))
	if s := SignAll(id, timestamp, body, keys...); s != "" {
		h.Set(HeaderSignature, s)
	}
}

// Verify checks a request: that its timestamp is within Tolerance of now, and
// that one of its signatures was made with one of the keys. body is the request's,
// byte for byte. It does not remember ids: a repetition inside the tolerance
// verifies, and is for the handler to recognise by its id.
func Verify(header http.Header, body []byte, now time.Time, keys ...Key) error {
	if len(keys) == 0 {
		return ErrNoKeys
	}
	id, timestamp := header.Get(HeaderID), header.Get(HeaderTimestamp)
	signatures := strings.Join(header.Values(HeaderSignature), " ")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if id == "" || signatures == "" || err != nil {
		return ErrNoHeaders
	}
	if at := time.Unix(seconds, 0); now.Sub(at) > Tolerance || at.Sub(now) > Tolerance {
		return ErrTimestamp
	}
	content := signed(id, timestamp, body)
	match := false
	for _, s := range strings.Fields(signatures) {
		version, encoded, _ := strings.Cut(s, ",")
		raw, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			continue
		}
		for _, k := range keys {
			match = k.matches(version, content, raw) || match
		}
	}
	if !match {
		return ErrNoMatch
	}
	return nil
}

// matches compares in constant time; unknown versions match nothing.
func (k Key) matches(version string, content, sig []byte) bool {
	switch {
	case version == "v1" && k.secret != nil:
		return hmac.Equal(mac(k.secret, content), sig)
	case version == "v1a" && k.public != nil:
		return ed25519.Verify(k.public, content, sig)
	}
	return false
}

func signed(id, timestamp string, body []byte) []byte {
	content := make([]byte, 0, len(id)+len(timestamp)+len(body)+2)
	content = append(content, id...)
	content = append(content, '.')
	content = append(content, timestamp...)
	content = append(content, '.')
	return append(content, body...)
}

func mac(secret, content []byte) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write(content)
	return h.Sum(nil)
}

// Public is the text form of the public half of a key pair, for handlers; "" for
// a shared secret.
func (k Key) Public() string {
	if k.public == nil {
		return ""
	}
	return prefixPublic + base64.StdEncoding.EncodeToString(k.public)
}

var (
	_ fmt.Stringer   = Key{}
	_ fmt.GoStringer = Key{}
	_ slog.LogValuer = Key{}
)
