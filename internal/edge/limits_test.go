package edge_test

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/edge"
)

// clock stands still until it is moved.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.at.Store(now.UnixNano())
	return c
}

func (c *clock) now() time.Time       { return time.Unix(0, c.at.Load()) }
func (c *clock) pass(d time.Duration) { c.at.Add(int64(d)) }
func addr(s string) netip.Addr        { return netip.MustParseAddr(s) }
func allowed(n int, f func() bool) (ok int) {
	for range n {
		if f() {
			ok++
		}
	}
	return ok
}

func TestRates(t *testing.T) {
	t.Parallel()
	one, other := addr("203.0.113.1"), addr("203.0.113.2")
	for _, c := range []struct {
		rule   edge.Rule
		limits edge.Limits
		ask    func(*edge.Limiter, netip.Addr) edge.Verdict
		burst  int
		per    time.Duration
		rate   int
	}{
		{
			edge.HandshakesPerAddress,
			edge.Limits{HandshakesPerAddress: 3},
			(*edge.Limiter).Handshake, 30, time.Second, 3,
		},
		{
			edge.RequestsPerAddress,
			edge.Limits{RequestsPerAddress: 5, RequestsPerUser: 1000},
			func(l *edge.Limiter, a netip.Addr) edge.Verdict { return l.Request(a, "u") }, 50, time.Second, 5,
		},
		{
			edge.RequestsPerUser,
			edge.Limits{RequestsPerAddress: 1000, RequestsPerUser: 5},
			func(l *edge.Limiter, a netip.Addr) edge.Verdict { return l.Request(a, "user of "+a.String()) }, 50, time.Second, 5,
		},
		{
			edge.FailuresPerAddress,
			edge.Limits{FailuresPerAddress: 6},
			(*edge.Limiter).Failed, 6, time.Minute, 6,
		},
	} {
		t.Run(c.rule.String(), func(t *testing.T) {
			t.Parallel()
			clock := newClock()
			l := edge.NewLimiter(c.limits, clock.now)
			ask := func() bool { return c.ask(l, one).Allowed() }
			if got := allowed(2*c.burst, ask); got != c.burst {
				t.Errorf("at once: %d, want %d", got, c.burst)
			}
			if got := l.Refused(c.rule); got != int64(c.burst) {
				t.Errorf("counted as refused: %d", got)
			}
			v := c.ask(l, one)
			if v.Rule != c.rule || v.Wait <= 0 || v.RetryAfter() < 1 {
				t.Errorf("verdict %+v", v)
			}
			if !c.ask(l, other).Allowed() {
				t.Error("another address is refused, too")
			}
			// Waiting as long as it was told helps, and not less.
			clock.pass(v.Wait - 1)
			if ask() {
				t.Error("allowed before its time")
			}
			clock.pass(1)
			if got := allowed(2, ask); got != 1 {
				t.Errorf("after the wait %d are allowed, want 1", got)
			}
			clock.pass(c.per)
			if got := allowed(2*c.burst, ask); got != c.rate {
				t.Errorf("after %s: %d, want %d", c.per, got, c.rate)
			}
			clock.pass(time.Hour)
			if got := allowed(2*c.burst, ask); got != c.burst {
				t.Errorf("after a long pause: %d, want %d", got, c.burst)
			}
			l.Set(edge.Limits{})
			if !ask() {
				t.Error("refused without a limit")
			}
		})
	}
}

// TestWhoIsOne: an IPv6 client has a whole /64 and counts as one; exempt
// addresses and Unix sockets have no limits.
func TestWhoIsOne(t *testing.T) {
	t.Parallel()
	l := edge.NewLimiter(edge.Limits{HandshakesPerAddress: 1, ConnectionsPerAddress: 1, Exempt: networks(t, "10.0.0.0/8")}, newClock().now)
	ask := func(a string) func() bool {
		return func() bool { return l.Handshake(addr(a)).Allowed() }
	}
	if got := allowed(10, ask("2001:db8:1:2::1")) + allowed(10, ask("2001:db8:1:2:ffff:ffff:ffff:ffff")); got != 10 {
		t.Errorf("one /64 was allowed %d", got)
	}
	if got := allowed(10, ask("2001:db8:1:3::1")); got != 10 {
		t.Errorf("its neighbour was allowed %d", got)
	}
	if got := allowed(100, ask("10.0.0.1")); got != 100 {
		t.Errorf("an exempt address was allowed %d", got)
	}
	if got := allowed(100, func() bool { return l.Handshake(netip.Addr{}).Allowed() && l.Connect(netip.Addr{}, false).Allowed() }); got != 100 {
		t.Errorf("a Unix socket was allowed %d", got)
	}
}

