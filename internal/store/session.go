package store

import "github.com/parley-im/parley/internal/im"

func sessionFields(s *im.Session) []any { return []any{&s.ConnID, &s.UserID, &s.Platform} }

// InsertSession remembers a connection whose opening was announced.
func (tx *Tx) InsertSession(s im.Session) error {
	_, err := tx.exec(`INSERT INTO session (conn_id, user_id, platform) VALUES ($1, $2, $3) ON CONFLICT (conn_id) DO NOTHING`,
		s.ConnID, s.UserID, s.Platform)
	return err
}

// DeleteSession forgets a connection whose end was announced.
func (tx *Tx) DeleteSession(connID string) error {
	_, err := tx.exec(`DELETE FROM session WHERE conn_id = $1`, connID)
	return err
}

// Sessions returns the connections that were announced and not yet ended.
func (tx *Tx) Sessions() ([]im.Session, error) {
	return queryAll(tx, sessionFields, `SELECT conn_id, user_id, platform FROM session ORDER BY conn_id`)
}
