package payload

// Conversation is what both conversation callbacks say.
type Conversation struct {
	CallbackCommand  string `json:"callbackCommand"`
	OwnerUserID      string `json:"ownerUserId"` // "" for groups: every member's
	ConversationID   string `json:"conversationId"`
	ConversationType int32  `json:"conversationType"`
	RecvMsgOpt       int32  `json:"recvMsgOpt"`
	IsPinned         bool   `json:"isPinned"`
	IsPrivateChat    bool   `json:"isPrivateChat"`
	BurnDuration     int32  `json:"burnDuration"` // seconds
	GroupAtType      int32  `json:"groupAtType"`
	AttachedInfo     string `json:"attachedInfo"`
	Ex               string `json:"ex"`
}

// SingleConversation is the body of beforeCreateSingleChatConversations and
// afterCreateSingleChatConversations.
type SingleConversation struct {
	Conversation
	UserID string `json:"userId"` // the other user
}

// GroupConversation is the body of beforeCreateGroupChatConversations and
// afterCreateGroupChatConversations.
type GroupConversation struct {
	Conversation
	GroupID string `json:"groupId"`
}

// ConversationAnswer answers beforeCreateSingleChatConversations and
// beforeCreateGroupChatConversations.
type ConversationAnswer struct {
	Answer
	RecvMsgOpt    *int32  `json:"recvMsgOpt,omitempty"`
	IsPinned      *bool   `json:"isPinned,omitempty"`
	IsPrivateChat *bool   `json:"isPrivateChat,omitempty"`
	BurnDuration  *int32  `json:"burnDuration,omitempty"`
	GroupAtType   *int32  `json:"groupAtType,omitempty"`
	AttachedInfo  *string `json:"attachedInfo,omitempty"`
	Ex            *string `json:"ex,omitempty"`
}
