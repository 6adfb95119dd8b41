package store

import (
	"context"
	"fmt"
	"maps"
	"sync"

	"github.com/parley-im/parley/internal/im"
)

// backlog counts what waits for each endpoint. It is taken from the tables when
// the store is opened; transactions change it with their commit.
type backlog struct {
	mu sync.Mutex
	by map[string]amount // of endpoints
}

// amount is how much waits.
type amount struct{ events, bytes int64 }

func (b *backlog) of(endpoint string) amount {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.by[endpoint]
}

func (b *backlog) add(changes []waits) {
	if len(changes) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.by == nil {
		b.by = make(map[string]amount)
	}
	for _, c := range changes {
		now := b.by[c.endpoint]
		b.by[c.endpoint] = amount{now.events + c.events, now.bytes + c.bytes}
	}
}

// waits is a change of what waits for an endpoint.
type waits struct {
	endpoint      string
	events, bytes int64
}

// room is how many bytes more may wait for an endpoint.
func (tx *Tx) room(endpoint string) int64 {
	room := tx.store.outboxBound.Load() - tx.store.waiting.of(endpoint).bytes
	for _, w := range tx.waits {
		if w.endpoint == endpoint {
			room -= w.bytes
		}
	}
	return room
}

// WaitingBytes is what waits for an endpoint, and the bound.
func (s *Store) WaitingBytes(endpoint string) (bytes, bound int64) {
	return s.waiting.of(endpoint).bytes, s.outboxBound.Load()
}

// SetOutboxBytes changes Options.OutboxBytes while the store is open.
func (s *Store) SetOutboxBytes(bound int64) { s.outboxBound.Store(bound) }

// Missed is how many events were not kept since the start.
func (s *Store) Missed() int64 { return s.missed.Load() }

// CountOutbox takes the bytes that wait from the tables, which it reads whole,
// because other nodes add and remove too. It does nothing on the embedded store,
// which nobody else changes.
func (s *Store) CountOutbox(ctx context.Context) error {
	if _, embedded := s.engine.(*sqliteEngine); embedded {
		return nil
	}
	return s.countOutbox(ctx)
}

// countOutbox may count a transaction twice that commits at the same moment,
// until it is called again.
func (s *Store) countOutbox(ctx context.Context) error {
	s.waiting.mu.Lock()
	before := maps.Clone(s.waiting.by)
	s.waiting.mu.Unlock()
	list, err := s.Backlogs(ctx)
	if err != nil {
		return err
	}
	s.waiting.mu.Lock()
	defer s.waiting.mu.Unlock()
	found := make(map[string]amount, len(list))
	for _, b := range list {
		found[b.Endpoint] = amount{b.Events, b.Bytes}
	}
	for endpoint, now := range s.waiting.by { // what happened while we counted
		was, counted := before[endpoint], found[endpoint]
		found[endpoint] = amount{max(0, counted.events+now.events-was.events), max(0, counted.bytes+now.bytes-was.bytes)}
	}
	s.waiting.by = found
	return nil
}

