package app

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/openimsdk/protocol/msg"
	"github.com/openimsdk/protocol/sdkws"
	"google.golang.org/protobuf/proto"

	"github.com/parley-im/parley/internal/wire"
)

// pull asks for the first seqs of a log in each of the three ways there are, and
// returns what they brought: messages and, for the last message, its text.
func (c *connection) pull(userID, conversationID string) (found []*sdkws.MsgData) {
	c.t.Helper()
	reply := func(identifier int32, in, out proto.Message) {
		c.t.Helper()
		r, ok := c.ask(c.user, identifier, in)
		if !ok || r.ErrCode != 0 {
			c.t.Fatalf("%d: answered %v, errCode %d %s", identifier, ok, r.ErrCode, r.ErrMsg)
		}
		if err := proto.Unmarshal(r.Data, out); err != nil {
			c.t.Fatal(err)
		}
	}
	var ranges sdkws.PullMessageBySeqsResp
	reply(wire.PullMsgByRange, &sdkws.PullMessageBySeqsReq{
		UserID: userID, SeqRanges: []*sdkws.SeqRange{{ConversationID: conversationID, Begin: 1, End: 9, Num: 9}},
	}, &ranges)
	var seqs msg.GetSeqMessageResp
	reply(wire.PullMsgBySeqList, &msg.GetSeqMessageReq{
		UserID: userID, Conversations: []*msg.ConversationSeqs{{ConversationID: conversationID, Seqs: []int64{1, 2, 3}}},
	}, &seqs)
	for _, m := range []map[string]*sdkws.PullMsgs{ranges.Msgs, ranges.NotificationMsgs, seqs.Msgs, seqs.NotificationMsgs} {
		for _, list := range m {
			found = append(found, list.Msgs...)
		}
	}
	var last msg.GetLastMessageResp
	reply(wire.PullConvLastMessage, &msg.GetLastMessageReq{UserID: userID, ConversationIDs: []string{conversationID}}, &last)
	for _, m := range last.Msgs {
		found = append(found, m)
	}
	return found
}

func (c *cell) pulls(who, conversationID string, want bool) {
	c.t.Helper()
	userID := c.names[who]
	if got := c.connect(userID).pull(userID, c.fill(conversationID)); (len(got) > 0) != want {
		c.t.Errorf("%s reads %s: %v", who, conversationID, got)
	}
}

