package user

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// AddAccount adds a notification account and returns it; without an id it gets
// a number. Nobody logs in as it: the business server writes in its name.
func (s *Service) AddAccount(ctx context.Context, a im.User) (im.User, error) {
	numbered := a.UserID == ""
	switch {
	case a.AppLevel < im.LevelAccount:
		return a, im.ErrArgs.With("appMangerLevel must be %d or more", im.LevelAccount)
	case a.Nickname == "":
		return a, im.ErrArgs.With("nickName is empty")
	case !numbered && !im.ValidUserID(a.UserID):
		return a, im.ErrArgs.With("userID %q is not made of 1 to %d letters, digits and underscores", a.UserID, im.MaxIDLength)
	case len(a.Nickname) > im.MaxText, len(a.FaceURL) > im.MaxText:
		return a, errTooLong
	}
	for range numberTries {
		if numbered {
			a.UserID = newNumber()
		}
		a.CreatedAt = s.store.Now()
		err := s.store.Write(ctx, func(tx *store.Tx) error { return tx.InsertUser(a) })
		switch {
		case err == nil:
			return a, nil
		case !errors.Is(err, store.ErrDuplicateKey):
			return a, err
		case !numbered:
			return a, im.ErrArgs.With("userID is registered")
		}
	}
	return a, fmt.Errorf("no free number after %d tries", numberTries)
}

// numberTries is how often a number is drawn that may be taken.
const numberTries = 20

// newNumber draws a number of ten digits that does not begin with 0.
func newNumber() string {
	const first = 1_000_000_000
	n, err := rand.Int(rand.Reader, big.NewInt(9*first))
	if err != nil {
		panic(err) // never: crypto/rand aborts the process instead
	}
	return fmt.Sprint(first + n.Int64())
}

// UpdateAccount changes the name and picture of a notification account, or of
// another user, as Update does. The business server has no say in it.
func (s *Service) UpdateAccount(ctx context.Context, userID string, c im.UserChange) error {
	err := s.set(ctx, userID, c)
	if errors.Is(err, im.ErrNotFound) {
		return im.ErrArgs.With("userID is not registered")
	}
	return err
}

// Accounts returns a page of the notification accounts, and their number: the
// one with the id keyword or else those with that nickname, or without a keyword
// all, or all of one level.
func (s *Service) Accounts(ctx context.Context, keyword string, level *int32, offset, limit int) (total int64, page []im.User, err error) {
	err = s.store.Read(ctx, func(tx *store.Tx) (err error) {
		if keyword == "" {
			total, page, err = tx.Accounts("", level, offset, limit)
			return err
		}
		u, found, err := tx.User(keyword)
		switch {
		case err != nil:
			return err
		case found && u.AppLevel >= im.LevelAccount:
			total, page = 1, []im.User{u}[min(offset, 1):]
			page = page[:min(limit, len(page))]
			return nil
		}
		total, page, err = tx.Accounts(keyword, nil, offset, limit)
		return err
	})
	return total, page, err
}

// Registrations counts users: all, those registered before start, and those of
// each UTC day from start up to end, as "2006-01-02".
func (s *Service) Registrations(ctx context.Context, start, end im.Millis) (total, before int64, days map[string]int64, err error) {
	if start > end {
		return 0, 0, nil, im.ErrArgs.With("start is after end")
	}
	err = s.store.Read(ctx, func(tx *store.Tx) (err error) {
		if total, err = tx.UserCount(); err != nil {
			return err
		}
		before, days, err = tx.UsersByDay(start, end)
		return err
	})
	return total, before, days, err
}
