package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/openimsdk/protocol/msg"
	"github.com/openimsdk/protocol/sdkws"
	"google.golang.org/protobuf/proto"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/wire"
)

// client is a device that never gives up: what was not answered is sent again
// after every crash, with the same clientMsgID.
type client struct {
	index    int
	userID   string
	platform im.Platform
	form     wire.Form
	token    string
	record   *record
	rng      *rand.Rand

	mu       sync.Mutex
	number   int     // of the last message
	open     []*send // not answered, oldest first
	answered []*send
	known    map[string]int64 // by conversation, the highest seq shown
}

// session is one connection of a client. Its methods are called by one
// goroutine; read runs in another.
type session struct {
	client *client
	conn   *websocket.Conn
	ended  chan struct{} // closed after err is set
	err    error

	replies  chan wire.Response // to calls
	answered chan struct{}      // some send was
	calls    int

	pushed map[string]int64 // owned by read: the last seq pushed, by conversation
}

func (c *client) connect(ctx context.Context, ws string) (*session, error) {
	query := url.Values{
		"sendID": {c.userID}, "token": {c.token}, "platformID": {strconv.Itoa(int(c.platform))},
		"operationID": {fmt.Sprintf("connect-%d", c.index)}, "isBackground": {"false"},
	}
	if c.form == wire.JSON {
		query.Set("sdkType", "js")
	} else {
		query.Set("compression", "gzip")
	}
	dialer := websocket.Dialer{HandshakeTimeout: patience}
	conn, _, err := dialer.DialContext(ctx, ws+"/?"+query.Encode(), nil)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	s := &session{
		client: c, conn: conn, ended: make(chan struct{}),
		replies: make(chan wire.Response, 1), answered: make(chan struct{}, 1), pushed: make(map[string]int64),
	}
	c.record.connected()
	go s.read()
	return s, nil
}

// close ends the connection as an app does that goes away.
func (s *session) close() {
	deadline := time.Now().Add(time.Second)
	_ = s.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), deadline)
	_ = s.conn.Close() // the server may be dead
	<-s.ended
}

// window is the most sends a client has in flight.
const window = 6

// work catches up, sends again what was not answered, and goes on sending until
// the connection ends.
func (s *session) work() error {
	if err := s.resume(); err != nil {
		return err
	}
	c := s.client
	room := 1 + c.rng.IntN(window)
	for {
		if c.inFlight() >= room {
			select {
			case <-s.answered:
			case <-s.ended:
				return s.err
			}
			continue
		}
		next := c.next()
		if err := s.send(next); err != nil {
			return err
		}
	}
}

// finish catches up, sends again what was not answered, and waits until all is.
func (s *session) finish() error {
	if err := s.resume(); err != nil {
		return err
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	for s.client.inFlight() > 0 {
		select {
		case <-s.answered:
		case <-s.ended:
			return s.err
		case <-late.C:
			return fmt.Errorf("%d sends were not answered in time", s.client.inFlight())
		}
	}
	return nil
}

func (s *session) resume() error {
	if err := s.catchUp(); err != nil {
		return err
	}
	for _, again := range s.client.unanswered() {
		if err := s.send(again); err != nil {
			return err
		}
	}
	return nil
}

func (c *client) inFlight() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open)
}

func (c *client) unanswered() []*send {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.open)
}

// next is a new message, or now and then one that was answered before.
func (c *client) next() *send {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.answered) > 0 && c.rng.IntN(10) == 0 {
		return c.answered[c.rng.IntN(len(c.answered))]
	}
	c.number++
	m := &sdkws.MsgData{
		SendID: c.userID, ClientMsgID: fmt.Sprintf("%08x%024x", c.index, c.number), SenderPlatformID: int32(c.platform),
		SessionType: int32(im.SingleChat), MsgFrom: im.FromUser, ContentType: int32(im.ContentText),
		Content: []byte(text(c.index, c.number)), CreateTime: time.Now().UnixMilli(),
	}
	s := &send{id: m.ClientMsgID, number: c.number, content: string(m.Content)}
	if to := c.rng.IntN(len(users) + 1); to < len(users) && users[to] != c.userID {
		m.RecvID = users[to]
		s.refusal = verdictOf(s.number).refusal(false)
		s.conversation = string(im.SingleConversation(c.userID, users[to]))
	} else {
		m.SessionType, m.GroupID = int32(im.GroupChat), groupID
		s.refusal = verdictOf(s.number).refusal(true)
		s.conversation = string(im.GroupConversation(groupID))
	}
	s.data = encode(m)
	c.open = append(c.open, s)
	return s
}

