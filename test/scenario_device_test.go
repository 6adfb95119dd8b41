package test

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"testing"
	"time"

	"github.com/openimsdk/protocol/msg"
	"github.com/openimsdk/protocol/sdkws"
	"google.golang.org/protobuf/proto"
)

const (
	platformIOS = 1
	platformWeb = 5

	singleChat = 1
	groupChat  = 3

	contentText     = 101
	contentCustom   = 110
	contentMarkdown = 118
)

// device is a connection that keeps what is pushed to it until it is asked.
type device struct {
	*jsonClient
	inbox []*sdkws.MsgData
	// notices is how many messages of notification logs were pushed.
	notices int
}

func (n *node) device(t *testing.T, userID string, platformID int) *device {
	t.Helper()
	return &device{jsonClient: connectJSON(t, n.child, userID, platformID)}
}

// withToken connects with a token that the user has already.
func (n *node) withToken(t *testing.T, userID string, platformID int, token string) *device {
	t.Helper()
	conn, first := dialJSON(t, n.child, jsonQuery(userID, token, platformID))
	if first != (refusal{}) {
		t.Fatalf("handshake of %s: %+v", userID, first)
	}
	return &device{jsonClient: &jsonClient{t: t, conn: conn, userID: userID, token: token}}
}

// keep takes a frame that is not a reply.
func (d *device) keep(resp jsonResponse) {
	d.t.Helper()
	if resp.ReqIdentifier != pushMessage || resp.ErrCode != 0 {
		d.t.Fatalf("%s was sent %+v, want a push", d.userID, resp)
	}
	var push sdkws.PushMessages
	if err := proto.Unmarshal(resp.Data, &push); err != nil {
		d.t.Fatal(err)
	}
	for _, list := range push.Msgs {
		d.inbox = append(d.inbox, list.Msgs...)
	}
	for _, list := range push.NotificationMsgs {
		d.notices += len(list.Msgs)
	}
}

// next is the next message pushed to the device.
func (d *device) next() *sdkws.MsgData {
	d.t.Helper()
	for len(d.inbox) == 0 {
		d.keep(d.read())
	}
	m := d.inbox[0]
	d.inbox = d.inbox[1:]
	return m
}

// reply waits for the answer to a request.
func (d *device) reply(msgIncr string) jsonResponse {
	d.t.Helper()
	for {
		if resp := d.read(); resp.MsgIncr == msgIncr {
			return resp
		} else {
			d.keep(resp)
		}
	}
}

// query makes a request that must succeed.
func (d *device) query(id int, payload, answer proto.Message) {
	d.t.Helper()
	resp := d.reply(d.write(id, "query", payload))
	if resp.ErrCode != 0 {
		d.t.Fatalf("request %d was answered %+v", id, resp)
	}
	if err := proto.Unmarshal(resp.Data, answer); err != nil {
		d.t.Fatal(err)
	}
}

// maxSeq is how long a conversation's log is.
func (d *device) maxSeq(conversationID string) int64 {
	d.t.Helper()
	var newest sdkws.GetMaxSeqResp
	d.query(reqNewestSeq, &sdkws.GetMaxSeqReq{UserID: d.userID}, &newest)
	return newest.MaxSeqs[conversationID]
}

// history pulls everything of a conversation.
func (d *device) history(conversationID string) []*sdkws.MsgData {
	d.t.Helper()
	end := d.maxSeq(conversationID)
	if end == 0 {
		return nil
	}
	var pulled sdkws.PullMessageBySeqsResp
	d.query(reqPull, &sdkws.PullMessageBySeqsReq{UserID: d.userID, SeqRanges: []*sdkws.SeqRange{
		{ConversationID: conversationID, Begin: 1, End: end, Num: end},
	}}, &pulled)
	return pulled.Msgs[conversationID].GetMsgs()
}

// post is what a scenario sends.
type post struct {
	from, to    string
	group       string // instead of to
	content     string // JSON
	contentType int    // default text
	operationID string
}

func text(s string) string {
	raw, _ := json.Marshal(map[string]string{"content": s}) // a string
	return string(raw)
}

func custom(s string) string {
	raw, _ := json.Marshal(map[string]string{"data": s, "description": "", "extension": ""}) // strings
	return string(raw)
}

func (p post) sessionType() int32 {
	if p.group != "" {
		return groupChat
	}
	return singleChat
}

// conversation is the log the post goes to.
func (p post) conversation() string {
	if p.group != "" {
		return "sg_" + p.group
	}
	return "si_" + min(p.from, p.to) + "_" + max(p.from, p.to)
}

// sent is what the sender is told.
type sent struct {
	refusal
	serverMsgID, clientMsgID string
	content                  string // what it was changed to, if it was
}

func newClientMsgID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// send posts over the device's connection.
func (d *device) send(p post) sent {
	d.t.Helper()
	return d.sent(d.begin(p))
}

// begin sends without waiting for the answer.
func (d *device) begin(p post) (msgIncr string) {
	d.t.Helper()
	contentType := p.contentType
	if contentType == 0 {
		contentType = contentText
	}
	return d.write(reqSend, p.operationID, &sdkws.MsgData{
		SendID: p.from, RecvID: p.to, GroupID: p.group, ClientMsgID: newClientMsgID(), SenderPlatformID: platformMiniWeb,
		SessionType: p.sessionType(), MsgFrom: 100, ContentType: int32(contentType), Content: []byte(p.content),
		CreateTime: time.Now().UnixMilli(), Status: 1,
	})
}

// sent waits for the answer to begin.
func (d *device) sent(msgIncr string) sent {
	d.t.Helper()
	resp := d.reply(msgIncr)
	out := sent{refusal: refusal{ErrCode: resp.ErrCode, ErrMsg: resp.ErrMsg}}
	if resp.ErrCode != 0 {
		if len(resp.Data) != 0 {
			d.t.Errorf("a refusal with data: %+v", resp)
		}
		return out
	}
	var ack msg.SendMsgResp
	if err := proto.Unmarshal(resp.Data, &ack); err != nil {
		d.t.Fatal(err)
	}
	out.serverMsgID, out.clientMsgID, out.content = ack.ServerMsgID, ack.ClientMsgID, string(ack.Modify.GetContent())
	return out
}

// send posts by REST, as a business server does for a user.
func (n *node) send(t *testing.T, p post) sent {
	t.Helper()
	contentType := p.contentType
	if contentType == 0 {
		contentType = contentText
	}
	body := map[string]any{
		"sendID": p.from, "recvID": p.to, "groupID": p.group, "senderPlatformID": platformIOS, "content": json.RawMessage(p.content),
		"contentType": contentType, "sessionType": p.sessionType(),
	}
	var ack struct {
		ServerMsgID, ClientMsgID string
		Modify                   struct{ Content string }
	}
	r, err := n.rest(t.Context(), p.operationID, "/msg/send_msg", body, &ack)
	if err != nil {
		t.Fatal(err)
	}
	return sent{refusal: r, serverMsgID: ack.ServerMsgID, clientMsgID: ack.ClientMsgID, content: ack.Modify.Content}
}

// makeGroup makes a group of the first user with the others.
func (n *node) makeGroup(t *testing.T, owner string, members ...string) (groupID string) {
	t.Helper()
	var made struct{ GroupInfo struct{ GroupID string } }
	n.call(t, "/group/create_group", map[string]any{
		"ownerUserID": owner, "memberUserIDs": members, "groupInfo": map[string]any{"groupName": "g", "groupType": 2},
	}, &made)
	return made.GroupInfo.GroupID
}
