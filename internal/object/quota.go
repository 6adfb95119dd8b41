package object

import (
	"context"
	"sync"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// admit checks that a user may store size bytes more.
func (s *Service) admit(ctx context.Context, caller im.Caller, size int64) error {
	if caller.Admin || caller.Server {
		return nil
	}
	var stored int64
	var uploads int
	err := s.store.Read(ctx, func(tx *store.Tx) (err error) {
		stored, uploads, err = tx.BytesOf(caller.UserID)
		return err
	})
	switch {
	case err != nil:
		return err
	case s.quota > 0 && stored+size > s.quota:
		return im.ErrArgs.With("quota of %d bytes exceeded", s.quota)
	case uploads >= maxUploads:
		return im.ErrArgs.With("more than %d unfinished uploads", maxUploads)
	}
	return nil
}

// recount is how long the bytes of everybody are counted on from what the database
// said: adding them up is work that grows with the number of files.
const recount = time.Minute

// usage is how many bytes are stored or being uploaded by everybody.
type usage struct {
	mu    sync.Mutex
	bytes int64
	at    time.Time // when the database was asked
}

// room checks that the server may store size bytes more for anybody, and takes them.
// Other nodes' uploads of the last minute are not known here.
func (s *Service) room(ctx context.Context, size int64) error {
	if s.totalQuota <= 0 {
		return nil
	}
	now := s.now()
	s.usage.mu.Lock()
	stale := now.Sub(s.usage.at) >= recount
	s.usage.mu.Unlock()
	if stale {
		var bytes int64
		if err := s.store.Read(ctx, func(tx *store.Tx) (err error) {
			bytes, err = tx.BytesOfAll()
			return err
		}); err != nil {
			return err
		}
		if bytes+size > s.totalQuota {
			s.log.WarnContext(ctx, "files are refused: object.totalQuota is used up", "bytes", bytes, "quota", s.totalQuota)
		}
		s.usage.mu.Lock()
		s.usage.bytes, s.usage.at = bytes, now
		s.usage.mu.Unlock()
	}
	s.usage.mu.Lock()
	defer s.usage.mu.Unlock()
	if s.usage.bytes+size > s.totalQuota {
		return im.ErrArgs.With("the server has no room for %d bytes more", size)
	}
	s.usage.bytes += size
	return nil
}
