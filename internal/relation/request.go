package relation

import (
	"context"
	"slices"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/store"
)

// Apply asks a user to become friends, once more if an earlier request was
// answered. Two requests that cross stay two requests.
func (s *Service) Apply(ctx context.Context, fromID, toID, text, ex string) error {
	switch {
	case fromID == toID:
		return im.ErrOwnFriend.With("user %s", toID)
	case tooLong(&text), tooLong(&ex):
		return errTooLong
	}
	if s.hooks.Wants(im.AskRequestFriend) {
		q := im.MayRequestFriend{FromID: fromID, ToID: toID, Message: text, Ex: ex}
		if err := s.ask(ctx, &q, func(tx *store.Tx) error { return mayApply(tx, fromID, toID) }); err != nil {
			return err
		}
		ctx = context.WithoutCancel(ctx)
	}
	operationID := im.OperationOf(ctx)
	return s.messages.Notify(ctx, message.Notification{SendID: fromID, RecvID: toID, Change: func(tx *store.Tx) (im.Notice, error) {
		if err := mayApply(tx, fromID, toID); err != nil {
			return nil, err
		}
		if err := tx.PutFriendRequest(fromID, toID, text, ex, s.store.Now()); err != nil {
			return nil, err
		}
		if tx.Wanted(im.EventFriendRequested) {
			if err := tx.Record(im.FriendAsked{FromID: fromID, ToID: toID, Message: text, OperationID: operationID}); err != nil {
				return nil, err
			}
		}
		r, _, err := tx.FriendRequest(fromID, toID)
		return im.FriendRequested{Request: r}, err
	}})
}

// mayApply lets a user ask another whose friend he is not.
func mayApply(tx *store.Tx, fromID, toID string) error {
	if err := known(tx, []string{fromID, toID}); err != nil {
		return err
	}
	toInFrom, fromInTo, err := areFriends(tx, fromID, toID)
	if err == nil && toInFrom && fromInTo {
		err = im.ErrAlreadyFriends.With("users %s and %s are friends", fromID, toID)
	}
	return err
}

// Agree makes two users friends as one of them asked. A request the other way
// is thereby agreed to, too.
func (s *Service) Agree(ctx context.Context, fromID, toID, answer string) error {
	if tooLong(&answer) {
		return errTooLong
	}
	if s.hooks.Wants(im.AskAgreeFriend) {
		q := im.MayAgreeFriend{FromID: fromID, ToID: toID, Answer: answer}
		if err := s.ask(ctx, &q, func(tx *store.Tx) error {
			r, found, err := tx.FriendRequest(fromID, toID)
			if err == nil {
				err = mayAgree(r, found, r.Result == im.RequestPending)
			}
			return err
		}); err != nil {
			return err
		}
		ctx = context.WithoutCancel(ctx)
	}
	handler, operationID := im.CallerOf(ctx).UserID, im.OperationOf(ctx)
	return s.messages.Notify(ctx, message.Notification{SendID: toID, RecvID: fromID, Change: func(tx *store.Tx) (im.Notice, error) {
		now := s.store.Now()
		pending, err := tx.AnswerFriendRequest(fromID, toID, im.RequestAgreed, &answer, &handler, now)
		if err != nil {
			return nil, err
		}
		r, found, err := tx.FriendRequest(fromID, toID)
		if err == nil {
			err = mayAgree(r, found, pending)
		}
		if err != nil {
			return nil, err
		}
		if _, err := tx.AnswerFriendRequest(toID, fromID, im.RequestAgreed, nil, &handler, now); err != nil {
			return nil, err
		}
		for _, owner := range slices.Sorted(slices.Values([]string{fromID, toID})) { // lists are locked in user order
			friend := fromID
			if owner == fromID {
				friend = toID
			}
			if err := tx.InsertFriends(owner, []string{friend}, im.FriendApplied, fromID, now); err != nil {
				return nil, err
			}
		}
		if tx.Wanted(im.EventFriendAgreed) {
			if err := tx.Record(im.FriendAgreed{FromID: fromID, ToID: toID, Answer: answer, OperationID: operationID}); err != nil {
				return nil, err
			}
		}
		return im.FriendRequestAgreed{ApplicantID: fromID, ApproverID: toID, Request: &r}, nil
	}})
}

// mayAgree refuses to accept a request that is not there, or was answered.
func mayAgree(r im.FriendRequest, found, pending bool) error {
	switch {
	case !found:
		return im.ErrNotFound.With("no such friend request")
	case !pending:
		return im.ErrArgs.With("the friend request of %s has been processed", r.From.UserID)
	}
	return nil
}

// Refuse answers a request with no.
func (s *Service) Refuse(ctx context.Context, fromID, toID, answer string) error {
	if tooLong(&answer) {
		return errTooLong
	}
	return s.messages.Notify(ctx, message.Notification{SendID: toID, RecvID: fromID, Change: func(tx *store.Tx) (im.Notice, error) {
		pending, err := tx.AnswerFriendRequest(fromID, toID, im.RequestRefused, &answer, nil, s.store.Now())
		if err != nil {
			return nil, err
		}
		r, found, err := tx.FriendRequest(fromID, toID)
		switch {
		case err != nil:
		case !found:
			err = im.ErrNotFound.With("user %s did not ask %s", fromID, toID)
		case !pending:
			err = im.ErrRequestHandled.With("the request of %s to %s has been processed", fromID, toID)
		}
		return im.FriendRequestRefused{Request: r}, err
	}})
}

// Received returns a page of the requests to a user with one of the results,
// newest first, and their number. No results mean all.
func (s *Service) Received(ctx context.Context, userID string, results []im.RequestResult, offset, limit int) (int64, []im.FriendRequest, error) {
	return s.requests(ctx, (*store.Tx).ReceivedFriendRequests, userID, results, offset, limit)
}

// Sent returns likewise what a user asked others.
func (s *Service) Sent(ctx context.Context, userID string, results []im.RequestResult, offset, limit int) (int64, []im.FriendRequest, error) {
	return s.requests(ctx, (*store.Tx).SentFriendRequests, userID, results, offset, limit)
}

func (s *Service) requests(
	ctx context.Context, read func(tx *store.Tx, userID string, results []im.RequestResult, offset, limit int) (int64, []im.FriendRequest, error),
	userID string, results []im.RequestResult, offset, limit int,
) (total int64, page []im.FriendRequest, err error) {
	all := []im.RequestResult{im.RequestRefused, im.RequestPending, im.RequestAgreed}
	if len(results) == 0 {
		results = all
	}
	for _, r := range results {
		if !slices.Contains(all, r) {
			return 0, nil, im.ErrArgs.With("handleResult %d is none", r)
		}
	}
	err = s.store.Read(ctx, func(tx *store.Tx) (err error) {
		total, page, err = read(tx, userID, results, offset, limit)
		return err
	})
	return total, page, err
}

// Between returns the requests of two users to each other.
func (s *Service) Between(ctx context.Context, a, b string) (requests []im.FriendRequest, err error) {
	err = s.store.Read(ctx, func(tx *store.Tx) (err error) {
		requests, err = tx.FriendRequestsBetween(a, b)
		return err
	})
	return requests, err
}

// Pending counts the requests to a user that he has not answered, made after a
// time.
func (s *Service) Pending(ctx context.Context, userID string, after im.Millis) (n int64, err error) {
	err = s.store.Read(ctx, func(tx *store.Tx) (err error) {
		n, err = tx.PendingFriendRequests(userID, after)
		return err
	})
	return n, err
}
