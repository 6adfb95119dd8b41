package api

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/openimsdk/protocol/sdkws"
	"golang.org/x/sync/errgroup"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/wire"
)

// outgoing is what the routes that send a message have in common.
type outgoing struct {
	SendID           string                 `json:"sendID"`
	GroupID          string                 `json:"groupID"`
	SenderNickname   string                 `json:"senderNickname"`
	SenderFaceURL    string                 `json:"senderFaceURL"`
	SenderPlatformID int32                  `json:"senderPlatformID"`
	Content          contentObject          `json:"content"`
	ContentType      im.ContentType         `json:"contentType"`
	SessionType      im.SessionType         `json:"sessionType"`
	IsOnlineOnly     bool                   `json:"isOnlineOnly"`
	NotOfflinePush   bool                   `json:"notOfflinePush"`
	SendTime         im.Millis              `json:"sendTime"`
	OfflinePushInfo  *sdkws.OfflinePushInfo `json:"offlinePushInfo"`
	Ex               string                 `json:"ex"`
}

// contentObject is a JSON object, kept as it was written.
type contentObject struct {
	raw    []byte
	fields map[string]any
}

// UnmarshalJSON implements json.Unmarshaler.
func (c *contentObject) UnmarshalJSON(raw []byte) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber() // numbers keep all their digits
	if err := d.Decode(&c.fields); err != nil {
		return errors.New("content is not a JSON object")
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return err
	}
	c.raw = compact.Bytes()
	return nil
}

func (o *outgoing) check() error {
	switch {
	case o.SendID == "":
		return im.ErrArgs.With("sendID is required")
	case o.Content.fields == nil:
		return im.ErrArgs.With("content is required")
	case o.ContentType == 0:
		return im.ErrArgs.With("contentType is required")
	case o.SessionType == 0:
		return im.ErrArgs.With("sessionType is required")
	case o.GroupID == "" && (o.SessionType == im.GroupChat || o.SessionType == writeGroupChat):
		return im.ErrArgs.With("groupID is required")
	case o.SendTime < 0:
		return im.ErrArgs.With("sendTime is negative")
	}
	return nil
}

// writeGroupChat is a session type of old, whose messages are refused.
const writeGroupChat im.SessionType = 2

type sendMsgReq struct {
	outgoing
	RecvID string `json:"recvID"`
}

func (r *sendMsgReq) Check() error {
	if err := r.check(); err != nil {
		return err
	}
	if r.RecvID == "" && (r.SessionType == im.SingleChat || r.SessionType == im.AccountChat) {
		return im.ErrArgs.With("recvID is required")
	}
	return nil
}

type sendMsgResp struct {
	ServerMsgID string         `json:"serverMsgID"`
	ClientMsgID string         `json:"clientMsgID"`
	SendTime    im.Millis      `json:"sendTime"`
	Modify      map[string]any `json:"modify,omitempty"`
}

func (s *server) sendMsg(ctx context.Context, req *sendMsgReq) (*sendMsgResp, error) {
	m, err := s.compose(ctx, &req.outgoing)
	if err != nil {
		return nil, err
	}
	return s.send(ctx, m.to(req.RecvID))
}

// draft makes messages that differ only in their receiver.
type draft struct{ m im.Message }

func (d draft) to(recvID string) *im.Message {
	m := d.m
	m.RecvID = recvID
	return &m
}

// compose checks the content and makes the message, all but its receiver.
func (s *server) compose(ctx context.Context, o *outgoing) (draft, error) {
	want, ok := contents[o.ContentType]
	if !ok {
		return draft{}, im.ErrArgs.With("contentType %d cannot be sent here", o.ContentType)
	}
	if err := want.check("content", o.Content.fields); err != nil {
		return draft{}, err
	}
	m := im.Message{
		ClientMsgID: im.NewMessageID(), SendID: o.SendID, GroupID: o.GroupID,
		SenderPlatform: o.SenderPlatformID, SenderNickname: o.SenderNickname, SenderFaceURL: o.SenderFaceURL,
		SessionType: o.SessionType, MsgFrom: im.FromSystem, ContentType: o.ContentType, Content: o.Content.raw,
		SendTime: o.SendTime, CreateTime: im.MillisOf(s.Now()), Push: wire.ToPushInfo(o.OfflinePushInfo), Ex: o.Ex,
	}
	switch o.ContentType {
	case im.ContentAtText:
		for _, id := range lookUp(o.Content.fields, "atUserList").([]any) { // checked above
			m.AtUserIDs = append(m.AtUserIDs, id.(string))
		}
	case im.ContentAccountNotice:
		if err := s.mayNotice(ctx, o.SendID); err != nil {
			return draft{}, err
		}
		m.SessionType = im.AccountChat
		content, err := json.Marshal(map[string]string{"detail": string(o.Content.raw)})
		if err != nil {
			return draft{}, err
		}
		m.Content = content
	}
	if o.IsOnlineOnly {
		m.Options = m.Options.Without(im.OptionHistory, im.OptionPersistent, im.OptionSenderSync, im.OptionConversationUpdate)
	}
	if o.NotOfflinePush {
		m.Options = m.Options.Without(im.OptionOfflinePush)
	}
	return draft{m}, nil
}