func TestConnections(t *testing.T) {
	t.Parallel()
	l := edge.NewLimiter(edge.Limits{ConnectionsPerAddress: 3, ConnectionsPerUser: 2}, newClock().now)
	a := addr("203.0.113.1")
	connect := func() bool { return l.Connect(a, false).Allowed() }
	if got := allowed(10, connect); got != 3 {
		t.Errorf("%d connections, want 3", got)
	}
	if v := l.Connect(a, false); v.Rule != edge.ConnectionsPerAddress || v.Wait != 0 || v.String() != "3 connections are open from this address already" {
		t.Errorf("verdict %+v %s", v, v)
	}
	if !l.Connect(a, true).Allowed() {
		t.Error("an administrator is refused")
	}
	l.Disconnect(a) // the administrator's
	if connect() {
		t.Error("one too many")
	}
	l.Disconnect(a)
	if got := allowed(2, connect); got != 1 {
		t.Errorf("after one was closed %d may open, want 1", got)
	}
	if !l.Connect(addr("203.0.113.2"), false).Allowed() {
		t.Error("another address is refused, too")
	}
	for others, want := range map[int]bool{0: true, 1: true, 2: false, 3: false} {
		if got := l.Connections(others, false).Allowed(); got != want || !l.Connections(others, true).Allowed() {
			t.Errorf("beside %d others: %v", others, got)
		}
	}
	// Limits may come while connections are open.
	l.Set(edge.Limits{})
	if got := allowed(10, connect); got != 10 {
		t.Errorf("without a limit: %d", got)
	}
	l.Set(edge.Limits{ConnectionsPerAddress: 13})
	if connect() {
		t.Error("those that were open before the limit do not count")
	}
}

// TestAttempts: failures forbid further attempts; successes cost nothing.
func TestAttempts(t *testing.T) {
	t.Parallel()
	clock := newClock()
	l := edge.NewLimiter(edge.Limits{FailuresPerAddress: 2}, clock.now)
	a := addr("203.0.113.1")
	attempt := func() bool { return l.Attempt(a).Allowed() }
	if got := allowed(1000, attempt); got != 1000 {
		t.Errorf("without failures %d attempts", got)
	}
	if !l.Failed(a).Allowed() || !attempt() || !l.Failed(a).Allowed() || attempt() {
		t.Error("two failures are allowed")
	}
	v := l.Attempt(a)
	if v.Rule != edge.FailuresPerAddress || v.RetryAfter() != 30 {
		t.Errorf("verdict %+v", v)
	}
	clock.pass(30 * time.Second)
	if !attempt() || !l.Failed(a).Allowed() || attempt() {
		t.Error("after half a minute one failure is allowed")
	}
}

func TestFrames(t *testing.T) {
	t.Parallel()
	clock := newClock()
	l := edge.NewLimiter(edge.Limits{FramesPerConnection: 4}, clock.now)
	var one, other edge.Pace
	if got := allowed(100, func() bool { return l.Frame(&one).Allowed() }); got != 40 {
		t.Errorf("at once: %d", got)
	}
	if !l.Frame(&other).Allowed() {
		t.Error("another connection is refused, too")
	}
	clock.pass(time.Second)
	if got := allowed(100, func() bool { return l.Frame(&one).Allowed() }); got != 4 {
		t.Errorf("after a second: %d", got)
	}
}

func TestNoLimiter(t *testing.T) {
	t.Parallel()
	var none *edge.Limiter
	a := addr("203.0.113.1")
	if v := none.Handshake(a); !v.Allowed() || !none.Connect(a, false).Allowed() || !none.Connections(1<<20, false).Allowed() ||
		!none.Request(a, "u").Allowed() || !none.Attempt(a).Allowed() || !none.Failed(a).Allowed() || !none.Frame(nil).Allowed() {
		t.Error("refused without a limiter")
	}
	none.Disconnect(a)
}

