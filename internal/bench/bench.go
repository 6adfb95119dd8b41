// Package bench puts load on a running OpenIM-compatible server and checks what
// comes back. It speaks as the native Go SDK does (gob envelopes, gzip, binary
// frames) and knows the server only by its addresses, so any server of the
// protocol can be measured with the same load.
//
// A number counts only with nothing lost, doubled or out of order: every
// message carries its sender, its number and the time it was due in its
// clientMsgID, every client checks each push it gets, and a run that saw a
// violation ends with an error beside its figures.
//
// The generator usually shares the machine with the server, so the hot path
// patches frames that were encoded and deflated beforehand.
package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"time"
)

// Works, in the order of the table in docs/performance.md.
const (
	PairAck     = "pair-ack"     // 1:1, next send after the acknowledgement
	PairReceipt = "pair-receipt" // 1:1, next send when the partner has the message
	Open        = "open"         // 1:1 at a fixed rate, whatever the answers
	Group       = "group"        // one group, next send when every member has the message
	Groups      = "groups"       // groups of several sizes, from the first member to the end
	Idle        = "idle"         // connections that do nothing but keep alive
	Start       = "start"        // time to ready and memory of a fresh process

	// Works that start servers and handlers of their own.
	Hooks      = "hooks"     // what callbacks cost: off, after-hooks on, a before-hook on
	Isolation  = "isolation" // what one hanging endpoint costs senders and another endpoint
	OutageWork = "outage"    // one endpoint is away for a while
)

// ErrViolation is wrapped by the error of a run whose result cannot be trusted
// because the server broke a promise.
var ErrViolation = errors.New("the server broke a promise")

// Options configure one run. The tags are for the command line; zero values
// stand for the defaults there.
type Options struct {
	Work string `arg:"" enum:"pair-ack,pair-receipt,open,group,groups,idle,start,hooks,isolation,outage" help:"What to run: ${enum}."`

	API    string `name:"api" default:"http://127.0.0.1:10002" help:"Address of the REST API."`
	WS     string `name:"ws" default:"ws://127.0.0.1:10001" help:"Address of the long connection."`
	Secret string `default:"openIM123" env:"PARLEY_BENCH_SECRET" help:"The server's shared secret, to register users."`
	Admin  string `default:"imAdmin" help:"The administrator to register users as."`

	Users    int           `default:"100" help:"Users that connect; members in work group, members that are connected in work groups."`
	Sizes    []int         `default:"100,1000,10000,100000" help:"Members of the groups in work groups."`
	Senders  int           `default:"16" help:"Members that send, in work group."`
	Duration time.Duration `default:"10s" help:"How long to measure; how long to stay connected in work idle."`
	WarmUp   time.Duration `name:"warm-up" default:"2s" help:"Load before the measuring begins."`
	Count    int           `default:"0" help:"Stop after this many messages (without warm-up), or starts."`
	Rate     int           `default:"500" help:"Messages per second in work open."`
	Size     int           `default:"100" help:"Bytes of text per message."`
	Seed     uint64        `default:"1" help:"For texts and the order of senders."`
	Settle   time.Duration `default:"0s" help:"Pause between connecting and sending, for servers that push only some time after the handshake."`
	Drain    time.Duration `default:"10s" help:"How long to wait at the end for what is still on its way."`

	Rounds int           `default:"5" help:"Runs of each variant, by turns, in works hooks and isolation; results are medians."`
	Outage time.Duration `default:"1m" help:"How long the endpoint is away in work outage; --duration is the time before and after it."`
	Fault  string        `default:"503" enum:"503,refuse" help:"What it does meanwhile: answer 503, or refuse connections."`
	Probe  time.Duration `default:"10s" help:"The server's breaker.probe in work outage."`

	PID    int      `name:"pid" help:"Process id of the server: report its CPU time and memory."`
	Binary string   `help:"Server binary, for work start; for hooks, isolation and outage, which start parley themselves, this one by default."`
	Args   []string `name:"arg" sep:"none" help:"Argument for the binary of work start; repeatable."`

	AllowRemote bool `name:"allow-remote" help:"Allow addresses other than loopback. Load is an attack on a server that is not yours."`

	// Table, when set, gets one line per result for people.
	Table io.Writer `kong:"-"`
}

// What no option can exceed.
const (
	maxUsers    = 25_000 // one loopback address has 28,000 ports to connect from
	maxMembers  = 1000   // of a group, the limit of create_group
	maxSizes    = 10
	maxGroup    = 200_000 // members in work groups
	maxDuration = 10 * time.Minute
	maxCount    = 10_000_000
	maxRate     = 100_000
	maxSize     = 16 << 10
	maxStarts   = 100
	maxRounds   = 100
)

