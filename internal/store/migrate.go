package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

// ErrNewerSchema: a newer parley has used the database.
var ErrNewerSchema = errors.New("the database is of a newer version")

//go:embed migrations
var migrations embed.FS

// migrate brings a database up to the newest schema. Migrations run forward
// only; each is one transaction.
func migrate(ctx context.Context, db *sql.DB, d goose.Dialect, folder string) error {
	return migrateTo(ctx, db, d, folder, LatestSchema())
}

// migrateTo stops at a schema.
func migrateTo(ctx context.Context, db *sql.DB, d goose.Dialect, folder string, schema int64) error {
	files, err := fs.Sub(migrations, "migrations/"+folder)
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(d, db, files)
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	if have, err := p.GetDBVersion(ctx); err != nil {
		return fmt.Errorf("migrations: %w", err)
	} else if have > schema {
		return fmt.Errorf("%w: it has schema %d, this program knows %d; run the newer one, or restore a backup from before", ErrNewerSchema, have, schema)
	}
	if _, err := p.UpTo(ctx, schema); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

func migrateSQLite(ctx context.Context, path string) error {
	db, err := sqliteDB(path, "journal_mode(wal)", "synchronous(FULL)")
	if err != nil {
		return err
	}
	defer db.Close()
	return migrate(ctx, db, goose.DialectSQLite3, "sqlite")
}