// mayNotice lets system accounts send notification messages.
func (s *server) mayNotice(ctx context.Context, userID string) error {
	users, err := s.Users.Users(ctx, []string{userID})
	switch {
	case err != nil:
		return err
	case len(users) == 0:
		return im.ErrUserNotFound
	case users[0].AppLevel < im.LevelAdmin:
		return im.ErrNoPermission.With("notification messages cannot be sent for this ID")
	}
	return nil
}

// send sends a message and notes that this operation did.
func (s *server) send(ctx context.Context, m *im.Message) (*sendMsgResp, error) {
	resp, err := s.sendOne(ctx, m)
	if err != nil {
		return nil, err
	}
	if err := s.Messages.NoteSent(context.WithoutCancel(ctx), im.OperationOf(ctx)); err != nil {
		s.Logger.WarnContext(ctx, "send status was not stored", "error", err) // the message was
	}
	return resp, nil
}

func (s *server) sendOne(ctx context.Context, m *im.Message) (*sendMsgResp, error) {
	sent, err := s.Messages.Send(ctx, m)
	if err != nil {
		return nil, err
	}
	resp := &sendMsgResp{ServerMsgID: sent.ServerMsgID, ClientMsgID: sent.ClientMsgID, SendTime: sent.SendTime}
	if sent.Message != nil {
		if resp.Modify, err = modified(sent); err != nil {
			return nil, err
		}
	}
	return resp, nil
}

// modified lists the fields that the business server changed, with the content
// as text.
func modified(sent message.Sent) (map[string]any, error) {
	raw, err := json.Marshal(wire.FromMessage(sent.Message))
	if err != nil {
		return nil, err
	}
	var all map[string]any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&all); err != nil {
		return nil, err
	}
	all["content"] = string(sent.Message.Content)
	out := make(map[string]any, len(sent.Changed))
	for _, name := range sent.Changed {
		if v, ok := all[name]; ok {
			out[name] = v
		}
	}
	return out, nil
}

type batchSendReq struct {
	outgoing
	RecvIDs   *[]string `json:"recvIDs"` // must be there, may be empty
	IsSendAll bool      `json:"isSendAll"`
}

func (r *batchSendReq) Check() error {
	if err := r.check(); err != nil {
		return err
	}
	if r.RecvIDs == nil {
		return im.ErrArgs.With("recvIDs is required")
	}
	return nil
}

type batchSendResp struct {
	Results       []*batchResult `json:"results"`
	FailedUserIDs []string       `json:"failedUserIDs"`
}

type batchResult struct {
	sendMsgResp
	RecvID string `json:"recvID"`
}

const (
	everybodyPage = 500 // users read at a time when a message goes to all
	batchSenders  = 16  // sends of one batch under way together
)

// batchSend sends the same message to many. One that cannot be reached is
// listed and stops nobody else.
func (s *server) batchSend(ctx context.Context, req *batchSendReq) (*batchSendResp, error) {
	m, err := s.compose(ctx, &req.outgoing)
	if err != nil {
		return nil, err
	}
	resp := &batchSendResp{}
	if !req.IsSendAll {
		return resp, s.batchTo(ctx, m, *req.RecvIDs, resp)
	}
	for offset := 0; ; offset += everybodyPage {
		_, ids, err := s.Users.IDs(ctx, offset, everybodyPage)
		if err != nil {
			return nil, err
		}
		if err := s.batchTo(ctx, m, ids, resp); err != nil || len(ids) < everybodyPage {
			return resp, err
		}
	}
}

func (s *server) batchTo(ctx context.Context, m draft, recvIDs []string, resp *batchSendResp) error {
	sent := make([]*sendMsgResp, len(recvIDs))
	var senders errgroup.Group
	senders.SetLimit(batchSenders)
	for i, recvID := range recvIDs {
		senders.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			var err error
			if sent[i], err = s.sendOne(ctx, m.to(recvID)); err != nil {
				if _, known := errors.AsType[*im.Error](err); !known {
					s.Logger.ErrorContext(ctx, "send of a batch failed", "error", err)
				}
			}
			return nil
		})
	}
	if err := senders.Wait(); err != nil {
		return err
	}
	for i, recvID := range recvIDs {
		if sent[i] == nil {
			resp.FailedUserIDs = append(resp.FailedUserIDs, recvID)
			continue
		}
		resp.Results = append(resp.Results, &batchResult{*sent[i], recvID})
	}
	return nil
}

