package sim_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/parley-im/parley/internal/conversation"
	"github.com/parley-im/parley/internal/group"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/relation"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/user"
)

const (
	userCount  = 9
	actorCount = 6
	actions    = 160 // of each actor
	groupCount = 3   // at the start
)

// root is the administrator of the system.
const root = "root"

// world is a store, the nouns on it, and what is known of them.
type world struct {
	t    *testing.T
	seed uint64

	store         *store.Store
	messages      *message.Service
	relations     *relation.Service
	groups        *group.Service
	conversations *conversation.Service
	profiles      *user.Service

	userIDs []string

	mu       sync.Mutex
	faults   []string
	notices  []im.Notice                         // as rendered; some of their transactions failed
	told     map[string]map[uint64][]im.Notice   // by group and version
	logs     map[im.ConversationID][]*im.Message // as delivered
	groupIDs []string
	read     map[place]im.Seq // the furthest that anybody read, by himself or by writing
	done     map[string]int   // actions that were not refused

	// One change of a pair of users, or of a conversation's row, at a time: the
	// models of these are as simple as that. Their lists are shared all the same.
	pairs   sync.Map           // [2]string → *sync.Mutex
	friends map[[2]string]bool // owner, friend
	blocks  map[[2]string]bool
	rows    map[place]string // ex of a conversation's row
}

// place is a user's end of a conversation.
type place struct {
	userID string
	id     im.ConversationID
}

func newWorld(t *testing.T, s *store.Store, seed uint64) *world {
	t.Helper()
	w := &world{
		t: t, seed: seed, store: s,
		told: map[string]map[uint64][]im.Notice{}, logs: map[im.ConversationID][]*im.Message{}, read: map[place]im.Seq{},
		done: map[string]int{}, friends: map[[2]string]bool{}, blocks: map[[2]string]bool{}, rows: map[place]string{},
	}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	w.messages = message.New(s, nil, w, w, message.Options{
		IsAdmin: func(id string) bool { return id == root },
		Style:   func(c im.ContentType) message.NoticeStyle { return message.NoticeStyle{Chat: c == groupNotice} },
	})
	w.relations = relation.New(s, w.messages, im.NoHooks{}, log)
	w.groups = group.New(s, w.messages, group.Options{Logger: log})
	w.conversations = conversation.New(s, w.messages, log)
	w.profiles = user.New(s, w.messages, im.NoHooks{}, log)
	for i := range userCount {
		w.userIDs = append(w.userIDs, fmt.Sprintf("u%d", i))
	}
	w.must(s.Write(t.Context(), func(tx *store.Tx) error {
		for _, id := range append([]string{root}, w.userIDs...) {
			if err := tx.InsertUser(im.User{UserID: id, Nickname: "nick " + id}); err != nil {
				return err
			}
		}
		return nil
	}))
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) fault(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = append(w.faults, fmt.Sprintf(format, args...))
}

// Content types of notices.
const (
	otherNotice im.ContentType = 1300
	groupNotice im.ContentType = 1500
)

// RenderNotice implements message.Renderer: the content is the notice's place in
// the list of all.
func (w *world) RenderNotice(n im.Notice) (im.ContentType, []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notices = append(w.notices, n)
	at := fmt.Append(nil, len(w.notices)-1)
	switch {
	case actOf(n) != nil:
		return groupNotice, at
	default:
		if _, receipt := n.(im.MessagesRead); receipt {
			return im.ContentReadReceipt, at
		}
		return otherNotice, at
	}
}

// Deliver implements message.Deliverer. What is delivered is committed.
func (w *world) Deliver(m *im.Message, _ im.Audience, _ string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if m.Seq > 0 {
		w.logs[m.ConversationID] = append(w.logs[m.ConversationID], m)
		at := place{m.SendID, m.ConversationID}
		w.read[at] = max(w.read[at], m.Seq)
	}
	if m.ContentType != groupNotice || !m.ConversationID.IsGroup() {
		return
	}
	var content struct {
		Detail int `json:"detail,string"`
	}
	if err := json.Unmarshal(m.Content, &content); err != nil {
		panic(err)
	}
	n := w.notices[content.Detail]
	a := actOf(n)
	if w.told[a.Group.GroupID] == nil {
		w.told[a.Group.GroupID] = map[uint64][]im.Notice{}
	}
	w.told[a.Group.GroupID][a.Version.Version] = append(w.told[a.Group.GroupID][a.Version.Version], n)
}

