// Package reload keeps a running server's configuration equal to its files.
//
// It looks at the files every second, and whenever it is told to. A
// configuration is taken over whole or not at all: what cannot be used leaves
// everything as it was, and the errors are kept where an operator looks for them.
// Values that cannot change in a running server keep the old value, which is
// said. Every configuration that took effect and every refused edit goes into a
// history, so that what happened can be explained later.
//
// It does not know what the values mean: Options.Apply hands them to the parts.
package reload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// Why a configuration was read.
const (
	CauseStart   = "start"
	CauseFile    = "file"
	CauseSignal  = "signal"
	CauseRequest = "request"
)

// Options of a Service.
type Options struct {
	// Source is where the configuration comes from.
	Source config.Options
	Config *config.Config // what the server was started with
	Report *config.Report // of it
	// Apply gives the parts of the server the values that are live, all or none
	// of them.
	Apply func(ctx context.Context, c *config.Config) error
	// Applied is told after a change took effect.
	Applied func(r *config.Report)
	// Beside are other files that a running server takes over.
	Beside []Beside

	Store  *store.Store // keeps the history
	Logger *slog.Logger // default: discards
	Now    func() time.Time
	Every  time.Duration // between looks at the files, default 1 s
}

// Service holds the configuration in effect. It is safe for concurrent use.
type Service struct {
	o   Options
	log *slog.Logger

	loading sync.Mutex // one load at a time; held while parts take it over

	mu        sync.Mutex
	config    *config.Config
	report    *config.Report
	effective *config.Effective
	status    Status
	beside    []BesideStatus
}

// Status is what became of the files.
type Status struct {
	Hash    string    `json:"hash"`    // of the configuration in effect
	Since   im.Millis `json:"since"`   // when it took effect
	Applied int64     `json:"applied"` // reloads that changed something, since the start
	Refused int64     `json:"refused"` // edits that could not be used
	// Problems are the errors of the files as they are now; while there are any,
	// the configuration of Since stays.
	Problems  []config.Problem `json:"problems,omitempty"`
	RefusedAt im.Millis        `json:"refusedAt,omitempty"`
	// Pending are changes that wait for a restart.
	Pending []config.Change `json:"pending,omitempty"`
	// Beside are files that are no configuration themselves.
	Beside []BesideStatus `json:"beside,omitempty"`
}

// Outcome is what one reload did.
type Outcome struct {
	Changes []config.Change `json:"changes"` // took effect
	Pending []config.Change `json:"pending"` // wait for a restart
	Report  *config.Report  `json:"-"`
}

// New returns the service of a server that was started with o.Config.
func New(o Options) *Service {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Every <= 0 {
		o.Every = time.Second
	}
	if o.Report == nil { // nothing was read
		o.Report = &config.Report{Effective: &config.Effective{}}
	}
	s := &Service{o: o, log: o.Logger, config: o.Config, report: o.Report, effective: o.Report.Effective}
	s.status.Since = im.MillisOf(o.Now())
	for _, b := range o.Beside {
		s.beside = append(s.beside, BesideStatus{Name: b.Name, Files: b.Files, Since: s.status.Since})
	}
	s.status.Hash = s.snapshot().Hash
	return s
}

// Config is the configuration in effect.
func (s *Service) Config() *config.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.config
}

// With calls f with the configuration in effect, while no other is taken over.
func (s *Service) With(f func(*config.Config) error) error {
	s.loading.Lock()
	defer s.loading.Unlock()
	return f(s.Config())
}

// Status tells what is in effect and what is wrong with the files.
func (s *Service) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.status
	out.Beside = slices.Clone(s.beside)
	for i, b := range s.o.Beside {
		out.Beside[i].InUse = b.Describe()
	}
	return out
}

// Snapshot describes the configuration in effect.
func (s *Service) Snapshot() config.Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.snapshot()
}

func (s *Service) snapshot() config.Snapshot { return s.effective.Snapshot(s.config, s.report) }

// Run records the configuration of the start, then watches the files and the
// signals until ctx ends.
func (s *Service) Run(ctx context.Context, signals <-chan os.Signal) error {
	if err := s.recordStart(context.WithoutCancel(ctx)); err != nil {
		s.log.WarnContext(ctx, "configuration history cannot be written", slog.Any("error", err))
	}
	tick := time.NewTicker(s.o.Every)
	defer tick.Stop()
	dir := s.o.Report.Dir
	if dir == "" && len(s.o.Beside) == 0 {
		tick.Stop()
	}
	files := watched{fingerprint: func() [config.FingerprintSize]byte { return config.Fingerprint(dir) }}
	beside := make([]watched, len(s.o.Beside))
	for i, b := range s.o.Beside {
		beside[i].fingerprint = func() [config.FingerprintSize]byte { return config.FingerprintFiles(b.Files...) }
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-signals:
			files.taken = files.fingerprint()
			_, _ = s.Reload(ctx, CauseSignal) // reported by Reload
		case <-tick.C:
			if dir != "" && files.settled() {
				_, _ = s.Reload(ctx, CauseFile) // reported by Reload
			}
			for i := range beside {
				if beside[i].settled() {
					s.loadBeside(ctx, i, CauseFile)
				}
			}
		}
	}
}

