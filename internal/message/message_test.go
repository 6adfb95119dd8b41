package message_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// kit is a Service on a real store with scripted surroundings.
type kit struct {
	*message.Service
	t     *testing.T
	store *store.Store
	hooks *hooks

	mu        sync.Mutex
	delivered []delivered
	noticed   im.Notice // the last
}

type delivered struct {
	message    *im.Message
	recipients []string
}

func (k *kit) Deliver(m *im.Message, recipients im.Audience, _ string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.delivered = append(k.delivered, delivered{m, recipients.IDs()})
}

func (k *kit) RenderNotice(n im.Notice) (im.ContentType, []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.noticed = n
	if r, ok := n.(im.MessagesRead); ok {
		return im.ContentReadReceipt, fmt.Appendf(nil, "%s %d", r.ConversationID, r.ReadSeq)
	}
	return im.ContentReadReceipt, fmt.Appendf(nil, "%T", n)
}

// hooks stand in for a business server.
type hooks struct {
	im.NoHooks
	calls  int
	before func(*im.Message) error
	modify func(*im.Message) []string
	chat   func(*im.Conversation) error // about a new row
}

func (h *hooks) Wants(kind im.QuestionKind) bool { return kind == im.AskOpenChat && h.chat != nil }

func (h *hooks) Ask(_ context.Context, q im.Question) error { return h.chat(&q.(*im.MayOpenChat).Row) }

func (h *hooks) Asks(*im.Message) bool { return h.before != nil || h.modify != nil }

func (h *hooks) BeforeSend(_ context.Context, m *im.Message) (bool, error) {
	h.calls++
	if h.before == nil {
		return false, nil
	}
	return true, h.before(m)
}

func (h *hooks) Modify(_ context.Context, m *im.Message) (bool, []string, error) {
	if h.modify == nil {
		return false, nil, nil
	}
	return true, h.modify(m), nil
}

func newKit(t *testing.T, s *store.Store, o message.Options) *kit {
	t.Helper()
	k := &kit{t: t, store: s, hooks: &hooks{}}
	if o.IsAdmin == nil {
		o.IsAdmin = func(id string) bool { return id == "imAdmin" }
	}
	o.ReadReceipt = func(content []byte) (c im.ConversationID, seq im.Seq) {
		var detail struct{ Detail string }
		if err := json.Unmarshal(content, &detail); err != nil {
			t.Errorf("receipt %q: %v", content, err)
		}
		if _, err := fmt.Sscanf(detail.Detail, "%s %d", &c, &seq); err != nil {
			t.Errorf("receipt %q: %v", content, err)
		}
		return c, seq
	}
	k.Service = message.New(s, k.hooks, k, k, o)
	k.write(func(tx *store.Tx) error {
		for _, u := range []im.User{
			{UserID: "a"},
			{UserID: "b"},
			{UserID: "c"},
			{UserID: "x"},
			{UserID: "z"},
			{UserID: "y_z"},
			{UserID: "x_y"},
			{UserID: "deaf", RecvOpt: im.RecvRefuse},
			{UserID: "quiet", RecvOpt: im.RecvNoNotify},
			{UserID: "system", AppLevel: im.LevelAdmin},
			{UserID: "imAdmin", AppLevel: im.LevelAdmin},
		} {
			if err := tx.InsertUser(u); err != nil {
				return err
			}
		}
		return tx.InsertBlock("c", "a", "", "c", 1)
	})
	return k
}

func each(t *testing.T, f func(t *testing.T, k *kit)) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		f(t, newKit(t, open(store.Options{}), message.Options{}))
	})
}

func (k *kit) write(f func(*store.Tx) error) {
	k.t.Helper()
	if err := k.store.Write(k.t.Context(), f); err != nil {
		k.t.Fatal(err)
	}
}

func as(t *testing.T, userID string) context.Context {
	return im.WithCaller(t.Context(), im.Caller{UserID: userID, Platform: im.PlatformIOS, Admin: userID == "imAdmin"})
}

func single(from, to, text string) *im.Message {
	return &im.Message{SendID: from, RecvID: to, SessionType: im.SingleChat, ContentType: im.ContentText, Content: []byte(text), Status: im.StatusSending}
}

func inGroup(from, groupID string) *im.Message {
	return &im.Message{SendID: from, GroupID: groupID, SessionType: im.GroupChat, ContentType: im.ContentText, Content: []byte("x")}
}

