package edge

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Limits say how much one address and one user may ask for. 0 is no limit.
type Limits struct {
	ConnectionsPerAddress int
	ConnectionsPerUser    int
	HandshakesPerAddress  int // a second
	RequestsPerAddress    int // a second
	RequestsPerUser       int // a second
	FailuresPerAddress    int // a minute: wrong secrets and forged tokens
	FramesPerConnection   int // a second
	// Exempt are addresses that no limit per address concerns.
	Exempt Networks
}

// Rule names one of the limits.
type Rule uint8

// The limits.
const (
	NoRule Rule = iota
	ConnectionsPerAddress
	ConnectionsPerUser
	HandshakesPerAddress
	RequestsPerAddress
	RequestsPerUser
	FailuresPerAddress
	FramesPerConnection
	ruleCount
)

var ruleNames = [ruleCount]string{
	"", "connections_per_address", "connections_per_user", "handshakes_per_address", "requests_per_address", "requests_per_user",
	"failures_per_address", "frames_per_connection",
}

// String is the name in metrics.
func (r Rule) String() string { return ruleNames[r] }

// Rules are all limits.
func Rules() []Rule {
	var out []Rule
	for r := NoRule + 1; r < ruleCount; r++ {
		out = append(out, r)
	}
	return out
}

// Verdict is the answer to "may it?". The zero Verdict allows.
type Verdict struct {
	Rule  Rule // that forbids it
	Limit int
	Wait  time.Duration // after which it would be allowed; 0 if no time helps
}

// Allowed reports whether nothing forbids it.
func (v Verdict) Allowed() bool { return v.Rule == NoRule }

// String says to a client what it did too much of.
func (v Verdict) String() string {
	what := [ruleCount]string{
		"allowed", "%d connections are open from this address already", "the user has %d connections already", "more than %d handshakes a second from one address",
		"more than %d requests a second from one address", "more than %d requests a second of one user",
		"more than %d failed attempts a minute from one address", "more than %d frames a second on one connection",
	}[v.Rule]
	if v.Allowed() {
		return what
	}
	return fmt.Sprintf(what, v.Limit)
}

// RetryAfter is Wait as HTTP wants it: whole seconds, at least 1.
func (v Verdict) RetryAfter() int { return int(max(1, (v.Wait+time.Second-1)/time.Second)) }

// Limiter keeps to Limits. The nil *Limiter allows everything. The zero Addr, a
// Unix socket, has no limits.
type Limiter struct {
	limits atomic.Pointer[Limits]
	now    func() time.Time

	handshakes, requests, failures *buckets[block]
	userRequests                   *buckets[user]
	refused                        [ruleCount]atomic.Int64

	mu    sync.Mutex
	conns map[block]int32 // open connections; no entry for 0
}

// NewLimiter returns a Limiter that reads the time from now.
func NewLimiter(l Limits, now func() time.Time) *Limiter {
	out := &Limiter{
		now: now, conns: make(map[block]int32),
		handshakes: newBuckets[block](), requests: newBuckets[block](), failures: newBuckets[block](), userRequests: newBuckets[user](),
	}
	out.Set(l)
	return out
}

// Set replaces the limits. Connections that are open stay.
func (l *Limiter) Set(limits Limits) { l.limits.Store(&limits) }

// Refused is how often a limit has forbidden something.
func (l *Limiter) Refused(r Rule) int64 { return l.refused[r].Load() }

func (l *Limiter) refuse(r Rule, limit int, wait time.Duration) Verdict {
	l.refused[r].Add(1)
	return Verdict{r, limit, wait}
}

// concerns reports whether limits per address apply to a.
func (rules *Limits) concerns(a netip.Addr) bool { return a.IsValid() && !rules.Exempt.Contain(a) }

// Handshake counts an attempt to connect, before anything is known of who it is.
func (l *Limiter) Handshake(a netip.Addr) Verdict {
	if l == nil {
		return Verdict{}
	}
	rules := l.limits.Load()
	if n := rules.HandshakesPerAddress; n > 0 && rules.concerns(a) {
		if wait := l.handshakes.take(blockOf(a), perSecond(n), l.now().UnixNano()); wait > 0 {
			return l.refuse(HandshakesPerAddress, n, wait)
		}
	}
	return Verdict{}
}

