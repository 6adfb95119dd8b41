package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/parley-im/parley/internal/im"
)

// PulledEvent is an event in the log of an endpoint that fetches what it wants
// to know. Cursors of an endpoint are 1, 2, 3 … in commit order, and the order of
// a lane is kept.
type PulledEvent struct {
	OutboxEvent
	Cursor int64
}

// ErrCursorTooOld is returned for events that were forgotten.
var ErrCursorTooOld = errors.New("the events after this cursor are no longer kept")

// broadcast wakes everybody who waits for the next log entries.
type broadcast struct {
	mu   sync.Mutex
	next chan struct{}
}

// wait returns a channel that is closed at the next wake.
func (b *broadcast) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		b.next = make(chan struct{})
	}
	return b.next
}

func (b *broadcast) wake() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next != nil {
		close(b.next)
		b.next = nil
	}
}

// Pulled returns a channel that is closed when a log was next appended to, on
// this node.
func (s *Store) Pulled() <-chan struct{} { return s.pulled.wait() }

// appendPulled moves events to the ends of their endpoints' logs. The row of a
// log is locked until the commit: a reader never sees a cursor before a lower one.
func (tx *Tx) appendPulled(events []OutboxEvent) error {
	if len(events) == 0 {
		return nil
	}
	byEndpoint := map[string][]OutboxEvent{}
	for _, e := range events {
		endpoint := EndpointOf(e.Lane)
		byEndpoint[endpoint] = append(byEndpoint[endpoint], e)
	}
	endpoints := make([]string, 0, len(byEndpoint))
	for endpoint := range byEndpoint {
		endpoints = append(endpoints, endpoint)
	}
	slices.Sort(endpoints)
	for _, endpoint := range endpoints {
		list := byEndpoint[endpoint]
		var bytes, last int64
		for i := range list {
			bytes += list[i].Size()
		}
		if _, err := tx.queryRow(`INSERT INTO pull_log (endpoint, last_cursor, floor, bytes) VALUES ($1, $2, 0, $3)
			ON CONFLICT (endpoint) DO UPDATE SET last_cursor = pull_log.last_cursor + excluded.last_cursor, bytes = pull_log.bytes + excluded.bytes
			RETURNING last_cursor`, []any{endpoint, len(list), bytes}, &last); err != nil {
			return fmt.Errorf("extend pull log: %w", err)
		}
		cursor := last - int64(len(list))
		for part := range slices.Chunk(list, maxRows) {
			args := make([]any, 0, 15*len(part))
			for i := range part {
				cursor++
				args = append(append(args, endpoint, cursor), part[i].values()...)
				args = append(args, part[i].Missing, int64(part[i].MissingUntil))
			}
			if _, err := tx.exec("INSERT INTO pull_event (endpoint, cursor, "+eventColumns+", "+markColumns+") VALUES "+tuples(len(part), 15), args...); err != nil {
				return fmt.Errorf("append to pull log: %w", err)
			}
		}
	}
	tx.AfterCommit(tx.store.pulled.wake)
	return nil
}

// PullRange is what the log of an endpoint holds: the cursors after Floor, up to
// Last. Both are 0 when there was never an event.
type PullRange struct {
	Floor, Last int64
	Bytes       int64
}

// PullRange returns the range of an endpoint's log.
func (tx *Tx) PullRange(endpoint string) (r PullRange, err error) {
	_, err = tx.queryRow(`SELECT floor, last_cursor, bytes FROM pull_log WHERE endpoint = $1`, []any{endpoint}, &r.Floor, &r.Last, &r.Bytes)
	return r, err
}

// PullEvents returns the events after a cursor, oldest first, with the range of
// the log. ErrCursorTooOld if some of them were forgotten.
func (tx *Tx) PullEvents(endpoint string, after int64, limit int) (events []PulledEvent, r PullRange, err error) {
	if r, err = tx.PullRange(endpoint); err != nil {
		return nil, r, fmt.Errorf("read pull log: %w", err)
	}
	if after < r.Floor {
		return nil, r, ErrCursorTooOld
	}
	events, err = queryAll(tx, func(e *PulledEvent) []any {
		return append(append([]any{&e.Cursor}, e.columns()...), &e.Missing, &e.MissingUntil)
	}, "SELECT cursor, "+eventColumns+", "+markColumns+" FROM pull_event WHERE endpoint = $1 AND cursor > $2 ORDER BY cursor LIMIT $3",
		endpoint, after, limitOr(limit, 100))
	if err != nil {
		return nil, r, fmt.Errorf("read pull log: %w", err)
	}
	return events, r, nil
}

// PrunePull forgets events of an endpoint's log that were recorded before the
// time given, and the oldest beyond the bound in bytes, in steps. Readers that
// ask for them get ErrCursorTooOld.
func (s *Store) PrunePull(ctx context.Context, endpoint string, before im.Millis, bound int64) (deleted int64, err error) {
	const step = 1000
	deleted, err = s.inSteps(ctx, step, func(tx *Tx) (n int64, err error) {
		// Taking the row first keeps those who append out.
		if _, err := tx.exec(`UPDATE pull_log SET bytes = bytes WHERE endpoint = $1`, endpoint); err != nil {
			return 0, err
		}
		r, err := tx.PullRange(endpoint)
		if err != nil {
			return 0, err
		}
		type old struct{ cursor, size, at int64 }
		oldest, err := queryAll(tx, func(o *old) []any { return []any{&o.cursor, &o.size, &o.at} },
			`SELECT cursor, length(body) + $1, created_at FROM pull_event WHERE endpoint = $2 ORDER BY cursor LIMIT $3`, eventOverhead, endpoint, step)
		if err != nil {
			return 0, err
		}
		floor, bytes := r.Floor, r.Bytes
		for _, o := range oldest {
			if o.at >= int64(before) && bytes <= bound {
				break
			}
			floor, bytes = o.cursor, bytes-o.size
			n++
		}
		if n == 0 {
			return 0, nil
		}
		if _, err := tx.exec(`DELETE FROM pull_event WHERE endpoint = $1 AND cursor <= $2`, endpoint, floor); err != nil {
			return 0, err
		}
		_, err = tx.exec(`UPDATE pull_log SET floor = $1, bytes = $2 WHERE endpoint = $3`, floor, bytes, endpoint)
		return n, err
	})
	if err != nil {
		return deleted, fmt.Errorf("prune pull log: %w", err)
	}
	return deleted, nil
}
