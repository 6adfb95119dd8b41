package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"time"

	"github.com/parley-im/parley/internal/im"
)

// Administrator tells who somebody is that shows the server's secret, which makes
// him the first administrator, or the token of an administrator. A token's end is
// in until; the secret has none. The error says whether something was wrong with
// what he showed: im.ErrNoPermission, or one of im.ErrToken….
func (s *Service) Administrator(ctx context.Context, shown string) (userID string, until time.Time, err error) {
	if s.isSecret(shown) {
		admins := s.rules.Load().Admins
		if len(admins) == 0 {
			return "", time.Time{}, im.ErrNoPermission.With("there is no administrator")
		}
		return admins[0], time.Time{}, nil
	}
	claims, err := s.Verify(ctx, shown)
	if err != nil {
		return "", time.Time{}, err
	}
	if !s.IsAdmin(claims.UserID) {
		return "", time.Time{}, im.ErrNoPermission.With("not an administrator")
	}
	return claims.UserID, claims.ExpiresAt, nil
}

// isSecret takes the same time for every guess.
func (s *Service) isSecret(shown string) bool {
	given, want := sha256.Sum256([]byte(shown)), sha256.Sum256(s.options.Secret)
	return subtle.ConstantTimeCompare(given[:], want[:]) == 1
}
