package message_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/store"
)

// shown pulls a conversation as a user sees it: "seq:content", "seq!" for a
// revoked message, "seq-" for one that is gone.
func (k *kit) shown(userID string, c im.ConversationID) []string {
	k.t.Helper()
	got, err := k.PullRanges(as(k.t, userID), userID, []im.Range{{ConversationID: c, First: 1, Last: 100, Num: 100}}, false)
	if err != nil {
		k.t.Fatal(err)
	}
	out := []string{}
	for _, m := range got[c].Messages {
		switch {
		case m.Revoked != nil:
			out = append(out, fmt.Sprintf("%d!", m.Seq))
		case m.Status == im.StatusDeleted:
			out = append(out, fmt.Sprintf("%d-", m.Seq))
		default:
			out = append(out, fmt.Sprintf("%d:%s", m.Seq, m.Content))
		}
	}
	return out
}

func (k *kit) expect(what, userID string, c im.ConversationID, want ...string) {
	k.t.Helper()
	if got := k.shown(userID, c); !slices.Equal(got, want) {
		k.t.Errorf("%s: %s sees %v, want %v", what, userID, got, want)
	}
}

func (k *kit) notices() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := 0
	for _, d := range k.delivered {
		if d.message.ConversationID.IsNotification() {
			n++
		}
	}
	return n
}

func TestRevoke(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		const c = im.ConversationID("si_a_b")
		k.send(single("a", "b", "one"))
		k.send(single("a", "b", "two"))
		for what, try := range map[string]struct {
			caller, user string
			seq          im.Seq
			want         *im.Error
		}{
			"the receiver":        {"b", "b", 1, im.ErrNoPermission},
			"in another's name":   {"b", "a", 1, im.ErrNoPermission},
			"an unknown message":  {"a", "a", 9, im.ErrNotFound},
			"seq 0":               {"a", "a", 0, im.ErrArgs},
			"an outsider":         {"c", "c", 1, im.ErrNoPermission},
			"for an unknown user": {"imAdmin", "ghost", 1, im.ErrNotFound},
		} {
			if err := k.Revoke(as(t, try.caller), try.user, c, try.seq); !errors.Is(err, try.want) {
				t.Errorf("%s: %v, want %v", what, err, try.want)
			}
		}
		k.expect("before", "b", c, "1:one", "2:two")
		if err := k.Revoke(as(t, "a"), "a", c, 1); err != nil {
			t.Fatal(err)
		}
		k.expect("after", "a", c, "1!", "2:two")
		k.expect("after", "b", c, "1!", "2:two")
		if err := k.Revoke(as(t, "a"), "a", c, 1); !errors.Is(err, im.ErrRevoked) {
			t.Errorf("again: %v", err)
		}
		if got := k.notices(); got != 1 {
			t.Errorf("%d notices, want 1: a refused change is not reported", got)
		}
		if err := k.Revoke(as(t, "imAdmin"), "imAdmin", c, 2); err != nil {
			t.Fatal(err)
		}
		k.mu.Lock()
		last := k.delivered[len(k.delivered)-1]
		k.mu.Unlock()
		if last.message.ConversationID != "n_a_b" || len(last.recipients) != 2 {
			t.Errorf("an administrator's revocation goes to %v in %s", last.recipients, last.message.ConversationID)
		}
		// The next seq is not affected by what happened to earlier ones.
		if s := k.send(single("b", "a", "three")); s.Seq != 3 {
			t.Errorf("seq %d", s.Seq)
		}
	})
}

// Who pulls a quote after what it quotes was revoked is told so.
func TestRevokedQuotes(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		const c = im.ConversationID("si_a_b")
		quote := func(t im.ContentType, seq im.Seq, clientMsgID string) {
			k.t.Helper()
			m := single("b", "a", "")
			m.ContentType = t
			m.Content = fmt.Appendf(nil, `{"text":"why?","quoteMessage":{"seq":%d,"clientMsgID":%q,"contentType":101,"textElem":{"content":"x"}}}`, seq, clientMsgID)
			k.send(m)
		}
		first, second := k.send(single("a", "b", "x")), k.send(single("a", "b", "x"))
		quote(im.ContentQuote, 1, first.ClientMsgID)
		quote(im.ContentAtText, 1, first.ClientMsgID)
		quote(im.ContentQuote, 2, second.ClientMsgID)
		quote(im.ContentQuote, 1, "forwarded from another chat")
		quote(im.ContentText, 1, first.ClientMsgID)
		revokedQuotes := func() (seqs []im.Seq) {
			t.Helper()
			got, err := k.PullRanges(as(t, "b"), "b", []im.Range{{ConversationID: c, First: 1, Last: 100, Num: 100}}, false)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range got[c].Messages {
				if m.RevokedQuote != nil && m.RevokedQuote.Seq == 1 {
					seqs = append(seqs, m.Seq)
				}
			}
			return seqs
		}
		if seqs := revokedQuotes(); len(seqs) != 0 {
			t.Errorf("before: %v", seqs)
		}
		if err := k.Revoke(as(t, "a"), "a", c, 1); err != nil {
			t.Fatal(err)
		}
		if seqs := revokedQuotes(); !slices.Equal(seqs, []im.Seq{3, 4}) {
			t.Errorf("quotes of what was revoked: %v", seqs)
		}
	})
}

