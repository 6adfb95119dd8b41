package reload

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/im"
)

// secretBytes is the length of a new secret.
const secretBytes = 32

// RotateSecret gives a webhook endpoint a new secret and keeps the one it had as
// the previous one, which signs too. It changes webhooks.yml and takes it over.
func (s *Service) RotateSecret(ctx context.Context, endpoint string) (secret string, err error) {
	raw := make([]byte, secretBytes)
	_, _ = rand.Read(raw) // it never fails
	secret = "whsec_" + base64.StdEncoding.EncodeToString(raw)
	err = s.changeSecrets(ctx, endpoint, func(now, previous string) (string, string, error) {
		if previous != "" {
			return "", "", im.ErrArgs.With("a rotation is under way: finish it first, or the handler may know neither secret")
		}
		return secret, now, nil
	})
	if err != nil {
		return "", err
	}
	return secret, nil
}

// FinishRotation takes the previous secret of an endpoint out of webhooks.yml.
func (s *Service) FinishRotation(ctx context.Context, endpoint string) error {
	return s.changeSecrets(ctx, endpoint, func(now, previous string) (string, string, error) {
		if previous == "" {
			return "", "", im.ErrArgs.With("there is no previous secret")
		}
		return now, "", nil
	})
}

// changeSecrets writes an endpoint's secrets and previous secret.
func (s *Service) changeSecrets(ctx context.Context, endpoint string, change func(now, previous string) (string, string, error)) error {
	if s.o.Report.Dir == "" {
		return NotSupported("the server runs without a configuration directory, so there is no file to change")
	}
	s.loading.Lock()
	defer s.loading.Unlock()
	now, previous, err := secretsOf(s.Config(), endpoint)
	if err != nil {
		return err
	}
	if endpoint == defaultEndpoint && s.fromEnvironment("secret", "previousSecret") {
		return NotSupported("the secret comes from the environment: change it there")
	}
	fresh, kept, err := change(now, previous)
	if err != nil {
		return err
	}
	path, err := writtenPath(s.o.Report.Dir)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	changed, err := config.WithSecrets(text, endpoint, fresh, kept)
	if err != nil {
		return im.ErrArgs.With("%s", err)
	}
	return s.write(ctx, path, changed)
}

// defaultEndpoint is the name of the endpoint of webhooks.yml's own url.
const defaultEndpoint = "default"

// secretsOf finds the secrets of an endpoint in a configuration.
func secretsOf(c *config.Config, endpoint string) (secret, previous string, err error) {
	w := c.Webhooks
	if endpoint == defaultEndpoint {
		return w.Secret, w.PreviousSecret, nil
	}
	for _, e := range w.Endpoints {
		if e.Name == endpoint {
			return e.Secret, e.PreviousSecret, nil
		}
	}
	return "", "", im.ErrArgs.With("webhooks.yml has no endpoint %q", endpoint)
}

// fromEnvironment reports whether a variable sets one of the keys of
// webhooks.yml.
func (s *Service) fromEnvironment(keys ...string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(keys, func(key string) bool {
		return strings.HasPrefix(s.effective.Source("webhooks", key), "env ")
	})
}
