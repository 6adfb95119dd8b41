// Package console looks at the operator's page of a real server as people do: in
// Chromium, in both languages, with real traffic. Nothing a page does may be an
// error in the browser or a request to another host.
package console

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
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
	stop, err := startBrowser(dir)
	if err != nil {
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

func startBrowser(dir string) (stop func(), err error) {
	path, err := chromium()
	if err != nil {
		return nil, err
	}
	profile, temp := filepath.Join(dir, "profile"), filepath.Join(dir, "tmp")
	for _, d := range []string{profile, temp} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return nil, err
		}
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(profile),
		chromedp.Env("TMPDIR="+temp)) // the browser leaves files there
	for _, flag := range []string{"disable-gpu", "disable-quic", "disable-background-networking", "disable-component-update", "disable-sync"} {
		options = append(options, chromedp.Flag(flag, true))
	}
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, stopBrowser := chromedp.NewContext(allocator)
	stop = func() { stopBrowser(); stopAllocator() }
	if err := chromedp.Do(ctx); err != nil {
		stop()
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	browser = ctx
	return stop, nil
}

func chromium() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("there is no Chromium here; scripts/install-deps.sh installs it")
}
