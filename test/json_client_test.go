package test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"
	"github.com/openimsdk/protocol/msg"
	"github.com/openimsdk/protocol/sdkws"
	"google.golang.org/protobuf/proto"
)

// What the pure JavaScript client speaks: JSON envelopes in binary frames,
// nothing compressed, heartbeats and the handshake reply as text.
const (
	reqNewestSeq = 1001
	reqPull      = 1002
	reqSend      = 1003
	pushMessage  = 2001
	pushKick     = 2002

	platformMiniWeb = 6
)

// jsonPatience bounds the wait for a frame that must come.
const jsonPatience = 20 * time.Second

type jsonRequest struct {
	ReqIdentifier int    `json:"reqIdentifier"`
	Token         string `json:"token"`
	SendID        string `json:"sendID"`
	OperationID   string `json:"operationID"`
	MsgIncr       string `json:"msgIncr"`
	Data          []byte `json:"data"`
}

type jsonResponse struct {
	ReqIdentifier int    `json:"reqIdentifier"`
	MsgIncr       string `json:"msgIncr"`
	OperationID   string `json:"operationID"`
	ErrCode       int    `json:"errCode"`
	ErrMsg        string `json:"errMsg"`
	Data          []byte `json:"data"`
}

// jsonClient is one connection, used by one goroutine.
type jsonClient struct {
	t      *testing.T
	conn   *websocket.Conn
	userID string
	token  string
	sent   int
}

func jsonQuery(userID, token string, platformID int) url.Values {
	return url.Values{
		"sendID": {userID}, "token": {token}, "platformID": {strconv.Itoa(platformID)}, "operationID": {"connect-" + userID},
		"isBackground": {"false"}, "isMsgResp": {"true"}, "sdkType": {"js"},
	}
}

// dialJSON connects and returns the handshake reply, the first frame.
func dialJSON(t *testing.T, c *child, query url.Values) (conn *websocket.Conn, first refusal) {
	t.Helper()
	conn, resp, err := websocket.DefaultDialer.DialContext(t.Context(), c.WS+"?"+query.Encode(), nil)
	if err != nil {
		t.Fatalf("dial: %v, %v", err, resp)
	}
	t.Cleanup(func() { _ = conn.Close() })
	kind, raw := readFrame(t, conn)
	if kind != websocket.TextMessage {
		t.Fatalf("the first frame has type %d: %q", kind, raw)
	}
	if err := json.Unmarshal(raw, &first); err != nil {
		t.Fatalf("the first frame is %q: %v", raw, err)
	}
	return conn, first
}

func readFrame(t *testing.T, conn *websocket.Conn) (kind int, raw []byte) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(jsonPatience)); err != nil {
		t.Fatal(err)
	}
	kind, raw, err := conn.ReadMessage()
	if err != nil {
		t.Fatalf("no frame: %v", err)
	}
	return kind, raw
}

// mustClose reads until the server has closed the connection; text and binary
// frames before that are returned.
func mustClose(t *testing.T, conn *websocket.Conn) (before [][]byte) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(jsonPatience)); err != nil {
		t.Fatal(err)
	}
	for {
		_, raw, err := conn.ReadMessage()
		if err == nil {
			before = append(before, raw)
			continue
		}
		if netErr, ok := errors.AsType[net.Error](err); ok && netErr.Timeout() {
			t.Fatal("the connection is still open")
		}
		return before
	}
}

func connectJSON(t *testing.T, c *child, userID string, platformID int) *jsonClient {
	t.Helper()
	token := c.token(t, userID, platformID)
	conn, first := dialJSON(t, c, jsonQuery(userID, token, platformID))
	if first != (refusal{}) {
		t.Fatalf("handshake of %s: %+v", userID, first)
	}
	return &jsonClient{t: t, conn: conn, userID: userID, token: token}
}

// read is the next application frame.
func (j *jsonClient) read() jsonResponse {
	j.t.Helper()
	kind, raw := readFrame(j.t, j.conn)
	if kind != websocket.BinaryMessage {
		j.t.Fatalf("%s was sent a frame of type %d: %q", j.userID, kind, raw)
	}
	if !utf8.Valid(raw) {
		j.t.Fatalf("%s was sent a frame that is not text: %x", j.userID, raw)
	}
	var fields map[string]json.RawMessage
	var resp jsonResponse
	if err := errors.Join(json.Unmarshal(raw, &fields), json.Unmarshal(raw, &resp)); err != nil {
		j.t.Fatalf("%s was sent %q: %v", j.userID, raw, err)
	}
	// Client code reads these by exact name; Go would accept any letter case.
	for _, name := range []string{"reqIdentifier", "msgIncr", "operationID", "errCode", "errMsg"} {
		if _, ok := fields[name]; !ok {
			j.t.Errorf("%s is missing in %s", name, raw)
		}
	}
	return resp
}

