package gateway_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/openimsdk/protocol/msg"
	"github.com/openimsdk/protocol/sdkws"
	"google.golang.org/protobuf/proto"

	"github.com/parley-im/parley/internal/auth"
	"github.com/parley-im/parley/internal/gateway"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/wire"
)

// refusal reads the HTTP form of a handshake failure.
func refusal(t *testing.T, n *node, path string) int {
	t.Helper()
	ws, resp, err := n.dial(path)
	if err == nil {
		_ = ws.Close()
		t.Fatal("the handshake was accepted")
	}
	if resp == nil {
		t.Fatalf("no HTTP answer: %v", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct{ ErrCode int }
	if err := json.Unmarshal(body, &answer); err != nil || resp.StatusCode != http.StatusOK || len(body) >= 1024 {
		t.Fatalf("status %d, body %q: %v", resp.StatusCode, body, err)
	}
	return answer.ErrCode
}

func TestHandshake(t *testing.T) {
	n := start(t, func(_ *gateway.Options, a *auth.Options, _ *hooks) { a.Policy = 0 })
	token := n.token("a", im.PlatformIOS)
	for name, c := range map[string]struct {
		change map[string]string
		code   int
	}{
		"no sendID":                  {map[string]string{"sendID": ""}, 1602},
		"no token":                   {map[string]string{"token": ""}, 1602},
		"no operationID":             {map[string]string{"operationID": ""}, 1602},
		"no platform":                {map[string]string{"platformID": ""}, 1602},
		"unknown platform":           {map[string]string{"platformID": "13"}, 1602},
		"platform is no number":      {map[string]string{"platformID": "x"}, 1602},
		"odd isMsgResp":              {map[string]string{"isMsgResp": "perhaps"}, 1602},
		"unknown sdkType":            {map[string]string{"sdkType": "rust"}, 1602},
		"odd sdkType with isMsgResp": {map[string]string{"sdkType": "rust", "isMsgResp": "true"}, 1602},
		"malformed token":            {map[string]string{"token": "nonsense"}, 1503},
		"another user's token":       {map[string]string{"sendID": "b"}, 1502},
		"another platform's token":   {map[string]string{"platformID": "2"}, 1502},
		"v is not base64":            {map[string]string{"v": "%%%"}, 1602},
		"v is not JSON":              {map[string]string{"v": base64.RawURLEncoding.EncodeToString([]byte("{"))}, 1602},
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			if got := refusal(t, n, query("a", token, im.PlatformIOS, c.change)); got != c.code {
				t.Errorf("code %d, want %d", got, c.code)
			}
		})
	}
	t.Run("a token fault is told in band if asked for", func(t *testing.T) {
		ws, resp, err := n.dial(query("a", "nonsense", im.PlatformIOS, map[string]string{"isMsgResp": "true"}))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		defer ws.Close()
		kind, b, err := ws.ReadMessage()
		if err != nil || kind != websocket.TextMessage || !strings.Contains(string(b), `"errCode":1503`) {
			t.Fatalf("kind %d, %s, %v", kind, b, err)
		}
		if _, _, err := ws.ReadMessage(); err == nil {
			t.Fatal("the connection stays open")
		}
	})
	t.Run("success is told in band only if asked for", func(t *testing.T) {
		c := n.connectWith("a", im.PlatformIOS, token, map[string]string{"isMsgResp": "true"})
		if kind, r := c.frame(); kind != websocket.TextMessage || string(r.Data) != `{"errCode":0,"errMsg":"","errDlt":""}` {
			t.Fatalf("first frame: kind %d, %s", kind, r.Data)
		}
		quiet := n.connectWith("a", im.PlatformIOS, token, nil)
		quiet.reply(quiet.request(wire.GetNewestSeq, &sdkws.GetMaxSeqReq{UserID: "a"}), nil)
	})
	t.Run("the packed form works", func(t *testing.T) {
		packed, _ := json.Marshal(map[string]any{
			"token": token, "userID": "a", "platformID": 1, "operationID": "o", "compression": "gzip", "sendResponse": true,
		})
		ws, resp, err := n.dial("/?v=" + base64.RawURLEncoding.EncodeToString(packed))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		c := &client{t: t, ws: ws, user: "a", gzip: true}
		defer ws.Close()
		if kind, _ := c.frame(); kind != websocket.TextMessage {
			t.Fatal("no handshake reply")
		}
		c.reply(c.request(wire.GetNewestSeq, &sdkws.GetMaxSeqReq{UserID: "a"}), nil)
	})
}