// Connect counts a connection, which Disconnect must take back if it is allowed.
// Administrators are counted and never refused.
func (l *Limiter) Connect(a netip.Addr, admin bool) Verdict {
	if l == nil || !a.IsValid() {
		return Verdict{}
	}
	rules := l.limits.Load()
	b := blockOf(a)
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := rules.ConnectionsPerAddress; n > 0 && !admin && int(l.conns[b]) >= n && rules.concerns(a) {
		return l.refuse(ConnectionsPerAddress, n, 0)
	}
	l.conns[b]++
	return Verdict{}
}

// Disconnect takes back an allowed Connect.
func (l *Limiter) Disconnect(a netip.Addr) {
	if l == nil || !a.IsValid() {
		return
	}
	b := blockOf(a)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conns[b]--; l.conns[b] <= 0 {
		delete(l.conns, b)
	}
}

// Connections judges a connection of a user who has so many others.
func (l *Limiter) Connections(others int, admin bool) Verdict {
	if l == nil || admin {
		return Verdict{}
	}
	if n := l.limits.Load().ConnectionsPerUser; n > 0 && others >= n {
		return l.refuse(ConnectionsPerUser, n, 0)
	}
	return Verdict{}
}

// Request counts a request of a user, "" for nobody in particular. A request of
// an administrator is not to be asked about.
func (l *Limiter) Request(a netip.Addr, userID string) Verdict {
	if l == nil {
		return Verdict{}
	}
	rules := l.limits.Load()
	byAddress := rules.RequestsPerAddress > 0 && rules.concerns(a)
	byUser := rules.RequestsPerUser > 0 && userID != ""
	if !byAddress && !byUser {
		return Verdict{}
	}
	now := l.now().UnixNano()
	if n := rules.RequestsPerAddress; byAddress {
		if wait := l.requests.take(blockOf(a), perSecond(n), now); wait > 0 {
			return l.refuse(RequestsPerAddress, n, wait)
		}
	}
	if n := rules.RequestsPerUser; byUser {
		if wait := l.userRequests.take(user(userID), perSecond(n), now); wait > 0 {
			return l.refuse(RequestsPerUser, n, wait)
		}
	}
	return Verdict{}
}

// Attempt judges an attempt to authenticate with a secret, by the failures
// before it.
func (l *Limiter) Attempt(a netip.Addr) Verdict {
	if l == nil {
		return Verdict{}
	}
	rules := l.limits.Load()
	if n := rules.FailuresPerAddress; n > 0 && rules.concerns(a) {
		if wait := l.failures.wait(blockOf(a), perMinute(n), l.now().UnixNano()); wait > 0 {
			return l.refuse(FailuresPerAddress, n, wait)
		}
	}
	return Verdict{}
}

// Failed counts a failed attempt: a wrong secret or a forged token. It forbids
// the answer that would say so, once there were too many.
func (l *Limiter) Failed(a netip.Addr) Verdict {
	if l == nil {
		return Verdict{}
	}
	rules := l.limits.Load()
	if n := rules.FailuresPerAddress; n > 0 && rules.concerns(a) {
		if wait := l.failures.take(blockOf(a), perMinute(n), l.now().UnixNano()); wait > 0 {
			return l.refuse(FailuresPerAddress, n, wait)
		}
	}
	return Verdict{}
}

// Pace is the state of one connection; its owner calls Frame from one goroutine
// at a time.
type Pace struct{ due int64 }

// Frame counts a frame of a connection.
func (l *Limiter) Frame(p *Pace) Verdict {
	if l == nil {
		return Verdict{}
	}
	n := l.limits.Load().FramesPerConnection
	if n == 0 {
		return Verdict{}
	}
	r, now := perSecond(n), l.now().UnixNano()
	if wait := time.Duration(p.due-now) - r.ahead; wait > 0 {
		return l.refuse(FramesPerConnection, n, wait)
	}
	p.due = max(p.due, now) + int64(r.interval)
	return Verdict{}
}
