package webhook

import (
	"strings"
	"testing"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/webhook/registry"
)

// What concerns nobody but the two users of a trial is the trial's, and nothing
// else is.
func TestTrialApart(t *testing.T) {
	chat := im.SingleConversation("try_a", "try_b")
	single := func(from, to string) *im.Message {
		return &im.Message{SendID: from, RecvID: to, SessionType: im.SingleChat, ContentType: im.ContentText}
	}
	inGroup := &im.Message{SendID: "try_a", GroupID: "g", SessionType: im.GroupChat, ContentType: im.ContentText}
	session := func(userID string) im.Session { return im.Session{UserID: userID} }
	users := func(ids ...string) (out []im.User) {
		for _, id := range ids {
			out = append(out, im.User{UserID: id})
		}
		return out
	}
	const (
		never  = iota
		unless // but with Real
		always
	)
	for _, c := range []struct {
		about any
		apart int
	}{
		{im.MessageSent{Message: single("try_a", "try_b")}, unless},
		{&im.MessageSent{Message: single("try_b", "try_a")}, unless},
		{im.MessageSent{Message: single("try_a", "real")}, never},
		{im.MessageSent{Message: single("real", "try_a")}, never},
		{im.MessageSent{Message: inGroup}, never},
		{im.RevokeReported{Message: single("try_a", "try_b")}, unless},
		{im.ReadReported{ReaderID: "try_a", ConversationID: chat}, unless},
		{im.ReadReported{ReaderID: "try_a", ConversationID: im.SingleConversation("try_a", "real")}, never},
		{im.UserOnline{Session: session("try_a")}, always},
		{im.UserOffline{Session: session("try_b")}, always},
		{im.UserKicked{Session: session("try_b")}, always},
		{im.UserOnline{Session: session("real")}, never},
		{im.UsersRegistered{Users: users("try_a", "try_b")}, always},
		{im.UsersRegistered{Users: users("try_a", "real")}, never},
		{im.FriendsImported{OwnerID: "try_a", FriendIDs: []string{"try_b"}}, always},
		{im.FriendsImported{OwnerID: "real", FriendIDs: []string{"try_b"}}, never},
		{im.ChatOpened{Row: im.Conversation{OwnerID: "try_a", UserID: "try_b"}}, always},
		{im.ChatOpened{Row: im.Conversation{OwnerID: "try_a", GroupID: "g"}}, never},
		{im.ProfileUpdated{UserID: "try_a"}, never},
		{&im.MayRegister{Users: users("try_a")}, always},
		{&im.MayRegister{}, never},
		{&im.MayImportFriends{OwnerID: "try_a", FriendIDs: []string{"try_b"}}, always},
		{&im.MayOpenChat{Row: im.Conversation{OwnerID: "try_b", UserID: "try_a"}}, always},
		{&im.MayPush{Message: single("try_a", "try_b")}, unless},
		{&im.MayDeliver{Message: single("try_a", "real")}, never},
		{&im.MayBlock{OwnerID: "try_a", BlockedID: "real"}, never},
	} {
		for _, real := range []bool{false, true} {
			e := newEngine(t, Config{
				URL: "http://127.0.0.1:9", Callbacks: on(Callback{}, "afterSendSingleMsg"), Trial: &Trial{Users: [2]string{"try_a", "try_b"}, Real: real},
			}, Options{})
			p := e.plan.Load()
			var got *plan
			switch about := c.about.(type) {
			case im.Event:
				got = p.ofEvent(about)
			case im.Question:
				got = p.ofQuestion(about)
			}
			if want := c.apart == always || c.apart == unless && !real; (got == p.trial.plan) != want {
				t.Errorf("%T %+v, with the real handlers %t: apart %t, want %t", c.about, c.about, real, !want, want)
			}
		}
	}
}

// The real handler is asked about real messages and the trial's about its own;
// telling them apart costs no memory.
func TestTrialAsks(t *testing.T) {
	real, sample := serve(t, says(approval)), serve(t, says(`{"actionCode":0,"errCode":5001,"errMsg":"no","nextCode":1}`))
	var seen []Call
	e := newEngine(t, Config{
		URL: real.URL, Callbacks: on(Callback{}, "beforeSendSingleMsg"),
		Trial: &Trial{
			Users: [2]string{"try_a", "try_b"}, Endpoint: "parley-try", URL: sample.URL, Callbacks: on(Callback{}, "beforeSendSingleMsg"),
			Saw: func(c Call) { seen = append(seen, c) },
		},
	}, Options{})
	m := text("hello")
	m.SendID, m.RecvID = "try_a", "try_b"
	if _, err := e.BeforeSend(t.Context(), m); err == nil || !strings.Contains(err.Error(), "no") {
		t.Errorf("the sample handler's refusal: %v", err)
	}
	m.RecvID = "somebody"
	if _, err := e.BeforeSend(t.Context(), m); err != nil {
		t.Errorf("a real message: %v", err)
	}
	if len(real.got()) != 1 || len(sample.got()) != 1 {
		t.Errorf("the real handler was asked %d times, the sample %d", len(real.got()), len(sample.got()))
	}
	if len(seen) != 1 || seen[0].Endpoint != "parley-try" || seen[0].Outcome != outcomeReject || !strings.Contains(string(seen[0].Body), "try_b") {
		t.Errorf("the trial saw %+v", seen)
	}
	for range 100 { // never down, whatever it answers
		m.RecvID = "try_b"
		sample.mu.Lock()
		sample.answer = says("garbage")
		sample.mu.Unlock()
		_, _ = e.BeforeSend(t.Context(), m)
	}
	if n := len(sample.got()); n != 101 {
		t.Errorf("the sample handler was asked %d times", n)
	}
	off := newEngine(t, Config{Trial: &Trial{Users: [2]string{"try_a", "try_b"}}}, Options{})
	event := im.Event(&im.MessageSent{Message: m})
	if allocs := testing.AllocsPerRun(100, func() {
		_ = off.Asks(m)
		_ = off.Enabled(im.EventMessageSent)
		_ = off.plan.Load().ofEvent(event)
	}); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
	if off.plan.Load().on[registry.BeforeSendSingleMsg] != nil || off.Wants(im.AskRegister) {
		t.Error("something is on")
	}
}
