package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/parley-im/parley/internal/im"
)

// OutboxEvent is something a handler must be told, at least once and in the
// order of its lane. It is rendered when it is recorded and never changed, so
// that every attempt carries the same bytes and the same EventID.
type OutboxEvent struct {
	ID          int64  // position; rises inside a lane in commit order
	Lane        string // what order is kept in: endpoint/subject
	EventID     string // the same on every attempt, replays included
	Callback    string // key in webhooks.yml
	Command     string
	OperationID string
	Subject     string // conversation or user
	ClientMsgID string
	ServerMsgID string
	Query       string // sent as ?key=, "" for none
	Body        []byte
	CreatedAt   im.Millis
}

// Lane is a lane that a worker took: nobody else delivers its events until the
// lease ends.
type Lane struct {
	Name         string
	Attempts     int       // made for its first event
	FailingSince im.Millis // first failure after the last success, 0 for none
	Lease        im.Millis // until when the lane is ours

	owner   int64
	version int64
}

// DeadEvent is an event that was given up.
type DeadEvent struct {
	OutboxEvent
	Attempts int
	DiedAt   im.Millis
	Reason   string
}

// LaneResult is what a worker did to a lane it took.
type LaneResult struct {
	Lane       Lane
	Done       []int64     // events that are done with, delivered or dead
	Dead       []DeadEvent // those of them that were given up
	Due        im.Millis   // when to go on with what is left
	Attempts   int         // made for the first event left
	Failing    im.Millis   // the lane's new FailingSince
	Deliveries []Delivery  // the attempts, for the log
}

// OutboxStats says how much waits.
type OutboxStats struct {
	Events, Lanes, Dead int64
	Oldest              im.Millis // of the events waiting, 0 for none
}

const eventColumns = "lane, event_id, callback, command, operation_id, subject, client_msg_id, server_msg_id, query, body, created_at"

func (e *OutboxEvent) columns() []any {
	return []any{
		&e.Lane, &e.EventID, &e.Callback, &e.Command, &e.OperationID, &e.Subject,
		&e.ClientMsgID, &e.ServerMsgID, &e.Query, &e.Body, &e.CreatedAt,
	}
}

// values are the columns as a database takes them. Ids may come from clients
// and hold bytes PostgreSQL refuses in text; a message must not fail for that.
func (e *OutboxEvent) values() []any {
	return []any{
		text(e.Lane), e.EventID, e.Callback, e.Command, text(e.OperationID), text(e.Subject),
		text(e.ClientMsgID), text(e.ServerMsgID), e.Query, e.Body, int64(e.CreatedAt),
	}
}

func text(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\uFFFD"), "\uFFFD")
}

// insertOutbox stores events. The lanes come first and in order: on PostgreSQL
// their row locks make producers of one lane queue up, so ids inside a lane are
// in commit order; and a worker that finishes the lane either waits for us, or
// is finished before our events get their ids. The other order reorders events
// and strands those whose lane was just deleted.
func (tx *Tx) insertOutbox(events []OutboxEvent) error {
	lanes := make(map[string]im.Millis, 1)
	for _, e := range events {
		name := text(e.Lane)
		if first, seen := lanes[name]; !seen || e.CreatedAt < first {
			lanes[name] = e.CreatedAt
		}
	}
	names := make([]string, 0, len(lanes))
	for name := range lanes {
		names = append(names, name)
	}
	slices.SortFunc(names, compareLanes)
	for _, name := range names {
		if _, err := tx.exec(`INSERT INTO outbox_lane (name, version, due, owner, attempts, failing_since) VALUES ($1, 1, $2, 0, 0, 0)
			ON CONFLICT (name) DO UPDATE SET version = outbox_lane.version + 1`, name, int64(lanes[name])); err != nil {
			return fmt.Errorf("open outbox lane: %w", err)
		}
	}
	for part := range slices.Chunk(events, maxRows) {
		args := make([]any, 0, 11*len(part))
		for i := range part {
			args = append(args, part[i].values()...)
		}
		if _, err := tx.exec("INSERT INTO outbox_event ("+eventColumns+") VALUES "+tuples(len(part), 11), args...); err != nil {
			return fmt.Errorf("insert outbox events: %w", err)
		}
	}
	return nil
}

// compareLanes is the order in which lanes are locked: by subject, then by
// endpoint. Producers take one message after another, in conversation order.
func compareLanes(a, b string) int {
	endpointA, subjectA, _ := strings.Cut(a, "/")
	endpointB, subjectB, _ := strings.Cut(b, "/")
	return cmp.Or(strings.Compare(subjectA, subjectB), strings.Compare(endpointA, endpointB))
}

// maxRows is the most rows of one INSERT; it bounds the number of different
// statement texts.
const maxRows = 32

// tuples is "($1, $2), ($3, $4)" for two rows of two columns.
func tuples(rows, columns int) string {
	var b strings.Builder
	for r := range rows {
		if r > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('(')
		for c := range columns {
			if c > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "$%d", r*columns+c+1)
		}
		b.WriteByte(')')
	}
	return b.String()
}

