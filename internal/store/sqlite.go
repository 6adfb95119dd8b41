package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	_ "modernc.org/sqlite" // registers the driver "sqlite"
)

// sqliteEngine is the embedded database: one writing connection that commits
// whatever has queued up as one group, a few reading connections, and one for
// checkpoints.
type sqliteEngine struct {
	store   *Store
	path    string
	lock    *os.File
	readers chan *sqliteConn
	writer  *sqliteWriter
	recent  *recentSends

	checkpoint *sqliteConn
	closing    context.CancelFunc
	running    sync.WaitGroup
}

// sqliteConn is one connection with its prepared statements.
type sqliteConn struct {
	db    *sql.DB
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
}

// Statements are few and constant, but queryIn makes one per list length.
const maxStatements = 512

func (c *sqliteConn) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if st, ok := c.stmts[query]; ok {
		return st, nil
	}
	st, err := c.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if len(c.stmts) >= maxStatements {
		for q, old := range c.stmts {
			_ = old.Close()
			delete(c.stmts, q)
			break
		}
	}
	c.stmts[query] = st
	return st, nil
}

func (c *sqliteConn) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	st, err := c.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	return st.ExecContext(ctx, args...)
}

func (c *sqliteConn) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	st, err := c.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	return st.QueryContext(ctx, args...)
}

func (c *sqliteConn) close() error {
	for _, st := range c.stmts {
		_ = st.Close()
	}
	return errors.Join(c.conn.Close(), c.db.Close())
}

func sqliteDB(path string, pragmas ...string) (*sql.DB, error) {
	q := url.Values{}
	for _, p := range append([]string{"busy_timeout(5000)", "foreign_keys(0)", "temp_store(memory)"}, pragmas...) {
		q.Add("_pragma", p)
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

func openSQLiteConn(ctx context.Context, path string, pragmas ...string) (*sqliteConn, error) {
	db, err := sqliteDB(path, pragmas...)
	if err != nil {
		return nil, err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		_ = db.Close()
		return nil, dialect{}.wrap(err)
	}
	return &sqliteConn{db: db, conn: conn, stmts: make(map[string]*sql.Stmt)}, nil
}

// openSQLite opens or creates parley.db in the data directory.
func openSQLite(ctx context.Context, s *Store, o Options) (_ engine, err error) {
	if o.Synchronous == "" {
		o.Synchronous = "FULL"
	}
	if o.MmapBytes == 0 {
		o.MmapBytes = 1 << 30
	}
	if o.Readers == 0 {
		o.Readers = 4
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	e := &sqliteEngine{
		store:   s,
		path:    filepath.Join(o.Dir, databaseFile),
		readers: make(chan *sqliteConn, o.Readers),
		recent:  newRecentSends(),
	}
	var opened []*sqliteConn
	defer func() {
		if err != nil {
			for _, c := range opened {
				_ = c.close()
			}
			if e.lock != nil {
				_ = e.lock.Close()
			}
		}
	}()
	if e.lock, err = lockDirectory(o.Dir); err != nil {
		return nil, err
	}
	open := func(pragmas ...string) (*sqliteConn, error) {
		c, err := openSQLiteConn(ctx, e.path, pragmas...)
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", e.path, err)
		}
		opened = append(opened, c)
		return c, nil
	}
	if err := makePrivate(e.path); err != nil {
		return nil, err
	}
	if err := migrateSQLite(ctx, e.path, o.Synchronous != "OFF"); err != nil {
		return nil, fmt.Errorf("schema of %s: %w", e.path, dialect{}.wrap(err))
	}
	wc, err := open("journal_mode(wal)", "synchronous("+o.Synchronous+")", "wal_autocheckpoint(0)", "cache_size(-65536)")
	if err != nil {
		return nil, err
	}
	for range o.Readers {
		c, err := open("query_only(1)", "cache_size(-16384)", "mmap_size("+strconv.FormatInt(o.MmapBytes, 10)+")")
		if err != nil {
			return nil, err
		}
		e.readers <- c
	}
	checkpoint := []string{"wal_autocheckpoint(0)"}
	if o.Synchronous == "OFF" {
		checkpoint = append(checkpoint, "synchronous(OFF)")
	}
	if e.checkpoint, err = open(checkpoint...); err != nil {
		return nil, err
	}
	e.writer = newSQLiteWriter(e, wc)
	run, stop := context.WithCancel(context.Background())
	e.closing = stop
	e.running.Go(e.writer.run)
	e.running.Go(func() { e.runCheckpoints(run) })
	e.running.Go(func() { e.fillRecent(run) })
	return e, nil
}

// makePrivate creates the database file if there is none, so that nobody else on
// the machine can read messages whatever the directory's mode is. SQLite gives
// its other files the mode of this one.
func makePrivate(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	return f.Close()
}

// lockDirectory makes a second server on the same data fail with a clear error
// instead of two writers damaging each other's caches.
func lockDirectory(dir string) (*os.File, error) {
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		owner, _ := os.ReadFile(path)
		_ = f.Close()
		return nil, fmt.Errorf("%w: %s is used by process %s; stop it or choose another data directory", ErrLocked, dir, owner)
	}
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0) // only for the message above
	}
	return f, nil
}

