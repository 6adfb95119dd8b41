package payload

// Presence is what all presence callbacks say.
type Presence struct {
	CallbackCommand string `json:"callbackCommand"`
	OperationID     string `json:"operationID"`
	PlatformID      int32  `json:"platformID"`
	Platform        string `json:"platform"`
	UserID          string `json:"userID"`
	Seq             int64  `json:"seq"` // when, in milliseconds
}

// Online is the body of afterUserOnline.
type Online struct {
	Presence
	IsAppBackground bool   `json:"isAppBackground"`
	ConnID          string `json:"connID"`
}

// Offline is the body of afterUserOffline and afterUserKickOff.
type Offline struct {
	Presence
	ConnID string `json:"connID"`
}
