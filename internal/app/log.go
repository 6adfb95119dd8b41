package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/im"
)

// levels maps OpenIM's remainLogLevel: 0 fatal, 1 panic, 2 error, 3 warn,
// 4 info, 5 debug, 6 debug with SQL.
var levels = []slog.Level{slog.LevelError, slog.LevelError, slog.LevelError, slog.LevelWarn, slog.LevelInfo, slog.LevelDebug, slog.LevelDebug}

// NewLogger returns the logger of log.yml. stdout is used as the file says;
// close ends the log file.
func NewLogger(c config.Log, stdout io.Writer) (log *slog.Logger, closeLog func(), err error) {
	var out io.Writer = io.Discard
	closeLog = func() {}
	if c.Stdout {
		out = stdout
	}
	if c.StorageLocation != "" {
		f, err := openRotating(c)
		if err != nil {
			if !c.Stdout {
				return nil, nil, err
			}
			fmt.Fprintf(stdout, "log file not used: %v\n", err)
		} else {
			closeLog = func() { _ = f.Close() } // nothing can be done about it at the end
			if c.Stdout {
				out = io.MultiWriter(stdout, f)
			} else {
				out = f
			}
		}
	}
	o := &slog.HandlerOptions{Level: levels[min(max(c.Level, 0), len(levels)-1)]}
	var h slog.Handler = slog.NewTextHandler(out, o)
	if c.JSON {
		h = slog.NewJSONHandler(out, o)
	}
	return slog.New(operationHandler{h}), closeLog, nil
}

// operationHandler adds who asked and in which operation to every line logged
// with a context.
type operationHandler struct{ slog.Handler }

// Handle implements slog.Handler.
func (h operationHandler) Handle(ctx context.Context, r slog.Record) error {
	if id := im.OperationOf(ctx); id != "" {
		r.AddAttrs(slog.String("operation_id", id))
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
