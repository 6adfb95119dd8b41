package store

import (
	"fmt"

	"github.com/parley-im/parley/internal/im"
)

// PutFriendRequest stores a request, or makes the earlier one of the pair
// pending again. Who handled that one, and when, stays on it.
func (tx *Tx) PutFriendRequest(fromID, toID, message, ex string, at im.Millis) error {
	if _, err := tx.exec(`INSERT INTO friend_request (from_id, to_id, message, ex, created_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (from_id, to_id) DO UPDATE SET message = excluded.message, ex = excluded.ex, created_at = excluded.created_at, result = 0, answer = ''`,
		fromID, toID, message, ex, at); err != nil {
		return fmt.Errorf("friend request of %s to %s: %w", fromID, toID, err)
	}
	return nil
}

// AnswerFriendRequest gives a pending request a result and reports whether
// there was one. handlerID and answer are left as they are when nil.
func (tx *Tx) AnswerFriendRequest(fromID, toID string, result im.RequestResult, answer, handlerID *string, at im.Millis) (bool, error) {
	n, err := tx.exec(`UPDATE friend_request SET result = $1, answer = coalesce($2, answer), handler_id = coalesce($3, handler_id), handled_at = $4
		WHERE from_id = $5 AND to_id = $6 AND result = 0`, result, answer, handlerID, at, fromID, toID)
	if err != nil {
		return false, fmt.Errorf("answer friend request of %s to %s: %w", fromID, toID, err)
	}
	return n > 0, nil
}

const (
	requestColumns = `SELECT r.from_id, coalesce(f.nickname, ''), coalesce(f.face_url, ''), r.to_id, coalesce(t.nickname, ''), coalesce(t.face_url, ''),
	r.message, r.ex, r.created_at, r.result, r.answer, r.handler_id, r.handled_at`
	requestFrom = ` FROM friend_request r LEFT JOIN users f ON f.user_id = r.from_id LEFT JOIN users t ON t.user_id = r.to_id `
)

func requestFields(r *im.FriendRequest) []any {
	return []any{
		&r.From.UserID, &r.From.Nickname, &r.From.FaceURL, &r.To.UserID, &r.To.Nickname, &r.To.FaceURL,
		&r.Message, &r.Ex, &r.CreatedAt, &r.Result, &r.Answer, &r.HandlerID, &r.HandledAt,
	}
}

// FriendRequest returns one user's request to another.
func (tx *Tx) FriendRequest(fromID, toID string) (r im.FriendRequest, found bool, err error) {
	found, err = tx.queryRow(requestColumns+requestFrom+`WHERE r.from_id = $1 AND r.to_id = $2`, []any{fromID, toID}, requestFields(&r)...)
	return r, found, err
}

// FriendRequestsBetween returns the requests of two users to each other.
func (tx *Tx) FriendRequestsBetween(a, b string) ([]im.FriendRequest, error) {
	return queryAll(tx, requestFields, requestColumns+requestFrom+
		`WHERE r.from_id = $1 AND r.to_id = $2 OR r.from_id = $2 AND r.to_id = $1 ORDER BY r.id`, a, b)
}

// ReceivedFriendRequests returns a page of a user's requests from others with
// one of the results, newest first, and their number.
func (tx *Tx) ReceivedFriendRequests(userID string, results []im.RequestResult, offset, limit int) (int64, []im.FriendRequest, error) {
	return tx.friendRequests("to_id", userID, results, offset, limit)
}

// SentFriendRequests returns likewise what a user asked others.
func (tx *Tx) SentFriendRequests(userID string, results []im.RequestResult, offset, limit int) (int64, []im.FriendRequest, error) {
	return tx.friendRequests("from_id", userID, results, offset, limit)
}

func (tx *Tx) friendRequests(side, userID string, results []im.RequestResult, offset, limit int) (total int64, page []im.FriendRequest, err error) {
	wanted := []any{userID, 0, 0, 0}
	for _, r := range results {
		wanted[r-im.RequestRefused+1] = 1
	}
	where := ` WHERE r.` + side + ` = $1 AND (r.result = -1 AND $2 = 1 OR r.result = 0 AND $3 = 1 OR r.result = 1 AND $4 = 1)`
	if _, err := tx.queryRow(`SELECT count(*) FROM friend_request r`+where, wanted, &total); err != nil {
		return 0, nil, err
	}
	page, err = queryAll(tx, requestFields, requestColumns+requestFrom+where+` ORDER BY r.created_at DESC, r.id DESC LIMIT $5 OFFSET $6`,
		append(wanted, limit, offset)...)
	return total, page, err
}

// PendingFriendRequests counts the requests to a user that were made after a
// time and are not answered.
func (tx *Tx) PendingFriendRequests(userID string, after im.Millis) (n int64, err error) {
	_, err = tx.queryRow(`SELECT count(*) FROM friend_request WHERE to_id = $1 AND created_at > $2 AND result = 0`, []any{userID, after}, &n)
	return n, err
}
