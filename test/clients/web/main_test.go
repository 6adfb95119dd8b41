// Package web drives a parley server with the official browser client: the Go
// core compiled to WebAssembly, in Chromium, on pages of another origin than the
// server's. It is for what only a browser shows: CORS, the handshake reply as a
// text frame, text heartbeats, storage that survives a reload.
package web

import (
	"context"
	_ "embed"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/parley-im/parley/test/clients/web/chromium"
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

	var stop func()
	// The nginx of TestBehindNginx has a certificate of its own making.
	if browser, stop, err = chromium.Start(dir, chromedp.IgnoreCertErrors); err != nil {
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
