// Package app builds a server from its configuration, starts its parts in
// order, and stops them in the reverse order. It knows everyone; only cmd and
// test kits import it.
package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/parley-im/parley/internal/api"
	"github.com/parley-im/parley/internal/auth"
	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/console"
	"github.com/parley-im/parley/internal/delivery"
	"github.com/parley-im/parley/internal/edge"
	"github.com/parley-im/parley/internal/gateway"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/jobs"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/metrics"
	"github.com/parley-im/parley/internal/outbox"
	"github.com/parley-im/parley/internal/presence"
	"github.com/parley-im/parley/internal/push"
	"github.com/parley-im/parley/internal/reload"
	"github.com/parley-im/parley/internal/spread"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/trace"
	"github.com/parley-im/parley/internal/trial"
	"github.com/parley-im/parley/internal/webhook"
	"github.com/parley-im/parley/internal/webhook/desk"
	"github.com/parley-im/parley/internal/webhook/listen"
	"github.com/parley-im/parley/internal/webhook/tail"
	"github.com/parley-im/parley/internal/wire"
)

// Options starts a server.
type Options struct {
	Config  *config.Config
	Report  *config.Report   // printed at start
	Source  config.Options   // where Config came from, to read it again
	Hangup  <-chan os.Signal // reads it again at once
	Version string

	// APIAddrs and WSAddrs replace the configured listening addresses.
	APIAddrs, WSAddrs []string
	// ReadyFile is written when all ports listen: JSON with pid, api, ws, console
	// and secret, for supervisors and tests.
	ReadyFile string
	// NotifySocket is told when the server is ready and when it begins to stop,
	// as systemd asks its services with Type=notify; "" for nobody.
	NotifySocket string

	Logger *slog.Logger
	Logs   *Logs     // behind Logger; nil when log.yml has no say
	Stdout io.Writer // for the start-up report
}

// drainTime is how long a stopping server lets begun sends finish.
const drainTime = 10 * time.Second

// server is everything that was built.
type server struct {
	options   Options
	log       *slog.Logger
	secret    string
	created   bool     // the secret was made by this start
	listening []string // addresses, set once before anything is served
	store     *store.Store
	hooks     *webhook.Engine
	push      *push.Service
	desk      *desk.Desk       // what operators do with webhooks
	warnings  console.Warnings // of the log, the last ones
	calls     tail.Log         // of handlers, for those who look on
	listens   *listen.Hub      // temporary handlers
	trial     *trial.Service
	wsAddress string // of the first WebSocket port, set once before anything is served
	outbox    *outbox.Outbox
	jobs      *jobs.Runner
	backups   backups
	spreads   *spread.Spreader
	presence  *presence.Tracker
	gateway   *gateway.Server
	auth      *auth.Service
	tracer    *trace.Tracer // nil without traces
	metrics   *metrics.Metrics
	ready     *readiness
	again     chan struct{}    // holds one when an administrator wants a restart
	history   *metrics.History // the last hour, for the console
	config    *reload.Service  // what may change while the server runs
	front     front

	certificate *edge.Certificate // of both ports; nil without TLS
	styles      atomic.Pointer[func(im.ContentType) message.NoticeStyle]
	services    api.Options
	console     *console.Console // nil when it is off
	closers     []func() error   // run last

	mu        sync.Mutex
	addresses []netip.AddrPort // our own, which webhooks must not call
}

// Run builds the server and serves until ctx is done; then it drains and stops.
func Run(ctx context.Context, o Options) error {
	started := time.Now()
	s, err := build(ctx, o)
	if err != nil {
		return err
	}
	err = errors.Join(s.serve(ctx, started), s.store.Close())
	for _, stop := range s.closers {
		err = errors.Join(err, stop())
	}
	return err
}

