package api

import (
	"context"
	"time"

	"github.com/openimsdk/protocol/msg"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/wire"
)

func (s *server) revokeMessage(ctx context.Context, req *msg.RevokeMsgReq) (none, error) {
	return none{}, s.Messages.Revoke(ctx, req.UserID, im.ConversationID(req.ConversationID), im.Seq(req.Seq))
}

func (s *server) deleteMessages(ctx context.Context, req *msg.DeleteMsgsReq) (none, error) {
	return none{}, s.Messages.Delete(ctx, req.UserID, im.ConversationID(req.ConversationID), wire.ToSeqs(req.Seqs), reach(req.DeleteSyncOpt))
}

func (s *server) removeMessages(ctx context.Context, req *msg.DeleteMsgPhysicalBySeqReq) (none, error) {
	return none{}, s.Messages.RemovePhysically(ctx, im.ConversationID(req.ConversationID), wire.ToSeqs(req.Seqs))
}

func (s *server) removeOldMessages(ctx context.Context, req *msg.DeleteMsgPhysicalReq) (none, error) {
	return none{}, s.Messages.RemoveOlder(ctx, wire.ToConversationIDs(req.ConversationIDs), im.MillisOf(time.Unix(req.Timestamp, 0)))
}

func (s *server) clearConversations(ctx context.Context, req *msg.ClearConversationsMsgReq) (none, error) {
	return none{}, s.Messages.Clear(ctx, req.UserID, wire.ToConversationIDs(req.ConversationIDs), reach(req.DeleteSyncOpt))
}

func (s *server) clearAll(ctx context.Context, req *msg.UserClearAllMsgReq) (none, error) {
	return none{}, s.Messages.ClearAll(ctx, req.UserID, reach(req.DeleteSyncOpt))
}

// reach reads OpenIM's two switches; everybody wins over one's own devices.
func reach(o *msg.DeleteSyncOpt) message.Reach {
	switch {
	case o.GetIsSyncOther():
		return message.ForEverybody
	case o.GetIsSyncSelf():
		return message.ForSelfTold
	default:
		return message.ForSelf
	}
}
