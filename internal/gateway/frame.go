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
}

// textFrame is a heartbeat answer or the handshake reply: never gob, never gzip.
type textFrame []byte

func (t textFrame) encode(wire.Form, bool) (int, []byte) { return websocket.TextMessage, t }

// reply answers one request on one connection.
type reply struct{ wire.Response }

func (r *reply) encode(f wire.Form, gzip bool) (int, []byte) {
	return websocket.BinaryMessage, seal(f, gzip, &r.Response)
}

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

// push is a message on its way to clients.
type push struct {
	shared
	message     *im.Message
	operationID string
}

func newPush(m *im.Message, operationID string) *push {
	p := &push{message: m, operationID: operationID}
	p.response = func() *wire.Response { return pushResponse([]*push{p}) }
	return p
}

// pushResponse packs messages, in order, into one envelope. They must stem
// from one operation: clients recognise their own by it.
func pushResponse(list []*push) *wire.Response {
	msgs := &sdkws.PushMessages{}
	for _, p := range list {
		c := string(p.message.ConversationID)
		into := &msgs.Msgs
		if p.message.ConversationID.IsNotification() {
			into = &msgs.NotificationMsgs
		}
		if *into == nil {
			*into = make(map[string]*sdkws.PullMsgs, 1)
		}
		if (*into)[c] == nil {
			(*into)[c] = &sdkws.PullMsgs{}
		}
		(*into)[c].Msgs = append((*into)[c].Msgs, wire.FromMessage(p.message))
	}
	return &wire.Response{ReqIdentifier: wire.PushMsg, OperationID: list[0].operationID, Data: marshal(msgs)}
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
