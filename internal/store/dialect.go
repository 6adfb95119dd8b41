package store

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// dialect is what differs in SQL between the engines.
type dialect struct {
	postgres bool
}

// Errors of the database that callers can act on.
var (
	// ErrDuplicateKey: a row with this key exists.
	ErrDuplicateKey = errors.New("duplicate key")
	// ErrDiskFull: the disk holding the data directory is full. Nothing was
	// stored; the store goes on as soon as there is space.
	ErrDiskFull = errors.New("disk full: free space in the data directory")
	// ErrCorrupt: the database file is damaged or not a database.
	ErrCorrupt = errors.New("database file is damaged or not a database: restore it from a backup")
	// errRetry: a conflict; running the transaction again can succeed.
	errRetry = errors.New("conflict")
)

// wrap classifies an engine's error by its code.
func (d dialect) wrap(err error) error {
	if err == nil {
		return nil
	}
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch pgErr.Code {
		case "23505":
			return fmt.Errorf("%w: %w", ErrDuplicateKey, err)
		case "40001", "40P01":
			return fmt.Errorf("%w: %w", errRetry, err)
		case "53100":
			return fmt.Errorf("%w: %w", ErrDiskFull, err)
		}
		return err
	}
	if liteErr, ok := errors.AsType[*sqlite.Error](err); ok {
		switch code := liteErr.Code(); {
		case code == sqlite3.SQLITE_CONSTRAINT_UNIQUE || code == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
			return fmt.Errorf("%w: %w", ErrDuplicateKey, err)
		case code&0xff == sqlite3.SQLITE_FULL, code == sqlite3.SQLITE_IOERR_WRITE, code == sqlite3.SQLITE_IOERR_SHMSIZE:
			return fmt.Errorf("%w: %w", ErrDiskFull, err)
		case code&0xff == sqlite3.SQLITE_CORRUPT, code&0xff == sqlite3.SQLITE_NOTADB:
			return fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
	}
	return err
}

// SkipLocked is the suffix of a claiming SELECT. The embedded store has one
// writer and needs none.
func (d dialect) SkipLocked() string {
	if d.postgres {
		return " FOR UPDATE SKIP LOCKED"
	}
	return ""
}

// endpoint is the first part of a lane's name.
func (d dialect) endpoint(lane string) string {
	if d.postgres {
		return "split_part(" + lane + ", '/', 1)"
	}
	return "substr(" + lane + ", 1, instr(" + lane + ", '/') - 1)"
}

// maxSeq and maxTime are expressions for the last seq of log row l and when it
// was stored. PostgreSQL keeps them in the row it locks anyway; SQLite takes
// them from the last message and writes nothing.
func (d dialect) maxSeq() string {
	if d.postgres {
		return "l.max_seq"
	}
	return "max(l.max_seq, coalesce((SELECT m.seq FROM message m WHERE m.log = l.id ORDER BY m.seq DESC LIMIT 1), 0))"
}

func (d dialect) maxTime() string {
	if d.postgres {
		return "l.max_time"
	}
	return "max(l.max_time, coalesce((SELECT m.send_time FROM message m WHERE m.log = l.id ORDER BY m.seq DESC LIMIT 1), 0))"
}

// ids is the table expression of a list of ids bound as $n, for IN, and list
// binds them: one text whatever the list's length, so that a statement for some
// hundred rows is prepared once.
func (d dialect) ids(n int) string {
	if d.postgres {
		return fmt.Sprintf("(SELECT unnest($%d::text[]))", n)
	}
	return fmt.Sprintf("(SELECT value FROM json_each($%d))", n)
}

func (d dialect) list(ids []string) any {
	if d.postgres {
		return ids
	}
	b, _ := json.Marshal(ids) // strings cannot fail
	return string(b)
}

// each is the list of ids bound as $n as a table q with the column id, in the
// order of the list.
func (d dialect) each(n int) string {
	if d.postgres {
		return fmt.Sprintf("unnest($%d::text[]) AS q (id)", n)
	}
	return fmt.Sprintf("(SELECT value AS id FROM json_each($%d)) AS q", n)
}

// randomID is an expression for a version id, another one for every row.
func (d dialect) randomID() string {
	if d.postgres {
		return "substr(md5(random()::text || random()::text), 1, 24)"
	}
	return "lower(hex(randomblob(12)))"
}
