package api

import (
	"context"
	"slices"
	"time"

	"github.com/openimsdk/protocol/msg"
	"github.com/openimsdk/protocol/sdkws"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/wire"
)

func (s *server) searchMessages(ctx context.Context, req *msg.SearchMessageReq) (*msg.SearchMessageResp, error) {
	offset, limit, err := paging(req.Pagination)
	if err != nil {
		return nil, err
	}
	q := message.Query{
		SendID: req.SendID, RecvID: req.RecvID, ContentType: im.ContentType(req.ContentType), SessionType: im.SessionType(req.SessionType),
	}
	if req.SendTime != "" {
		day, err := time.Parse(time.DateOnly, req.SendTime)
		if err != nil {
			return nil, im.ErrArgs.With("sendTime is not a day such as 2026-01-31")
		}
		q.Since, q.Until = im.MillisOf(day), im.MillisOf(day.AddDate(0, 0, 1))
	}
	total, page, err := s.Messages.Search(ctx, q, offset, limit)
	if err != nil {
		return nil, err
	}
	resp := &msg.SearchMessageResp{ChatLogsNum: int32(total)}
	for some := range slices.Chunk(page, maxNamed/2) {
		logs, err := s.chatLogs(ctx, some)
		if err != nil {
			return nil, err
		}
		resp.ChatLogs = append(resp.ChatLogs, logs...)
	}
	return resp, nil
}

// chatLogs converts messages, adding the names of who wrote to whom.
func (s *server) chatLogs(ctx context.Context, page []*im.Message) ([]*msg.SearchChatLog, error) {
	var userIDs, groupIDs []string
	for _, m := range page {
		userIDs = append(userIDs, m.SendID)
		if m.SessionType == im.GroupChat {
			groupIDs = append(groupIDs, m.GroupID)
		} else {
			userIDs = append(userIDs, m.RecvID)
		}
	}
	users, err := s.Users.Users(ctx, userIDs)
	if err != nil {
		return nil, err
	}
	groups, err := s.Groups.Groups(ctx, groupIDs)
	if err != nil {
		return nil, err
	}
	user := byKey(users, func(u im.User) string { return u.UserID })
	group := byKey(groups, func(g im.Group) string { return g.GroupID })
	return wire.All(page, func(m *im.Message) *msg.SearchChatLog {
		log := fromChatLog(wire.FromMessage(m))
		if log.SenderNickname == "" {
			log.SenderNickname = user[m.SendID].Nickname
		}
		if m.SessionType == im.GroupChat {
			g := group[m.GroupID]
			log.RecvID, log.GroupName, log.GroupFaceURL, log.GroupOwner = m.GroupID, g.Name, g.FaceURL, g.OwnerID
			log.GroupMemberCount, log.GroupType = g.MemberCount, g.Type
		} else {
			log.RecvNickname = user[m.RecvID].Nickname
		}
		return &msg.SearchChatLog{ChatLog: log, IsRevoked: m.Revoked != nil}
	}), nil
}

func fromChatLog(d *sdkws.MsgData) *msg.ChatLog {
	return &msg.ChatLog{
		ServerMsgID: d.ServerMsgID, ClientMsgID: d.ClientMsgID, SendID: d.SendID, RecvID: d.RecvID, GroupID: d.GroupID,
		SenderPlatformID: d.SenderPlatformID, SenderNickname: d.SenderNickname, SenderFaceURL: d.SenderFaceURL, SessionType: d.SessionType,
		MsgFrom: d.MsgFrom, ContentType: d.ContentType, Content: string(d.Content), Status: d.Status, SendTime: d.SendTime,
		CreateTime: d.CreateTime, Ex: d.Ex, Seq: d.Seq,
	}
}
