package console

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/auth"
	"github.com/parley-im/parley/internal/conversation"
	"github.com/parley-im/parley/internal/group"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/relation"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/trial"
	"github.com/parley-im/parley/internal/user"
	"github.com/parley-im/parley/internal/wire"
)

// nowhere delivers to nobody.
type nowhere struct{}

func (nowhere) Deliver(*im.Message, im.Audience, string) {}

// chatOf is the nouns on a store, with nobody connected.
func chatOf(s *store.Store, a *auth.Service) Chat {
	log := slog.New(slog.DiscardHandler)
	m := message.New(s, nil, nowhere{}, wire.Notices{}, message.Options{IsAdmin: a.IsAdmin})
	return Chat{
		Users: user.New(s, m, im.NoHooks{}, log), Relations: relation.New(s, m, im.NoHooks{}, log),
		Groups: group.New(s, m, group.Options{Hooks: im.NoHooks{}}), Conversations: conversation.New(s, m, log), Messages: m,
		Connections: func(string) []Connection { return []Connection{{ID: "c1", Platform: im.PlatformWeb}} },
		Logout:      a.ForceLogout,
	}
}

// noTrial is a trial that cannot begin.
func noTrial() *trial.Service {
	return trial.New(trial.Options{
		Prepare: func(context.Context, []im.User) error { return errors.New("no phones here") },
		Changed: func(context.Context) error { return nil }, Left: func() {},
	})
}

// speak sends texts between two users.
func (s *site) speak(from, to string, texts ...string) (id im.ConversationID) {
	s.t.Helper()
	ctx := im.WithCaller(s.t.Context(), im.Caller{Server: true, Admin: true})
	for _, text := range texts {
		m := &im.Message{
			ClientMsgID: im.NewMessageID(), SendID: from, RecvID: to, SessionType: im.SingleChat, MsgFrom: im.FromUser,
			ContentType: im.ContentText, Content: []byte(`{"content":` + quoted(text) + `}`), CreateTime: im.MillisOf(s.clock.Now()),
		}
		id = m.LogID()
		if _, err := s.Chat.Messages.Send(ctx, m); err != nil {
			s.t.Fatal(err)
		}
	}
	return id
}

