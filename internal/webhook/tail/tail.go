// Package tail keeps the last calls to handlers in memory, whole, and lets people
// follow them as they happen.
//
// Who makes a call never waits for who looks on: adding a call takes one lock for
// a moment, whatever the number of readers, and readers have no queue. They share
// one ring; each has its place in it, and one that falls behind is told how many
// calls it missed. Memory is bounded by the number of calls and by their bytes.
//
// The package knows neither pages nor the command line.
package tail

import (
	"bytes"
	"context"
	"sync"

	"github.com/parley-im/parley/internal/webhook"
)

// Bounds of what is kept.
const (
	Calls    = 1024
	Bytes    = 8 << 20  // of bodies and answers
	BodyKept = 64 << 10 // of one body or answer
)

// Call is an attempt with its place in the order of all.
type Call struct {
	N int64 // from 1
	webhook.Exchange
}

// Log is the ring. The zero Log is ready for use.
type Log struct {
	mu    sync.Mutex
	ring  [Calls]Call
	first int64 // N of the oldest that is kept
	last  int64 // N of the newest, 0 for none
	bytes int
	moved chan struct{} // closed by the next Add; nil while nobody waits
}

// Add is the engine's Watch.
func (l *Log) Add(c webhook.Exchange) {
	c.Body, c.Full = kept(c.Body), kept(c.Full)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	if l.first == 0 {
		l.first = 1
	}
	if l.last-l.first >= Calls {
		l.forget()
	}
	l.ring[l.last%Calls] = Call{l.last, c}
	l.bytes += len(c.Body) + len(c.Full)
	for l.bytes > Bytes && l.first < l.last {
		l.forget()
	}
	if l.moved != nil {
		close(l.moved)
		l.moved = nil
	}
}

// kept is the beginning of a text, apart from the rest of a large one.
func kept(b []byte) []byte {
	if len(b) > BodyKept {
		return bytes.Clone(b[:BodyKept])
	}
	return b
}

// forget drops the oldest.
func (l *Log) forget() {
	old := &l.ring[l.first%Calls]
	l.bytes -= len(old.Body) + len(old.Full)
	*old = Call{}
	l.first++
}

// Last is the number of the newest call, 0 before the first.
func (l *Log) Last() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// After returns the calls after number n that are kept and that match, the
// oldest first, at most limit and those the newest; seen is the number to go on
// from, and missed is how many after n are not kept any more or were more than
// limit.
func (l *Log) After(n int64, limit int, match func(*Call) bool) (calls []Call, seen, missed int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first > 0 && n < l.first-1 {
		missed = l.first - 1 - n
		n = l.first - 1
	}
	for i := n + 1; i <= l.last; i++ {
		if c := &l.ring[i%Calls]; match == nil || match(c) {
			calls = append(calls, *c)
		}
	}
	if more := len(calls) - limit; more > 0 {
		calls = calls[more:]
		missed += int64(more)
	}
	return calls, l.last, missed
}

// Wait returns when there is a call after number n, or ctx is done.
func (l *Log) Wait(ctx context.Context, n int64) error {
	l.mu.Lock()
	if l.last > n {
		l.mu.Unlock()
		return nil
	}
	if l.moved == nil {
		l.moved = make(chan struct{})
	}
	moved := l.moved
	l.mu.Unlock()
	select {
	case <-moved:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Find returns the kept calls that match, the newest first.
func (l *Log) Find(match func(*Call) bool) []Call {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []Call
	for i := l.last; i > 0 && i >= l.first; i-- {
		if c := &l.ring[i%Calls]; match(c) {
			out = append(out, *c)
		}
	}
	return out
}