// write sends a request and returns its correlation key.
func (j *jsonClient) write(id int, operationID string, payload proto.Message) (msgIncr string) {
	j.t.Helper()
	data, err := proto.Marshal(payload)
	if err != nil {
		j.t.Fatal(err)
	}
	j.sent++
	msgIncr = fmt.Sprintf("%s-%d", j.userID, j.sent)
	raw, err := json.Marshal(jsonRequest{id, j.token, j.userID, operationID, msgIncr, data})
	if err != nil {
		j.t.Fatal(err)
	}
	if err := j.conn.WriteMessage(websocket.BinaryMessage, raw); err != nil {
		j.t.Fatal(err)
	}
	return msgIncr
}

// ask writes a request whose reply must be the next frame and succeed.
func (j *jsonClient) ask(id int, operationID string, payload, answer proto.Message) {
	j.t.Helper()
	msgIncr := j.write(id, operationID, payload)
	resp := j.read()
	if resp.ReqIdentifier != id || resp.MsgIncr != msgIncr || resp.OperationID != operationID || resp.ErrCode != 0 {
		j.t.Fatalf("request %d %s was answered %+v", id, msgIncr, resp)
	}
	if err := proto.Unmarshal(resp.Data, answer); err != nil {
		j.t.Fatal(err)
	}
}

// pushed is the message of the next frame, which must be a push.
func (j *jsonClient) pushed(operationID, conversationID string) *sdkws.MsgData {
	j.t.Helper()
	resp := j.read()
	if resp.ReqIdentifier != pushMessage || resp.MsgIncr != "" || resp.ErrCode != 0 {
		j.t.Fatalf("%s was sent %+v, want a push", j.userID, resp)
	}
	if resp.OperationID != operationID {
		j.t.Errorf("the push has the operation id %q, the request had %q", resp.OperationID, operationID)
	}
	var push sdkws.PushMessages
	if err := proto.Unmarshal(resp.Data, &push); err != nil {
		j.t.Fatal(err)
	}
	messages := push.GetMsgs()[conversationID].GetMsgs()
	if len(messages) != 1 || len(push.GetNotificationMsgs()) != 0 {
		j.t.Fatalf("pushed %v", &push)
	}
	return messages[0]
}

func (j *jsonClient) text(text string) {
	j.t.Helper()
	if err := j.conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		j.t.Fatal(err)
	}
}

// readText is the next frame, which must be text.
func (j *jsonClient) readText() string {
	j.t.Helper()
	kind, raw := readFrame(j.t, j.conn)
	if kind != websocket.TextMessage {
		j.t.Fatalf("%s was sent a frame of type %d", j.userID, kind)
	}
	return string(raw)
}

