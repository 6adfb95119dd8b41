package jpush_test

import (
	"strings"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/push"
	"github.com/parley-im/parley/internal/push/jpush"
	"github.com/parley-im/parley/internal/push/pushtest"
)

func TestPush(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		answer pushtest.Answer
		want   push.Outcome
	}{
		"taken":     {pushtest.Answer{Body: `{"sendno":"0","msg_id":"18100287008546364"}`}, push.Accepted},
		"nobody":    {pushtest.Answer{Status: 400, Body: `{"error":{"code":1011,"message":"cannot find user by this audience"}}`}, push.Refused},
		"wrong key": {pushtest.Answer{Status: 401, Body: `{"error":{"code":1004,"message":"authen failed"}}`}, push.Refused},
		"too often": {pushtest.Answer{Status: 429, RetryAfter: "9", Body: `{"error":{"code":2002,"message":"Rate limit exceeded"}}`}, push.Later},
		"down":      {pushtest.Answer{Status: 503}, push.Later},
		"hangs up":  {pushtest.Answer{HangUp: true}, push.Later},
	} {
		vendor := pushtest.Start(t, false, func(pushtest.Request) pushtest.Answer { return c.answer })
		p, err := jpush.New(jpush.Options{URL: vendor.URL + "/v3/push", AppKey: "key", MasterSecret: "master", Intent: "intent:#end", Production: true})
		if err != nil {
			t.Fatal(err)
		}
		got := p.Push(t.Context(), push.Notification{Title: "title", Desc: "text", Ex: "e", Sound: "s", ClientMsgID: "m"},
			[]push.Target{{UserID: "alice"}, {UserID: "bob"}})
		for _, r := range got {
			if r.Outcome != c.want || (r.Reason == "") != (c.want == push.Accepted) {
				t.Errorf("%s: %v", what, r)
			}
			if what == "too often" && r.After != 9*time.Second {
				t.Errorf("asks for %s", r.After)
			}
		}
		seen := vendor.Seen()[0]
		want := `{"audience":{"alias":["alice","bob"]},"notification":{"alert":"text",` +
			`"android":{"alert":"text","extras":{"ClientMsgID":"m","ex":"e"},"intent":{"url":"intent:#end"},"title":"title"},` +
			`"ios":{"alert":{"body":"text","title":"title"},"badge":"+1","extras":{"ClientMsgID":"m","ex":"e"},"mutable-content":true,"sound":"s"}},` +
			`"options":{"apns_production":true},"platform":"all"}`
		if seen.Path != "/v3/push" || seen.Body != want || seen.Header.Get("Authorization") != "Basic a2V5Om1hc3Rlcg==" {
			t.Errorf("%s: %s %v\n%s\nwant %s", what, seen.Path, seen.Header, seen.Body, want)
		}
	}
}

func TestBadOptions(t *testing.T) {
	t.Parallel()
	if _, err := jpush.New(jpush.Options{AppKey: "k"}); err == nil || !strings.Contains(err.Error(), "jpush") {
		t.Error(err)
	}
}
