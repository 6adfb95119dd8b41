// Package phone is a client of the long connection as small as one can be: it
// logs in, sends texts and shows what comes. It speaks as the native Go SDK does
// and knows the server by its address only, so what it shows is what any client
// would see.
package phone

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/openimsdk/protocol/constant"
	"github.com/openimsdk/protocol/msg"
	"github.com/openimsdk/protocol/sdkws"
	"google.golang.org/protobuf/proto"

	"github.com/parley-im/parley/internal/wire"
)

const (
	handshakeTime = 10 * time.Second
	pingEvery     = 20 * time.Second // the server waits 30 s
	writeTime     = 5 * time.Second
	maxFrame      = 1 << 20 // the SDK's read limit
	maxInflated   = 16 << 20
)

// Login says who connects, and where.
type Login struct {
	Address  string // ws:// or wss://
	UserID   string
	Token    string
	Platform int
	TLS      *tls.Config // for wss://; nil is the system's
}

// Owner is told what happens on a phone, by one goroutine, in order. Its methods
// must not wait.
type Owner interface {
	// Answered is the reply to the message with this id; code 0 is success.
	Answered(clientMsgID, serverMsgID string, code int, text string)
	// Received is a text that was pushed, the phone's own included.
	Received(Text)
	// Ended is the last call: the connection is gone, and why. It is nil after
	// Close.
	Ended(why error)
}

// Text is a message.
type Text struct {
	ClientMsgID, ServerMsgID string
	ConversationID           string
	SendID                   string
	Seq                      int64
	Text                     string // "" if it is no text
	ContentType              int32
}

// Phone is one connection. It is safe for concurrent use.
type Phone struct {
	login Login
	owner Owner
	conn  *websocket.Conn
	ended chan struct{}

	mu     sync.Mutex // guards writing, and closed
	closed bool
}

// ErrKicked ends a phone that the server logged out.
var ErrKicked = errors.New("logged out by the server")

// Dial logs in. The owner is called from now on, until Ended.
func Dial(ctx context.Context, l Login, owner Owner) (*Phone, error) {
	dialer := websocket.Dialer{HandshakeTimeout: handshakeTime, TLSClientConfig: l.TLS}
	query := url.Values{
		"sendID": {l.UserID}, "token": {l.Token}, "platformID": {strconv.Itoa(l.Platform)}, "operationID": {NewID()},
		"isBackground": {"false"}, "compression": {"gzip"}, "sdkVersion": {"3.8.3"},
	}
	conn, resp, err := dialer.DialContext(ctx, strings.TrimSuffix(l.Address, "/")+"/?"+query.Encode(), nil)
	if err != nil {
		return nil, fmt.Errorf("connect %s: %w%s", l.UserID, err, refusal(resp))
	}
	conn.SetReadLimit(maxFrame)
	p := &Phone{login: l, owner: owner, conn: conn, ended: make(chan struct{})}
	go p.read()
	go p.ping()
	return p, nil
}

// refusal is the body of a handshake that was answered with something else.
func refusal(resp *http.Response) string {
	if resp == nil || resp.Body == nil {
		return ""
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1024))
	if err = errors.Join(err, resp.Body.Close()); err != nil || len(text) == 0 {
		return ""
	}
	return ": " + string(text)
}

// NewID makes the id of a message.
func NewID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// Send sends a text to a user. The message's id, of NewID, is the operation's too,
// and the answer names it.
func (p *Phone) Send(clientMsgID, to, text string) error {
	content, err := json.Marshal(struct {
		Content string `json:"content"`
	}{text})
	if err != nil {
		return fmt.Errorf("encode text: %w", err)
	}
	data, err := proto.Marshal(&sdkws.MsgData{
		SendID: p.login.UserID, RecvID: to, ClientMsgID: clientMsgID, SenderPlatformID: int32(p.login.Platform), SessionType: constant.SingleChatType,
		MsgFrom: constant.UserMsgType, ContentType: constant.Text, Content: content, CreateTime: time.Now().UnixMilli(), Status: constant.MsgStatusSending,
		AttachedInfo: "{}", OfflinePushInfo: &sdkws.OfflinePushInfo{},
	})
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	frame := wire.Gob.AppendRequest(nil, &wire.Request{
		ReqIdentifier: wire.SendMsg, Token: p.login.Token, SendID: p.login.UserID, OperationID: clientMsgID, MsgIncr: clientMsgID, Data: data,
	})
	return p.write(websocket.BinaryMessage, wire.Compress(nil, frame))
}

func (p *Phone) write(kind int, frame []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return net.ErrClosed
	}
	if err := p.conn.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return err
	}
	return p.conn.WriteMessage(kind, frame)
}

// Close ends the connection and waits until the owner was told.
func (p *Phone) Close() {
	p.mu.Lock()
	p.closed = true
	_ = p.conn.Close() // the reader sees it
	p.mu.Unlock()
	<-p.ended
}

func (p *Phone) ping() {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		select {
		case <-p.ended:
			return
		case <-tick.C:
			if err := p.write(websocket.PingMessage, nil); err != nil {
				_ = p.conn.Close()
				return
			}
		}
	}
}

// read ends with the connection.
func (p *Phone) read() {
	defer close(p.ended)
	err := p.serve()
	_ = p.conn.Close()
	p.mu.Lock()
	if p.closed {
		err = nil
	}
	p.closed = true
	p.mu.Unlock()
	p.owner.Ended(err)
}

func (p *Phone) serve() error {
	var plain []byte
	var r wire.Response
	for {
		_, raw, err := p.conn.ReadMessage()
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if plain, err = wire.Decompress(plain[:0], raw, maxInflated); err != nil {
			return fmt.Errorf("inflate: %w", err)
		}
		if err := wire.Gob.DecodeResponse(plain, &r); err != nil {
			return fmt.Errorf("decode: %w", err)
		}
		switch r.ReqIdentifier {
		case wire.SendMsg:
			var sent msg.SendMsgResp
			if err := proto.Unmarshal(r.Data, &sent); err != nil {
				return fmt.Errorf("decode answer: %w", err)
			}
			p.owner.Answered(r.MsgIncr, sent.ServerMsgID, int(r.ErrCode), r.ErrMsg)
		case wire.PushMsg:
			if err := p.pushed(r.Data); err != nil {
				return err
			}
		case wire.KickOnlineMsg:
			return ErrKicked
		default: // nothing a phone like this shows
		}
	}
}

func (p *Phone) pushed(data []byte) error {
	var push sdkws.PushMessages
	if err := proto.Unmarshal(data, &push); err != nil {
		return fmt.Errorf("decode push: %w", err)
	}
	for conversationID, list := range push.Msgs {
		for _, m := range list.GetMsgs() {
			t := Text{
				ClientMsgID: m.ClientMsgID, ServerMsgID: m.ServerMsgID, ConversationID: conversationID, SendID: m.SendID, Seq: m.Seq, ContentType: m.ContentType,
			}
			var content struct {
				Content string `json:"content"`
			}
			if m.ContentType == constant.Text && json.Unmarshal(m.Content, &content) == nil {
				t.Text = content.Content
			}
			p.owner.Received(t)
		}
	}
	return nil
}
