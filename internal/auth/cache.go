package auth

import (
	"sync"
	"time"
)

const (
	// cacheSize bounds the checked tokens; a full cache starts over.
	cacheSize = 1 << 17
	// cacheLife bounds how long a change made by another node may go unseen.
	cacheLife = 30 * time.Second
)

// tokenCache remembers tokens that were checked against the store.
type tokenCache struct {
	mu      sync.RWMutex
	changes uint64 // counts forget, so that a check that began before one is not remembered after it
	byHash  map[string]checkedToken
}

type checkedToken struct {
	claims Claims
	until  time.Time
}

func (c *tokenCache) get(hash string, now time.Time) (Claims, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	t, ok := c.byHash[hash]
	return t.claims, ok && now.Before(t.until)
}

// generation is read before the store is, and handed to put.
func (c *tokenCache) generation() uint64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.changes
}

func (c *tokenCache) put(hash string, claims Claims, expires, now time.Time, generation uint64) {
	until := now.Add(cacheLife)
	for _, end := range []time.Time{expires, claims.ExpiresAt} {
		if end.Before(until) {
			until = end
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes != generation {
		return
	}
	if c.byHash == nil || len(c.byHash) >= cacheSize {
		c.byHash = make(map[string]checkedToken)
	}
	c.byHash[hash] = checkedToken{claims, until}
}

func (c *tokenCache) forget(hashes []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	for _, h := range hashes {
		delete(c.byHash, h)
	}
}
