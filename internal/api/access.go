package api

import (
	"context"

	"github.com/parley-im/parley/internal/im"
)

// rule decides whether the caller may make a request.
type rule[Req any] func(ctx context.Context, req *Req) error

// anyone with a valid token may call; on the token-free paths, everybody.
func anyone[Req any](context.Context, *Req) error { return nil }

// admin lets system administrators call.
func admin[Req any](ctx context.Context, _ *Req) error {
	if c := im.CallerOf(ctx); !c.Admin {
		return notAdmin(c.UserID)
	}
	return nil
}

func notAdmin(userID string) *im.Error {
	return im.ErrNoPermission.With("user %s is not admin userID", userID)
}

// self lets the user that the request is about call, and administrators.
func self[Req any](userID func(*Req) string) rule[Req] {
	return func(ctx context.Context, req *Req) error { return mayActFor(ctx, userID(req)) }
}

func mayActFor(ctx context.Context, userID string) error {
	if c := im.CallerOf(ctx); !c.May(userID) {
		return im.ErrNoPermission.With("user %s may not act for %s", c.UserID, userID)
	}
	return nil
}

// either lets the two users that the request is about call, and administrators.
func either[Req any](one, other func(*Req) string) rule[Req] {
	return func(ctx context.Context, req *Req) error {
		if im.CallerOf(ctx).May(other(req)) {
			return nil
		}
		return mayActFor(ctx, one(req))
	}
}