func (k *kit) send(m *im.Message) message.Sent {
	k.t.Helper()
	s, err := k.Send(as(k.t, m.SendID), m)
	if err != nil {
		k.t.Fatalf("send from %s: %v", m.SendID, err)
	}
	return s
}

// group makes a group of a (owner), b (admin), c (muted member) and x.
func (k *kit) group(g im.Group) {
	k.t.Helper()
	k.write(func(tx *store.Tx) error {
		if err := tx.InsertGroup(g); err != nil {
			return err
		}
		if _, err := tx.InsertMembers(g.GroupID, []im.Member{
			{UserID: "a", Role: im.RoleOwner},
			{UserID: "b", Role: im.RoleAdmin},
			{UserID: "c", Role: im.RoleMember, MuteUntil: 1 << 60},
			{UserID: "x", Role: im.RoleMember},
		}); err != nil {
			return err
		}
		row := im.Conversation{ConversationID: im.GroupConversation(g.GroupID), Type: im.GroupChat, GroupID: g.GroupID}
		_, err := tx.SetChats(row, []string{"a", "b", "c", "x"}, nil, nil)
		return err
	})
}

func TestSingleChatRules(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		for _, c := range []struct {
			name     string
			from, to string
			want     *im.Error
		}{
			{"a known pair", "a", "b", nil},
			{"oneself", "a", "a", nil},
			{"a blocked sender is refused", "a", "c", im.ErrBlocked},
			{"the other direction is open", "c", "a", nil},
			{"an unknown sender is refused", "ghost", "a", im.ErrNotFound},
			{"an unknown receiver is refused", "a", "ghost", im.ErrNotFound},
			{"a receiver of nothing refuses", "a", "deaf", im.ErrArgs},
			{"a system account passes blocks", "system", "c", nil},
		} {
			_, err := k.Send(as(t, c.from), single(c.from, c.to, "x"))
			if c.want == nil && err != nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%s: %v", c.name, err)
			}
		}
		k.send(single("a", "quiet", "x"))
		if m := k.delivered[len(k.delivered)-1].message; m.Options.On(im.OptionOfflinePush) {
			t.Error("a receiver without notifications gets an offline push")
		}
		t.Run("a block takes effect at once", func(t *testing.T) {
			k.write(func(tx *store.Tx) error { return tx.InsertBlock("b", "a", "", "b", 1) })
			if _, err := k.Send(as(t, "a"), single("a", "b", "x")); !errors.Is(err, im.ErrBlocked) {
				t.Errorf("%v", err)
			}
			k.write(func(tx *store.Tx) error { return tx.DeleteBlock("b", "a") })
			k.send(single("a", "b", "x"))
		})
	})
}

func TestFriendVerify(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		k := newKit(t, open(store.Options{}), message.Options{FriendVerify: true})
		if _, err := k.Send(as(t, "a"), single("a", "b", "x")); !errors.Is(err, im.ErrNotFriend) {
			t.Errorf("a stranger: %v", err)
		}
		k.write(func(tx *store.Tx) error { return tx.InsertFriends("b", []string{"a"}, 1, "b", 1) })
		k.send(single("a", "b", "x"))
	})
}

func TestGroupRules(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		k.group(im.Group{GroupID: "g", Type: im.WorkingGroup})
		k.group(im.Group{GroupID: "muted", Type: im.WorkingGroup, Status: im.GroupMuted})
		k.group(im.Group{GroupID: "gone", Type: im.WorkingGroup, Status: im.GroupDismissed})
		for _, c := range []struct {
			from, group string
			want        *im.Error
		}{
			{"a", "g", nil},
			{"b", "g", nil},
			{"x", "g", nil},
			{"c", "g", im.ErrMuted},
			{"quiet", "g", im.ErrNotInGroup},
			{"imAdmin", "g", nil},
			{"a", "muted", nil},
			{"b", "muted", nil},
			{"x", "muted", im.ErrGroupMuted},
			{"a", "gone", im.ErrGroupDismissed},
			{"imAdmin", "gone", im.ErrGroupDismissed},
			{"a", "none", im.ErrNotFound},
		} {
			_, err := k.Send(as(t, c.from), inGroup(c.from, c.group))
			if c.want == nil && err != nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%s to %s: %v, want %v", c.from, c.group, err, c.want)
			}
		}
		if got := slices.Sorted(slices.Values(k.delivered[0].recipients)); !slices.Equal(got, []string{"a", "b", "c", "x"}) {
			t.Errorf("recipients %v", got)
		}
	})
}

