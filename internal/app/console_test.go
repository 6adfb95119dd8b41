package app

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/parley-im/parley/internal/config"
)

// The operator's page is beside the API, or at an address of its own, or nowhere.
func TestConsoleSwitch(t *testing.T) {
	for name, test := range map[string]struct {
		set    func(*config.Console)
		beside bool // the API's port answers
		own    int  // listeners
	}{
		"beside the API": {func(*config.Console) {}, true, 0},
		"off":            {func(c *config.Console) { c.Enable = false }, false, 0},
		"on its own":     {func(c *config.Console) { c.Listen = "127.0.0.1:0" }, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			c := config.Default()
			c.DataDir = t.TempDir()
			test.set(&c.Console)
			s, err := build(t.Context(), Options{Config: c, Logger: slog.New(slog.DiscardHandler), Stdout: io.Discard})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := s.store.Close(); err != nil {
					t.Error(err)
				}
			}()
			listeners, err := s.listenConsole()
			if err != nil || len(listeners) != test.own {
				t.Fatalf("%d listeners, %v", len(listeners), err)
			}
			if err := closeAll(listeners); err != nil {
				t.Error(err)
			}
			rest := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
			for path, console := range map[string]bool{"/console": test.beside, "/console/login": test.beside, "/consolex": false, "/user/user_register": false} {
				w := httptest.NewRecorder()
				s.withConsole(rest).ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
				if got := w.Code != http.StatusTeapot; got != console {
					t.Errorf("%s: status %d", path, w.Code)
				}
			}
		})
	}
}
