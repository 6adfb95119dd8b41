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
	"github.com/parley-im/parley/internal/reload"
	"github.com/parley-im/parley/internal/store"
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

// WebhookEvent is all the server knows of one after-event or call.
type WebhookEvent struct {
	Deliveries []store.Delivery   // attempts, newest first
	Pending    *store.OutboxEvent `json:",omitempty"` // waits in the outbox
	Dead       []store.DeadEvent  `json:",omitempty"` // was given up
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
	mux.HandleFunc("GET /config/status", control(func(context.Context, *http.Request) (any, error) { return s.config.Status(), nil }))
	mux.HandleFunc("POST /config/reload", control(func(ctx context.Context, _ *http.Request) (any, error) {
		return s.config.Reload(ctx, reload.CauseRequest)
	}))
	mux.HandleFunc("POST /push/test", control(func(ctx context.Context, r *http.Request) (any, error) {
		n := push.Notification{Title: r.FormValue("title"), Desc: r.FormValue("desc"), Ex: r.FormValue("ex")}
		return s.push.Test(ctx, r.FormValue("user"), n, r.FormValue("dry") != "")
	}))
	mux.HandleFunc("GET /webhook/deliveries", control(s.deliveries))
	mux.HandleFunc("GET /webhook/dead", control(func(ctx context.Context, r *http.Request) (any, error) {
		var out []store.DeadEvent
		err := s.store.Read(ctx, func(tx *store.Tx) (err error) {
			out, err = tx.DeadEvents(store.DeadFilter{Endpoint: r.FormValue("endpoint"), Callback: r.FormValue("callback"), Limit: number(r, "limit")})
			return err
		})
		return out, err
	}))
	mux.HandleFunc("GET /webhook/event", control(s.event))
	mux.HandleFunc("GET /webhook/why", control(s.why))
	mux.HandleFunc("GET /webhook/stats", control(func(ctx context.Context, r *http.Request) (any, error) {
		var out store.OutboxStats
		err := s.store.Read(ctx, func(tx *store.Tx) (err error) {
			out, err = tx.OutboxStats()
			return err
		})
		return out, err
	}))
	mux.HandleFunc("POST /webhook/replay", control(func(ctx context.Context, r *http.Request) (any, error) {
		n, err := s.store.ReplayDead(ctx, store.DeadFilter{EventID: r.FormValue("event"), Callback: r.FormValue("callback")})
		return map[string]int{"replayed": n}, err
	}))
	mux.HandleFunc("POST /backup", s.serveBackup)
	s.endpointControls(mux)
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

func (s *server) deliveries(ctx context.Context, r *http.Request) (any, error) {
	f := store.DeliveryFilter{
		EventID: r.FormValue("event"), Callback: r.FormValue("callback"), OperationID: r.FormValue("operation"),
		Subject: r.FormValue("subject"), MsgID: r.FormValue("message"), Outcome: r.FormValue("outcome"),
		Before: int64(number(r, "before")), Limit: number(r, "limit"),
	}
	var out []store.Delivery
	err := s.store.Read(ctx, func(tx *store.Tx) (err error) {
		out, err = tx.Deliveries(f)
		return err
	})
	return out, err
}

func (s *server) event(ctx context.Context, r *http.Request) (any, error) {
	id := r.FormValue("id")
	var out WebhookEvent
	err := s.store.Read(ctx, func(tx *store.Tx) error {
		var err error
		if out.Deliveries, err = tx.Deliveries(store.DeliveryFilter{EventID: id}); err != nil {
			return err
		}
		if out.Dead, err = tx.DeadEvents(store.DeadFilter{EventID: id}); err != nil {
			return err
		}
		pending, found, err := tx.PendingEvent(id)
		if found {
			out.Pending = &pending
		}
		return err
	})
	return out, err
}
