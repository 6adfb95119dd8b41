package webhook

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-im/parley/internal/outbox"
	"github.com/parley-im/parley/internal/store"
)

// Options are what the engine needs besides its configuration.
type Options struct {
	// IsAdmin tells system administrators, whose single messages nobody is
	// asked about. Default: nobody is one.
	IsAdmin func(userID string) bool
	// Listeners are the server's own addresses, which must not be called.
	Listeners func() []netip.AddrPort
	// Listen takes the calls to addresses of ListenScheme; nil refuses them.
	Listen http.RoundTripper
	// Called, if set, is told how long every call took that was made, of handlers
	// that operations wait for or not. It must be quick.
	Called func(kind store.DeliveryKind, took time.Duration)
	// Watch is told of every attempt when it is over; nil for nobody. It must
	// not wait.
	Watch  func(Exchange)
	Logger *slog.Logger     // default: discards
	Now    func() time.Time // stamps events; default time.Now
	// Clock is the time of breakers, probes and retries; its Now replaces Now.
	// Default: the system's.
	Clock outbox.Clock
}

// Engine is the webhook engine. Its methods are safe for concurrent use.
type Engine struct {
	plan    atomic.Pointer[plan]
	log     *slog.Logger
	o       Options
	clock   outbox.Clock
	calls   deliveryLog
	alerts  *alerts
	changed chan struct{} // what Endpoints says
	tallies tallies
	store   atomic.Pointer[store.Store] // since Restore or Run

	fetching  atomic.Int64  // requests that wait for events
	fetchEnd  chan struct{} // closed when they shall not wait any longer
	fetchOnce sync.Once

	background sync.WaitGroup // probes and calls of shadows
	work       context.Context
	stop       context.CancelFunc

	reloading sync.Mutex // one change of the plan at a time
	pauses    []store.Pause
}

// New checks cfg and returns an engine for it. Delivering after-events and the
// delivery log begin with Run and with an outbox given the engine as handler.
func New(cfg Config, o Options) (*Engine, error) {
	if o.IsAdmin == nil {
		o.IsAdmin = func(string) bool { return false }
	}
	if o.Listeners == nil {
		o.Listeners = func() []netip.AddrPort { return nil }
	}
	if o.Called == nil {
		o.Called = func(store.DeliveryKind, time.Duration) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Clock == nil {
		o.Clock = outbox.SystemClock{}
	} else {
		o.Now = o.Clock.Now
	}
	e := &Engine{
		log:      o.Logger,
		o:        o,
		clock:    o.Clock,
		calls:    deliveryLog{rows: make(chan store.Delivery, callsBuffered)},
		alerts:   newAlerts(),
		changed:  make(chan struct{}, 1),
		fetchEnd: make(chan struct{}),
	}
	p, err := newPlan(cfg, o, nil)
	if err != nil {
		return nil, err
	}
	e.work, e.stop = context.WithCancel(context.Background())
	e.plan.Store(p)
	return e, nil
}

// short cuts what is shown of texts that others wrote.
func short(s string, n int) string {
	if len(s) > n {
		s = s[:n] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
