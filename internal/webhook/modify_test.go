package webhook

import (
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/parley-im/parley/internal/im"
)

func TestModify(t *testing.T) {
	for _, c := range []struct {
		name    string
		answer  string
		changed []string
		change  func(*im.Message) // on what was sent
		dropped string
	}{
		{name: "nothing", answer: approval},
		{name: "nulls", answer: `{"content":null,"ex":null,"options":null,"offlinePushInfo":null,"atUserIDList":null,"senderPlatformID":null}`},
		{
			name: "content", answer: `{"content":"{\"content\":\"changed\"}"}`, changed: []string{"content"},
			change: func(m *im.Message) { m.Content = []byte(`{"content":"changed"}`) },
		},
		{name: "same content", answer: `{"content":"{\"content\":\"hi\"}"}`},
		{
			name: "wrapped", answer: `{"content":{"value":"{}"},"ex":{"value":"x"},"contentType":{"value":110},"senderNickname":{"value":null}}`,
			changed: []string{"content", "contentType", "ex"},
			change:  func(m *im.Message) { m.Content, m.ContentType, m.Ex = []byte(`{}`), 110, "x" },
		},
		{
			name: "every text", answer: `{"recvID":"r","groupID":"g","senderNickname":"n","senderFaceURL":"f","attachedInfo":"a","ex":"e","clientMsgID":"c","serverMsgID":"s"}`,
			changed: []string{"recvID", "groupID", "senderNickname", "senderFaceURL", "attachedInfo", "ex"},
			change: func(m *im.Message) {
				m.RecvID, m.GroupID, m.SenderNickname, m.SenderFaceURL, m.AttachedInfo, m.Ex = "r", "g", "n", "f", "a", "e"
				m.ClientMsgID, m.ServerMsgID = "c", "s"
			},
		},
		{
			name: "every number", answer: `{"senderPlatformID":5,"sessionType":3,"msgFrom":200,"contentType":110,"status":2}`,
			changed: []string{"senderPlatformID", "sessionType", "msgFrom", "contentType", "status"},
			change: func(m *im.Message) {
				m.SenderPlatform, m.SessionType, m.MsgFrom, m.ContentType, m.Status = 5, im.GroupChat, 200, 110, 2
			},
		},
		{
			name: "options replace", answer: `{"options":{"unreadCount":false}}`, changed: []string{"options"},
			change: func(m *im.Message) { m.Options = im.Options{"unreadCount": false} },
		},
		{
			name: "push info for a message without one", answer: `{"offlinePushInfo":{"title":"t","iOSBadgeCount":true}}`, changed: []string{"offlinePushInfo"},
			change: func(m *im.Message) { m.Push = &im.PushInfo{Title: "t", IOSBadgeCount: true} },
		},
		{
			name: "at list replaces", answer: `{"atUserIDList":["x"]}`, changed: []string{"atUserIDList"},
			change: func(m *im.Message) { m.AtUserIDs = []string{"x"} },
		},
		{name: "empty text is a value", answer: `{"ex":""}`},
		{name: "other case", answer: `{"EX":"x"}`, changed: []string{"ex"}, change: func(m *im.Message) { m.Ex = "x" }},
		{
			name: "wrong types are dropped", answer: `{"ex":5,"contentType":"110","options":{"a":1},"offlinePushInfo":"x","atUserIDList":"y","recvID":"r","status":1.5}`,
			changed: []string{"recvID"}, change: func(m *im.Message) { m.RecvID = "r" },
			dropped: "[contentType status options offlinePushInfo atUserIDList ex]",
		},
		{name: "ids that are none", answer: `{"clientMsgID":"","serverMsgID":"a\u0000b"}`, dropped: "[clientMsgID serverMsgID]"},
		{name: "message lists are ignored", answer: `{"msgDataList":[1,2]}`},
		{name: "overrides of a handler that failed", answer: `{"actionCode":1,"nextCode":0,"ex":"x"}`, changed: []string{"ex"}, change: func(m *im.Message) { m.Ex = "x" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log logged
			h := serve(t, says(c.answer))
			e := newEngine(t, Config{URL: h.URL, StrictActionCode: true, Callbacks: on(Callback{FailedContinue: true}, "beforeMsgModify")}, Options{Logger: log.logger(slog.LevelWarn)})
			m, want := text("hi"), text("hi")
			if c.change != nil {
				c.change(want)
			}
			asked, changed, err := e.Modify(operation(), m)
			if !asked || err != nil {
				t.Fatalf("asked %v, %v", asked, err)
			}
			if !reflect.DeepEqual(changed, c.changed) {
				t.Errorf("changed %v, want %v", changed, c.changed)
			}
			if !reflect.DeepEqual(m, want) {
				t.Errorf("message\n%+v\nwant\n%+v", m, want)
			}
			if got := strings.Contains(log.String(), "overrides of the wrong type"); got != (c.dropped != "") || !strings.Contains(log.String(), c.dropped) {
				t.Errorf("log %s, want dropped %s", log.String(), c.dropped)
			}
		})
	}
	for _, content := range []string{`plain text`, ``, `[]`, `null`, `1`, `{} x`} {
		h := serve(t, says(`{"content":"`+content+`","ex":"x"}`))
		e := newEngine(t, Config{URL: h.URL, Callbacks: on(Callback{FailedContinue: true}, "beforeMsgModify")}, Options{})
		_, _, err := e.Modify(operation(), text("hi"))
		if refusal, _ := errors.AsType[*im.Error](err); refusal == nil || refusal.Code != 1001 || !strings.HasPrefix(refusal.Detail, "webhook msg modify content is not json") {
			t.Errorf("content %q: %v, want 1001", content, err)
		}
	}
	// No overrides from an answer that is none.
	h := serve(t, says(`{"ex":"x"}{}`))
	e := newEngine(t, Config{URL: h.URL, Callbacks: on(Callback{FailedContinue: true}, "beforeMsgModify")}, Options{})
	if m := text("hi"); true {
		if _, changed, err := e.Modify(operation(), m); err != nil || changed != nil || m.Ex != "" {
			t.Errorf("malformed answer: changed %v, %v", changed, err)
		}
	}
}
