// Package console looks at the operator's page of a real server as people do: in
// Chromium, in both languages, with real traffic. Nothing a page does may be an
// error in the browser or a request to another host.
package console

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/parley-im/parley/test/console/chromium"
	"github.com/parley-im/parley/test/harness"
)

var (
	shared  *harness.Server // of all tests that do not need one of their own
	binary  string
	browser context.Context // one browser for all tests
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "parley-console-")
	if err != nil {
		return failed(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	var stop func()
	if browser, stop, err = chromium.Start(dir); err != nil {
		return failed(err)
	}
	defer stop()
	if binary, err = harness.Build(dir, false); err != nil {
		return failed(err)
	}
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		return failed(err)
	}
	if shared, err = harness.Start(harness.Options{Binary: binary, DataDir: data}); err != nil {
		return failed(err)
	}
	code := m.Run()
	if err := shared.Stop(); err != nil {
		return failed(err)
	}
	if code != 0 {
		fmt.Fprintf(os.Stderr, "the shared server wrote:\n%s\n", shared.Output())
	}
	return code
}

func failed(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}
