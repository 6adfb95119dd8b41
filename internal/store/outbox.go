package store

import (
	"cmp"
	"context"
	"errors"
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

	// Missing makes this the mark of a gap: so many events of the lane were not
	// kept here because the outbox was full, the first at CreatedAt and the last
	// at MissingUntil. The other fields are empty, but for Lane and EventID.
	Missing      int64
	MissingUntil im.Millis
}

// EndpointOf is the first part of a lane's name.
func EndpointOf(lane string) string {
	endpoint, _, _ := strings.Cut(lane, "/")
	return endpoint
}

// eventOverhead estimates what an event takes beside its body.
const eventOverhead = 300

// Size is what the event counts for in the bound of its endpoint, in bytes.
func (e *OutboxEvent) Size() int64 { return int64(len(e.Body)) + eventOverhead }

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
	// Parked: its callback was set aside, and nobody tried. It goes back when the
	// callback works again.
	Parked bool
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
	// Passed are the marks of gaps among Done: what they say is kept in the list
	// of gaps.
	Passed []int64
	// Pulled are the events, marks included, that go to the log of an endpoint
	// that fetches them. They are among Done.
	Pulled []OutboxEvent
	Freed  int64 // Size of all that is in Done
}

// OutboxStats says how much waits.
type OutboxStats struct {
	Events, Lanes, Dead int64
	Oldest              im.Millis // of the events waiting, 0 for none
}

// Backlog is what waits for one endpoint.
type Backlog struct {
	Endpoint      string
	Lanes, Events int64
	Bytes         int64 // that count for the endpoint's bound
	Oldest        im.Millis
}

// Gap is a stretch of a lane whose events were not kept.
type Gap struct {
	ID              int64
	Lane            string
	Events          int64
	FirstAt, LastAt im.Millis
	Reason          string
}

const (
	eventColumns = "lane, event_id, callback, command, operation_id, subject, client_msg_id, server_msg_id, query, body, created_at"
	markColumns  = "missing, missing_until"
)

func (e *OutboxEvent) columns() []any {
	return []any{
		&e.Lane, &e.EventID, &e.Callback, &e.Command, &e.OperationID, &e.Subject,
		&e.ClientMsgID, &e.ServerMsgID, &e.Query, &e.Body, &e.CreatedAt,
	}
}

// values are the columns as a database takes them. Ids may come from clients
// and hold bytes PostgreSQL refuses in text; a message must not fail for that.
func (e *OutboxEvent) values() []any {
	if e.Body == nil { // as an empty one may be read
		e.Body = []byte{}
	}
	return []any{
		text(e.Lane), e.EventID, e.Callback, e.Command, text(e.OperationID), text(e.Subject),
		text(e.ClientMsgID), text(e.ServerMsgID), e.Query, e.Body, int64(e.CreatedAt),
	}
}

// waiting are the columns of an event in the outbox.
func (e *OutboxEvent) waiting() []any {
	return append(append([]any{&e.ID}, e.columns()...), &e.Missing, &e.MissingUntil)
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
//
// Events beyond the bound of their endpoint are not kept. The mark of a gap
// takes their place, in the same transaction.
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
		if _, err := tx.exec(`INSERT INTO outbox_lane (name, endpoint, version, due, owner, attempts, failing_since) VALUES ($1, $2, 1, $3, 0, 0, 0)
			ON CONFLICT (name) DO UPDATE SET version = outbox_lane.version + 1`, name, EndpointOf(name), int64(lanes[name])); err != nil {
			return fmt.Errorf("open outbox lane: %w", err)
		}
	}
	kept := events[:0:0]
	for i := range events {
		e := &events[i]
		if tx.fits(e) {
			kept = append(kept, *e)
			continue
		}
		// What came before it must have its place first.
		if err := tx.insertEvents(kept); err != nil {
			return err
		}
		kept = kept[:0]
		if err := tx.miss(e); err != nil {
			return err
		}
	}
	return tx.insertEvents(kept)
}

// fits reserves room for an event, or reports that its endpoint has none.
func (tx *Tx) fits(e *OutboxEvent) bool {
	endpoint := EndpointOf(e.Lane)
	if tx.room(endpoint) < e.Size() {
		return false
	}
	tx.waits = append(tx.waits, waits{endpoint, 1, e.Size()})
	return true
}

