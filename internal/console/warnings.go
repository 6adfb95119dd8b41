package console

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// warningsKept bounds what is remembered, oldest first out.
const warningsKept = 50

// Warnings remembers the last lines of a log that say that something is not as it
// should be.
type Warnings struct {
	mu    sync.Mutex
	lines []Warning // oldest first
	count int64
}

// Warning is one line. Logs hold no secrets and nothing that people write.
type Warning struct {
	At      time.Time
	Level   slog.Level
	Message string
	Attrs   string
}

// Handler is a log's handler that also remembers.
func (w *Warnings) Handler(next slog.Handler) slog.Handler {
	return warningsHandler{next: next, warnings: w}
}

// recent returns the lines, newest first, and how many there were in all.
func (w *Warnings) recent() ([]Warning, int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := slices.Clone(w.lines)
	slices.Reverse(out)
	return out, w.count
}

func (w *Warnings) add(line Warning) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count++
	if len(w.lines) == warningsKept {
		w.lines = slices.Delete(w.lines, 0, 1)
	}
	w.lines = append(w.lines, line)
}

type warningsHandler struct {
	next     slog.Handler
	warnings *Warnings
	attrs    string
	group    string
}

// Enabled implements slog.Handler: warnings count whatever the log shows.
func (h warningsHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn || h.next.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h warningsHandler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn {
		var b strings.Builder
		b.WriteString(h.attrs)
		r.Attrs(func(a slog.Attr) bool {
			writeAttr(&b, h.group, a)
			return true
		})
		h.warnings.add(Warning{r.Time, r.Level, short(r.Message, 200), short(strings.TrimSpace(b.String()), 600)})
	}
	if !h.next.Enabled(ctx, r.Level) {
		return nil
	}
	return h.next.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h warningsHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var b strings.Builder
	b.WriteString(h.attrs)
	for _, a := range attrs {
		writeAttr(&b, h.group, a)
	}
	return warningsHandler{h.next.WithAttrs(attrs), h.warnings, b.String(), h.group}
}

// WithGroup implements slog.Handler.
func (h warningsHandler) WithGroup(name string) slog.Handler {
	return warningsHandler{h.next.WithGroup(name), h.warnings, h.attrs, h.group + name + "."}
}

func writeAttr(b *strings.Builder, group string, a slog.Attr) {
	if a.Key == "stack" {
		return // it is in the log
	}
	b.WriteString(group + a.Key + "=" + a.Value.Resolve().String() + " ")
}
