package object

import (
	"context"
	"errors"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// sweepStep is the most rows that one transaction of Sweep touches.
const sweepStep = 200

// Sweep deletes what is no longer needed: uploads that ended unfinished, objects
// of the given causes stored before a time, and contents that nothing names.
// It works in small steps and returns the first error after trying the rest.
func (s *Service) Sweep(ctx context.Context, causes []string, before time.Time) error {
	var errs []error
	errs = append(errs, s.sweepUploads(ctx))
	for _, cause := range causes {
		for {
			var n int
			err := s.store.Write(ctx, func(tx *store.Tx) (err error) {
				n, err = tx.DeleteObjects(cause, im.MillisOf(before), sweepStep)
				return err
			})
			if err != nil || n < sweepStep {
				errs = append(errs, err)
				break
			}
		}
	}
	return errors.Join(append(errs, s.emptyTrash(ctx))...)
}

func (s *Service) sweepUploads(ctx context.Context) error {
	for {
		var old []store.Upload
		err := s.store.Read(ctx, func(tx *store.Tx) (err error) {
			old, err = tx.ExpiredUploads(im.MillisOf(s.now()), sweepStep)
			return err
		})
		if err != nil {
			return err
		}
		for _, u := range old {
			if err := s.backend.Discard(ctx, &u); err != nil {
				return err
			}
			err := s.store.Write(ctx, func(tx *store.Tx) error {
				if err := tx.DeleteUpload(u.ID); err != nil {
					return err
				}
				return tx.TrashContent(u.Key)
			})
			if err != nil {
				return err
			}
		}
		if len(old) < sweepStep {
			return nil
		}
	}
}

// emptyTrash deletes bytes first and forgets them then, so that a crash repeats
// a deletion and never loses one.
func (s *Service) emptyTrash(ctx context.Context) error {
	for {
		var keys []string
		err := s.store.Read(ctx, func(tx *store.Tx) (err error) {
			keys, err = tx.ObjectTrash(sweepStep)
			return err
		})
		if err != nil || len(keys) == 0 {
			return err
		}
		for _, key := range keys {
			if err := s.backend.Delete(ctx, key); err != nil {
				return err
			}
		}
		if err := s.store.Write(ctx, func(tx *store.Tx) error { return tx.ForgetTrash(keys) }); err != nil {
			return err
		}
	}
}