// What OpenIM lets clients do and should not (the specification's marks, and
// rest-api 6.2). Calls that are for administrators here are in the table of
// authorisation.
func TestHoles(t *testing.T) {
	whole := startNode(t)
	send := func(c *cell, from string, m *sdkws.MsgData) (int32, *sdkws.MsgData) {
		c.t.Helper()
		r, ok := c.connect(from).ask(from, wire.SendMsg, m)
		if !ok {
			c.t.Fatal("no answer")
		}
		got := c.connect(from).pull(from, c.names["chat"])
		if len(got) == 0 {
			return r.ErrCode, nil
		}
		return r.ErrCode, got[len(got)-1]
	}
	for _, hole := range []struct {
		name string
		try  func(c *cell)
	}{
		{"a client chooses the time of its message", func(c *cell) {
			m := textFrom(c.names["alice"], c.names["bob"])
			m.SendTime = 5
			if code, got := send(c, c.names["alice"], m); code != 0 || got.SendTime == 5 {
				c.t.Errorf("errCode %d, sent %v", code, got)
			}
		}},
		{"a client sends as the system", func(c *cell) {
			m := textFrom(c.names["alice"], c.names["bob"])
			m.MsgFrom, m.ServerMsgID, m.Seq, m.IsRead, m.SenderPlatformID = 200, "mine", 77, true, 10
			code, got := send(c, c.names["alice"], m)
			if code != 0 || got.MsgFrom != 100 || got.ServerMsgID == "mine" || got.Seq != 1 || got.IsRead || got.SenderPlatformID != 2 {
				c.t.Errorf("errCode %d, sent %v", code, got)
			}
		}},
		{"a client sets the server's options", func(c *cell) {
			m := textFrom(c.names["alice"], c.names["bob"])
			m.Options = map[string]bool{"isNotNotification": false, "isSendMsg": false}
			code, got := send(c, c.names["alice"], m)
			if _, set := got.GetOptions()["isNotNotification"]; code != 0 || set {
				c.t.Errorf("errCode %d, sent %v", code, got)
			}
		}},
		{"a client sends the server's notifications", func(c *cell) {
			for _, contentType := range []int32{1000, 1201, 1400, 1501, 2001, 2101, 2102, 2200, 5000} {
				m := textFrom(c.names["alice"], c.names["bob"])
				m.ContentType = contentType
				if r, ok := c.connect(m.SendID).ask(m.SendID, wire.SendMsg, m); !ok || r.ErrCode != 1002 {
					c.t.Errorf("type %d: answered %v, errCode %d", contentType, ok, r.ErrCode)
				}
			}
			c.pulls("bob", "@chat", false)
		}},
		{"a client writes as a notification account", func(c *cell) {
			m := textFrom(c.names["alice"], c.names["bob"])
			m.SessionType, m.ContentType = 4, 1400
			if r, ok := c.connect(m.SendID).ask(m.SendID, wire.SendMsg, m); !ok || r.ErrCode != 1002 {
				c.t.Errorf("answered %v, errCode %d", ok, r.ErrCode)
			}
		}},
		{"others read a chat", func(c *cell) {
			c.message()
			c.pulls("bob", "@chat", true)
			c.pulls("stranger", "@chat", false)
		}},
		{"others read the notifications of two users", func(c *cell) {
			c.message()
			c.do("/msg/revoke_msg", `{"userID":"@alice","conversationID":"@chat","seq":1}`)
			log := "n_" + c.names["chat"][len("si_"):]
			c.pulls("bob", log, true)
			c.pulls("stranger", log, false)
		}},
		{"others read a user's own notifications", func(c *cell) {
			c.message()
			c.do("/msg/delete_msgs", `{"userID":"@alice","conversationID":"@chat","seqs":[1],"deleteSyncOpt":{"IsSyncSelf":true}}`)
			c.pulls("alice", "n_@alice_@alice", true)
			c.pulls("bob", "n_@alice_@alice", false)
		}},
		{"outsiders read a group and its notifications", func(c *cell) {
			c.groupMessage()
			c.do("/msg/revoke_msg", `{"userID":"imAdmin","conversationID":"sg_@g","seq":1}`)
			for _, log := range []string{"sg_@g", "n_@g"} {
				c.pulls("member", log, true)
				c.pulls("stranger", log, false)
			}
		}},
		{"who was kicked reads on", func(c *cell) {
			c.groupMessage()
			c.do("/group/kick_group", `{"groupID":"@g","kickedUserIDs":["@member"],"sendMessage":false}`)
			c.groupMessage()
			c.do("/msg/revoke_msg", `{"userID":"imAdmin","conversationID":"sg_@g","seq":2}`)
			c.pulls("member", "n_@g", false)
			for _, m := range c.connect(c.names["member"]).pull(c.names["member"], "sg_"+c.names["g"]) {
				if m.Seq > 1 {
					c.t.Errorf("reads %v", m)
				}
			}
		}},
		{"who was kicked gives himself the group back", func(c *cell) {
			c.do("/group/kick_group", `{"groupID":"@g","kickedUserIDs":["@member"],"sendMessage":false}`)
			c.groupMessage()
			got := c.call(c.token(c.names["member"]), "/conversation/set_conversations", c.fill(
				`{"userIDs":["@member"],"conversation":{"conversationID":"sg_@g","conversationType":3,"groupID":"@g","maxSeq":0,"minSeq":0,"isPinned":true}}`))
			if got.ErrCode != 0 && got.ErrCode != 1203 {
				c.t.Errorf("errCode %d %s", got.ErrCode, got.ErrDlt)
			}
			c.pulls("member", "sg_@g", false)
		}},
		{"a user removes others' messages for everybody", func(c *cell) {
			c.message()
			got := c.call(c.token(c.names["bob"]), "/msg/delete_msgs", c.fill(
				`{"userID":"@bob","conversationID":"@chat","seqs":[1],"deleteSyncOpt":{"IsSyncOther":true}}`))
			if got.ErrCode != 1002 {
				c.t.Errorf("errCode %d", got.ErrCode)
			}
			c.pulls("alice", "@chat", true)
		}},
		{"a user clears a chat for the other", func(c *cell) {
			c.message()
			for _, call := range []struct{ path, body string }{
				{"/msg/clear_conversation_msg", `{"userID":"@bob","conversationIDs":["@chat"],"deleteSyncOpt":{"IsSyncOther":true}}`},
				{"/msg/user_clear_all_msg", `{"userID":"@bob","deleteSyncOpt":{"IsSyncOther":true}}`},
			} {
				if got := c.call(c.token(c.names["bob"]), call.path, c.fill(call.body)); got.ErrCode != 1002 {
					c.t.Errorf("%s: errCode %d", call.path, got.ErrCode)
				}
			}
			c.pulls("alice", "@chat", true)
		}},
		{"who is removed or blocked is told", func(c *cell) {
			bob := c.connect(c.names["bob"])
			c.friends()
			bob.pushedUntil(1201)
			c.do("/friend/add_black", `{"ownerUserID":"@alice","blackUserID":"@bob"}`)
			c.do("/friend/remove_black", `{"ownerUserID":"@alice","blackUserID":"@bob"}`)
			c.do("/friend/set_friend_remark", `{"ownerUserID":"@alice","friendUserID":"@bob","remark":"r"}`)
			c.do("/friend/delete_friend", `{"ownerUserID":"@alice","friendUserID":"@bob"}`)
			c.friends()
			for _, m := range bob.pushedUntil(1201) {
				if m.ContentType >= 1205 && m.ContentType <= 1208 {
					c.t.Errorf("pushed %v", m)
				}
			}
		}},
		{"a user takes over another's push token", func(c *cell) {
			got := c.call(c.token(c.names["stranger"]), "/third/fcm_update_token", c.fill(`{"account":"@alice","platformID":2,"fcmToken":"t","expireTime":9}`))
			if got.ErrCode != 1002 {
				c.t.Errorf("errCode %d", got.ErrCode)
			}
		}},
		{"a user applies to a group for another", func(c *cell) {
			got := c.call(c.token(c.names["stranger"]), "/group/join_group", c.fill(`{"groupID":"@g","inviterUserID":"@alice","joinSource":3}`))
			if got.ErrCode != 1002 {
				c.t.Errorf("errCode %d", got.ErrCode)
			}
		}},
		{"errors tell of the inside", func(c *cell) {
			got := c.call(c.token(c.names["alice"]), "/user/get_users_info", `{"userIDs":5}`)
			raw, _ := json.Marshal(got) // always encodes
			if got.ErrCode != 1001 || len(raw) > 400 {
				c.t.Errorf("%s", raw)
			}
		}},
	} {
		t.Run(hole.name, func(t *testing.T) { hole.try(whole.in(t).newCell(true)) })
	}
}

// pushedUntil makes requests until a message of a type was pushed, and returns all
// that were: the sender hears of a message a moment before it is pushed.
func (c *connection) pushedUntil(contentType int32) (pushed []*sdkws.MsgData) {
	c.t.Helper()
	c.onPush = func(r wire.Response) {
		var p sdkws.PushMessages
		if err := proto.Unmarshal(r.Data, &p); err != nil {
			c.t.Fatal(err)
		}
		for _, m := range []map[string]*sdkws.PullMsgs{p.Msgs, p.NotificationMsgs} {
			for _, list := range m {
				pushed = append(pushed, list.Msgs...)
			}
		}
	}
	for range 1000 {
		if r, ok := c.ask(c.user, wire.GetNewestSeq, &sdkws.GetMaxSeqReq{UserID: c.user}); !ok || r.ErrCode != 0 {
			c.t.Fatal(fmt.Sprint("no reply: ", r.ErrMsg))
		}
		if slices.ContainsFunc(pushed, func(m *sdkws.MsgData) bool { return m.ContentType == contentType }) {
			return pushed
		}
	}
	c.t.Fatalf("no message of type %d was pushed", contentType)
	return nil
}