func encode(m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		panic(err) // all text is ours
	}
	return b
}

func (s *session) send(m *send) error {
	s.client.record.sent(m)
	return s.write(wire.SendMsg, m.id, m.data)
}

func (s *session) write(identifier int32, incr string, data []byte) error {
	c := s.client
	frame := c.form.AppendRequest(nil, &wire.Request{
		ReqIdentifier: identifier, Token: c.token, SendID: c.userID, OperationID: "op-" + incr, MsgIncr: incr, Data: data,
	})
	if c.form == wire.Gob {
		frame = wire.Compress(nil, frame)
	}
	if err := s.conn.WriteMessage(websocket.BinaryMessage, frame); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// call makes a request other than a send.
func (s *session) call(identifier int32, req, resp proto.Message) error {
	s.calls++
	incr := fmt.Sprintf("call-%d", s.calls)
	if err := s.write(identifier, incr, encode(req)); err != nil {
		return err
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case r := <-s.replies:
		if r.MsgIncr != incr || r.ReqIdentifier != identifier || r.ErrCode != 0 {
			return fmt.Errorf("%d %s was answered %d %s: %d %s", identifier, incr, r.ReqIdentifier, r.MsgIncr, r.ErrCode, r.ErrMsg)
		}
		return proto.Unmarshal(r.Data, resp)
	case <-s.ended:
		return s.err
	case <-late.C:
		return fmt.Errorf("%d was not answered in time", identifier)
	}
}

// read takes what comes until the connection ends.
func (s *session) read() {
	defer close(s.ended)
	for {
		kind, raw, err := s.conn.ReadMessage()
		if err != nil {
			s.err = fmt.Errorf("read: %w", err)
			return
		}
		if err := s.take(kind, raw); err != nil {
			s.client.record.fault(badProtocol, nil, "client %d: %v", s.client.index, err)
			s.err = err
			return
		}
	}
}

const maxInflated = 16 << 20

func (s *session) take(kind int, raw []byte) error {
	if kind != websocket.BinaryMessage {
		return fmt.Errorf("text frame %q", raw)
	}
	c := s.client
	if c.form == wire.Gob {
		plain, err := wire.Decompress(nil, raw, maxInflated)
		if err != nil {
			return err
		}
		raw = plain
	}
	var r wire.Response
	if err := c.form.DecodeResponse(raw, &r); err != nil {
		return err
	}
	switch r.ReqIdentifier {
	case wire.SendMsg:
		return s.takeAnswer(&r)
	case wire.PushMsg:
		return s.takePush(r.Data)
	case wire.KickOnlineMsg:
		return errors.New("kicked")
	default:
		s.replies <- r
		return nil
	}
}

func (s *session) takeAnswer(r *wire.Response) error {
	c := s.client
	c.mu.Lock()
	i := slices.IndexFunc(c.open, func(o *send) bool { return o.id == r.MsgIncr })
	var m *send
	if i >= 0 {
		m = c.open[i]
		c.open = slices.Delete(c.open, i, i+1)
		c.answered = append(c.answered, m)
	} else if i = slices.IndexFunc(c.answered, func(o *send) bool { return o.id == r.MsgIncr }); i >= 0 {
		m = c.answered[i]
	}
	c.mu.Unlock()
	if m == nil {
		return fmt.Errorf("answer to %q, which was not sent", r.MsgIncr)
	}
	if r.ErrCode != 0 {
		c.record.refused(m, r.ErrCode, r.ErrMsg)
	} else {
		var resp msg.SendMsgResp
		if err := proto.Unmarshal(r.Data, &resp); err != nil {
			return err
		}
		if resp.ClientMsgID != m.id || resp.ServerMsgID == "" {
			return fmt.Errorf("answer to %s says %v", m.id, &resp)
		}
		c.record.acked(m, ack{resp.ServerMsgID, resp.SendTime})
	}
	select {
	case s.answered <- struct{}{}:
	default:
	}
	return nil
}

// takePush notes pushed messages. A connection gets the messages of a
// conversation without a gap, from some seq on.
func (s *session) takePush(data []byte) error {
	var p sdkws.PushMessages
	if err := proto.Unmarshal(data, &p); err != nil {
		return err
	}
	if len(p.NotificationMsgs) > 0 {
		return fmt.Errorf("unexpected notifications %v", p.NotificationMsgs)
	}
	for conversation, list := range p.Msgs {
		for _, m := range list.Msgs {
			if last := s.pushed[conversation]; last > 0 && m.Seq != last+1 {
				s.client.record.fault(badSeqs, nil, "client %d was pushed seq %d of %s after %d", s.client.index, m.Seq, conversation, last)
			}
			s.pushed[conversation] = m.Seq
			s.client.record.saw(s.client, byPush, conversation, m)
			s.client.know(conversation, m.Seq)
			if s.client.awaitsAnswerTo(m.ClientMsgID) {
				s.client.record.fault(badProtocol, nil, "client %d got the echo of %s before its ack", s.client.index, m.ClientMsgID)
			}
		}
	}
	return nil
}

func (c *client) awaitsAnswerTo(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.open, func(o *send) bool { return o.id == id })
}

