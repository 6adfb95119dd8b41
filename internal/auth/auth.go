// Package auth issues and checks the tokens users connect and call with, and
// decides whose sessions a login ends.
//
// A token is valid when its signature and times are, and when the store knows
// it as normal. The store keeps only a hash, so a stolen database logs nobody
// in. Every change of a token's state takes effect at once: the cache of checked
// tokens drops what changed with the commit.
//
// The package knows no connections. It says which platforms must be kicked; who
// holds the connections does it.
package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// Login policies (websocket-and-messages 5.4).
const (
	PolicyNoKick      = 0
	PolicyPerPlatform = 1
	PolicyPerClass    = 4
	PolicyPCAndOther  = 5
)

// adminGrace is how long an administrator's older tokens live on after a new
// one was issued, so that his other processes can fetch it.
const adminGrace = 5 * time.Minute

// clockSkew is taken off the issue time, for verifiers whose clock is behind.
const clockSkew = 5 * time.Second

// Claims are what a valid token says.
type Claims struct {
	UserID    string
	Platform  im.Platform
	ExpiresAt time.Time
}

// Options configure a Service.
type Options struct {
	Secret         []byte        // signs tokens, and is the password for administrator tokens
	Expire         time.Duration // life of a token
	Admins         []string      // user ids of the administrators
	Policy         int           // one of the Policy constants
	MaxPerPlatform int           // tokens per platform under PolicyNoKick
	Now            func() time.Time
}

// Rules are the options that may change while the service runs.
type Rules struct {
	Admins         []string
	Policy         int
	MaxPerPlatform int
}

// Service issues and checks tokens. It is safe for concurrent use.
type Service struct {
	store   *store.Store
	options Options
	rules   atomic.Pointer[Rules]
	parser  *jwt.Parser
	checked tokenCache
}

// New returns a service on the store.
func New(s *store.Store, o Options) *Service {
	if o.Now == nil {
		o.Now = time.Now
	}
	service := &Service{
		store:   s,
		options: o,
		parser: jwt.NewParser(
			jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
			jwt.WithTimeFunc(o.Now),
			jwt.WithExpirationRequired(),
		),
	}
	service.SetRules(Rules{Admins: o.Admins, Policy: o.Policy, MaxPerPlatform: o.MaxPerPlatform})
	return service
}

// SetRules replaces the rules for what begins from now on. Sessions that the new
// policy would not allow stay until somebody logs in.
func (s *Service) SetRules(r Rules) { s.rules.Store(&r) }

// IsAdmin reports whether the user is an administrator of the server.
func (s *Service) IsAdmin(userID string) bool { return slices.Contains(s.rules.Load().Admins, userID) }

// tokenClaims is the payload of a token; the names are OpenIM's.
type tokenClaims struct {
	UserID     string
	PlatformID im.Platform
	jwt.RegisteredClaims
}

// Verify checks a token. The error is one of im.ErrToken….
func (s *Service) Verify(ctx context.Context, token string) (Claims, error) {
	hash := hashOf(token)
	now := s.options.Now()
	if c, ok := s.checked.get(hash, now); ok {
		return c, nil
	}
	seen := s.checked.generation()
	var parsed tokenClaims
	if _, err := s.parser.ParseWithClaims(token, &parsed, s.key); err != nil {
		return Claims{}, tokenFault(err)
	}
	var row store.Token
	var found bool
	if err := s.store.Read(ctx, func(tx *store.Tx) (err error) {
		row, found, err = tx.Token(hash)
		return err
	}); err != nil {
		return Claims{}, fmt.Errorf("verify token: %w", err)
	}
	switch {
	case !found, row.ExpiresAt.Time().Before(now): // past its grace: forgotten
		return Claims{}, im.ErrTokenNotExist
	case row.State == store.TokenKicked:
		return Claims{}, im.ErrTokenKicked
	case row.State != store.TokenNormal:
		return Claims{}, im.ErrTokenUnknown
	}
	c := Claims{UserID: parsed.UserID, Platform: parsed.PlatformID, ExpiresAt: parsed.ExpiresAt.Time}
	s.checked.put(hash, c, row.ExpiresAt.Time(), now, seen)
	return c, nil
}

func (s *Service) key(*jwt.Token) (any, error) { return s.options.Secret, nil }

