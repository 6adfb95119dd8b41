package apns_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"path"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/parley-im/parley/internal/push"
	"github.com/parley-im/parley/internal/push/apns"
	"github.com/parley-im/parley/internal/push/pushtest"
)

var key = func() *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
}()

func p8(t *testing.T) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// apnsAnswers are those of Apple's table, by device token.
var apnsAnswers = map[string]pushtest.Answer{
	"good":     {},
	"gone":     {Status: 410, Body: `{"reason":"Unregistered","timestamp":1700000000000}`},
	"bad":      {Status: 400, Body: `{"reason":"BadDeviceToken"}`},
	"foreign":  {Status: 400, Body: `{"reason":"DeviceTokenNotForTopic"}`},
	"toolarge": {Status: 413, Body: `{"reason":"PayloadTooLarge"}`},
	"many":     {Status: 429, RetryAfter: "5", Body: `{"reason":"TooManyRequests"}`},
	"down":     {Status: 503, Body: `{"reason":"ServiceUnavailable"}`},
	"oops":     {Status: 500},
}

func TestPush(t *testing.T) {
	t.Parallel()
	now := time.Now()
	refused := ""
	vendor := pushtest.Start(t, true, func(r pushtest.Request) pushtest.Answer {
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "bearer ")
		parsed, err := jwt.Parse(token, func(*jwt.Token) (any, error) { return &key.PublicKey, nil }, jwt.WithoutClaimsValidation())
		if err != nil || parsed.Header["kid"] != "K1" || parsed.Claims.(jwt.MapClaims)["iss"] != "T1" {
			t.Errorf("provider token %s: %v", token, err)
		}
		if token == refused {
			return pushtest.Answer{Status: 403, Body: `{"reason":"ExpiredProviderToken"}`}
		}
		return apnsAnswers[path.Base(r.Path)]
	})
	p, err := apns.New(apns.Options{
		Key: p8(t), KeyID: "K1", TeamID: "T1", Topic: "com.example.im", Endpoint: vendor.URL, Client: vendor.Client, Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	var all []push.Target
	for token := range apnsAnswers {
		all = append(all, push.Target{UserID: "u", Token: token, Badge: 2})
	}
	n := push.Notification{Title: "title", Desc: "text", Ex: "e", Sound: "s", ClientMsgID: "m1"}
	want := map[string]push.Outcome{
		"good": push.Accepted, "gone": push.Gone, "bad": push.Gone, "foreign": push.Gone, "toolarge": push.Refused,
		"many": push.Later, "down": push.Later, "oops": push.Later,
	}
	if got := pushtest.Outcomes(p.Push(t.Context(), n, all)); !reflect.DeepEqual(got, want) {
		t.Errorf("outcomes %v, want %v", got, want)
	}

	vendor.Seen()
	p.Push(t.Context(), n, []push.Target{{Token: "good", Badge: 2}})
	seen := vendor.Seen()[0]
	if seen.Path != "/3/device/good" || seen.Body != `{"aps":{"alert":{"body":"text","title":"title"},"badge":2,"sound":"s"},"clientMsgID":"m1","ex":"e"}` {
		t.Errorf("request %s %s", seen.Path, seen.Body)
	}
	for header, value := range map[string]string{"Apns-Topic": "com.example.im", "Apns-Push-Type": "alert", "Apns-Priority": "10", "Apns-Collapse-Id": "m1"} {
		if got := seen.Header.Get(header); got != value {
			t.Errorf("%s: %q", header, got)
		}
	}

	first := seen.Header.Get("Authorization")
	now = now.Add(39 * time.Minute)
	p.Push(t.Context(), n, []push.Target{{Token: "good"}})
	if got := vendor.Seen()[0].Header.Get("Authorization"); got != first {
		t.Error("a new provider token within 40 minutes")
	}
	refused = strings.TrimPrefix(first, "bearer ")
	if got := p.Push(t.Context(), n, []push.Target{{Token: "good"}}); got[0].Outcome != push.Accepted {
		t.Errorf("after an expired provider token: %v", got)
	}

	vendor.Seen()
	n.Ex = strings.Repeat("x", 5000)
	p.Push(t.Context(), n, []push.Target{{Token: "good"}})
	if body := vendor.Seen()[0].Body; len(body) > 4096 || !strings.Contains(body, `"body":"text"`) {
		t.Errorf("%d bytes", len(body))
	}
}

// TestRecorded plays what was recorded, faults included.
func TestRecorded(t *testing.T) {
	t.Parallel()
	pushtest.Replay(t, "testdata/recorded", true, func(t *testing.T, v *pushtest.Vendor) push.Provider {
		p, err := apns.New(apns.Options{Key: p8(t), KeyID: "K1", TeamID: "T1", Topic: "com.example.im", Endpoint: v.URL, Client: v.Client})
		if err != nil {
			t.Fatal(err)
		}
		return p
	})
}

func TestBadKey(t *testing.T) {
	t.Parallel()
	for what, o := range map[string]apns.Options{
		"no key":   {KeyID: "K", TeamID: "T", Topic: "t"},
		"no topic": {Key: p8(t), KeyID: "K", TeamID: "T"},
	} {
		if _, err := apns.New(o); err == nil || !strings.Contains(err.Error(), "APNs") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
