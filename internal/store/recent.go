package store

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/parley-im/parley/internal/im"
)

// DedupWindow is how long a repeated send is recognised.
const DedupWindow = 24 * time.Hour

// recentSends remembers, without false negatives, which (sender, conversation,
// client id) were sent within the last DedupWindow. It is a chain of Bloom
// filters of doubling size, the oldest dropped when all in it is too old. Until
// it was filled from the table after a start (ready), everything counts as
// possibly seen.
type recentSends struct {
	seed maphash.Seed

	mu    sync.Mutex
	ready bool
	gens  []*bloom // oldest first
}

type bloom struct {
	bits   []uint64
	room   int
	newest im.Millis
}

const (
	// A false hit walks a day of its conversation, in the writer too, so there
	// must be next to none: 1 in ~500,000 per generation.
	bloomBitsPerKey = 32
	bloomProbes     = 10
	bloomFirst      = 1 << 14
	bloomLargest    = 1 << 23
)

func newRecentSends() *recentSends { return &recentSends{seed: maphash.MakeSeed()} }

func newBloom(keys int) *bloom {
	return &bloom{bits: make([]uint64, keys*bloomBitsPerKey/64), room: keys}
}

func (r *recentSends) hash(sender string, c im.ConversationID, clientID string) uint64 {
	var h maphash.Hash
	h.SetSeed(r.seed)
	_, _ = h.WriteString(sender)
	_ = h.WriteByte(0)
	_, _ = h.WriteString(string(c))
	_ = h.WriteByte(0)
	_, _ = h.WriteString(clientID)
	return h.Sum64()
}

func (b *bloom) each(h uint64, f func(word *uint64, bit uint64) bool) bool {
	step := h>>32 | 1
	size := uint64(len(b.bits)) * 64
	for range bloomProbes {
		at := h % size
		if !f(&b.bits[at/64], 1<<(at%64)) {
			return false
		}
		h += step
	}
	return true
}

// mayHold reports whether the key was possibly added.
func (r *recentSends) mayHold(sender string, c im.ConversationID, clientID string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ready {
		return true
	}
	h := r.hash(sender, c, clientID)
	for _, g := range r.gens {
		if g.each(h, func(w *uint64, bit uint64) bool { return *w&bit != 0 }) {
			return true
		}
	}
	return false
}

// add remembers a key stored at the given time of the server's clock. The
// message's own time would not do: an administrator may choose it, and one from
// the future would make everything else look too old.
func (r *recentSends) add(sender string, c im.ConversationID, clientID string, at im.Millis) {
	h := r.hash(sender, c, clientID)
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.gens) > 1 && r.gens[0].newest < at-im.Millis(DedupWindow.Milliseconds()) {
		r.gens = r.gens[1:]
	}
	if len(r.gens) == 0 {
		r.gens = append(r.gens, newBloom(bloomFirst))
	}
	g := r.gens[len(r.gens)-1]
	if g.room == 0 {
		g = newBloom(min(2*len(g.bits)*64/bloomBitsPerKey, bloomLargest))
		r.gens = append(r.gens, g)
	}
	g.room--
	g.newest = max(g.newest, at)
	g.each(h, func(w *uint64, bit uint64) bool { *w |= bit; return true })
}

// filled says that everything of the last DedupWindow was added.
func (r *recentSends) filled() {
	r.mu.Lock()
	r.ready = true
	r.mu.Unlock()
}
