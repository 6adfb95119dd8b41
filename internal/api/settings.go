package api

import (
	"context"

	"github.com/openimsdk/protocol/user"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/wire"
)

// ownConfig lets a user ask for his own settings and everybody ask for those
// that hold for all.
func ownConfig(ctx context.Context, req *user.GetUserClientConfigReq) error {
	if req.UserID == "" {
		return nil
	}
	return mayActFor(ctx, req.UserID)
}

func (s *server) clientConfig(ctx context.Context, req *user.GetUserClientConfigReq) (*user.GetUserClientConfigResp, error) {
	all, err := s.Users.ClientConfig(ctx, req.UserID)
	if err != nil {
		return nil, err
	}
	resp := &user.GetUserClientConfigResp{Configs: make(map[string]string, len(all))}
	for _, c := range all {
		resp.Configs[c.Name] = c.Value
	}
	return resp, nil
}

func (s *server) setClientConfig(ctx context.Context, req *user.SetUserClientConfigReq) (none, error) {
	return none{}, s.Users.SetClientConfig(ctx, req.UserID, req.Configs)
}

func (s *server) deleteClientConfig(ctx context.Context, req *user.DelUserClientConfigReq) (none, error) {
	return none{}, s.Users.DeleteClientConfig(ctx, req.UserID, req.Keys)
}

func (s *server) clientConfigPage(ctx context.Context, req *user.PageUserClientConfigReq) (*user.PageUserClientConfigResp, error) {
	offset, limit, err := paging(req.Pagination)
	if err != nil {
		return nil, err
	}
	total, page, err := s.Users.ClientConfigPage(ctx, req.UserID, req.Key, offset, limit)
	if err != nil {
		return nil, err
	}
	return &user.PageUserClientConfigResp{Total: total, Configs: wire.All(page, func(c im.Setting) *user.ClientConfig {
		return &user.ClientConfig{UserID: c.UserID, Key: c.Name, Value: c.Value}
	})}, nil
}

func (s *server) addCommand(ctx context.Context, req *user.ProcessUserCommandAddReq) (none, error) {
	return none{}, s.Users.AddCommand(ctx, im.UserCommand{
		UserID: req.UserID, Type: req.Type, UUID: req.Uuid, Value: req.Value.GetValue(), Ex: req.Ex.GetValue(),
	})
}

func (s *server) updateCommand(ctx context.Context, req *user.ProcessUserCommandUpdateReq) (none, error) {
	return none{}, s.Users.UpdateCommand(ctx, req.UserID, req.Type, req.Uuid, req.Value.GetValuePtr(), req.Ex.GetValuePtr())
}

func (s *server) deleteCommand(ctx context.Context, req *user.ProcessUserCommandDeleteReq) (none, error) {
	return none{}, s.Users.DeleteCommand(ctx, req.UserID, req.Type, req.Uuid)
}

func (s *server) commands(ctx context.Context, req *user.ProcessUserCommandGetReq) (*user.ProcessUserCommandGetResp, error) {
	all, err := s.Users.Commands(ctx, req.UserID, req.Type)
	if err != nil {
		return nil, err
	}
	return &user.ProcessUserCommandGetResp{CommandResp: wire.All(all, func(c im.UserCommand) *user.CommandInfoResp {
		return &user.CommandInfoResp{Type: c.Type, CreateTime: int64(c.CreatedAt) / 1000, Uuid: c.UUID, Value: c.Value, Ex: c.Ex}
	})}, nil
}

func (s *server) allCommands(ctx context.Context, req *user.ProcessUserCommandGetAllReq) (*user.ProcessUserCommandGetAllResp, error) {
	all, err := s.Users.Commands(ctx, req.UserID, 0)
	if err != nil {
		return nil, err
	}
	return &user.ProcessUserCommandGetAllResp{CommandResp: wire.All(all, func(c im.UserCommand) *user.AllCommandInfoResp {
		return &user.AllCommandInfoResp{Type: c.Type, CreateTime: int64(c.CreatedAt) / 1000, Uuid: c.UUID, Value: c.Value, Ex: c.Ex}
	})}, nil
}
