package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/parley-im/parley/internal/im"
)

// DeliveryKind tells asking from telling.
type DeliveryKind uint8

// Delivery kinds.
const (
	DeliveryBefore DeliveryKind = 1 // the answer was awaited
	DeliveryAfter  DeliveryKind = 2 // from the outbox
	DeliveryShadow DeliveryKind = 3 // the same as was asked, and nobody obeys the answer
	DeliveryCheck  DeliveryKind = 4 // a test call or a probe, about nothing that happened
)

// Delivery is one call to the business server: what was tried, what came back,
// what was decided. It holds no message content.
type Delivery struct {
	ID          int64
	EventID     string
	Callback    string
	Command     string
	Kind        DeliveryKind
	OperationID string
	Subject     string
	ClientMsgID string
	ServerMsgID string
	Attempt     int
	StartedAt   im.Millis
	DurationMS  int64
	Status      int    // of HTTP, 0 when no answer came
	Outcome     string // approve, reject, delivered, retry …
	ErrCode     int
	Reason      string
	Answer      []byte // its first AnswerKept bytes
	Endpoint    string
}

// AnswerKept is how much of an answer the log keeps.
const AnswerKept = 256

const deliveryColumns = `event_id, callback, command, kind, operation_id, subject, client_msg_id, server_msg_id,
	attempt, started_at, duration_ms, status, outcome, err_code, reason, answer, endpoint`

// InsertDeliveries appends to the log of calls.
func (tx *Tx) InsertDeliveries(deliveries []Delivery) error {
	for part := range slices.Chunk(deliveries, maxRows) {
		args := make([]any, 0, 17*len(part))
		for _, d := range part {
			answer := d.Answer[:min(len(d.Answer), AnswerKept)]
			if answer == nil {
				answer = []byte{}
			}
			args = append(args, d.EventID, d.Callback, d.Command, int64(d.Kind), text(d.OperationID), text(d.Subject),
				text(d.ClientMsgID), text(d.ServerMsgID), d.Attempt, int64(d.StartedAt), d.DurationMS, d.Status,
				d.Outcome, d.ErrCode, text(d.Reason), answer, d.Endpoint)
		}
		if _, err := tx.exec("INSERT INTO webhook_delivery ("+deliveryColumns+") VALUES "+tuples(len(part), 17), args...); err != nil {
			return fmt.Errorf("insert deliveries: %w", err)
		}
	}
	return nil
}

// DeliveryFilter chooses calls; zero fields choose all.
type DeliveryFilter struct {
	EventID     string
	Callback    string
	OperationID string
	Subject     string
	UserID      string // about the user, or a single chat of his
	MsgID       string // client's or server's
	Outcome     string
	Endpoint    string
	Before      int64     // only ids below, to go on where a list ended
	After       int64     // only ids above
	Until       im.Millis // only those that started before
	Limit       int       // default 100
}

// likeLiteral takes their meaning from the signs of LIKE.
var likeLiteral = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// Deliveries lists calls, newest first.
func (tx *Tx) Deliveries(f DeliveryFilter) ([]Delivery, error) {
	w := where{}
	w.equal("event_id", f.EventID)
	w.equal("callback", f.Callback)
	w.equal("operation_id", f.OperationID)
	w.equal("subject", f.Subject)
	w.equal("outcome", f.Outcome)
	w.equal("endpoint", f.Endpoint)
	if f.MsgID != "" {
		p := w.bind(f.MsgID)
		w.conditions = append(w.conditions, "(server_msg_id = "+p+" OR client_msg_id = "+p+")")
	}
	if f.UserID != "" {
		// A single chat's name has both users in it.
		id := likeLiteral.Replace(f.UserID)
		w.conditions = append(w.conditions, "(subject = "+w.bind(f.UserID)+" OR subject LIKE "+w.bind(`si\_`+id+`\_%`)+` ESCAPE '\' OR subject LIKE `+w.bind(`si\_%\_`+id)+` ESCAPE '\')`)
	}
	if f.Until > 0 {
		w.add("started_at < ", int64(f.Until))
	}
	if f.Before > 0 {
		w.add("id < ", f.Before)
	}
	if f.After > 0 {
		w.add("id > ", f.After)
	}
	rows, err := queryAll(tx, func(d *Delivery) []any {
		return []any{
			&d.ID, &d.EventID, &d.Callback, &d.Command, &d.Kind, &d.OperationID, &d.Subject, &d.ClientMsgID, &d.ServerMsgID,
			&d.Attempt, &d.StartedAt, &d.DurationMS, &d.Status, &d.Outcome, &d.ErrCode, &d.Reason, &d.Answer, &d.Endpoint,
		}
	}, "SELECT id, "+deliveryColumns+" FROM webhook_delivery"+w.clause()+
		" ORDER BY id DESC LIMIT "+w.bind(limitOr(f.Limit, 100)), w.args...)
	if err != nil {
		return nil, fmt.Errorf("list deliveries: %w", err)
	}
	return rows, nil
}

// PruneDeliveries forgets calls that started before the time given, and all but
// the newest keep. It works in steps, so that nothing waits for it.
func (s *Store) PruneDeliveries(ctx context.Context, before im.Millis, keep int64) (deleted int64, err error) {
	const step = 1000
	deleted, err = s.inSteps(ctx, step, func(tx *Tx) (int64, error) {
		var last int64
		if _, err := tx.queryRow("SELECT coalesce(max(id), 0) FROM webhook_delivery", nil, &last); err != nil {
			return 0, err
		}
		return tx.exec(`DELETE FROM webhook_delivery WHERE id IN
			(SELECT id FROM webhook_delivery ORDER BY id LIMIT $1) AND (id <= $2 OR started_at < $3)`, step, last-keep, int64(before))
	})
	if err != nil {
		return deleted, fmt.Errorf("prune deliveries: %w", err)
	}
	return deleted, nil
}

// inSteps deletes in transactions of its own, so that other writes come between
// them, until one finds less than a step. It returns how many rows are gone, also
// when a later step fails.
func (s *Store) inSteps(ctx context.Context, step int64, once func(tx *Tx) (int64, error)) (deleted int64, err error) {
	for {
		var n int64
		if err := s.Write(ctx, func(tx *Tx) (err error) {
			n, err = once(tx)
			return err
		}); err != nil {
			return deleted, err
		}
		deleted += n
		if n < step {
			return deleted, nil
		}
	}
}
