package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ownServer is a parley process that this run started, with a configuration and
// an empty data directory of its own.
type ownServer struct {
	API    string `json:"api"`
	WS     string `json:"ws"`
	Secret string `json:"secret"`
	PID    int    `json:"pid"`

	dir   string
	cmd   *exec.Cmd
	ended chan error
}

// startServer runs a server with a webhooks.yml until close.
func startServer(ctx context.Context, o *Options, webhooks string) (s *ownServer, err error) {
	dir, err := os.MkdirTemp("", "parley-bench-")
	if err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	s = &ownServer{dir: dir, ended: make(chan error, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	config, data, ready := filepath.Join(dir, "config"), filepath.Join(dir, "data"), filepath.Join(dir, "ready.json")
	for _, d := range []string{config, data} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return nil, fmt.Errorf("start: %w", err)
		}
	}
	for name, text := range map[string]string{
		"share.yml":    "secret: of-this-bench-run\n",
		"log.yml":      "isStdout: true\nremainLogLevel: 2\nstorageLocation: \"\"\n",
		"webhooks.yml": webhooks,
	} {
		if err := os.WriteFile(filepath.Join(config, name), []byte(text), 0o600); err != nil {
			return nil, fmt.Errorf("start: %w", err)
		}
	}
	binary := o.Binary
	if binary == "" {
		if binary, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("start: %w", err)
		}
	}
	output := new(tail)
	cmd := exec.Command(binary, "serve", "-c", config, "--data", data, "--api-addr", "127.0.0.1:0", "--ws-addr", "127.0.0.1:0", "--ready-file", ready) //nolint:gosec,noctx // a server of our own; stopped in close, gently first
	cmd.Stdout, cmd.Stderr, cmd.Dir = output, output, dir
	for _, v := range os.Environ() { // settings of a server here are not for this one
		if !strings.HasPrefix(v, "IMENV_") && !strings.HasPrefix(v, "PARLEY_") && !strings.HasPrefix(v, "CONFIG_PATH=") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	s.cmd = cmd
	go func() { s.ended <- cmd.Wait() }()
	patience, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for {
		if text, err := os.ReadFile(ready); err == nil {
			if err := json.Unmarshal(text, s); err != nil {
				return nil, fmt.Errorf("start: ready file: %w", err)
			}
			return s, nil
		}
		select {
		case err := <-s.ended:
			s.ended <- err
			return nil, fmt.Errorf("the server ended before it was ready: %w: %s", err, output)
		default:
		}
		if sleep(patience, probeEvery) != nil {
			return nil, fmt.Errorf("the server was not ready within %s: %s", startPatience, output)
		}
	}
}

// close ends the process and removes what it stored.
func (s *ownServer) close() error {
	var err error
	if s.cmd != nil {
		err = stop(s.cmd, s.ended)
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// options are o for load on this server.
func (s *ownServer) options(o *Options) *Options {
	inner := *o
	inner.Work, inner.API, inner.WS, inner.Secret, inner.PID = Open, s.API, s.WS, s.Secret, s.PID
	return &inner
}
