package store

import (
	"context"
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/parley-im/parley/internal/im"
)

// SingleRules is what decides a single-chat send.
type SingleRules struct {
	SenderLevel   int32
	SenderKnown   bool
	ReceiverKnown bool
	Blocked       bool       // the receiver blocks the sender
	Friend        bool       // the sender is in the receiver's friend list
	RecvOpt       im.RecvOpt // the receiver's global option
	ChatOpt       im.RecvOpt // the receiver's option for this conversation
	// Collision: the conversation id belongs to two other users. Ids may hold
	// underscores, so (a, b_c) and (a_b, c) have the same one.
	Collision bool
}

// GroupRules is what decides a group send.
type GroupRules struct {
	Known     bool
	Status    int32
	Type      int32
	Member    bool
	Role      int32
	MuteUntil im.Millis
}

// ruleCache keeps the answers that almost every send asks for. An entry is
// valid as long as neither end was touched by a commit since it was read:
// every write that could change a rule touches the user or group it concerns.
// Generations are shared by hash, so a touch may drop a stranger's entry too.
type ruleCache struct {
	seed maphash.Seed
	gens [1 << 14]atomic.Uint64

	single shardedMap[singleKey, SingleRules]
	group  shardedMap[groupKey, GroupRules]
}

type singleKey struct {
	sender, receiver string
	conversation     im.ConversationID
}

type groupKey struct{ group, user string }

func newRuleCache() *ruleCache {
	c := &ruleCache{seed: maphash.MakeSeed()}
	return c
}

func (c *ruleCache) gen(id string) *atomic.Uint64 {
	return &c.gens[maphash.String(c.seed, id)%uint64(len(c.gens))]
}

func (c *ruleCache) touch(ids []string) {
	for _, id := range ids {
		c.gen(id).Add(1)
	}
}

// shardedMap is a bounded map with the generations its values were read at.
type shardedMap[K comparable, V any] struct {
	shards [16]struct {
		sync.RWMutex
		m map[K]stamped[V]
	}
}

type stamped[V any] struct {
	value V
	a, b  uint64
}

// ruleCacheShard is the most entries of a shard; a full one starts over.
const ruleCacheShard = 16 << 10

func (s *shardedMap[K, V]) get(hash uint64, k K, a, b uint64) (V, bool) {
	sh := &s.shards[hash%uint64(len(s.shards))]
	sh.RLock()
	e, ok := sh.m[k]
	sh.RUnlock()
	return e.value, ok && e.a == a && e.b == b
}

func (s *shardedMap[K, V]) put(hash uint64, k K, v V, a, b uint64) {
	sh := &s.shards[hash%uint64(len(s.shards))]
	sh.Lock()
	defer sh.Unlock()
	if _, there := sh.m[k]; sh.m == nil || !there && len(sh.m) >= ruleCacheShard {
		sh.m = make(map[K]stamped[V])
	}
	sh.m[k] = stamped[V]{v, a, b}
}

// SingleRules answers from memory when nothing relevant was committed since
// the last time.
func (s *Store) SingleRules(ctx context.Context, sender, receiver string, c im.ConversationID) (SingleRules, error) {
	// Generations first: a commit between here and the read only wastes the entry.
	a, b := s.rules.gen(sender).Load(), s.rules.gen(receiver).Load()
	key := singleKey{sender, receiver, c}
	h := maphash.String(s.rules.seed, string(c))
	if r, ok := s.rules.single.get(h, key, a, b); ok {
		return r, nil
	}
	var r SingleRules
	err := s.Read(ctx, func(tx *Tx) (err error) {
		r, err = tx.SingleRules(sender, receiver, c)
		return err
	})
	if err == nil {
		s.rules.single.put(h, key, r, a, b)
	}
	return r, err
}

// SingleRules reads what decides a send from sender to receiver.
func (tx *Tx) SingleRules(sender, receiver string, c im.ConversationID) (SingleRules, error) {
	var r SingleRules
	type profile struct {
		id    string
		level int32
		opt   im.RecvOpt
	}
	profiles, err := queryAll(tx, func(p *profile) []any { return []any{&p.id, &p.level, &p.opt} },
		`SELECT user_id, app_level, recv_opt FROM users WHERE user_id IN ($1, $2)`, sender, receiver)
	if err != nil {
		return r, err
	}
	for _, p := range profiles {
		if p.id == sender {
			r.SenderKnown, r.SenderLevel = true, p.level
		}
		if p.id == receiver {
			r.ReceiverKnown, r.RecvOpt = true, p.opt
		}
	}
	if _, err := tx.queryRow(`SELECT recv_opt FROM conversation WHERE owner_id = $1 AND conversation_id = $2`,
		[]any{receiver, c}, &r.ChatOpt); err != nil {
		return r, err
	}
	if r.Blocked, err = tx.exists(`SELECT 1 FROM block WHERE owner_id = $1 AND blocked_id = $2`, receiver, sender); err != nil {
		return r, err
	}
	if r.Friend, err = tx.exists(`SELECT 1 FROM friend WHERE owner_id = $1 AND friend_id = $2`, receiver, sender); err != nil {
		return r, err
	}
	r.Collision, err = tx.collides(sender, receiver, c)
	return r, err
}

// collides looks for a conversation row of the same id between two other users.
func (tx *Tx) collides(sender, receiver string, c im.ConversationID) (bool, error) {
	if !strings.ContainsRune(sender, '_') && !strings.ContainsRune(receiver, '_') {
		return false, nil
	}
	_, body, _ := strings.Cut(string(c), "_")
	for i := range len(body) {
		if body[i] != '_' {
			continue
		}
		a, b := body[:i], body[i+1:]
		if a == "" || b == "" || a > b || a == sender || a == receiver {
			continue
		}
		found, err := tx.exists(`SELECT 1 FROM conversation WHERE owner_id = $1 AND conversation_id = $2 AND user_id = $3`, a, c, b)
		if err != nil || found {
			return found, err
		}
		if found, err = tx.exists(`SELECT 1 FROM conversation WHERE owner_id = $1 AND conversation_id = $2 AND user_id = $3`, b, c, a); err != nil || found {
			return found, err
		}
	}
	return false, nil
}

func (tx *Tx) exists(query string, args ...any) (bool, error) {
	var n int
	return tx.queryRow(query, args, &n)
}

// GroupRules answers like SingleRules.
func (s *Store) GroupRules(ctx context.Context, groupID, userID string) (GroupRules, error) {
	a, b := s.rules.gen(groupID).Load(), s.rules.gen(userID).Load()
	key := groupKey{groupID, userID}
	h := maphash.String(s.rules.seed, groupID+userID)
	if r, ok := s.rules.group.get(h, key, a, b); ok {
		return r, nil
	}
	var r GroupRules
	err := s.Read(ctx, func(tx *Tx) (err error) {
		r, err = tx.GroupRules(groupID, userID)
		return err
	})
	if err == nil {
		s.rules.group.put(h, key, r, a, b)
	}
	return r, err
}

// GroupRules reads what decides a send of userID to the group.
func (tx *Tx) GroupRules(groupID, userID string) (GroupRules, error) {
	var r GroupRules
	var err error
	if r.Known, err = tx.queryRow(`SELECT status, type FROM chat_group WHERE group_id = $1`,
		[]any{groupID}, &r.Status, &r.Type); err != nil || !r.Known {
		return r, err
	}
	r.Member, err = tx.queryRow(`SELECT role, mute_until FROM group_member WHERE group_id = $1 AND user_id = $2`,
		[]any{groupID, userID}, &r.Role, &r.MuteUntil)
	return r, err
}