func TestCallersRights(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		if _, err := k.Send(as(t, "b"), single("a", "b", "x")); !errors.Is(err, im.ErrNoPermission) {
			t.Errorf("sending as somebody else: %v", err)
		}
		if _, err := k.Send(as(t, "imAdmin"), single("a", "b", "x")); err != nil {
			t.Errorf("an administrator for a: %v", err)
		}
		if _, err := k.MaxSeqs(as(t, "b"), "a"); !errors.Is(err, im.ErrNoPermission) {
			t.Errorf("reading for somebody else: %v", err)
		}
	})
}

func TestHooks(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		k.hooks.before = func(*im.Message) error { return nil }
		t.Run("a repeated send is answered without asking again", func(t *testing.T) {
			m := func() *im.Message { m := single("a", "b", "once"); m.ClientMsgID = "same"; return m }
			first := k.send(m())
			calls := k.hooks.calls
			if again := k.send(m()); again.ServerMsgID != first.ServerMsgID || again.Seq != first.Seq || k.hooks.calls != calls {
				t.Errorf("answer %+v after %d more calls", again, k.hooks.calls-calls)
			}
		})
		t.Run("concurrent repeats ask once and store once", func(t *testing.T) {
			calls := k.hooks.calls
			answers := make([]message.Sent, 8)
			var wg sync.WaitGroup
			for i := range answers {
				wg.Go(func() {
					m := single("a", "b", "race")
					m.ClientMsgID = "race"
					answers[i], _ = k.Send(as(t, "a"), m)
				})
			}
			wg.Wait()
			for _, s := range answers {
				if s.ServerMsgID != answers[0].ServerMsgID || s.ServerMsgID == "" {
					t.Errorf("answers differ: %+v", answers)
				}
			}
			if k.hooks.calls != calls+1 {
				t.Errorf("%d calls", k.hooks.calls-calls)
			}
		})
		t.Run("rules are checked again after a handler was waited for", func(t *testing.T) {
			k.hooks.before = func(*im.Message) error {
				k.write(func(tx *store.Tx) error { return tx.InsertBlock("x", "a", "", "x", 1) })
				return nil
			}
			before := len(k.delivered)
			if _, err := k.Send(as(t, "a"), single("a", "x", "late")); !errors.Is(err, im.ErrBlocked) {
				t.Errorf("%v", err)
			}
			k.hooks.before = nil
			k.empty("a", im.SingleConversation("a", "x"))
			if len(k.delivered) != before {
				t.Error("a refused message was delivered")
			}
		})
		t.Run("receivers are those after the call", func(t *testing.T) {
			k.group(im.Group{GroupID: "hooked", Type: im.WorkingGroup})
			k.hooks.before = func(*im.Message) error {
				k.write(func(tx *store.Tx) error {
					_, err := tx.InsertMembers("hooked", []im.Member{{UserID: "quiet", Role: im.RoleMember}})
					return err
				})
				return nil
			}
			k.send(inGroup("a", "hooked"))
			k.hooks.before = nil
			if last := k.delivered[len(k.delivered)-1]; !slices.Contains(last.recipients, "quiet") {
				t.Errorf("who joined during the call is not among %v", last.recipients)
			}
		})
		t.Run("a message sent elsewhere by the handler passes the rules there", func(t *testing.T) {
			k.hooks.modify = func(m *im.Message) []string { m.RecvID = "c"; return []string{"recvID"} }
			if _, err := k.Send(as(t, "a"), single("a", "b", "x")); !errors.Is(err, im.ErrBlocked) {
				t.Errorf("%v", err)
			}
			k.hooks.modify = func(m *im.Message) []string { m.RecvID = "system"; return []string{"recvID"} }
			s := k.send(single("a", "b", "x"))
			if s.Message == nil || s.Message.ConversationID != im.SingleConversation("a", "system") {
				t.Errorf("answer %+v", s)
			}
			k.hooks.modify = nil
		})
	})
}

