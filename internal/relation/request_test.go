package relation_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

const toldRequested = "n_alice_bob im.FriendRequested to [alice bob]"

func TestApplyAndAgree(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		k.must(k.Apply(as(t, "alice"), "alice", "bob", "let me in", "ex"))
		k.expect("a request", told(toldRequested))
		n, page, err := k.Received(t.Context(), "bob", nil, 0, 10)
		k.must(err)
		if n != 1 || page[0].Message != "let me in" || page[0].From.Nickname != "nick alice" || page[0].To.Nickname != "nick bob" || page[0].Ex != "ex" {
			t.Errorf("received %d %+v", n, page)
		}
		if n, err := k.Pending(t.Context(), "bob", 0); n != 1 || err != nil {
			t.Errorf("%d pending, %v", n, err)
		}
		if n, err := k.Pending(t.Context(), "bob", page[0].CreatedAt); n != 0 || err != nil {
			t.Errorf("%d pending since the last one, %v", n, err)
		}
		if n, _, err := k.Friends(t.Context(), "alice", 0, 10); n != 0 || err != nil {
			t.Errorf("%d friends by asking, %v", n, err)
		}

		k.must(k.Agree(as(t, "bob"), "alice", "bob", "welcome"))
		k.expect("agreed", told("si_alice_bob im.FriendRequestAgreed to [alice bob]"), told("n_alice_bob im.FriendRequestAgreed to [alice bob]"))
		for userID, friendID := range map[string]string{"alice": "bob", "bob": "alice"} {
			ids, v := k.friends(userID)
			if !slices.Equal(ids, []string{friendID}) || v.Version != 1 {
				t.Errorf("%s has %v at version %d", userID, ids, v.Version)
			}
			list, err := k.SomeFriends(t.Context(), userID, []string{friendID})
			k.must(err)
			if len(list) != 1 || list[0].AddSource != im.FriendApplied || list[0].OperatorID != "alice" {
				t.Errorf("%s has %+v", userID, list)
			}
		}
		_, page, err = k.Sent(t.Context(), "alice", []im.RequestResult{im.RequestAgreed}, 0, 10)
		k.must(err)
		if len(page) != 1 || page[0].Answer != "welcome" || page[0].HandlerID != "bob" || page[0].HandledAt == 0 {
			t.Errorf("sent %+v", page)
		}
		if n, _, err := k.Sent(t.Context(), "alice", []im.RequestResult{im.RequestPending, im.RequestRefused}, 0, 10); n != 0 || err != nil {
			t.Errorf("%d more, %v", n, err)
		}
		// The chat line opened the conversation of both.
		k.must(k.store.Read(t.Context(), func(tx *store.Tx) error {
			for _, userID := range []string{"alice", "bob"} {
				if _, found, err := tx.Conversation(userID, "si_alice_bob"); err != nil || !found {
					t.Errorf("%s has no conversation, %v", userID, err)
				}
			}
			return nil
		}))
	})
}

func TestRequestsRefused(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		k.befriend("alice", "bob")
		k.must(k.Apply(as(t, "carol"), "carol", "bob", "", ""))
		k.must(k.Refuse(as(t, "bob"), "carol", "bob", "no"))
		k.expect("so far", told(toldRequested), told("si_alice_bob im.FriendRequestAgreed to [alice bob]"), told("n_alice_bob im.FriendRequestAgreed to [alice bob]"),
			told("n_bob_carol im.FriendRequested to [bob carol]"), told("n_bob_carol im.FriendRequestRefused to [bob carol]"))
		long := strings.Repeat("x", im.MaxText+1)
		for name, c := range map[string]struct {
			err, want error
		}{
			"oneself":                 {k.Apply(as(t, "alice"), "alice", "alice", "", ""), im.ErrOwnFriend},
			"nobody":                  {k.Apply(as(t, "alice"), "alice", "nobody", "", ""), im.ErrNotFound},
			"by nobody":               {k.Apply(as(t, "alice"), "nobody", "alice", "", ""), im.ErrNotFound},
			"a friend":                {k.Apply(as(t, "bob"), "bob", "alice", "", ""), im.ErrAlreadyFriends},
			"a long text":             {k.Apply(as(t, "alice"), "alice", "carol", long, ""), im.ErrArgs},
			"a long ex":               {k.Apply(as(t, "alice"), "alice", "carol", "", long), im.ErrArgs},
			"agree to nothing":        {k.Agree(as(t, "alice"), "carol", "alice", ""), im.ErrNotFound},
			"agree twice":             {k.Agree(as(t, "bob"), "alice", "bob", ""), im.ErrArgs},
			"agree after refusing":    {k.Agree(as(t, "bob"), "carol", "bob", ""), im.ErrArgs},
			"agree at length":         {k.Agree(as(t, "bob"), "carol", "bob", long), im.ErrArgs},
			"refuse nothing":          {k.Refuse(as(t, "alice"), "carol", "alice", ""), im.ErrNotFound},
			"refuse twice":            {k.Refuse(as(t, "bob"), "carol", "bob", ""), im.ErrRequestHandled},
			"refuse after agreeing":   {k.Refuse(as(t, "bob"), "alice", "bob", ""), im.ErrRequestHandled},
			"refuse at length":        {k.Refuse(as(t, "bob"), "carol", "bob", long), im.ErrArgs},
			"the other way":           {k.Agree(as(t, "carol"), "bob", "carol", ""), im.ErrNotFound},
			"a result that is none":   {first(k.Received(t.Context(), "bob", []im.RequestResult{2}, 0, 10)), im.ErrArgs},
			"a result that is below":  {first(k.Sent(t.Context(), "bob", []im.RequestResult{-2}, 0, 10)), im.ErrArgs},
			"a remark for a stranger": {k.SetRemark(as(t, "alice"), "alice", "carol", "c"), im.ErrNotFound},
		} {
			if !errors.Is(c.err, c.want) {
				t.Errorf("%s: %v, want %v", name, c.err, c.want)
			}
		}
		k.expect("refused calls")
		if ids, v := k.friends("bob"); len(ids) != 1 || v.Version != 1 {
			t.Errorf("bob has %v at version %d", ids, v.Version)
		}
		_, page, err := k.Received(t.Context(), "bob", nil, 0, 10)
		k.must(err)
		if len(page) != 2 || page[0].Result != im.RequestRefused || page[0].Answer != "no" || page[0].HandlerID != "" {
			t.Errorf("received %+v", page)
		}
	})
}

