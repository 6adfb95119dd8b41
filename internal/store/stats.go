package store

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/parley-im/parley/internal/im"
)

// Stats is how busy a store is at one moment.
type Stats struct {
	Writes, WriteRoom int // that wait for the committing goroutines, and may
	Reads, Readers    int // under way, and may be at a time
}

// Stats says how busy the store is. It asks no database.
func (s *Store) Stats() Stats { return s.engine.stats() }

func (e *sqliteEngine) stats() Stats {
	return Stats{Writes: len(e.writer.queue), WriteRoom: cap(e.writer.queue), Reads: cap(e.readers) - len(e.readers), Readers: cap(e.readers)}
}

func (e *postgresEngine) stats() Stats {
	pool := e.pool.Stat()
	s := Stats{Reads: int(pool.AcquiredConns()), Readers: int(pool.MaxConns())}
	for _, c := range e.committers {
		s.Writes += len(c.queue)
		s.WriteRoom += cap(c.queue)
	}
	return s
}

// Waiting is what waits in the outbox for one endpoint.
type Waiting struct {
	Endpoint      string
	Events, Bytes int64
}

// Waiting says what waits in the outbox, in order of the endpoints, without
// asking the database. Of what other nodes do it knows since CountOutbox.
func (s *Store) Waiting() []Waiting {
	s.waiting.mu.Lock()
	list := make([]Waiting, 0, len(s.waiting.by))
	for endpoint, a := range s.waiting.by {
		list = append(list, Waiting{endpoint, a.events, a.bytes})
	}
	s.waiting.mu.Unlock()
	slices.SortFunc(list, func(a, b Waiting) int { return cmp.Compare(a.Endpoint, b.Endpoint) })
	return list
}

const (
	oldestRows  = 2000 // of the outbox looked at for the oldest of all endpoints
	oldestLanes = 500  // of one endpoint, if those did not tell
)

// OldestWaiting returns when the oldest event that waits for each of some
// endpoints was recorded. It reads a bounded part of the outbox; an endpoint that
// has more lanes than that is left out while others fill the outbox's beginning.
func (tx *Tx) OldestWaiting(endpoints []string) (map[string]im.Millis, error) {
	type row struct {
		lane string
		at   im.Millis
	}
	first, err := queryAll(tx, func(r *row) []any { return []any{&r.lane, &r.at} },
		`SELECT lane, created_at FROM outbox_event ORDER BY id LIMIT $1`, oldestRows)
	if err != nil {
		return nil, fmt.Errorf("oldest events: %w", err)
	}
	oldest := make(map[string]im.Millis, len(endpoints))
	note := func(endpoint string, at im.Millis) {
		if known, ok := oldest[endpoint]; slices.Contains(endpoints, endpoint) && (!ok || at < known) {
			oldest[endpoint] = at
		}
	}
	for _, r := range first {
		note(EndpointOf(r.lane), r.at)
	}
	if len(first) < oldestRows {
		return oldest, nil
	}
	for _, endpoint := range endpoints {
		if _, known := oldest[endpoint]; known {
			continue
		}
		lanes, err := queryAll(tx, one[string], `SELECT name FROM outbox_lane WHERE endpoint = $1 ORDER BY due LIMIT $2`, endpoint, oldestLanes)
		if err != nil {
			return nil, fmt.Errorf("oldest event of %s: %w", endpoint, err)
		}
		for _, lane := range lanes {
			var at im.Millis
			found, err := tx.queryRow(`SELECT created_at FROM outbox_event WHERE lane = $1 ORDER BY id LIMIT 1`, []any{lane}, &at)
			if err != nil {
				return nil, fmt.Errorf("oldest event of %s: %w", endpoint, err)
			}
			if found {
				note(endpoint, at)
			}
		}
	}
	return oldest, nil
}

// DeadCount is how many events were given up and are kept.
func (tx *Tx) DeadCount() (n int64, err error) {
	_, err = tx.queryRow(`SELECT count(*) FROM outbox_dead`, nil, &n)
	return n, err
}

// SpreadCount is how many changes are still being carried to all they concern.
func (tx *Tx) SpreadCount() (n int64, err error) {
	_, err = tx.queryRow(`SELECT count(*) FROM spread`, nil, &n)
	return n, err
}

// ContentBytes is how much is stored in files, equal contents counted once. It
// reads the row of every content.
func (tx *Tx) ContentBytes() (files, bytes int64, err error) {
	_, err = tx.queryRow(`SELECT count(*), CAST(coalesce(sum(size), 0) AS BIGINT) FROM blob`, nil, &files, &bytes)
	return files, bytes, err
}

// JobRun is when a job was last finished.
type JobRun struct {
	Name     string
	Finished im.Millis
}

// JobRuns lists the jobs of all nodes.
func (tx *Tx) JobRuns() ([]JobRun, error) {
	return queryAll(tx, func(j *JobRun) []any { return []any{&j.Name, &j.Finished} }, `SELECT name, finished_at FROM job ORDER BY name`)
}
