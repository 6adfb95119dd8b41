package store

import (
	"time"

	"github.com/parley-im/parley/internal/im"
)

// sendStatusLife is how long the outcome of a client action is kept.
const sendStatusLife = 24 * time.Hour

// PutSendStatus notes what became of a client action's send, and forgets what
// is too old to be asked for.
func (tx *Tx) PutSendStatus(operationID string, status int32) error {
	now := tx.store.Now()
	if _, err := tx.exec(`DELETE FROM send_status WHERE at < $1`, now-im.Millis(sendStatusLife.Milliseconds())); err != nil {
		return err
	}
	_, err := tx.exec(`INSERT INTO send_status (operation_id, status, at) VALUES ($1, $2, $3)
		ON CONFLICT (operation_id) DO UPDATE SET status = excluded.status, at = excluded.at`, operationID, status, now)
	return err
}

// SendStatus returns what became of a client action's send, 0 if that is not
// known.
func (tx *Tx) SendStatus(operationID string) (status int32, err error) {
	_, err = tx.queryRow(`SELECT status FROM send_status WHERE operation_id = $1 AND at >= $2`,
		[]any{operationID, tx.store.Now() - im.Millis(sendStatusLife.Milliseconds())}, &status)
	return status, err
}

func settingFields(s *im.Setting) []any { return []any{&s.UserID, &s.Name, &s.Value} }

// ClientConfig returns the settings of a user's clients, or with "" those of
// everybody's.
func (tx *Tx) ClientConfig(userID string) ([]im.Setting, error) {
	return queryAll(tx, settingFields, `SELECT user_id, name, value FROM client_config WHERE user_id = $1 ORDER BY name`, userID)
}

// PutClientConfig sets one of them.
func (tx *Tx) PutClientConfig(s im.Setting) error {
	_, err := tx.exec(`INSERT INTO client_config (user_id, name, value) VALUES ($1, $2, $3)
		ON CONFLICT (user_id, name) DO UPDATE SET value = excluded.value`, s.UserID, s.Name, s.Value)
	return err
}

// DeleteClientConfig forgets one of them.
func (tx *Tx) DeleteClientConfig(userID, name string) error {
	_, err := tx.exec(`DELETE FROM client_config WHERE user_id = $1 AND name = $2`, userID, name)
	return err
}

// ClientConfigPage returns settings of all clients by user and name, and their
// number; userID and name narrow it down when they are not "".
func (tx *Tx) ClientConfigPage(userID, name string, offset, limit int) (total int64, page []im.Setting, err error) {
	const from = ` FROM client_config WHERE ($1 = '' OR user_id = $1) AND ($2 = '' OR name = $2)`
	if _, err := tx.queryRow(`SELECT count(*)`+from, []any{userID, name}, &total); err != nil {
		return 0, nil, err
	}
	page, err = queryAll(tx, settingFields, `SELECT user_id, name, value`+from+` ORDER BY user_id, name LIMIT $3 OFFSET $4`, userID, name, limit, offset)
	return total, page, err
}

func commandFields(c *im.UserCommand) []any {
	return []any{&c.UserID, &c.Type, &c.UUID, &c.Value, &c.Ex, &c.CreatedAt}
}

// UserCommands returns a user's entries in order of creation; kind 0 asks for
// all kinds.
func (tx *Tx) UserCommands(userID string, kind int32) ([]im.UserCommand, error) {
	return queryAll(tx, commandFields, `SELECT user_id, type, uuid, value, ex, created_at FROM user_command
		WHERE user_id = $1 AND ($2 = 0 OR type = $2) ORDER BY id`, userID, kind)
}

// InsertUserCommand stores an entry; ErrDuplicateKey if there is one.
func (tx *Tx) InsertUserCommand(c im.UserCommand) error {
	_, err := tx.exec(`INSERT INTO user_command (user_id, type, uuid, value, ex, created_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		c.UserID, c.Type, c.UUID, c.Value, c.Ex, c.CreatedAt)
	return err
}

// UpdateUserCommand changes an entry, nil leaving a field as it is, and
// reports whether it exists.
func (tx *Tx) UpdateUserCommand(userID string, kind int32, uuid string, value, ex *string) (bool, error) {
	n, err := tx.exec(`UPDATE user_command SET value = coalesce($1, value), ex = coalesce($2, ex)
		WHERE user_id = $3 AND type = $4 AND uuid = $5`, value, ex, userID, kind, uuid)
	return n > 0, err
}

// DeleteUserCommand forgets an entry and reports whether it existed.
func (tx *Tx) DeleteUserCommand(userID string, kind int32, uuid string) (bool, error) {
	n, err := tx.exec(`DELETE FROM user_command WHERE user_id = $1 AND type = $2 AND uuid = $3`, userID, kind, uuid)
	return n > 0, err
}