func TestRevokeInGroups(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		k.group(im.Group{GroupID: "g", Type: im.WorkingGroup}) // a owner, b admin, c and x members
		c := im.GroupConversation("g")
		seqs := map[string]im.Seq{}
		for _, u := range []string{"a", "b", "x"} {
			seqs[u] = k.send(inGroup(u, "g")).Seq
		}
		for _, try := range []struct {
			by, of string
			ok     bool
		}{
			{"x", "a", false},
			{"x", "b", false},
			{"b", "a", false},
			{"quiet", "x", false},
			{"c", "x", false},
			{"b", "x", true},
			{"b", "b", true},
			{"a", "a", true},
		} {
			err := k.Revoke(as(t, try.by), try.by, c, seqs[try.of])
			if try.ok != (err == nil) || err != nil && !errors.Is(err, im.ErrNoPermission) {
				t.Errorf("%s revokes a message of %s: %v", try.by, try.of, err)
			}
		}
	})
}

func TestDelete(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		const c = im.ConversationID("si_a_b")
		for _, text := range []string{"one", "two", "three", "four"} {
			k.send(single("a", "b", text))
		}
		if err := k.Delete(as(t, "b"), "b", c, []im.Seq{1, 77}, message.ForSelf); err != nil {
			t.Fatal(err)
		}
		if k.notices() != 0 {
			t.Error("deleting for oneself was told to somebody")
		}
		if err := k.Delete(as(t, "b"), "b", c, []im.Seq{2}, message.ForSelfTold); err != nil {
			t.Fatal(err)
		}
		k.expect("for himself", "b", c, "1-", "2-", "3:three", "4:four")
		k.expect("for b", "a", c, "1:one", "2:two", "3:three", "4:four")
		if err := k.Delete(as(t, "b"), "b", c, []im.Seq{3}, message.ForEverybody); !errors.Is(err, im.ErrNoPermission) {
			t.Errorf("another's message for everybody: %v", err)
		}
		if err := k.Delete(as(t, "a"), "a", c, []im.Seq{3, 4}, message.ForEverybody); err != nil {
			t.Fatal(err)
		}
		k.expect("for everybody", "b", c, "1-", "2-", "3-", "4-")
		k.expect("for everybody", "a", c, "1:one", "2:two", "3-", "4-")
		for what, err := range map[string]error{
			"none":          k.Delete(as(t, "a"), "a", c, nil, message.ForSelf),
			"too many":      k.Delete(as(t, "a"), "a", c, make([]im.Seq, 2000), message.ForSelf),
			"notifications": k.Delete(as(t, "a"), "a", "n_a_b", []im.Seq{1}, message.ForSelf),
		} {
			if !errors.Is(err, im.ErrArgs) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if err := k.Delete(as(t, "c"), "c", c, []im.Seq{1}, message.ForSelf); !errors.Is(err, im.ErrNotFound) {
			t.Errorf("an outsider: %v", err)
		}
		if err := k.RemovePhysically(as(t, "a"), c, []im.Seq{1}); !errors.Is(err, im.ErrNoPermission) {
			t.Errorf("physically by a user: %v", err)
		}
		if err := k.Delete(as(t, "b"), "b", c, []im.Seq{5, 6, 1 << 40}, message.ForSelf); err != nil {
			t.Fatal(err)
		}
		// Seqs of removed messages are not used again.
		if s := k.send(single("a", "b", "five")); s.Seq != 5 {
			t.Errorf("seq %d, want 5", s.Seq)
		}
		k.expect("deleted before it was sent", "b", c, "1-", "2-", "3-", "4-", "5:five")
	})
}

