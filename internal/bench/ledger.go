package bench

import (
	"sync"
	"time"
)

// ledger holds acknowledged messages against the events that one endpoint was
// told of: each message must be told, in the order of its sender. An event may
// come again.
type ledger struct {
	mu        sync.Mutex
	open      map[messageID]struct{} // acknowledged and not told yet
	told      map[messageID]struct{}
	last      map[uint32]uint32 // by sender, the newest number that was told
	repeats   int64
	reordered int64
}

func newLedger() *ledger {
	return &ledger{open: map[messageID]struct{}{}, told: map[messageID]struct{}{}, last: map[uint32]uint32{}}
}

// acknowledge notes that the server has stored a message.
func (l *ledger) acknowledge(id messageID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, already := l.told[id]; !already {
		l.open[id] = struct{}{}
	}
}

// tell notes an event and reports whether it came for the first time.
func (l *ledger) tell(id messageID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, already := l.told[id]; already {
		l.repeats++
		return false
	}
	l.told[id] = struct{}{}
	delete(l.open, id)
	if id.number < l.last[id.sender] {
		l.reordered++
	}
	l.last[id.sender] = max(l.last[id.sender], id.number)
	return true
}

// waiting counts the messages due before a time that were not told yet.
func (l *ledger) waiting(before time.Duration) (n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id := range l.open {
		if id.due < before {
			n++
		}
	}
	return n
}

// judge adds what was not told, or in the wrong order.
func (l *ledger) judge(v *Violations) {
	l.mu.Lock()
	defer l.mu.Unlock()
	v.EventsLost += int64(len(l.open))
	v.EventsReordered += l.reordered
}

func (l *ledger) count() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int64(len(l.told))
}
