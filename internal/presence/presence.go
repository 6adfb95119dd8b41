// Package presence knows which user is connected where, and announces the
// changes: to subscribed connections at once, to the business server through
// durable events.
//
// The unit of being online is (user, platform). Events speak of connections:
// one online per connection, and an offline for the last one of a platform,
// so that the last event of a (user, platform) is always the truth
// (webhooks.md 6.3). While the business server wants these events, announced
// connections are kept in the store, and those a crash left open get their
// offline at the next start.
package presence

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// announceQueue bounds the announcements not yet written. When it is full, the
// connection that opens or closes waits; nobody else does.
const announceQueue = 4096

// Watcher is told when the set of a user's online platforms changed.
type Watcher func(userID string, platforms []im.Platform)

// Tracker is the presence of this node's connections.
type Tracker struct {
	store *store.Store
	log   *slog.Logger
	now   func() time.Time
	watch Watcher

	telling sync.Mutex // held while watch runs, so that what is told last is the last state; comes before mu
	order   sync.Mutex // held from a change until it is queued, room or not, so that announcements are in the order of the changes; comes before mu

	mu    sync.Mutex
	users map[string][]session

	announcements chan announcement
}

type session struct {
	im.Session
	confirmed bool // its handshake was answered, so its opening was announced
}

type announcement struct {
	event  im.Event
	opened *im.Session // to be remembered
	closed string      // connID to be forgotten
}

// New returns a Tracker; Run must run for its announcements to be written.
func New(s *store.Store, log *slog.Logger, now func() time.Time, watch Watcher) *Tracker {
	return &Tracker{
		store: s, log: log, now: now, watch: watch,
		users: make(map[string][]session), announcements: make(chan announcement, announceQueue),
	}
}

// Platforms returns where a user is online, ascending.
func (t *Tracker) Platforms(userID string) []im.Platform {
	t.mu.Lock()
	defer t.mu.Unlock()
	return platforms(t.users[userID])
}