func TestConnectionLimit(t *testing.T) {
	n := start(t, func(o *gateway.Options, _ *auth.Options, _ *hooks) { o.MaxConns = 1 })
	n.connect("a", im.PlatformIOS, nil)
	if got := refusal(t, n, query("b", n.token("b", im.PlatformIOS), im.PlatformIOS, nil)); got != 1601 {
		t.Fatalf("code %d, want 1601", got)
	}
}

func TestHeartbeat(t *testing.T) {
	n := start(t)
	c := n.connect("a", im.PlatformWeb, js)
	c.frame() // handshake reply
	for sent, want := range map[string]string{
		`{"type":"ping"}`:                  `{"type":"pong","body":null}`,
		`{"type":"ping","body":"op-1"}`:    `{"type":"pong","body":"op-1"}`,
		`{"type":"ping","body":{"a":[1]}}`: `{"type":"pong","body":{"a":[1]}}`,
		`{"body":"\u4e2d","type":"ping"}`:  `{"type":"pong","body":"\u4e2d"}`,
	} {
		if err := c.ws.WriteMessage(websocket.TextMessage, []byte(sent)); err != nil {
			t.Fatal(err)
		}
		if kind, r := c.frame(); kind != websocket.TextMessage || string(r.Data) != want {
			t.Errorf("%s is answered by %s, want %s", sent, r.Data, want)
		}
	}
	t.Run("a control ping's payload comes back", func(t *testing.T) {
		c := n.connect("b", im.PlatformIOS, nil)
		got := make(chan string, 1)
		c.ws.SetPongHandler(func(p string) error { got <- p; return nil })
		if err := c.ws.WriteControl(websocket.PingMessage, []byte("op-9"), time.Now().Add(wait)); err != nil {
			t.Fatal(err)
		}
		c.reply(c.request(wire.GetNewestSeq, &sdkws.GetMaxSeqReq{UserID: "b"}), nil) // reads the pong on its way
		if p := <-got; p != "op-9" {
			t.Errorf("pong %q", p)
		}
	})
	t.Run("other text closes the connection", func(t *testing.T) {
		for _, bad := range []string{`{"type":"hello"}`, `not JSON`, ``} {
			c := n.connect("c", im.PlatformWeb, js)
			c.frame()
			if err := c.ws.WriteMessage(websocket.TextMessage, []byte(bad)); err != nil {
				t.Fatal(err)
			}
			c.closed()
		}
	})
}

