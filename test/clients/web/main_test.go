// Package web drives a parley server with the official browser client: the Go
// core compiled to WebAssembly, in Chromium, on pages of another origin than the
// server's. It is for what only a browser shows: CORS, the handshake reply as a
// text frame, text heartbeats, storage that survives a reload.
package web

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/parley-im/parley/test/harness"
)

const sdk = "node_modules/@openim/wasm-client-sdk"

//go:embed page.html
var pageHTML []byte

var (
	shared  *harness.Server // of all tests that do not need one of their own
	binary  string
	store   *harness.S3     // of the tests of files
	pages   string          // the origin the pages come from
	browser context.Context // one browser for all tests
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "parley-web-")
	if err != nil {
		return failed(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if _, err := os.Stat(filepath.Join(sdk, "assets", "openIM.wasm")); err != nil {
		return failed(fmt.Errorf("run prepare.sh first: %w", err))
	}

	files := httptest.NewServer(assets())
	defer files.Close()
	pages = files.URL

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
	if store, err = harness.StartS3(dir); err != nil {
		return failed(err)
	}
	defer store.Stop()
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

// assets serves the page and the client package as it was published.
func assets() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(pageHTML)
	})
	mux.Handle("GET /", http.FileServer(http.Dir(sdk)))
	return mux
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
	for _, flag := range []string{
		"disable-gpu", "disable-quic", "disable-background-networking", "disable-component-update", "disable-sync",
		"ignore-certificate-errors", // the nginx of TestBehindNginx has one of its own making
	} {
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
