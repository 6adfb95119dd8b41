package gateway

import (
	"sync"

	"github.com/gorilla/websocket"
	"github.com/openimsdk/protocol/sdkws"
	"google.golang.org/protobuf/proto"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/wire"
)

// frame is something to write to a client. A frame may wait in many queues at
// once: encode must be safe for concurrent use.
type frame interface {
	// encode returns a finished WebSocket payload and its type.
	encode(f wire.Form, gzip bool) (kind int, payload []byte)
	// size is about how many bytes the frame keeps in memory.
	size() int
}

// textFrame is a heartbeat answer or the handshake reply: never gob, never gzip.
type textFrame []byte

func (t textFrame) encode(wire.Form, bool) (int, []byte) { return websocket.TextMessage, t }

func (t textFrame) size() int { return len(t) }

// reply answers one request on one connection.
type reply struct{ wire.Response }

func (r *reply) encode(f wire.Form, gzip bool) (int, []byte) {
	return websocket.BinaryMessage, seal(f, gzip, &r.Response)
}

func (r *reply) size() int { return len(r.Data) }

func seal(f wire.Form, gzip bool, r *wire.Response) []byte {
	b := f.AppendResponse(nil, r)
	if gzip {
		b = wire.Compress(make([]byte, 0, len(b)/2+64), b)
	}
	return b
}

// shared is a frame for many connections: each form is made once.
type shared struct {
	response func() *wire.Response

	mu    sync.Mutex
	forms [2][2][]byte // by form, by gzip
}

func (s *shared) encode(f wire.Form, gzip bool) (int, []byte) {
	z := 0
	if gzip {
		z = 1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.forms[f][z] == nil {
		s.forms[f][z] = seal(f, gzip, s.response())
	}
	return websocket.BinaryMessage, s.forms[f][z]
}

func (s *shared) size() int { return 64 }

// push is a message on its way to clients.
type push struct {
	shared
	message *im.Message
}

func newPush(m *im.Message, operationID string) *push {
	p := &push{message: m}
	p.response = func() *wire.Response { return pushResponse(m, operationID) }
	return p
}

func (p *push) size() int { return len(p.message.Content) }

func pushResponse(m *im.Message, operationID string) *wire.Response {
	list := map[string]*sdkws.PullMsgs{string(m.ConversationID): {Msgs: []*sdkws.MsgData{wire.FromMessage(m)}}}
	msgs := &sdkws.PushMessages{Msgs: list}
	if m.ConversationID.IsNotification() {
		msgs = &sdkws.PushMessages{NotificationMsgs: list}
	}
	return &wire.Response{ReqIdentifier: wire.PushMsg, OperationID: operationID, Data: marshal(msgs)}
}

// marshal encodes a protocol message made of valid parts.
func marshal(m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		// Only text that is not UTF-8 can do this, and clients' text is checked
		// when it comes in.
		return nil
	}
	return b
}

func statusPush(userID string, platforms []im.Platform) *shared {
	return &shared{response: func() *wire.Response {
		return &wire.Response{ReqIdentifier: wire.SubscribeUserOnlineState, Data: marshal(&sdkws.SubUserOnlineStatusTips{
			Subscribers: []*sdkws.SubUserOnlineStatusElem{statusElem(userID, platforms)},
		})}
	}}
}

func statusElem(userID string, platforms []im.Platform) *sdkws.SubUserOnlineStatusElem {
	ids := make([]int32, len(platforms))
	for i, p := range platforms {
		ids[i] = int32(p)
	}
	return &sdkws.SubUserOnlineStatusElem{UserID: userID, OnlinePlatformIDs: ids}
}