// as is a context of a caller.
func (w *world) as(userID string) context.Context {
	return im.WithCaller(context.WithoutCancel(w.t.Context()), im.Caller{UserID: userID, Admin: userID == root})
}

// only lets one change of two names through at a time.
func (w *world) only(a, b string) (leave func()) {
	if a > b {
		a, b = b, a
	}
	lock, _ := w.pairs.LoadOrStore([2]string{a, b}, &sync.Mutex{})
	mu := lock.(*sync.Mutex)
	mu.Lock()
	return mu.Unlock
}

// run lets everybody do everything at once.
func (w *world) run() {
	first := rand.New(rand.NewPCG(w.seed, 1<<32))
	for range groupCount {
		w.found(first)
	}
	var running sync.WaitGroup
	var actors []*actor
	for i := range actorCount {
		a := &actor{world: w, rng: rand.New(rand.NewPCG(w.seed, uint64(i))), replicas: newReplicas(w)}
		actors = append(actors, a)
		running.Go(a.act)
	}
	running.Wait()
	for _, a := range actors {
		a.replicas.compare()
	}
}

// found makes a group.
func (w *world) found(rng *rand.Rand) {
	who := slices.Clone(w.userIDs)
	rng.Shuffle(len(who), func(i, j int) { who[i], who[j] = who[j], who[i] })
	verify := int32(rng.IntN(3))
	g, err := w.groups.Create(w.as(who[0]), group.Founding{
		Group:    im.Group{OwnerID: who[0], Type: im.WorkingGroup, Name: "g", NeedVerification: verify},
		AdminIDs: who[1:2], MemberIDs: who[2 : 2+rng.IntN(4)],
	})
	if err != nil {
		w.fault("found a group: %v", err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.groupIDs = append(w.groupIDs, g.GroupID)
}

// actor is one client program, which acts for anybody.
type actor struct {
	*world
	rng      *rand.Rand
	replicas *replicas
	count    int
}

type action struct {
	name   string
	weight int
	do     func(*actor) error
}

var everything = []action{
	{"write", 10, (*actor).write},
	{"write to a group", 14, (*actor).writeToGroup},
	{"read", 8, (*actor).readSome},
	{"clear", 2, (*actor).clear},
	{"invite", 6, (*actor).invite},
	{"kick", 5, (*actor).kick},
	{"quit", 2, (*actor).quit},
	{"apply", 4, (*actor).apply},
	{"answer", 4, (*actor).answer},
	{"role", 5, (*actor).role},
	{"mute", 2, (*actor).mute},
	{"transfer", 3, (*actor).transfer},
	{"describe a group", 2, (*actor).describe},
	{"dismiss", 1, (*actor).dismiss},
	{"rename", 2, (*actor).rename},
	{"make friends", 6, (*actor).befriend},
	{"end a friendship", 3, (*actor).unfriend},
	{"describe a friend", 3, (*actor).describeFriend},
	{"block", 2, (*actor).block},
	{"unblock", 2, (*actor).unblock},
	{"set a conversation", 4, (*actor).set},
	{"sync", 12, (*actor).sync},
}

func (a *actor) act() {
	total := 0
	for _, e := range everything {
		total += e.weight
	}
	for a.count = range actions {
		at := a.rng.IntN(total)
		i := 0
		for ; at >= everything[i].weight; i++ {
			at -= everything[i].weight
		}
		err := everything[i].do(a)
		if _, refused := errors.AsType[*im.Error](err); err != nil && !refused {
			a.fault("%s: %v", everything[i].name, err)
		}
		if err == nil {
			a.world.mu.Lock()
			a.done[everything[i].name]++
			a.world.mu.Unlock()
		}
	}
}

func (a *actor) user() string { return a.userIDs[a.rng.IntN(len(a.userIDs))] }

func (a *actor) two() (x, y string) {
	x, y = a.user(), a.user()
	for x == y {
		y = a.user()
	}
	return x, y
}

func (a *actor) group() string {
	a.world.mu.Lock()
	defer a.world.mu.Unlock()
	return a.groupIDs[a.rng.IntN(len(a.groupIDs))]
}

// role is somebody in the group who may have that role by now, or root.
func (a *actor) someone(groupID string, atLeast int32) string {
	members, err := a.groups.All(a.as(root), groupID)
	if err != nil || len(members) == 0 {
		return root
	}
	members = slices.DeleteFunc(members, func(m im.Member) bool { return m.Role < atLeast })
	if len(members) == 0 {
		return root
	}
	return members[a.rng.IntN(len(members))].UserID
}

func (a *actor) text() []byte { return fmt.Appendf(nil, `{"content":"%d"}`, a.count) }

func (a *actor) write() error {
	from, to := a.two()
	_, err := a.messages.Send(a.as(from), &im.Message{SendID: from, RecvID: to, SessionType: im.SingleChat, ContentType: im.ContentText, Content: a.text()})
	return err
}

func (a *actor) writeToGroup() error {
	g := a.group()
	from := a.someone(g, im.RoleMember)
	if from == root {
		return nil
	}
	_, err := a.messages.Send(a.as(from), &im.Message{SendID: from, GroupID: g, SessionType: im.GroupChat, ContentType: im.ContentText, Content: a.text()})
	return err
}

// conversation is one of a user's, with its state.
func (a *actor) conversation(userID string) (id im.ConversationID, s im.ReadState, err error) {
	states, _, err := a.messages.ReadStates(a.as(userID), userID, nil, false)
	if err != nil || len(states) == 0 {
		return "", s, err
	}
	ids := slices.Sorted(maps.Keys(states))
	id = ids[a.rng.IntN(len(ids))]
	return id, states[id], nil
}

func (a *actor) readSome() error {
	u := a.user()
	id, s, err := a.conversation(u)
	if err != nil || s.MaxSeq == 0 {
		return err
	}
	seq := 1 + im.Seq(a.rng.Int64N(int64(s.MaxSeq)))
	if err := a.messages.MarkConversationRead(a.as(u), u, id, seq, nil); err != nil {
		return err
	}
	a.world.mu.Lock()
	defer a.world.mu.Unlock()
	a.read[place{u, id}] = max(a.read[place{u, id}], seq)
	return nil
}

func (a *actor) clear() error {
	u := a.user()
	id, s, err := a.conversation(u)
	if err != nil || s.MaxSeq == 0 {
		return err
	}
	if err := a.messages.Clear(a.as(u), u, []im.ConversationID{id}, message.ForSelf); err != nil {
		return err
	}
	after, _, err := a.messages.ReadStates(a.as(u), u, []im.ConversationID{id}, false)
	if err != nil {
		return err
	}
	// It is read up to some point between then and now.
	if after[id].ReadSeq < s.MaxSeq && after[id].MaxSeq >= s.MaxSeq {
		a.fault("%s cleared %s, which had %d messages, and has read %d", u, id, s.MaxSeq, after[id].ReadSeq)
	}
	a.world.mu.Lock()
	defer a.world.mu.Unlock()
	a.read[place{u, id}] = max(a.read[place{u, id}], after[id].ReadSeq)
	return nil
}

func (a *actor) invite() error {
	g := a.group()
	return a.groups.Invite(a.as(a.someone(g, im.RoleMember)), g, []string{a.user()}, "", nil)
}

func (a *actor) kick() error {
	g := a.group()
	return a.groups.Kick(a.as(a.someone(g, im.RoleAdmin)), g, []string{a.someone(g, im.RoleMember)}, "", nil)
}

func (a *actor) quit() error {
	g := a.group()
	who := a.someone(g, im.RoleMember)
	return a.groups.Quit(a.as(who), g, who)
}

func (a *actor) apply() error {
	u := a.user()
	return a.groups.Apply(a.as(u), group.Application{GroupID: a.group(), UserID: u, JoinSource: 3})
}

func (a *actor) answer() error {
	g := a.group()
	result := im.RequestAgreed
	if a.rng.IntN(4) == 0 {
		result = im.RequestRefused
	}
	total, waiting, err := a.groups.Requests(a.as(root), store.GroupRequestFilter{GroupIDs: []string{g}}, 0, 20)
	if err != nil || total == 0 || len(waiting) == 0 {
		return err
	}
	return a.groups.Answer(a.as(a.someone(g, im.RoleAdmin)), group.Answer{GroupID: g, UserID: waiting[a.rng.IntN(len(waiting))].UserID, Result: result})
}

func (a *actor) role() error {
	g := a.group()
	role := im.RoleMember
	if a.rng.IntN(2) == 0 {
		role = im.RoleAdmin
	}
	return a.groups.SetMembers(a.as(a.someone(g, im.RoleOwner)), []group.MemberInfo{{GroupID: g, UserID: a.someone(g, im.RoleMember), Role: &role}})
}

func (a *actor) mute() error {
	g := a.group()
	return a.groups.MuteMember(a.as(a.someone(g, im.RoleAdmin)), g, a.someone(g, im.RoleMember), uint32(a.rng.IntN(2)*60)) //nolint:gosec // small
}

func (a *actor) transfer() error {
	g := a.group()
	owner := a.someone(g, im.RoleOwner)
	return a.groups.Transfer(a.as(owner), g, owner, a.someone(g, im.RoleMember))
}

func (a *actor) describe() error {
	g := a.group()
	about := fmt.Sprint(a.count)
	return a.groups.SetInfo(a.as(a.someone(g, im.RoleAdmin)), g, group.Info{Introduction: &about})
}

func (a *actor) dismiss() error {
	if a.rng.IntN(3) > 0 {
		return nil
	}
	g := a.group()
	if err := a.groups.Dismiss(a.as(a.someone(g, im.RoleOwner)), g, nil); err != nil {
		return err
	}
	a.found(a.rng)
	return nil
}

func (a *actor) rename() error {
	u := a.user()
	name := fmt.Sprintf("%s %d", u, a.count)
	return a.profiles.Update(a.as(u), u, im.UserChange{Nickname: &name})
}

func (a *actor) befriend() error {
	x, y := a.two()
	defer a.only(x, y)()
	if err := a.relations.Apply(a.as(x), x, y, "", ""); err != nil {
		return err
	}
	if err := a.relations.Agree(a.as(y), x, y, ""); err != nil {
		return err
	}
	a.know(a.friends, x, y, true)
	a.know(a.friends, y, x, true)
	return nil
}

func (w *world) know(list map[[2]string]bool, owner, other string, in bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if in {
		list[[2]string{owner, other}] = true
	} else {
		delete(list, [2]string{owner, other})
	}
}

func (a *actor) unfriend() error {
	x, y := a.two()
	defer a.only(x, y)()
	if err := a.relations.Delete(a.as(x), x, y); err != nil {
		return err
	}
	a.know(a.friends, x, y, false)
	return nil
}

func (a *actor) describeFriend() error {
	x, y := a.two()
	remark, pinned := fmt.Sprint(a.count), a.rng.IntN(2) == 0
	return a.relations.Update(a.as(x), x, []string{y}, im.FriendChange{Remark: &remark, Pinned: &pinned})
}

func (a *actor) block() error {
	x, y := a.two()
	defer a.only(x, y)()
	if err := a.relations.Block(a.as(x), x, y, ""); err != nil {
		return err
	}
	a.know(a.blocks, x, y, true)
	return nil
}

func (a *actor) unblock() error {
	x, y := a.two()
	defer a.only(x, y)()
	if err := a.relations.Unblock(a.as(x), x, y); err != nil {
		return err
	}
	a.know(a.blocks, x, y, false)
	return nil
}

func (a *actor) set() error {
	x, y := a.two()
	id := im.SingleConversation(x, y)
	ex, pinned := fmt.Sprint(a.count), a.rng.IntN(2) == 0
	defer a.only(x, string(id))()
	if err := a.conversations.Set(a.as(x), []string{x}, conversation.Target{ConversationID: id, Type: im.SingleChat, UserID: y},
		store.ConversationChange{Ex: &ex, Pinned: &pinned}); err != nil {
		return err
	}
	a.world.mu.Lock()
	defer a.world.mu.Unlock()
	a.rows[place{x, id}] = ex
	return nil
}

func (a *actor) sync() error { return a.replicas.sync(a.user(), a.group()) }