// empty fails if the user has a row or the conversation a log.
func (k *kit) empty(userID string, c im.ConversationID) {
	k.t.Helper()
	if err := k.store.Read(k.t.Context(), func(tx *store.Tx) error {
		if _, found, err := tx.Conversation(userID, c); err != nil || found {
			return fmt.Errorf("a conversation row: %v, %w", found, err)
		}
		if logs, err := tx.LogStates([]im.ConversationID{c}); err != nil || len(logs) > 0 {
			return fmt.Errorf("a log: %v, %w", logs, err)
		}
		return nil
	}); err != nil {
		k.t.Error(err)
	}
}

// Ids may hold underscores, so two pairs of users can have one conversation id.
func TestConversationIDsCollide(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		k.send(single("x", "y_z", "private"))
		if _, err := k.Send(as(t, "z"), single("z", "x_y", "intruder")); !errors.Is(err, im.ErrArgs) {
			t.Errorf("the second pair: %v", err)
		}
		got, err := k.PullRanges(as(t, "z"), "z", []im.Range{{ConversationID: "si_x_y_z", Last: 9, Num: 9}, {ConversationID: "n_x_y_z", Last: 9, Num: 9}}, false)
		if err != nil || len(got) != 0 {
			t.Errorf("the second pair reads %v, %v", got, err)
		}
	})
}

func TestPull(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		const c = im.ConversationID("si_a_b")
		for i := range 10 {
			k.send(single("a", "b", fmt.Sprint(i+1)))
		}
		seqs := func(p im.Pulled) []im.Seq {
			out := []im.Seq{}
			for _, m := range p.Messages {
				out = append(out, m.Seq)
			}
			return out
		}
		for _, q := range []struct {
			name        string
			user        string
			first, last im.Seq
			num         int64
			desc        bool
			want        []im.Seq
			end         bool
		}{
			{"the newest num of a range", "b", 1, 10, 3, false, []im.Seq{8, 9, 10}, true},
			{"begin 0 is 1", "b", 0, 2, 5, false, []im.Seq{1, 2}, false},
			{"beyond the end is cut", "b", 9, 99, 50, false, []im.Seq{9, 10}, true},
			{"descending says where the beginning is", "b", 1, 4, 10, true, []im.Seq{1, 2, 3, 4}, true},
			{"descending in the middle", "b", 3, 4, 10, true, []im.Seq{3, 4}, false},
		} {
			got, err := k.PullRanges(as(t, q.user), q.user, []im.Range{{ConversationID: c, First: q.first, Last: q.last, Num: q.num}}, q.desc)
			if err != nil || !slices.Equal(seqs(got[c]), q.want) || got[c].IsEnd != q.end {
				t.Errorf("%s: %v end %v, %v", q.name, seqs(got[c]), got[c].IsEnd, err)
			}
		}
		t.Run("an empty range and a stranger get no entry", func(t *testing.T) {
			for user, r := range map[string]im.Range{"b": {ConversationID: c, First: 11, Last: 20, Num: 5}, "c": {ConversationID: c, First: 1, Last: 10, Num: 5}} {
				if got, err := k.PullRanges(as(t, user), user, []im.Range{r}, false); err != nil || len(got) != 0 {
					t.Errorf("%s: %v, %v", user, got, err)
				}
			}
		})
		t.Run("seq lists say where the visible part ends", func(t *testing.T) {
			got, err := k.PullSeqs(as(t, "b"), "b", []im.SeqList{{ConversationID: c, Seqs: []im.Seq{9, 10, 11}}, {ConversationID: "si_b_c", Seqs: []im.Seq{1}}}, false)
			if err != nil || !slices.Equal(seqs(got[c]), []im.Seq{9, 10}) || !got[c].IsEnd || got[c].EndSeq != 10 {
				t.Errorf("%+v, %v", got[c], err)
			}
			if _, ok := got["si_b_c"]; !ok {
				t.Error("no entry for a conversation that was asked for")
			}
			if got, _ = k.PullSeqs(as(t, "b"), "b", []im.SeqList{{ConversationID: c, Seqs: []im.Seq{0, 1, 2}}}, true); !got[c].IsEnd || got[c].EndSeq != 1 || !slices.Equal(seqs(got[c]), []im.Seq{1, 2}) {
				t.Errorf("descending: %+v", got[c])
			}
		})
		t.Run("a user's bounds hide what lies outside", func(t *testing.T) {
			lo, hi := im.Seq(4), im.Seq(7)
			k.write(func(tx *store.Tx) error {
				_, err := tx.UpdateConversation("b", c, store.ConversationChange{MinSeq: &lo, MaxSeq: &hi})
				return err
			})
			got, err := k.PullRanges(as(t, "b"), "b", []im.Range{{ConversationID: c, First: 1, Last: 10, Num: 50}}, false)
			if err != nil || !slices.Equal(seqs(got[c]), []im.Seq{4, 5, 6, 7}) {
				t.Errorf("%v, %v", seqs(got[c]), err)
			}
			last, err := k.LastMessages(as(t, "b"), "b", []im.ConversationID{c})
			if err != nil || last[c] == nil || last[c].Seq != 7 {
				t.Errorf("last %v, %v", last[c], err)
			}
			maxSeqs, err := k.MaxSeqs(as(t, "b"), "b")
			if err != nil || maxSeqs[c] != 7 {
				t.Errorf("max seqs %v, %v", maxSeqs, err)
			}
		})
	})
}

