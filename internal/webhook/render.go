package webhook

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/parley-im/parley/hooks/payload"
	"github.com/parley-im/parley/internal/im"
)

func bodyOf(m *im.Message, cb *callback, operationID string) payload.Message {
	at := m.AtUserIDs
	if len(at) == 0 {
		at = nil // handlers test for null
	}
	return payload.Message{
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
		return render(payload.GroupMessage{Message: body, GroupID: m.GroupID})
	}
	return render(payload.SingleMessage{Message: body, RecvID: m.RecvID})
}

// renderAddressed is the body of beforeMsgModify, where both ids are our
// addition, and of afterMsgSaveDB.
func renderAddressed(m *im.Message, cb *callback, operationID string) []byte {
	return render(payload.AddressedMessage{Message: bodyOf(m, cb, operationID), RecvID: m.RecvID, GroupID: m.GroupID})
}

// seqs keeps null what is nil.
func seqs(in []im.Seq) (out []int64) {
	for _, seq := range in {
		out = append(out, int64(seq))
	}
	return out
}

func presence(s im.Session, at im.Millis, cb *callback, operationID string) payload.Presence {
	return payload.Presence{
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
