package gateway

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/openimsdk/protocol/msg"
	"github.com/openimsdk/protocol/sdkws"
	"google.golang.org/protobuf/proto"

	"github.com/parley-im/parley/internal/auth"
	"github.com/parley-im/parley/internal/delivery"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/presence"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/wire"
)

// FuzzArguments: a handshake's query never crashes the server, and what it
// accepts is complete.
func FuzzArguments(f *testing.F) {
	f.Add("sendID=a&token=t&platformID=1&operationID=o&isBackground=false&compression=gzip&sdkVersion=3")
	f.Add("sendID=a&token=t&platformID=5&operationID=o&isMsgResp=true&sdkType=js")
	f.Add("v=eyJ1c2VySUQiOiJhIiwidG9rZW4iOiJ0IiwicGxhdGZvcm1JRCI6MSwib3BlcmF0aW9uSUQiOiJvIn0")
	f.Add("v=e30&sendID=a")
	f.Add("platformID=99999999999999999999&isMsgResp=2")
	f.Fuzz(func(t *testing.T, query string) {
		a, err := parseArguments(&http.Request{URL: &url.URL{RawQuery: query}, Header: http.Header{}})
		if err == nil && (a.userID == "" || a.token == "" || a.operationID == "" || !a.platform.Valid()) {
			t.Errorf("accepted %+v", a)
		}
	})
}

// FuzzFrame: whatever a client writes, the server answers or closes, does not
// crash, and stores nothing in another user's name.
func FuzzFrame(f *testing.F) {
	add := func(identifier int32, m proto.Message) {
		data, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(identifier, data)
	}
	add(wire.SendMsg, &sdkws.MsgData{SendID: "a", RecvID: "b", SessionType: 1, ContentType: 101, Content: []byte(`{}`), ClientMsgID: "1", Options: map[string]bool{"history": true}})
	add(wire.SendMsg, &sdkws.MsgData{SendID: "a", GroupID: "g", SessionType: 3, ContentType: 106, Content: []byte(`{}`), AtUserIDList: []string{"AtAllTag"}})
	add(wire.GetNewestSeq, &sdkws.GetMaxSeqReq{UserID: "a"})
	add(wire.PullMsgByRange, &sdkws.PullMessageBySeqsReq{UserID: "a", SeqRanges: []*sdkws.SeqRange{{ConversationID: "si_a_b", Begin: 0, End: 1 << 62, Num: 1 << 62}}})
	add(wire.PullMsgBySeqList, &msg.GetSeqMessageReq{UserID: "a", Conversations: []*msg.ConversationSeqs{{ConversationID: "n_", Seqs: []int64{-1, 0, 1}}}})
	add(wire.GetConvMaxReadSeq, &msg.GetConversationsHasReadAndMaxSeqReq{UserID: "a", ConversationIDs: []string{"", "si_a_b"}})
	add(wire.PullConvLastMessage, &msg.GetLastMessageReq{UserID: "a", ConversationIDs: []string{"_", "sg_"}})
	add(wire.SubscribeUserOnlineState, &sdkws.SubUserOnlineStatus{SubscribeUserID: []string{"", "b"}})
	add(wire.SetBackgroundStatus, &sdkws.SetAppBackgroundStatusReq{UserID: "a"})

	s, err := store.Open(context.Background(), store.Options{Dir: f.TempDir(), Synchronous: "NORMAL"})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = s.Close() })
	if err := s.Write(context.Background(), func(tx *store.Tx) error {
		for _, id := range []string{"a", "b"} {
			if err := tx.InsertUser(im.User{UserID: id}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		f.Fatal(err)
	}
	hub := NewHub()
	log := slog.New(slog.DiscardHandler)
	server := New(Options{
		Auth: auth.New(s, auth.Options{Secret: []byte("x"), Expire: time.Hour}), Hub: hub, Logger: log,
		Presence: presence.New(s, log, time.Now, hub.PresenceChanged),
		Messages: message.New(s, nil, delivery.New(hub), wire.Notices{}, message.Options{IsAdmin: func(string) bool { return false }}),
	})
	f.Fuzz(func(t *testing.T, identifier int32, data []byte) {
		c := server.newConn(arguments{userID: "a", platform: im.PlatformIOS}, netip.Addr{})
		hub.add(c)
		defer hub.remove(c)
		c.serve(wire.Gob.AppendRequest(nil, &wire.Request{ReqIdentifier: identifier, SendID: "a", OperationID: "o", MsgIncr: "1", Data: data}))
		done := make(chan struct{})
		c.submit(func() { close(done) })
		<-done
		c.serve(data) // as an envelope, too
		for _, frame := range c.out {
			if _, payload := frame.encode(wire.JSON, false); len(payload) == 0 {
				t.Error("an empty answer")
			}
			p, ok := frame.(*push)
			if ok && p.message.SendID != "a" {
				t.Errorf("a message of %q was delivered", p.message.SendID)
			}
		}
	})
}

// FuzzHeartbeat: text frames are answered in kind or refused.
func FuzzHeartbeat(f *testing.F) {
	for _, s := range []string{`{"type":"ping"}`, `{"type":"ping","body":"x"}`, `{"type":"pong","body":null}`, `{"type":1}`, `[]`, `{"type":"ping","body":{"a":"\u0000"}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c := &conn{server: &Server{}, writing: true}
		if ok := c.heartbeat(text); !ok && len(c.out) > 0 {
			t.Error("refused and answered")
		}
	})
}
