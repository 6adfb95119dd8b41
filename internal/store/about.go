package store

import (
	"fmt"

	"github.com/parley-im/parley/internal/im"
)

// How far back a message is looked for by its id: there is no index of ids,
// because nothing but an administrator's question would use it.
const (
	scanByClientID = 200_000
	scanByServerID = 20_000
)

// FindMessage looks for a stored message among the newest, by its client's or
// its server's id; nil if it is not there.
func (tx *Tx) FindMessage(id string) (*im.Message, error) {
	type row struct {
		storedMessage
		conversation im.ConversationID
		id           int64
	}
	fields := func(r *row) []any {
		return append(storedFields(&r.storedMessage), &r.conversation, &r.id)
	}
	const columns = `SELECT m.seq, m.client_id, m.send_time, m.data, l.conversation_id, m.id FROM message m JOIN log l ON l.id = m.log `
	var newest int64
	if _, err := tx.queryRow(`SELECT coalesce(max(id), 0) FROM message`, nil, &newest); err != nil {
		return nil, fmt.Errorf("find message: %w", err)
	}
	rows, err := queryAll(tx, fields, columns+`WHERE m.id > $1 AND m.client_id = $2 ORDER BY m.id DESC LIMIT 1`, newest-scanByClientID, text(id))
	if err != nil {
		return nil, fmt.Errorf("find message: %w", err)
	}
	if len(rows) > 0 {
		return rows[0].message(rows[0].conversation)
	}
	const page = 1000
	for below := newest + 1; below > max(newest-scanByServerID, 0); {
		rows, err := queryAll(tx, fields, columns+`WHERE m.id < $1 ORDER BY m.id DESC LIMIT $2`, below, page)
		if err != nil {
			return nil, fmt.Errorf("find message: %w", err)
		}
		for i := range rows {
			m, err := rows[i].message(rows[i].conversation)
			if err != nil {
				return nil, err
			}
			if m.ServerMsgID == id {
				return m, nil
			}
			below = rows[i].id
		}
		if len(rows) < page {
			break
		}
	}
	return nil, nil
}

const about = ` WHERE event_id = $1 OR operation_id = $1 OR client_msg_id = $1 OR server_msg_id = $1 ORDER BY id LIMIT 100`

// EventsAbout lists what waits in the outbox about an event, an operation or a
// message, 100 at most.
func (tx *Tx) EventsAbout(id string) ([]OutboxEvent, error) {
	out, err := queryAll(tx, func(e *OutboxEvent) []any { return append([]any{&e.ID}, e.columns()...) },
		"SELECT id, "+eventColumns+" FROM outbox_event"+about, text(id))
	if err != nil {
		return nil, fmt.Errorf("events about %s: %w", id, err)
	}
	return out, nil
}

// DeadAbout lists what was given up about an event, an operation or a message,
// 100 at most.
func (tx *Tx) DeadAbout(id string) ([]DeadEvent, error) {
	out, err := queryAll(tx, func(d *DeadEvent) []any {
		return append(append([]any{&d.ID}, d.columns()...), &d.Attempts, &d.DiedAt, &d.Reason)
	}, "SELECT id, "+eventColumns+", attempts, died_at, reason FROM outbox_dead"+about, text(id))
	if err != nil {
		return nil, fmt.Errorf("dead events about %s: %w", id, err)
	}
	return out, nil
}

// scanPulled is how many of an endpoint's newest events are looked through for an
// id that no index knows.
const scanPulled = 10_000

// PulledAbout lists what the endpoints' logs for fetching hold about an event, an
// operation or a message: of the newest of each, 100 at most.
func (tx *Tx) PulledAbout(id string) ([]PulledAboutEvent, error) {
	out, err := queryAll(tx, func(e *PulledAboutEvent) []any {
		return []any{&e.Endpoint, &e.Cursor, &e.EventID, &e.Callback, &e.ClientMsgID, &e.CreatedAt}
	}, `SELECT e.endpoint, e.cursor, e.event_id, e.callback, e.client_msg_id, e.created_at
FROM pull_log l JOIN pull_event e ON e.endpoint = l.endpoint AND e.cursor > l.last_cursor - $1
WHERE e.event_id = $2 OR e.operation_id = $2 OR e.client_msg_id = $2 OR e.server_msg_id = $2 ORDER BY e.endpoint, e.cursor LIMIT 100`, scanPulled, text(id))
	if err != nil {
		return nil, fmt.Errorf("fetched events about %s: %w", id, err)
	}
	return out, nil
}

// PulledAboutEvent is where an event is in the log of an endpoint that fetches.
type PulledAboutEvent struct {
	Endpoint    string
	Cursor      int64
	EventID     string
	Callback    string
	ClientMsgID string
	CreatedAt   im.Millis
}

// LaneView is what is known of a lane from outside.
type LaneView struct {
	Name         string
	Ahead        int64     // events before the one that was asked about
	Attempts     int       // made for the first event
	Due          im.Millis // when the next attempt is made, or the lease of the one under way ends
	FailingSince im.Millis // 0 for not failing
}

// LaneOf tells where in its lane an event waits.
func (tx *Tx) LaneOf(e OutboxEvent) (LaneView, error) {
	v := LaneView{Name: e.Lane}
	if _, err := tx.queryRow(`SELECT count(*) FROM outbox_event WHERE lane = $1 AND id < $2`, []any{e.Lane, e.ID}, &v.Ahead); err != nil {
		return v, fmt.Errorf("lane %s: %w", e.Lane, err)
	}
	_, err := tx.queryRow(`SELECT attempts, due, failing_since FROM outbox_lane WHERE name = $1`, []any{e.Lane}, &v.Attempts, &v.Due, &v.FailingSince)
	if err != nil {
		return v, fmt.Errorf("lane %s: %w", e.Lane, err)
	}
	return v, nil
}

// DeliveriesAbout lists the calls about an event, an operation or a message,
// oldest first, 200 at most.
func (tx *Tx) DeliveriesAbout(id string) ([]Delivery, error) {
	var out []Delivery
	seen := make(map[int64]bool)
	for _, f := range []DeliveryFilter{{EventID: id}, {OperationID: id}, {MsgID: id}} {
		f.Limit = 200
		rows, err := tx.Deliveries(f)
		if err != nil {
			return nil, err
		}
		for _, d := range rows {
			if !seen[d.ID] {
				seen[d.ID] = true
				out = append(out, d)
			}
		}
	}
	return out, nil
}
