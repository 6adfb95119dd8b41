package store

import (
	"context"
	"fmt"
)

// LimitPages makes the embedded database full at its present size plus n pages;
// n < 0 lifts the limit.
func (s *Store) LimitPages(n int) error {
	w := s.engine.(*sqliteEngine).writer
	return s.Write(context.Background(), func(tx *Tx) error {
		limit := 1 << 30
		if n >= 0 {
			var pages int
			if err := w.conn.conn.QueryRowContext(tx.ctx, "PRAGMA page_count").Scan(&pages); err != nil {
				return err
			}
			limit = pages + n
		}
		_, err := w.conn.conn.ExecContext(tx.ctx, fmt.Sprintf("PRAGMA max_page_count=%d", limit))
		return err
	})
}

// Hold makes the writer wait until release is called, so that requests queue up
// and become one batch.
func (s *Store) Hold() (release func()) {
	held, go_ := make(chan struct{}), make(chan struct{})
	go func() {
		_ = s.Write(context.Background(), func(*Tx) error { close(held); <-go_; return nil })
	}()
	<-held
	return func() { close(go_) }
}

// Queued is the number of requests that wait for the writer.
func (s *Store) Queued() int { return len(s.engine.(*sqliteEngine).writer.queue) }

// ForgetSends forgets sends that are too old to be repeated, and returns how
// many are left.
func (s *Store) ForgetSends(ctx context.Context) (left int, err error) {
	if err := s.engine.(*postgresEngine).forgetSends(ctx); err != nil {
		return 0, err
	}
	err = s.Read(ctx, func(tx *Tx) error {
		_, err := tx.queryRow(`SELECT count(*) FROM recent_send`, nil, &left)
		return err
	})
	return left, err
}

// Exec runs a statement of a test that breaks what the API cannot.
func (tx *Tx) Exec(query string, args ...any) (int64, error) { return tx.exec(query, args...) }
