package store

import (
	"fmt"

	"github.com/parley-im/parley/internal/im"
)

// PushToken is where a vendor reaches a user's device.
type PushToken struct {
	UserID    string
	Platform  im.Platform
	Token     string
	ExpiresAt im.Millis // 0 is never
}

func pushTokenFields(t *PushToken) []any {
	return []any{&t.UserID, &t.Platform, &t.Token, &t.ExpiresAt}
}

// PutPushToken stores the token of a user's platform in place of an earlier one.
func (tx *Tx) PutPushToken(t PushToken) error {
	_, err := tx.exec(`INSERT INTO push_token (user_id, platform, token, expires_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (user_id, platform) DO UPDATE SET token = excluded.token, expires_at = excluded.expires_at`,
		t.UserID, t.Platform, t.Token, t.ExpiresAt)
	return err
}

// PushTokens returns the tokens of some users that have not expired.
func (tx *Tx) PushTokens(userIDs []string, now im.Millis) ([]PushToken, error) {
	return queryIn(tx, pushTokenFields, `SELECT user_id, platform, token, expires_at FROM push_token
		WHERE (expires_at = 0 OR expires_at > $1) AND user_id IN (%s) ORDER BY user_id, platform`, []any{now}, userIDs)
}

// DeletePushToken forgets a token that its vendor no longer takes, unless the
// device has a newer one.
func (tx *Tx) DeletePushToken(t PushToken) error {
	_, err := tx.exec(`DELETE FROM push_token WHERE user_id = $1 AND platform = $2 AND token = $3`, t.UserID, t.Platform, t.Token)
	return err
}

// SetAppBadge stores the number that a user's app icon shows.
func (tx *Tx) SetAppBadge(userID string, unread int64) error {
	_, err := tx.exec(`INSERT INTO app_badge (user_id, unread) VALUES ($1, $2)
		ON CONFLICT (user_id) DO UPDATE SET unread = excluded.unread`, userID, unread)
	return err
}

// CountAppBadges adds one to the numbers of some users' app icons and returns
// them.
func (tx *Tx) CountAppBadges(userIDs []string) (map[string]int64, error) {
	badges := make(map[string]int64, len(userIDs))
	for _, userID := range userIDs {
		if _, err := tx.exec(`INSERT INTO app_badge (user_id, unread) VALUES ($1, 1)
			ON CONFLICT (user_id) DO UPDATE SET unread = app_badge.unread + 1`, userID); err != nil {
			return nil, err
		}
		var n int64
		if _, err := tx.queryRow(`SELECT unread FROM app_badge WHERE user_id = $1`, []any{userID}, &n); err != nil {
			return nil, err
		}
		badges[userID] = n
	}
	return badges, nil
}

// ClientLog is a log file that an app has uploaded.
type ClientLog struct {
	ID           string
	UserID       string
	Platform     im.Platform
	URL          string
	Filename     string
	AppFramework string
	Version      string
	Ex           string
	CreatedAt    im.Millis
}

const clientLogColumns = `id, user_id, platform, url, filename, app_framework, version, ex, created_at`

func clientLogFields(l *ClientLog) []any {
	return []any{&l.ID, &l.UserID, &l.Platform, &l.URL, &l.Filename, &l.AppFramework, &l.Version, &l.Ex, &l.CreatedAt}
}

// InsertClientLogs stores what an app says of its uploaded log files.
func (tx *Tx) InsertClientLogs(logs []ClientLog) error {
	for _, l := range logs {
		if _, err := tx.exec(`INSERT INTO client_log (`+clientLogColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			l.ID, l.UserID, l.Platform, l.URL, l.Filename, l.AppFramework, l.Version, l.Ex, l.CreatedAt); err != nil {
			return fmt.Errorf("insert client log: %w", err)
		}
	}
	return nil
}

// DeleteClientLogs deletes logs by their ids: all of them, or none and found is
// false when one is unknown.
func (tx *Tx) DeleteClientLogs(ids []string) (found bool, err error) {
	known, err := queryIn(tx, clientLogFields, `SELECT `+clientLogColumns+` FROM client_log WHERE $1 = 1 AND id IN (%s)`, []any{1}, ids)
	if err != nil || len(known) < len(ids) {
		return false, err
	}
	for _, l := range known {
		if _, err := tx.exec(`DELETE FROM client_log WHERE id = $1`, l.ID); err != nil {
			return false, err
		}
	}
	return true, nil
}

// ClientLogs returns a page of the logs from one time to another whose user id
// contains part, the newest first, and how many there are. A row also has the
// user's nickname.
func (tx *Tx) ClientLogs(part string, from, to im.Millis, offset, limit int) (logs []ClientLog, total int64, err error) {
	pattern := likePattern(part)
	const where = ` FROM client_log WHERE created_at >= $1 AND created_at <= $2 AND ($3 = '' OR lower(user_id) LIKE $3 ESCAPE '\')`
	if _, err := tx.queryRow(`SELECT COUNT(*)`+where, []any{from, to, pattern}, &total); err != nil {
		return nil, 0, err
	}
	logs, err = queryAll(tx, clientLogFields, `SELECT `+clientLogColumns+where+` ORDER BY created_at DESC, id LIMIT $4 OFFSET $5`,
		from, to, pattern, limit, offset)
	return logs, total, err
}

// PrunePushTokens deletes up to limit push tokens that ended before a time.
func (tx *Tx) PrunePushTokens(before im.Millis, limit int) (int64, error) {
	return tx.exec(`DELETE FROM push_token WHERE expires_at > 0 AND (user_id, platform) IN
		(SELECT user_id, platform FROM push_token WHERE expires_at > 0 AND expires_at < $1 LIMIT $2)`, before, limit)
}

// PruneClientLogs deletes up to limit logs older than before.
func (tx *Tx) PruneClientLogs(before im.Millis, limit int) (int64, error) {
	return tx.exec(`DELETE FROM client_log WHERE id IN (SELECT id FROM client_log WHERE created_at < $1 ORDER BY created_at LIMIT $2)`, before, limit)
}
