package object

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// Form is a permission to send one file as a form of a web page.
type Form struct {
	ID        string
	URL       string
	ExpiresAt im.Millis
}

// StartForm begins an upload by form. valid is how long, for administrators
// only; 0 is 10 minutes.
func (s *Service) StartForm(ctx context.Context, base string, size int64, valid time.Duration, f File) (Form, error) {
	caller := im.CallerOf(ctx)
	if err := checkName(caller, f.Name); err != nil {
		return Form{}, err
	}
	if _, err := s.PartSize(size); err != nil {
		return Form{}, err
	}
	if valid <= 0 || !caller.Admin {
		valid = formFor
	}
	if err := s.admit(ctx, caller, size); err != nil {
		return Form{}, err
	}
	if err := s.room(ctx, size); err != nil {
		return Form{}, err
	}
	until := s.now().Add(min(valid, formMax))
	u := store.Upload{
		ID: newKey("f"), UserID: caller.UserID, Key: newKey("b"), Size: size, Name: f.Name, ContentType: contentType(f.ContentType),
		Cause: short(f.Cause), ExpiresAt: im.MillisOf(until),
	}
	err := s.store.Write(ctx, func(tx *store.Tx) error { return tx.InsertUpload(u) })
	return Form{ID: u.ID, URL: s.signer.formURL(base, u.ID, until), ExpiresAt: u.ExpiresAt}, err
}

// FormSize checks a form's link and returns the size in bytes its file must have.
func (s *Service) FormSize(ctx context.Context, formID, expires, signature string) (int64, error) {
	if !s.signer.valid(formText(formID), expires, signature, s.now()) {
		return 0, im.ErrNoPermission.With("the link is wrong or has expired")
	}
	u, err := s.formOf(im.WithCaller(ctx, im.Caller{Server: true}), formID)
	return u.Size, err
}

// ReceiveForm stores the file of a form whose link FormSize has checked.
func (s *Service) ReceiveForm(ctx context.Context, formID string, r io.Reader) error {
	u, err := s.formOf(im.WithCaller(ctx, im.Caller{Server: true}), formID)
	if err != nil {
		return err
	}
	// One byte more shows a file that is too long.
	counted := &counter{r: io.LimitReader(r, u.Size+1)}
	if err := s.backend.Put(ctx, u.Key, u.ContentType, -1, counted); err != nil {
		return fmt.Errorf("store form: %w", err)
	}
	return s.store.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.PutContent(u.Key, "", counted.n, s.store.Now())
		return err
	})
}

// CompleteForm names the file of a form. A file of another size than announced
// is im.ErrData.
func (s *Service) CompleteForm(ctx context.Context, formID string) (name string, err error) {
	u, err := s.formOf(ctx, formID)
	if err != nil {
		return "", err
	}
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		size, found, err := tx.ContentSize(u.Key)
		switch {
		case err != nil:
			return err
		case !found:
			return im.ErrData.With("the file has not been sent")
		case size != u.Size:
			return im.ErrData.With("the file does not have the %d bytes that were announced", u.Size)
		}
		o := s.object(im.Caller{UserID: u.UserID}, u.Key, u.Size, File{u.Name, u.ContentType, u.Cause})
		if stored, err := tx.PutObject(o); err != nil || !stored {
			return err
		}
		return tx.DeleteUpload(u.ID)
	})
	return u.Name, err
}

func (s *Service) formOf(ctx context.Context, id string) (store.Upload, error) {
	u, err := s.uploadOf(ctx, id)
	if err == nil && u.Hash != "" {
		err = im.ErrNotFound.With("form not found")
	}
	return u, err
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}
