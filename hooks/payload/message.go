package payload

// Message is what all message callbacks say.
type Message struct {
	SendID           string   `json:"sendID"`
	CallbackCommand  string   `json:"callbackCommand"`
	ServerMsgID      string   `json:"serverMsgID"`
	ClientMsgID      string   `json:"clientMsgID"`
	OperationID      string   `json:"operationID"`
	SenderPlatformID int32    `json:"senderPlatformID"`
	SenderNickname   string   `json:"senderNickname"`
	SessionType      int32    `json:"sessionType"`
	MsgFrom          int32    `json:"msgFrom"`
	ContentType      int32    `json:"contentType"`
	Status           int32    `json:"status"`
	SendTime         int64    `json:"sendTime"`
	CreateTime       int64    `json:"createTime"`
	Content          string   `json:"content"` // JSON
	Seq              uint32   `json:"seq"`     // 0 before the message is stored
	AtUserIDs        []string `json:"atUserList"`
	FaceURL          string   `json:"faceURL"` // of the sender
	Ex               string   `json:"ex"`
}

// SingleMessage is the body of beforeSendSingleMsg and afterSendSingleMsg.
type SingleMessage struct {
	Message
	RecvID string `json:"recvID"`
}

// GroupMessage is the body of beforeSendGroupMsg and afterSendGroupMsg.
type GroupMessage struct {
	Message
	GroupID string `json:"groupID"`
}

// AddressedMessage is the body of beforeMsgModify and afterMsgSaveDB. It names
// both ends; the one that does not apply is "".
type AddressedMessage struct {
	Message
	RecvID  string `json:"recvID"`
	GroupID string `json:"groupID"`
}

// PushInfo is what an offline push shows.
type PushInfo struct {
	Title         string `json:"title"`
	Desc          string `json:"desc"`
	Ex            string `json:"ex"`
	IOSPushSound  string `json:"iOSPushSound"`
	IOSBadgeCount bool   `json:"iOSBadgeCount"`
	SignalInfo    string `json:"signalInfo"`
}

// MessageAnswer answers beforeMsgModify. Options and AtUserIDs replace the whole
// of what was there.
type MessageAnswer struct {
	Answer
	Content          *string         `json:"content,omitempty"` // must be a JSON object
	RecvID           *string         `json:"recvID,omitempty"`
	GroupID          *string         `json:"groupID,omitempty"`
	ClientMsgID      *string         `json:"clientMsgID,omitempty"`
	ServerMsgID      *string         `json:"serverMsgID,omitempty"`
	SenderPlatformID *int32          `json:"senderPlatformID,omitempty"`
	SenderNickname   *string         `json:"senderNickname,omitempty"`
	SenderFaceURL    *string         `json:"senderFaceURL,omitempty"`
	SessionType      *int32          `json:"sessionType,omitempty"`
	MsgFrom          *int32          `json:"msgFrom,omitempty"`
	ContentType      *int32          `json:"contentType,omitempty"`
	Status           *int32          `json:"status,omitempty"`
	Options          map[string]bool `json:"options,omitempty"`
	OfflinePushInfo  *PushInfo       `json:"offlinePushInfo,omitempty"`
	AtUserIDs        []string        `json:"atUserIDList,omitempty"`
	AttachedInfo     *string         `json:"attachedInfo,omitempty"`
	Ex               *string         `json:"ex,omitempty"`
}

// SingleRead is the body of afterSingleMsgRead. ContentType carries the type of
// the conversation, and one key begins with a capital.
type SingleRead struct {
	CallbackCommand string  `json:"callbackCommand"`
	ConversationID  string  `json:"conversationID"`
	UserID          string  `json:"userID"` // the reader
	Seqs            []int64 `json:"Seqs"`
	ContentType     int32   `json:"contentType"`
	HasReadSeq      int64   `json:"hasReadSeq"` // not sent by OpenIM
}

// GroupRead is the body of afterGroupMsgRead. OpenIM puts the reader into both
// ids and his read position into unreadMsgNum; the last three keys, which it does
// not send, say it right.
type GroupRead struct {
	CallbackCommand string `json:"callbackCommand"`
	SendID          string `json:"sendID"`
	ReceiveID       string `json:"receiveID"`
	UnreadMsgNum    int64  `json:"unreadMsgNum"`
	ContentType     int64  `json:"contentType"`
	GroupID         string `json:"groupID"`
	ConversationID  string `json:"conversationID"`
	HasReadSeq      int64  `json:"hasReadSeq"`
}

// Revoke is the body of afterRevokeMsg and afterGroupMsgRevoke. OpenIM sends the
// first four keys.
type Revoke struct {
	CallbackCommand string `json:"callbackCommand"`
	ConversationID  string `json:"conversationID"`
	Seq             int64  `json:"seq"`
	UserID          string `json:"userID"` // who revoked
	ClientMsgID     string `json:"clientMsgID"`
	SendID          string `json:"sendID"`
	SessionType     int32  `json:"sessionType"`
	GroupID         string `json:"groupID"`
}
