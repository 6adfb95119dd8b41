package api

import (
	"cmp"
	"context"
	"slices"

	"github.com/openimsdk/protocol/group"
	"github.com/openimsdk/protocol/msg"
	"github.com/openimsdk/protocol/sdkws"
	"github.com/openimsdk/protocol/user"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/wire"
)

func (s *server) registrations(ctx context.Context, req *user.UserRegisterCountReq) (*user.UserRegisterCountResp, error) {
	total, before, days, err := s.Users.Registrations(ctx, im.Millis(req.Start), im.Millis(req.End))
	if err != nil {
		return nil, err
	}
	return &user.UserRegisterCountResp{Total: total, Before: before, Count: days}, nil
}

func (s *server) foundings(ctx context.Context, req *group.GroupCreateCountReq) (*group.GroupCreateCountResp, error) {
	total, before, days, err := s.Groups.Foundings(ctx, im.Millis(req.Start), im.Millis(req.End))
	if err != nil {
		return nil, err
	}
	return &group.GroupCreateCountResp{Total: total, Before: before, Count: days}, nil
}

func (s *server) activeUsers(ctx context.Context, req *msg.GetActiveUserReq) (*msg.GetActiveUserResp, error) {
	offset, limit, err := paging(req.Pagination)
	if err != nil {
		return nil, err
	}
	a, err := s.Messages.ActiveUsers(ctx, im.Millis(req.Start), im.Millis(req.End), req.Group)
	if err != nil {
		return nil, err
	}
	resp := &msg.GetActiveUserResp{MsgCount: a.Messages, UserCount: int64(len(a.By)), DateCount: a.Days}
	for some := range slices.Chunk(ranking(a, req.Ase, offset, limit), maxNamed) {
		users, err := s.Users.Users(ctx, some)
		if err != nil {
			return nil, err
		}
		known := byKey(users, func(u im.User) string { return u.UserID })
		for _, id := range some {
			shown := &sdkws.UserInfo{UserID: id}
			if u, ok := known[id]; ok {
				shown = wire.FromUser(u)
			}
			resp.Users = append(resp.Users, &msg.ActiveUser{User: shown, Count: a.By[id]})
		}
	}
	return resp, nil
}

func (s *server) activeGroups(ctx context.Context, req *msg.GetActiveGroupReq) (*msg.GetActiveGroupResp, error) {
	offset, limit, err := paging(req.Pagination)
	if err != nil {
		return nil, err
	}
	a, err := s.Messages.ActiveGroups(ctx, im.Millis(req.Start), im.Millis(req.End))
	if err != nil {
		return nil, err
	}
	resp := &msg.GetActiveGroupResp{MsgCount: a.Messages, GroupCount: int64(len(a.By)), DateCount: a.Days}
	for some := range slices.Chunk(ranking(a, req.Ase, offset, limit), maxNamed) {
		groups, err := s.Groups.Groups(ctx, some)
		if err != nil {
			return nil, err
		}
		known := byKey(groups, func(g im.Group) string { return g.GroupID })
		for _, id := range some {
			shown := &sdkws.GroupInfo{GroupID: id}
			if g, ok := known[id]; ok {
				shown = wire.FromGroup(g)
			}
			resp.Groups = append(resp.Groups, &msg.ActiveGroup{Group: shown, Count: a.By[id]})
		}
	}
	return resp, nil
}

// maxNamed is how many users or groups are looked up at a time.
const maxNamed = 1000

// ranking is a page of the ids, the most active first unless ascending.
func ranking(a message.Activity, ascending bool, offset, limit int) []string {
	ids := make([]string, 0, len(a.By))
	for id := range a.By {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(x, y string) int {
		less := cmp.Compare(a.By[y], a.By[x])
		if ascending {
			less = -less
		}
		return cmp.Or(less, cmp.Compare(x, y))
	})
	ids = ids[min(offset, len(ids)):]
	return ids[:min(limit, len(ids))]
}

func byKey[T any](list []T, key func(T) string) map[string]T {
	out := make(map[string]T, len(list))
	for _, v := range list {
		out[key(v)] = v
	}
	return out
}