// Reload reads the files and takes over what is live. An error leaves everything
// as it was; a *config.Problems says what is wrong with which line. What is beside
// the configuration does not depend on it: its problems are in the Status.
func (s *Service) Reload(ctx context.Context, cause string) (Outcome, error) {
	if cause != CauseFile {
		for i := range s.o.Beside {
			s.loadBeside(ctx, i, cause)
		}
	}
	s.loading.Lock()
	defer s.loading.Unlock()
	return s.reload(ctx, cause)
}

func (s *Service) reload(ctx context.Context, cause string) (Outcome, error) {
	next, report, err := config.Load(s.o.Source)
	if err != nil {
		s.refuse(ctx, cause, err)
		return Outcome{}, err
	}
	s.mu.Lock()
	config, effective := s.config, s.effective
	s.mu.Unlock()
	out := Outcome{Report: report}
	for _, c := range effective.Changes(report.Effective) {
		if c.Live {
			out.Changes = append(out.Changes, c)
		} else {
			out.Pending = append(out.Pending, c)
		}
	}
	merged := config.WithLive(next)
	if len(out.Changes) > 0 {
		if err := s.o.Apply(ctx, merged); err != nil {
			err = fmt.Errorf("configuration not taken over: %w", err)
			s.refuse(ctx, cause, err)
			return Outcome{}, err
		}
	}
	s.mu.Lock()
	s.config, s.report, s.effective = merged, report, effective.WithLive(report.Effective)
	before, repaired := s.status.Hash, len(s.status.Problems) > 0
	s.status.Problems, s.status.RefusedAt, s.status.Pending = nil, 0, out.Pending
	if len(out.Changes) > 0 {
		s.status.Applied++
		s.status.Since = im.MillisOf(s.o.Now())
	}
	snapshot := s.snapshot()
	s.status.Hash = snapshot.Hash
	s.mu.Unlock()

	s.say(ctx, cause, out)
	if snapshot.Hash != before || repaired {
		s.keep(ctx, cause, true, snapshot.Hash, snapshot)
	}
	if s.o.Applied != nil && len(out.Changes) > 0 {
		s.o.Applied(report)
	}
	return out, nil
}

// say logs what a reload did, one line per key.
func (s *Service) say(ctx context.Context, cause string, out Outcome) {
	if cause == CauseFile && len(out.Changes)+len(out.Pending) == 0 {
		return
	}
	s.log.InfoContext(ctx, "configuration read again", slog.String("cause", cause), slog.Int("changes", len(out.Changes)))
	for _, c := range out.Changes {
		s.log.InfoContext(ctx, "setting changed", slog.String("file", c.File), slog.String("key", c.Path),
			slog.String("old", c.Old), slog.String("new", c.New), slog.String("source", c.Source))
	}
	for _, c := range out.Pending {
		s.log.WarnContext(ctx, "setting needs a restart to take effect", slog.String("file", c.File), slog.String("key", c.Path),
			slog.String("old", c.Old), slog.String("new", c.New), slog.String("source", c.Source))
	}
	for _, p := range out.Report.Problems {
		if p.Severity == config.Warning {
			s.log.WarnContext(ctx, "configuration warning", slog.String("problem", p.Error()))
		}
	}
}

// Refused is the body of a refused edit in the history.
type Refused struct {
	Problems []config.Problem `json:"problems"`
}

func (s *Service) refuse(ctx context.Context, cause string, err error) {
	list := Problems(err)
	s.mu.Lock()
	s.status.Refused++
	s.status.Problems, s.status.RefusedAt = list, im.MillisOf(s.o.Now())
	s.mu.Unlock()
	s.keep(ctx, cause, false, "", Refused{list})
	// Said last: who reads it finds the refusal wherever it is kept.
	for _, p := range list {
		s.log.ErrorContext(ctx, "configuration refused, the old one stays", slog.String("cause", cause), slog.String("problem", p.Error()))
	}
}

// Problems are the errors of a refused configuration.
func Problems(err error) []config.Problem {
	if p, ok := errors.AsType[*config.Problems](err); ok {
		return p.List
	}
	return []config.Problem{{Message: err.Error(), Severity: config.Error}}
}

// recordStart keeps the configuration of the start, unless it is the one that
// the last process ended with.
func (s *Service) recordStart(ctx context.Context) error {
	var last store.ConfigVersion
	if err := s.o.Store.Read(ctx, func(tx *store.Tx) (err error) {
		last, _, err = tx.ConfigInEffect(0)
		return err
	}); err != nil {
		return err
	}
	snapshot := s.Snapshot()
	if last.Hash != snapshot.Hash {
		s.keep(ctx, CauseStart, true, snapshot.Hash, snapshot)
	}
	return nil
}

// keep adds to the history. The configuration counts without it.
func (s *Service) keep(ctx context.Context, cause string, applied bool, hash string, body any) {
	raw, err := json.Marshal(body)
	if err == nil {
		v := store.ConfigVersion{At: im.MillisOf(s.o.Now()), Applied: applied, Cause: cause, Hash: hash, Body: raw}
		err = s.o.Store.Write(context.WithoutCancel(ctx), func(tx *store.Tx) error { return tx.InsertConfigVersion(v) })
	}
	if err != nil {
		s.log.WarnContext(ctx, "configuration history cannot be written", slog.Any("error", err))
	}
}
