package tail

import (
	"context"
	"sync"
	"testing"

	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/webhook"
)

func call(key string, size int) webhook.Exchange {
	return webhook.Exchange{Delivery: store.Delivery{Callback: key}, Body: make([]byte, size)}
}

// A reader gets every call in order while it keeps up, and a number when not.
func TestAfter(t *testing.T) {
	var l Log
	if calls, seen, missed := l.After(0, 10, nil); len(calls) != 0 || seen != 0 || missed != 0 {
		t.Errorf("before the first: %v %d %d", calls, seen, missed)
	}
	l.Add(call("a", 1))
	l.Add(call("b", 1))
	calls, seen, missed := l.After(0, 10, nil)
	if len(calls) != 2 || calls[0].Callback != "a" || calls[1].N != 2 || seen != 2 || missed != 0 {
		t.Errorf("%v %d %d", calls, seen, missed)
	}
	calls, _, _ = l.After(0, 10, func(c *Call) bool { return c.Callback == "b" })
	if len(calls) != 1 || calls[0].N != 2 {
		t.Errorf("filtered: %v", calls)
	}
	for range Calls + 5 {
		l.Add(call("c", 1))
	}
	calls, seen, missed = l.After(2, 2*Calls, nil)
	if len(calls) != Calls || missed != 5 || seen != Calls+7 || calls[0].N != 8 {
		t.Errorf("behind: %d calls from %d, %d missed", len(calls), calls[0].N, missed)
	}
	calls, _, missed = l.After(seen-10, 4, nil)
	if len(calls) != 4 || calls[3].N != seen || missed != 6 {
		t.Errorf("at most four: %d calls, %d missed", len(calls), missed)
	}
}

// What is kept is bounded in bytes, however large the bodies and whoever reads.
func TestBytes(t *testing.T) {
	var l Log
	for range 1000 {
		l.Add(call("a", 1<<20))
	}
	kept := l.Find(func(*Call) bool { return true })
	sum := 0
	for _, c := range kept {
		sum += cap(c.Body)
	}
	if sum > 2*Bytes || sum < Bytes/2 || l.bytes > Bytes {
		t.Errorf("%d bytes of %d calls are kept", sum, len(kept))
	}
}

// Adding does the same with many readers as with none, and with readers that
// never come back: there is nothing of a reader's that it could fill or wait for.
func TestAddDoesNotKnowReaders(t *testing.T) {
	var l Log
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for range 9 {
		readers.Go(func() {
			n := int64(0)
			for l.Wait(ctx, n) == nil {
				_, n, _ = l.After(n, 50, nil)
			}
		})
	}
	stalled, _, _ := l.After(0, 50, nil) // reads once and holds its place
	for range 10 * Calls {
		l.Add(call("a", 100))
	}
	if l.Last() != 10*Calls || len(stalled) != 0 {
		t.Errorf("%d calls were added", l.Last())
	}
	if _, seen, missed := l.After(0, 50, nil); missed != 10*Calls-50 || seen != 10*Calls {
		t.Errorf("the stalled reader is told of %d missed", missed)
	}
	stop()
	readers.Wait()
	if kept := l.Find(func(*Call) bool { return true }); len(kept) != Calls {
		t.Errorf("%d calls are kept", len(kept))
	}
	if n := testing.AllocsPerRun(100, func() { l.Add(call("a", 0)) }); n > 0 {
		t.Errorf("adding a call allocates %v times", n)
	}
}

func TestWait(t *testing.T) {
	var l Log
	done := make(chan error)
	go func() { done <- l.Wait(t.Context(), 0) }()
	l.Add(call("a", 0))
	if err := <-done; err != nil {
		t.Error(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if l.Wait(ctx, 1) == nil {
		t.Error("waited for nothing")
	}
}

// BenchmarkAdd is what a call costs, with nobody and with ten people looking on.
func BenchmarkAdd(b *testing.B) {
	for name, n := range map[string]int{"alone": 0, "ten tails": 10} {
		b.Run(name, func(b *testing.B) {
			var l Log
			ctx, stop := context.WithCancel(b.Context())
			var readers sync.WaitGroup
			for range n {
				readers.Go(func() {
					n := int64(0)
					for l.Wait(ctx, n) == nil {
						_, n, _ = l.After(n, 50, nil)
					}
				})
			}
			c := call("a", 400)
			b.ReportAllocs()
			for b.Loop() {
				l.Add(c)
			}
			stop()
			readers.Wait()
		})
	}
}
