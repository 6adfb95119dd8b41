package wire

import (
	"time"

	"github.com/openimsdk/protocol/conversation"

	"github.com/parley-im/parley/internal/im"
)

// unsetTime is how OpenIM writes a point in time that was never set.
var unsetTime = time.Time{}.UnixMilli()

// FromConversation converts a row of a user's list.
func FromConversation(c im.Conversation) *conversation.Conversation {
	destructed := int64(c.LatestDestructTime)
	if destructed == 0 {
		destructed = unsetTime
	}
	return &conversation.Conversation{
		OwnerUserID: c.OwnerID, ConversationID: string(c.ConversationID), RecvMsgOpt: int32(c.RecvOpt), ConversationType: int32(c.Type),
		UserID: c.UserID, GroupID: c.GroupID, IsPinned: c.Pinned, AttachedInfo: c.AttachedInfo, IsPrivateChat: c.PrivateChat,
		GroupAtType: c.GroupAtType, Ex: c.Ex, BurnDuration: c.BurnDuration, MinSeq: int64(c.MinSeq), MaxSeq: int64(c.MaxSeq),
		MsgDestructTime: c.DestructTime, LatestMsgDestructTime: destructed, IsMsgDestruct: c.Destruct,
	}
}
