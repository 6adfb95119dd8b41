package relation_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/relation"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// kit is a Service on a real store that keeps what is told to whom. As by
// OpenIM's default, only new friendships are shown in the chat.
type kit struct {
	*relation.Service
	t     *testing.T
	store *store.Store

	mu   sync.Mutex
	told []string
}

const agreed im.ContentType = 1201

func (k *kit) RenderNotice(n im.Notice) (im.ContentType, []byte) {
	if _, ok := n.(im.FriendRequestAgreed); ok {
		return agreed, fmt.Appendf(nil, "%T", n)
	}
	return 1299, fmt.Appendf(nil, "%T", n)
}

func (k *kit) Deliver(m *im.Message, recipients im.Audience, _ string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.told = append(k.told, fmt.Sprintf("%s %s to %v", m.ConversationID, m.Content, recipients.IDs()))
}

func each(t *testing.T, f func(t *testing.T, k *kit)) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) { f(t, newKit(t, open(store.Options{}))) })
}

func newKit(t *testing.T, s *store.Store, more ...string) *kit {
	t.Helper()
	k := &kit{t: t, store: s}
	messages := message.New(s, nil, k, k, message.Options{
		IsAdmin: func(string) bool { return false },
		Style:   func(c im.ContentType) message.NoticeStyle { return message.NoticeStyle{Chat: c == agreed} },
	})
	k.Service = relation.New(s, messages, im.NoHooks{}, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err := s.Write(t.Context(), func(tx *store.Tx) error {
		for _, id := range append([]string{"alice", "bob", "carol"}, more...) {
			if err := tx.InsertUser(im.User{UserID: id, Nickname: "nick " + id}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return k
}

func as(t *testing.T, userID string) context.Context {
	return im.WithCaller(t.Context(), im.Caller{UserID: userID, Platform: im.PlatformIOS})
}

// told is a line of what was told: "conversation notice to [users]".
func told(line string) string {
	place, rest, _ := strings.Cut(line, " ")
	notice, to, _ := strings.Cut(rest, " ")
	return fmt.Sprintf(`%s {"detail":"%s"} %s`, place, notice, to)
}

// expect compares what was told since the last call.
func (k *kit) expect(what string, want ...string) {
	k.t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	if !slices.Equal(k.told, want) {
		k.t.Errorf("%s: told %q, want %q", what, k.told, want)
	}
	k.told = nil
}

func (k *kit) must(err error) {
	k.t.Helper()
	if err != nil {
		k.t.Fatal(err)
	}
}

// friends is a user's list, with the version a client gets with it.
func (k *kit) friends(userID string) (ids []string, v im.Version) {
	k.t.Helper()
	v, ids, err := k.FriendIDs(k.t.Context(), userID)
	k.must(err)
	return ids, v
}

// befriend makes two users friends by request.
func (k *kit) befriend(from, to string) {
	k.t.Helper()
	k.must(k.Apply(as(k.t, from), from, to, "hi", ""))
	k.must(k.Agree(as(k.t, to), from, to, "yes"))
}

// replica is a friend list as a client keeps it: deltas applied one after the
// other.
type replica struct {
	version im.Version
	friends map[string]im.Friend
	sorts   int
}

func (r *replica) sync(k *kit, ownerID string) (d store.Delta[im.Friend]) {
	k.t.Helper()
	d, err := k.FriendChanges(k.t.Context(), ownerID, r.version)
	k.must(err)
	if d.Full {
		_, page, err := k.Friends(k.t.Context(), ownerID, 0, 1000)
		k.must(err)
		r.friends = map[string]im.Friend{}
		for _, f := range page {
			r.friends[f.User.UserID] = f
		}
	}
	for _, id := range d.Deleted {
		delete(r.friends, id)
	}
	for _, f := range append(d.Inserted, d.Updated...) {
		r.friends[f.User.UserID] = f
	}
	if d.SortVersion > 0 {
		r.sorts++
	}
	r.version = d.Version
	return d
}
