package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/metrics"
	"github.com/parley-im/parley/internal/store"
)

// Readiness is what /readyz answers. Reasons are for everybody who can reach the
// port: they name no address and no error of the database.
type Readiness struct {
	Ready  bool             `json:"ready"`
	Checks map[string]Check `json:"checks"`
}

// Check is one thing a server needs.
type Check struct {
	State  CheckState `json:"state"`
	Reason string     `json:"reason,omitempty"`
}

// CheckState says how a check went.
type CheckState string

// States of checks. A server with a warning still takes requests.
const (
	CheckOK      CheckState = "ok"
	CheckWarning CheckState = "warning"
	CheckFailed  CheckState = "failed"
)

// value is what metrics show.
func (s CheckState) value() float64 {
	switch s {
	case CheckOK:
		return 0
	case CheckWarning:
		return 1
	default:
		return 2
	}
}

const (
	readyWait = 2 * time.Second // for the database
	readyFor  = time.Second     // what it said is good: anybody may ask
	nearlyAll = 0.8             // of a bound
	fewBytes  = 10              // times minFreeDisk
)

// readiness looks at what a server needs to serve.
type readiness struct {
	store    *store.Store
	config   *config.Config
	stopping atomic.Bool
	log      *slog.Logger
	disk     func(dir string) (free, size uint64, err error)

	mu     sync.Mutex
	asking chan struct{} // closed when the database has answered; nil while nobody asks
	asked  time.Time
	said   map[string]Check
}

func newReadiness(s *store.Store, c *config.Config, log *slog.Logger) *readiness {
	return &readiness{store: s, config: c, log: log, disk: diskSpace}
}

// look checks everything. It takes readyWait at most.
func (r *readiness) look(ctx context.Context) Readiness {
	out := Readiness{Ready: true, Checks: map[string]Check{"process": {State: CheckOK}, "outbox": r.outbox(), "writes": r.writes()}}
	if r.stopping.Load() {
		out.Checks["process"] = Check{CheckFailed, "the server is stopping"}
	}
	if r.config.Operations.MinFreeDisk > 0 {
		out.Checks["disk"] = r.space()
	}
	for name, c := range r.database(ctx) {
		out.Checks[name] = c
	}
	for _, c := range out.Checks {
		out.Ready = out.Ready && c.State != CheckFailed
	}
	return out
}

// database asks for a write. However many ask us, one question is under way, and
// one that hangs keeps nobody waiting longer than the others.
func (r *readiness) database(ctx context.Context) map[string]Check {
	r.mu.Lock()
	if r.asking == nil && time.Since(r.asked) < readyFor {
		defer r.mu.Unlock()
		return r.said
	}
	if r.asking == nil {
		r.asking = make(chan struct{})
		go r.ask(context.WithoutCancel(ctx))
	}
	answered := r.asking
	r.mu.Unlock()

	wait := time.NewTimer(readyWait)
	defer wait.Stop()
	select {
	case <-answered:
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.said
	case <-wait.C:
	case <-ctx.Done():
	}
	return map[string]Check{"store": {CheckFailed, "the database does not answer"}}
}

func (r *readiness) ask(ctx context.Context) {
	said := map[string]Check{"store": {State: CheckOK}, "schema": {State: CheckOK}}
	if err := r.store.CheckWritable(ctx); err != nil {
		said["store"] = Check{CheckFailed, "the database takes no writes"}
		r.warn(ctx, err)
	}
	switch has, known, err := r.store.SchemaVersion(ctx); {
	case err != nil:
		said["schema"] = Check{CheckFailed, "the database does not tell its schema"}
		r.warn(ctx, err)
	case has < known:
		said["schema"] = Check{CheckFailed, fmt.Sprintf("the database has schema %d, this program needs %d", has, known)}
	case has > known:
		said["schema"] = Check{CheckWarning, fmt.Sprintf("the database has schema %d, this program knows %d: another node is newer", has, known)}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said, r.asked = said, time.Now()
	close(r.asking)
	r.asking = nil
}

func (r *readiness) warn(ctx context.Context, err error) {
	if !errors.Is(err, store.ErrClosed) {
		r.log.WarnContext(ctx, "not ready", slog.Any("error", err))
	}
}

func (r *readiness) space() Check {
	free, _, err := r.disk(r.config.DataDir)
	least := uint64(r.config.Operations.MinFreeDisk)
	switch {
	case err != nil:
		r.log.Warn("free space is not known", slog.Any("error", err))
		return Check{CheckWarning, "the free space of the data directory is not known"}
	case free < least:
		return Check{CheckFailed, fmt.Sprintf("%d MiB free in the data directory", free>>20)}
	case free/fewBytes < least:
		return Check{CheckWarning, fmt.Sprintf("%d MiB free in the data directory", free>>20)}
	}
	return Check{State: CheckOK}
}

// outbox never says no: without a place in the outbox a message is still sent,
// and its event becomes a gap.
func (r *readiness) outbox() Check {
	for _, w := range r.store.Waiting() {
		if bytes, bound := r.store.WaitingBytes(w.Endpoint); float64(bytes) >= nearlyAll*float64(bound) {
			return Check{CheckWarning, fmt.Sprintf("%d %% of the outbox of an endpoint is used", 100*bytes/bound)}
		}
	}
	return Check{State: CheckOK}
}

func (r *readiness) writes() Check {
	st := r.store.Stats()
	if float64(st.Writes) >= nearlyAll*float64(st.WriteRoom) {
		return Check{CheckWarning, fmt.Sprintf("%d of %d places of the queue of writes are used", st.Writes, st.WriteRoom)}
	}
	return Check{State: CheckOK}
}

// figures show the checks to Prometheus, which need not read /readyz.
func (r *readiness) figures(emit metrics.Emit) {
	ctx, cancel := context.WithTimeout(context.Background(), readyWait)
	defer cancel()
	for name, c := range r.look(ctx).Checks {
		emit(metrics.CheckState, c.State.value(), name)
	}
	if free, size, err := r.disk(r.config.DataDir); err == nil {
		emit(metrics.DiskFree, float64(free))
		emit(metrics.DiskSize, float64(size))
	}
}

// diskSpace is what is left, to users without privileges, where dir lies.
func diskSpace(dir string) (free, size uint64, err error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, 0, fmt.Errorf("free space of %s: %w", dir, err)
	}
	block := uint64(st.Bsize)
	return uint64(st.Bavail) * block, st.Blocks * block, nil
}
