package app

import (
	"context"
	"os"
	"time"

	"github.com/parley-im/parley/internal/trace"
)

// lastSpans is how long the end of a server waits for the collector.
const lastSpans = 5 * time.Second

// openTracer follows operations, if the configuration or the environment say
// where to.
func (s *server) openTracer(ctx context.Context) error {
	c := s.options.Config.Traces
	o := trace.Options{Endpoint: c.Endpoint, Ratio: float64(c.Percent) / 100, Version: s.options.Version, Logger: s.log}
	if os.Getenv("OTEL_TRACES_SAMPLER") != "" {
		o.Ratio = -1
	}
	var err error
	if s.tracer, err = trace.New(ctx, o); err != nil || s.tracer == nil {
		return err
	}
	s.closers = append(s.closers, func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSpans)
		defer cancel()
		if err := s.tracer.Close(ctx); err != nil {
			s.log.WarnContext(ctx, "the last traces are lost", "error", err)
		}
		return nil
	})
	return nil
}