func TestBadFrames(t *testing.T) {
	n := start(t)
	envelope := wire.Request{ReqIdentifier: wire.GetNewestSeq, SendID: "a", OperationID: "o", MsgIncr: "1"}
	with := func(change func(*wire.Request)) []byte {
		r := envelope
		change(&r)
		return wire.Compress(nil, wire.Gob.AppendRequest(nil, &r))
	}
	for name, frame := range map[string][]byte{
		"not gzip":               []byte("plain"),
		"gzip of nonsense":       wire.Compress(nil, []byte("nonsense")),
		"another user's sendID":  with(func(r *wire.Request) { r.SendID = "b" }),
		"unknown identifier":     with(func(r *wire.Request) { r.ReqIdentifier = 4711 }),
		"a push identifier":      with(func(r *wire.Request) { r.ReqIdentifier = wire.PushMsg }),
		"inflates without bound": wire.Compress(nil, make([]byte, 4<<20)),
		"larger than a frame":    make([]byte, 60_000),
	} {
		t.Run(name+" closes the connection", func(t *testing.T) {
			c := n.connect("a", im.PlatformIOS, nil)
			// The server may hang up before a large frame is written.
			if err := c.ws.WriteMessage(websocket.BinaryMessage, frame); err != nil && len(frame) < 50_000 {
				t.Fatal(err)
			}
			c.closed()
		})
	}
	c := n.connect("a", im.PlatformIOS, nil)
	t.Run("missing operationID or msgIncr is answered", func(t *testing.T) {
		r := envelope
		r.OperationID = ""
		c.write(r)
		if _, got := c.frame(); got.ErrCode != 500 || got.MsgIncr != "1" {
			t.Errorf("answer %+v", got)
		}
	})
	t.Run("data that is not protobuf is answered", func(t *testing.T) {
		for _, id := range []int32{wire.GetNewestSeq, wire.SendMsg, wire.PullMsgBySeqList} {
			r := envelope
			r.ReqIdentifier, r.Data = id, []byte{0xff, 0xff}
			c.write(r)
			if _, got := c.frame(); got.ErrCode != 500 {
				t.Errorf("%d: code %d", id, got.ErrCode)
			}
		}
	})
	t.Run("signalling is answered with an error", func(t *testing.T) {
		if r := c.reply(c.request(wire.SendSignalMsg, &sdkws.MsgData{}), nil); r.ErrCode != 1001 {
			t.Errorf("code %d", r.ErrCode)
		}
	})
	t.Run("others' data is not readable", func(t *testing.T) {
		for id, req := range map[int32]proto.Message{
			wire.GetNewestSeq:        &sdkws.GetMaxSeqReq{UserID: "b"},
			wire.PullMsgByRange:      &sdkws.PullMessageBySeqsReq{UserID: "b"},
			wire.PullMsgBySeqList:    &msg.GetSeqMessageReq{UserID: "b"},
			wire.GetConvMaxReadSeq:   &msg.GetConversationsHasReadAndMaxSeqReq{UserID: "b"},
			wire.PullConvLastMessage: &msg.GetLastMessageReq{UserID: "b"},
			wire.SetBackgroundStatus: &sdkws.SetAppBackgroundStatusReq{UserID: "b"},
			wire.SendMsg:             text("b", "a", "1", "forged"),
		} {
			if r := c.reply(c.request(id, req), nil); r.ErrCode != 1002 {
				t.Errorf("%d: code %d, want 1002", id, r.ErrCode)
			}
		}
	})
}