func TestReadPositions(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		const c = im.ConversationID("si_a_b")
		for range 3 {
			k.send(single("a", "b", "x"))
		}
		state := func(user string) im.ReadState {
			t.Helper()
			got, _, err := k.ReadStates(as(t, user), user, nil, false)
			if err != nil {
				t.Fatal(err)
			}
			return got[c]
		}
		if s := state("a"); s.ReadSeq != 3 || s.MaxSeq != 3 || s.MaxSeqTime == 0 {
			t.Errorf("the sender has read his own: %+v", s)
		}
		if s := state("b"); s.ReadSeq != 0 || s.MaxSeq != 3 {
			t.Errorf("the receiver: %+v", s)
		}
		if err := k.SetReadSeq(as(t, "b"), "b", c, 4); !errors.Is(err, im.ErrArgs) {
			t.Errorf("beyond the end: %v", err)
		}
		if err := k.MarkConversationRead(as(t, "b"), "b", c, 2, []im.Seq{2}); err != nil {
			t.Fatal(err)
		}
		// The sender must learn of all that were read, whichever the reader has.
		if n, ok := k.noticed.(im.MessagesRead); !ok || !slices.Equal(n.Seqs, []im.Seq{1, 2}) {
			t.Errorf("the receipt is %+v", k.noticed)
		}
		if err := k.SetReadSeq(as(t, "b"), "b", c, 1); err != nil {
			t.Fatal(err)
		}
		if s := state("b"); s.ReadSeq != 2 {
			t.Errorf("a read position went back: %+v", s)
		}
		got, err := k.PullRanges(as(t, "a"), "a", []im.Range{{ConversationID: c, First: 1, Last: 3, Num: 3}}, false)
		if err != nil || !got[c].Messages[1].IsRead || got[c].Messages[2].IsRead {
			t.Errorf("read marks of the sender: %v", err)
		}
		many := make([]im.Seq, 100_000)
		many[len(many)-1] = 2
		if err := k.MarkConversationRead(as(t, "b"), "b", c, 2, many); err != nil {
			t.Fatal(err)
		}
		if n, ok := k.noticed.(im.MessagesRead); !ok || len(n.Seqs) == 0 || len(n.Seqs) > 10_000 || n.Seqs[len(n.Seqs)-1] != 2 {
			t.Errorf("a receipt of %d messages lists %d", len(many), len(n.Seqs))
		}
		// The receipts to the peer are stored in the notification log, those to
		// the own devices are not.
		if maxSeqs, err := k.MaxSeqs(as(t, "a"), "a"); err != nil || maxSeqs["n_a_b"] != 2 || len(maxSeqs) != 2 {
			t.Errorf("max seqs %v, %v", maxSeqs, err)
		}
	})
}

func TestSendTimesRise(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		var last im.Millis
		for range 50 {
			s := k.send(single("a", "b", "x"))
			if s.SendTime <= last {
				t.Fatalf("send time %d after %d", s.SendTime, last)
			}
			last = s.SendTime
		}
	})
}