func platforms(sessions []session) []im.Platform {
	out := make([]im.Platform, 0, len(sessions))
	for _, s := range sessions {
		out = append(out, s.Platform)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Open makes a connection count: from here on its user is online.
func (t *Tracker) Open(s im.Session) {
	t.mu.Lock()
	before := platforms(t.users[s.UserID])
	t.users[s.UserID] = append(t.users[s.UserID], session{Session: s})
	after := platforms(t.users[s.UserID])
	t.mu.Unlock()
	if !slices.Equal(before, after) {
		t.tell(s.UserID)
	}
}

// tell reports where a user is online now, which may be more than the change
// that was the reason.
func (t *Tracker) tell(userID string) {
	t.telling.Lock()
	defer t.telling.Unlock()
	t.watch(userID, t.Platforms(userID))
}

// Confirm announces a connection whose handshake was answered.
func (t *Tracker) Confirm(s im.Session, operationID string, background bool) {
	t.order.Lock()
	defer t.order.Unlock()
	t.mu.Lock()
	i := t.find(s)
	if i >= 0 {
		t.users[s.UserID][i].confirmed = true
	}
	t.mu.Unlock()
	if i < 0 {
		return // displaced meanwhile
	}
	if t.store.Wanted(im.EventUserOnline) || t.store.Wanted(im.EventUserOffline) {
		t.announcements <- announcement{
			event:  im.UserOnline{Session: s, OperationID: operationID, At: im.MillisOf(t.now()), IsBackground: background},
			opened: &s,
		}
	}
}

// Close ends a connection; kicked says that it was ended by force or displaced.
// Closing twice is nothing.
func (t *Tracker) Close(s im.Session, operationID string, kicked bool) {
	if t.end(s, operationID, kicked) {
		t.tell(s.UserID)
	}
}

// end takes a connection out and announces it. It reports whether the user's
// platforms changed.
func (t *Tracker) end(s im.Session, operationID string, kicked bool) bool {
	t.order.Lock()
	defer t.order.Unlock()
	t.mu.Lock()
	i := t.find(s)
	if i < 0 {
		t.mu.Unlock()
		return false
	}
	list := t.users[s.UserID]
	confirmed := list[i].confirmed
	before := platforms(list)
	list = slices.Delete(list, i, i+1)
	if len(list) == 0 {
		delete(t.users, s.UserID)
	} else {
		t.users[s.UserID] = list
	}
	after := platforms(list)
	still := stillAnnounced(list, s.Platform)
	t.mu.Unlock()
	if confirmed {
		at := im.MillisOf(t.now())
		if kicked && t.store.Wanted(im.EventUserKicked) {
			t.announcements <- announcement{event: im.UserKicked{Session: s, OperationID: operationID, At: at}}
		}
		last := announcement{closed: s.ConnID}
		if !still && t.store.Wanted(im.EventUserOffline) {
			last.event = im.UserOffline{Session: s, OperationID: operationID, At: at}
		}
		if t.store.Wanted(im.EventUserOnline) || t.store.Wanted(im.EventUserOffline) {
			t.announcements <- last
		}
	}
	return !slices.Equal(before, after)
}

// stillAnnounced reports whether another announced connection keeps the
// platform online.
func stillAnnounced(list []session, p im.Platform) bool {
	return slices.ContainsFunc(list, func(s session) bool { return s.Platform == p && s.confirmed })
}

func (t *Tracker) find(s im.Session) int {
	return slices.IndexFunc(t.users[s.UserID], func(o session) bool { return o.ConnID == s.ConnID })
}

// announceBatch is the most announcements written in one transaction.
const announceBatch = 256

// Run first announces the end of connections that a crash left open, then
// writes announcements until ctx is done and the queue is empty.
func (t *Tracker) Run(ctx context.Context) error {
	// Not cut short by a stop, which must find everything announced as well.
	if err := t.endLeftOver(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	for {
		var batch []announcement
		select {
		case a := <-t.announcements:
			batch = append(batch, a)
		case <-ctx.Done():
			select {
			case a := <-t.announcements:
				batch = append(batch, a)
			default:
				return nil
			}
		}
	fill:
		for len(batch) < announceBatch {
			select {
			case a := <-t.announcements:
				batch = append(batch, a)
			default:
				break fill
			}
		}
		t.write(ctx, batch)
	}
}

// lastAttempts is how often a batch is tried once the server ends.
const lastAttempts = 10

// write stores a batch; a database that fails is tried again until it works or
// the server ends, because an announcement must not be lost while it lives.
func (t *Tracker) write(ctx context.Context, batch []announcement) {
	for attempt, last := 1, 0; ; attempt++ {
		err := t.store.Write(context.WithoutCancel(ctx), func(tx *store.Tx) error {
			for _, a := range batch {
				if err := apply(tx, a); err != nil {
					return err
				}
			}
			return nil
		})
		if err == nil {
			return
		}
		t.log.ErrorContext(ctx, "presence events not stored", "error", err, "attempt", attempt, "events", len(batch))
		if ctx.Err() != nil {
			if last++; last == lastAttempts {
				return
			}
		}
		pause := time.NewTimer(time.Duration(min(attempt, 10)) * 100 * time.Millisecond)
		<-pause.C
	}
}

func apply(tx *store.Tx, a announcement) error {
	if a.opened != nil {
		if err := tx.InsertSession(*a.opened); err != nil {
			return err
		}
	}
	if a.closed != "" {
		if err := tx.DeleteSession(a.closed); err != nil {
			return err
		}
	}
	if a.event == nil {
		return nil
	}
	return tx.Record(a.event)
}

// endLeftOver tells the truth about connections of a server that did not end
// by itself. Users who are back meanwhile were announced, or will be, after it.
func (t *Tracker) endLeftOver(ctx context.Context) error {
	at := im.MillisOf(t.now())
	return t.store.Write(ctx, func(tx *store.Tx) error {
		left, err := tx.Sessions()
		if err != nil {
			return err
		}
		for _, s := range left {
			if err := apply(tx, announcement{closed: s.ConnID, event: im.UserOffline{Session: s, OperationID: "p_restart", At: at}}); err != nil {
				return err
			}
		}
		return nil
	})
}

// Announcements is how many changes wait to be written, and how many may.
func (t *Tracker) Announcements() (waiting, room int) {
	return len(t.announcements), cap(t.announcements)
}
