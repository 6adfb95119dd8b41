// Package device keeps what users' devices say of themselves: the token a push
// vendor reaches them by, the number on the app's icon, and the log files an app
// has uploaded (rest-api 3.5).
package device

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/big"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// MaxLogs is the most files or ids one call may name.
const MaxLogs = 1000

const maxToken = 4096 // bytes of a push token

// Service keeps devices. It is safe for concurrent use.
type Service struct{ store *store.Store }

// New returns a service.
func New(s *store.Store) *Service { return &Service{s} }

// SetPushToken stores the token of a user's platform for a time; 0 is for ever.
func (s *Service) SetPushToken(ctx context.Context, userID string, p im.Platform, token string, valid time.Duration) error {
	if len(token) > maxToken {
		return im.ErrArgs.With("the token is longer than %d bytes", maxToken)
	}
	if valid < 0 {
		return im.ErrArgs.With("expireTime is negative")
	}
	t := store.PushToken{UserID: userID, Platform: p, Token: token}
	if valid > 0 {
		t.ExpiresAt = s.store.Now() + im.Millis(valid.Milliseconds())
	}
	return s.store.Write(ctx, func(tx *store.Tx) error { return tx.PutPushToken(t) })
}

// SetBadge stores the number on a user's app icon.
func (s *Service) SetBadge(ctx context.Context, userID string, unread int64) error {
	if unread < 0 {
		return im.ErrArgs.With("appUnreadCount is negative")
	}
	return s.store.Write(ctx, func(tx *store.Tx) error { return tx.SetAppBadge(userID, unread) })
}

// AddLogs stores what the caller's app says of its uploaded log files.
func (s *Service) AddLogs(ctx context.Context, logs []store.ClientLog) error {
	if len(logs) > MaxLogs {
		return im.ErrArgs.With("more than %d files", MaxLogs)
	}
	for i := range logs {
		l := &logs[i]
		for _, text := range []string{l.URL, l.Filename, l.AppFramework, l.Version, l.Ex} {
			if len(text) > im.MaxText {
				return im.ErrArgs.With("a text is longer than %d bytes", im.MaxText)
			}
		}
		id, err := logID()
		if err != nil {
			return err
		}
		l.ID, l.CreatedAt = id, s.store.Now()
	}
	return s.store.Write(ctx, func(tx *store.Tx) error { return tx.InsertClientLogs(logs) })
}

// logID is ten random digits, as OpenIM's.
func logID() (string, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(1e10))
	if err != nil {
		return "", fmt.Errorf("log id: %w", err)
	}
	return fmt.Sprintf("%010d", n), nil
}

// DeleteLogs forgets logs by their ids. With an unknown one it is
// im.ErrNotFound and none is deleted.
func (s *Service) DeleteLogs(ctx context.Context, ids []string) error {
	if len(ids) > MaxLogs {
		return im.ErrArgs.With("more than %d logIDs", MaxLogs)
	}
	return s.store.Write(ctx, func(tx *store.Tx) error {
		found, err := tx.DeleteClientLogs(ids)
		if err == nil && !found {
			err = im.ErrNotFound.With("a logID is unknown")
		}
		return err
	})
}

// Logs returns a page of the logs of users whose id contains part, the newest
// first, and how many there are.
func (s *Service) Logs(ctx context.Context, part string, from, to im.Millis, offset, limit int) (logs []store.ClientLog, total int64, users map[string]im.User, err error) {
	if from > to {
		return nil, 0, nil, im.ErrArgs.With("startTime is after endTime")
	}
	if to == 0 {
		to = s.store.Now()
	}
	err = s.store.Read(ctx, func(tx *store.Tx) error {
		if logs, total, err = tx.ClientLogs(part, from, to, offset, limit); err != nil {
			return err
		}
		ids := make([]string, len(logs))
		for i, l := range logs {
			ids[i] = l.UserID
		}
		found, err := tx.Users(ids)
		users = make(map[string]im.User, len(found))
		for _, u := range found {
			users[u.UserID] = u
		}
		return err
	})
	return logs, total, users, err
}

// pruneStep is the most rows one step deletes.
const pruneStep = 500

// Prune deletes the push tokens that have ended, and logs older than a time. Each
// call of the function it returns does a small part and reports whether it was the
// last.
func (s *Service) Prune(now, logsBefore im.Millis) func(context.Context) (done bool, err error) {
	return func(ctx context.Context) (bool, error) {
		var tokens, logs int64
		err := s.store.Write(ctx, func(tx *store.Tx) (err error) {
			if tokens, err = tx.PrunePushTokens(now, pruneStep); err != nil {
				return err
			}
			logs, err = tx.PruneClientLogs(logsBefore, pruneStep)
			return err
		})
		return tokens < pruneStep && logs < pruneStep, err
	}
}
