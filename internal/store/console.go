package store

import (
	"fmt"

	"github.com/parley-im/parley/internal/im"
)

// ConsoleSession is a login of the operator's page, known by the hash of its
// cookie.
type ConsoleSession struct {
	Hash      string
	UserID    string
	Address   string // where it was opened from
	Agent     string // the browser, in its own words
	OpenedAt  im.Millis
	ExpiresAt im.Millis
}

func consoleSessionFields(s *ConsoleSession) []any {
	return []any{&s.Hash, &s.UserID, &s.Address, &s.Agent, &s.OpenedAt, &s.ExpiresAt}
}

// InsertConsoleSession stores a login and forgets those that are over.
func (tx *Tx) InsertConsoleSession(s ConsoleSession) error {
	if _, err := tx.exec(`DELETE FROM console_session WHERE expires_at <= $1`, s.OpenedAt); err != nil {
		return fmt.Errorf("prune console sessions: %w", err)
	}
	_, err := tx.exec(`INSERT INTO console_session (hash, user_id, address, agent, opened_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		s.Hash, s.UserID, text(s.Address), text(s.Agent), s.OpenedAt, s.ExpiresAt)
	if err != nil {
		return fmt.Errorf("insert console session: %w", err)
	}
	return nil
}

// ConsoleSession returns a login; found is false for one that is over.
func (tx *Tx) ConsoleSession(hash string, now im.Millis) (s ConsoleSession, found bool, err error) {
	found, err = tx.queryRow(`SELECT hash, user_id, address, agent, opened_at, expires_at FROM console_session
		WHERE hash = $1 AND expires_at > $2`, []any{hash, now}, consoleSessionFields(&s)...)
	return s, found, err
}

// ConsoleSessions lists the logins that are not over, newest first.
func (tx *Tx) ConsoleSessions(now im.Millis) ([]ConsoleSession, error) {
	return queryAll(tx, consoleSessionFields, `SELECT hash, user_id, address, agent, opened_at, expires_at FROM console_session
		WHERE expires_at > $1 ORDER BY opened_at DESC, hash`, now)
}

// DeleteConsoleSession ends a login and reports whether there was one.
func (tx *Tx) DeleteConsoleSession(hash string) (bool, error) {
	n, err := tx.exec(`DELETE FROM console_session WHERE hash = $1`, hash)
	return n > 0, err
}

// ConsoleEntry is one line of the audit trail.
type ConsoleEntry struct {
	ID      int64
	At      im.Millis
	UserID  string
	Address string
	Action  string // page and action, such as "webhooks/endpoints/pause"
	Detail  string // what was asked for, without secrets and message content
	Outcome string // "" while it runs, "done", or what was wrong
}

func consoleEntryFields(e *ConsoleEntry) []any {
	return []any{&e.ID, &e.At, &e.UserID, &e.Address, &e.Action, &e.Detail, &e.Outcome}
}

// consoleEntriesKept bounds the audit trail.
const consoleEntriesKept = 100_000

// InsertConsoleEntry adds to the audit trail, forgets what is beyond its bound
// and returns the id.
func (tx *Tx) InsertConsoleEntry(e ConsoleEntry) (id int64, err error) {
	if _, err := tx.queryRow(`INSERT INTO console_audit (at, user_id, address, action, detail, outcome) VALUES ($1, $2, $3, $4, $5, $6) RETURNING id`,
		[]any{e.At, text(e.UserID), text(e.Address), e.Action, text(e.Detail), text(e.Outcome)}, &id); err != nil {
		return 0, fmt.Errorf("insert audit entry: %w", err)
	}
	_, err = tx.exec(`DELETE FROM console_audit WHERE id <= $1`, id-consoleEntriesKept)
	return id, err
}

// SetConsoleOutcome notes how an action ended.
func (tx *Tx) SetConsoleOutcome(id int64, outcome string) error {
	_, err := tx.exec(`UPDATE console_audit SET outcome = $1 WHERE id = $2`, text(outcome), id)
	return err
}

// ConsoleFilter chooses entries of the audit trail; zero fields choose all.
type ConsoleFilter struct {
	UserID string
	Action string
	Before int64 // only ids below, to go on where a list ended
	Limit  int   // default 100
}

// ConsoleEntries lists the audit trail, newest first.
func (tx *Tx) ConsoleEntries(f ConsoleFilter) ([]ConsoleEntry, error) {
	w := where{}
	w.equal("user_id", f.UserID)
	w.equal("action", f.Action)
	if f.Before > 0 {
		w.add("id < ", f.Before)
	}
	return queryAll(tx, consoleEntryFields, "SELECT id, at, user_id, address, action, detail, outcome FROM console_audit"+w.clause()+
		" ORDER BY id DESC LIMIT "+w.bind(limitOr(f.Limit, 100)), w.args...)
}
