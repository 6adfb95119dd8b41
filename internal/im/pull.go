package im

// ReadState is how far a conversation goes and how far its user has read.
type ReadState struct {
	MaxSeq, ReadSeq Seq
	MaxSeqTime      Millis
}

// Range asks for seqs First to Last of a conversation, at most Num of them.
type Range struct {
	ConversationID ConversationID
	First, Last    Seq
	Num            int64
}

// SeqList asks for single seqs of a conversation.
type SeqList struct {
	ConversationID ConversationID
	Seqs           []Seq
}

// Pulled is what a pull found of one conversation.
type Pulled struct {
	Messages []*Message
	IsEnd    bool // nothing further in the direction asked for
	EndSeq   Seq  // where it ends, for pulls by seq list
	// Left is the last seq of a notification log that was asked for and found no
	// room, 0 for none. Clients do not ask for it again.
	Left Seq
}