func build(ctx context.Context, o Options) (*server, error) {
	c := o.Config
	if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	s := &server{options: o, front: newFront(c), metrics: metrics.New(o.Version), again: make(chan struct{}, 1)}
	o.Logger = slog.New(s.warnings.Handler(o.Logger.Handler()))
	s.log = o.Logger
	useEdge, err := s.front.prepare(c.Edge)
	if err != nil {
		return nil, err
	}
	useEdge()
	if err = s.openCertificate(); err != nil {
		return nil, err
	}
	if err = s.openTracer(ctx); err != nil {
		return nil, err
	}
	if s.secret, s.created, err = secret(c); err != nil {
		return nil, err
	}
	isAdmin := func(userID string) bool { return s.auth.IsAdmin(userID) }
	s.listens = s.listenHub()
	s.trial = s.newTrial()
	s.hooks, err = webhook.New(s.webhooks(c), webhook.Options{IsAdmin: isAdmin, Listeners: s.listeners, Listen: handlers{s}, Watch: s.calls.Add, Logger: o.Logger, Called: s.webhookCalled})
	if err != nil {
		return nil, err
	}
	vendors, err := pushOptions(ctx, c)
	if err != nil {
		return nil, err
	}
	hub := gateway.NewHub()
	vendors.Hooks, vendors.Reached, vendors.Logger = s.hooks, reachedBy(hub), o.Logger
	asking := delivery.NewAsking(context.WithoutCancel(ctx), delivery.New(hub), s.hooks, o.Logger)
	vendors.Decided = asking.Decided
	vendors.Counted = func(vendor string, o push.Outcome) { s.metrics.Pushed(vendor, o.String()) }
	s.push = push.New(vendors)
	s.store, err = store.Open(ctx, store.Options{
		Dir: c.DataDir, PostgresURL: c.Storage.Postgres.URL, Synchronous: c.Storage.SQLite.Synchronous, MmapBytes: c.Storage.SQLite.MmapSize,
		OutboxBytes: c.Webhooks.Outbox.MaxBytes, Recorder: recorders{s.hooks, s.push}, Committed: s.metrics.Committed, Logger: o.Logger,
	})
	if err != nil {
		return nil, err
	}
	if err := os.RemoveAll(filepath.Join(c.DataDir, backupDir)); err != nil { // of a process that died
		return nil, errors.Join(err, s.store.Close())
	}
	s.push.Use(s.store)
	s.ready = newReadiness(s.store, c, o.Logger)
	s.metrics.From(s.ready.figures)
	if err := s.hooks.Restore(ctx, s.store); err != nil {
		return nil, errors.Join(err, s.store.Close())
	}
	rules := authRules(c)
	s.auth = auth.New(s.store, auth.Options{
		Secret: []byte(s.secret), Expire: c.Auth.TokenExpire,
		Admins: rules.Admins, Policy: rules.Policy, MaxPerPlatform: rules.MaxPerPlatform,
	})
	s.useNoticeStyles(c)
	s.presence = presence.New(s.store, o.Logger, time.Now, hub.PresenceChanged)
	messages := message.New(s.store, s.hooks, asking, wire.Notices{}, message.Options{
		FriendVerify: c.Message.FriendVerify, IsAdmin: isAdmin, Style: s.noticeStyle, Logger: o.Logger,
		SendLimit:   message.SendLimit{PerSecond: c.Limits.SendsPerSecond, Burst: c.Limits.SendBurst},
		ReadReceipt: wire.ReadReceipt,
		Counted:     s.metrics.Sent,
	})
	s.spreads = messages.Spreads()
	s.gateway = gateway.New(gateway.Options{
		MaxConns: c.Gateway.MaxConns, MaxFrameBytes: c.Gateway.MaxFrameBytes, HandshakeTimeout: c.Gateway.HandshakeTimeout,
		Auth: s.auth, Messages: messages, Presence: s.presence, Hub: hub, Tracer: s.tracer, Logger: o.Logger,
		Peers: s.front.peers, Origins: s.front.origins, Limits: s.front.limits, Load: s.front.handshakes,
	})
	s.outbox = outbox.New(s.store, outbox.Options{
		Retry:  outbox.Retry(c.Webhooks.Retry),
		Logger: o.Logger,
	}, &outboxWork{s.hooks, s.push, c.Push.MaxConcurrentWorkers, o.Logger, s.tracer})
	s.services, err = services(ctx, s, messages, online{hub, s.presence})
	if err != nil {
		return nil, errors.Join(err, s.store.Close())
	}
	s.history = metrics.NewHistory(s.metrics, outbox.SystemClock{}, s.measure(hub, messages, asking).now)
	s.openConsole()
	if s.jobs, err = scheduled(s.store, nightWork{messages, s.services.Objects, s.services.Devices, s.auth}, c, s.metrics.JobRan, o.Logger); err != nil {
		return nil, errors.Join(err, s.store.Close())
	}
	s.expect()
	return s, nil
}

