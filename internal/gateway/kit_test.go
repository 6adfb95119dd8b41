package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/openimsdk/protocol/msg"
	"github.com/openimsdk/protocol/sdkws"
	"google.golang.org/protobuf/proto"

	"github.com/parley-im/parley/internal/auth"
	"github.com/parley-im/parley/internal/delivery"
	"github.com/parley-im/parley/internal/gateway"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/presence"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/wire"
)

const wait = 10 * time.Second

// node is a gateway with everything behind it, on a real store.
type node struct {
	t        *testing.T
	url      string
	store    *store.Store
	auth     *auth.Service
	hub      *gateway.Hub
	presence *presence.Tracker
	messages *message.Service
	server   *gateway.Server
	issued   atomic.Int64 // tokens, each in a second of its own: within one they would be the same
}

type setting func(*gateway.Options, *auth.Options, *hooks)

func start(t *testing.T, settings ...setting) *node {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	n := &node{t: t, store: s, hub: gateway.NewHub()}
	log := slog.New(slog.DiscardHandler)
	n.presence = presence.New(s, log, time.Now, n.hub.PresenceChanged)
	ao := auth.Options{Secret: []byte("test"), Expire: time.Hour, Admins: []string{"imAdmin"}, Policy: 1, MaxPerPlatform: 30}
	o := gateway.Options{Presence: n.presence, Hub: n.hub, Logger: log}
	h := &hooks{}
	for _, set := range settings {
		set(&o, &ao, h)
	}
	ao.Now = func() time.Time { return time.Now().Add(time.Duration(n.issued.Load()) * time.Second) }
	n.auth = auth.New(s, ao)
	n.messages = message.New(s, h, delivery.New(n.hub), wire.Notices{}, message.Options{IsAdmin: n.auth.IsAdmin, Logger: log})
	o.Auth, o.Messages = n.auth, n.messages
	n.server = gateway.New(o)
	web := httptest.NewUnstartedServer(n.server)
	web.Listener = gateway.CorkListener(web.Listener)
	web.Start()
	n.url = "ws" + strings.TrimPrefix(web.URL, "http")
	t.Cleanup(func() {
		web.Close()
		ctx, cancel := context.WithTimeout(context.Background(), wait)
		defer cancel()
		if err := n.server.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	n.register("a", "b", "c", "imAdmin")
	return n
}

// hooks stand in for a business server.
type hooks struct {
	im.NoHooks
	before func(*im.Message) error
}

func (h *hooks) Asks(*im.Message) bool { return h.before != nil }

func (h *hooks) BeforeSend(_ context.Context, m *im.Message) (bool, error) {
	if h.before == nil {
		return false, nil
	}
	return true, h.before(m)
}

func (h *hooks) Modify(context.Context, *im.Message) (bool, []string, error) { return false, nil, nil }

func (n *node) register(ids ...string) {
	n.t.Helper()
	if err := n.store.Write(n.t.Context(), func(tx *store.Tx) error {
		for _, id := range ids {
			if err := tx.InsertUser(im.User{UserID: id, Nickname: "nick " + id, CreatedAt: 1}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) token(userID string, p im.Platform) string {
	n.t.Helper()
	n.issued.Add(1)
	token, _, err := n.auth.UserToken(im.WithCaller(n.t.Context(), im.Caller{UserID: "imAdmin", Admin: true}), userID, p)
	if err != nil {
		n.t.Fatalf("token of %s: %v", userID, err)
	}
	return token
}

// client is a scripted socket client.
type client struct {
	t    *testing.T
	ws   *websocket.Conn
	user string
	form wire.Form
	gzip bool
	incr atomic.Int64
}

// query is a handshake in the form of the Go SDK; change overrides parameters,
// and removes those set to "".
func query(userID, token string, p im.Platform, change map[string]string) string {
	q := map[string]string{
		"sendID": userID, "token": token, "platformID": fmt.Sprint(int(p)), "operationID": "connect", "isBackground": "false",
		"compression": "gzip", "sdkVersion": "3.8.3",
	}
	maps.Copy(q, change)
	out := url.Values{}
	for k, v := range q {
		if v != "" {
			out.Set(k, v)
		}
	}
	return "/?" + out.Encode()
}

func (n *node) dial(path string) (*websocket.Conn, *http.Response, error) {
	d := websocket.Dialer{HandshakeTimeout: wait}
	return d.DialContext(n.t.Context(), n.url+path, nil)
}

func (n *node) connect(userID string, p im.Platform, change map[string]string) *client {
	n.t.Helper()
	return n.connectWith(userID, p, n.token(userID, p), change)
}

func (n *node) connectWith(userID string, p im.Platform, token string, change map[string]string) *client {
	n.t.Helper()
	ws, resp, err := n.dial(query(userID, token, p, change))
	if err != nil {
		n.t.Fatalf("connect %s: %v", userID, err)
	}
	_ = resp.Body.Close()
	c := &client{t: n.t, ws: ws, user: userID, gzip: true}
	if change["sdkType"] == "js" {
		c.form, c.gzip = wire.JSON, false
	}
	n.t.Cleanup(func() { _ = ws.Close() })
	return c
}

// js makes a JSON-mode client.
var js = map[string]string{"sdkType": "js", "compression": "", "isMsgResp": "true"}

func (c *client) write(r wire.Request) {
	c.t.Helper()
	b := c.form.AppendRequest(nil, &r)
	if c.gzip {
		b = wire.Compress(nil, b)
	}
	if err := c.ws.WriteMessage(websocket.BinaryMessage, b); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

// request writes a request and returns its msgIncr.
func (c *client) request(identifier int32, in proto.Message) string {
	c.t.Helper()
	data, err := proto.Marshal(in)
	if err != nil {
		c.t.Fatal(err)
	}
	incr := fmt.Sprint(c.incr.Add(1))
	c.write(wire.Request{ReqIdentifier: identifier, SendID: c.user, OperationID: "op-" + c.user + incr, MsgIncr: incr, Data: data})
	return incr
}

// frame reads the next frame; text frames come back whole in Data.
func (c *client) frame() (int, wire.Response) {
	c.t.Helper()
	_ = c.ws.SetReadDeadline(time.Now().Add(wait))
	kind, b, err := c.ws.ReadMessage()
	if err != nil {
		c.t.Fatalf("%s reads: %v", c.user, err)
	}
	if kind == websocket.TextMessage {
		return kind, wire.Response{Data: b}
	}
	if c.gzip {
		if b, err = wire.Decompress(nil, b, 8<<20); err != nil {
			c.t.Fatalf("frame to %s: %v", c.user, err)
		}
	}
	var r wire.Response
	if err := c.form.DecodeResponse(b, &r); err != nil {
		c.t.Fatalf("frame to %s: %v", c.user, err)
	}
	return kind, r
}

// reply reads frames until the reply to a request, failing on a push unless
// pushes are collected.
func (c *client) reply(incr string, pushes *[]*sdkws.MsgData) wire.Response {
	c.t.Helper()
	for {
		_, r := c.frame()
		if r.MsgIncr == incr {
			return r
		}
		if pushes == nil {
			c.t.Fatalf("%s got frame %d while waiting for a reply", c.user, r.ReqIdentifier)
		}
		*pushes = append(*pushes, c.pushed(r)...)
	}
}

func (c *client) pushed(r wire.Response) []*sdkws.MsgData {
	c.t.Helper()
	if r.ReqIdentifier != wire.PushMsg || r.MsgIncr != "" {
		c.t.Fatalf("%s got frame %d, want a push", c.user, r.ReqIdentifier)
	}
	var p sdkws.PushMessages
	if err := proto.Unmarshal(r.Data, &p); err != nil {
		c.t.Fatal(err)
	}
	var out []*sdkws.MsgData
	for _, m := range []map[string]*sdkws.PullMsgs{p.Msgs, p.NotificationMsgs} {
		for _, list := range m {
			out = append(out, list.Msgs...)
		}
	}
	return out
}

// push reads frames until n messages were pushed.
func (c *client) push(n int) []*sdkws.MsgData {
	c.t.Helper()
	var out []*sdkws.MsgData
	for len(out) < n {
		_, r := c.frame()
		out = append(out, c.pushed(r)...)
	}
	return out
}

func text(from, to, clientID, s string) *sdkws.MsgData {
	content, _ := json.Marshal(map[string]string{"content": s})
	return &sdkws.MsgData{
		SendID: from, RecvID: to, ClientMsgID: clientID, SessionType: 1, MsgFrom: 100, ContentType: 101, Content: content, Status: 1, CreateTime: 5,
	}
}

// sent decodes the answer to a send.
func (c *client) sent(r wire.Response) *msg.SendMsgResp {
	c.t.Helper()
	if r.ErrCode != 0 {
		c.t.Fatalf("send refused: %d %s", r.ErrCode, r.ErrMsg)
	}
	var out msg.SendMsgResp
	if err := proto.Unmarshal(r.Data, &out); err != nil {
		c.t.Fatal(err)
	}
	return &out
}

// closed fails unless the server ends the connection without another frame.
func (c *client) closed() {
	c.t.Helper()
	_ = c.ws.SetReadDeadline(time.Now().Add(wait))
	kind, b, err := c.ws.ReadMessage()
	if err == nil {
		c.t.Fatalf("%s got a frame of kind %d (%d bytes), want the connection closed", c.user, kind, len(b))
	}
	if n, ok := err.(interface{ Timeout() bool }); ok && n.Timeout() {
		c.t.Fatalf("%s: the connection stays open", c.user)
	}
}
