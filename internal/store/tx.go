package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/parley-im/parley/internal/im"
)

// querier is a connection or transaction of database/sql.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Tx is one transaction. It is used by one goroutine and only inside the
// function that was given it.
type Tx struct {
	ctx     context.Context
	q       querier
	store   *Store
	dialect dialect
	writing bool
	reopen  func(im.ConversationID) // the engine forgets that a log's rows exist; may be nil

	rows map[string]int64 // written by table, if somebody wants to know

	// What follows a commit; dropped with a rollback.
	after   []func()
	touched []string
	rosters []rosterChange
	waits   []waits // changes of what waits in the outbox
	missed  int64   // events the outbox had no room for
	outbox  bool
}

// AfterCommit runs f after the transaction committed, before the call that ran
// it returns. f must be quick and must not use tx.
func (tx *Tx) AfterCommit(f func()) { tx.after = append(tx.after, f) }

// Wanted reports whether events of a kind are recorded. Who asks first makes no
// event for nobody.
func (tx *Tx) Wanted(kind im.EventKind) bool { return tx.store.recorder.Enabled(kind) }

// Record tells the recorder about an event and stores what it renders, in this
// transaction.
func (tx *Tx) Record(e im.Event) error {
	if !tx.store.recorder.Enabled(e.Kind()) {
		return nil
	}
	rows := tx.store.recorder.Render(e)
	if len(rows) == 0 {
		return nil
	}
	tx.outbox = true
	return tx.insertOutbox(rows)
}

// touch says that something a send is decided by has changed for a user or
// group: the cached rules of both ends are dropped with the commit.
func (tx *Tx) touch(ids ...string) { tx.touched = append(tx.touched, ids...) }

// committed publishes what waited for the commit.
func (tx *Tx) committed() {
	tx.store.rules.touch(tx.touched)
	tx.store.rosters.committed(tx.rosters)
	for _, f := range tx.after {
		f()
	}
	tx.store.waiting.add(tx.waits)
	if tx.missed > 0 {
		tx.store.missed.Add(tx.missed)
	}
	if tx.outbox {
		tx.store.wakeOutbox()
	}
}

// uncertain drops what is cached of everything that a lost commit may have
// changed.
func (tx *Tx) uncertain() {
	tx.store.rules.touch(tx.touched)
	tx.store.rosters.lost(tx.rosters)
}

// mark and rewind keep what waits for the commit in step with savepoints.
type txMark struct {
	after, touched, rosters, waits int
	missed                         int64
	outbox                         bool
}

func (tx *Tx) mark() txMark {
	return txMark{
		after: len(tx.after), touched: len(tx.touched), rosters: len(tx.rosters), waits: len(tx.waits), missed: tx.missed, outbox: tx.outbox,
	}
}

func (tx *Tx) rewind(m txMark) {
	tx.after, tx.touched, tx.rosters, tx.waits = tx.after[:m.after], tx.touched[:m.touched], tx.rosters[:m.rosters], tx.waits[:m.waits]
	tx.missed, tx.outbox = m.missed, m.outbox
}

var errReadOnly = errors.New("store: write in a read transaction")

// exec runs a statement and returns the number of rows it changed.
func (tx *Tx) exec(query string, args ...any) (int64, error) {
	if !tx.writing {
		return 0, errReadOnly
	}
	res, err := tx.q.ExecContext(tx.ctx, query, args...)
	if err != nil {
		return 0, tx.dialect.wrap(err)
	}
	n, err := res.RowsAffected()
	tx.countRows(query, n)
	return n, err
}

// countRows notes how many rows a statement wrote.
func (tx *Tx) countRows(query string, n int64) {
	if tx.store.wrote == nil {
		return
	}
	words := strings.Fields(query)
	table := ""
	switch words[0] {
	case "INSERT", "DELETE":
		table = words[2]
	case "UPDATE":
		table = words[1]
	default:
		return
	}
	if tx.rows == nil {
		tx.rows = make(map[string]int64)
	}
	tx.rows[table] += n
}

// reportRows tells what one caller wrote.
func (tx *Tx) reportRows() {
	if tx.rows != nil {
		tx.store.wrote(tx.rows)
		tx.rows = nil
	}
}

// queryRow scans the first row into dest and reports whether there was one.
func (tx *Tx) queryRow(query string, args []any, dest ...any) (bool, error) {
	rows, err := tx.q.QueryContext(tx.ctx, query, args...)
	if err != nil {
		return false, tx.dialect.wrap(err)
	}
	defer rows.Close()
	if !rows.Next() {
		return false, tx.dialect.wrap(rows.Err())
	}
	if err := rows.Scan(dest...); err != nil {
		return false, fmt.Errorf("scan: %w", err)
	}
	tx.countRows(query, 1)
	return true, tx.dialect.wrap(rows.Close())
}

// queryAll scans every row into a T; fields lists where its columns go.
func queryAll[T any](tx *Tx, fields func(*T) []any, query string, args ...any) ([]T, error) {
	rows, err := tx.q.QueryContext(tx.ctx, query, args...)
	if err != nil {
		return nil, tx.dialect.wrap(err)
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		var v T
		if err := rows.Scan(fields(&v)...); err != nil {
			return nil, fmt.Errorf("scan: %w", err)
		}
		out = append(out, v)
	}
	return out, tx.dialect.wrap(rows.Err())
}

// one lists the fields of a single-column result.
func one[T any](v *T) []any { return []any{v} }

// chunk is the most ids bound to one statement.
const chunk = 500

// inChunks calls f with placeholders "$n,$n+1,…" for up to chunk values at a
// time; first is the number of the first placeholder.
func inChunks[T any](values []T, first int, f func(placeholders string, args []any) error) error {
	for len(values) > 0 {
		n := min(len(values), chunk)
		var b strings.Builder
		args := make([]any, n)
		for i, v := range values[:n] {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, "$%d", first+i)
			args[i] = v
		}
		if err := f(b.String(), args); err != nil {
			return err
		}
		values = values[n:]
	}
	return nil
}

// queryIn runs a query over any number of ids, in chunks; %s in the query is
// the placeholder list, before holds the arguments in front of it.
func queryIn[T, V any](tx *Tx, fields func(*T) []any, query string, before []any, ids []V) ([]T, error) {
	var out []T
	err := inChunks(ids, len(before)+1, func(list string, args []any) error {
		rows, err := queryAll(tx, fields, fmt.Sprintf(query, list), append(append([]any{}, before...), args...)...)
		out = append(out, rows...)
		return err
	})
	return out, err
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
