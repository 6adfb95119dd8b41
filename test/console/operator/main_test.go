// Package operator walks overview, webhooks and access of the operator's page in a
// browser: every page and action, in both languages, on the real binary with real
// traffic.
package operator

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/parley-im/parley/test/console/chromium"
	"github.com/parley-im/parley/test/harness"
)

var (
	shared  *site
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
	// Without it a test that reads a page would find it in the language of the machine.
	if browser, stop, err = chromium.Start(dir, chromedp.Flag("lang", "en"), chromedp.Flag("force-device-scale-factor", "1")); err != nil {
		return failed(err)
	}
	defer stop()
	if binary, err = harness.Build(dir, false); err != nil {
		return failed(err)
	}
	if shared, err = startSite(filepath.Join(dir, "shared"), everything, nil, "IMENV_WEBHOOKS_AFTERUSERONLINE_TIMEOUT=4"); err != nil {
		return failed(err)
	}
	code := m.Run()
	if err := shared.stop(); err != nil {
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
