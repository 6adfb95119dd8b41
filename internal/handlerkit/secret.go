package handlerkit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/parley-im/parley/hooks/signature"
)

// SecretFile is where the secret of these tools is kept between runs.
func SecretFile() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("where to keep the secret: %w; name a file with --secret-file", err)
	}
	return filepath.Join(dir, "parley", "listen.secret"), nil
}

// Secret reads a secret, or makes one and keeps it for the next time.
func Secret(file string) (text string, err error) {
	raw, err := os.ReadFile(file)
	switch {
	case err == nil:
		text = strings.TrimSpace(string(raw))
		if _, err := signature.Parse(text); err != nil {
			return "", fmt.Errorf("%s: %w", file, err)
		}
		return text, nil
	case !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return "", err
	}
	text = signature.New()
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(text + "\n")
	return text, errors.Join(err, f.Sync(), f.Close())
}
