// Package openapi checks the OpenAPI document of a running server with tools of
// others: a validator, and a generator whose TypeScript client is compiled and
// then talks to the server.
package openapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/parley-im/parley/test/harness"
)

func TestMain(m *testing.M) {
	if _, err := os.Stat("node_modules/.prepared"); err != nil {
		fmt.Fprintln(os.Stderr, "run prepare.sh first:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// document starts a server and returns it with a directory that holds its
// document as openapi.json.
func document(t *testing.T) (s *harness.Server, dir string) {
	t.Helper()
	binary, err := harness.Build(t.TempDir(), false)
	if err != nil {
		t.Fatal(err)
	}
	if s, err = harness.Start(harness.Options{Binary: binary, DataDir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	resp, err := http.Get(s.API + "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d, %v", resp.StatusCode, err)
	}
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "openapi.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	return s, dir
}

// node runs a script of this directory or of a package.
func node(t *testing.T, dir, script string, args ...string) []byte {
	t.Helper()
	script, err := filepath.Abs(script)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", append([]string{script}, args...)...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		var stderr []byte
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			stderr = exit.Stderr
		}
		t.Fatalf("%s: %v\n%s%s", script, err, out, stderr)
	}
	return out
}

func TestDocument(t *testing.T) {
	t.Parallel()
	server, dir := document(t)

	t.Run("is valid", func(t *testing.T) {
		t.Parallel()
		node(t, dir, "validate.mjs", filepath.Join(dir, "openapi.json"))
	})

	t.Run("a broken one is not", func(t *testing.T) {
		t.Parallel()
		broken := filepath.Join(t.TempDir(), "openapi.json")
		if err := os.WriteFile(broken, []byte(`{"openapi":"3.1.0","info":{"title":"x","version":"1"},"paths":{"/a":{"post":{"parameters":[{"in":"nowhere"}]}}}}`), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := exec.CommandContext(t.Context(), "node", "validate.mjs", broken).Run(); err == nil {
			t.Error("the validator takes it")
		}
	})

	t.Run("its client logs in and sends", func(t *testing.T) {
		t.Parallel()
		for _, name := range []string{"client.ts", "node.d.ts", "tsconfig.json", "package.json"} {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		modules, err := filepath.Abs("node_modules")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
			t.Fatal(err)
		}
		node(t, dir, "node_modules/openapi-typescript/bin/cli.js", "openapi.json", "-o", "schema.d.ts")
		node(t, dir, "node_modules/typescript/bin/tsc", "-p", ".")
		suffix := harness.UserID("_")
		var did struct {
			Nickname      string
			ServerMsgID   string
			Conversations []string
			Refused       int
		}
		if err := json.Unmarshal(node(t, dir, filepath.Join(dir, "client.js"), server.API, server.Secret, suffix), &did); err != nil {
			t.Fatal(err)
		}
		if did.Nickname != "Bob" || did.ServerMsgID == "" || !slices.Contains(did.Conversations, "si_alice"+suffix+"_bob"+suffix) || did.Refused != 1002 {
			t.Errorf("the client did %+v", did)
		}
	})
}
