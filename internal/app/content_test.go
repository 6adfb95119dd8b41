package app

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/openimsdk/protocol/conversation"
	"github.com/openimsdk/protocol/sdkws"
	"google.golang.org/protobuf/proto"

	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/wire"
)

// What a client may put into a message arrives as it was written, live and in
// pulls: the server does not know most of it.
func TestContents(t *testing.T) {
	n := startNode(t)
	picture := `{"uuid":"u","type":"png","size":5,"width":3,"height":2,"url":"http://p/1.png"}`
	quoted := `{"clientMsgID":"c","serverMsgID":"s","createTime":1,"sendTime":2,"sessionType":1,"sendID":"a","contentType":101,"seq":1,"textElem":{"content":"q"}}`
	for _, c := range []struct {
		name        string
		contentType int32
		content     string
		options     map[string]bool
		unstored    bool
	}{
		{name: "text", contentType: 101, content: `{"content":"öß <&> \u2028 9007199254740993"}`},
		{name: "picture", contentType: 102, content: `{"sourcePicture":` + picture + `,"bigPicture":` + picture + `,"snapshotPicture":` + picture + `}`},
		{name: "voice", contentType: 103, content: `{"uuid":"u","sourceUrl":"http://s","dataSize":9223372036854775807,"duration":3}`},
		{name: "video", contentType: 104, content: `{"videoUrl":"http://v","videoSize":5,"duration":3,"snapshotSize":1,"snapshotUrl":"http://s","snapshotWidth":1,"snapshotHeight":1}`},
		{name: "file", contentType: 105, content: `{"sourceUrl":"http://f","fileName":"f","fileSize":5}`},
		{name: "merged", contentType: 107, content: `{"title":"t","abstractList":["a"],"multiMessage":[` + quoted + `]}`},
		{name: "card", contentType: 108, content: `{"userID":"u","nickname":"n","faceURL":"f","ex":""}`},
		{name: "location", contentType: 109, content: `{"description":"d","longitude":1.25,"latitude":-2.5}`},
		{name: "custom", contentType: 110, content: `{"data":"{\"k\":1}","description":"","extension":""}`},
		{name: "quote", contentType: 114, content: `{"text":"t","quoteMessage":` + quoted + `}`},
		{name: "face", contentType: 115, content: `{"index":3,"data":"d"}`},
		{name: "advanced text", contentType: 117, content: `{"text":"t","messageEntityList":[{"type":"url","offset":0,"length":1,"url":"u","ex":""}]}`},
		{name: "markdown", contentType: 118, content: `{"content":"# m"}`},
		{name: "without effect on the conversation", contentType: 119, content: `{"data":"d"}`, options: map[string]bool{"conversationUpdate": false, "senderConversationUpdate": false}},
		{name: "for who is online", contentType: 120, content: `{"data":"d"}`, options: map[string]bool{"history": false, "persistent": false}, unstored: true},
		{name: "typing", contentType: 113, content: `{"msgTips":"yes"}`, options: map[string]bool{"history": false, "persistent": false, "senderSync": false}, unstored: true},
		{name: "typing without options", contentType: 113, content: `{"msgTips":"no"}`, unstored: true},
		{name: "no JSON", contentType: 110, content: "\x00\xff"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := n.in(t).newCell(false)
			alice, bob := n.names["alice"], n.names["bob"]
			m := textFrom(alice, bob)
			m.ContentType, m.Content, m.Options = c.contentType, []byte(c.content), c.options
			m.Ex, m.AttachedInfo, m.SenderNickname = "ex", `{"isPrivateChat":true,"burnDuration":30}`, "n"
			m.OfflinePushInfo = &sdkws.OfflinePushInfo{Title: "t", Desc: "d"}
			receiver := n.connect(bob)
			r, ok := n.connect(alice).ask(alice, wire.SendMsg, m)
			if !ok || r.ErrCode != 0 {
				t.Fatalf("answered %v, errCode %d %s", ok, r.ErrCode, r.ErrMsg)
			}
			same := func(where string, got *sdkws.MsgData) {
				t.Helper()
				if string(got.Content) != c.content || got.ContentType != c.contentType || got.Ex != m.Ex || got.AttachedInfo != m.AttachedInfo ||
					got.ClientMsgID != m.ClientMsgID || got.OfflinePushInfo.GetTitle() != "t" || got.SenderNickname != "n" {
					t.Errorf("%s: %v", where, got)
				}
			}
			pushed := receiver.pushedUntil(c.contentType)
			if len(pushed) != 1 {
				t.Fatalf("pushed %v", pushed)
			}
			same("live", pushed[0])
			pulled := receiver.pull(bob, n.names["chat"])
			if c.unstored {
				if len(pulled) != 0 || pushed[0].Seq != 0 {
					t.Errorf("stored: %v", pulled)
				}
				return
			}
			if len(pulled) == 0 {
				t.Error("nothing to pull")
			}
			for _, got := range pulled {
				if got.Seq == 1 {
					same("pulled", got)
				}
			}
		})
	}
}

