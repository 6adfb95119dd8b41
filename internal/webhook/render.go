package webhook

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/parley-im/parley/internal/im"
)

// The bodies as OpenIM sends them: names, types and what is null. Keys may be
// added; none may be renamed or left out.

type messageBody struct {
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
	Content          string   `json:"content"`
	Seq              uint32   `json:"seq"`
	AtUserIDs        []string `json:"atUserList"`
	FaceURL          string   `json:"faceURL"`
	Ex               string   `json:"ex"`
}

type singleMessageBody struct {
	messageBody
	RecvID string `json:"recvID"`
}

type groupMessageBody struct {
	messageBody
	GroupID string `json:"groupID"`
}

// addressedMessageBody names both ends; the one that does not apply is "".
type addressedMessageBody struct {
	messageBody
	RecvID  string `json:"recvID"`
	GroupID string `json:"groupID"`
}

type presenceBody struct {
	CallbackCommand string `json:"callbackCommand"`
	OperationID     string `json:"operationID"`
	PlatformID      int32  `json:"platformID"`
	Platform        string `json:"platform"`
	UserID          string `json:"userID"`
	Seq             int64  `json:"seq"` // when, in milliseconds
}

// singleReadBody is that of afterSingleMsgRead; contentType carries the type of
// the conversation, and one key begins with a capital.
type singleReadBody struct {
	CallbackCommand string   `json:"callbackCommand"`
	ConversationID  string   `json:"conversationID"`
	UserID          string   `json:"userID"`
	Seqs            []im.Seq `json:"Seqs"`
	ContentType     int32    `json:"contentType"`
	HasReadSeq      int64    `json:"hasReadSeq"` // not sent by OpenIM
}

// groupReadBody is that of afterGroupMsgRead. OpenIM puts the reader into both
// ids and his read position into unreadMsgNum; the last three keys say it right.
type groupReadBody struct {
	CallbackCommand string `json:"callbackCommand"`
	SendID          string `json:"sendID"`
	ReceiveID       string `json:"receiveID"`
	UnreadMsgNum    int64  `json:"unreadMsgNum"`
	ContentType     int64  `json:"contentType"`
	GroupID         string `json:"groupID"`
	ConversationID  string `json:"conversationID"`
	HasReadSeq      int64  `json:"hasReadSeq"`
}

// revokeBody is that of afterRevokeMsg and afterGroupMsgRevoke; OpenIM sends the
// first four keys.
type revokeBody struct {
	CallbackCommand string `json:"callbackCommand"`
	ConversationID  string `json:"conversationID"`
	Seq             int64  `json:"seq"`
	UserID          string `json:"userID"` // who revoked
	ClientMsgID     string `json:"clientMsgID"`
	SendID          string `json:"sendID"`
	SessionType     int32  `json:"sessionType"`
	GroupID         string `json:"groupID"`
}

type onlineBody struct {
	presenceBody
	IsAppBackground bool   `json:"isAppBackground"`
	ConnID          string `json:"connID"`
}

// offlineBody is that of afterUserOffline and afterUserKickOff.
type offlineBody struct {
	presenceBody
	ConnID string `json:"connID"`
}

func bodyOf(m *im.Message, cb *callback, operationID string) messageBody {
	at := m.AtUserIDs
	if len(at) == 0 {
		at = nil // handlers test for null
	}
	return messageBody{
		SendID:           m.SendID,
		CallbackCommand:  cb.Command,
		ServerMsgID:      m.ServerMsgID,
		ClientMsgID:      m.ClientMsgID,
		OperationID:      operationID,
		SenderPlatformID: m.SenderPlatform,
		SenderNickname:   m.SenderNickname,
		SessionType:      int32(m.SessionType),
		MsgFrom:          m.MsgFrom,
		ContentType:      int32(m.ContentType),
		Status:           m.Status,
		SendTime:         int64(m.SendTime),
		CreateTime:       int64(m.CreateTime),
		Content:          string(m.Content),
		Seq:              uint32(m.Seq), //nolint:gosec // the field is 32 bits wide on the wire
		AtUserIDs:        at,
		FaceURL:          m.SenderFaceURL,
		Ex:               m.Ex,
	}
}

// renderMessage is the body of the four send callbacks.
func renderMessage(m *im.Message, cb *callback, operationID string) []byte {
	body := bodyOf(m, cb, operationID)
	if body.Status == im.StatusSent {
		body.Status = im.StatusSending // the client's; OpenIM renders these bodies before it stores the message
	}
	if m.SessionType == im.GroupChat {
		return render(groupMessageBody{body, m.GroupID})
	}
	return render(singleMessageBody{body, m.RecvID})
}

// renderAddressed is the body of beforeMsgModify, where both ids are our
// addition, and of afterMsgSaveDB.
func renderAddressed(m *im.Message, cb *callback, operationID string) []byte {
	return render(addressedMessageBody{bodyOf(m, cb, operationID), m.RecvID, m.GroupID})
}

func presence(s im.Session, at im.Millis, cb *callback, operationID string) presenceBody {
	return presenceBody{
		CallbackCommand: cb.Command,
		OperationID:     operationID,
		PlatformID:      int32(s.Platform),
		Platform:        s.Platform.String(),
		UserID:          s.UserID,
		Seq:             int64(at),
	}
}

// render encodes as upstream does: HTML escaped, with a newline at the end.
func render(body any) []byte {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(body); err != nil {
		panic(fmt.Sprintf("webhook: render %T: %v", body, err)) // structs of strings and numbers
	}
	return b.Bytes()
}

// keyQuery is what a bot hands back to /msg/send_simple_msg to answer a message.
func keyQuery(m *im.Message) string {
	key, err := json.Marshal(struct {
		SendID  string `json:"sendID"`
		RecvID  string `json:"recvID"`
		GroupID string `json:"groupID"`
	}{m.SendID, m.RecvID, m.GroupID})
	if err != nil {
		panic(fmt.Sprintf("webhook: render key: %v", err))
	}
	return "key=" + url.QueryEscape(base64.StdEncoding.EncodeToString(key))
}