// serve runs everything until ctx is done.
func (s *server) serve(ctx context.Context, started time.Time) error {
	c := s.options.Config
	apiListeners, err := s.listen(s.options.APIAddrs, c.API.ListenIP, c.API.Ports, "API")
	if err != nil {
		return err
	}
	wsListeners, err := s.listen(s.options.WSAddrs, c.Gateway.ListenIP, c.Gateway.Ports, "WebSocket")
	if err != nil {
		return errors.Join(err, closeAll(apiListeners))
	}
	consoleListeners, err := s.listenConsole()
	if err != nil {
		return errors.Join(err, closeAll(apiListeners), closeAll(wsListeners))
	}
	profileListeners, err := s.listenProfiles()
	if err != nil {
		return errors.Join(err, closeAll(apiListeners), closeAll(wsListeners), closeAll(consoleListeners))
	}
	control, err := s.listenControl()
	if err != nil {
		return errors.Join(err, closeAll(apiListeners), closeAll(wsListeners), closeAll(consoleListeners), closeAll(profileListeners))
	}
	s.wsAddress = s.socketURL(wsListeners[0])
	s.listening = []string{"API " + addresses("", apiListeners), "WebSocket " + addresses("", wsListeners)}
	// Background parts outlive the edges: what a last request records is still
	// taken up by them.
	background, stopBackground := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBackground()
	told := ctx // to stop
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var parts errgroup.Group
	start := func(part func(context.Context) error) {
		parts.Go(func() error {
			err := part(background)
			if err != nil {
				stop() // without it the server would only seem to work
			}
			return err
		})
	}
	start(s.presence.Run)
	start(s.outbox.Run)
	start(s.runConfig)
	start(s.runListens)
	start(s.trial.Run)
	start(s.jobs.Run)
	start(s.spreads.Run)
	start(s.history.Run)
	start(func(ctx context.Context) error { return s.hooks.Run(ctx, s.store) })

	quiet := slog.NewLogLogger(s.log.Handler(), slog.LevelDebug) // net/http reports clients' faults here
	restHandler := api.New(s.services)
	rest := &http.Server{Handler: s.withOperations(s.withConsole(restHandler)), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute, ErrorLog: quiet}
	rest.RegisterOnShutdown(s.hooks.StopFetching)
	page := &http.Server{Handler: s.console, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute, ErrorLog: quiet}
	sockets := &http.Server{Handler: s.gateway, ReadHeaderTimeout: c.Gateway.HandshakeTimeout, ErrorLog: quiet}
	local := &http.Server{Handler: s.controlHandler(s.withOperations(restHandler)), ReadHeaderTimeout: 10 * time.Second, ErrorLog: quiet}
	profile := &http.Server{Handler: profileHandler(), ReadHeaderTimeout: 10 * time.Second, ErrorLog: quiet}
	edges, edgeCtx := errgroup.WithContext(ctx)
	run := func(h *http.Server, listeners ...net.Listener) {
		for _, l := range listeners {
			edges.Go(func() error {
				if h == sockets {
					l = gateway.CorkListener(l) // over TLS: a batch is one record
				}
				if err := h.Serve(l); !errors.Is(err, http.ErrServerClosed) {
					return fmt.Errorf("serve %s: %w", l.Addr(), err)
				}
				return nil
			})
		}
	}
	run(rest, s.encrypted(apiListeners, "h2", "http/1.1")...)
	run(sockets, s.encrypted(wsListeners, "http/1.1")...) // no upgrade in HTTP/2
	run(page, s.encrypted(consoleListeners, "h2", "http/1.1")...)
	run(local, control)
	for _, l := range profileListeners {
		s.log.InfoContext(ctx, "profiles are served", "address", l.Addr().String())
	}
	run(profile, profileListeners...)
	consoleURL := s.consoleURL(apiListeners, consoleListeners)
	s.report(apiListeners, wsListeners, consoleURL, time.Since(started))
	if err := s.writeReady(apiListeners[0], wsListeners[0], consoleURL); err != nil {
		s.log.ErrorContext(ctx, "ready file not written", "error", err)
	}
	s.notify(ctx, "READY=1")

	restart := false
	select {
	case <-edgeCtx.Done():
	case <-s.again:
		restart = true
	}
	s.ready.stopping.Store(true)
	s.log.InfoContext(ctx, "stopping")
	if !restart { // the process does not end
		s.notify(ctx, "STOPPING=1")
	}
	if restart || told.Err() != nil {
		s.linger(c.Operations.StopDelay)
	}
	s.listens.Shutdown() // fetches wait for long
	s.trial.Shutdown(context.WithoutCancel(ctx))
	if s.console != nil {
		s.console.Shutdown()
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	_ = sockets.Shutdown(drain) // stops accepting; upgraded connections are the gateway's
	if err := s.gateway.Shutdown(drain); err != nil {
		s.log.WarnContext(ctx, "connections did not drain in time", "error", err)
	}
	if err := rest.Shutdown(drain); err != nil {
		s.log.WarnContext(ctx, "requests did not finish in time", "error", err)
	}
	if err := page.Shutdown(drain); err != nil {
		s.log.WarnContext(ctx, "console requests did not finish in time", "error", err)
	}
	_ = local.Close()
	_ = profile.Close()
	err = edges.Wait()
	stopBackground()
	err = errors.Join(err, parts.Wait())
	if restart && told.Err() == nil {
		err = errors.Join(ErrRestart, err)
	}
	return err
}

// listen opens the given addresses, or every configured port.
func (s *server) listen(given []string, ip string, ports []int, what string) ([]net.Listener, error) {
	if len(given) == 0 {
		for _, p := range ports {
			given = append(given, net.JoinHostPort(ip, strconv.Itoa(p)))
		}
	}
	var out []net.Listener
	for _, addr := range given {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s port: %w", what, err), closeAll(out))
		}
		out = append(out, l)
		if a, err := netip.ParseAddrPort(l.Addr().String()); err == nil {
			s.mu.Lock()
			s.addresses = append(s.addresses, a)
			s.mu.Unlock()
		}
	}
	return out, nil
}

func (s *server) listeners() []netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addresses
}

func closeAll(list []net.Listener) error {
	var errs []error
	for _, l := range list {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// writeReady tells a waiting process where the server listens. The file appears
// whole or not at all.
func (s *server) writeReady(apiL, wsL net.Listener, consoleURL string) error {
	path := s.options.ReadyFile
	if path == "" {
		return nil
	}
	b, err := json.Marshal(struct {
		PID     int    `json:"pid"`
		API     string `json:"api"`
		WS      string `json:"ws"`
		Console string `json:"console,omitempty"`
		Secret  string `json:"secret"`
	}{os.Getpid(), s.scheme("http") + reachable(apiL), s.scheme("ws") + reachable(wsL), consoleURL, s.secret})
	if err != nil {
		return err
	}
	tmp := path + ".new"
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// reachable is the address to connect to from this machine.
func reachable(l net.Listener) string {
	a, err := netip.ParseAddrPort(l.Addr().String())
	if err != nil || !a.Addr().IsUnspecified() {
		return l.Addr().String()
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(int(a.Port())))
}

// secretFile keeps a generated secret.
const secretFile = "secret"

// SecretPath is where a generated secret is kept.
func SecretPath(dataDir string) string { return filepath.Join(dataDir, secretFile) }
