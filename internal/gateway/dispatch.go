package gateway

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/openimsdk/protocol/msg"
	pushpb "github.com/openimsdk/protocol/push"
	"github.com/openimsdk/protocol/sdkws"
	"google.golang.org/protobuf/proto"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/wire"
)

// serve handles one binary frame. It reports false for a frame after which the
// connection must end without a reply (websocket-and-messages 3.7).
func (c *conn) serve(b []byte) bool {
	if c.gzip {
		inflated := c.server.buffers.Get().(*[]byte)
		defer func() {
			if cap(*inflated) <= 64<<10 {
				c.server.buffers.Put(inflated)
			}
		}()
		var err error
		if *inflated, err = wire.Decompress((*inflated)[:0], b, c.server.options.MaxInflatedBytes); err != nil {
			return false
		}
		b = *inflated
	}
	req := &c.request
	if err := c.form.DecodeRequest(b, req); err != nil {
		return false
	}
	if req.SendID != c.session.UserID || len(req.OperationID) > maxOperation || len(req.MsgIncr) > maxOperation {
		return false
	}
	handle, known := handlers[req.ReqIdentifier]
	if !known {
		return false
	}
	r := &request{identifier: req.ReqIdentifier, operationID: req.OperationID, msgIncr: req.MsgIncr}
	if req.OperationID == "" || req.MsgIncr == "" {
		c.answer(r, nil, im.ErrInternal.With("operationID and msgIncr are required"))
		return true
	}
	if c.flooded() {
		c.answer(r, nil, im.ErrTooManyRequests)
		return true
	}
	handle(c, r, req.Data)
	return true
}

// request is what a reply needs to know of its request.
type request struct {
	identifier  int32
	operationID string
	msgIncr     string
}

func (c *conn) context(r *request) context.Context {
	ctx := c.ctx
	// Who administrates may change while the connection lives.
	if now := c.caller(); now.Admin != im.CallerOf(ctx).Admin {
		ctx = im.WithCaller(ctx, now)
	}
	return im.WithOperation(ctx, r.operationID)
}

// answer queues the reply.
func (c *conn) answer(r *request, data []byte, err error) {
	c.enqueue(c.reply(r, data, err))
}

func (c *conn) reply(r *request, data []byte, err error) *reply {
	out := &reply{wire.Response{ReqIdentifier: r.identifier, MsgIncr: r.msgIncr, OperationID: r.operationID}}
	if err == nil {
		out.Data = data
		return out
	}
	known, ok := errors.AsType[*im.Error](err)
	if !ok {
		c.server.log.Error("request failed", "identifier", r.identifier, "operation_id", r.operationID, "user_id", c.session.UserID, "error", err)
		known = im.ErrInternal
	}
	// The envelope has no field for the detail, and OpenIM leaves it out: clients
	// show or compare the message as the business server gave it.
	out.ErrCode, out.ErrMsg = int32(known.Code), known.Msg
	return out
}

// Requests lists the identifiers of all requests of the long connection, so that
// nothing is said of them without saying it of each.
func Requests() []int32 { return slices.Sorted(maps.Keys(handlers)) }

// handlers is the whole surface of the long connection.
var handlers = map[int32]func(*conn, *request, []byte){
	wire.GetNewestSeq:             handle((*conn).newestSeq),
	wire.PullMsgByRange:           handle((*conn).pullRange),
	wire.SendMsg:                  (*conn).send,
	wire.SendSignalMsg:            func(c *conn, r *request, _ []byte) { c.answer(r, nil, im.ErrArgs.With("signalling is not supported")) },
	wire.PullMsgBySeqList:         handle((*conn).pullSeqs),
	wire.GetConvMaxReadSeq:        handle((*conn).readStates),
	wire.PullConvLastMessage:      handle((*conn).lastMessages),
	wire.LogoutMsg:                (*conn).logout,
	wire.SetBackgroundStatus:      handle((*conn).setBackground),
	wire.SubscribeUserOnlineState: (*conn).subscribe,
}

// handle adapts a typed handler: decode, call, encode, reply.
func handle[Req any, Resp any, PReq interface {
	*Req
	proto.Message
}, PResp interface {
	*Resp
	proto.Message
}](f func(*conn, context.Context, PReq) (PResp, error)) func(*conn, *request, []byte) {
	return func(c *conn, r *request, data []byte) {
		in := PReq(new(Req))
		if err := proto.Unmarshal(data, in); err != nil {
			c.answer(r, nil, im.ErrInternal.With("the request's data is not its protobuf"))
			return
		}
		out, err := f(c, c.context(r), in)
		if err != nil {
			c.answer(r, nil, err)
			return
		}
		c.answer(r, marshal(out), nil)
	}
}

// send takes its turn behind the connection's earlier sends. Its reply is
// queued by the committer, before the message's echo.
func (c *conn) send(r *request, data []byte) {
	d := &sdkws.MsgData{}
	if err := proto.Unmarshal(data, d); err != nil {
		c.answer(r, nil, im.ErrInternal.With("the request's data is not its protobuf"))
		return
	}
	c.submit(func() {
		ctx, span := c.server.options.Tracer.Begin(c.context(r), "socket.send", r.operationID, "")
		err := c.server.options.Messages.SendAcked(ctx, wire.ToMessage(d), func(s message.Sent) {
			resp := &msg.SendMsgResp{ServerMsgID: s.ServerMsgID, ClientMsgID: s.ClientMsgID, SendTime: int64(s.SendTime)}
			if s.Message != nil {
				resp.Modify = wire.FromMessage(s.Message)
			}
			c.answer(r, marshal(resp), nil)
		})
		span.End(err)
		if err != nil {
			c.answer(r, nil, err)
		}
	})
}