func TestJSONClient(t *testing.T) {
	c := startChild(t)
	c.register(t, "alice", "bob", "carol")
	const conversationID = "si_alice_bob"
	alice := connectJSON(t, c, "alice", platformMiniWeb)
	bob := connectJSON(t, c, "bob", platformMiniWeb)

	t.Run("heartbeats", func(t *testing.T) {
		for ping, pong := range map[string]string{
			`{"type":"ping"}`:                         `{"type":"pong","body":null}`,
			`{"type":"ping","body":"op-1"}`:           `{"type":"pong","body":"op-1"}`,
			`{"type":"ping","body":{"n":[1, "<&>"]}}`: `{"type":"pong","body":{"n":[1,"<&>"]}}`,
		} {
			alice.text(ping)
			got := alice.readText()
			if !sameJSON(t, got, pong) {
				t.Errorf("%s was answered %s, want %s", ping, got, pong)
			}
		}
		// Neither answered nor taken amiss.
		alice.text(`{"type":"pong","body":null}`)
	})

	t.Run("a message", func(t *testing.T) {
		message := &sdkws.MsgData{
			SendID: "alice", RecvID: "bob", ClientMsgID: "0123456789abcdef0123456789abcdef", SenderPlatformID: platformMiniWeb,
			SenderNickname: "Alice", SessionType: 1, MsgFrom: 100, ContentType: 101, Content: []byte(`{"content":"你好 <b>"}`),
			CreateTime: time.Now().UnixMilli(), Status: 1,
		}
		var ack msg.SendMsgResp
		// ask insists on the reply coming before the echo of the message.
		alice.ask(reqSend, "send-1", message, &ack)
		if ack.ClientMsgID != message.ClientMsgID || ack.ServerMsgID == "" || ack.SendTime == 0 {
			t.Errorf("acknowledged with %v", &ack)
		}
		for _, side := range []*jsonClient{alice, bob} {
			got := side.pushed("send-1", conversationID)
			if got.Seq != 1 || got.Status != 2 || got.ServerMsgID != ack.ServerMsgID || got.SendTime != ack.SendTime ||
				got.SendID != "alice" || got.RecvID != "bob" || string(got.Content) != string(message.Content) {
				t.Errorf("%s was pushed %v", side.userID, got)
			}
		}

		var newest sdkws.GetMaxSeqResp
		bob.ask(reqNewestSeq, "newest", &sdkws.GetMaxSeqReq{UserID: "bob"}, &newest)
		if newest.MaxSeqs[conversationID] != 1 {
			t.Errorf("newest seqs are %v", newest.MaxSeqs)
		}
		var pulled sdkws.PullMessageBySeqsResp
		bob.ask(reqPull, "pull", &sdkws.PullMessageBySeqsReq{UserID: "bob", SeqRanges: []*sdkws.SeqRange{
			{ConversationID: conversationID, Begin: 1, End: 1, Num: 1},
		}}, &pulled)
		log := pulled.Msgs[conversationID].GetMsgs()
		if len(log) != 1 || log[0].ClientMsgID != message.ClientMsgID || string(log[0].Content) != string(message.Content) {
			t.Errorf("pulled %v", log)
		}
	})

	t.Run("a refused message", func(t *testing.T) {
		msgIncr := bob.write(reqSend, "send-2", &sdkws.MsgData{
			SendID: "alice", RecvID: "bob", ClientMsgID: "f123456789abcdef0123456789abcdef", SessionType: 1, MsgFrom: 100, ContentType: 101,
			Content: []byte(`{"content":"as somebody else"}`),
		})
		if resp := bob.read(); resp.ReqIdentifier != reqSend || resp.MsgIncr != msgIncr || resp.ErrCode != 1002 || len(resp.Data) != 0 {
			t.Errorf("answered %+v, want 1002", resp)
		}
	})

	t.Run("parameters in one", func(t *testing.T) {
		raw, err := json.Marshal(map[string]any{
			"token": c.token(t, "carol", platformMiniWeb), "userID": "carol", "platformID": platformMiniWeb, "operationID": "connect",
			"sdkType": "js", "sendResponse": true,
		})
		if err != nil {
			t.Fatal(err)
		}
		conn, first := dialJSON(t, c, url.Values{"v": {base64.RawURLEncoding.EncodeToString(raw)}})
		if first != (refusal{}) {
			t.Errorf("handshake: %+v", first)
		}
		carol := &jsonClient{t: t, conn: conn, userID: "carol"}
		carol.ask(reqNewestSeq, "newest", &sdkws.GetMaxSeqReq{UserID: "carol"}, &sdkws.GetMaxSeqResp{})
	})

	t.Run("a refused token", func(t *testing.T) {
		conn, first := dialJSON(t, c, jsonQuery("alice", "garbage", platformMiniWeb))
		if first.ErrCode != 1503 {
			t.Errorf("handshake: %+v, want 1503", first)
		}
		if after := mustClose(t, conn); len(after) != 0 {
			t.Errorf("frames after the refusal: %q", after)
		}
	})

	t.Run("unknown text closes", func(t *testing.T) {
		for _, text := range []string{"hello", `{"type":"what"}`} {
			carol := connectJSON(t, c, "carol", platformMiniWeb)
			carol.text(text)
			mustClose(t, carol.conn)
		}
	})

	t.Run("an envelope of another user closes", func(t *testing.T) {
		carol := connectJSON(t, c, "carol", platformMiniWeb)
		carol.userID = "bob"
		carol.write(reqNewestSeq, "newest", &sdkws.GetMaxSeqReq{UserID: "bob"})
		if before := mustClose(t, carol.conn); len(before) != 0 {
			t.Errorf("answered all the same: %q", before)
		}
	})

	t.Run("kick", func(t *testing.T) {
		alice.t = t
		c.anotherToken(t, "alice", platformMiniWeb, alice.token)
		connectJSON(t, c, "alice", platformMiniWeb)
		if kick := alice.read(); kick.ReqIdentifier != pushKick || kick.MsgIncr != "" || kick.ErrCode != 0 {
			t.Errorf("the older session was sent %+v, want a kick", kick)
		}
		mustClose(t, alice.conn)
	})
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	if err := errors.Join(json.Unmarshal([]byte(a), &x), json.Unmarshal([]byte(b), &y)); err != nil {
		t.Errorf("%s, %s: %v", a, b, err)
		return false
	}
	return fmt.Sprint(x) == fmt.Sprint(y)
}