// Backlogs counts what waits, endpoint by endpoint. It reads the whole outbox.
func (s *Store) Backlogs(ctx context.Context) (list []Backlog, err error) {
	err = s.Read(ctx, func(tx *Tx) error {
		endpoint := tx.dialect.endpoint("lane")
		list, err = queryAll(tx, func(b *Backlog) []any {
			return []any{&b.Endpoint, &b.Lanes, &b.Events, &b.Bytes, &b.Oldest}
		}, `SELECT `+endpoint+` AS endpoint, count(DISTINCT lane), count(*), CAST(coalesce(sum(length(body)), 0) + $1 * count(*) AS BIGINT), min(created_at)
			FROM outbox_event GROUP BY 1 ORDER BY 1`, eventOverhead)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("count outbox: %w", err)
	}
	return list, nil
}

// Gaps lists stretches of lanes whose events were not kept, newest first: those
// already passed, and with waiting those whose place has not come.
func (tx *Tx) Gaps(limit int) (passed, waiting []Gap, err error) {
	fields := func(g *Gap) []any { return []any{&g.ID, &g.Lane, &g.Events, &g.FirstAt, &g.LastAt, &g.Reason} }
	if passed, err = queryAll(tx, fields, `SELECT id, lane, events, first_at, last_at, reason FROM outbox_gap ORDER BY id DESC LIMIT $1`, limitOr(limit, 100)); err != nil {
		return nil, nil, fmt.Errorf("list gaps: %w", err)
	}
	if waiting, err = queryAll(tx, fields, `SELECT id, lane, missing, created_at, missing_until, CAST($1 AS TEXT) FROM outbox_event WHERE missing > 0 ORDER BY id DESC LIMIT $2`,
		gapReason, limitOr(limit, 100)); err != nil {
		return nil, nil, fmt.Errorf("list gaps: %w", err)
	}
	return passed, waiting, nil
}

// DropLanes forgets all that waits for an endpoint, in steps, and reports how
// many events that were. An administrator asks for it when an endpoint is gone
// for good; lanes in work are left alone.
func (s *Store) DropLanes(ctx context.Context, endpoint string) (dropped int64, err error) {
	for {
		var n int64
		err := s.Write(ctx, func(tx *Tx) error {
			n = 0
			lanes, err := queryAll(tx, one[string], `SELECT name FROM outbox_lane WHERE endpoint = $1 AND owner = 0 ORDER BY name LIMIT $2`+tx.dialect.SkipLocked(), endpoint, chunk)
			if err != nil {
				return err
			}
			for _, lane := range lanes {
				var events, bytes int64
				if _, err := tx.queryRow(`SELECT count(*), CAST(coalesce(sum(length(body)), 0) AS BIGINT) FROM outbox_event WHERE lane = $1`, []any{lane}, &events, &bytes); err != nil {
					return err
				}
				if _, err := tx.exec(`DELETE FROM outbox_event WHERE lane = $1`, lane); err != nil {
					return err
				}
				if _, err := tx.exec(`DELETE FROM outbox_lane WHERE name = $1`, lane); err != nil {
					return err
				}
				tx.waits = append(tx.waits, waits{endpoint, -events, -bytes - events*eventOverhead})
				n += events
			}
			return nil
		})
		if err != nil {
			return dropped, fmt.Errorf("drop lanes of %s: %w", endpoint, err)
		}
		if n == 0 {
			return dropped, nil
		}
		dropped += n
	}
}

// PruneDead forgets dead letters that died before the time given, and all but
// the newest keep, in steps.
func (s *Store) PruneDead(ctx context.Context, before im.Millis, keep int64) (deleted int64, err error) {
	const step = 500
	deleted, err = s.inSteps(ctx, step, func(tx *Tx) (int64, error) {
		var total int64
		if _, err := tx.queryRow(`SELECT count(*) FROM outbox_dead`, nil, &total); err != nil {
			return 0, err
		}
		n, err := tx.exec(`DELETE FROM outbox_dead WHERE id IN (SELECT id FROM outbox_dead WHERE died_at < $1 ORDER BY died_at LIMIT $2)`, int64(before), step)
		if err != nil || total-n <= keep {
			return n, err
		}
		more, err := tx.exec(`DELETE FROM outbox_dead WHERE id IN (SELECT id FROM outbox_dead ORDER BY died_at LIMIT $1)`, min(step, total-n-keep))
		return n + more, err
	})
	if err != nil {
		return deleted, fmt.Errorf("prune dead letters: %w", err)
	}
	return deleted, nil
}

// Pause says that an administrator, or the handler, stopped an endpoint or one
// callback of it.
type Pause struct {
	Endpoint string
	Callback string // "" for the whole endpoint
	Since    im.Millis
	Reason   string
}

// Pauses lists what is paused.
func (tx *Tx) Pauses() ([]Pause, error) {
	return queryAll(tx, func(p *Pause) []any { return []any{&p.Endpoint, &p.Callback, &p.Since, &p.Reason} },
		`SELECT endpoint, callback, since, reason FROM webhook_pause ORDER BY endpoint, callback`)
}

// PutPause pauses; what is paused already keeps its time.
func (tx *Tx) PutPause(p Pause) error {
	_, err := tx.exec(`INSERT INTO webhook_pause (endpoint, callback, since, reason) VALUES ($1, $2, $3, $4)
		ON CONFLICT (endpoint, callback) DO NOTHING`, p.Endpoint, p.Callback, int64(p.Since), text(p.Reason))
	return err
}

// DeletePause resumes, and reports whether it was paused.
func (tx *Tx) DeletePause(endpoint, callback string) (bool, error) {
	n, err := tx.exec(`DELETE FROM webhook_pause WHERE endpoint = $1 AND callback = $2`, endpoint, callback)
	return n > 0, err
}
