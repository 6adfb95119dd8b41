package trace

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	oteltrace "go.opentelemetry.io/otel/trace"
)

// Options say where spans go. What they leave open the standard OTEL_ variables
// of the environment say.
type Options struct {
	Endpoint string  // URL of an OTLP/HTTP collector, "" for that of the environment
	Ratio    float64 // of the operations that are followed; below 0 for the environment's sampler
	Version  string  // of the server
	Logger   *slog.Logger
}

// Wanted reports whether the options or the environment ask for traces.
func (o Options) Wanted() bool {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || os.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return false
	}
	return cmp.Or(o.Endpoint, os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT")) != ""
}

// Tracer begins operations. The nil Tracer follows none. It is safe for
// concurrent use.
type Tracer struct {
	tracer   oteltrace.Tracer
	provider *sdktrace.TracerProvider

	mu     sync.Mutex
	recent map[string]oteltrace.SpanContext // of operations, by id
	older  map[string]oteltrace.SpanContext // those before recent was full
}

// keptOperations is how many operations are remembered for the events they left,
// up to twice as many.
const keptOperations = 4096

// New returns a Tracer, or nil when nobody wants traces.
func New(ctx context.Context, o Options) (*Tracer, error) {
	if !o.Wanted() {
		return nil, nil //nolint:nilnil // a nil Tracer is one that follows nothing
	}
	var to []otlptracehttp.Option
	if o.Endpoint != "" {
		to = append(to, otlptracehttp.WithEndpointURL(tracesURL(o.Endpoint)))
	}
	exporter, err := otlptracehttp.New(ctx, to...)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	about, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "parley"), attribute.String("service.version", o.Version)),
		resource.WithHost(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { o.Logger.Warn("traces are not delivered", "error", err) }))
	options := []sdktrace.TracerProviderOption{sdktrace.WithBatcher(exporter), sdktrace.WithResource(about)}
	if o.Ratio >= 0 {
		ours := sdktrace.TraceIDRatioBased(o.Ratio) // a caller's wish is no reason to follow more
		options = append(options, sdktrace.WithSampler(sdktrace.ParentBased(ours, sdktrace.WithRemoteParentSampled(ours))))
	}
	return newTracer(sdktrace.NewTracerProvider(options...)), nil
}

func newTracer(p *sdktrace.TracerProvider) *Tracer {
	return &Tracer{provider: p, tracer: p.Tracer("github.com/parley-im/parley"), recent: map[string]oteltrace.SpanContext{}}
}

// tracesURL completes a collector's address as the variable OTEL_EXPORTER_OTLP_ENDPOINT
// is completed.
func tracesURL(endpoint string) string {
	if strings.HasSuffix(endpoint, "/v1/traces") {
		return endpoint
	}
	return strings.TrimSuffix(endpoint, "/") + "/v1/traces"
}

// Close exports what is left.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// Begin follows an operation that came from outside; parent is its traceparent,
// if it has one.
func (t *Tracer) Begin(ctx context.Context, name, operationID, parent string) (context.Context, Span) {
	if t == nil {
		return ctx, Span{}
	}
	if parent != "" {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": parent})
	}
	ctx, span := t.begin(ctx, name, operationID, oteltrace.WithSpanKind(oteltrace.SpanKindServer))
	if span.span != nil {
		t.remember(operationID, span.span.SpanContext())
	}
	return ctx, span
}

// After follows an attempt to do what an operation left to be done: an operation
// of its own that is linked to the one it comes from, as long as that is
// remembered. The id of the operation tells where it is not.
func (t *Tracer) After(ctx context.Context, name, operationID string) (context.Context, Span) {
	if t == nil {
		return ctx, Span{}
	}
	options := []oteltrace.SpanStartOption{oteltrace.WithNewRoot(), oteltrace.WithSpanKind(oteltrace.SpanKindClient)}
	if from, known := t.origin(operationID); known {
		options = append(options, oteltrace.WithLinks(oteltrace.Link{SpanContext: from}))
	}
	return t.begin(ctx, name, operationID, options...)
}

func (t *Tracer) begin(ctx context.Context, name, operationID string, options ...oteltrace.SpanStartOption) (context.Context, Span) {
	ctx, span := t.tracer.Start(ctx, name, options...)
	if !span.IsRecording() {
		return ctx, Span{}
	}
	s := Span{span}
	s.Set(Operation, operationID)
	return context.WithValue(ctx, tracerKey{}, t), s
}

func (t *Tracer) remember(operationID string, c oteltrace.SpanContext) {
	if operationID == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.recent) >= keptOperations {
		t.recent, t.older = make(map[string]oteltrace.SpanContext, keptOperations), t.recent
	}
	t.recent[operationID] = c
}

func (t *Tracer) origin(operationID string) (oteltrace.SpanContext, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c, known := t.recent[operationID]; known {
		return c, true
	}
	c, known := t.older[operationID]
	return c, known
}
