// Package user keeps profiles and the settings that hold for a whole user.
//
// Who may call is decided by the edges; the package checks what is asked for.
// A changed profile is announced to the user's own devices after the commit;
// that is best effort, because clients fetch the profile when they connect.
package user

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/store"
)

// MaxBatch is the most users one call may name.
const MaxBatch = 1000

// Service keeps users. It is safe for concurrent use.
type Service struct {
	store    *store.Store
	messages *message.Service
	hooks    im.Hooks
	log      *slog.Logger
}

// New returns a service that announces changes through messages.
func New(s *store.Store, m *message.Service, h im.Hooks, log *slog.Logger) *Service {
	out := &Service{store: s, messages: m, hooks: h, log: log}
	m.Spreads().Handle(store.SpreadToFriends, out.toFriends)
	m.Spreads().Handle(store.SpreadToGroups, out.toGroups)
	return out
}

// EnsureAdmins makes the profiles of the server's administrators, or gives
// them the configured nicknames.
func (s *Service) EnsureAdmins(ctx context.Context, admins []im.User) error {
	return s.store.Write(ctx, func(tx *store.Tx) error {
		for _, a := range admins {
			known, found, err := tx.User(a.UserID)
			switch {
			case err != nil:
				return err
			case !found:
				err = tx.InsertUser(im.User{UserID: a.UserID, Nickname: a.Nickname, AppLevel: im.LevelAdmin, CreatedAt: s.store.Now()})
			case known.Nickname != a.Nickname:
				_, err = tx.UpdateUser(a.UserID, im.UserChange{Nickname: &a.Nickname})
			}
			if err != nil {
				return fmt.Errorf("administrator %s: %w", a.UserID, err)
			}
		}
		return nil
	})
}

// Register adds users: all of them, or none.
func (s *Service) Register(ctx context.Context, users []im.User) error {
	if err := checkNew(users); err != nil {
		return err
	}
	if s.hooks.Wants(im.AskRegister) {
		var err error
		if users, err = s.askRegister(ctx, users); err != nil {
			return err
		}
		ctx = context.WithoutCancel(ctx)
	}
	operationID := im.OperationOf(ctx)
	err := s.store.Write(ctx, func(tx *store.Tx) error {
		now := s.store.Now()
		for _, u := range users {
			u.CreatedAt = now
			if err := tx.InsertUser(u); err != nil {
				return err
			}
		}
		if !tx.Wanted(im.EventUsersRegistered) {
			return nil
		}
		return tx.Record(im.UsersRegistered{Users: users, OperationID: operationID})
	})
	if errors.Is(err, store.ErrDuplicateKey) {
		return errRegistered
	}
	return err
}

// askRegister returns the users the business server lets in, who may be others
// than those asked about.
func (s *Service) askRegister(ctx context.Context, users []im.User) ([]im.User, error) {
	ids := make([]string, len(users))
	for i, u := range users {
		ids[i] = u.UserID
	}
	known, err := s.known(ctx, ids)
	if err != nil {
		return nil, err
	}
	if len(known) > 0 {
		return nil, errRegistered
	}
	q := im.MayRegister{Users: users}
	if err := s.hooks.Ask(s.hooks.WithDeadline(ctx), &q); err != nil {
		return nil, err
	}
	return q.Users, checkNew(q.Users)
}

// checkNew refuses users that cannot be registered whoever is known already.
func checkNew(users []im.User) error {
	if len(users) > MaxBatch {
		return im.ErrArgs.With("more than %d users", MaxBatch)
	}
	seen := make(map[string]bool, len(users))
	for _, u := range users {
		switch {
		case u.UserID == "":
			return im.ErrArgs.With("userID is empty")
		case !im.ValidUserID(u.UserID):
			return im.ErrArgs.With("userID %q is not made of 1 to %d letters, digits and underscores", u.UserID, im.MaxIDLength)
		case u.Nickname == "":
			return im.ErrArgs.With("user name is empty")
		case len(u.Nickname) > im.MaxText, len(u.FaceURL) > im.MaxText, len(u.Ex) > im.MaxText:
			return errTooLong
		case !validRecvOpt(u.RecvOpt):
			return im.ErrArgs.With("globalRecvMsgOpt is invalid")
		case seen[u.UserID]:
			return im.ErrArgs.With("userID repeated")
		}
		seen[u.UserID] = true
	}
	return nil
}

var errRegistered = im.ErrRegistered.With("userID registered already")

var errTooLong = im.ErrArgs.With("a text is longer than %d bytes", im.MaxText)

func tooLong(text *string) bool { return text != nil && len(*text) > im.MaxText }

func validRecvOpt(o im.RecvOpt) bool { return o >= im.RecvNotify && o <= im.RecvNoNotify }

// Update changes a profile and tells the user's devices and, if it shows
// there, those who have him in their friend list and his groups.
func (s *Service) Update(ctx context.Context, userID string, c im.UserChange) error {
	if err := checkChange(c); err != nil {
		return err
	}
	if s.hooks.Wants(c.QuestionKind()) {
		if err := s.askUpdate(ctx, userID, &c); err != nil {
			return err
		}
		ctx = context.WithoutCancel(ctx)
	}
	operationID := im.OperationOf(ctx)
	return s.update(ctx, userID, c, func(tx *store.Tx) error {
		if !tx.Wanted(im.EventProfileUpdated) {
			return nil
		}
		return tx.Record(im.ProfileUpdated{UserID: userID, Change: c, OperationID: operationID})
	})
}

