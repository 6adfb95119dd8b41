package store

import (
	"fmt"

	"github.com/parley-im/parley/internal/im"
)

// TokenState is what became of an issued token (websocket-and-messages 5.2).
type TokenState int

// Token states.
const (
	TokenNormal TokenState = 0
	TokenKicked TokenState = 2
)

// Token is an issued token, known by the hash of its text.
type Token struct {
	Hash      string
	UserID    string
	Platform  im.Platform
	State     TokenState
	IssuedAt  im.Millis
	ExpiresAt im.Millis
}

const tokenColumns = `hash, user_id, platform, state, issued_at, expires_at` //nolint:gosec // names, not credentials

func tokenFields(t *Token) []any {
	return []any{&t.Hash, &t.UserID, &t.Platform, &t.State, &t.IssuedAt, &t.ExpiresAt}
}

// Token returns an issued token by its hash.
func (tx *Tx) Token(hash string) (t Token, found bool, err error) {
	found, err = tx.queryRow(`SELECT `+tokenColumns+` FROM token WHERE hash = $1`, []any{hash}, tokenFields(&t)...)
	return t, found, err
}

// UserTokens returns every token of a user, newest first.
func (tx *Tx) UserTokens(userID string) ([]Token, error) {
	return queryAll(tx, tokenFields, `SELECT `+tokenColumns+` FROM token WHERE user_id = $1 ORDER BY issued_at DESC, hash`, userID)
}

// PutToken stores a token, or makes the same token normal again.
func (tx *Tx) PutToken(t Token) error {
	_, err := tx.exec(`INSERT INTO token (`+tokenColumns+`) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (hash) DO UPDATE SET state = excluded.state, issued_at = excluded.issued_at, expires_at = excluded.expires_at`,
		t.Hash, t.UserID, t.Platform, t.State, t.IssuedAt, t.ExpiresAt)
	if err != nil {
		return fmt.Errorf("put token: %w", err)
	}
	return nil
}

// SetTokenState changes a token.
func (tx *Tx) SetTokenState(hash string, state TokenState) error {
	_, err := tx.exec(`UPDATE token SET state = $1 WHERE hash = $2`, state, hash)
	return err
}

// ExpireToken moves a token's expiry.
func (tx *Tx) ExpireToken(hash string, at im.Millis) error {
	_, err := tx.exec(`UPDATE token SET expires_at = $1 WHERE hash = $2`, at, hash)
	return err
}

// DeleteToken forgets a token.
func (tx *Tx) DeleteToken(hash string) error {
	_, err := tx.exec(`DELETE FROM token WHERE hash = $1`, hash)
	return err
}

// PruneTokens deletes up to limit tokens that ended before a time.
func (tx *Tx) PruneTokens(before im.Millis, limit int) (int64, error) {
	return tx.exec(`DELETE FROM token WHERE hash IN (SELECT hash FROM token WHERE expires_at < $1 LIMIT $2)`, before, limit)
}