func quoted(s string) string { return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"` }

// Content is shown to the login that asked, for the conversation it asked about,
// for a while; and only to administrators with that right.
func TestReveal(t *testing.T) {
	readers := map[string]bool{"imAdmin": true}
	s := newSite(t, func(o *Options) { o.ReadsContent = func(userID string) bool { return readers[userID] } })
	chat := s.speak("alice", "second", "between us")
	other := s.speak("alice", "imAdmin", "elsewhere")
	at := func(id im.ConversationID) string { return "/chat/conversation?id=" + url.QueryEscape(string(id)) }
	asker, bystander := s.loggedIn(), s.loggedIn()
	sees := func(b *browser, id im.ConversationID, content string) bool {
		t.Helper()
		status, body := b.get(at(id))
		if status != 200 || !strings.Contains(body, "alice") {
			t.Fatalf("status %d\n%s", status, body)
		}
		return strings.Contains(body, content)
	}
	if sees(asker, chat, "between us") {
		t.Error("shown before it was asked for")
	}
	if status, body := asker.post("/chat/conversation/reveal", url.Values{"id": {string(chat)}}); status != 303 {
		t.Fatalf("status %d\n%s", status, body)
	}
	if !sees(asker, chat, "between us") {
		t.Error("not shown to who asked")
	}
	if sees(asker, other, "elsewhere") || sees(bystander, chat, "between us") {
		t.Error("shown elsewhere, or to somebody else")
	}
	last := s.entries()[len(s.entries())-1]
	if last.Action != "chat/conversation/reveal" || !strings.Contains(last.Detail, string(chat)) || last.UserID != "imAdmin" {
		t.Errorf("recorded as %+v", last)
	}
	s.clock.Pass(revealed)
	if sees(asker, chat, "between us") {
		t.Error("shown for ever")
	}
	asker.post("/chat/conversation/reveal", url.Values{"id": {string(chat)}})
	readers["imAdmin"] = false
	if sees(asker, chat, "between us") {
		t.Error("shown to who lost the right")
	}
	if status, _ := asker.post("/chat/conversation/reveal", url.Values{"id": {string(chat)}}); status != 422 {
		t.Errorf("asked without the right: %d", status)
	}
	readers["imAdmin"] = true
	if status, _ := asker.post("/chat/conversation/reveal", url.Values{"id": {"si_no_body"}}); status != 422 {
		t.Errorf("asked about a conversation that is not there: %d", status)
	}
	for range mostReveals + 10 {
		s.reveals.add("x", im.ConversationID(im.NewMessageID()), s.clock.Now())
	}
	if n := len(s.reveals.until); n > mostReveals {
		t.Errorf("%d are remembered", n)
	}
}

// Texts of users are text on every page about them.
func TestHostileChat(t *testing.T) {
	s := newSite(t, func(o *Options) { o.ReadsContent = func(string) bool { return true } })
	ctx := im.WithCaller(t.Context(), im.Caller{Server: true, Admin: true})
	if err := s.Chat.Users.Register(ctx, []im.User{{UserID: "eve", Nickname: hostile, FaceURL: hostile, Ex: hostile}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Chat.Users.AddAccount(ctx, im.User{UserID: "news", Nickname: hostile, FaceURL: hostile, AppLevel: im.LevelAccount}); err != nil {
		t.Fatal(err)
	}
	made, err := s.Chat.Groups.Create(ctx, group.Founding{
		Group: im.Group{Name: hostile, Introduction: hostile, Notification: hostile, Ex: hostile, OwnerID: "eve", Type: im.WorkingGroup}, MemberIDs: []string{"alice"},
	})
	if err != nil {
		t.Fatal(err)
	}
	chat := s.speak("eve", "alice", hostile, "")
	b := s.loggedIn()
	b.post("/chat/conversation/reveal", url.Values{"id": {string(chat)}})
	if _, body := b.get("/chat?q=eve"); !strings.Contains(body, `href="/console/chat/user?id=eve"`) {
		t.Errorf("no link to the user:\n%s", body)
	}
	shown := 0
	for _, path := range []string{
		"/chat", "/chat?q=" + url.QueryEscape(hostile), "/chat/user?id=eve", "/chat/user?id=" + url.QueryEscape(hostile), "/chat/group?id=" + made.GroupID,
		"/chat/group?id=" + url.QueryEscape(hostile), "/chat/conversation?id=" + string(chat), "/chat/send", "/chat/send?to=" + url.QueryEscape(hostile),
	} {
		_, body := b.get(path)
		if strings.Contains(body, "<script>alert") || strings.Contains(body, "<img src=x") {
			t.Errorf("%s: the text of others is markup:\n%s", path, body)
		}
		n := strings.Count(body, "&lt;script&gt;")
		if n == 0 {
			t.Errorf("%s does not show the text at all", path)
		}
		shown += n
	}
	_, body := b.post("/chat/send/send", url.Values{"account": {"news"}, "to": {"alice " + hostile}, "text": {hostile}})
	if strings.Contains(body, "<script>alert") || !strings.Contains(body, "sn_alice_news") {
		t.Errorf("a notice:\n%s", body)
	}
	if trail := s.entries(); strings.Contains(trail[len(trail)-1].Detail, "text="+hostile) {
		t.Errorf("its text is in the audit trail: %+v", trail[len(trail)-1])
	}
	t.Log(shown, "times shown")
}

// Who is logged out of a platform has no good token of it left.
func TestKick(t *testing.T) {
	s := newSite(t)
	token, _, err := s.auth.UserToken(t.Context(), "alice", im.PlatformWeb)
	if err != nil {
		t.Fatal(err)
	}
	b := s.loggedIn()
	for _, bad := range []url.Values{{"id": {"alice"}, "platform": {"0"}}, {"id": {"alice"}, "platform": {"99"}}, {"id": {"nobody"}, "platform": {"5"}}} {
		if status, _ := b.post("/chat/user/kick", bad); status != 422 {
			t.Errorf("%v: %d", bad, status)
		}
	}
	if _, err := s.auth.Verify(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	s.clock.Pass(time.Second)
	if status, body := b.post("/chat/user/kick", url.Values{"id": {"alice"}, "platform": {"5"}}); status != 303 {
		t.Fatalf("status %d\n%s", status, body)
	}
	if _, err := s.auth.Verify(t.Context(), token); !errors.Is(err, im.ErrTokenKicked) {
		t.Errorf("the token is still good: %v", err)
	}
}
