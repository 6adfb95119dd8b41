package payload

// User is an account.
type User struct {
	UserID           string `json:"userID"`
	Nickname         string `json:"nickname"`
	FaceURL          string `json:"faceURL"`
	Ex               string `json:"ex"`
	CreateTime       int64  `json:"createTime"`
	AppManagerLevel  int32  `json:"appMangerLevel"` // OpenIM's spelling
	GlobalRecvMsgOpt int32  `json:"globalRecvMsgOpt"`
}

// Registration is the body of beforeUserRegister and afterUserRegister.
type Registration struct {
	CallbackCommand string `json:"callbackCommand"`
	Users           []User `json:"users"`
}

// RegistrationAnswer answers beforeUserRegister: the list replaces all users if
// it is not empty.
type RegistrationAnswer struct {
	Answer
	Users []User `json:"users,omitempty"`
}

// Profile is the body of beforeUpdateUserInfo: "" is not being changed, and Ex
// is null.
type Profile struct {
	CallbackCommand string  `json:"callbackCommand"`
	UserID          string  `json:"userID"`
	Nickname        string  `json:"nickName"`
	FaceURL         string  `json:"faceURL"`
	Ex              *string `json:"ex"`
}

// ProfileSet is the body of afterUpdateUserInfo. Ex is "".
type ProfileSet struct {
	CallbackCommand string `json:"callbackCommand"`
	UserID          string `json:"userID"`
	Nickname        string `json:"nickName"`
	FaceURL         string `json:"faceURL"`
	Ex              string `json:"ex"`
}

// ProfileChange is the body of beforeUpdateUserInfoEx and afterUpdateUserInfoEx:
// null is not being changed.
type ProfileChange struct {
	CallbackCommand string  `json:"callbackCommand"`
	UserID          string  `json:"userID"`
	Nickname        *string `json:"nickName"`
	FaceURL         *string `json:"faceURL"`
	Ex              *string `json:"ex"` // always null in OpenIM
}

// ProfileAnswer answers beforeUpdateUserInfo and beforeUpdateUserInfoEx.
type ProfileAnswer struct {
	Answer
	Nickname *string `json:"nickName,omitempty"`
	FaceURL  *string `json:"faceURL,omitempty"`
	Ex       *string `json:"ex,omitempty"`
}
