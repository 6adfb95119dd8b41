package object

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"time"
)

// Paths below the server's base address that take signed URLs.
const (
	PartPath = "object-part/" // + upload id + "/" + part number: PUT
	FormPath = "object-form/" // + form id: POST
	DataPath = "object-data/" // + object name: GET, HEAD
	namePath = "object/"      // + object name: GET, HEAD, without signature
)

// signer makes and checks URLs that stand for a permission for a while.
type signer struct{ key []byte }

// newSigner derives its key, so that a signature here can never be one
// elsewhere that the same secret makes.
func newSigner(secret []byte) signer {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("parley object links"))
	return signer{mac.Sum(nil)}
}

func (s signer) sign(text, expires string) string {
	mac := hmac.New(sha256.New, s.key)
	fmt.Fprintf(mac, "%s\n%s", text, expires)
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// valid checks a signature in constant time, and that it has not expired.
func (s signer) valid(text, expires, signature string, now time.Time) bool {
	if !hmac.Equal([]byte(s.sign(text, expires)), []byte(signature)) {
		return false
	}
	until, err := strconv.ParseInt(expires, 10, 64)
	return err == nil && now.Unix() <= until
}

func (s signer) query(text string, until time.Time) url.Values {
	expires := strconv.FormatInt(until.Unix(), 10)
	return url.Values{"expires": {expires}, "signature": {s.sign(text, expires)}}
}

func partText(uploadID string, number int) string { return fmt.Sprintf("part %s %d", uploadID, number) }
func formText(formID string) string               { return "form " + formID }

// dataText covers the picture that is asked for, so that a link to a small one
// is none to every size.
func dataText(name string, p Picture) string { return fmt.Sprintf("data %s %s", p, name) }

func (s signer) partURL(base, uploadID string, number int, until time.Time) string {
	return fmt.Sprintf("%s%s%s/%d?%s", base, PartPath, uploadID, number, s.query(partText(uploadID, number), until).Encode())
}

func (s signer) formURL(base, formID string, until time.Time) string {
	return base + FormPath + formID + "?" + s.query(formText(formID), until).Encode()
}

func (s signer) dataURL(base, name string, p Picture, until time.Time) string {
	q := s.query(dataText(name, p), until)
	p.addTo(q)
	return base + DataPath + escape(name) + "?" + q.Encode()
}

// URL is an object's lasting address.
func URL(base, name string) string { return base + namePath + escape(name) }

// escape escapes what would end a path or make it unreadable, and leaves the
// rest as OpenIM does, which escapes nothing.
func escape(name string) string {
	out := make([]byte, 0, len(name)+8)
	for _, c := range []byte(name) {
		switch c {
		case '%', '?', '#':
			out = append(out, fmt.Sprintf("%%%02X", c)...)
		default:
			out = append(out, c)
		}
	}
	return string(out)
}
