package app

import (
	"encoding/json"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/openimsdk/protocol/msg"
	"github.com/openimsdk/protocol/sdkws"
	"google.golang.org/protobuf/proto"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/wire"
)

// requests are the same table for the long connection: identifiers with the
// request about alice.
var requests = []struct {
	row
	identifier int32
	about      func(*cell) proto.Message
}{
	{
		row{name: "1001 GetNewestSeq", may: self},
		wire.GetNewestSeq,
		func(c *cell) proto.Message { return &sdkws.GetMaxSeqReq{UserID: c.names["alice"]} },
	},
	{
		row{name: "1002 PullMessageBySeqs", may: self},
		wire.PullMsgByRange,
		func(c *cell) proto.Message {
			return &sdkws.PullMessageBySeqsReq{UserID: c.names["alice"], SeqRanges: []*sdkws.SeqRange{{ConversationID: c.names["chat"], Begin: 1, End: 9, Num: 9}}}
		},
	},
	{
		row{name: "1003 SendMsg", may: self, note: "what only the server may say (control types, options, times) is refused or replaced"},
		wire.SendMsg,
		func(c *cell) proto.Message { return textFrom(c.names["alice"], c.names["bob"]) },
	},
	{
		row{name: "1005 GetSeqMessage", may: self},
		wire.PullMsgBySeqList,
		func(c *cell) proto.Message {
			return &msg.GetSeqMessageReq{UserID: c.names["alice"], Conversations: []*msg.ConversationSeqs{{ConversationID: c.names["chat"], Seqs: []int64{1}}}}
		},
	},
	{
		row{name: "1006 GetConversationsHasReadAndMaxSeq", may: self},
		wire.GetConvMaxReadSeq,
		func(c *cell) proto.Message { return &msg.GetConversationsHasReadAndMaxSeqReq{UserID: c.names["alice"]} },
	},
	{
		row{name: "1007 GetLastMessage", may: self},
		wire.PullConvLastMessage,
		func(c *cell) proto.Message {
			return &msg.GetLastMessageReq{UserID: c.names["alice"], ConversationIDs: []string{c.names["chat"]}}
		},
	},
	{
		row{name: "2004 SetBackgroundStatus", may: concerned, note: "of this connection"},
		wire.SetBackgroundStatus,
		func(c *cell) proto.Message {
			return &sdkws.SetAppBackgroundStatusReq{UserID: c.names["alice"], IsBackground: true}
		},
	},
	{
		row{name: "2005 SubscribeUserOnlineStatus", may: users, note: "who is online is public among users"},
		wire.SubscribeUserOnlineState,
		func(c *cell) proto.Message {
			return &sdkws.SubUserOnlineStatus{SubscribeUserID: []string{c.names["alice"]}}
		},
	},
	{
		row{name: "2003 Logout", may: users, note: "of this connection, whoever it names"},
		wire.LogoutMsg,
		func(*cell) proto.Message { return &sdkws.GetMaxSeqReq{} },
	},
}

var socketRoles = []role{stranger, concerned, operator}

var ofSockets = func() (rows []row) {
	for _, r := range requests {
		rows = append(rows, r.row)
	}
	return rows
}()

func textFrom(from, to string) *sdkws.MsgData {
	content, _ := json.Marshal(map[string]string{"content": "x"}) // always encodes
	return &sdkws.MsgData{
		SendID: from, RecvID: to, ClientMsgID: im.NewMessageID(), SessionType: 1, MsgFrom: 100, ContentType: 101, Content: content,
	}
}

// connection is a long connection in the form of the JavaScript client.
type connection struct {
	t      *testing.T
	ws     *websocket.Conn
	user   string
	asked  int
	onPush func(wire.Response) // of frames before a reply; nil to ignore them
}

const patience = time.Minute // an error, not a measurement

func (n *node) connect(userID string) *connection {
	n.t.Helper()
	platform := im.PlatformAndroid
	if userID == "imAdmin" {
		platform = im.PlatformAdmin
	}
	query := url.Values{
		"sendID": {userID}, "token": {n.token(userID)}, "platformID": {fmt.Sprint(int(platform))}, "operationID": {"connect"}, "isBackground": {"false"}, "sdkType": {"js"},
	}
	ws, resp, err := websocket.DefaultDialer.DialContext(n.t.Context(), n.socket+"/?"+query.Encode(), nil)
	if err != nil {
		n.t.Fatalf("connect %s: %v", userID, err)
	}
	_ = resp.Body.Close()
	n.t.Cleanup(func() { _ = ws.Close() })
	return &connection{t: n.t, ws: ws, user: userID}
}

// ask makes a request in the name of sendID and returns its reply; ok is false
// if the server hung up instead.
func (c *connection) ask(sendID string, identifier int32, in proto.Message) (r wire.Response, ok bool) {
	c.t.Helper()
	data, err := proto.Marshal(in)
	if err != nil {
		c.t.Fatal(err)
	}
	c.asked++
	incr := fmt.Sprint(c.asked)
	req := wire.Request{ReqIdentifier: identifier, SendID: sendID, OperationID: "op-" + incr, MsgIncr: incr, Data: data}
	if err := c.ws.WriteMessage(websocket.BinaryMessage, wire.JSON.AppendRequest(nil, &req)); err != nil {
		c.t.Fatal(err)
	}
	for {
		_ = c.ws.SetReadDeadline(time.Now().Add(patience))
		kind, b, err := c.ws.ReadMessage()
		if timeout, is := err.(interface{ Timeout() bool }); is && timeout.Timeout() {
			c.t.Fatal("no reply")
		}
		if err != nil {
			return r, false
		}
		if kind != websocket.BinaryMessage {
			continue
		}
		r = wire.Response{}
		if err := wire.JSON.DecodeResponse(b, &r); err != nil {
			c.t.Fatal(err)
		}
		if r.MsgIncr == incr {
			return r, true
		}
		if c.onPush != nil && r.ReqIdentifier == wire.PushMsg {
			c.onPush(r)
		}
	}
}

func TestSocketAuthorisation(t *testing.T) {
	n := startNode(t)
	for _, r := range requests {
		for _, by := range socketRoles {
			t.Run(fmt.Sprintf("%s by %s", r.name, roleNames[by]), func(t *testing.T) {
				c := n.in(t).newCell(false)
				c.message()
				userID := c.caller(by)
				got, ok := c.connect(userID).ask(userID, r.identifier, r.about(c))
				want := 0
				if r.may&by == 0 {
					want = im.ErrNoPermission.Code
				}
				if !ok || int(got.ErrCode) != want {
					t.Errorf("answered %v, errCode %d %s, want %d", ok, got.ErrCode, got.ErrMsg, want)
				}
			})
		}
	}
	t.Run("in the name of another", func(t *testing.T) {
		c := n.in(t).newCell(false)
		if got, ok := c.connect(c.names["stranger"]).ask(c.names["alice"], wire.GetNewestSeq, &sdkws.GetMaxSeqReq{UserID: c.names["alice"]}); ok {
			t.Errorf("answered: %v", got)
		}
	})
}