func first(_ int64, _ []im.FriendRequest, err error) error { return err }

func TestCrossingRequests(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		k.must(k.Apply(as(t, "alice"), "alice", "bob", "", ""))
		k.must(k.Apply(as(t, "bob"), "bob", "alice", "", ""))
		if n, _, err := k.Friends(t.Context(), "alice", 0, 10); n != 0 || err != nil {
			t.Errorf("crossing requests made %d friends, %v", n, err)
		}
		k.must(k.Agree(as(t, "bob"), "alice", "bob", ""))
		both, err := k.Between(t.Context(), "bob", "alice")
		k.must(err)
		if len(both) != 2 || both[0].Result != im.RequestAgreed || both[1].Result != im.RequestAgreed || both[1].HandlerID != "bob" {
			t.Errorf("between them %+v", both)
		}
		for _, userID := range []string{"alice", "bob"} {
			if ids, v := k.friends(userID); len(ids) != 1 || v.Version != 1 {
				t.Errorf("%s has %v at version %d", userID, ids, v.Version)
			}
		}
	})
}

// A request is made again after a refusal and after the friendship ended on one
// side; the other side's entry stays as it was.
func TestApplyAgain(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		k.must(k.Apply(as(t, "alice"), "alice", "bob", "first", ""))
		k.must(k.Refuse(as(t, "bob"), "alice", "bob", "no"))
		k.befriend("alice", "bob")
		k.must(k.Delete(as(t, "alice"), "alice", "bob"))
		k.befriend("alice", "bob")
		_, ofAlice := k.friends("alice")
		_, ofBob := k.friends("bob")
		if ofAlice.Version != 3 || ofBob.Version != 1 {
			t.Errorf("versions %d and %d, want 3 and 1: the entry that stayed did not change", ofAlice.Version, ofBob.Version)
		}
		if n, page, err := k.Received(t.Context(), "bob", nil, 0, 10); n != 1 || len(page) != 1 || page[0].Message != "hi" || err != nil {
			t.Errorf("%d requests %+v, %v", n, page, err)
		}
	})
}

// Everybody applies to everybody and agrees to everything, all at once: each
// pair becomes friends once, in both lists, and every request is answered once.
func TestAgreeAtOnce(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		userIDs := []string{"alice", "bob", "carol"}
		answered := make(map[string]int)
		var mu sync.Mutex
		var wg sync.WaitGroup
		for _, from := range userIDs {
			for _, to := range userIDs {
				if from != to {
					k.must(k.Apply(as(t, from), from, to, "", ""))
				}
			}
		}
		for _, from := range userIDs {
			for _, to := range userIDs {
				if from == to {
					continue
				}
				for range 3 {
					wg.Go(func() {
						switch err := k.Agree(as(t, to), from, to, ""); {
						case err == nil:
							mu.Lock()
							defer mu.Unlock()
							answered[min(from, to)+max(from, to)]++
						case !errors.Is(err, im.ErrArgs):
							t.Errorf("%s agrees to %s: %v", to, from, err)
						}
					})
				}
			}
		}
		wg.Wait()
		for pair, n := range answered {
			if n != 1 {
				t.Errorf("%s: %d agreements", pair, n)
			}
		}
		for _, userID := range userIDs {
			if ids, v := k.friends(userID); len(ids) != 2 || v.Version != 2 {
				t.Errorf("%s has %v at version %d", userID, ids, v.Version)
			}
			if n, err := k.Pending(t.Context(), userID, 0); n != 0 || err != nil {
				t.Errorf("%s: %d pending, %v", userID, n, err)
			}
		}
	})
}