// Whatever a sender writes, its receiver's client can read every reply.
func TestPullsFitIntoAFrame(t *testing.T) {
	const frame = 1 << 20 // read by the SDKs
	k := newKit(t, storetest.SQLite(t)(store.Options{}), message.Options{})
	big := strings.Repeat("x", 16<<10)
	loud := func() *im.Message {
		m := single("a", "b", strings.Repeat("x", message.MaxContent))
		m.Ex, m.AttachedInfo, m.SenderNickname, m.SenderFaceURL = big, big, big, big
		m.Push = &im.PushInfo{Ex: big}
		m.AtUserIDs = make([]string, 1000)
		for i := range m.AtUserIDs {
			m.AtUserIDs[i] = strings.Repeat("i", im.MaxIDLength)
		}
		return m
	}
	for name, spoil := range map[string]func(*im.Message){
		"push info": func(m *im.Message) { m.Push.Desc = big },
		"mentions":  func(m *im.Message) { m.AtUserIDs[0] = strings.Repeat(big, 8) },
		"receiver": func(m *im.Message) {
			m.SessionType, m.GroupID, m.RecvID = im.GroupChat, "g", big
		},
	} {
		m := loud()
		spoil(m)
		if _, err := k.Send(as(t, "a"), m); !errors.Is(err, im.ErrArgs) {
			t.Errorf("too large %s: %v", name, err)
		}
	}
	seqs := make([]im.Seq, 120)
	for i := range seqs {
		if i%40 == 0 {
			k.send(loud())
		} else {
			m := single("a", "b", "y")
			m.Push = &im.PushInfo{Ex: big}
			k.send(m)
		}
		seqs[i] = im.Seq(i + 1)
	}
	for name, pull := range map[string]func() (map[im.ConversationID]im.Pulled, error){
		"range": func() (map[im.ConversationID]im.Pulled, error) {
			return k.PullRanges(as(t, "b"), "b", []im.Range{{ConversationID: "si_a_b", First: 1, Last: 120, Num: 120}}, false)
		},
		"list": func() (map[im.ConversationID]im.Pulled, error) {
			return k.PullSeqs(as(t, "b"), "b", []im.SeqList{{ConversationID: "si_a_b", Seqs: seqs}}, false)
		},
	} {
		got, err := pull()
		list := got["si_a_b"].Messages
		size := 0
		for i, m := range list {
			size += 100 + len(m.Content) + len(m.Ex) + len(m.AttachedInfo) + len(m.SenderNickname) + len(m.SenderFaceURL) + len(m.Push.Ex)
			for _, id := range m.AtUserIDs {
				size += 2 + len(id)
			}
			if m.Status == im.StatusDeleted || m.Seq != im.Seq(121-len(list)+i) {
				t.Fatalf("%s: message %d of %d has seq %d, status %d", name, i, len(list), m.Seq, m.Status)
			}
		}
		if err != nil || len(list) == 0 || size > frame {
			t.Errorf("%s: %d messages, %d bytes, %v", name, len(list), size, err)
		}
	}
}

func TestLargePullIsCut(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		big := make([]byte, 200<<10)
		for i := range 8 {
			m := single("a", "b", "x")
			m.Content = append([]byte{byte('0' + i)}, big...)
			k.send(m)
		}
		got, err := k.PullRanges(as(t, "b"), "b", []im.Range{{ConversationID: "si_a_b", First: 1, Last: 8, Num: 8}}, false)
		list := got["si_a_b"].Messages
		if err != nil || len(list) == 0 || len(list) == 8 || list[len(list)-1].Seq != 8 {
			t.Fatalf("%d messages, %v; want the newest that fit", len(list), err)
		}
	})
}

// A member who deleted the group's conversation from his list has it again with
// the next message, and can pull what is pushed to him.
func TestDeletedGroupConversationComesBack(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		k.group(im.Group{GroupID: "g"})
		k.send(inGroup("a", "g"))
		k.write(func(tx *store.Tx) error {
			n, err := tx.DeleteConversations("b", []im.ConversationID{"sg_g"})
			if n != 1 {
				t.Errorf("%d conversations deleted", n)
			}
			return err
		})
		k.send(inGroup("a", "g"))
		seqs, err := k.MaxSeqs(as(t, "b"), "b")
		if err != nil || seqs["sg_g"] != 2 {
			t.Errorf("max seqs %v, %v", seqs, err)
		}
		got, err := k.PullRanges(as(t, "b"), "b", []im.Range{{ConversationID: "sg_g", First: 1, Last: 2, Num: 2}}, false)
		if err != nil || len(got["sg_g"].Messages) != 2 {
			t.Errorf("pulled %v, %v", got, err)
		}
	})
}
