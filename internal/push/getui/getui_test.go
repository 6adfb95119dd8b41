package getui_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/push"
	"github.com/parley-im/parley/internal/push/getui"
	"github.com/parley-im/parley/internal/push/pushtest"
)

// vendor plays getui's REST v2.
type vendor struct {
	*pushtest.Vendor
	token  string // the one it takes
	logins int
	fault  map[string]pushtest.Answer // by path
}

func start(t *testing.T) *vendor {
	t.Helper()
	v := &vendor{fault: map[string]pushtest.Answer{}}
	v.Vendor = pushtest.Start(t, false, func(r pushtest.Request) pushtest.Answer {
		path := strings.TrimPrefix(r.Path, "/v2/app1")
		if a, faulty := v.fault[path]; faulty {
			return a
		}
		if path == "/auth" {
			var body struct{ Sign, Timestamp, Appkey string }
			if err := json.Unmarshal([]byte(r.Body), &body); err != nil {
				t.Error(err)
			}
			if sum := sha256.Sum256([]byte("key" + body.Timestamp + "master")); body.Sign != hex.EncodeToString(sum[:]) || body.Appkey != "key" {
				t.Errorf("log-in %s", r.Body)
			}
			v.logins++
			v.token = fmt.Sprintf("token%d", v.logins)
			return pushtest.Answer{Body: fmt.Sprintf(`{"code":0,"msg":"success","data":{"expire_time":"%d","token":%q}}`, time.Now().Add(24*time.Hour).UnixMilli(), v.token)}
		}
		if got := r.Header["Token"]; len(got) != 1 || got[0] != v.token {
			return pushtest.Answer{Status: 401, Body: `{"code":10001,"msg":"token is error"}`}
		}
		if path == "/push/list/message" {
			return pushtest.Answer{Body: `{"code":0,"msg":"success","data":{"taskid":"task1"}}`}
		}
		return pushtest.Answer{Body: `{"code":0,"msg":"success","data":{}}`}
	})
	return v
}

func (v *vendor) provider(t *testing.T) *getui.Provider {
	t.Helper()
	p, err := getui.New(getui.Options{URL: v.URL + "/v2/app1/", AppKey: "key", MasterSecret: "master", Intent: "intent:#end", ChannelID: "c", ChannelName: "n"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func users(ids ...string) (list []push.Target) {
	for _, id := range ids {
		list = append(list, push.Target{UserID: id})
	}
	return list
}

var note = push.Notification{Title: "title", Desc: "text", Ex: "e", Sound: "s"}

func TestSingle(t *testing.T) {
	t.Parallel()
	v := start(t)
	p := v.provider(t)
	for range 2 {
		if got := p.Push(t.Context(), note, users("alice")); got[0].Outcome != push.Accepted {
			t.Fatalf("results %v", got)
		}
	}
	if v.logins != 1 {
		t.Errorf("%d log-ins", v.logins)
	}
	seen := v.Seen()
	var body struct {
		RequestID   string `json:"request_id"`
		Audience    struct{ Alias []string }
		PushMessage struct {
			Notification struct{ Title, Body string }
		} `json:"push_message"`
		PushChannel struct {
			IOS struct {
				Aps struct {
					Sound string
					Alert struct{ Title, Body string }
				}
				Payload string
			}
		} `json:"push_channel"`
	}
	if err := json.Unmarshal([]byte(seen[1].Body), &body); err != nil {
		t.Fatal(err)
	}
	if len(body.RequestID) != 32 || !reflect.DeepEqual(body.Audience.Alias, []string{"alice"}) || body.PushMessage.Notification.Title != "title" ||
		body.PushMessage.Notification.Body != "text" || body.PushChannel.IOS.Aps.Sound != "s" || body.PushChannel.IOS.Payload != "e" {
		t.Errorf("body %s", seen[1].Body)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	v := start(t)
	p := v.provider(t)
	v.token = "ended early"
	got := pushtest.Outcomes(p.Push(t.Context(), note, users("a", "b", "c")))
	if want := (map[string]push.Outcome{"a": push.Accepted, "b": push.Accepted, "c": push.Accepted}); !reflect.DeepEqual(got, want) {
		t.Errorf("outcomes %v", got)
	}
	var paths []string
	for _, r := range v.Seen() {
		paths = append(paths, strings.TrimPrefix(r.Path, "/v2/app1"))
		if strings.HasSuffix(r.Path, "/list/alias") && r.Body != `{"audience":{"alias":["a","b","c"]},"is_async":true,"taskid":"task1"}` {
			t.Errorf("list %s", r.Body)
		}
	}
	if want := []string{"/auth", "/push/list/message", "/push/list/alias"}; !reflect.DeepEqual(paths, want) {
		t.Errorf("calls %v, want %v", paths, want)
	}
	v.token = "ended early"
	if got := p.Push(t.Context(), note, users("a")); got[0].Outcome != push.Accepted {
		t.Errorf("after a token that ended early: %v", got)
	}
}

// TestRecorded plays what was recorded, faults included.
func TestRecorded(t *testing.T) {
	t.Parallel()
	pushtest.Replay(t, "testdata/recorded", false, func(t *testing.T, v *pushtest.Vendor) push.Provider {
		return (&vendor{Vendor: v}).provider(t)
	})
}

func TestBadOptions(t *testing.T) {
	t.Parallel()
	for _, o := range []getui.Options{{URL: "http://x"}, {URL: "https://restapi.getui.com/v2/$appId", AppKey: "k", MasterSecret: "m"}} {
		if _, err := getui.New(o); err == nil || !strings.Contains(err.Error(), "getui") {
			t.Errorf("%v: %v", o, err)
		}
	}
}
