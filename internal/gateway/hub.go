package gateway

import (
	"context"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/parley-im/parley/internal/im"
)

// Hub finds the connections of this node by user. It implements
// delivery.Conns.
type Hub struct {
	seed   maphash.Seed
	shards [64]hubShard
	online atomic.Int64 // users with connections
	counts [platforms]atomic.Int64

	watchMu  sync.RWMutex
	watchers map[string]map[*conn]struct{} // user → connections that watch him
}

// platforms is how many there are, and one for those nobody knows.
const platforms = int(im.PlatformBot) + 1

func (h *Hub) connected(p im.Platform) *atomic.Int64 {
	if !p.Valid() {
		p = 0
	}
	return &h.counts[p]
}

type hubShard struct {
	sync.RWMutex
	users map[string][]*conn // slices are replaced, never changed
}

// NewHub returns an empty Hub.
func NewHub() *Hub {
	h := &Hub{seed: maphash.MakeSeed(), watchers: make(map[string]map[*conn]struct{})}
	for i := range h.shards {
		h.shards[i].users = make(map[string][]*conn)
	}
	return h
}

func (h *Hub) shard(userID string) *hubShard {
	return &h.shards[maphash.String(h.seed, userID)%uint64(len(h.shards))]
}

// add returns how many other connections the user has.
func (h *Hub) add(c *conn) (others int) {
	s := h.shard(c.session.UserID)
	s.Lock()
	defer s.Unlock()
	old := s.users[c.session.UserID]
	if len(old) == 0 {
		h.online.Add(1)
	}
	s.users[c.session.UserID] = append(slices.Clip(slices.Clone(old)), c)
	h.connected(c.session.Platform).Add(1)
	return len(old)
}

func (h *Hub) remove(c *conn) {
	s := h.shard(c.session.UserID)
	s.Lock()
	before := s.users[c.session.UserID]
	left := slices.DeleteFunc(slices.Clone(before), func(o *conn) bool { return o == c })
	h.connected(c.session.Platform).Add(int64(len(left) - len(before)))
	if len(left) == 0 {
		if len(before) > 0 {
			h.online.Add(-1)
		}
		delete(s.users, c.session.UserID)
	} else {
		s.users[c.session.UserID] = left
	}
	s.Unlock()
	h.unwatch(c, nil)
}

// of returns a user's connections; the slice must not be changed.
func (h *Hub) of(userID string) []*conn {
	s := h.shard(userID)
	s.RLock()
	defer s.RUnlock()
	return s.users[userID]
}

func (h *Hub) all() []*conn {
	var out []*conn
	for i := range h.shards {
		s := &h.shards[i]
		s.RLock()
		for _, list := range s.users {
			out = append(out, list...)
		}
		s.RUnlock()
	}
	return out
}

// Push queues a message on every connection of the users. The message is
// encoded once per wire form, by the first writer that needs it.
//
// Of a large group few may be connected here: then it goes through those who are
// instead of the members.
func (h *Hub) Push(users im.Audience, m *im.Message, operationID string) {
	var p *push
	queue := func(conns []*conn) {
		for _, c := range conns {
			if p == nil {
				p = newPush(m, operationID)
			}
			if !c.suppressed() {
				c.enqueue(p)
			}
		}
	}
	if users.Len() <= manyUsers || int64(users.Len()) <= h.online.Load() {
		for id := range users.All() {
			queue(h.of(id))
		}
		return
	}
	var found []*conn
	for i := range h.shards {
		s := &h.shards[i]
		found = found[:0]
		s.RLock()
		for id, conns := range s.users {
			if users.Has(id) {
				found = append(found, conns...)
			}
		}
		s.RUnlock()
		queue(found)
	}
}

// manyUsers is from how many on it pays to look who is connected first.
const manyUsers = 64

// Session is what the API shows of a connection.
type Session struct {
	im.Session
	Background bool
	Token      string
}

// Sessions returns a user's connections.
func (h *Hub) Sessions(userID string) []Session {
	var out []Session
	for _, c := range h.of(userID) {
		out = append(out, Session{Session: c.session, Background: c.background.Load(), Token: c.token})
	}
	return out
}

// Kick ends the user's connections on the given platforms, but those that use
// exceptToken. Each is told before it is closed; as far as everybody else can
// see they are gone when Kick returns.
func (h *Hub) Kick(ctx context.Context, userID string, platforms []im.Platform, exceptToken string) {
	if len(platforms) == 0 {
		return
	}
	for _, c := range h.of(userID) {
		if slices.Contains(platforms, c.session.Platform) && (exceptToken == "" || c.token != exceptToken) {
			c.kick(im.OperationOf(ctx))
		}
	}
}

// watch subscribes a connection to users' presence, up to the limit. begun is
// told whether all were taken, before the connection is told of any change.
func (h *Hub) watch(c *conn, userIDs []string, begun func(all bool)) {
	h.watchMu.Lock()
	defer h.watchMu.Unlock()
	begun(h.watchLocked(c, userIDs))
}

func (h *Hub) watchLocked(c *conn, userIDs []string) bool {
	for _, id := range userIDs {
		if len(c.watching) >= maxSubscribed {
			return false
		}
		if c.watching == nil {
			c.watching = make(map[string]struct{})
		}
		c.watching[id] = struct{}{}
		if h.watchers[id] == nil {
			h.watchers[id] = make(map[*conn]struct{})
		}
		h.watchers[id][c] = struct{}{}
	}
	return true
}

// unwatch ends subscriptions, all of them if userIDs is nil.
func (h *Hub) unwatch(c *conn, userIDs []string) {
	h.watchMu.Lock()
	defer h.watchMu.Unlock()
	if userIDs == nil {
		for id := range c.watching {
			userIDs = append(userIDs, id)
		}
	}
	for _, id := range userIDs {
		delete(c.watching, id)
		delete(h.watchers[id], c)
		if len(h.watchers[id]) == 0 {
			delete(h.watchers, id)
		}
	}
}

// PresenceChanged tells the connections that watch a user.
func (h *Hub) PresenceChanged(userID string, platforms []im.Platform) {
	h.watchMu.RLock()
	defer h.watchMu.RUnlock()
	if len(h.watchers[userID]) == 0 {
		return
	}
	f := statusPush(userID, platforms)
	for c := range h.watchers[userID] {
		c.enqueue(f)
	}
}
