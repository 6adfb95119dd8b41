package payload

// FriendRequest is the body of beforeAddFriend.
type FriendRequest struct {
	CallbackCommand string `json:"callbackCommand"`
	FromUserID      string `json:"fromUserID"`
	ToUserID        string `json:"toUserID"`
	Message         string `json:"reqMsg"`
	Ex              string `json:"ex"`
}

// FriendRequested is the body of afterAddFriend: the request was made.
type FriendRequested struct {
	CallbackCommand string `json:"callbackCommand"`
	FromUserID      string `json:"fromUserID"`
	ToUserID        string `json:"toUserID"`
	Message         string `json:"reqMsg"`
}

// FriendAgreement is the body of beforeAddFriendAgree and afterAddFriendAgree.
// OpenIM names the accepting user blackUserID, and spells two keys with capitals.
type FriendAgreement struct {
	CallbackCommand string `json:"callbackCommand"`
	FromUserID      string `json:"fromUserID"` // who asked
	BlackUserID     string `json:"blackUserID"`
	HandleResult    int32  `json:"HandleResult"`
	HandleMessage   string `json:"HandleMsg"`
	ToUserID        string `json:"toUserID"` // as BlackUserID; not sent by OpenIM
}

// FriendRemoval is the body of afterDeleteFriend.
type FriendRemoval struct {
	CallbackCommand string `json:"callbackCommand"`
	OwnerUserID     string `json:"ownerUserID"`
	FriendUserID    string `json:"friendUserID"`
}

// FriendRemark is the body of beforeSetFriendRemark and afterSetFriendRemark.
type FriendRemark struct {
	CallbackCommand string `json:"callbackCommand"`
	OwnerUserID     string `json:"ownerUserID"`
	FriendUserID    string `json:"friendUserID"`
	Remark          string `json:"remark"`
}

// FriendRemarkAnswer answers beforeSetFriendRemark. "" changes nothing.
type FriendRemarkAnswer struct {
	Answer
	Remark *string `json:"remark,omitempty"`
}

// FriendImport is the body of beforeImportFriends and afterImportFriends.
type FriendImport struct {
	CallbackCommand string   `json:"callbackCommand"`
	OwnerUserID     string   `json:"ownerUserID"`
	FriendUserIDs   []string `json:"friendUserIDs"`
}

// FriendImportAnswer answers beforeImportFriends: the list replaces the friends
// if it is not empty.
type FriendImportAnswer struct {
	Answer
	FriendUserIDs []string `json:"friendUserIDs,omitempty"`
}

// Block is the body of beforeAddBlack and afterRemoveBlack.
type Block struct {
	CallbackCommand string `json:"callbackCommand"`
	OwnerUserID     string `json:"ownerUserID"`
	BlackUserID     string `json:"blackUserID"`
}
