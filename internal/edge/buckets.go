package edge

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

// rate is how often something may happen: on average once in interval, with as
// many at once as fit into ahead.
type rate struct{ interval, ahead time.Duration }

// perSecond allows n a second, and at once what ten seconds allow.
func perSecond(n int) rate {
	return rate{time.Second / time.Duration(n), 10*time.Second - time.Second/time.Duration(n)}
}

// perMinute allows n a minute, and at once what one minute allows.
func perMinute(n int) rate {
	return rate{time.Minute / time.Duration(n), time.Minute - time.Minute/time.Duration(n)}
}

// block is what counts as one address: an IPv4 address, or the /64 network of an
// IPv6 address, of which a single client has all.
type block [16]byte

func blockOf(a netip.Addr) block {
	b := block(a.As16())
	if a.Is6() && !a.Is4In6() {
		clear(b[8:])
	}
	return b
}

func (b block) hash(seed maphash.Seed) uint64 { return maphash.Bytes(seed, b[:]) }

// user is a user id.
type user string

func (u user) hash(seed maphash.Seed) uint64 { return maphash.String(seed, string(u)) }

type bucketKey interface {
	comparable
	hash(seed maphash.Seed) uint64
}

const (
	bucketShards = 32
	// shardRoom bounds what is remembered of all keys together: 262,144.
	shardRoom = 8192
)

// buckets remembers for each key one number: the time at which what it did so
// far would have been due at the allowed rate. A key whose time has passed is as
// good as new, so it may be forgotten.
type buckets[K bucketKey] struct {
	seed   maphash.Seed
	shards [bucketShards]bucketShard[K]
}

type bucketShard[K bucketKey] struct {
	mu  sync.Mutex
	due map[K]int64 // Unix nanoseconds
	_   [40]byte    // a cache line each
}

func newBuckets[K bucketKey]() *buckets[K] {
	b := &buckets[K]{seed: maphash.MakeSeed()}
	for i := range b.shards {
		b.shards[i].due = make(map[K]int64)
	}
	return b
}

func (b *buckets[K]) shard(k K) *bucketShard[K] { return &b.shards[k.hash(b.seed)%bucketShards] }

// take counts one for k, or returns how long k has to wait for it.
func (b *buckets[K]) take(k K, r rate, now int64) (wait time.Duration) {
	s := b.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	due, known := s.due[k]
	if early := time.Duration(due-now) - r.ahead; early > 0 {
		return early
	}
	if !known && len(s.due) >= shardRoom {
		s.forget(now)
	}
	s.due[k] = max(due, now) + int64(r.interval)
	return 0
}

// wait is what take would return, without counting.
func (b *buckets[K]) wait(k K, r rate, now int64) time.Duration {
	s := b.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(0, time.Duration(s.due[k]-now)-r.ahead)
}

// forget makes room for an eighth of the shard: by the keys that are as good as
// new, and if these are too few, by whichever come first.
func (s *bucketShard[K]) forget(now int64) {
	for k, due := range s.due {
		if due <= now {
			delete(s.due, k)
		}
	}
	for k := range s.due {
		if len(s.due) <= shardRoom-shardRoom/8 {
			return
		}
		delete(s.due, k)
	}
}

// size is how many keys are remembered.
func (b *buckets[K]) size() (n int) {
	for i := range b.shards {
		s := &b.shards[i]
		s.mu.Lock()
		n += len(s.due)
		s.mu.Unlock()
	}
	return n
}
