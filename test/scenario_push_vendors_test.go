package test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// asked is a request that came to a vendor.
type asked struct{ path, header, body string }

// vendorServer plays a vendor by a function and keeps what it was asked.
type vendorServer struct {
	*httptest.Server
	mu   sync.Mutex
	seen []asked
}

func startVendor(t *testing.T, secure bool, answer func(asked) (status int, body string)) *vendorServer {
	t.Helper()
	v := &vendorServer{}
	v.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("push: %v", err)
		}
		a := asked{r.URL.Path, fmt.Sprint(r.Proto, r.Header), string(body)}
		v.mu.Lock()
		v.seen = append(v.seen, a)
		v.mu.Unlock()
		status, text := answer(a)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}))
	if secure {
		v.EnableHTTP2 = true
		v.StartTLS()
	} else {
		v.Start()
	}
	t.Cleanup(v.Close)
	return v
}

// with are the requests whose path or body holds all of the texts.
func (v *vendorServer) with(texts ...string) (found []asked) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, a := range v.seen {
		if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(a.path+" "+a.header+" "+a.body, text) }) {
			found = append(found, a)
		}
	}
	return found
}

// keyPEM is a private key as vendors give them.
func keyPEM(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// TestPushVendors: each vendor is asked as its reference wants it, by a server that
// has OpenIM's keys for it; a token it no longer knows is forgotten; and parley push
// test says what it answers.
func TestPushVendors(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(t *testing.T) (v *vendorServer, s setup, wants []string){
		"fcm": func(t *testing.T) (*vendorServer, setup, []string) {
			v := startVendor(t, false, func(a asked) (int, string) {
				switch {
				case a.path == "/token":
					return 200, `{"access_token":"access","expires_in":3600}`
				case strings.Contains(a.body, "gone-token"):
					return 404, `{"error":{"code":404,"status":"NOT_FOUND","details":[{"errorCode":"UNREGISTERED"}]}}`
				}
				return 200, `{"name":"projects/demo/messages/1"}`
			})
			key, err := rsa.GenerateKey(rand.Reader, 2048)
			if err != nil {
				t.Fatal(err)
			}
			account, err := json.Marshal(map[string]string{
				"type": "service_account", "project_id": "demo", "private_key_id": "1", "client_email": "push@demo.test", "token_uri": v.URL + "/token",
				"private_key": keyPEM(t, key),
			})
			if err != nil {
				t.Fatal(err)
			}
			return v, setup{files: map[string]string{
				"openim-push.yml": "enable: fcm\nfcm: {filePath: account.json}\n", "account.json": string(account), "parley.yml": "push: {fcm: {url: '" + v.URL + "'}}\n",
			}}, []string{"/v1/projects/demo/messages:send", "Bearer access", `"token":"phone-token"`, `"title":"lunch"`, `"body":"at noon"`}
		},
		"apns": func(t *testing.T) (*vendorServer, setup, []string) {
			v := startVendor(t, true, func(a asked) (int, string) {
				if strings.HasSuffix(a.path, "gone-token") {
					return 410, `{"reason":"Unregistered"}`
				}
				return 200, ""
			})
			key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			trusted := filepath.Join(t.TempDir(), "ca.pem")
			certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: v.Certificate().Raw})
			if err := os.WriteFile(trusted, certificate, 0o600); err != nil {
				t.Fatal(err)
			}
			return v, setup{env: []string{"SSL_CERT_FILE=" + trusted}, files: map[string]string{
				"openim-push.yml": "iosPush: {pushSound: ding, badgeCount: true, production: true}\n", "key.p8": keyPEM(t, key),
				"parley.yml": "push: {apns: {keyFile: key.p8, keyID: K1, teamID: T1, topic: com.example.im, url: '" + v.URL + "'}}\n",
			}}, []string{"/3/device/phone-token", "HTTP/2", "com.example.im", `"title":"lunch"`, `"body":"at noon"`, `"sound":"ding"`}
		},
		"getui": func(t *testing.T) (*vendorServer, setup, []string) {
			v := startVendor(t, false, func(a asked) (int, string) {
				if strings.HasSuffix(a.path, "/auth") {
					return 200, `{"code":0,"data":{"expire_time":"4102444800000","token":"t1"}}`
				}
				return 200, `{"code":0,"data":{"taskid":"1"}}`
			})
			return v, setup{files: map[string]string{
				"openim-push.yml": "enable: getui\ngeTui: {pushUrl: '" + v.URL + "/v2/app1', appKey: key, masterSecret: master, channelID: c, channelName: n}\n",
			}}, []string{"/v2/app1/push/single/alias", "Token:[t1]", `"alias":["bob"]`, `"title":"lunch"`, `"body":"at noon"`, `"channel_id":"c"`}
		},
		"jpush": func(t *testing.T) (*vendorServer, setup, []string) {
			v := startVendor(t, false, func(asked) (int, string) { return 200, `{"sendno":"0","msg_id":"1"}` })
			return v, setup{files: map[string]string{
				"openim-push.yml": "enable: jpush\njpush: {appKey: key, masterSecret: master, pushURL: '" + v.URL + "/v3/push', pushIntent: 'intent:#end'}\n",
			}}, []string{"/v3/push", "Basic a2V5Om1hc3Rlcg==", `"alias":["bob"]`, `"title":"lunch"`, `"alert":"at noon"`, `"intent:#end"`}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, s, wants := start(t)
			n := startNode(t, s)
			n.register(t, "alice", "bob")
			token := func(platform int, text string) {
				t.Helper()
				n.call(t, "/third/fcm_update_token", map[string]any{"platformID": platform, "fcmToken": text, "account": "bob", "expireTime": 3600}, nil)
			}
			token(platformIOS, "phone-token")
			const iPad = 9
			token(iPad, "gone-token")
			body := map[string]any{
				"sendID": "alice", "recvID": "bob", "senderPlatformID": platformIOS, "content": map[string]any{"content": "hi"}, "contentType": contentText,
				"sessionType": singleChat, "offlinePushInfo": map[string]any{"title": "lunch", "desc": "at noon", "iOSPushSound": "ding"},
			}
			n.call(t, "/msg/send_msg", body, nil)
			n.awaitEmptyOutbox(t)
			if got := v.with(wants...); len(got) != 1 {
				v.mu.Lock()
				defer v.mu.Unlock()
				t.Fatalf("%d requests have %q; there were %q", len(got), wants, v.seen)
			}
			byToken := name == "fcm" || name == "apns"
			dry := n.run("push", "test", "bob", "--dry-run")
			if strings.Contains(dry, "gone-token") || strings.Contains(dry, "phone-token") != byToken || !strings.Contains(dry, "would go to "+name) {
				t.Errorf("a dry run says\n%s", dry)
			}
			before := len(v.with())
			if out := n.run("push", "test", "bob", "--title", "from the shell"); !strings.Contains(out, "accepted") {
				t.Errorf("a test push says\n%s", out)
			}
			if len(v.with("from the shell")) != 1 || len(v.with()) != before+1 {
				t.Errorf("the vendor was asked %q", v.with("from the shell"))
			}
			if strings.Contains(n.output.String(), "phone-token") || strings.Contains(n.output.String(), "at noon") {
				t.Error("the log shows a token, or what was pushed")
			}
		})
	}
}

