package app

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/parley-im/parley/internal/config"
)

// secret returns the configured secret, or the one kept in the data directory,
// which the first start makes.
func secret(c *config.Config) (text string, created bool, err error) {
	if c.Share.Secret != "" {
		return c.Share.Secret, false, nil
	}
	path := SecretPath(c.DataDir)
	b, err := os.ReadFile(path)
	if err == nil {
		if text = strings.TrimSpace(string(b)); text == "" {
			return "", false, fmt.Errorf("%s is empty: delete it to have a new secret made, or write one into it", path)
		}
		return text, false, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", false, fmt.Errorf("secret: %w", err)
	}
	text = rand.Text()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", false, fmt.Errorf("secret: %w", err)
	}
	_, err = f.WriteString(text + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", false, fmt.Errorf("secret: %w", err)
	}
	return text, true, nil
}