// simpleMsgReq answers to a message that a callback reported. The address is
// the key the callback's URL carried.
type simpleMsgReq struct {
	Key             string                 `json:"-"` // from the query
	SendID          string                 `json:"sendID"`
	Content         string                 `json:"content"`
	OfflinePushInfo *sdkws.OfflinePushInfo `json:"offlinePushInfo"`
	Ex              string                 `json:"ex"`
}

func (r *simpleMsgReq) Check() error {
	if r.Content == "" {
		return im.ErrArgs.With("content is required")
	}
	return nil
}

// takeQuery implements queryTaker.
func (r *simpleMsgReq) takeQuery(req *http.Request) { r.Key = req.URL.Query().Get("key") }

func (s *server) sendSimpleMsg(ctx context.Context, req *simpleMsgReq) (*sendMsgResp, error) {
	raw, err := base64.StdEncoding.DecodeString(req.Key)
	if err != nil {
		return nil, im.ErrArgs.With("key is not base64")
	}
	var about struct {
		SendID  string `json:"sendID"`
		RecvID  string `json:"recvID"`
		GroupID string `json:"groupID"`
	}
	if err := decodeBytes(raw, &about); err != nil {
		return nil, im.ErrArgs.With("key does not hold JSON")
	}
	m := &im.Message{
		SessionType: im.SingleChat, SendID: about.RecvID, RecvID: about.SendID, SenderPlatform: int32(im.PlatformAdmin),
		MsgFrom: im.FromUser, ContentType: im.ContentMarkdown, CreateTime: im.MillisOf(s.Now()),
		Push: wire.ToPushInfo(req.OfflinePushInfo), Ex: req.Ex,
	}
	if about.GroupID != "" {
		m.SessionType, m.GroupID, m.SendID, m.RecvID = im.GroupChat, about.GroupID, req.SendID, ""
	}
	if about.SendID == "" || m.SendID == "" {
		return nil, im.ErrArgs.With("key names no sender or no receiver")
	}
	if err := mayActFor(ctx, m.SendID); err != nil {
		return nil, err
	}
	sender, err := s.Users.Users(ctx, []string{m.SendID})
	switch {
	case err != nil:
		return nil, err
	case len(sender) == 0:
		return nil, im.ErrNotFound.With("sender %s is not registered", m.SendID)
	}
	m.SenderNickname, m.SenderFaceURL = sender[0].Nickname, sender[0].FaceURL
	if m.Content, err = json.Marshal(map[string]string{"content": req.Content}); err != nil {
		return nil, err
	}
	return s.send(ctx, m)
}

// businessReq is a notification in a form that only the apps know.
type businessReq struct {
	Key              string `json:"key"`
	Data             string `json:"data"`
	SendUserID       string `json:"sendUserID"`
	RecvUserID       string `json:"recvUserID"`
	RecvGroupID      string `json:"recvGroupID"`
	SendMsg          bool   `json:"sendMsg"`
	ReliabilityLevel int    `json:"reliabilityLevel"`
}

// reliable is the level of notifications that are stored.
const reliable = 2

func (r *businessReq) Check() error {
	switch {
	case r.SendUserID == "":
		return im.ErrArgs.With("sendUserID is empty")
	case (r.RecvUserID == "") == (r.RecvGroupID == ""):
		return im.ErrArgs.With("exactly one of recvUserID and recvGroupID must be set")
	case r.ReliabilityLevel < 0 || r.ReliabilityLevel > reliable:
		return im.ErrArgs.With("reliabilityLevel %d is not 1 or 2", r.ReliabilityLevel)
	case len(r.Key)+len(r.Data) > message.MaxContent:
		return im.ErrArgs.With("data is larger than %d bytes", message.MaxContent)
	}
	return nil
}

func (s *server) sendBusiness(ctx context.Context, req *businessReq) (*sendMsgResp, error) {
	if req.RecvGroupID != "" {
		found, err := s.Groups.Groups(ctx, []string{req.RecvGroupID})
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, im.ErrNotFound.With("group %s", req.RecvGroupID)
		}
	}
	sent, err := s.Messages.NotifySent(ctx, message.Notification{
		SendID: req.SendUserID, RecvID: req.RecvUserID, GroupID: req.RecvGroupID, Notice: im.Business{Key: req.Key, Data: req.Data},
		Stored: req.ReliabilityLevel == reliable, Chat: &req.SendMsg,
	})
	if err != nil {
		return nil, err
	}
	return &sendMsgResp{ServerMsgID: sent.ServerMsgID, ClientMsgID: sent.ClientMsgID, SendTime: sent.SendTime}, nil
}