// TestPushSurvivesCrash: a server that is killed while it pushes a message to a group
// of more than one page reaches the others after its next start, and in the end
// everybody; a vendor that was down is asked again.
func TestPushSurvivesCrash(t *testing.T) {
	t.Parallel()
	const members = 1203
	var mu sync.Mutex
	reached := map[string]int{}
	calls, entered := 0, make(chan struct{})
	mode := "hang"
	v := startVendor(t, false, func(a asked) (int, string) {
		var body struct{ Audience struct{ Alias []string } }
		if err := json.Unmarshal([]byte(a.body), &body); err != nil {
			t.Errorf("push: %v", err)
		}
		mu.Lock()
		calls++
		if calls == 2 && mode == "hang" { // the first page is through
			close(entered)
		}
		hang := calls >= 2 && mode == "hang"
		if !hang {
			for _, userID := range body.Audience.Alias {
				reached[userID]++
			}
		}
		mu.Unlock()
		if hang {
			return http.StatusServiceUnavailable, ""
		}
		return 200, `{"msg_id":"1"}`
	})
	n := startNode(t, setup{files: map[string]string{
		"openim-push.yml": "enable: jpush\njpush: {appKey: key, masterSecret: master, pushURL: '" + v.URL + "/v3/push'}\n",
	}})
	var ids []string
	for i := range members {
		ids = append(ids, fmt.Sprintf("m%04d", i))
	}
	for page := range slices.Chunk(ids, 400) {
		n.register(t, page...)
	}
	n.register(t, "alice")
	group := n.makeGroup(t, "alice", ids[:500]...)
	for page := range slices.Chunk(ids[500:], 500) {
		n.call(t, "/group/invite_user_to_group", map[string]any{"groupID": group, "invitedUserIDs": page}, nil)
	}
	n.awaitEmptyOutbox(t)
	mustSend(t, n, post{operationID: "crash", from: "alice", group: group, content: text("hi all")})
	<-entered
	n.kill()
	mu.Lock()
	mode = "well"
	first := len(reached)
	mu.Unlock()
	if first == 0 || first >= members {
		t.Errorf("%d of %d were reached before the crash", first, members)
	}
	n.start()
	n.awaitEmptyOutbox(t)
	mu.Lock()
	defer mu.Unlock()
	for _, userID := range ids {
		if reached[userID] == 0 {
			t.Errorf("%s was never pushed to", userID)
		}
	}
	if len(reached) != members {
		t.Errorf("%d were pushed to", len(reached))
	}
	for _, a := range v.with() {
		if n := strings.Count(a.body, `"m`); n > 1001 {
			t.Errorf("%d users in one request", n)
		}
	}
}
