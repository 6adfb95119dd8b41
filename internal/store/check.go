package store

import (
	"context"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// CheckWritable runs a transaction that may write and changes nothing: it fails
// when the database cannot be reached, takes no writes, or does not come to it
// before ctx ends. It does not find a full disk.
func (s *Store) CheckWritable(ctx context.Context) error {
	return s.Write(ctx, func(tx *Tx) error {
		_, err := tx.exec(`UPDATE job SET finished_at = finished_at WHERE name = ''`)
		return err
	})
}

// SchemaVersion returns the newest migration that the database has, and the
// newest that this program knows. The database can be ahead when another node
// runs a newer program.
func (s *Store) SchemaVersion(ctx context.Context) (has, known int64, err error) {
	if known, err = newestMigration(); err != nil {
		return 0, 0, err
	}
	err = s.Read(ctx, func(tx *Tx) error {
		_, err := tx.queryRow(`SELECT max(version_id) FROM goose_db_version`, nil, &has)
		return err
	})
	return has, known, err
}

func newestMigration() (newest int64, err error) {
	files, err := fs.Glob(migrations, "migrations/sqlite/*.sql")
	if err != nil {
		return 0, fmt.Errorf("migrations: %w", err)
	}
	for _, f := range files {
		number, _, _ := strings.Cut(f[strings.LastIndexByte(f, '/')+1:], "_")
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("migrations: %w", err)
		}
		newest = max(newest, n)
	}
	return newest, nil
}
