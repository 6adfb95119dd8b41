package test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/parley-im/parley/hooks/signature"
	"github.com/parley-im/parley/internal/webhook/registry"
)

// verify is the Standard Webhooks specification written down once more, without
// the code of the server.
func verify(secret string, header http.Header, body []byte, now time.Time) error {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return err
	}
	at, err := strconv.ParseInt(header.Get("webhook-timestamp"), 10, 64)
	if err != nil {
		return err
	}
	if age := now.Sub(time.Unix(at, 0)); age > 5*time.Minute || age < -5*time.Minute {
		return fmt.Errorf("made %s ago", age)
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%d.%s", header.Get("webhook-id"), at, body)
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	if !slices.Contains(strings.Split(header.Get("webhook-signature"), " "), want) {
		return errors.New("no signature fits")
	}
	return nil
}

// TestS26Signature: whoever has the secret can check every request of every
// callback; who has none needs nothing.
func TestS26Signature(t *testing.T) {
	t.Parallel()
	secret := signature.New()
	for _, signed := range []bool{true, false} {
		t.Run(fmt.Sprint("signed ", signed), func(t *testing.T) {
			t.Parallel()
			b := startBusiness(t)
			line := ""
			if signed {
				line = "secret: " + secret + "\n"
			}
			n := startNode(t, setup{files: map[string]string{"webhooks.yml": "url: " + b.URL + "/webhook\n" + line + allCallbacks("")}})
			n.register(t, "alice", "bob")
			if s := n.send(t, post{from: "alice", to: "bob", content: text("<&> 你好"), operationID: "s26"}); s.ErrCode != 0 {
				t.Fatalf("%+v", s)
			}
			all := registry.All()
			for _, c := range all {
				n.trigger(t, c.Key)
			}
			n.awaitEmptyOutbox(t)
			came := map[string]bool{}
			for _, c := range b.got() {
				came[c.Command] = true
				if !signed {
					if c.Header.Get("webhook-signature") != "" {
						t.Errorf("%s is signed without a secret", c.Command)
					}
					continue
				}
				mustOnlyVerify(t, secret, c)
			}
			for _, c := range all {
				if !came[c.Command] {
					t.Errorf("%s never came", c.Key)
				}
			}
			t.Logf("%d requests of %d callbacks", len(b.got()), len(came))
		})
	}
}

// mustOnlyVerify fails unless a request is accepted as it is, and not with
// another byte, id, time or secret.
func mustOnlyVerify(t *testing.T, secret string, c callback) {
	t.Helper()
	if err := verify(secret, c.Header, c.Raw, c.At); err != nil {
		t.Errorf("%s: %v", c.Command, err)
	}
	for i := range c.Raw {
		changed := slices.Clone(c.Raw)
		changed[i] ^= 1
		if verify(secret, c.Header, changed, c.At) == nil {
			t.Fatalf("%s: byte %d may be changed", c.Command, i)
		}
	}
	for _, name := range []string{"webhook-id", "webhook-timestamp"} {
		header := c.Header.Clone()
		header.Set(name, "1"+header.Get(name)[1:len(header.Get(name))-1]+"7")
		if header.Get(name) == c.Header.Get(name) {
			header.Set(name, header.Get(name)[:len(header.Get(name))-1]+"8")
		}
		if verify(secret, header, c.Raw, c.At) == nil {
			t.Errorf("%s: %s may be changed", c.Command, name)
		}
	}
	if verify(secret, c.Header, c.Raw, c.At.Add(5*time.Minute+2*time.Second)) == nil {
		t.Errorf("%s: an old request is taken", c.Command)
	}
	if verify(signature.New(), c.Header, c.Raw, c.At) == nil {
		t.Errorf("%s: any secret fits", c.Command)
	}
	// What handlers in Go use says the same.
	key, err := signature.Parse(secret)
	if err != nil {
		t.Fatal(err)
	}
	if err := signature.Verify(c.Header, c.Raw, c.At, key); err != nil {
		t.Errorf("%s: %v", c.Command, err)
	}
}