// Both sides of a private chat are told of it and of what remains of it; its
// messages carry their term, and who has read one removes it.
func TestPrivateChat(t *testing.T) {
	c := startNode(t).newCell(false)
	alice, bob := c.names["alice"], c.names["bob"]
	aliceToken, bobToken := c.token(alice), c.token(bob)
	receiver := c.connect(bob)
	set := func(change string) {
		t.Helper()
		got := c.call(aliceToken, "/conversation/set_conversations", c.fill(
			`{"userIDs":["@alice"],"conversation":{"conversationID":"@chat","conversationType":1,"userID":"@bob",`+change+`}}`))
		if got.ErrCode != 0 {
			t.Fatalf("%s: %d %s", change, got.ErrCode, got.ErrDlt)
		}
	}
	row := func(token, userID string) *conversation.Conversation {
		t.Helper()
		var resp conversation.GetConversationResp
		got := c.call(token, "/conversation/get_conversation", fmt.Sprintf(`{"ownerUserID":%q,"conversationID":%q}`, userID, c.names["chat"]))
		if err := json.Unmarshal(got.Data, &resp); got.ErrCode != 0 || err != nil {
			t.Fatalf("%d %v", got.ErrCode, err)
		}
		return resp.Conversation
	}
	set(`"isPrivateChat":true`)
	set(`"burnDuration":30`)
	if !row(aliceToken, alice).IsPrivateChat || row(aliceToken, alice).BurnDuration != 30 || !row(bobToken, bob).IsPrivateChat {
		t.Errorf("rows %v %v", row(aliceToken, alice), row(bobToken, bob))
	}
	m := textFrom(alice, bob)
	m.Options = map[string]bool{"notPrivate": false}
	m.AttachedInfo = `{"isPrivateChat":true,"burnDuration":30}`
	if r, ok := c.connect(alice).ask(alice, wire.SendMsg, m); !ok || r.ErrCode != 0 {
		t.Fatalf("answered %v, errCode %d", ok, r.ErrCode)
	}
	var types []int32
	for _, p := range receiver.pushedUntil(101) {
		types = append(types, p.ContentType)
		c.names["seq"] = fmt.Sprint(p.Seq)
		if p.ContentType == 101 && (p.AttachedInfo != m.AttachedInfo || p.Options["notPrivate"]) {
			t.Errorf("pushed %v", p)
		}
	}
	if fmt.Sprint(types) != "[1701 101]" && fmt.Sprint(types) != "[1701 1701 101]" {
		t.Errorf("bob was pushed %v", types)
	}
	for _, step := range []struct{ path, body string }{
		{"/msg/mark_msgs_as_read", `{"userID":"@bob","conversationID":"@chat","seqs":[@seq]}`},
		{"/msg/delete_msgs", `{"userID":"@bob","conversationID":"@chat","seqs":[@seq]}`},
	} {
		if got := c.call(bobToken, step.path, c.fill(step.body)); got.ErrCode != 0 {
			t.Fatalf("%s: %d %s", step.path, got.ErrCode, got.ErrDlt)
		}
	}
	for _, left := range receiver.pull(bob, c.names["chat"]) {
		if left.ContentType == 101 && left.Status != int32(im.StatusDeleted) {
			t.Errorf("bob still reads %v", left)
		}
	}
	for _, kept := range c.connect(alice).pull(alice, c.names["chat"]) {
		if kept.ContentType == 101 && (len(kept.Content) == 0 || !kept.IsRead) {
			t.Errorf("alice reads %v", kept)
		}
	}
}

// A user who sends too fast is told so; nothing else of his is affected.
func TestSendLimit(t *testing.T) {
	n := startNodeWith(t, func(c *config.Config) { c.Limits = config.Limits{SendsPerSecond: 1, SendBurst: 3} })
	c := n.newCell(false)
	alice, bob := c.names["alice"], c.names["bob"]
	sender := c.connect(alice)
	refused := 0
	for range 20 {
		r, ok := sender.ask(alice, wire.SendMsg, textFrom(alice, bob))
		switch {
		case !ok:
			t.Fatal("the connection was closed")
		case r.ErrCode == 429:
			refused++
		case r.ErrCode != 0:
			t.Fatalf("errCode %d %s", r.ErrCode, r.ErrMsg)
		}
	}
	if refused == 0 {
		t.Error("nothing was refused")
	}
	if r, ok := sender.ask(alice, wire.GetNewestSeq, &sdkws.GetMaxSeqReq{UserID: alice}); !ok || r.ErrCode != 0 {
		t.Errorf("a pull: answered %v, errCode %d", ok, r.ErrCode)
	} else {
		var seqs sdkws.GetMaxSeqResp
		if err := proto.Unmarshal(r.Data, &seqs); err != nil || int(seqs.MaxSeqs[c.names["chat"]]) != 20-refused {
			t.Errorf("%d refused, newest seqs %v", refused, seqs.MaxSeqs)
		}
	}
	c.message() // an administrator has no limit
}
