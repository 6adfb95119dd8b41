package wire

import (
	"github.com/openimsdk/protocol/msg"
	"github.com/openimsdk/protocol/sdkws"

	"github.com/parley-im/parley/internal/im"
)

// ToRanges converts the ranges of a pull request.
func ToRanges(in []*sdkws.SeqRange) []im.Range {
	out := make([]im.Range, 0, len(in))
	for _, r := range in {
		out = append(out, im.Range{
			ConversationID: im.ConversationID(r.GetConversationID()), First: im.Seq(r.GetBegin()), Last: im.Seq(r.GetEnd()), Num: r.GetNum(),
		})
	}
	return out
}

// ToSeqs converts a list of seqs.
func ToSeqs(in []int64) []im.Seq {
	out := make([]im.Seq, len(in))
	for i, q := range in {
		out[i] = im.Seq(q)
	}
	return out
}

// ToConversationIDs converts a list of conversation ids.
func ToConversationIDs(in []string) []im.ConversationID {
	out := make([]im.ConversationID, len(in))
	for i, id := range in {
		out[i] = im.ConversationID(id)
	}
	return out
}

// FromSeqs converts seqs by conversation.
func FromSeqs(in map[im.ConversationID]im.Seq) map[string]int64 {
	out := make(map[string]int64, len(in))
	for id, q := range in {
		out[string(id)] = int64(q)
	}
	return out
}

// FromPulled splits what was pulled into chats and notifications.
func FromPulled(in map[im.ConversationID]im.Pulled) (chats, notices map[string]*sdkws.PullMsgs) {
	chats, notices = make(map[string]*sdkws.PullMsgs), make(map[string]*sdkws.PullMsgs)
	for id, p := range in {
		msgs := &sdkws.PullMsgs{IsEnd: p.IsEnd, EndSeq: int64(p.EndSeq), Msgs: make([]*sdkws.MsgData, len(p.Messages))}
		for i, m := range p.Messages {
			msgs.Msgs[i] = FromMessage(m)
		}
		if id.IsNotification() {
			notices[string(id)] = msgs
		} else {
			chats[string(id)] = msgs
		}
	}
	return chats, notices
}

// FromReadStates converts read positions.
func FromReadStates(in map[im.ConversationID]im.ReadState, pinned []im.ConversationID) *msg.GetConversationsHasReadAndMaxSeqResp {
	out := &msg.GetConversationsHasReadAndMaxSeqResp{Seqs: make(map[string]*msg.Seqs, len(in))}
	for id, s := range in {
		out.Seqs[string(id)] = &msg.Seqs{MaxSeq: int64(s.MaxSeq), HasReadSeq: int64(s.ReadSeq), MaxSeqTime: int64(s.MaxSeqTime)}
	}
	for _, id := range pinned {
		out.PinnedConversationIDs = append(out.PinnedConversationIDs, string(id))
	}
	return out
}
