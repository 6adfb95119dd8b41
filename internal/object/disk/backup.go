package disk

import (
	"context"
	"errors"
	"io/fs"
	"path"
)

// Each opens the files of contents, by key, and of the parts of unfinished
// uploads, by id, and hands them to visit with their path below the directory.
// Contents must not be deleted meanwhile; one that is not there goes to missing.
// Parts may come and go: without them the upload is begun anew.
func (s *Store) Each(ctx context.Context, keys, uploads []string, visit func(name string, f fs.File) error, missing func(key string)) error {
	for _, key := range keys {
		if err := ctx.Err(); err != nil {
			return err
		}
		name, err := contentPath(key)
		if err != nil {
			return err
		}
		switch err := s.visit(name, visit); {
		case errors.Is(err, fs.ErrNotExist):
			missing(key)
		case err != nil:
			return err
		}
	}
	for _, id := range uploads {
		if err := ctx.Err(); err != nil {
			return err
		}
		dir, err := uploadPath(id)
		if err != nil {
			return err
		}
		parts, err := fs.ReadDir(s.root.FS(), dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, part := range parts {
			if err := s.visit(path.Join(dir, part.Name()), visit); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

func (s *Store) visit(name string, visit func(string, fs.File) error) error {
	f, err := s.root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(visit(name, f), f.Close())
}
