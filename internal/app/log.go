package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/trace"
)

// levels maps OpenIM's remainLogLevel: 0 fatal, 1 panic, 2 error, 3 warn,
// 4 info, 5 debug, 6 debug with SQL. There is nothing below an error, and statements
// are not logged: 6 is what OpenIM ships, and they would cost more than messages.
var levels = []slog.Level{slog.LevelError, slog.LevelError, slog.LevelError, slog.LevelWarn, slog.LevelInfo, slog.LevelDebug, slog.LevelDebug}

// Logs is the server's log. Where it goes and what it shows may change while it
// is written.
type Logs struct {
	stdout io.Writer
	lines  [len(lineLevels)]atomic.Int64

	// mu keeps a destination open while something is written to it.
	mu   sync.RWMutex
	dest destination
}

// lineLevels are the levels that lines are counted by, the worst first.
var lineLevels = [...]slog.Level{slog.LevelError, slog.LevelWarn, slog.LevelInfo, slog.LevelDebug}

// Lines counts the lines that were written, by level.
func (l *Logs) Lines() map[slog.Level]int64 {
	out := make(map[slog.Level]int64, len(lineLevels))
	for i, level := range lineLevels {
		out[level] = l.lines[i].Load()
	}
	return out
}

func (l *Logs) count(level slog.Level) {
	for i, at := range lineLevels {
		if level >= at || i == len(lineLevels)-1 {
			l.lines[i].Add(1)
			return
		}
	}
}

// longest is how much isSimplify leaves of a text.
const longest = 1024

func simplify(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindString {
		if s := a.Value.String(); len(s) > longest && a.Key != "stack" {
			a.Value = slog.StringValue(strings.ToValidUTF8(s[:longest], "") + "…")
		}
	}
	return a
}

// destination is where log.yml sends lines.
type destination struct {
	config  config.Log
	handler slog.Handler
	file    *rotatingFile // nil for none
}

// OpenLogs starts the log of log.yml. stdout is used as the file says.
func OpenLogs(c config.Log, stdout io.Writer) (*Logs, error) {
	l := &Logs{stdout: stdout}
	d, err := l.open(c)
	if err != nil {
		return nil, err
	}
	l.dest = d
	return l, nil
}

// Logger returns a logger that follows the changes.
func (l *Logs) Logger() *slog.Logger { return slog.New(operationHandler{logsHandler{logs: l}}) }

// Prepare opens what another log.yml asks for; use switches to it. Without use
// nothing changes.
func (l *Logs) Prepare(c config.Log) (use func(), err error) {
	l.mu.RLock()
	same := l.dest.config == c
	l.mu.RUnlock()
	if same {
		return func() {}, nil
	}
	d, err := l.open(c)
	if err != nil {
		return nil, err
	}
	return func() {
		l.mu.Lock()
		old := l.dest
		l.dest = d
		l.mu.Unlock()
		old.close()
	}, nil
}

// Close ends the log file.
func (l *Logs) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dest.close()
}

func (d destination) close() {
	if d.file != nil {
		_ = d.file.Close() // nothing can be done about it at the end
	}
}

func (l *Logs) open(c config.Log) (destination, error) {
	d := destination{config: c}
	var out io.Writer = io.Discard
	if c.Stdout {
		out = l.stdout
	}
	if c.StorageLocation != "" {
		f, err := openRotating(c)
		switch {
		case err == nil && c.Stdout:
			d.file, out = f, io.MultiWriter(l.stdout, f)
		case err == nil:
			d.file, out = f, f
		case !c.Stdout:
			return d, err
		default:
			fmt.Fprintf(l.stdout, "log file not used: %v\n", err)
		}
	}
	o := &slog.HandlerOptions{Level: levels[min(max(c.Level, 0), len(levels)-1)]}
	if c.Simplify {
		o.ReplaceAttr = simplify
	}
	d.handler = slog.NewTextHandler(out, o)
	if c.JSON {
		d.handler = slog.NewJSONHandler(out, o)
	}
	return d, nil
}

// logsHandler writes to where the log goes now.
type logsHandler struct {
	logs   *Logs
	derive []func(slog.Handler) slog.Handler // With and WithGroup of the logger
}

// Enabled implements slog.Handler.
func (h logsHandler) Enabled(ctx context.Context, level slog.Level) bool {
	h.logs.mu.RLock()
	defer h.logs.mu.RUnlock()
	return h.logs.dest.handler.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h logsHandler) Handle(ctx context.Context, r slog.Record) error {
	h.logs.count(r.Level)
	h.logs.mu.RLock()
	defer h.logs.mu.RUnlock()
	to := h.logs.dest.handler
	for _, derive := range h.derive {
		to = derive(to)
	}
	return to.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h logsHandler) WithAttrs(a []slog.Attr) slog.Handler {
	return h.with(func(to slog.Handler) slog.Handler { return to.WithAttrs(a) })
}

// WithGroup implements slog.Handler.
func (h logsHandler) WithGroup(name string) slog.Handler {
	return h.with(func(to slog.Handler) slog.Handler { return to.WithGroup(name) })
}

func (h logsHandler) with(f func(slog.Handler) slog.Handler) slog.Handler {
	return logsHandler{h.logs, append(slices.Clone(h.derive), f)}
}

// operationHandler adds who asked and in which operation to every line logged
// with a context.
type operationHandler struct{ slog.Handler }

// Handle implements slog.Handler.
func (h operationHandler) Handle(ctx context.Context, r slog.Record) error {
	if id := im.OperationOf(ctx); id != "" {
		r.AddAttrs(slog.String("operation_id", id))
	}
	if id := trace.ID(ctx); id != "" {
		r.AddAttrs(slog.String("trace_id", id))
	}
	if id := im.CallerOf(ctx).UserID; id != "" {
		r.AddAttrs(slog.String("user_id", id))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h operationHandler) WithAttrs(a []slog.Attr) slog.Handler {
	return operationHandler{h.Handler.WithAttrs(a)}
}

// WithGroup implements slog.Handler.
func (h operationHandler) WithGroup(name string) slog.Handler {
	return operationHandler{h.Handler.WithGroup(name)}
}

// logFile is the current log; rotated ones carry the time they were closed.
const logFile = "parley.log"

func logPath(c config.Log) (string, error) {
	if err := os.MkdirAll(c.StorageLocation, 0o755); err != nil {
		return "", errors.Join(errors.New("log directory"), err)
	}
	return filepath.Join(c.StorageLocation, logFile), nil
}