func (c *client) know(conversation string, seq int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known[conversation] = max(c.known[conversation], seq)
}

func (c *client) knows(conversation string) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known[conversation]
}

// catchUp does what a client does after it has connected: it asks for the newest
// seqs and pulls what is missing.
func (s *session) catchUp() error {
	newest, err := s.newest()
	if err != nil {
		return err
	}
	for conversation, last := range newest {
		if _, err := s.pull(conversation, s.client.knows(conversation)+1, last); err != nil {
			return err
		}
	}
	return nil
}

// newest is the last seq of each conversation of the user.
func (s *session) newest() (map[string]int64, error) {
	// What was shown before the question must be there at the answer.
	s.client.mu.Lock()
	before := make(map[string]int64, len(s.client.known))
	for conversation, seq := range s.client.known {
		before[conversation] = seq
	}
	s.client.mu.Unlock()
	var resp sdkws.GetMaxSeqResp
	if err := s.call(wire.GetNewestSeq, &sdkws.GetMaxSeqReq{UserID: s.client.userID}, &resp); err != nil {
		return nil, err
	}
	for conversation, seq := range before {
		if resp.MaxSeqs[conversation] < seq {
			s.client.record.fault(shownUnstored, nil, "client %d was shown seq %d of %s, but the newest is %d",
				s.client.index, seq, conversation, resp.MaxSeqs[conversation])
		}
	}
	for conversation := range resp.MaxSeqs {
		if strings.HasPrefix(conversation, "n_") {
			return nil, fmt.Errorf("unexpected notifications in %s", conversation)
		}
	}
	return resp.MaxSeqs, nil
}

// pullAtOnce is the longest range asked for.
const pullAtOnce = 200

// pull asks for a range and notes what it shows.
func (s *session) pull(conversation string, first, last int64) ([]entry, error) {
	var all []entry
	for begin := first; begin <= last; begin += pullAtOnce {
		end := min(begin+pullAtOnce-1, last)
		var resp sdkws.PullMessageBySeqsResp
		if err := s.call(wire.PullMsgByRange, &sdkws.PullMessageBySeqsReq{UserID: s.client.userID, SeqRanges: []*sdkws.SeqRange{
			{ConversationID: conversation, Begin: begin, End: end, Num: end - begin + 1},
		}}, &resp); err != nil {
			return nil, err
		}
		msgs := resp.Msgs[conversation].GetMsgs()
		s.check(conversation, begin, end, msgs)
		for _, m := range msgs {
			all = append(all, entryOf(m))
		}
	}
	return all, nil
}

// list asks for seqs one by one and notes what it shows.
func (s *session) list(conversation string, first, last int64) error {
	var seqs []int64
	for q := first; q <= last; q++ {
		seqs = append(seqs, q)
	}
	var resp msg.GetSeqMessageResp
	if err := s.call(wire.PullMsgBySeqList, &msg.GetSeqMessageReq{UserID: s.client.userID, Conversations: []*msg.ConversationSeqs{
		{ConversationID: conversation, Seqs: seqs},
	}}, &resp); err != nil {
		return err
	}
	s.check(conversation, first, last, resp.Msgs[conversation].GetMsgs())
	return nil
}

func (s *session) check(conversation string, first, last int64, msgs []*sdkws.MsgData) {
	r := s.client.record
	if int64(len(msgs)) != last-first+1 {
		r.fault(badSeqs, nil, "client %d pulled %d to %d of %s and got %d messages", s.client.index, first, last, conversation, len(msgs))
		return
	}
	for i, m := range msgs {
		if want := first + int64(i); m.Seq != want || m.ClientMsgID == "" || m.Status == im.StatusDeleted {
			r.fault(badSeqs, nil, "client %d pulled seq %d of %s and got %v", s.client.index, want, conversation, m)
			continue
		}
		r.saw(s.client, byPull, conversation, m)
	}
	s.client.know(conversation, last)
}
