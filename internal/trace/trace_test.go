package trace

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/parley-im/parley/internal/im"
)

// recorded is a Tracer whose spans the test sees.
func recorded() (*Tracer, *tracetest.SpanRecorder) {
	r := tracetest.NewSpanRecorder()
	return newTracer(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(r))), r
}

func attributeOf(s sdktrace.ReadOnlySpan, key string) string {
	for _, a := range s.Attributes() {
		if a.Key == attribute.Key(key) {
			return a.Value.String()
		}
	}
	return ""
}

func TestTree(t *testing.T) {
	t.Parallel()
	tracer, r := recorded()
	ctx, root := tracer.Begin(t.Context(), "request", "op", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if got := Header(ctx); !strings.HasPrefix(got, "00-0af7651916cd43dd8448eb211c80319c-") || !strings.HasSuffix(got, "-01") || ID(ctx) != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("header %q, id %q", got, ID(ctx))
	}
	inner, call := Call(ctx, "call")
	call.Set(Outcome, "approve")
	call.SetInt(Attempt, 2)
	_, step := Start(inner, "step")
	step.End(errors.New("the password is swordfish"))
	call.End(fmt.Errorf("wrapped: %w", im.ErrMuted.With("secret detail")))
	root.End(nil)
	_, after := tracer.After(t.Context(), "attempt", "op")
	after.End(nil)
	_, unknown := tracer.After(t.Context(), "attempt", "another")
	unknown.End(nil)

	ended := r.Ended()
	byName := map[string]sdktrace.ReadOnlySpan{}
	for _, s := range slices.Backward(ended) {
		byName[s.Name()] = s
	}
	if len(ended) != 5 || byName["step"].Parent().SpanID() != byName["call"].SpanContext().SpanID() ||
		byName["call"].Parent().SpanID() != byName["request"].SpanContext().SpanID() || byName["request"].Parent().SpanID().String() != "b7ad6b7169203331" {
		t.Errorf("not the tree that was made: %d spans", len(ended))
	}
	if s := byName["step"]; s.Status().Code != codes.Error || strings.Contains(fmt.Sprint(s), "swordfish") {
		t.Errorf("a fault: %+v", s.Status())
	}
	if s := byName["call"]; s.Status().Code != codes.Unset || attributeOf(s, Code) != "1402" || attributeOf(s, Outcome) != "approve" || attributeOf(s, Attempt) != "2" {
		t.Errorf("a refusal: %+v %v", s.Status(), s.Attributes())
	}
	attempt, other := ended[3], ended[4]
	if len(attempt.Links()) != 1 || attempt.Links()[0].SpanContext.SpanID() != byName["request"].SpanContext().SpanID() ||
		attempt.SpanContext().TraceID() == byName["request"].SpanContext().TraceID() || attributeOf(attempt, Operation) != "op" {
		t.Errorf("the attempt: %v %v", attempt.Links(), attempt.Attributes())
	}
	if len(other.Links()) != 0 || attributeOf(other, Operation) != "another" {
		t.Errorf("of an unknown operation: %v", other.Links())
	}
}

func TestRememberedOperationsAreBounded(t *testing.T) {
	t.Parallel()
	tracer, _ := recorded()
	for i := range 5 * keptOperations {
		_, s := tracer.Begin(t.Context(), "request", fmt.Sprint(i), "")
		s.End(nil)
	}
	if n := len(tracer.recent) + len(tracer.older); n > 2*keptOperations {
		t.Errorf("%d are remembered", n)
	}
	for id, want := range map[int]bool{5*keptOperations - 1: true, 4*keptOperations + 1: true, 1: false} {
		if _, known := tracer.origin(fmt.Sprint(id)); known != want {
			t.Errorf("operation %d is remembered: %v", id, known)
		}
	}
}

// steps is what every send does.
func steps(ctx context.Context, t *Tracer) {
	ctx, root := t.Begin(ctx, "request", "op", "")
	made := Of(ctx)
	ctx, span := made.Start(ctx, "message")
	span.Set(Operation, "op")
	_, inner := made.Start(ctx, "commit")
	inner.End(nil)
	_, call := Call(ctx, "webhook")
	if Header(ctx) != "" {
		panic("a header of nothing")
	}
	call.SetInt(Attempt, 1)
	call.End(nil)
	span.End(im.ErrMuted)
	root.End(nil)
}

func TestOffTakesNoMemory(t *testing.T) {
	ctx := im.WithOperation(t.Context(), "op")
	if n := testing.AllocsPerRun(100, func() { steps(ctx, nil) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkOff(b *testing.B) {
	ctx := im.WithOperation(b.Context(), "op")
	b.ReportAllocs()
	for b.Loop() {
		steps(ctx, nil)
	}
}

func TestWanted(t *testing.T) {
	for _, name := range []string{"OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"} {
		t.Setenv(name, "")
	}
	if (Options{}).Wanted() {
		t.Error("off by default")
	}
	if tracer, err := New(t.Context(), Options{}); tracer != nil || err != nil {
		t.Errorf("%v, %v", tracer, err)
	}
	if err := (*Tracer)(nil).Close(t.Context()); err != nil {
		t.Error(err)
	}
	if !(Options{Endpoint: "http://collector:4318"}).Wanted() {
		t.Error("an endpoint is enough")
	}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")
	if !(Options{}).Wanted() {
		t.Error("so is that of the environment")
	}
	t.Setenv("OTEL_SDK_DISABLED", "True")
	if (Options{Endpoint: "http://collector:4318"}).Wanted() {
		t.Error("which can say no")
	}
}
