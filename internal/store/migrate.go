package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"

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
	steps, err := readMigrations("migrations/" + folder)
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(d, db, nil, goose.WithGoMigrations(steps...), goose.WithDisableGlobalRegistry(true))
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

// readMigrations hands each file's statements to the engine as a whole. Goose's own
// parser takes them apart, which costs 8 MiB of memory a file at the first start.
func readMigrations(folder string) (steps []*goose.Migration, err error) {
	names, err := fs.Glob(migrations, folder+"/*.sql")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		version, err := goose.NumericComponent(name)
		if err != nil {
			return nil, fmt.Errorf("migration %s: %w", name, err)
		}
		text, err := fs.ReadFile(migrations, name)
		if err != nil {
			return nil, err
		}
		_, up, ok := strings.Cut(string(text), "-- +goose Up\n")
		up, _, _ = strings.Cut(up, "-- +goose Down\n")
		if !ok || strings.Contains(up, "-- +goose") {
			return nil, fmt.Errorf("migration %s: expected a part Up, perhaps a part Down, and no other marks", name)
		}
		steps = append(steps, goose.NewGoMigration(version, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, up)
			return err
		}}, nil))
	}
	return steps, nil
}

func migrateSQLite(ctx context.Context, path string, durable bool) error {
	synchronous := "synchronous(OFF)"
	if durable {
		synchronous = "synchronous(FULL)"
	}
	db, err := sqliteDB(path, "journal_mode(wal)", synchronous)
	if err != nil {
		return err
	}
	defer db.Close()
	return migrate(ctx, db, goose.DialectSQLite3, "sqlite")
}
