package api

import (
	"context"
	"time"

	"github.com/openimsdk/protocol/third"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/wire"
)

func (s *server) setPushToken(ctx context.Context, req *third.FcmUpdateTokenReq) (none, error) {
	const longest = 100 * 365 * 24 * 60 * 60 // seconds
	if req.ExpireTime > longest {
		return none{}, im.ErrArgs.With("expireTime is longer than %d seconds", longest)
	}
	return none{}, s.Devices.SetPushToken(ctx, req.Account, im.Platform(req.PlatformID), req.FcmToken, time.Duration(req.ExpireTime)*time.Second)
}

func (s *server) setBadge(ctx context.Context, req *third.SetAppBadgeReq) (none, error) {
	return none{}, s.Devices.SetBadge(ctx, req.UserID, int64(req.AppUnreadCount))
}

func (s *server) addLogs(ctx context.Context, req *third.UploadLogsReq) (none, error) {
	caller := im.CallerOf(ctx)
	logs := make([]store.ClientLog, len(req.FileURLs))
	for i, f := range req.FileURLs {
		logs[i] = store.ClientLog{
			UserID: caller.UserID, Platform: im.Platform(req.Platform), URL: f.GetURL(), Filename: f.GetFilename(),
			AppFramework: req.AppFramework, Version: req.Version, Ex: req.Ex,
		}
	}
	return none{}, s.Devices.AddLogs(ctx, logs)
}

func (s *server) deleteLogs(ctx context.Context, req *third.DeleteLogsReq) (none, error) {
	return none{}, s.Devices.DeleteLogs(ctx, req.LogIDs)
}

func (s *server) searchLogs(ctx context.Context, req *third.SearchLogsReq) (*third.SearchLogsResp, error) {
	offset, limit, err := paging(req.Pagination)
	if err != nil {
		return nil, err
	}
	logs, total, users, err := s.Devices.Logs(ctx, req.Keyword, im.Millis(req.StartTime), im.Millis(req.EndTime), offset, limit)
	if err != nil {
		return nil, err
	}
	return &third.SearchLogsResp{Total: uint32(total), LogsInfos: wire.All(logs, func(l store.ClientLog) *third.LogInfo {
		return &third.LogInfo{
			UserID: l.UserID, Platform: l.Platform.String(), Url: l.URL, CreateTime: int64(l.CreatedAt), Nickname: users[l.UserID].Nickname,
			LogID: l.ID, Filename: l.Filename, Ex: l.Ex, Version: l.Version,
		}
	})}, nil
}
