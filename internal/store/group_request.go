package store

import (
	"fmt"
	"slices"
	"strings"

	"github.com/parley-im/parley/internal/im"
)

const groupRequestColumns = `group_id, user_id, inviter_id, join_source, message, ex, requested_at, result, handle_message, handler_id, handled_at`

func groupRequestFields(r *im.GroupRequest) []any {
	return []any{
		&r.GroupID, &r.UserID, &r.InviterID, &r.JoinSource, &r.Message, &r.Ex, &r.RequestedAt, &r.Result,
		&r.HandleMessage, &r.HandlerID, &r.HandledAt,
	}
}

// PutGroupRequest stores a request to join in place of an earlier one of the
// same user and group.
func (tx *Tx) PutGroupRequest(r im.GroupRequest) error {
	_, err := tx.exec(`INSERT INTO group_request (`+groupRequestColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		ON CONFLICT (group_id, user_id) DO UPDATE SET inviter_id = excluded.inviter_id, join_source = excluded.join_source,
		message = excluded.message, ex = excluded.ex, requested_at = excluded.requested_at, result = excluded.result,
		handle_message = excluded.handle_message, handler_id = excluded.handler_id, handled_at = excluded.handled_at`,
		r.GroupID, r.UserID, r.InviterID, r.JoinSource, r.Message, r.Ex, r.RequestedAt, r.Result, r.HandleMessage, r.HandlerID, r.HandledAt)
	if err != nil {
		return fmt.Errorf("put request of %s to join %s: %w", r.UserID, r.GroupID, err)
	}
	return nil
}

// GroupRequest returns a user's request to join a group.
func (tx *Tx) GroupRequest(groupID, userID string) (r im.GroupRequest, found bool, err error) {
	found, err = tx.queryRow(`SELECT `+groupRequestColumns+` FROM group_request WHERE group_id = $1 AND user_id = $2`,
		[]any{groupID, userID}, groupRequestFields(&r)...)
	return r, found, err
}

// GroupRequestsOf returns the requests of some users to join a group, the
// newest first.
func (tx *Tx) GroupRequestsOf(groupID string, userIDs []string) ([]im.GroupRequest, error) {
	found, err := queryIn(tx, groupRequestFields, `SELECT `+groupRequestColumns+` FROM group_request WHERE group_id = $1 AND user_id IN (%s)`,
		[]any{groupID}, userIDs)
	slices.SortStableFunc(found, func(a, b im.GroupRequest) int { return int(b.RequestedAt - a.RequestedAt) })
	return found, err
}

// GroupRequestFilter chooses requests to join. Lists that are empty choose all.
type GroupRequestFilter struct {
	UserID    string // who wants to join
	ManagerID string // who is owner or administrator of the group
	GroupIDs  []string
	Results   []im.RequestResult
	After     im.Millis
}

// where is the condition of a filter with its arguments.
func (f GroupRequestFilter) where() (string, []any) {
	terms, args := []string{"r.requested_at > $1"}, []any{f.After}
	arg := func(v any) string {
		args = append(args, v)
		return fmt.Sprintf("$%d", len(args))
	}
	if f.UserID != "" {
		terms = append(terms, "r.user_id = "+arg(f.UserID))
	}
	if f.ManagerID != "" {
		terms = append(terms, "r.group_id IN (SELECT group_id FROM group_member WHERE user_id = "+arg(f.ManagerID)+" AND role >= "+arg(im.RoleAdmin)+")")
	}
	if len(f.GroupIDs) > 0 {
		terms = append(terms, "r.group_id IN ("+list(f.GroupIDs, arg)+")")
	}
	if len(f.Results) > 0 {
		terms = append(terms, "r.result IN ("+list(f.Results, arg)+")")
	}
	return strings.Join(terms, " AND "), args
}

func list[T any](values []T, arg func(any) string) string {
	names := make([]string, len(values))
	for i, v := range values {
		names[i] = arg(v)
	}
	return strings.Join(names, ",")
}

// GroupRequests returns a page of the chosen requests, the newest first, and
// their number.
func (tx *Tx) GroupRequests(f GroupRequestFilter, offset, limit int) (total int64, page []im.GroupRequest, err error) {
	where, args := f.where()
	if _, err := tx.queryRow(`SELECT count(*) FROM group_request r WHERE `+where, args, &total); err != nil || limit == 0 {
		return total, nil, err
	}
	page, err = queryAll(tx, groupRequestFields, fmt.Sprintf(`SELECT `+groupRequestColumns+` FROM group_request r WHERE `+where+
		` ORDER BY requested_at DESC, id DESC LIMIT $%d OFFSET $%d`, len(args)+1, len(args)+2), append(args, limit, offset)...)
	return total, page, err
}