func (c *conn) newestSeq(ctx context.Context, req *sdkws.GetMaxSeqReq) (*sdkws.GetMaxSeqResp, error) {
	seqs, err := c.server.options.Messages.MaxSeqs(ctx, req.UserID)
	if err != nil {
		return nil, err
	}
	return &sdkws.GetMaxSeqResp{MaxSeqs: wire.FromSeqs(seqs)}, nil
}

func (c *conn) pullRange(ctx context.Context, req *sdkws.PullMessageBySeqsReq) (*sdkws.PullMessageBySeqsResp, error) {
	found, err := c.server.options.Messages.PullRanges(ctx, req.UserID, wire.ToRanges(req.SeqRanges), req.Order == sdkws.PullOrder_PullOrderDesc)
	if err != nil {
		return nil, err
	}
	c.pushOlder(ctx, req.UserID, leftOf(req.SeqRanges, found))
	chats, notices := wire.FromPulled(found)
	return &sdkws.PullMessageBySeqsResp{Msgs: chats, NotificationMsgs: notices}, nil
}

func (c *conn) pullSeqs(ctx context.Context, req *msg.GetSeqMessageReq) (*msg.GetSeqMessageResp, error) {
	asked := make([]im.SeqList, len(req.Conversations))
	for i, s := range req.Conversations {
		asked[i] = im.SeqList{ConversationID: im.ConversationID(s.ConversationID), Seqs: wire.ToSeqs(s.Seqs)}
	}
	found, err := c.server.options.Messages.PullSeqs(ctx, req.UserID, asked, req.Order == sdkws.PullOrder_PullOrderDesc)
	if err != nil {
		return nil, err
	}
	chats, notices := wire.FromPulled(found)
	return &msg.GetSeqMessageResp{Msgs: chats, NotificationMsgs: notices}, nil
}

func (c *conn) readStates(ctx context.Context, req *msg.GetConversationsHasReadAndMaxSeqReq) (*msg.GetConversationsHasReadAndMaxSeqResp, error) {
	states, pinned, err := c.server.options.Messages.ReadStates(ctx, req.UserID, wire.ToConversationIDs(req.ConversationIDs), req.ReturnPinned)
	if err != nil {
		return nil, err
	}
	return wire.FromReadStates(states, pinned), nil
}

func (c *conn) lastMessages(ctx context.Context, req *msg.GetLastMessageReq) (*msg.GetLastMessageResp, error) {
	found, err := c.server.options.Messages.LastMessages(ctx, req.UserID, wire.ToConversationIDs(req.ConversationIDs))
	if err != nil {
		return nil, err
	}
	out := make(map[string]*sdkws.MsgData, len(found))
	for id, m := range found {
		out[string(id)] = wire.FromMessage(m)
	}
	return &msg.GetLastMessageResp{Msgs: out}, nil
}

// logout replies, then closes. The token stays valid.
func (c *conn) logout(r *request, _ []byte) {
	c.finish(c.reply(r, marshal(&pushpb.DelUserPushTokenResp{}), nil), closeLogout)
}

func (c *conn) setBackground(_ context.Context, req *sdkws.SetAppBackgroundStatusReq) (*sdkws.SetAppBackgroundStatusResp, error) {
	if req.UserID != c.session.UserID {
		return nil, im.ErrNoPermission.With("another user's status")
	}
	c.background.Store(req.IsBackground)
	return &sdkws.SetAppBackgroundStatusResp{}, nil
}

// subscribe watches users' presence; the reply lists every user asked for. It is
// queued before any later change of theirs.
func (c *conn) subscribe(r *request, data []byte) {
	req := &sdkws.SubUserOnlineStatus{}
	if err := proto.Unmarshal(data, req); err != nil {
		c.answer(r, nil, im.ErrInternal.With("the request's data is not its protobuf"))
		return
	}
	if len(req.SubscribeUserID) > maxSubscribed {
		c.answer(r, nil, errSubscribed)
		return
	}
	for _, id := range req.SubscribeUserID {
		if len(id) > maxOperation { // it is kept
			c.answer(r, nil, im.ErrArgs.With("userID is too long"))
			return
		}
	}
	c.server.hub.unwatch(c, append([]string{}, req.UnsubscribeUserID...))
	c.server.hub.watch(c, req.SubscribeUserID, func(all bool) {
		if !all {
			c.answer(r, nil, errSubscribed)
			return
		}
		tips := &sdkws.SubUserOnlineStatusTips{}
		for _, id := range req.SubscribeUserID {
			tips.Subscribers = append(tips.Subscribers, statusElem(id, c.server.options.Presence.Platforms(id)))
		}
		c.answer(r, marshal(tips), nil)
	})
}

var errSubscribed = im.ErrArgs.With("more than %d users subscribed", maxSubscribed)
