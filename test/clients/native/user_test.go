package native

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/openimsdk/openim-sdk-core/v3/open_im_sdk"
	"github.com/openimsdk/openim-sdk-core/v3/pkg/constant"
	"github.com/openimsdk/protocol/sdkws"
	"github.com/openimsdk/protocol/user"
	"github.com/openimsdk/protocol/wrapperspb"
	"github.com/parley-im/parley/test/harness"
)

// profile is what a device shows of its own user.
func (d *device) profile() (nickname, face, ex string, recvOpt int32) {
	d.t.Helper()
	self, err := d.mgr.User().GetSelfUserInfo(d.call())
	d.must(err)
	return self.Nickname, self.FaceURL, self.Ex, self.GlobalRecvMsgOpt
}

// TestSetSelfInfo: the user's other devices are told, one that was away and one
// installed afterwards know it, and so does everybody who asks.
func TestSetSelfInfo(t *testing.T) {
	a, b, conversationID := pair(t, shared)
	desk := install(t, shared, a.userID, windows).login()
	away := install(t, shared, a.userID, android).login()
	away.logout()
	b.received(a.text(b.userID, "my name?"))

	a.must(a.mgr.User().SetSelfInfo(a.call(), &sdkws.UserInfoWithEx{
		Nickname: wrapperspb.String("Alicia"), FaceURL: wrapperspb.String("http://faces.test/alicia.png"), Ex: wrapperspb.String("my ex"),
		GlobalRecvMsgOpt: wrapperspb.Int32(constant.ReceiveNotNotifyMessage),
	}))
	check := func(d *device) {
		t.Helper()
		d.eventually("the profile", func() error {
			nickname, face, ex, opt := d.profile()
			if nickname != "Alicia" || face != "http://faces.test/alicia.png" || ex != "my ex" || opt != constant.ReceiveNotNotifyMessage {
				return fmt.Errorf("is %q %q %q %d", nickname, face, ex, opt)
			}
			return nil
		})
	}
	for _, d := range []*device{a, desk} {
		d.await("the new profile", holds("OnSelfInfoUpdated", a.userID, "Alicia", "http://faces.test/alicia.png", "my ex"))
		check(d)
	}
	check(away.login())
	check(away.fresh())
	// A message carries the name of the moment; the list of one who is no friend
	// shows it when the app has asked.
	if m := b.received(a.text(b.userID, "a new one")); m.SenderNickname != "Alicia" {
		t.Errorf("B was shown a message of %q", m.SenderNickname)
	}
	b = b.fresh()
	b.awaitShown(conversationID, "Alicia", "http://faces.test/alicia.png")
	b.never("OnSelfInfoUpdated")
}

// awaitShown waits until the list shows a conversation with this title and face.
func (d *device) awaitShown(conversationID, title, face string) {
	d.t.Helper()
	d.eventually("title of "+conversationID, func() error {
		c, err := d.conversation(conversationID)
		if err == nil && (c.ShowName != title || c.FaceURL != face) {
			err = fmt.Errorf("is %q %q, want %q %q", c.ShowName, c.FaceURL, title, face)
		}
		return err
	})
}

func TestGetSelfUserInfo(t *testing.T) {
	a := install(t, shared, users(t, shared, "alice")[0], ios).login()
	if nickname, face, ex, opt := a.profile(); nickname != harness.Nickname(a.userID) || face != harness.FaceURL(a.userID) || ex != "" || opt != 0 {
		t.Errorf("is %q %q %q %d", nickname, face, ex, opt)
	}
}

// TestGetUsersInfo: strangers are asked of the server, once; who does not exist is
// left out.
func TestGetUsersInfo(t *testing.T) {
	a := install(t, shared, users(t, shared, "alice")[0], ios).login()
	others := users(t, shared, "bob", "carol")
	got, err := a.mgr.User().GetUsersInfo(a.call(), append(slices.Clone(others), harness.UserID("nobody")))
	a.must(err)
	if len(got) != len(others) {
		t.Fatalf("told of %d users, want %d", len(got), len(others))
	}
	for _, u := range got {
		if !slices.Contains(others, u.UserID) || u.Nickname != harness.Nickname(u.UserID) || u.FaceURL != harness.FaceURL(u.UserID) || u.CreateTime == 0 {
			t.Errorf("told of %+v", u)
		}
	}
}