// tokenFault names what is wrong with a token.
func tokenFault(err error) error {
	switch {
	case errors.Is(err, jwt.ErrTokenMalformed):
		return im.ErrTokenMalformed
	case errors.Is(err, jwt.ErrTokenExpired):
		return im.ErrTokenExpired
	case errors.Is(err, jwt.ErrTokenNotValidYet):
		return im.ErrTokenNotValidYet
	default:
		return im.ErrTokenUnknown
	}
}

// Forged reports whether an error of Verify means that the token was never
// issued here, which is how guessing looks. Tokens that expired or were ended are
// everyday life.
func Forged(err error) bool {
	return errors.Is(err, im.ErrTokenMalformed) || errors.Is(err, im.ErrTokenInvalid) || errors.Is(err, im.ErrTokenUnknown)
}

// AdminToken issues a token to an administrator who knows the secret. His
// older ones stay valid for a few more minutes.
func (s *Service) AdminToken(ctx context.Context, secret, userID string) (string, time.Duration, error) {
	if !s.isSecret(secret) {
		return "", 0, im.ErrNoPermission.With("secret invalid")
	}
	if !s.IsAdmin(userID) {
		return "", 0, im.ErrArgs.With("userID is error")
	}
	token, row, err := s.sign(userID, im.PlatformAdmin)
	if err != nil {
		return "", 0, err
	}
	now := s.options.Now()
	grace := im.MillisOf(now.Add(adminGrace))
	err = s.change(ctx, userID, func(tx *store.Tx, _ im.User, issued []store.Token) ([]string, error) {
		var changed []string
		for _, t := range issued {
			var err error
			switch {
			case t.Hash == row.Hash || t.Platform != im.PlatformAdmin:
				continue
			case t.ExpiresAt <= im.MillisOf(now):
				err = tx.DeleteToken(t.Hash)
			case t.ExpiresAt > grace:
				err = tx.ExpireToken(t.Hash, grace)
			}
			if err != nil {
				return nil, err
			}
			changed = append(changed, t.Hash)
		}
		return changed, tx.PutToken(row)
	})
	if err != nil {
		return "", 0, fmt.Errorf("issue admin token: %w", err)
	}
	return token, s.options.Expire, nil
}

// UserToken issues a token to an ordinary user and ends the tokens that the
// login policy does not allow beside it. Connections are not touched: they end
// when the new token connects.
func (s *Service) UserToken(ctx context.Context, userID string, p im.Platform) (string, time.Duration, error) {
	switch {
	case p == im.PlatformAdmin:
		return "", 0, im.ErrNoPermission.With("platformID invalid. platformID must not be adminPlatformID")
	case s.IsAdmin(userID):
		return "", 0, im.ErrNoPermission.With("don't get Admin token")
	case userID == "":
		return "", 0, im.ErrArgs.With("userID is empty")
	case !p.Valid():
		return "", 0, im.ErrArgs.With("platformID is invalidate")
	}
	token, row, err := s.sign(userID, p)
	if err != nil {
		return "", 0, err
	}
	now := im.MillisOf(s.options.Now())
	err = s.change(ctx, userID, func(tx *store.Tx, u im.User, issued []store.Token) ([]string, error) {
		if u.AppLevel >= im.LevelAccount {
			return nil, im.ErrArgs.With("app account can`t get token")
		}
		var changed []string
		live := make([]store.Token, 0, len(issued))
		for _, t := range issued {
			switch {
			case t.Hash == row.Hash || t.Platform == im.PlatformAdmin:
			case t.State == store.TokenNormal && t.ExpiresAt > now:
				live = append(live, t)
			default:
				if err := tx.DeleteToken(t.Hash); err != nil {
					return nil, err
				}
				changed = append(changed, t.Hash)
			}
		}
		lost, err := s.lostByIssue(p, live)
		if err != nil {
			return nil, err
		}
		for _, t := range lost {
			if err := tx.SetTokenState(t.Hash, store.TokenKicked); err != nil {
				return nil, err
			}
			changed = append(changed, t.Hash)
		}
		return changed, tx.PutToken(row)
	})
	if err != nil {
		return "", 0, fmt.Errorf("issue token: %w", err)
	}
	return token, s.options.Expire, nil
}

// ForceLogout ends every token of a user's platform.
func (s *Service) ForceLogout(ctx context.Context, userID string, p im.Platform) error {
	return s.end(ctx, userID, "", func(t store.Token) bool { return t.Platform == p })
}

