package fcm_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/parley-im/parley/internal/push"
	"github.com/parley-im/parley/internal/push/fcm"
	"github.com/parley-im/parley/internal/push/pushtest"
)

var key = func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
}()

// account is a service account file that logs in at a vendor.
func account(t *testing.T, vendor string) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "demo", "private_key_id": "kid1", "client_email": "push@demo.iam",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "token_uri": vendor + "/token",
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// fcmAnswers are recorded from the reference of HTTP v1, by device token.
var fcmAnswers = map[string]pushtest.Answer{
	"good":    {Body: `{"name":"projects/demo/messages/0:1"}`},
	"gone":    {Status: 404, Body: `{"error":{"code":404,"status":"NOT_FOUND","details":[{"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"UNREGISTERED"}]}}`},
	"foreign": {Status: 403, Body: `{"error":{"code":403,"status":"PERMISSION_DENIED","details":[{"errorCode":"SENDER_ID_MISMATCH"}]}}`},
	"garbage": {Status: 400, Body: `{"error":{"code":400,"message":"The registration token is not a valid FCM registration token","status":"INVALID_ARGUMENT"}}`},
	"toolong": {Status: 400, Body: `{"error":{"code":400,"message":"Message too big","status":"INVALID_ARGUMENT"}}`},
	"quota":   {Status: 429, RetryAfter: "30", Body: `{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"errorCode":"QUOTA_EXCEEDED"}]}}`},
	"down":    {Status: 503, Body: `{"error":{"code":503,"status":"UNAVAILABLE"}}`},
	"hangup":  {HangUp: true},
}

func targets(tokens ...string) (list []push.Target) {
	for _, token := range tokens {
		list = append(list, push.Target{UserID: "u-" + token, Token: token, Badge: 3})
	}
	return list
}

func TestPush(t *testing.T) {
	t.Parallel()
	now := time.Now()
	logins, valid := 0, ""
	var vendor *pushtest.Vendor
	vendor = pushtest.Start(t, false, func(r pushtest.Request) pushtest.Answer {
		if r.Path == "/token" {
			logins++
			form, _ := url.ParseQuery(r.Body)
			claims := jwt.MapClaims{}
			parsed, err := jwt.ParseWithClaims(form.Get("assertion"), claims, func(*jwt.Token) (any, error) { return &key.PublicKey, nil })
			if err != nil || claims["iss"] != "push@demo.iam" || claims["aud"] != vendor.URL+"/token" || parsed.Header["kid"] != "kid1" ||
				claims["scope"] != "https://www.googleapis.com/auth/firebase.messaging" || form.Get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
				t.Errorf("log-in %v: %v, %v", form, claims, err)
			}
			valid = fmt.Sprintf("access%d", logins)
			return pushtest.Answer{Body: fmt.Sprintf(`{"access_token":%q,"expires_in":3600,"token_type":"Bearer"}`, valid)}
		}
		if r.Header.Get("Authorization") != "Bearer "+valid {
			return pushtest.Answer{Status: 401, Body: `{"error":{"code":401,"status":"UNAUTHENTICATED"}}`}
		}
		var body struct{ Message struct{ Token string } }
		if err := json.Unmarshal([]byte(r.Body), &body); err != nil {
			t.Error(err)
		}
		return fcmAnswers[body.Message.Token]
	})
	p, err := fcm.New(fcm.Options{ServiceAccount: account(t, vendor.URL), Endpoint: vendor.URL, Client: vendor.Client, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	n := push.Notification{Title: "title", Desc: "text", Ex: "e", Sound: "default", ClientMsgID: "m1"}
	var all []string
	for token := range fcmAnswers {
		all = append(all, token)
	}
	results := p.Push(t.Context(), n, targets(all...))
	want := map[string]push.Outcome{
		"good": push.Accepted, "gone": push.Gone, "foreign": push.Gone, "garbage": push.Gone, "toolong": push.Refused,
		"quota": push.Later, "down": push.Later, "hangup": push.Later,
	}
	if got := pushtest.Outcomes(results); !reflect.DeepEqual(got, want) {
		t.Errorf("outcomes %v, want %v", got, want)
	}
	for _, r := range results {
		if r.Target.Token == "quota" && r.After != 30*time.Second {
			t.Errorf("quota asks for %s", r.After)
		}
		if strings.Contains(r.Reason, valid) {
			t.Errorf("reason shows the token: %s", r.Reason)
		}
	}
	if logins != 1 {
		t.Errorf("%d log-ins", logins)
	}

	vendor.Seen()
	now = now.Add(2 * time.Hour) // the token is over
	p.Push(t.Context(), n, targets("good"))
	seen := vendor.Seen()
	if len(seen) != 2 || seen[0].Path != "/token" || seen[1].Path != "/v1/projects/demo/messages:send" {
		t.Fatalf("calls %v", seen)
	}
	wantBody := `{"message":{"android":{"notification":{"notification_count":3},"priority":"HIGH"},` +
		`"apns":{"payload":{"aps":{"badge":3,"sound":"default"}}},"data":{"clientMsgID":"m1","ex":"e"},` +
		`"notification":{"body":"text","title":"title"},"token":"good"}}`
	if seen[1].Body != wantBody {
		t.Errorf("body %s\nwant %s", seen[1].Body, wantBody)
	}

	valid = "another" // the vendor ends the token early
	if got := p.Push(t.Context(), n, targets("good")); got[0].Outcome != push.Accepted {
		t.Errorf("after a token that ended early: %v", got)
	}
}

// TestRecorded plays what was recorded, faults included.
func TestRecorded(t *testing.T) {
	t.Parallel()
	pushtest.Replay(t, "testdata/recorded", false, func(t *testing.T, v *pushtest.Vendor) push.Provider {
		p, err := fcm.New(fcm.Options{ServiceAccount: account(t, v.URL), Endpoint: v.URL, Client: v.Client})
		if err != nil {
			t.Fatal(err)
		}
		return p
	})
}

func TestBadAccount(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"", "{}", `{"project_id":"p","client_email":"e","private_key":"x"}`} {
		if _, err := fcm.New(fcm.Options{ServiceAccount: []byte(file)}); err == nil || !strings.Contains(err.Error(), "FCM service account") {
			t.Errorf("%q: %v", file, err)
		}
	}
}