// TestUserCommands: what an app keeps for its user, such as favourites. OpenIM
// tells the user's other devices nothing; they ask when they log in.
func TestUserCommands(t *testing.T) {
	ids := users(t, shared, "alice")
	a, desk := install(t, shared, ids[0], ios).login(), install(t, shared, ids[0], windows).login()
	want := func(d *device, list ...string) {
		d.t.Helper()
		d.eventually("the commands", func() error {
			all, err := d.mgr.User().ProcessUserCommandGetAll(d.ctx())
			var got []string
			for _, c := range all {
				got = append(got, fmt.Sprint(c.Type, " ", c.Uuid, " ", c.Value))
			}
			slices.Sort(got)
			if err == nil && !slices.Equal(got, list) {
				err = fmt.Errorf("are %q, want %q", got, list)
			}
			return err
		})
	}
	t.Run("AddUserCommand", func(t *testing.T) {
		a := a.in(t)
		for i, value := range []string{"one", "two"} {
			a.must(a.mgr.User().ProcessUserCommandAdd(a.call(), &user.ProcessUserCommandAddReq{Type: 1, Uuid: fmt.Sprint("u", i), Value: wrapperspb.String(value)}))
			a.await("the command", holds("OnUserCommandAdd", fmt.Sprint("u", i), value))
		}
		if err := a.mgr.User().ProcessUserCommandAdd(a.call(), &user.ProcessUserCommandAddReq{Type: 1, Uuid: "u0", Value: wrapperspb.String("again")}); err == nil {
			t.Error("added twice")
		}
	})
	t.Run("UpdateUserCommand", func(t *testing.T) {
		a := a.in(t)
		a.must(a.mgr.User().ProcessUserCommandUpdate(a.call(), &user.ProcessUserCommandUpdateReq{Type: 1, Uuid: "u0", Value: wrapperspb.String("eins")}))
		a.await("the command", holds("OnUserCommandUpdate", "u0", "eins"))
	})
	t.Run("GetAllUserCommands", func(t *testing.T) {
		desk := desk.in(t)
		desk.logout()
		for _, d := range []*device{a.in(t), desk.login(), install(t, shared, a.userID, android).login()} {
			want(d, "1 u0 eins", "1 u1 two")
		}
	})
	t.Run("DeleteUserCommand", func(t *testing.T) {
		a := a.in(t)
		a.must(a.mgr.User().ProcessUserCommandDelete(a.call(), &user.ProcessUserCommandDeleteReq{Type: 1, Uuid: "u0"}))
		a.await("the end of the command", named("OnUserCommandDelete"))
		want(a, "1 u1 two")
		want(a.fresh(), "1 u1 two")
	})
}

// TestSubscriptions: presence of others, beyond TestOnlineStatus.
func TestSubscriptions(t *testing.T) {
	a, b, _ := pair(t, shared)
	c := install(t, shared, users(t, shared, "carol")[0], android).login()
	t.Run("SubscribeUsersStatus", func(t *testing.T) {
		a := a.in(t)
		got, err := a.mgr.LongConnMgr().SubscribeUsersStatus(a.call(), []string{b.userID, c.userID})
		a.must(err)
		if len(got) != 2 || got[0].Status != constant.Online || got[1].Status != constant.Online {
			t.Errorf("told of %v", got)
		}
		desk := install(t, shared, b.userID, windows).login()
		a.await("both devices", holds("OnUserStatusChanged", b.userID, `"platformIDs":[1,3]`))
		desk.logout()
		a.await("one device", holds("OnUserStatusChanged", b.userID, `"platformIDs":[1]`))
	})
	t.Run("GetSubscribeUsersStatus", func(t *testing.T) {
		// The core answers with an empty list, whatever it subscribed to.
		a := a.in(t)
		got, err := a.mgr.LongConnMgr().GetSubscribeUsersStatus(a.call())
		if err != nil || len(got) != 0 {
			t.Errorf("told of %v, %v", got, err)
		}
	})
	t.Run("UnsubscribeUsersStatus", func(t *testing.T) {
		// The server is told with the next subscription.
		a := a.in(t)
		a.must(a.mgr.LongConnMgr().UnsubscribeUsersStatus(a.call(), []string{b.userID}))
		dave := users(t, shared, "dave")[0]
		_, err := a.mgr.LongConnMgr().SubscribeUsersStatus(a.call(), []string{dave})
		a.must(err)
		before, _ := a.journal.read()
		b.logout()
		c.logout()
		a.await("that Carol went", holds("OnUserStatusChanged", c.userID, `"status":0`))
		events, _ := a.journal.read()
		if holds("OnUserStatusChanged", b.userID)(events[len(before):]) {
			t.Error("was told of somebody it no longer watches")
		}
	})
}