// ErrLocked: another process uses the data directory.
var ErrLocked = errors.New("data directory is locked")

func (e *sqliteEngine) read(ctx context.Context, fn func(*Tx) error) error {
	var c *sqliteConn
	select {
	case c = <-e.readers:
	case <-ctx.Done():
		return ctx.Err()
	}
	if c == nil {
		return ErrClosed
	}
	defer func() { e.readers <- c }()
	// The snapshot is taken by the first query and held to the end. The caller's
	// context does not interrupt it: reads are short, and an interrupted
	// connection would need repair.
	ctx = context.WithoutCancel(ctx)
	if _, err := c.ExecContext(ctx, "BEGIN"); err != nil {
		return fmt.Errorf("begin read: %w", err)
	}
	err := protect(fn, &Tx{ctx: ctx, q: c, store: e.store})
	if _, endErr := c.ExecContext(ctx, "COMMIT"); endErr != nil && err == nil {
		err = fmt.Errorf("end read: %w", endErr)
	}
	return err
}

func (e *sqliteEngine) close() error {
	if !e.writer.stop() {
		return nil // closed before
	}
	e.closing()
	e.running.Wait()
	var errs []error
	for range cap(e.readers) {
		errs = append(errs, (<-e.readers).close())
	}
	close(e.readers) // a late reader gets ErrClosed
	_, err := e.checkpoint.ExecContext(context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)")
	errs = append(errs, err, e.checkpoint.close(), e.writer.conn.close(), e.lock.Close())
	return errors.Join(errs...)
}

// Checkpoints copy the log into the database beside the writer. When all of a
// large log is copied, the writer restarts it, so that the file is overwritten
// instead of growing.
const (
	checkpointBytes = 16 << 20
	restartPages    = (64 << 20) / 4096
	checkpointEvery = 200 * time.Millisecond
)

func (e *sqliteEngine) runCheckpoints(ctx context.Context) {
	tick := time.NewTicker(checkpointEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if e.writer.written.Load() < checkpointBytes {
			continue
		}
		e.writer.written.Store(0)
		var busy, pages, copied int
		row := e.checkpoint.conn.QueryRowContext(context.Background(), "PRAGMA wal_checkpoint(PASSIVE)")
		if err := row.Scan(&busy, &pages, &copied); err != nil {
			e.store.log.WarnContext(ctx, "checkpoint failed", "error", err)
			continue
		}
		if pages >= restartPages && copied == pages {
			e.writer.restartLog.Store(true)
		}
	}
}

// fillRecent rebuilds the filter of recent sends from the table.
func (e *sqliteEngine) fillRecent(ctx context.Context) {
	before := int64(1) << 62
	now := e.store.Now()
	since := now - dedupMillis
	type row struct {
		id   int64
		conv string
		storedMessage
	}
	for ctx.Err() == nil {
		var page []row
		err := e.read(ctx, func(tx *Tx) (err error) {
			page, err = queryAll(tx, func(r *row) []any { return append([]any{&r.id, &r.conv}, storedFields(&r.storedMessage)...) },
				`SELECT m.id, l.conversation_id, m.seq, m.client_id, m.send_time, m.data FROM message m JOIN log l ON l.id = m.log
				WHERE m.id < $1 ORDER BY m.id DESC LIMIT 1000`, before)
			return err
		})
		if err != nil {
			e.store.log.WarnContext(ctx, "recent sends not loaded: every send is looked up in the table", "error", err)
			return
		}
		old := 0
		for _, r := range page {
			before = r.id
			if r.sendTime < since {
				old++
				continue
			}
			m, err := r.message(convID(r.conv))
			if err != nil {
				e.store.log.ErrorContext(ctx, "damaged message", "conversation_id", r.conv, "seq", r.seq, "error", err)
				continue
			}
			e.recent.add(m.SendID, m.ConversationID, m.ClientMsgID, min(m.SendTime, now))
		}
		// Imported rows may be out of order; a whole page of old ones is the end.
		if old == len(page) {
			e.recent.filled()
			return
		}
	}
}
