package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/push"
)

// Commands that talk to a running server use a socket in the data directory:
// who may open it may administrate. No second process opens the database.
const controlSocket = "control.sock"

// ControlPath is the socket of the server that uses a data directory.
func ControlPath(dataDir string) string { return filepath.Join(dataDir, controlSocket) }

func (s *server) listenControl() (net.Listener, error) {
	path := ControlPath(s.options.Config.DataDir)
	// The data directory is locked by us, so a socket found here is left over.
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	l, err := listenUnix(path)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("control socket: %w", err), l.Close())
	}
	return l, nil
}

// AdminToken is what the command "token" gets.
type AdminToken struct {
	UserID  string
	Token   string
	Seconds int64
}

// controlHandler serves the socket: its own paths, and with a token the API.
func (s *server) controlHandler(rest http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", rest)
	mux.HandleFunc("POST /token", control(func(ctx context.Context, r *http.Request) (any, error) {
		admins := s.config.Config().Share.Admins
		if len(admins) == 0 {
			return nil, errors.New("share.yml names no administrator")
		}
		userID := admins[0].UserID
		token, life, err := s.auth.AdminToken(ctx, s.secret, userID)
		return AdminToken{userID, token, int64(life / time.Second)}, err
	}))
	mux.HandleFunc("GET /config/status", control(func(context.Context, *http.Request) (any, error) { return s.desk.Status(), nil }))
	mux.HandleFunc("POST /config/reload", control(func(ctx context.Context, _ *http.Request) (any, error) {
		return s.desk.Reload(ctx)
	}))
	mux.HandleFunc("POST /push/test", control(func(ctx context.Context, r *http.Request) (any, error) {
		n := push.Notification{Title: r.FormValue("title"), Desc: r.FormValue("desc"), Ex: r.FormValue("ex")}
		return s.push.Test(ctx, r.FormValue("user"), n, r.FormValue("dry") != "")
	}))
	mux.HandleFunc("POST /backup", s.serveBackup)
	s.webhookControls(mux)
	profiles(mux)
	return mux
}

func control(f func(context.Context, *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		out, err := f(im.WithOperation(r.Context(), "control"), r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(out) // the command went away if this fails
	}
}

func number(r *http.Request, name string) int {
	n, _ := strconv.Atoi(r.FormValue(name)) // absent or odd: the default
	return n
}