// TestGetLoginStatus: what an app asks to choose its first screen.
func TestGetLoginStatus(t *testing.T) {
	a := install(t, shared, users(t, shared, "alice")[0], ios).login()
	if status := a.mgr.GetLoginStatus(a.ctx()); status != open_im_sdk.Logged {
		t.Errorf("logged in, it is %d", status)
	}
	a.logout()
	if status := a.mgr.GetLoginStatus(context.Background()); status != open_im_sdk.LogoutStatus {
		t.Errorf("logged out, it is %d", status)
	}
}

// TestLogout ends one login, on the server too, and no other.
func TestLogout(t *testing.T) {
	a, b, _ := pair(t, shared)
	desk := install(t, shared, a.userID, windows).login()
	_, err := b.mgr.LongConnMgr().SubscribeUsersStatus(b.call(), []string{a.userID})
	b.must(err)
	*a.off = true
	a.must(a.mgr.Logout(a.ctx()))
	b.await("that A is only on the desk", holds("OnUserStatusChanged", a.userID, `"platformIDs":[3]`))
	s := b.text(a.userID, "where are you?")
	desk.received(s)
	if got := a.journal.messages(); len(got) != 0 {
		t.Errorf("was shown %d messages after logging out", len(got))
	}
	a.login().received(s)
}

// TestSetAppBackgroundStatus: an app in the background still gets messages, by
// another callback; an iPhone's gets none, and pulls what it missed when it is
// shown again.
func TestSetAppBackgroundStatus(t *testing.T) {
	a, b, conversationID := pair(t, shared)
	tablet := install(t, shared, b.userID, android).login()
	for _, d := range []*device{b, tablet} {
		d.must(d.mgr.SetAppBackgroundStatus(d.call(), true))
	}
	s := a.text(b.userID, "while you looked away")
	tablet.awaitMessage("OnRecvOfflineNewMessage", s.ClientMsgID)
	if lines, err := b.view(conversationID); err != nil || len(lines) != 0 {
		t.Errorf("the iPhone has %q, %v", lines, err)
	}
	for _, d := range []*device{b, tablet} {
		d.must(d.mgr.SetAppBackgroundStatus(d.call(), false))
	}
	last := a.text(b.userID, "there you are")
	for _, d := range []*device{b, tablet} {
		d.received(last)
		d.awaitHistory(conversationID, a.settled(conversationID, 2))
		d.awaitUnread(2)
	}
	b.received(s)
}

// TestNetworkStatusChanged: the app says that the network is another one; the
// core connects again, and misses nothing.
func TestNetworkStatusChanged(t *testing.T) {
	a, b, conversationID := pair(t, shared)
	b.mgr.NetworkStatusChanged(b.ctx())
	s := a.text(b.userID, "which network?")
	b.await("a second connection", times("OnConnectSuccess", 2))
	b.received(s)
	b.awaitHistory(conversationID, a.settled(conversationID, 1))
	b.received(a.text(b.userID, "still there?"))
	if events, _ := b.journal.read(); named("OnKickedOffline")(events) {
		t.Error("its own second connection ended its session")
	}
}
