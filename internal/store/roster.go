package store

import (
	"context"
	"sync"

	"github.com/parley-im/parley/internal/im"
)

// rosters keeps who is in the groups that were lately written to. A commit that
// lets somebody in or out changes the roster; it is not read anew, so that
// coming and going costs the same in a group of any size.
type rosters struct {
	mu     sync.Mutex
	groups map[string]*roster
	size   int // members in all of them, about
}

// roster is one group's. Until loaded is closed, changes only pile up.
type roster struct {
	members im.Audience
	read    uint64 // version of the group's member log that was read
	version uint64 // that members includes
	pending []rosterChange
	loaded  chan struct{}
	stale   bool // while it was read, something was committed that may be missing
}

// rosterChange is who came and who left with one version of a member log.
type rosterChange struct {
	groupID      string
	version      uint64
	joined, left []string
}

// rosterLimit is how many members all rosters hold together before they start
// over.
const rosterLimit = 4 << 20

// Roster returns the members a message of the group goes to.
func (s *Store) Roster(ctx context.Context, groupID string) (im.Audience, error) {
	for {
		members, loading, mine := s.rosters.get(groupID)
		switch {
		case loading == nil:
			return members, nil
		case mine:
			return s.loadRoster(ctx, groupID, loading)
		}
		select {
		case <-loading.loaded: // by somebody else, perhaps in vain
		case <-ctx.Done():
			return im.Audience{}, ctx.Err()
		}
	}
}

// get returns what is known, or who loads it: mine says that it is the caller.
func (c *rosters) get(groupID string) (members im.Audience, loading *roster, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.groups[groupID]
	switch {
	case r == nil:
		r = &roster{loaded: make(chan struct{})}
		if c.groups == nil {
			c.groups = make(map[string]*roster)
		}
		c.groups[groupID] = r
		return im.Audience{}, r, true
	case !r.isLoaded():
		return im.Audience{}, r, false
	}
	c.size -= r.members.Len()
	r.apply()
	c.size += r.members.Len()
	return r.members, nil, false
}

func (r *roster) isLoaded() bool {
	select {
	case <-r.loaded:
		return true
	default:
		return false
	}
}

// apply brings the members up to date with what was committed.
func (r *roster) apply() {
	for _, p := range r.pending {
		if p.version > r.read {
			r.members = r.members.Without(p.left...).With(p.joined...)
			r.version = p.version
		}
	}
	r.pending = nil
}

func (s *Store) loadRoster(ctx context.Context, groupID string, r *roster) (im.Audience, error) {
	var ids []string
	var v im.Version
	err := s.Read(ctx, func(tx *Tx) (err error) {
		if v, err = tx.Version(im.VersionGroupMembers, groupID); err != nil {
			return err
		}
		ids, err = tx.GroupMemberIDs(groupID)
		return err
	})
	return s.rosters.keep(groupID, r, ids, v.Version, err)
}

// keep ends the loading of a roster.
func (c *rosters) keep(groupID string, r *roster, ids []string, version uint64, err error) (im.Audience, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer close(r.loaded)
	if err != nil {
		c.forget(groupID, r)
		return im.Audience{}, err
	}
	r.members, r.read, r.version = im.AudienceOf(ids...), version, version
	r.apply()
	if r.stale {
		c.forget(groupID, r)
		return r.members, nil
	}
	if c.size += 1 + r.members.Len(); c.size > rosterLimit {
		for id, other := range c.groups {
			if other != r && other.isLoaded() {
				delete(c.groups, id)
			}
		}
		c.size = 1 + r.members.Len()
	}
	return r.members, nil
}

func (c *rosters) forget(groupID string, r *roster) {
	if c.groups[groupID] != r {
		return
	}
	delete(c.groups, groupID)
	if r.isLoaded() {
		c.size -= 1 + r.members.Len()
	}
}

// rosterPending is how many changes wait for somebody who asks.
const rosterPending = 1024

// committed takes note of changes in the order of their commits. Two commits may
// report in the other order: then who is in the group is read anew.
func (c *rosters) committed(changes []rosterChange) {
	if len(changes) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, change := range changes {
		r := c.groups[change.groupID]
		if r == nil {
			continue
		}
		last := r.version
		if n := len(r.pending); n > 0 {
			last = r.pending[n-1].version
		}
		if change.version <= r.read {
			continue // it was committed before it was reported
		}
		if change.version > last && len(r.pending) < rosterPending {
			r.pending = append(r.pending, change)
			continue
		}
		c.uncertain(r, change.groupID)
	}
}

// lost forgets rosters that a commit may have changed or not.
func (c *rosters) lost(changes []rosterChange) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, change := range changes {
		if r := c.groups[change.groupID]; r != nil {
			c.uncertain(r, change.groupID)
		}
	}
}

func (c *rosters) uncertain(r *roster, groupID string) {
	if r.isLoaded() {
		c.forget(groupID, r)
		return
	}
	r.stale = true
}