func TestSend(t *testing.T) {
	n := start(t)
	a := n.connect("a", im.PlatformIOS, nil)
	web := n.connect("a", im.PlatformWeb, js)
	web.frame()
	b := n.connect("b", im.PlatformAndroid, nil)

	incr := a.request(wire.SendMsg, text("a", "b", "m1", "hello"))
	_, first := a.frame()
	if first.MsgIncr != incr {
		t.Fatalf("first frame to the sender is %d, want his reply before the echo", first.ReqIdentifier)
	}
	ack := a.sent(first)
	if ack.ClientMsgID != "m1" || len(ack.ServerMsgID) != 32 || ack.SendTime == 0 || ack.Modify != nil {
		t.Fatalf("answer %+v", ack)
	}
	_, echo := a.frame()
	if echo.OperationID != first.OperationID {
		t.Errorf("echo of operation %q, want %q", echo.OperationID, first.OperationID)
	}
	got := a.pushed(echo)[0]
	for name, m := range map[string]*sdkws.MsgData{"echo": got, "web": web.push(1)[0], "receiver": b.push(1)[0]} {
		if m.Seq != 1 || m.Status != 2 || m.ServerMsgID != ack.ServerMsgID || m.SendTime != ack.SendTime || string(m.Content) != `{"content":"hello"}` || m.SenderPlatformID != 1 {
			t.Errorf("%s got %+v", name, m)
		}
	}

	t.Run("a repeated send gets the first answer and stores nothing", func(t *testing.T) {
		again := a.sent(a.reply(a.request(wire.SendMsg, text("a", "b", "m1", "hello again")), nil))
		if again.ServerMsgID != ack.ServerMsgID || again.SendTime != ack.SendTime {
			t.Errorf("answer %+v, want %+v", again, ack)
		}
		var seqs sdkws.GetMaxSeqResp
		r := a.reply(a.request(wire.GetNewestSeq, &sdkws.GetMaxSeqReq{UserID: "a"}), nil)
		if err := proto.Unmarshal(r.Data, &seqs); err != nil || seqs.MaxSeqs["si_a_b"] != 1 {
			t.Errorf("max seqs %v, %v", seqs.MaxSeqs, err)
		}
	})
	t.Run("clients cannot pretend to be the server", func(t *testing.T) {
		forged := text("a", "b", "m2", "forged")
		forged.MsgFrom, forged.SendTime, forged.SenderPlatformID = 200, 12345, 9
		forged.Options = map[string]bool{"isNotNotification": false, "isSendMsg": true, "unreadCount": false}
		a.sent(a.reply(a.request(wire.SendMsg, forged), nil))
		m := b.push(1)[0]
		if m.MsgFrom != 100 || m.SendTime == 12345 || m.SenderPlatformID != 1 || m.Seq != 2 || len(m.Options) != 1 || m.Options["unreadCount"] {
			t.Errorf("delivered %+v", m)
		}
		a.push(1)
		web.push(1)
		for _, contentType := range []int32{1000, 1201, 1400, 1501, 2101, 2200, 5000} {
			d := text("a", "b", "", "x")
			if d.ContentType = contentType; contentType == 1400 {
				d.SessionType = 4
			}
			if r := a.reply(a.request(wire.SendMsg, d), nil); r.ErrCode != 1002 {
				t.Errorf("content type %d: code %d, want 1002", contentType, r.ErrCode)
			}
		}
	})
	t.Run("bad messages are refused", func(t *testing.T) {
		for name, c := range map[string]struct {
			change func(*sdkws.MsgData)
			code   int32
		}{
			"empty content":      {func(d *sdkws.MsgData) { d.Content = nil }, 1001},
			"no receiver":        {func(d *sdkws.MsgData) { d.RecvID = "" }, 1001},
			"unknown receiver":   {func(d *sdkws.MsgData) { d.RecvID = "nobody" }, 1004},
			"unknown session":    {func(d *sdkws.MsgData) { d.SessionType = 9 }, 1001},
			"super group":        {func(d *sdkws.MsgData) { d.SessionType = 2 }, 1001},
			"unknown group":      {func(d *sdkws.MsgData) { d.SessionType, d.GroupID = 3, "g" }, 1004},
			"group without id":   {func(d *sdkws.MsgData) { d.SessionType = 3 }, 1001},
			"endless id":         {func(d *sdkws.MsgData) { d.RecvID = strings.Repeat("x", 1000) }, 1001},
			"zero byte in an id": {func(d *sdkws.MsgData) { d.ClientMsgID = "a\x00b" }, 1001},
			"too many options": {func(d *sdkws.MsgData) {
				d.Options = map[string]bool{}
				for i := range 100 {
					d.Options[fmt.Sprint(i)] = true
				}
			}, 1001},
		} {
			d := text("a", "b", "bad", "x")
			c.change(d)
			if r := a.reply(a.request(wire.SendMsg, d), nil); r.ErrCode != c.code {
				t.Errorf("%s: code %d, want %d", name, r.ErrCode, c.code)
			}
		}
	})
	t.Run("typing passes through unstored and is not echoed", func(t *testing.T) {
		d := text("a", "b", "t1", "")
		d.ContentType, d.Content = 113, []byte(`{"msgTips":"yes"}`)
		a.sent(a.reply(a.request(wire.SendMsg, d), nil))
		if m := b.push(1)[0]; m.Seq != 0 || m.ContentType != 113 {
			t.Errorf("delivered %+v", m)
		}
		a.reply(a.request(wire.GetNewestSeq, &sdkws.GetMaxSeqReq{UserID: "a"}), nil) // fails on an echo
	})
	t.Run("without senderSync the sender gets no echo", func(t *testing.T) {
		d := text("a", "b", "quiet", "x")
		d.Options = map[string]bool{"senderSync": false}
		a.sent(a.reply(a.request(wire.SendMsg, d), nil))
		b.push(1)
		a.reply(a.request(wire.GetNewestSeq, &sdkws.GetMaxSeqReq{UserID: "a"}), nil)
	})
}

func TestSlowHandlerBlocksNobodysReading(t *testing.T) {
	release := make(chan struct{})
	n := start(t, func(_ *gateway.Options, _ *auth.Options, h *hooks) {
		h.before = func(m *im.Message) error {
			if m.ClientMsgID == "slow" {
				<-release
			}
			return nil
		}
	})
	a := n.connect("a", im.PlatformIOS, nil)
	slow := a.request(wire.SendMsg, text("a", "b", "slow", "1"))
	second := a.request(wire.SendMsg, text("a", "b", "second", "2"))
	// A pull is answered while both sends wait.
	a.reply(a.request(wire.GetNewestSeq, &sdkws.GetMaxSeqReq{UserID: "a"}), nil)
	close(release)
	var pushes []*sdkws.MsgData
	a.reply(slow, &pushes)
	a.reply(second, &pushes)
	for len(pushes) < 2 {
		pushes = append(pushes, a.push(1)...)
	}
	if pushes[0].ClientMsgID != "slow" || pushes[1].ClientMsgID != "second" {
		t.Errorf("sends of one connection overtook each other: %s, %s", pushes[0].ClientMsgID, pushes[1].ClientMsgID)
	}
}