// ClaimLanes takes up to limit lanes that are due, longest due first, until
// lease. owner must be unique to the call: what is done to a lane counts only
// while it is still its owner's.
func (tx *Tx) ClaimLanes(now, lease im.Millis, owner int64, limit int) ([]Lane, error) {
	lanes, err := queryAll(tx, func(l *Lane) []any {
		return []any{&l.Name, &l.version, &l.Attempts, &l.FailingSince}
	}, `UPDATE outbox_lane SET due = $1, owner = $2 WHERE name IN
		(SELECT name FROM outbox_lane WHERE due <= $3 ORDER BY due LIMIT $4`+tx.dialect.SkipLocked()+`)
		RETURNING name, version, attempts, failing_since`, int64(lease), owner, int64(now), limit)
	if err != nil {
		return nil, fmt.Errorf("claim outbox lanes: %w", err)
	}
	for i := range lanes {
		lanes[i].Lease, lanes[i].owner = lease, owner
	}
	return lanes, nil
}

// dropLeases gives back the lanes that a process which died had taken. Only the
// embedded store can know: nobody else has it open.
func (s *Store) dropLeases(ctx context.Context) error {
	if _, embedded := s.engine.(*sqliteEngine); !embedded {
		return nil
	}
	return s.Write(ctx, func(tx *Tx) error {
		n, err := tx.exec("UPDATE outbox_lane SET due = 0, owner = 0 WHERE owner <> 0")
		tx.outbox = n > 0
		if err != nil {
			return fmt.Errorf("drop outbox leases: %w", err)
		}
		return nil
	})
}

// LaneEvents returns the first events of a lane, in order.
func (tx *Tx) LaneEvents(lane string, limit int) ([]OutboxEvent, error) {
	events, err := queryAll(tx, func(e *OutboxEvent) []any {
		return append([]any{&e.ID}, e.columns()...)
	}, "SELECT id, "+eventColumns+" FROM outbox_event WHERE lane = $1 ORDER BY id LIMIT $2", lane, limit)
	if err != nil {
		return nil, fmt.Errorf("read outbox lane: %w", err)
	}
	return events, nil
}

// FinishLanes records what became of lanes that were taken, and gives them
// back. A lane whose lease was lost is left alone: its new owner tells the
// events again. It reports how many were lost.
func (tx *Tx) FinishLanes(results []LaneResult) (lost int, err error) {
	results = slices.Clone(results)
	slices.SortFunc(results, func(a, b LaneResult) int { return compareLanes(a.Lane.Name, b.Lane.Name) })
	for _, r := range results {
		// The update takes the row lock: a producer of this lane has either
		// committed, and the statements below see its events, or comes after us.
		mine, err := tx.exec("UPDATE outbox_lane SET due = $1, owner = 0, attempts = $2, failing_since = $3 WHERE name = $4 AND owner = $5",
			int64(r.Due), r.Attempts, int64(r.Failing), r.Lane.Name, r.Lane.owner)
		if err != nil {
			return 0, fmt.Errorf("release outbox lane: %w", err)
		}
		if err := tx.InsertDeliveries(r.Deliveries); err != nil {
			return 0, err
		}
		if mine == 0 {
			lost++
			continue
		}
		if err := tx.bury(r.Dead); err != nil {
			return 0, err
		}
		// By their ids, not up to an id: databases that hand out ids in blocks
		// would lose an event that got a lower one later.
		if err := inChunks(r.Done, 1, func(list string, args []any) error {
			_, err := tx.exec("DELETE FROM outbox_event WHERE id IN ("+list+")", args...)
			return err
		}); err != nil {
			return 0, fmt.Errorf("delete delivered events: %w", err)
		}
		if _, err := tx.exec("DELETE FROM outbox_lane WHERE name = $1 AND version = $2 AND NOT EXISTS (SELECT 1 FROM outbox_event WHERE lane = $1)",
			r.Lane.Name, r.Lane.version); err != nil {
			return 0, fmt.Errorf("close outbox lane: %w", err)
		}
	}
	return lost, nil
}

func (tx *Tx) bury(dead []DeadEvent) error {
	for i := range dead {
		d := &dead[i]
		args := append([]any{d.ID}, d.values()...)
		args = append(args, d.Attempts, int64(d.DiedAt), text(d.Reason))
		if _, err := tx.exec("INSERT INTO outbox_dead (id, "+eventColumns+", attempts, died_at, reason) VALUES "+tuples(1, 15), args...); err != nil {
			return fmt.Errorf("bury outbox event: %w", err)
		}
	}
	return nil
}

// NextDue is when the next lane is due, whoever has it now; false when no lane
// is left.
func (tx *Tx) NextDue() (due im.Millis, found bool, err error) {
	found, err = tx.queryRow("SELECT due FROM outbox_lane ORDER BY due LIMIT 1", nil, &due)
	return due, found, err
}

