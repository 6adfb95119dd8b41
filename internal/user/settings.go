package user

import (
	"context"
	"errors"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// ClientConfig returns what the operator tells a user's clients, or with ""
// everybody's. The two sets are not merged.
func (s *Service) ClientConfig(ctx context.Context, userID string) (all []im.Setting, err error) {
	err = s.store.Read(ctx, func(tx *store.Tx) error {
		if err := mustExist(tx, userID); err != nil {
			return err
		}
		var err error
		all, err = tx.ClientConfig(userID)
		return err
	})
	return all, err
}

// SetClientConfig sets the given names and leaves the others.
func (s *Service) SetClientConfig(ctx context.Context, userID string, config map[string]string) error {
	if len(config) > MaxBatch {
		return im.ErrArgs.With("more than %d settings", MaxBatch)
	}
	return s.store.Write(ctx, func(tx *store.Tx) error {
		if err := mustExist(tx, userID); err != nil {
			return err
		}
		for name, value := range config {
			if len(name) > im.MaxText || len(value) > im.MaxText {
				return errTooLong
			}
			if err := tx.PutClientConfig(im.Setting{UserID: userID, Name: name, Value: value}); err != nil {
				return err
			}
		}
		return nil
	})
}

// DeleteClientConfig forgets the given names.
func (s *Service) DeleteClientConfig(ctx context.Context, userID string, names []string) error {
	if len(names) > MaxBatch {
		return im.ErrArgs.With("more than %d settings", MaxBatch)
	}
	return s.store.Write(ctx, func(tx *store.Tx) error {
		for _, name := range names {
			if err := tx.DeleteClientConfig(userID, name); err != nil {
				return err
			}
		}
		return nil
	})
}

// ClientConfigPage returns a page of all settings and their number; userID and
// name narrow it down when they are not "".
func (s *Service) ClientConfigPage(ctx context.Context, userID, name string, offset, limit int) (total int64, page []im.Setting, err error) {
	err = s.store.Read(ctx, func(tx *store.Tx) (err error) {
		total, page, err = tx.ClientConfigPage(userID, name, offset, limit)
		return err
	})
	return total, page, err
}

// mustExist refuses an unknown user; "" is everybody.
func mustExist(tx *store.Tx, userID string) error {
	if userID == "" {
		return nil
	}
	_, found, err := tx.User(userID)
	if err == nil && !found {
		err = im.ErrNotFound
	}
	return err
}

// AddCommand stores an entry of a user.
func (s *Service) AddCommand(ctx context.Context, c im.UserCommand) error {
	if len(c.UUID) > im.MaxText || len(c.Value) > im.MaxText || len(c.Ex) > im.MaxText {
		return errTooLong
	}
	err := s.store.Write(ctx, func(tx *store.Tx) error {
		c.CreatedAt = s.store.Now()
		return tx.InsertUserCommand(c)
	})
	if errors.Is(err, store.ErrDuplicateKey) {
		return im.ErrDuplicate.With("uuid %s exists", c.UUID)
	}
	return err
}

// UpdateCommand changes an entry; nil leaves a field as it is.
func (s *Service) UpdateCommand(ctx context.Context, userID string, kind int32, uuid string, value, ex *string) error {
	if tooLong(value) || tooLong(ex) {
		return errTooLong
	}
	return s.onCommand(ctx, func(tx *store.Tx) (bool, error) { return tx.UpdateUserCommand(userID, kind, uuid, value, ex) })
}

// DeleteCommand forgets an entry.
func (s *Service) DeleteCommand(ctx context.Context, userID string, kind int32, uuid string) error {
	return s.onCommand(ctx, func(tx *store.Tx) (bool, error) { return tx.DeleteUserCommand(userID, kind, uuid) })
}

func (s *Service) onCommand(ctx context.Context, f func(*store.Tx) (found bool, err error)) error {
	return s.store.Write(ctx, func(tx *store.Tx) error {
		found, err := f(tx)
		if err == nil && !found {
			err = im.ErrNotFound
		}
		return err
	})
}

// Commands returns a user's entries in order of creation; kind 0 asks for all
// kinds.
func (s *Service) Commands(ctx context.Context, userID string, kind int32) (all []im.UserCommand, err error) {
	err = s.store.Read(ctx, func(tx *store.Tx) (err error) {
		all, err = tx.UserCommands(userID, kind)
		return err
	})
	return all, err
}