// TestRoom: 400,000 addresses leave a bounded memory, and one that keeps
// asking while they pass by is not forgotten as long as room is made by those
// whose time has passed.
func TestRoom(t *testing.T) {
	t.Parallel()
	clock := newClock()
	l := edge.NewLimiter(edge.Limits{HandshakesPerAddress: 1}, clock.now)
	busy := addr("2001:db8::1")
	allowed(20, func() bool { return l.Handshake(busy).Allowed() })
	for i := range 400_000 {
		if i%1000 == 0 {
			clock.pass(10 * time.Millisecond)
			l.Handshake(busy)
		}
		l.Handshake(netip.AddrFrom4([4]byte{11, byte(i >> 16), byte(i >> 8), byte(i)}))
	}
	if got := l.Remembered(); got > 262_144 || got < 1000 {
		t.Errorf("%d addresses are remembered", got)
	}
	if l.Handshake(busy).Allowed() {
		t.Error("who never stopped was forgotten")
	}
}

// TestFlood: addresses that all ask too much cannot grow the memory either.
func TestFlood(t *testing.T) {
	t.Parallel()
	l := edge.NewLimiter(edge.Limits{HandshakesPerAddress: 1}, newClock().now)
	for i := range 400_000 {
		l.Handshake(netip.AddrFrom4([4]byte{11, byte(i >> 16), byte(i >> 8), byte(i)}))
	}
	if got := l.Remembered(); got > 262_144 || got < 200_000 {
		t.Errorf("%d addresses are remembered", got)
	}
}

// TestTogether: goroutines that ask at once get no more than one would.
func TestTogether(t *testing.T) {
	t.Parallel()
	l := edge.NewLimiter(edge.Limits{RequestsPerAddress: 10, ConnectionsPerAddress: 7}, newClock().now)
	a := addr("203.0.113.1")
	var requests, connections atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			requests.Add(int64(allowed(100, func() bool { return l.Request(a, "").Allowed() })))
			connections.Add(int64(allowed(100, func() bool { return l.Connect(a, false).Allowed() })))
		})
	}
	all.Wait()
	if requests.Load() != 100 || connections.Load() != 7 {
		t.Errorf("%d requests, %d connections", requests.Load(), connections.Load())
	}
}

// TestCost: what every request asks allocates nothing.
func TestCost(t *testing.T) {
	l := edge.NewLimiter(edge.Limits{RequestsPerAddress: 1_000_000, RequestsPerUser: 1_000_000, FramesPerConnection: 1_000_000, ConnectionsPerAddress: 10}, time.Now)
	peers := edge.NewPeers(networks(t, "127.0.0.1"))
	r, a := request("127.0.0.1:1", "X-Forwarded-For", "2001:db8::1, 203.0.113.1"), addr("2001:db8::7")
	var pace edge.Pace
	for name, f := range map[string]func(){
		"request": func() { l.Request(a, "alice") },
		"frame":   func() { l.Frame(&pace) },
		"connect": func() { l.Connect(a, false); l.Disconnect(a) },
		"address": func() { peers.Addr(r) },
	} {
		f() // the first one makes an entry
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkRequest(b *testing.B) {
	l := edge.NewLimiter(edge.Limits{RequestsPerAddress: 1_000_000, RequestsPerUser: 1_000_000}, time.Now)
	users, addrs := make([]string, 10_000), make([]netip.Addr, 10_000)
	for i := range users {
		users[i], addrs[i] = fmt.Sprint("user", i), netip.AddrFrom4([4]byte{11, 0, byte(i >> 8), byte(i)})
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			l.Request(addrs[i%len(addrs)], users[i%len(users)])
		}
	})
}

func BenchmarkAddr(b *testing.B) {
	peers := edge.NewPeers(networks(b, "127.0.0.1"))
	r := request("127.0.0.1:1", "X-Forwarded-For", "198.51.100.1, 203.0.113.1")
	b.ReportAllocs()
	for b.Loop() {
		peers.Addr(r)
	}
}
