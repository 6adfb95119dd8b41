package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"github.com/openimsdk/protocol/sdkws"
	"google.golang.org/protobuf/proto"

	"github.com/parley-im/parley/internal/wire"
)

const (
	sdkVersion   = "3.8.3"
	pingEvery    = 24 * time.Second // the SDK's heartbeat
	pingPatience = time.Second
	handshake    = 10 * time.Second
	maxFrame     = 1 << 20 // the SDK's read limit
	maxInflated  = 16 << 20
	firstAnswer  = 30 * time.Second
)

// client is one user's connection.
type client struct {
	load   *load
	index  uint32
	userID string
	conn   *websocket.Conn

	mu    sync.Mutex
	frame *sendFrame // guarded by mu; nil when the client only listens
	sent  uint32     // guarded by mu: number of the last message

	// Of the one outstanding message in the closed works: how many receivers
	// have yet to get it.
	awaited atomic.Int32

	// Owned by readLoop while it runs, by the evaluation after it.
	acks    stream
	refused map[uint32]struct{}
	inboxes map[uint32]*stream // by sender
	logs    map[string]*stream // by conversation: seqs
	counts  Violations
}

func dial(ctx context.Context, o *Options, userID, token, operationID string) (*websocket.Conn, error) {
	dialer := websocket.Dialer{
		HandshakeTimeout: handshake,
		ReadBufferSize:   2048,
		WriteBufferSize:  2048,
		WriteBufferPool:  writeBuffers,
	}
	query := url.Values{
		"sendID":       {userID},
		"token":        {token},
		"platformID":   {strconv.Itoa(platformAndroid)},
		"operationID":  {operationID},
		"isBackground": {"false"},
		"compression":  {"gzip"},
		"sdkVersion":   {sdkVersion},
	}
	conn, response, err := dialer.DialContext(ctx, strings.TrimSuffix(o.WS, "/")+"/?"+query.Encode(), nil)
	if err != nil {
		return nil, fmt.Errorf("connect %s: %w%s", userID, err, refusal(response))
	}
	conn.SetReadLimit(maxFrame)
	return conn, nil
}

var writeBuffers = new(sync.Pool)

// refusal is the body of a handshake that was answered with something else.
func refusal(response *http.Response) string {
	if response == nil || response.Body == nil {
		return ""
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, 1024))
	_ = response.Body.Close()
	if err != nil || len(text) == 0 {
		return ""
	}
	return ": " + string(text)
}

// begin asks for the newest seqs, as the SDK does on every connect, and waits
// for the answer: then the server knows the connection.
func (c *client) begin() error {
	data, err := proto.Marshal(&sdkws.GetMaxSeqReq{UserID: c.userID})
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	envelope := wire.Gob.AppendRequest(nil, &wire.Request{
		ReqIdentifier: wire.GetNewestSeq, SendID: c.userID, OperationID: "begin" + c.userID, MsgIncr: "begin", Data: data,
	})
	if err := c.conn.WriteMessage(websocket.BinaryMessage, wire.Compress(nil, envelope)); err != nil {
		return fmt.Errorf("first request of %s: %w", c.userID, err)
	}
	if err := c.conn.SetReadDeadline(time.Now().Add(firstAnswer)); err != nil {
		return fmt.Errorf("first answer to %s: %w", c.userID, err)
	}
	var in frameReader
	for {
		r, err := in.next(c.conn)
		if err != nil {
			return fmt.Errorf("first answer to %s: %w", c.userID, err)
		}
		if r.MsgIncr != "begin" {
			continue // notifications of what was set up
		}
		if r.ErrCode != 0 {
			return fmt.Errorf("first answer to %s: %d %s", c.userID, r.ErrCode, r.ErrMsg)
		}
		return c.conn.SetReadDeadline(time.Time{})
	}
}

// frameReader decodes the frames of one connection into memory it reuses.
type frameReader struct {
	raw, plain []byte
	response   wire.Response
}