// miss counts an event that is not kept into the mark at the end of its lane.
func (tx *Tx) miss(e *OutboxEvent) error {
	tx.missed++
	n, err := tx.exec(`UPDATE outbox_event SET missing = missing + 1, missing_until = $1
		WHERE missing > 0 AND id = (SELECT max(id) FROM outbox_event WHERE lane = $2)`, int64(e.CreatedAt), text(e.Lane))
	if err != nil {
		return fmt.Errorf("record outbox gap: %w", err)
	}
	if n > 0 {
		return nil
	}
	mark := OutboxEvent{Lane: e.Lane, EventID: e.EventID, Subject: e.Subject, CreatedAt: e.CreatedAt, Missing: 1, MissingUntil: e.CreatedAt, Body: []byte{}}
	tx.waits = append(tx.waits, waits{EndpointOf(e.Lane), 1, mark.Size()})
	args := append(mark.values(), mark.Missing, int64(mark.MissingUntil))
	if _, err := tx.exec("INSERT INTO outbox_event ("+eventColumns+", "+markColumns+") VALUES "+tuples(1, 13), args...); err != nil {
		return fmt.Errorf("record outbox gap: %w", err)
	}
	return nil
}

func (tx *Tx) insertEvents(events []OutboxEvent) error {
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

// Claim says which lanes to take.
type Claim struct {
	Endpoint string
	From, To im.Millis // due at or after From and at or before To
	Limit    int
	Lease    im.Millis // until when they are ours
	Owner    int64     // unique to the transaction: what is done to a lane counts only while it is still its owner's
}

// ClaimLanes takes lanes of an endpoint, longest due first.
func (tx *Tx) ClaimLanes(c Claim) ([]Lane, error) {
	lanes, err := queryAll(tx, func(l *Lane) []any {
		return []any{&l.Name, &l.version, &l.Attempts, &l.FailingSince}
	}, `UPDATE outbox_lane SET due = $1, owner = $2 WHERE name IN
		(SELECT name FROM outbox_lane WHERE endpoint = $3 AND due >= $4 AND due <= $5 ORDER BY due LIMIT $6`+tx.dialect.SkipLocked()+`)
		RETURNING name, version, attempts, failing_since`, int64(c.Lease), c.Owner, c.Endpoint, int64(c.From), int64(c.To), c.Limit)
	if err != nil {
		return nil, fmt.Errorf("claim outbox lanes: %w", err)
	}
	for i := range lanes {
		lanes[i].Lease, lanes[i].owner = c.Lease, c.Owner
	}
	return lanes, nil
}

// freeLanes ends all leases.
const freeLanes = `UPDATE outbox_lane SET due = 0, owner = 0 WHERE owner <> 0`

// dropLeases gives back the lanes that a process which died had taken. Only the
// embedded store can know: nobody else has it open.
func (s *Store) dropLeases(ctx context.Context) error {
	if _, embedded := s.engine.(*sqliteEngine); !embedded {
		return nil
	}
	return s.Write(ctx, func(tx *Tx) error {
		n, err := tx.exec(freeLanes)
		tx.outbox = n > 0
		if err != nil {
			return fmt.Errorf("drop outbox leases: %w", err)
		}
		return nil
	})
}

// LaneEvents returns the first events of a lane, in order.
func (tx *Tx) LaneEvents(lane string, limit int) ([]OutboxEvent, error) {
	events, err := queryAll(tx, (*OutboxEvent).waiting,
		"SELECT id, "+eventColumns+", "+markColumns+" FROM outbox_event WHERE lane = $1 ORDER BY id LIMIT $2", lane, limit)
	if err != nil {
		return nil, fmt.Errorf("read outbox lane: %w", err)
	}
	return events, nil
}

// FinishLanes records what became of lanes that were taken, and gives them
// back. A lane whose lease was lost is left alone: its new owner tells the
// events again. It reports the names of those that were lost.
func (tx *Tx) FinishLanes(results []LaneResult) (lost []string, err error) {
	results = slices.Clone(results)
	slices.SortFunc(results, func(a, b LaneResult) int { return compareLanes(a.Lane.Name, b.Lane.Name) })
	var pulled []OutboxEvent
	for _, r := range results {
		// The update takes the row lock: a producer of this lane has either
		// committed, and the statements below see its events, or comes after us.
		mine, err := tx.exec("UPDATE outbox_lane SET due = $1, owner = 0, attempts = $2, failing_since = $3 WHERE name = $4 AND owner = $5",
			int64(r.Due), r.Attempts, int64(r.Failing), r.Lane.Name, r.Lane.owner)
		if err != nil {
			return nil, fmt.Errorf("release outbox lane: %w", err)
		}
		if err := tx.InsertDeliveries(r.Deliveries); err != nil {
			return nil, err
		}
		if mine == 0 {
			lost = append(lost, r.Lane.Name)
			continue
		}
		if err := tx.bury(r.Dead); err != nil {
			return nil, err
		}
		if err := tx.passGaps(r.Passed); err != nil {
			return nil, err
		}
		for _, e := range r.Pulled {
			if e.Missing > 0 { // counted on since it was read
				if _, err := tx.queryRow("SELECT missing, missing_until FROM outbox_event WHERE id = $1", []any{e.ID}, &e.Missing, &e.MissingUntil); err != nil {
					return nil, err
				}
			}
			pulled = append(pulled, e)
		}
		tx.waits = append(tx.waits, waits{EndpointOf(r.Lane.Name), -int64(len(r.Done)), -r.Freed})
		// By their ids, not up to an id: databases that hand out ids in blocks
		// would lose an event that got a lower one later.
		if err := inChunks(r.Done, 1, func(list string, args []any) error {
			_, err := tx.exec("DELETE FROM outbox_event WHERE id IN ("+list+")", args...)
			return err
		}); err != nil {
			return nil, fmt.Errorf("delete delivered events: %w", err)
		}
		if _, err := tx.exec("DELETE FROM outbox_lane WHERE name = $1 AND version = $2 AND NOT EXISTS (SELECT 1 FROM outbox_event WHERE lane = $1)",
			r.Lane.Name, r.Lane.version); err != nil {
			return nil, fmt.Errorf("close outbox lane: %w", err)
		}
	}
	// Last, so that whoever holds the end of a log waits for nothing else.
	return lost, tx.appendPulled(pulled)
}

// passGaps keeps what the marks of gaps say, which are about to be deleted. It
// is read here, under the lane's lock: producers may have counted on meanwhile.
func (tx *Tx) passGaps(ids []int64) error {
	return inChunks(ids, 2, func(list string, args []any) error {
		_, err := tx.exec("INSERT INTO outbox_gap (lane, events, first_at, last_at, reason) SELECT lane, missing, created_at, missing_until, CAST($1 AS TEXT) FROM outbox_event WHERE id IN ("+list+") ORDER BY id",
			append([]any{gapReason}, args...)...)
		if err != nil {
			return fmt.Errorf("keep outbox gap: %w", err)
		}
		return nil
	})
}

// gapReason is the only one there is.
const gapReason = "the outbox of the endpoint was full"

func (tx *Tx) bury(dead []DeadEvent) error {
	for i := range dead {
		d := &dead[i]
		args := append([]any{d.ID}, d.values()...)
		args = append(args, d.Attempts, int64(d.DiedAt), text(d.Reason), boolInt(d.Parked))
		if _, err := tx.exec("INSERT INTO outbox_dead (id, "+eventColumns+", "+deadColumns+") VALUES "+tuples(1, 16), args...); err != nil {
			return fmt.Errorf("bury outbox event: %w", err)
		}
	}
	return nil
}

const deadColumns = "attempts, died_at, reason, parked"

// NextDue is when the next lane of an endpoint is due, whoever has it now; false
// when no lane is left.
func (tx *Tx) NextDue(endpoint string) (due im.Millis, found bool, err error) {
	found, err = tx.queryRow("SELECT due FROM outbox_lane WHERE endpoint = $1 ORDER BY due LIMIT 1", []any{endpoint}, &due)
	return due, found, err
}

// NextDueFrom is NextDue among the lanes that are due at a time or later.
func (tx *Tx) NextDueFrom(endpoint string, from im.Millis) (due im.Millis, found bool, err error) {
	found, err = tx.queryRow("SELECT due FROM outbox_lane WHERE endpoint = $1 AND due >= $2 ORDER BY due LIMIT 1", []any{endpoint, int64(from)}, &due)
	return due, found, err
}

// SweepOutbox opens lanes for events that have none and reports how many. There
// are none unless something went wrong; a stranded event would wait for ever.
func (tx *Tx) SweepOutbox(now im.Millis) (lanes int64, err error) {
	lanes, err = tx.exec(`INSERT INTO outbox_lane (name, endpoint, version, due, owner, attempts, failing_since)
		SELECT DISTINCT e.lane, `+tx.dialect.endpoint("e.lane")+`, 1, CAST($1 AS BIGINT), 0, 0, 0 FROM outbox_event e
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
	Endpoint string
	From, To im.Millis // died at or after From and before To
	Parked   bool      // only those that were set aside unsent
	// Unseen leaves out those that were delivered to their endpoint later on,
	// as far as the delivery log goes back.
	Unseen bool
	Before int64 // only ids below, to go on where a list ended
	Limit  int   // default 100
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
	if f.Endpoint != "" {
		w.add("lane >= ", f.Endpoint+"/")
		w.add("lane < ", f.Endpoint+"0") // the character after "/"
	}
	if f.From > 0 {
		w.add("died_at >= ", int64(f.From))
	}
	if f.To > 0 {
		w.add("died_at < ", int64(f.To))
	}
	if f.Parked {
		w.add("parked = ", 1)
	}
	if f.Unseen {
		w.add(`NOT EXISTS (SELECT 1 FROM webhook_delivery d WHERE d.event_id = outbox_dead.event_id
			AND substr(outbox_dead.lane, 1, length(d.endpoint) + 1) = d.endpoint || '/' AND d.outcome = `, OutcomeDelivered)
		w.conditions[len(w.conditions)-1] += ")"
	}
	return w
}

// OutcomeDelivered is the Outcome of an attempt that the handler took.
const OutcomeDelivered = "delivered"

func (tx *Tx) deadEvents(w *where, order string, limit int) ([]DeadEvent, error) {
	dead, err := queryAll(tx, func(d *DeadEvent) []any {
		return append(append([]any{&d.ID}, d.columns()...), &d.Attempts, &d.DiedAt, &d.Reason, &d.Parked)
	}, "SELECT id, "+eventColumns+", "+deadColumns+" FROM outbox_dead"+w.clause()+
		" ORDER BY "+order+" LIMIT "+w.bind(limit), w.args...)
	if err != nil {
		return nil, fmt.Errorf("list dead events: %w", err)
	}
	return dead, nil
}

// PendingEvent finds an event that waits in the outbox.
func (tx *Tx) PendingEvent(eventID string) (e OutboxEvent, found bool, err error) {
	found, err = tx.queryRow("SELECT id, "+eventColumns+", "+markColumns+" FROM outbox_event WHERE event_id = $1 AND missing = 0", []any{eventID}, e.waiting()...)
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
		var noRoom bool
		err := s.Write(ctx, func(tx *Tx) error {
			w := f.where()
			w.add("id <= ", last)
			page, err := tx.deadEvents(w, "id", chunk)
			if err != nil {
				return err
			}
			count, full, err := tx.replay(page)
			n, noRoom = count, full
			return err
		})
		if err != nil {
			return replayed, fmt.Errorf("replay dead events: %w", err)
		}
		replayed += n
		switch {
		case noRoom:
			return replayed, ErrOutboxFull
		case n < chunk:
			return replayed, nil
		}
	}
}

// ErrOutboxFull: dead events stay where they are until there is room.
var ErrOutboxFull = errors.New("the outbox of the endpoint is full: the rest of the events stays given up until there is room")

// replay puts events back, and reports whether there was no room for all.
func (tx *Tx) replay(dead []DeadEvent) (n int, full bool, err error) {
	var events []OutboxEvent
	taken := map[string]int64{}
	for i := range dead {
		d := &dead[i]
		endpoint := EndpointOf(d.Lane)
		if taken[endpoint] += d.Size(); taken[endpoint] > tx.room(endpoint) {
			full = true
			break
		}
		// A concurrent replay may have taken it.
		n, err := tx.exec("DELETE FROM outbox_dead WHERE id = $1", d.ID)
		if err != nil {
			return 0, false, err
		}
		if n == 1 {
			events = append(events, d.OutboxEvent)
		}
	}
	if len(events) == 0 {
		return 0, full, nil
	}
	// They get the whole time for retries again.
	now := tx.store.Now()
	for i := range events {
		events[i].CreatedAt = now
	}
	tx.outbox = true
	return len(events), full, tx.insertOutbox(events)
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
