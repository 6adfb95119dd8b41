package app

import (
	"context"
	"errors"

	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/im"
)

// ErrRestart is returned by Run when an administrator wants the server to begin
// anew: the caller starts the program again, in the same process.
var ErrRestart = errors.New("restart")

// restart ends the server as a signal does, once the configuration of the files
// was found to be one it can start with.
func (s *server) restart(ctx context.Context) error {
	if _, _, err := config.Load(s.options.Source); err != nil {
		return im.ErrArgs.With("not restarted, the configuration cannot be used: %s", err)
	}
	s.log.WarnContext(ctx, "an administrator restarts the server")
	select {
	case s.again <- struct{}{}:
	default: // on its way
	}
	return nil
}
