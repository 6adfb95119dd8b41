package api

import (
	"context"

	"github.com/openimsdk/protocol/msg"
	"github.com/openimsdk/protocol/sdkws"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/wire"
)

func (s *server) newestSeq(ctx context.Context, req *sdkws.GetMaxSeqReq) (*sdkws.GetMaxSeqResp, error) {
	seqs, err := s.Messages.MaxSeqs(ctx, req.UserID)
	if err != nil {
		return nil, err
	}
	return &sdkws.GetMaxSeqResp{MaxSeqs: wire.FromSeqs(seqs)}, nil
}

func (s *server) pullBySeq(ctx context.Context, req *sdkws.PullMessageBySeqsReq) (*sdkws.PullMessageBySeqsResp, error) {
	pulled, err := s.Messages.PullRanges(ctx, req.UserID, wire.ToRanges(req.SeqRanges), req.Order == sdkws.PullOrder_PullOrderDesc)
	if err != nil {
		return nil, err
	}
	chats, notices := wire.FromPulled(pulled)
	return &sdkws.PullMessageBySeqsResp{Msgs: chats, NotificationMsgs: notices}, nil
}

func (s *server) readStates(ctx context.Context, req *msg.GetConversationsHasReadAndMaxSeqReq) (*msg.GetConversationsHasReadAndMaxSeqResp, error) {
	states, pinned, err := s.Messages.ReadStates(ctx, req.UserID, wire.ToConversationIDs(req.ConversationIDs), req.ReturnPinned)
	if err != nil {
		return nil, err
	}
	return wire.FromReadStates(states, pinned), nil
}

func (s *server) setReadSeq(ctx context.Context, req *msg.SetConversationHasReadSeqReq) (none, error) {
	return none{}, s.Messages.SetReadSeq(ctx, req.UserID, im.ConversationID(req.ConversationID), im.Seq(req.HasReadSeq))
}

func (s *server) markConversationRead(ctx context.Context, req *msg.MarkConversationAsReadReq) (none, error) {
	return none{}, s.Messages.MarkConversationRead(ctx, req.UserID, im.ConversationID(req.ConversationID), im.Seq(req.HasReadSeq), wire.ToSeqs(req.Seqs))
}

func (s *server) markMessagesRead(ctx context.Context, req *msg.MarkMsgsAsReadReq) (none, error) {
	return none{}, s.Messages.MarkMessagesRead(ctx, req.UserID, im.ConversationID(req.ConversationID), wire.ToSeqs(req.Seqs))
}

// sendStatus answers about the send that was made under the same operationID.
func (s *server) sendStatus(ctx context.Context, _ *msg.GetSendMsgStatusReq) (*msg.GetSendMsgStatusResp, error) {
	status, err := s.Messages.SendStatus(ctx, im.OperationOf(ctx))
	if err != nil {
		return nil, err
	}
	return &msg.GetSendMsgStatusResp{Status: status}, nil
}

func (s *server) serverTime(context.Context, *msg.GetServerTimeReq) (*msg.GetServerTimeResp, error) {
	return &msg.GetServerTimeResp{ServerTime: s.Now().UnixMilli()}, nil
}
