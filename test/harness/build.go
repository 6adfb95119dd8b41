package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Build returns the path of a parley binary, with the race detector if race is
// set. The variables PARLEY_BIN and PARLEY_RACE_BIN name one that exists already;
// otherwise it is built from the repository into dir.
func Build(dir string, race bool) (string, error) {
	name, env := "parley", "PARLEY_BIN"
	if race {
		name, env = "parley-race", "PARLEY_RACE_BIN"
	}
	if given := os.Getenv(env); given != "" {
		path, err := filepath.Abs(given)
		if err != nil {
			return "", fmt.Errorf("%s: %w", env, err)
		}
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("%s: %w", env, err)
		}
		return path, nil
	}
	root, err := repository()
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, name)
	args := []string{"build", "-o", binary}
	if race {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, "./cmd/parley")...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build ./cmd/parley: %w\n%s", err, out)
	}
	return binary, nil
}

// repository is the directory above the working directory that holds the server.
func repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "cmd", "parley")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no cmd/parley in any directory above this test")
		}
		dir = parent
	}
}
