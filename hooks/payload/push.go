package payload

// Push is what the callbacks before a delivery say first: of the sender.
type Push struct {
	CallbackCommand string `json:"callbackCommand"`
	OperationID     string `json:"operationID"`
	PlatformID      int32  `json:"platformID"`
	Platform        string `json:"platform"`
}

// Pushed is the message they are about.
type Pushed struct {
	ClientMsgID string   `json:"clientMsgID"`
	SendID      string   `json:"sendID"`
	GroupID     string   `json:"groupID"`
	ContentType int32    `json:"contentType"`
	SessionType int32    `json:"sessionType"`
	AtUserIDs   []string `json:"atUserIDList"`
	Content     string   `json:"content"` // JSON; of a notification its detail
}

// OfflinePush is the body of beforeOfflinePush. The keys of PushInfo are left
// out if the message has none.
type OfflinePush struct {
	Push
	UserIDs []string `json:"userIDList"`
	*PushInfo
	Pushed
}

// OnlinePush is the body of beforeOnlinePush.
type OnlinePush struct {
	Push
	UserIDs []string `json:"userIDList"`
	Pushed
}

// GroupOnlinePush is the body of beforeGroupOnlinePush.
type GroupOnlinePush struct {
	Push
	Pushed
	Seq int64 `json:"seq"`
}

// OfflinePushAnswer answers beforeOfflinePush: the list replaces the receivers
// if it is not empty.
type OfflinePushAnswer struct {
	Answer
	UserIDs         []string  `json:"userIDList,omitempty"`
	OfflinePushInfo *PushInfo `json:"offlinePushInfo,omitempty"`
}

// OnlinePushAnswer answers beforeOnlinePush and beforeGroupOnlinePush: the list
// replaces the receivers if it is not empty.
type OnlinePushAnswer struct {
	Answer
	UserIDs []string `json:"userIDList,omitempty"`
}
