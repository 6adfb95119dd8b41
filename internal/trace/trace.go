// Package trace follows operations through the server for OpenTelemetry.
//
// A Tracer begins what comes from outside: a request of a connection, a REST
// call, an attempt to deliver an event. From there on the context carries the
// span, and Start makes children of it. Without a Tracer, and for operations that
// are not sampled, there is nothing in the context: Start returns the context as
// it is and the zero Span, whose methods do nothing, and no memory is taken.
//
// Attributes are names, codes and counts, never contents, tokens or addresses of
// clients. Spans are exported in the background, through a bounded queue; when
// the collector is too slow or away, spans are lost and nothing waits. The package knows no
// part of the server.
package trace

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/parley-im/parley/internal/im"
)

// Span is one step of an operation. The zero Span is nobody's.
type Span struct{ span oteltrace.Span }

type tracerKey struct{}

// Start begins a step of the operation that ctx belongs to.
func Start(ctx context.Context, name string) (context.Context, Span) { return Of(ctx).Start(ctx, name) }

// Call is Start for a request to somebody else, whose header is Header.
func Call(ctx context.Context, name string) (context.Context, Span) {
	return Of(ctx).start(ctx, name, oteltrace.SpanKindClient)
}

// Steps makes the steps of one operation. The zero Steps makes none, without a
// look at the context, which can cost memory.
type Steps struct{ tracer *Tracer }

// Of returns what makes the steps of the operation that ctx belongs to.
func Of(ctx context.Context) Steps {
	if !oteltrace.SpanFromContext(ctx).IsRecording() {
		return Steps{}
	}
	t, _ := ctx.Value(tracerKey{}).(*Tracer) // the zero Steps if somebody else began it
	return Steps{t}
}

// Start begins a step; ctx is one of the operation.
func (s Steps) Start(ctx context.Context, name string) (context.Context, Span) {
	return s.start(ctx, name, oteltrace.SpanKindInternal)
}

func (s Steps) start(ctx context.Context, name string, kind oteltrace.SpanKind) (context.Context, Span) {
	if s.tracer == nil {
		return ctx, Span{}
	}
	ctx, span := s.tracer.tracer.Start(ctx, name, oteltrace.WithSpanKind(kind))
	return ctx, Span{span}
}

// Set gives the step an attribute.
func (s Span) Set(key, value string) {
	if s.span != nil && value != "" {
		s.span.SetAttributes(attribute.String(key, value))
	}
}

// SetInt gives the step an attribute.
func (s Span) SetInt(key string, value int) {
	if s.span != nil {
		s.span.SetAttributes(attribute.Int(key, value))
	}
}

// End ends the step. A refusal, an *im.Error, is an outcome like others; any
// other error is a fault.
func (s Span) End(err error) {
	if s.span == nil {
		return
	}
	if refused, ok := errors.AsType[*im.Error](err); ok {
		s.span.SetAttributes(attribute.Int(Code, refused.Code))
	} else if err != nil {
		// Not its text, which may hold what a database or handler said.
		s.span.SetStatus(codes.Error, fmt.Sprintf("%T", err))
	}
	s.span.End()
}

// Attributes that steps have.
const (
	Operation = "parley.operation_id"
	Code      = "parley.error_code"
	Callback  = "parley.callback"
	Endpoint  = "parley.endpoint"
	Outcome   = "parley.outcome"
	Event     = "parley.event_id"
	Attempt   = "parley.attempt"
	Status    = "http.response.status_code"
	Route     = "http.route"
)

// Header is the W3C traceparent of the step that ctx belongs to, "" without one.
func Header(ctx context.Context) string {
	c := oteltrace.SpanContextFromContext(ctx)
	if !c.IsValid() {
		return ""
	}
	return "00-" + c.TraceID().String() + "-" + c.SpanID().String() + "-" + c.TraceFlags().String()
}

// ID is the trace that ctx belongs to, for logs, "" without one.
func ID(ctx context.Context) string {
	c := oteltrace.SpanContextFromContext(ctx)
	if !c.IsValid() {
		return ""
	}
	return c.TraceID().String()
}