func TestRefusalLeavesNoTrace(t *testing.T) {
	n := start(t, func(_ *gateway.Options, _ *auth.Options, h *hooks) {
		h.before = func(*im.Message) error { return &im.Error{Code: 5001, Msg: "refused"} }
	})
	a := n.connect("a", im.PlatformIOS, nil)
	b := n.connect("b", im.PlatformIOS, nil)
	r := a.reply(a.request(wire.SendMsg, text("a", "b", "1", "x")), nil)
	if r.ErrCode != 5001 || r.ErrMsg != "refused" || len(r.Data) != 0 {
		t.Fatalf("answer %+v", r)
	}
	b.reply(b.request(wire.GetNewestSeq, &sdkws.GetMaxSeqReq{UserID: "b"}), nil) // fails on a push
	if err := n.store.Read(t.Context(), func(tx *store.Tx) error {
		for _, owner := range []string{"a", "b"} {
			if ids, err := tx.ConversationIDs(owner); err != nil || len(ids) != 0 {
				return fmt.Errorf("conversations of %s: %v, %w", owner, ids, err)
			}
		}
		logs, err := tx.LogStates([]im.ConversationID{"si_a_b"})
		if len(logs) != 0 {
			return errors.New("a log exists")
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func TestSlowClientIsDisconnected(t *testing.T) {
	n := start(t)
	ws, resp, err := n.dial(query("b", n.token("b", im.PlatformIOS), im.PlatformIOS, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	defer ws.Close()
	a := n.connect("a", im.PlatformIOS, nil)
	// b reads nothing. Random text does not compress, so socket buffers fill up,
	// then b's queue, and b is let go; a is served all along.
	random := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 40_000)
	for i := range noise {
		noise[i] = byte('0' + random.IntN(70))
	}
	for i := range 3000 {
		d := text("a", "b", fmt.Sprint("n", i), string(noise))
		d.Options = map[string]bool{"senderSync": false, "history": false}
		a.sent(a.reply(a.request(wire.SendMsg, d), nil))
		if len(n.hub.Sessions("b")) == 0 {
			return
		}
	}
	t.Fatal("b was never disconnected")
}

func TestPresenceSubscription(t *testing.T) {
	n := start(t)
	a := n.connect("a", im.PlatformIOS, nil)
	status := func(r wire.Response) map[string][]int32 {
		t.Helper()
		var tips sdkws.SubUserOnlineStatusTips
		if r.ReqIdentifier != wire.SubscribeUserOnlineState || proto.Unmarshal(r.Data, &tips) != nil {
			t.Fatalf("frame %d", r.ReqIdentifier)
		}
		out := map[string][]int32{}
		for _, s := range tips.Subscribers {
			out[s.UserID] = s.OnlinePlatformIDs
		}
		return out
	}
	got := status(a.reply(a.request(wire.SubscribeUserOnlineState, &sdkws.SubUserOnlineStatus{SubscribeUserID: []string{"b", "ghost"}}), nil))
	if len(got) != 2 || len(got["b"]) != 0 || len(got["ghost"]) != 0 {
		t.Fatalf("reply %v, want both users offline", got)
	}
	b := n.connect("b", im.PlatformAndroid, nil)
	if _, r := a.frame(); r.MsgIncr != "" || fmt.Sprint(status(r)["b"]) != "[2]" {
		t.Fatalf("push %+v", r)
	}
	_ = b.ws.Close()
	if _, r := a.frame(); len(status(r)["b"]) != 0 {
		t.Fatalf("push %+v", r)
	}
	a.reply(a.request(wire.SubscribeUserOnlineState, &sdkws.SubUserOnlineStatus{UnsubscribeUserID: []string{"b"}}), nil)
	n.connect("b", im.PlatformAndroid, nil)
	a.reply(a.request(wire.GetNewestSeq, &sdkws.GetMaxSeqReq{UserID: "a"}), nil) // fails on a push

	for name, ids := range map[string][]string{
		"too many users":      make([]string, 5001),
		"an id without bound": {strings.Repeat("x", 100_000)},
	} {
		r := a.reply(a.request(wire.SubscribeUserOnlineState, &sdkws.SubUserOnlineStatus{SubscribeUserID: ids}), nil)
		if r.ErrCode != int32(im.ErrArgs.Code) {
			t.Errorf("%s: answer %+v", name, r)
		}
	}
}

func TestKick(t *testing.T) {
	n := start(t)
	old := n.connect("a", im.PlatformIOS, nil)
	other := n.connect("a", im.PlatformWeb, js)
	other.frame()
	n.connect("a", im.PlatformIOS, nil) // a new token of the same platform
	if _, r := old.frame(); r.ReqIdentifier != wire.KickOnlineMsg || len(r.Data) != 0 || r.MsgIncr != "" {
		t.Fatalf("frame %+v, want a kick", r)
	}
	old.closed()
	other.reply(other.request(wire.GetNewestSeq, &sdkws.GetMaxSeqReq{UserID: "a"}), nil)
	if got := len(n.hub.Sessions("a")); got != 2 {
		t.Errorf("%d sessions, want the new one and the other platform's", got)
	}
	t.Run("the same token again kicks nobody", func(t *testing.T) {
		token := n.token("b", im.PlatformIOS)
		first := n.connectWith("b", im.PlatformIOS, token, nil)
		n.connectWith("b", im.PlatformIOS, token, nil)
		first.reply(first.request(wire.GetNewestSeq, &sdkws.GetMaxSeqReq{UserID: "b"}), nil)
	})
}

func TestLogoutAndBackground(t *testing.T) {
	n := start(t)
	phone := n.connect("b", im.PlatformIOS, nil)
	r := phone.reply(phone.request(wire.SetBackgroundStatus, &sdkws.SetAppBackgroundStatusReq{UserID: "b", IsBackground: true}), nil)
	if r.ErrCode != 0 || len(r.Data) != 0 {
		t.Fatalf("answer %+v", r)
	}
	a := n.connect("a", im.PlatformIOS, nil)
	a.sent(a.reply(a.request(wire.SendMsg, text("a", "b", "1", "x")), nil))
	// An iOS app in the background gets no push; it pulls.
	phone.reply(phone.request(wire.GetNewestSeq, &sdkws.GetMaxSeqReq{UserID: "b"}), nil)
	if r := phone.reply(phone.request(wire.LogoutMsg, &sdkws.MsgData{}), nil); r.ErrCode != 0 {
		t.Fatalf("logout: %+v", r)
	}
	phone.closed()
}

// A send that comes while the connection ends is not begun: it would be stored,
// and its answer lost.
func TestSendsBehindTheLastWordAreNotBegun(t *testing.T) {
	release, asked := make(chan struct{}), make(chan string, 8)
	n := start(t, func(_ *gateway.Options, _ *auth.Options, h *hooks) {
		h.before = func(m *im.Message) error {
			asked <- m.ClientMsgID
			<-release
			return nil
		}
	})
	a := n.connect("a", im.PlatformIOS, nil)
	first := a.request(wire.SendMsg, text("a", "b", "first", "1"))
	if id := <-asked; id != "first" {
		t.Fatalf("asked about %s", id)
	}
	logout := a.request(wire.LogoutMsg, &sdkws.MsgData{})
	a.request(wire.SendMsg, text("a", "b", "late", "2"))
	a.reply(a.request(wire.GetNewestSeq, &sdkws.GetMaxSeqReq{UserID: "a"}), nil) // so the server has read all of that
	close(release)
	var pushes []*sdkws.MsgData
	a.sent(a.reply(first, &pushes))
	if r := a.reply(logout, &pushes); r.ErrCode != 0 {
		t.Errorf("logout: %+v", r)
	}
	a.closed()
	var last im.Seq
	if err := n.store.Read(t.Context(), func(tx *store.Tx) (err error) {
		last, err = tx.MaxSeq("si_a_b")
		return err
	}); err != nil || last != 1 {
		t.Errorf("%d messages stored, %v; want the first alone", last, err)
	}
}
