package relation

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// SetRemark names a friend.
func (s *Service) SetRemark(ctx context.Context, ownerID, friendID, remark string) error {
	if tooLong(&remark) {
		return errTooLong
	}
	if s.hooks.Wants(im.AskSetRemark) {
		q := im.MaySetRemark{OwnerID: ownerID, FriendID: friendID, Remark: remark}
		if err := s.ask(ctx, &q, func(tx *store.Tx) error {
			listed, err := tx.Friends(ownerID, []string{friendID})
			if err == nil && len(listed) == 0 {
				err = notListed(ownerID, friendID)
			}
			return err
		}); err != nil {
			return err
		}
		if remark = q.Remark; tooLong(&remark) {
			return errTooLong
		}
		ctx = context.WithoutCancel(ctx)
	}
	operationID := im.OperationOf(ctx)
	return s.change(ctx, ownerID, func(tx *store.Tx) (im.Notice, error) {
		n, err := tx.UpdateFriends(ownerID, []string{friendID}, im.FriendChange{Remark: &remark})
		switch {
		case err == nil && n == 0:
			err = notListed(ownerID, friendID)
		case err == nil && tx.Wanted(im.EventRemarkSet):
			err = tx.Record(im.RemarkSet{OwnerID: ownerID, FriendID: friendID, Remark: remark, OperationID: operationID})
		}
		return im.FriendRemarkSet{OwnerID: ownerID, FriendID: friendID}, err
	})
}

func notListed(ownerID, friendID string) error {
	return im.ErrNotFound.With("user %s is not a friend of %s", friendID, ownerID)
}

// Update changes entries of a user's list; users who are not in it are passed
// over.
func (s *Service) Update(ctx context.Context, ownerID string, friendIDs []string, c im.FriendChange) error {
	if err := checkIDs(friendIDs); err != nil {
		return err
	}
	if tooLong(c.Remark) || tooLong(c.Ex) {
		return errTooLong
	}
	var own map[string]string // remarks that are not the one asked for, by friend
	if c.Remark != nil && s.hooks.Wants(im.AskSetRemark) {
		var err error
		if own, err = s.askRemarks(ctx, ownerID, friendIDs, *c.Remark); err != nil {
			return err
		}
		ctx = context.WithoutCancel(ctx)
	}
	operationID := im.OperationOf(ctx)
	return s.change(ctx, ownerID, func(tx *store.Tx) (im.Notice, error) {
		n, err := tx.UpdateFriends(ownerID, friendIDs, c)
		if err == nil && n == 0 {
			err = errNothing
		}
		if err != nil {
			return nil, err
		}
		for friendID, remark := range own {
			if _, err := tx.UpdateFriends(ownerID, []string{friendID}, im.FriendChange{Remark: &remark}); err != nil {
				return nil, err
			}
		}
		if c.Remark != nil && tx.Wanted(im.EventRemarkSet) {
			err = recordRemarks(tx, ownerID, friendIDs, operationID)
		}
		return im.FriendsUpdated{OwnerID: ownerID, FriendIDs: friendIDs}, err
	})
}

// recordRemarks reports the remark of each of the friends who are listed.
func recordRemarks(tx *store.Tx, ownerID string, friendIDs []string, operationID string) error {
	listed, err := tx.Friends(ownerID, friendIDs)
	if err != nil {
		return err
	}
	for _, f := range listed {
		if err := tx.Record(im.RemarkSet{OwnerID: ownerID, FriendID: f.User.UserID, Remark: f.Remark, OperationID: operationID}); err != nil {
			return err
		}
	}
	return nil
}

// askRemarks asks about each of the friends who are listed, several at a time,
// and returns the remarks that are to be others than asked for. One refusal
// refuses them all.
func (s *Service) askRemarks(ctx context.Context, ownerID string, friendIDs []string, remark string) (map[string]string, error) {
	var listed []im.Friend
	if err := s.store.Read(ctx, func(tx *store.Tx) (err error) {
		listed, err = tx.Friends(ownerID, friendIDs)
		return err
	}); err != nil {
		return nil, err
	}
	ctx = s.hooks.WithDeadline(ctx)
	questions := make([]im.MaySetRemark, len(listed))
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i, f := range listed {
		questions[i] = im.MaySetRemark{OwnerID: ownerID, FriendID: f.User.UserID, Remark: remark}
		group.Go(func() error { return s.hooks.Ask(ctx, &questions[i]) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	own := make(map[string]string)
	for _, q := range questions {
		if tooLong(&q.Remark) {
			return nil, errTooLong
		}
		if q.Remark != remark {
			own[q.FriendID] = q.Remark
		}
	}
	return own, nil
}
