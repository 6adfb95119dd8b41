package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/parley-im/parley/internal/im"
)

// Options opens a store.
type Options struct {
	// Dir is the data directory of the embedded store. Used when PostgresURL is
	// empty.
	Dir string
	// PostgresURL opens PostgreSQL instead.
	PostgresURL string
	// Synchronous is SQLite's durability: "FULL" (default), "NORMAL", or for tests,
	// whose data need not survive the machine, "OFF".
	Synchronous string
	// MmapBytes is the memory map of each SQLite read connection, default 1 GiB.
	MmapBytes int64
	// Readers is the number of SQLite read connections, default 4.
	Readers int
	// Committers is the number of PostgreSQL appenders, default 4.
	Committers int

	// OutboxBytes bounds the after-events that wait for one endpoint, default
	// 10 GiB. What does not fit is not kept, and leaves the mark of a gap.
	OutboxBytes int64

	// Wrote, if set, is told how many rows of each table a transaction wrote, as
	// far as it is one caller's. Tests ask, for the cost of a change.
	Wrote func(rows map[string]int64)
	// Committed, if set, is told of every commit: how many callers' work was in
	// it, and how long it took from its beginning until it was durable. It must be
	// quick.
	Committed func(requests int, took time.Duration)

	Recorder Recorder     // default: nobody wants events
	Logger   *slog.Logger // default: discards
	Now      func() time.Time
}

// Recorder turns events into outbox rows; webhook implements it. Both methods
// are called inside transactions: they must be quick and must not block.
type Recorder interface {
	Enabled(kind im.EventKind) bool
	Render(e im.Event) []OutboxEvent
}

type noRecorder struct{}

func (noRecorder) Enabled(im.EventKind) bool     { return false }
func (noRecorder) Render(im.Event) []OutboxEvent { return nil }

// engine is what differs between the two databases.
type engine interface {
	read(ctx context.Context, fn func(*Tx) error) error
	write(ctx context.Context, fn func(*Tx) error) error
	append(ctx context.Context, a *Append) error
	stats() Stats
	snapshot(ctx context.Context, dir string) (Snapshot, error)
	close() error
}

// Store is a database. It is safe for concurrent use.
type Store struct {
	engine   engine
	recorder Recorder
	rules    *ruleCache
	rosters  rosters
	log      *slog.Logger
	now      func() time.Time
	outbox   chan struct{}

	outboxBound atomic.Int64
	waiting     backlog
	missed      atomic.Int64
	pulled      broadcast
	wrote       func(map[string]int64)
	commits     func(requests int, took time.Duration)
}

// ErrClosed is returned by calls on a store that was closed.
var ErrClosed = errors.New("store: closed")

// Open opens the database, bringing its schema up to date. The errors for a
// locked data directory, a full disk or a damaged file say what to do.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Recorder == nil {
		o.Recorder = noRecorder{}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.OutboxBytes <= 0 {
		o.OutboxBytes = 10 << 30
	}
	s := &Store{
		recorder: o.Recorder,
		rules:    newRuleCache(),
		log:      o.Logger,
		now:      o.Now,
		outbox:   make(chan struct{}, 1),
		wrote:    o.Wrote,
		commits:  o.Committed,
	}
	if s.commits == nil {
		s.commits = func(int, time.Duration) {}
	}
	s.outboxBound.Store(o.OutboxBytes)
	var err error
	if o.PostgresURL != "" {
		s.engine, err = openPostgres(ctx, s, o)
	} else {
		s.engine, err = openSQLite(ctx, s, o)
	}
	if err != nil {
		return nil, err
	}
	if err := errors.Join(s.dropLeases(ctx), s.countOutbox(ctx)); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close finishes what was begun and closes the database.
func (s *Store) Close() error { return s.engine.close() }

// Read runs fn on one consistent snapshot.
func (s *Store) Read(ctx context.Context, fn func(*Tx) error) error {
	return s.engine.read(ctx, fn)
}

// Write runs fn in a transaction and returns after its durable commit. fn may
// run more than once; it must not wait for anything but the database.
func (s *Store) Write(ctx context.Context, fn func(*Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.engine.write(ctx, fn)
}

// Wanted reports whether events of a kind are recorded.
func (s *Store) Wanted(kind im.EventKind) bool { return s.recorder.Enabled(kind) }

// Now is the store's clock, in milliseconds.
func (s *Store) Now() im.Millis { return im.MillisOf(s.now()) }

// OutboxWake signals, without piling up, that outbox rows were committed.
func (s *Store) OutboxWake() <-chan struct{} { return s.outbox }

func (s *Store) wakeOutbox() {
	select {
	case s.outbox <- struct{}{}:
	default:
	}
}

// protect turns a panic of a caller's function into an error, so that it
// cannot take a batch, or the writer, down with it.
func protect(fn func(*Tx) error, tx *Tx) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("store: panic in transaction: %v", r)
		}
	}()
	return fn(tx)
}
