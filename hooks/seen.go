package hooks

import (
	"context"
	"sync"
)

// Seen remembers which events were handled. Delivery is at least once: an event
// whose answer was lost comes again, with the same id.
//
// An implementation with a database writes the id in the transaction of the
// event's own work, which it hands on in the context; a unique key then decides.
type Seen interface {
	// Once runs handle, unless handle succeeded for that id before, and returns
	// its error. While one delivery of an event is being handled, others of it
	// wait. An event whose handling failed is not remembered.
	Once(ctx context.Context, id string, handle func(context.Context) error) error
}

// Remember is a Seen in memory that knows the last most events.
func Remember(most int) Seen {
	return &memory{events: map[string]*event{}, order: make([]string, max(most, 1))}
}

type memory struct {
	mu     sync.Mutex
	events map[string]*event
	order  []string // ids of handled events, a ring
	next   int      // the place that is used next
}

// event is handled or being handled.
type event struct {
	ended chan struct{} // closed when handling has ended
	ok    bool          // how, written before
}

// Once meets Seen.
func (m *memory) Once(ctx context.Context, id string, handle func(context.Context) error) error {
	for {
		e, mine := m.claim(id)
		if mine {
			ok := false
			defer func() { m.end(id, e, ok) }() // also if handle panics
			err := handle(ctx)
			ok = err == nil
			return err
		}
		select {
		case <-e.ended:
			if e.ok {
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (m *memory) claim(id string) (e *event, mine bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, known := m.events[id]; known {
		return e, false
	}
	e = &event{ended: make(chan struct{})}
	m.events[id] = e
	return e, true
}

func (m *memory) end(id string, e *event, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e.ok = ok
	if ok {
		delete(m.events, m.order[m.next])
		m.order[m.next] = id
		m.next = (m.next + 1) % len(m.order)
	} else {
		delete(m.events, id)
	}
	close(e.ended)
}