func TestClear(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		const c = im.ConversationID("si_a_b")
		k.send(single("a", "b", "one"))
		k.send(single("a", "b", "two"))
		if err := k.Clear(as(t, "b"), "b", []im.ConversationID{c, "si_b_unknown"}, message.ForSelf); err != nil {
			t.Fatal(err)
		}
		k.expect("cleared", "b", c)
		k.expect("the other side", "a", c, "1:one", "2:two")
		states, _, err := k.ReadStates(as(t, "b"), "b", nil, false)
		if err != nil || states[c].ReadSeq != 2 {
			t.Errorf("read state %+v, %v", states[c], err)
		}
		k.send(single("a", "b", "three"))
		k.expect("a new message", "b", c, "3:three")
		if err := k.Clear(as(t, "b"), "b", []im.ConversationID{c}, message.ForEverybody); !errors.Is(err, im.ErrNoPermission) {
			t.Errorf("for both sides: %v", err)
		}
		if err := k.Clear(as(t, "imAdmin"), "a", []im.ConversationID{c}, message.ForEverybody); err != nil {
			t.Fatal(err)
		}
		k.expect("cleared for both", "a", c)
		k.expect("cleared for both", "b", c)
		k.send(single("b", "a", "four"))
		if err := k.ClearAll(as(t, "a"), "a", message.ForSelfTold); err != nil {
			t.Fatal(err)
		}
		k.expect("cleared all", "a", c)
		k.expect("cleared all", "b", c, "4:four")
	})
}

// What survives a restart: the seq after the last message was removed.
func TestRemovedLastSeqSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	open := func() *store.Store {
		s, err := store.Open(t.Context(), store.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	k := newKit(t, s, message.Options{})
	k.send(single("a", "b", "one"))
	k.send(single("a", "b", "two"))
	if err := k.RemovePhysically(as(t, "imAdmin"), "si_a_b", []im.Seq{1, 2}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open()
	defer s.Close()
	again := message.New(s, nil, k, k, message.Options{IsAdmin: func(string) bool { return false }})
	sent, err := again.Send(as(t, "a"), single("a", "b", "three"))
	if err != nil || sent.Seq != 3 {
		t.Errorf("seq %d, %v; want 3", sent.Seq, err)
	}
}

// A client that was installed anew asks for the latest message of chats whose
// last one is deleted: it shows the one before.
func TestLastMessageIsNotADeletedOne(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		const c = im.ConversationID("si_a_b")
		for _, text := range []string{"one", "two", "three"} {
			k.send(single("a", "b", text))
		}
		for _, step := range []struct {
			remove im.Seq
			b      string
		}{{3, "two"}, {2, "one"}, {1, ""}} {
			if err := k.Delete(as(t, "b"), "b", c, []im.Seq{step.remove}, message.ForSelf); err != nil {
				t.Fatal(err)
			}
			for user, want := range map[string]string{"a": "three", "b": step.b} {
				got, err := k.LastMessages(as(t, user), user, []im.ConversationID{c})
				if err != nil {
					t.Fatal(err)
				}
				text := ""
				if m := got[c]; m != nil {
					text = string(m.Content)
				}
				if text != want {
					t.Errorf("without %d: the last message of %s is %q, want %q", step.remove, user, text, want)
				}
			}
		}
	})
}

// A device that was away pulls what the other side's receipts say; of its own
// user's only one that still tells where he is.
func TestStaleReceiptsAreNotPulled(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		const c, notices = im.ConversationID("si_a_b"), im.ConversationID("n_a_b")
		pulls := func(what string, want map[string][]bool) {
			t.Helper()
			for user, there := range want {
				got, err := k.PullRanges(as(t, user), user, []im.Range{{ConversationID: notices, First: 1, Last: 9, Num: 9}}, false)
				if err != nil {
					t.Fatal(err)
				}
				var found []bool
				for _, m := range got[notices].Messages {
					found = append(found, m.Status != im.StatusDeleted)
				}
				if !slices.Equal(found, there) {
					t.Errorf("%s: %s pulls %v, want %v", what, user, found, there)
				}
			}
		}
		for seq := range im.Seq(2) {
			k.send(single("a", "b", "text"))
			if err := k.MarkConversationRead(as(t, "b"), "b", c, seq+1, []im.Seq{seq + 1}); err != nil {
				t.Fatal(err)
			}
		}
		pulls("read", map[string][]bool{"a": {true, true}, "b": {false, true}})
		k.send(single("b", "a", "an answer"))
		pulls("answered", map[string][]bool{"a": {true, true}, "b": {false, false}})
	})
}