func (o *Options) complete() error {
	defaults := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	defaults(&o.Users, 100)
	defaults(&o.Senders, 16)
	defaults(&o.Rate, 500)
	defaults(&o.Size, 100)
	defaults(&o.Rounds, 5)
	if len(o.Sizes) == 0 {
		o.Sizes = []int{100, 1000, 10_000, 100_000}
	}
	if o.Duration == 0 {
		o.Duration = 10 * time.Second
	}
	if o.Outage == 0 {
		o.Outage = time.Minute
	}
	if o.Probe == 0 {
		o.Probe = 10 * time.Second
	}
	if o.Fault == "" {
		o.Fault = Fault503
	}
	if o.Drain == 0 {
		o.Drain = 10 * time.Second
	}
	if o.Count > 0 {
		o.WarmUp = 0
	}
	o.Senders = min(o.Senders, o.Users)

	var problems []error
	limit := func(name string, v, low, high int) {
		if v < low || v > high {
			problems = append(problems, fmt.Errorf("%s must be between %d and %d, not %d", name, low, high, v))
		}
	}
	users, count := maxUsers, maxCount
	switch o.Work {
	case Group:
		users = maxMembers
	case Groups:
		if len(o.Sizes) > maxSizes {
			problems = append(problems, fmt.Errorf("at most %d sizes, not %d", maxSizes, len(o.Sizes)))
		}
		for _, size := range o.Sizes {
			limit("size of a group", size, 10, maxGroup)
		}
	case Start:
		count = maxStarts
		if o.Binary == "" {
			problems = append(problems, errors.New("work start needs the server's binary"))
		}
	case Idle:
		if o.PID == 0 {
			problems = append(problems, errors.New("work idle needs the server's process id"))
		}
	case Hooks, Isolation, OutageWork:
		if o.Fault != Fault503 && o.Fault != FaultRefuse {
			problems = append(problems, fmt.Errorf("unknown fault %q", o.Fault))
		}
		fallthrough
	case PairAck, PairReceipt, Open:
		if o.Users%2 != 0 {
			problems = append(problems, fmt.Errorf("%d users do not make pairs", o.Users))
		}
	default:
		problems = append(problems, fmt.Errorf("unknown work %q", o.Work))
	}
	limit("users", o.Users, 2, users)
	limit("senders", o.Senders, 1, users)
	limit("count", o.Count, 0, count)
	limit("rate", o.Rate, 1, maxRate)
	limit("size", o.Size, 1, maxSize)
	limit("rounds", o.Rounds, 1, maxRounds)
	for name, d := range map[string]time.Duration{"duration": o.Duration, "warm-up": o.WarmUp, "settle": o.Settle, "drain": o.Drain, "outage": o.Outage, "probe": o.Probe} {
		if d < 0 || d > maxDuration {
			problems = append(problems, fmt.Errorf("%s must be between 0 and %s, not %s", name, maxDuration, d))
		}
	}
	for name, address := range map[string]string{"api": o.API, "ws": o.WS} {
		if o.startsServers() {
			break
		}
		if err := o.checkAddress(address); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", name, err))
		}
	}
	return errors.Join(problems...)
}

// startsServers reports whether the work has servers of its own.
func (o *Options) startsServers() bool {
	return o.Work == Hooks || o.Work == Isolation || o.Work == OutageWork
}

func (o *Options) checkAddress(address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	host := u.Hostname()
	if host == "" {
		return fmt.Errorf("%q has no host", address)
	}
	if o.AllowRemote || host == "localhost" || net.ParseIP(host).IsLoopback() {
		return nil
	}
	return fmt.Errorf("%s is not this machine; allow-remote permits it", host)
}

// Run does one work and writes its result to w as one line of JSON. The error
// wraps ErrViolation when the run came to its end and the server broke a
// promise; the result is written then, too.
func Run(ctx context.Context, o Options, w io.Writer) error {
	if err := o.complete(); err != nil {
		return fmt.Errorf("bench options: %w", err)
	}
	emit := func(r Result) error { return r.write(&o, w) }
	if o.Work == Groups {
		if err := runGroups(ctx, &o, emit); err != nil {
			return fmt.Errorf("bench %s: %w", o.Work, err)
		}
		return nil
	}
	var (
		result Result
		err    error
	)
	switch o.Work {
	case Idle:
		result, err = runIdle(ctx, &o)
	case Start:
		result, err = runStart(ctx, &o)
	case Hooks:
		result, err = runHooks(ctx, &o)
	case Isolation:
		result, err = runIsolation(ctx, &o)
	case OutageWork:
		result, err = runOutage(ctx, &o)
	default:
		result, err = runMessages(ctx, &o)
	}
	if err != nil {
		return fmt.Errorf("bench %s: %w", o.Work, err)
	}
	return emit(result)
}

// write writes a result, for machines and for people, and judges it.
func (r *Result) write(o *Options, w io.Writer) error {
	if err := json.NewEncoder(w).Encode(r); err != nil {
		return fmt.Errorf("bench: write result: %w", err)
	}
	if o.Table != nil {
		if _, err := fmt.Fprintln(o.Table, r.row()); err != nil {
			return fmt.Errorf("bench: write table: %w", err)
		}
	}
	if r.Violations != nil && r.Violations.any() {
		return fmt.Errorf("bench %s: %w: %s", o.Work, ErrViolation, r.Violations)
	}
	return nil
}
