package object

import (
	"context"
	"errors"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// sweepStep is the most rows that one transaction of a sweep touches.
const sweepStep = 200

// Sweeper deletes what is no longer needed: uploads that ended unfinished, objects
// of the given causes stored before a time, and contents that nothing names. Each
// call of what it returns does one small step and reports whether it was the last,
// which returns the errors of all.
func (s *Service) Sweeper(causes []string, before time.Time) func(context.Context) (done bool, err error) {
	steps := []func(context.Context) (more bool, err error){s.sweepUploads}
	for _, cause := range causes {
		steps = append(steps, func(ctx context.Context) (more bool, err error) {
			var n int
			err = s.store.Write(ctx, func(tx *store.Tx) (err error) {
				n, err = tx.DeleteObjects(cause, im.MillisOf(before), sweepStep)
				return err
			})
			return n == sweepStep, err
		})
	}
	steps = append(steps, s.emptyTrash)
	var errs []error
	return func(ctx context.Context) (bool, error) {
		more, err := steps[0](ctx)
		if err != nil {
			errs = append(errs, err)
		}
		if !more || err != nil {
			steps = steps[1:]
		}
		if len(steps) > 0 {
			return false, nil
		}
		return true, errors.Join(errs...)
	}
}

func (s *Service) sweepUploads(ctx context.Context) (more bool, err error) {
	var old []store.Upload
	err = s.store.Read(ctx, func(tx *store.Tx) (err error) {
		old, err = tx.ExpiredUploads(im.MillisOf(s.now()), sweepStep)
		return err
	})
	if err != nil {
		return false, err
	}
	for _, u := range old {
		if err := s.backend.Discard(ctx, &u); err != nil {
			return false, err
		}
		err := s.store.Write(ctx, func(tx *store.Tx) error {
			if err := tx.DeleteUpload(u.ID); err != nil {
				return err
			}
			return tx.TrashContent(u.Key)
		})
		if err != nil {
			return false, err
		}
	}
	return len(old) == sweepStep, nil
}

// Keep keeps all contents on disk until release is called, also those that no
// object names any more. Who copies them while the server runs needs it.
func (s *Service) Keep() (release func()) {
	s.deleting.RLock()
	return s.deleting.RUnlock
}

// emptyTrash deletes bytes first and forgets them then, so that a crash repeats
// a deletion and never loses one.
func (s *Service) emptyTrash(ctx context.Context) (more bool, err error) {
	var keys []string
	err = s.store.Read(ctx, func(tx *store.Tx) (err error) {
		keys, err = tx.ObjectTrash(sweepStep)
		return err
	})
	if err != nil || len(keys) == 0 {
		return false, err
	}
	if !s.deleting.TryLock() {
		return false, nil // they are gone by the next sweep
	}
	defer s.deleting.Unlock()
	for _, key := range keys {
		if err := s.backend.Delete(ctx, key); err != nil {
			return false, err
		}
	}
	err = s.store.Write(ctx, func(tx *store.Tx) error { return tx.ForgetTrash(keys) })
	return true, err
}
