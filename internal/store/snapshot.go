package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/pressly/goose/v3"
)

// The engines a snapshot may come from.
const (
	EngineSQLite   = "sqlite"
	EnginePostgres = "postgres"
)

// Snapshot is what one moment of the database was copied to.
type Snapshot struct {
	Engine string
	Schema int64 // number of the newest migration
	Tables []Table
	// Contents are the keys of all bytes the objects need, Uploads the ids of
	// uploads that are not finished.
	Contents, Uploads []string
}

// Table is a table of PostgreSQL, in a file of its own.
type Table struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
}

// databaseFile is the name of the embedded database.
const databaseFile = "parley.db"

// Snapshot copies the database as it is now into an empty directory, beside
// readers and writers: SQLite as one file that can be opened, PostgreSQL as one
// file for each table in the text format of COPY.
func (s *Store) Snapshot(ctx context.Context, dir string) (Snapshot, error) {
	snap, err := s.engine.snapshot(ctx, dir)
	if err != nil {
		return snap, fmt.Errorf("snapshot: %w", err)
	}
	return snap, nil
}

// LatestSchema is the number of the newest migration.
func LatestSchema() int64 {
	files, err := fs.Glob(migrations, "migrations/sqlite/*.sql")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	var latest int64
	for _, name := range files {
		number, _, _ := strings.Cut(filepath.Base(name), "_")
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			panic(fmt.Sprintf("store: migration %s has no number", name))
		}
		latest = max(latest, n)
	}
	return latest
}

// named lists what a snapshot's objects need. It is read from the snapshot.
func (snap *Snapshot) named(ctx context.Context, query func(ctx context.Context, sql string) ([]string, error)) (err error) {
	var schema []string
	if schema, err = query(ctx, `SELECT CAST(max(version_id) AS text) FROM goose_db_version`); err != nil {
		return err
	}
	if snap.Schema, err = strconv.ParseInt(strings.Join(schema, ""), 10, 64); err != nil {
		return err
	}
	if snap.Contents, err = query(ctx, `SELECT key FROM blob UNION ALL SELECT key FROM thumbnail ORDER BY 1`); err != nil {
		return err
	}
	snap.Uploads, err = query(ctx, `SELECT id FROM upload ORDER BY id`)
	return err
}

func (e *sqliteEngine) snapshot(ctx context.Context, dir string) (snap Snapshot, err error) {
	to := filepath.Join(dir, databaseFile)
	if err := makePrivate(to); err != nil {
		return snap, err
	}
	from, err := openSQLiteConn(ctx, e.path, "wal_autocheckpoint(0)")
	if err != nil {
		return snap, err
	}
	// One reading transaction: the writer goes on beside it, and only the log of
	// the database grows meanwhile.
	_, err = from.conn.ExecContext(ctx, "VACUUM INTO ?", to)
	if err = errors.Join(dialect{}.wrap(err), from.close()); err != nil {
		return snap, err
	}
	copied, err := openSQLiteConn(ctx, to, "query_only(1)")
	if err != nil {
		return snap, err
	}
	snap.Engine = EngineSQLite
	err = snap.named(ctx, func(ctx context.Context, query string) ([]string, error) {
		return texts(copied.conn.QueryContext(ctx, query))
	})
	return snap, errors.Join(err, copied.close())
}

func texts(rows *sql.Rows, err error) ([]string, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		out = append(out, text)
	}
	return out, rows.Err()
}

func (e *postgresEngine) snapshot(ctx context.Context, dir string) (snap Snapshot, err error) {
	snap.Engine = EnginePostgres
	err = pgx.BeginTxFunc(ctx, e.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		query := func(ctx context.Context, query string) ([]string, error) {
			rows, err := tx.Query(ctx, query)
			if err != nil {
				return nil, err
			}
			return pgx.CollectRows(rows, pgx.RowTo[string])
		}
		if err := snap.named(ctx, query); err != nil {
			return err
		}
		if snap.Tables, err = postgresTables(ctx, tx); err != nil {
			return err
		}
		for _, t := range snap.Tables {
			if err := copyOut(ctx, tx, t, filepath.Join(dir, t.Name)); err != nil {
				return fmt.Errorf("table %s: %w", t.Name, err)
			}
		}
		return nil
	})
	return snap, err
}