var errBadFrame = errors.New("bad frame")

// next returns a response that is valid until the next call.
func (f *frameReader) next(conn *websocket.Conn) (*wire.Response, error) {
	kind, r, err := conn.NextReader()
	if err != nil {
		return nil, err
	}
	f.raw = f.raw[:0]
	for {
		if len(f.raw) == cap(f.raw) {
			f.raw = append(f.raw, make([]byte, max(1024, cap(f.raw)))...)[:len(f.raw)]
		}
		n, err := r.Read(f.raw[len(f.raw):cap(f.raw)])
		f.raw = f.raw[:len(f.raw)+n]
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	if kind != websocket.BinaryMessage {
		return nil, fmt.Errorf("%w: text on a gob connection", errBadFrame)
	}
	if f.plain, err = wire.Decompress(f.plain[:0], f.raw, maxInflated); err != nil {
		return nil, fmt.Errorf("%w: %w", errBadFrame, err)
	}
	if err := wire.Gob.DecodeResponse(f.plain, &f.response); err != nil {
		return nil, fmt.Errorf("%w: %w", errBadFrame, err)
	}
	return &f.response, nil
}

// send writes the client's next message. due is when it should have been sent.
func (c *client) send(due time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.load.take() {
		return
	}
	c.sent++
	c.awaited.Store(c.load.receivers)
	frame := c.frame.with(messageID{c.index, c.sent, due}, time.Now())
	if err := c.conn.WriteMessage(websocket.BinaryMessage, frame); err != nil {
		return // readLoop sees the connection end and counts it
	}
}

func (c *client) readLoop() {
	var in frameReader
	for {
		r, err := in.next(c.conn)
		switch {
		case errors.Is(err, errBadFrame):
			c.counts.BadAnswers++
			return
		case err != nil:
			if !c.load.closing.Load() {
				c.counts.Disconnected++
			}
			return
		}
		now := c.load.now()
		switch r.ReqIdentifier {
		case wire.SendMsg:
			c.acknowledged(r, now)
		case wire.PushMsg:
			if err := eachPushed(r.Data, func(p pushed) { c.received(p, now) }); err != nil {
				c.counts.BadAnswers++
			}
		case wire.KickOnlineMsg:
			c.counts.Disconnected++
			return
		}
	}
}

func (c *client) acknowledged(r *wire.Response, now time.Duration) {
	id, ok := parseMessageID(r.MsgIncr)
	if !ok || id.sender != c.index || !c.acks.add(uint64(id.number)) {
		c.counts.BadAnswers++
		return
	}
	if r.ErrCode != 0 {
		c.refused[id.number] = struct{}{}
		c.load.refusal(r)
	} else if serverMsgID, clientMsgID, err := ackIDs(r.Data); err != nil || len(serverMsgID) == 0 || string(clientMsgID) != r.MsgIncr {
		c.counts.BadAnswers++
	}
	c.load.ackedOne(c, id, now)
}

func (c *client) received(p pushed, now time.Duration) {
	id, ok := parseMessageID(p.clientMsgID)
	if !ok || int(id.sender) >= len(c.load.clients) {
		return // not ours: a line about the group, say
	}
	log := c.logs[string(p.conversationID)]
	if log == nil {
		log = new(stream)
		c.logs[string(p.conversationID)] = log
	}
	log.add(p.seq)
	inbox := c.inboxes[id.sender]
	if inbox == nil {
		inbox = new(stream)
		inbox.startingAt(1)
		c.inboxes[id.sender] = inbox
	}
	if !inbox.add(uint64(id.number)) {
		return // doubled, and counted as that
	}
	if id.sender == c.index {
		if !c.acks.has(uint64(id.number)) {
			c.counts.EarlyEchoes++
		}
		c.load.echoes.Add(1)
		return
	}
	c.load.deliveredOne(c, id, now)
}
