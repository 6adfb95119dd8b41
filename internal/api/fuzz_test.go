package api

import (
	"encoding/json"
	"testing"

	"github.com/parley-im/parley/internal/im"
)

// FuzzSendMsg: whatever is posted, decoding and the checks of the content end
// with an error or a message that can be sent.
func FuzzSendMsg(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, `[]`, `"`, `{"content":{}}`, `{"content":"x"}`, `{"content":null,"contentType":101}`,
		`{"sendID":"a","recvID":"b","sessionType":1,"contentType":101,"content":{"content":"hi"}}`,
		`{"sendID":"a","recvID":"b","sessionType":1,"contentType":102,"content":{"sourcePicture":{"type":"png","width":"1","height":true,"url":5}}}`,
		`{"sendID":"a","recvID":"b","sessionType":1,"contentType":106,"content":{"text":"@x","atUserList":["x"],"quoteMessage":{"textElem":{"content":1e999}}}}`,
		`{"sendID":"a","groupID":"g","sessionType":3,"contentType":114,"content":{"QUOTEMESSAGE":{"pictureElem":{}}}}`,
		`{"sendID":"a","recvID":"b","sessionType":4,"contentType":1400,"content":{"notificationName":"n","notificationType":1,"text":"t","mixType":5}}`,
		`{"sendID":"a\u0000","content":{"content":"\\u0000"}}`,
		`{"offlinePushInfo":{"title":5},"sendTime":-1}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var req sendMsgReq
		if decodeBytes(body, &req) != nil {
			return
		}
		shape, ok := contents[req.ContentType]
		if !ok || shape.check("content", req.Content.fields) != nil {
			return
		}
		if !json.Valid(req.Content.raw) || req.Content.raw[0] != '{' {
			t.Fatalf("content %q passed", req.Content.raw)
		}
		if req.ContentType == im.ContentAtText {
			if users, ok := lookUp(req.Content.fields, "atUserList").([]any); !ok || len(users) == 0 {
				t.Fatal("a mention of nobody passed")
			}
		}
	})
}
