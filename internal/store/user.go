package store

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/parley-im/parley/internal/im"
)

const userColumns = `user_id, nickname, face_url, ex, app_level, recv_opt, created_at`

func userFields(u *im.User) []any {
	return []any{&u.UserID, &u.Nickname, &u.FaceURL, &u.Ex, &u.AppLevel, &u.RecvOpt, &u.CreatedAt}
}

// User returns a profile; found is false for an unknown id.
func (tx *Tx) User(userID string) (u im.User, found bool, err error) {
	found, err = tx.queryRow(`SELECT `+userColumns+` FROM users WHERE user_id = $1`, []any{userID}, userFields(&u)...)
	return u, found, err
}

// Users returns the known profiles among the ids, in no particular order.
func (tx *Tx) Users(userIDs []string) ([]im.User, error) {
	return queryIn(tx, userFields, `SELECT `+userColumns+` FROM users WHERE user_id IN (%s)`, nil, userIDs)
}

// UserPage returns profiles in order of registration after the given position,
// with the position of the last one.
func (tx *Tx) UserPage(offset, limit int) ([]im.User, error) {
	return queryAll(tx, userFields, `SELECT `+userColumns+` FROM users ORDER BY id LIMIT $1 OFFSET $2`, limit, offset)
}

// UserCount returns the number of registered users.
func (tx *Tx) UserCount() (n int64, err error) {
	_, err = tx.queryRow(`SELECT count(*) FROM users`, nil, &n)
	return n, err
}

// UserIDPage returns user ids in order of registration.
func (tx *Tx) UserIDPage(offset, limit int) ([]string, error) {
	return queryAll(tx, one[string], `SELECT user_id FROM users ORDER BY id LIMIT $1 OFFSET $2`, limit, offset)
}

// findUsers matches people whose id or nickname holds a text; without texts,
// everybody. Administrators and accounts are not people.
const findUsers = ` FROM users WHERE app_level < $1 AND (($2 = '' AND $3 = '')
	OR ($2 <> '' AND lower(user_id) LIKE $2 ESCAPE '\') OR ($3 <> '' AND lower(nickname) LIKE $3 ESCAPE '\'))`

// FindUsers returns a page of the people whose id or nickname holds a text,
// whatever its case, in order of registration, and their number.
func (tx *Tx) FindUsers(idPart, nickPart string, offset, limit int) (total int64, page []im.User, err error) {
	args := []any{im.LevelAdmin, likePattern(idPart), likePattern(nickPart)}
	if _, err := tx.queryRow(`SELECT count(*)`+findUsers, args, &total); err != nil {
		return 0, nil, err
	}
	page, err = queryAll(tx, userFields, `SELECT `+userColumns+findUsers+` ORDER BY id LIMIT $4 OFFSET $5`, append(args, limit, offset)...)
	return total, page, err
}

var likeEscaper = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// likePattern matches texts that hold part; "" stays "".
func likePattern(part string) string {
	if part == "" {
		return ""
	}
	return "%" + likeEscaper.Replace(strings.ToLower(part)) + "%"
}

// LockUser returns a profile and keeps other transactions that lock it, or
// change it, waiting until this one ends.
func (tx *Tx) LockUser(userID string) (u im.User, found bool, err error) {
	if !tx.writing {
		return u, false, errReadOnly
	}
	found, err = tx.queryRow(`UPDATE users SET user_id = user_id WHERE user_id = $1 RETURNING `+userColumns, []any{userID}, userFields(&u)...)
	return u, found, err
}

// InsertUser stores a new profile; ErrDuplicateKey if the id is taken.
func (tx *Tx) InsertUser(u im.User) error {
	_, err := tx.exec(`INSERT INTO users (`+userColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		u.UserID, u.Nickname, u.FaceURL, u.Ex, u.AppLevel, u.RecvOpt, u.CreatedAt)
	if err != nil {
		return fmt.Errorf("insert user %s: %w", u.UserID, err)
	}
	tx.touch(u.UserID)
	return nil
}

// UpdateUser changes the given fields and reports whether the user exists.
func (tx *Tx) UpdateUser(userID string, c im.UserChange) (bool, error) {
	n, err := tx.exec(`UPDATE users SET nickname = coalesce($1, nickname), face_url = coalesce($2, face_url),
		ex = coalesce($3, ex), recv_opt = coalesce($4, recv_opt) WHERE user_id = $5`,
		c.Nickname, c.FaceURL, c.Ex, c.RecvOpt, userID)
	if err != nil {
		return false, fmt.Errorf("update user %s: %w", userID, err)
	}
	tx.touch(userID)
	return n > 0, nil
}

// Accounts returns a page of the notification accounts in order of
// registration, and their number: those with a nickname unless it is "", and
// those of a level unless it is nil.
func (tx *Tx) Accounts(nickname string, level *int32, offset, limit int) (total int64, page []im.User, err error) {
	lowest, highest := im.LevelAccount, int32(math.MaxInt32)
	if level != nil {
		lowest, highest = max(lowest, *level), *level
	}
	const where = ` FROM users WHERE app_level >= $1 AND app_level <= $2 AND ($3 = '' OR nickname = $3)`
	args := []any{lowest, highest, nickname}
	if _, err := tx.queryRow(`SELECT count(*)`+where, args, &total); err != nil {
		return 0, nil, err
	}
	page, err = queryAll(tx, userFields, `SELECT `+userColumns+where+` ORDER BY id LIMIT $4 OFFSET $5`, append(args, limit, offset)...)
	return total, page, err
}

// UsersByDay counts the users registered before start, and those of each UTC
// day from start up to end.
func (tx *Tx) UsersByDay(start, end im.Millis) (before int64, days map[string]int64, err error) {
	return tx.countByDay("users", start, end)
}

// countByDay counts the rows of a table that were created before start, and
// those of each UTC day from start up to end.
func (tx *Tx) countByDay(table string, start, end im.Millis) (before int64, days map[string]int64, err error) {
	if _, err := tx.queryRow(`SELECT count(*) FROM `+table+` WHERE created_at < $1`, []any{start}, &before); err != nil {
		return 0, nil, err
	}
	type row struct{ day, count int64 }
	rows, err := queryAll(tx, func(r *row) []any { return []any{&r.day, &r.count} },
		`SELECT created_at / 86400000 AS day, count(*) FROM `+table+` WHERE created_at >= $1 AND created_at < $2 GROUP BY day`, start, end)
	days = make(map[string]int64, len(rows))
	for _, r := range rows {
		days[UTCDay(im.Millis(r.day*86_400_000))] = r.count
	}
	return before, days, err
}

// UTCDay is the day of a point in time as statistics name it.
func UTCDay(t im.Millis) string { return time.UnixMilli(int64(t)).UTC().Format(time.DateOnly) }