func copyOut(ctx context.Context, tx pgx.Tx, t Table, path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = tx.Conn().PgConn().CopyTo(ctx, f, "COPY "+t.list()+" TO STDOUT")
	return errors.Join(err, f.Close())
}

// postgresTables lists the tables and columns, without those of goose.
func postgresTables(ctx context.Context, tx pgx.Tx) ([]Table, error) {
	rows, err := tx.Query(ctx, `SELECT table_name::text, array_agg(column_name::text ORDER BY ordinal_position)
		FROM information_schema.columns WHERE table_schema = current_schema() AND table_name NOT LIKE 'goose%' GROUP BY table_name ORDER BY table_name`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (t Table, err error) {
		return t, row.Scan(&t.Name, &t.Columns)
	})
}

// list is the table with its columns, for COPY.
func (t Table) list() string {
	columns := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		columns[i] = pgx.Identifier{c}.Sanitize()
	}
	return pgx.Identifier{t.Name}.Sanitize() + " (" + strings.Join(columns, ", ") + ")"
}

// newVersions gives all version logs new ids. Clients that saw changes which the
// restored database does not have then fetch whole lists, instead of taking a
// number that comes again for the one they know.
const newVersions = `UPDATE version_log SET version_id = `

// RestoreSQLite makes a snapshot's file, in the directory it was extracted to,
// the database of a server that starts there.
func RestoreSQLite(ctx context.Context, dir string) error {
	c, err := openSQLiteConn(ctx, filepath.Join(dir, databaseFile), "synchronous(FULL)")
	if err != nil {
		return err
	}
	_, err = c.conn.ExecContext(ctx, newVersions+dialect{}.randomID())
	if err = errors.Join(err, c.close()); err != nil {
		return fmt.Errorf("restore database: %w", dialect{}.wrap(err))
	}
	return nil
}

// ErrNotEmpty: the database that is to be restored into has data.
var ErrNotEmpty = errors.New("the database is not empty")

// RestorePostgres brings a snapshot's files in dir into an empty database. The
// rows come in one transaction, all or none.
func RestorePostgres(ctx context.Context, url, dir string, snap Snapshot) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is under way
	var there bool
	if err := conn.QueryRow(ctx, `SELECT to_regclass('users') IS NOT NULL`).Scan(&there); err != nil {
		return err
	}
	if there { // perhaps from a restore that ended before its rows were there
		if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM users)`).Scan(&there); err != nil {
			return err
		}
	}
	if there {
		return ErrNotEmpty
	}
	db, err := sql.Open("pgx", url)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := migrateTo(ctx, db, goose.DialectPostgres, "postgres", snap.Schema); err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		for _, t := range snap.Tables {
			if err := copyIn(ctx, tx, t, filepath.Join(dir, t.Name)); err != nil {
				return fmt.Errorf("table %s: %w", t.Name, err)
			}
		}
		if _, err := tx.Exec(ctx, freeLanes); err != nil { // their owners were nodes of the lost server
			return err
		}
		_, err := tx.Exec(ctx, newVersions+dialect{postgres: true}.randomID())
		return err
	})
}

func copyIn(ctx context.Context, tx pgx.Tx, t Table, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	name := pgx.Identifier{t.Name}.Sanitize()
	if _, err := tx.Exec(ctx, "DELETE FROM "+name); err != nil { // what migrations put there
		return err
	}
	if _, err := tx.Conn().PgConn().CopyFrom(ctx, f, "COPY "+t.list()+" FROM STDIN"); err != nil {
		return err
	}
	for _, c := range t.Columns {
		var sequence *string
		if err := tx.QueryRow(ctx, `SELECT pg_get_serial_sequence($1, $2)`, name, c).Scan(&sequence); err != nil {
			return err
		}
		if sequence == nil {
			continue
		}
		next := fmt.Sprintf(`SELECT setval($1::text::regclass, (SELECT coalesce(max(%s), 0) + 1 FROM %s), false)`, pgx.Identifier{c}.Sanitize(), name)
		if _, err := tx.Exec(ctx, next, *sequence); err != nil {
			return err
		}
	}
	return nil
}
