package group

import (
	"context"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// Request is a request to join with whom and what it is about.
type Request struct {
	im.GroupRequest
	User  im.User
	Group im.Group
}

// Requests returns a page of the requests to join that a filter chooses, the
// newest first, and their number.
func (s *Service) Requests(ctx context.Context, f store.GroupRequestFilter, offset, limit int) (total int64, page []Request, err error) {
	if len(f.GroupIDs) > MaxBatch || len(f.Results) > MaxBatch {
		return 0, nil, im.ErrArgs.With("more than %d groups", MaxBatch)
	}
	err = s.store.Read(ctx, func(tx *store.Tx) error {
		var rows []im.GroupRequest
		var err error
		if total, rows, err = tx.GroupRequests(f, offset, limit); err != nil {
			return err
		}
		page, err = complete(tx, rows)
		return err
	})
	return total, page, err
}

// RequestsOf returns the requests of some users to join a group.
func (s *Service) RequestsOf(ctx context.Context, groupID string, userIDs []string) (list []Request, err error) {
	if len(userIDs) > MaxBatch {
		return nil, im.ErrArgs.With("more than %d users", MaxBatch)
	}
	err = s.store.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.GroupRequestsOf(groupID, distinct(userIDs))
		if err != nil {
			return err
		}
		list, err = complete(tx, rows)
		return err
	})
	return list, err
}

// complete adds the users and groups of requests.
func complete(tx *store.Tx, rows []im.GroupRequest) ([]Request, error) {
	var userIDs, groupIDs []string
	for _, r := range rows {
		userIDs, groupIDs = append(userIDs, r.UserID), append(groupIDs, r.GroupID)
	}
	users, err := tx.Users(userIDs)
	if err != nil {
		return nil, err
	}
	groups, err := tx.Groups(groupIDs)
	if err != nil {
		return nil, err
	}
	userOf, groupOf := make(map[string]im.User), make(map[string]im.Group)
	for _, u := range users {
		userOf[u.UserID] = u
	}
	for _, g := range groups {
		groupOf[g.GroupID] = g
	}
	out := make([]Request, len(rows))
	for i, r := range rows {
		out[i] = Request{GroupRequest: r, User: userOf[r.UserID], Group: groupOf[r.GroupID]}
	}
	return out, nil
}
