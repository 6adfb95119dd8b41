package reload

import (
	"context"
	"log/slog"

	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/im"
)

// Beside is something read from files that are no configuration themselves, such
// as a certificate. It is read again when they change, and on every reload that
// somebody asks for.
type Beside struct {
	Name  string
	Files []string
	// Load takes the files over, or leaves everything as it was and fails. It
	// reports whether anything changed.
	Load func() (changed bool, err error)
	// Describe says what is in use.
	Describe func() string
}

// BesideStatus is what became of such files.
type BesideStatus struct {
	Name    string    `json:"name"`
	InUse   string    `json:"inUse"`
	Files   []string  `json:"files"`
	Since   im.Millis `json:"since"`   // when what is in use was taken over
	Applied int64     `json:"applied"` // times that changed something, since the start
	Refused int64     `json:"refused"` // times the files could not be used
	// Problem is why the files as they are now are not in use.
	Problem   string    `json:"problem,omitempty"`
	RefusedAt im.Millis `json:"refusedAt,omitempty"`
}

// watched follows the changes of files.
type watched struct {
	fingerprint func() [config.FingerprintSize]byte
	// What the files are at the start is not known: they may have changed since
	// they were read.
	taken, seen [config.FingerprintSize]byte
}

// settled reports whether the files changed and then stood still for a whole
// turn: an editor, or the copy of a directory, may be half done.
func (w *watched) settled() bool {
	now := w.fingerprint()
	if now != w.seen || now == w.taken {
		w.seen = now
		return false
	}
	w.taken = now
	return true
}

// loadBeside reads the files of one Beside.
func (s *Service) loadBeside(ctx context.Context, i int, cause string) {
	s.loading.Lock()
	defer s.loading.Unlock()
	b := s.o.Beside[i]
	changed, err := b.Load()
	now := im.MillisOf(s.o.Now())
	s.mu.Lock()
	st := &s.beside[i]
	switch {
	case err != nil:
		st.Refused++
		st.Problem, st.RefusedAt = err.Error(), now
	default:
		st.Problem, st.RefusedAt = "", 0
		if changed {
			st.Applied++
			st.Since = now
		}
	}
	s.mu.Unlock()
	switch {
	case err != nil:
		s.log.ErrorContext(ctx, "files refused, the old ones stay in use", slog.String("what", b.Name), slog.String("cause", cause), slog.Any("error", err))
	case changed:
		s.log.InfoContext(ctx, "files read again", slog.String("what", b.Name), slog.String("cause", cause))
	}
}