// Displace ends the sessions that a connection of platform p with this token
// displaces: their tokens are kicked, and the connections of the returned
// platforms that came with another token must be closed now. A token that was
// itself ended since it was checked displaces nobody.
func (s *Service) Displace(ctx context.Context, userID string, p im.Platform, token string) ([]im.Platform, error) {
	platforms := s.displaced(p)
	if len(platforms) == 0 {
		return nil, nil
	}
	own := hashOf(token)
	if err := s.end(ctx, userID, own, func(t store.Token) bool {
		return t.Hash != own && slices.Contains(platforms, t.Platform)
	}); err != nil {
		return nil, err
	}
	return platforms, nil
}

// end kicks the user's normal tokens that match, in the name of his token by,
// which must be normal, or of nobody's. Most logins displace nobody, so it looks
// before it writes.
func (s *Service) end(ctx context.Context, userID, by string, match func(store.Token) bool) error {
	losing := func(t store.Token) bool { return t.State == store.TokenNormal && match(t) }
	var issued []store.Token
	if err := s.store.Read(ctx, func(tx *store.Tx) (err error) {
		issued, err = tx.UserTokens(userID)
		return err
	}); err != nil {
		return fmt.Errorf("tokens of %s: %w", userID, err)
	}
	if err := stillNormal(issued, by); err != nil {
		return err
	}
	if !slices.ContainsFunc(issued, losing) {
		return nil
	}
	err := s.change(ctx, userID, func(tx *store.Tx, _ im.User, issued []store.Token) ([]string, error) {
		if err := stillNormal(issued, by); err != nil {
			return nil, err
		}
		var changed []string
		for _, t := range issued {
			if !losing(t) {
				continue
			}
			if err := tx.SetTokenState(t.Hash, store.TokenKicked); err != nil {
				return nil, err
			}
			changed = append(changed, t.Hash)
		}
		return changed, nil
	})
	if err != nil {
		return fmt.Errorf("end tokens of %s: %w", userID, err)
	}
	return nil
}

// stillNormal refuses a token that has ended; "" is nobody's.
func stillNormal(issued []store.Token, hash string) error {
	i := slices.IndexFunc(issued, func(t store.Token) bool { return t.Hash == hash })
	switch {
	case hash == "":
		return nil
	case i < 0:
		return im.ErrTokenNotExist
	case issued[i].State != store.TokenNormal:
		return im.ErrTokenKicked
	}
	return nil
}

// change runs f with a user's tokens, newest first. Changes of one user's
// tokens run one after the other, so that two logins at once cannot both miss
// the other. f returns the hashes it changed; they are forgotten with the
// commit.
func (s *Service) change(ctx context.Context, userID string, f func(tx *store.Tx, u im.User, issued []store.Token) ([]string, error)) error {
	return s.store.Write(ctx, func(tx *store.Tx) error {
		u, found, err := tx.LockUser(userID)
		if err != nil {
			return err
		}
		if !found {
			return im.ErrNotFound
		}
		issued, err := tx.UserTokens(userID)
		if err != nil {
			return err
		}
		changed, err := f(tx, u, issued)
		if err != nil {
			return err
		}
		if len(changed) > 0 {
			tx.AfterCommit(func() { s.checked.forget(changed) })
		}
		return nil
	})
}

// sign makes a token. Its times are whole seconds, so the same user and
// platform get the same token twice within one.
func (s *Service) sign(userID string, p im.Platform) (string, store.Token, error) {
	now := s.options.Now()
	expires := jwt.NewNumericDate(now.Add(s.options.Expire))
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, tokenClaims{
		UserID:     userID,
		PlatformID: p,
		RegisteredClaims: jwt.RegisteredClaims{
			ExpiresAt: expires,
			IssuedAt:  jwt.NewNumericDate(now.Add(-clockSkew)),
		},
	}).SignedString(s.options.Secret)
	if err != nil {
		return "", store.Token{}, fmt.Errorf("sign token: %w", err)
	}
	return token, store.Token{
		Hash: hashOf(token), UserID: userID, Platform: p, State: store.TokenNormal,
		IssuedAt: im.MillisOf(now), ExpiresAt: im.MillisOf(expires.Time),
	}, nil
}

func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// pruneStep is the most tokens one step deletes.
const pruneStep = 500

// Prune deletes tokens that ended before a time. Each call of the function it
// returns does a small part and reports whether it was the last.
func (s *Service) Prune(before im.Millis) func(context.Context) (done bool, err error) {
	return func(ctx context.Context) (bool, error) {
		var n int64
		err := s.store.Write(ctx, func(tx *store.Tx) (err error) {
			n, err = tx.PruneTokens(before, pruneStep)
			return err
		})
		return n < pruneStep, err
	}
}