// SweepOutbox opens lanes for events that have none and reports how many. There
// are none unless something went wrong; a stranded event would wait for ever.
func (tx *Tx) SweepOutbox(now im.Millis) (lanes int64, err error) {
	lanes, err = tx.exec(`INSERT INTO outbox_lane (name, version, due, owner, attempts, failing_since)
		SELECT DISTINCT e.lane, 1, CAST($1 AS BIGINT), 0, 0, 0 FROM outbox_event e
		WHERE NOT EXISTS (SELECT 1 FROM outbox_lane l WHERE l.name = e.lane)
		ON CONFLICT (name) DO NOTHING`, int64(now))
	if lanes > 0 {
		tx.outbox = true
	}
	return lanes, err
}

// OutboxStats counts what waits and what was given up.
func (tx *Tx) OutboxStats() (s OutboxStats, err error) {
	_, err = tx.queryRow(`SELECT (SELECT count(*) FROM outbox_event), (SELECT count(*) FROM outbox_lane), (SELECT count(*) FROM outbox_dead),
		coalesce((SELECT created_at FROM outbox_event ORDER BY id LIMIT 1), 0)`, nil, &s.Events, &s.Lanes, &s.Dead, &s.Oldest)
	return s, err
}

// DeadFilter chooses dead events; zero fields choose all.
type DeadFilter struct {
	EventID  string
	Callback string
	Before   int64 // only ids below, to go on where a list ended
	Limit    int   // default 100
}

// DeadEvents lists events that were given up, newest first.
func (tx *Tx) DeadEvents(f DeadFilter) ([]DeadEvent, error) {
	w := f.where()
	if f.Before > 0 {
		w.add("id < ", f.Before)
	}
	return tx.deadEvents(w, "id DESC", limitOr(f.Limit, 100))
}

func (f DeadFilter) where() *where {
	w := &where{}
	w.equal("event_id", f.EventID)
	w.equal("callback", f.Callback)
	return w
}

func (tx *Tx) deadEvents(w *where, order string, limit int) ([]DeadEvent, error) {
	dead, err := queryAll(tx, func(d *DeadEvent) []any {
		return append(append([]any{&d.ID}, d.columns()...), &d.Attempts, &d.DiedAt, &d.Reason)
	}, "SELECT id, "+eventColumns+", attempts, died_at, reason FROM outbox_dead"+w.clause()+
		" ORDER BY "+order+" LIMIT "+w.bind(limit), w.args...)
	if err != nil {
		return nil, fmt.Errorf("list dead events: %w", err)
	}
	return dead, nil
}

// PendingEvent finds an event that waits in the outbox.
func (tx *Tx) PendingEvent(eventID string) (e OutboxEvent, found bool, err error) {
	found, err = tx.queryRow("SELECT id, "+eventColumns+" FROM outbox_event WHERE event_id = $1", []any{eventID},
		append([]any{&e.ID}, e.columns()...)...)
	return e, found, err
}

// ReplayDead puts dead events that match back into their lanes, in their old
// order and behind what waits there, and reports how many. They keep EventID and
// body. Those that die again meanwhile are left alone.
func (s *Store) ReplayDead(ctx context.Context, f DeadFilter) (replayed int, err error) {
	var last int64
	if err := s.Read(ctx, func(tx *Tx) error {
		_, err := tx.queryRow("SELECT coalesce(max(id), 0) FROM outbox_dead", nil, &last)
		return err
	}); err != nil {
		return 0, fmt.Errorf("replay dead events: %w", err)
	}
	for {
		var n int
		err := s.Write(ctx, func(tx *Tx) error {
			w := f.where()
			w.add("id <= ", last)
			page, err := tx.deadEvents(w, "id", chunk)
			if err != nil {
				return err
			}
			count, err := tx.replay(page)
			n = count
			return err
		})
		if err != nil {
			return replayed, fmt.Errorf("replay dead events: %w", err)
		}
		replayed += n
		if n < chunk {
			return replayed, nil
		}
	}
}

func (tx *Tx) replay(dead []DeadEvent) (int, error) {
	var events []OutboxEvent
	for _, d := range dead {
		// A concurrent replay may have taken it.
		n, err := tx.exec("DELETE FROM outbox_dead WHERE id = $1", d.ID)
		if err != nil {
			return 0, err
		}
		if n == 1 {
			events = append(events, d.OutboxEvent)
		}
	}
	if len(events) == 0 {
		return 0, nil
	}
	// They get the whole time for retries again.
	now := tx.store.Now()
	for i := range events {
		events[i].CreatedAt = now
	}
	tx.outbox = true
	return len(events), tx.insertOutbox(events)
}

// where collects the conditions of a query.
type where struct {
	conditions []string
	args       []any
}

func (w *where) bind(v any) string {
	w.args = append(w.args, v)
	return fmt.Sprintf("$%d", len(w.args))
}

func (w *where) add(condition string, v any) {
	w.conditions = append(w.conditions, condition+w.bind(v))
}

func (w *where) equal(column, v string) {
	if v != "" {
		w.add(column+" = ", v)
	}
}

func (w *where) clause() string {
	if len(w.conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conditions, " AND ")
}

func limitOr(limit, def int) int {
	if limit <= 0 || limit > 1000 {
		return def
	}
	return limit
}
