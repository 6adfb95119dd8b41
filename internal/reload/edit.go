package reload

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/im"
)

// webhooksFile is the only file that can be written.
const webhooksFile = "webhooks.yml"

// FileNames lists the files that File shows.
func (s *Service) FileNames() []string { return config.FileNames() }

// File is what is in effect of a file, as JSON with secrets masked.
func (s *Service) File(name string) (string, bool) {
	s.mu.Lock()
	effective := s.effective
	s.mu.Unlock()
	return effective.File(name)
}

// SetFile checks a new content of webhooks.yml together with all other files,
// replaces the file, and takes it over. data is YAML, which is written as it is,
// or the JSON that File shows. What is refused is not written.
func (s *Service) SetFile(ctx context.Context, name string, data []byte) error {
	if name != webhooksFile {
		if !slices.Contains(config.FileNames(), name) {
			return im.ErrArgs.With("config name not found")
		}
		return NotSupported("%s cannot be changed by a call, only %s: edit the file", name, webhooksFile)
	}
	dir := s.o.Report.Dir
	if dir == "" {
		return NotSupported("the server runs without a configuration directory, so there is no file to change")
	}
	s.loading.Lock()
	defer s.loading.Unlock()
	s.mu.Lock()
	effective := s.effective
	s.mu.Unlock()
	text, err := effective.WebhooksText(data)
	if err != nil {
		return im.ErrArgs.With("%s: %s", name, err)
	}
	path, err := writtenPath(dir)
	if err != nil {
		return err
	}
	return s.write(ctx, path, text)
}

// write checks a new webhooks.yml, replaces the file and takes it over. It is
// called with loading held.
func (s *Service) write(ctx context.Context, path string, text []byte) error {
	check := s.o.Source
	check.Contents = map[string][]byte{filepath.Base(path): text}
	if _, _, err := config.Load(check); err != nil {
		if _, ok := errors.AsType[*config.Problems](err); ok {
			return im.ErrArgs.With("%s", err)
		}
		return err
	}
	if err := replace(path, text); err != nil {
		return NotSupported("%s cannot be written: %s", webhooksFile, err)
	}
	_, err := s.reload(ctx, CauseRequest)
	return err
}

// NotSupported is the answer to what OpenIM's configuration centre did and this
// server does not.
func NotSupported(format string, args ...any) error {
	return im.ErrInternal.With("not supported: "+format, args...)
}

// writtenPath is the file that the directory has, .yml or .yaml.
func writtenPath(dir string) (string, error) {
	for _, name := range []string{webhooksFile, "webhooks.yaml"} {
		path := filepath.Join(dir, name)
		if _, err := os.Lstat(path); err == nil {
			return path, nil
		} else if !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
	}
	return filepath.Join(dir, webhooksFile), nil
}

// replace writes a file whole or not at all. A link stays, and what it leads to
// is replaced.
func replace(path string, text []byte) error {
	mode := os.FileMode(0o600) // it may hold a secret
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		mode = info.Mode().Perm()
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".webhooks-*.tmp")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // it would only be litter
		return fmt.Errorf("replace: %w", err)
	}
	return nil
}
