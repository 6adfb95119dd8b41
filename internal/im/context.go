package im

import (
	"context"
	"net/netip"
)

// Caller is who asks: set once by the edge that authenticated him.
type Caller struct {
	UserID   string
	Platform Platform
	Admin    bool       // in the list of system administrators
	Server   bool       // the server itself, acting for nobody
	Addr     netip.Addr // where a REST call came from; zero otherwise
}

type callerKey struct{}

type operationKey struct{}

// WithCaller returns a context that acts for c.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerOf returns who acts; the zero Caller has no rights.
func CallerOf(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}

// May reports whether the caller may act for userID: himself, or an admin.
func (c Caller) May(userID string) bool {
	return c.Admin || c.Server || (c.UserID != "" && c.UserID == userID)
}

// WithOperation returns a context of the client action with this trace id.
func WithOperation(ctx context.Context, operationID string) context.Context {
	return context.WithValue(ctx, operationKey{}, operationID)
}

// OperationOf returns the trace id of the client action, "" outside of one.
func OperationOf(ctx context.Context) string {
	id, _ := ctx.Value(operationKey{}).(string)
	return id
}
