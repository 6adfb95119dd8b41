package api

import (
	"context"

	"github.com/openimsdk/protocol/auth"

	authn "github.com/parley-im/parley/internal/auth"
	"github.com/parley-im/parley/internal/im"
)

func (s *server) adminToken(ctx context.Context, req *auth.GetAdminTokenReq) (*auth.GetAdminTokenResp, error) {
	token, life, err := s.Auth.AdminToken(ctx, req.Secret, req.UserID)
	if err != nil {
		s.Limits.Failed(im.CallerOf(ctx).Addr) // identify refuses the next one if there were too many
		return nil, err
	}
	return &auth.GetAdminTokenResp{Token: token, ExpireTimeSeconds: int64(life.Seconds())}, nil
}

func (s *server) userToken(ctx context.Context, req *auth.GetUserTokenReq) (*auth.GetUserTokenResp, error) {
	token, life, err := s.Auth.UserToken(ctx, req.UserID, im.Platform(req.PlatformID))
	if err != nil {
		return nil, err
	}
	return &auth.GetUserTokenResp{Token: token, ExpireTimeSeconds: int64(life.Seconds())}, nil
}

// parseToken answers with the point of expiry, where the other routes answer
// with the length of the life.
func (s *server) parseToken(ctx context.Context, req *auth.ParseTokenReq) (*auth.ParseTokenResp, error) {
	c, err := s.Auth.Verify(ctx, req.Token)
	if authn.Forged(err) {
		s.Limits.Failed(im.CallerOf(ctx).Addr)
	}
	if err != nil {
		return nil, err
	}
	return &auth.ParseTokenResp{UserID: c.UserID, PlatformID: int32(c.Platform), ExpireTimeSeconds: c.ExpiresAt.Unix()}, nil
}

// forceLogout ends the tokens first, so that nobody reconnects between.
func (s *server) forceLogout(ctx context.Context, req *auth.ForceLogoutReq) (none, error) {
	p := im.Platform(req.PlatformID)
	if err := s.Auth.ForceLogout(ctx, req.UserID, p); err != nil {
		return none{}, err
	}
	s.Kick(ctx, req.UserID, p)
	return none{}, nil
}