// SetRecvOpt changes what a user wants to be told of. The business server has
// no say in it.
func (s *Service) SetRecvOpt(ctx context.Context, userID string, opt im.RecvOpt) error {
	return s.set(ctx, userID, im.UserChange{RecvOpt: &opt})
}

// set makes a change that the business server is neither asked about nor told of.
func (s *Service) set(ctx context.Context, userID string, c im.UserChange) error {
	if err := checkChange(c); err != nil {
		return err
	}
	return s.update(ctx, userID, c, func(*store.Tx) error { return nil })
}

func checkChange(c im.UserChange) error {
	switch {
	case c.RecvOpt != nil && !validRecvOpt(*c.RecvOpt):
		return im.ErrArgs.With("GlobalRecvMsgOpt is invalid")
	case tooLong(c.Nickname), tooLong(c.FaceURL), tooLong(c.Ex):
		return errTooLong
	}
	return nil
}

func (s *Service) askUpdate(ctx context.Context, userID string, c *im.UserChange) error {
	known, err := s.known(ctx, []string{userID})
	if err != nil {
		return err
	}
	if len(known) == 0 {
		return errUnknown
	}
	q := im.MayUpdateProfile{UserID: userID, Change: *c}
	if err := s.hooks.Ask(s.hooks.WithDeadline(ctx), &q); err != nil {
		return err
	}
	*c = q.Change
	return checkChange(*c)
}

var errUnknown = im.ErrNotFound.With("userID not found")

// update makes a change and tells of it; and runs in its transaction.
func (s *Service) update(ctx context.Context, userID string, c im.UserChange, and func(*store.Tx) error) error {
	caller, shows := im.CallerOf(ctx), false
	err := s.store.Write(ctx, func(tx *store.Tx) error {
		shows = false
		before, found, err := tx.LockUser(userID)
		if err != nil {
			return err
		}
		if !found {
			return errUnknown
		}
		if _, err := tx.UpdateUser(userID, c); err != nil {
			return err
		}
		if err := and(tx); err != nil {
			return err
		}
		if shows = differs(c.Nickname, before.Nickname) || differs(c.FaceURL, before.FaceURL); !shows {
			return nil
		}
		return beginSpread(tx, caller, userID)
	})
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx) // it is changed, whether the caller waits or not
	s.tell(ctx, message.Notification{SendID: caller.UserID, RecvID: userID, Notice: im.UserChanged{UserID: userID}})
	if shows {
		s.messages.Spreads().Begin(ctx, store.SpreadToGroups, userID)
		s.messages.Spreads().Begin(ctx, store.SpreadToFriends, userID)
	}
	return nil
}

func differs(to *string, from string) bool { return to != nil && *to != from }

// Users returns the known ones of the users, each once, in the order asked for.
func (s *Service) Users(ctx context.Context, userIDs []string) ([]im.User, error) {
	if len(userIDs) > MaxBatch {
		return nil, im.ErrArgs.With("more than %d users", MaxBatch)
	}
	known, err := s.known(ctx, userIDs)
	if err != nil {
		return nil, err
	}
	out := make([]im.User, 0, len(known))
	for _, id := range userIDs {
		if u, ok := known[id]; ok {
			out = append(out, u)
			delete(known, id)
		}
	}
	return out, nil
}

// Registered tells for each of the ids whether it is a user's.
func (s *Service) Registered(ctx context.Context, userIDs []string) ([]bool, error) {
	if len(userIDs) > MaxBatch {
		return nil, im.ErrArgs.With("more than %d users", MaxBatch)
	}
	seen := make(map[string]bool, len(userIDs))
	for _, id := range userIDs {
		if seen[id] {
			return nil, im.ErrArgs.With("userID repeated")
		}
		seen[id] = true
	}
	known, err := s.known(ctx, userIDs)
	if err != nil {
		return nil, err
	}
	out := make([]bool, len(userIDs))
	for i, id := range userIDs {
		_, out[i] = known[id]
	}
	return out, nil
}

func (s *Service) known(ctx context.Context, userIDs []string) (map[string]im.User, error) {
	var users []im.User
	err := s.store.Read(ctx, func(tx *store.Tx) (err error) {
		users, err = tx.Users(userIDs)
		return err
	})
	byID := make(map[string]im.User, len(users))
	for _, u := range users {
		byID[u.UserID] = u
	}
	return byID, err
}

// IDs returns a page of all user ids in order of registration, and their number.
func (s *Service) IDs(ctx context.Context, offset, limit int) (total int64, ids []string, err error) {
	err = s.store.Read(ctx, func(tx *store.Tx) (err error) {
		if total, err = tx.UserCount(); err != nil {
			return err
		}
		ids, err = tx.UserIDPage(offset, limit)
		return err
	})
	return total, ids, err
}

// Find returns a page of the people whose id or nickname holds a text, and
// their number. Without texts it finds everybody.
func (s *Service) Find(ctx context.Context, idPart, nickPart string, offset, limit int) (total int64, page []im.User, err error) {
	err = s.store.Read(ctx, func(tx *store.Tx) (err error) {
		total, page, err = tx.FindUsers(idPart, nickPart, offset, limit)
		return err
	})
	return total, page, err
}
