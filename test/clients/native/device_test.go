package native

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/openimsdk/openim-sdk-core/v3/open_im_sdk"
	"github.com/openimsdk/openim-sdk-core/v3/pkg/ccontext"
	"github.com/openimsdk/openim-sdk-core/v3/pkg/constant"
	"github.com/openimsdk/openim-sdk-core/v3/pkg/db/model_struct"
	"github.com/openimsdk/openim-sdk-core/v3/pkg/sdk_params_callback"
	"github.com/openimsdk/openim-sdk-core/v3/sdk_struct"
	"github.com/openimsdk/protocol/sdkws"
	"github.com/parley-im/parley/test/harness"
)

const (
	ios     = 1
	android = 2
	windows = 3
	web     = 5
)

// patience is how long a test waits for something that must happen. It covers
// the client's reconnect backoff of 1, 2, 4, 8 and 16 seconds.
const patience = 45 * time.Second

// device is one installation of an app: a user, a platform, a data directory and
// the client core on top of it.
type device struct {
	t        *testing.T
	server   *harness.Server
	userID   string
	platform int
	dir      string
	mgr      *open_im_sdk.LoginMgr
	journal  *journal
	token    string
	off      *bool // this login has ended, or was cut off by the server
}

// install makes a device that has never been logged in.
func install(t *testing.T, server *harness.Server, userID string, platform int) *device {
	t.Helper()
	return &device{t: t, server: server, userID: userID, platform: platform, dir: t.TempDir()}
}

// login gets a token and connects; it returns when the client says that it is in
// step with the server.
func (d *device) login() *device {
	d.t.Helper()
	token, err := d.server.UserToken(d.userID, d.platform)
	if err != nil {
		d.t.Fatalf("token for %s: %v", d.userID, err)
	}
	d.loginWith(token)
	d.await("OnSyncServerFinish", named("OnSyncServerFinish"))
	return d
}

// instead logs in on a second installation of the same platform, which ends the
// session of the first.
func (d *device) instead() *device {
	d.t.Helper()
	if _, err := d.server.AnotherToken(d.userID, d.platform, d.token); err != nil {
		d.t.Fatal(err)
	}
	return install(d.t, d.server, d.userID, d.platform).login()
}

// in is the same device for a subtest, whose failures are its own.
func (d *device) in(t *testing.T) *device {
	same := *d
	same.t = t
	return &same
}

// loginWith connects with any token and waits for nothing.
func (d *device) loginWith(token string) {
	d.t.Helper()
	d.token = token
	d.journal = newJournal()
	d.mgr = open_im_sdk.NewLoginMgr()
	d.off = new(bool)
	config := sdk_struct.IMConfig{
		SystemType: "test", PlatformID: int32(d.platform), LogLevel: 1,
		ApiAddr: d.server.API, WsAddr: d.server.WS, DataDir: d.dir, LogFilePath: d.dir,
	}
	if !d.mgr.InitSDK(config, d.journal) {
		d.t.Fatal("InitSDK refused its configuration")
	}
	d.mgr.SetConversationListener(d.journal)
	d.mgr.SetAdvancedMsgListener(d.journal)
	d.mgr.SetUserListener(d.journal)
	d.mgr.SetFriendshipListener(d.journal)
	d.mgr.SetGroupListener(d.journal)
	if err := d.mgr.Login(d.ctx(), d.userID, token); err != nil {
		d.t.Fatalf("login of %s: %v", d.userID, err)
	}
	session := *d // another login is another's to end
	d.t.Cleanup(session.logout)
}

// logout ends the session as an app does. Logging in again continues on the same
// data directory.
func (d *device) logout() {
	d.t.Helper()
	if *d.off {
		return
	}
	*d.off = true
	if err := d.mgr.Logout(d.ctx()); err != nil {
		d.t.Errorf("logout of %s: %v", d.userID, err)
	}
}

// cutOff waits until the server has ended the session, which the client tells the
// app by the given callback, and the client has cleared up after itself.
func (d *device) cutOff(callback string) {
	d.t.Helper()
	d.await(callback, named(callback))
	d.eventually("the client logging itself out", func() error {
		if status := d.mgr.GetLoginStatus(context.Background()); status != open_im_sdk.LogoutStatus {
			return fmt.Errorf("its status is %d", status)
		}
		return nil
	})
	*d.off = true
}

// ctx is what every call of the client wants: its manager's context with an
// operation id of its own. Logging out replaces the manager's context, so it is
// made anew each time.
func (d *device) ctx() context.Context {
	operationID := rand.Text()
	observed.called(operationID, d.t.Name(), session{d.userID, d.platform})
	return ccontext.WithOperationID(d.mgr.Context(), operationID)
}

// call is ctx with a deadline, for calls that wait for the server.
func (d *device) call() context.Context {
	ctx, cancel := context.WithTimeout(d.ctx(), patience)
	d.t.Cleanup(cancel)
	return ctx
}

// await waits until the events so far satisfy ok.
func (d *device) await(what string, ok func([]event) bool) {
	d.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		events, changed := d.journal.read()
		if ok(events) {
			return
		}
		select {
		case <-changed:
		case <-timer.C:
			d.t.Fatalf("%s on platform %d did not see %s; it saw %s", d.userID, d.platform, what, names(events))
		}
	}
}

// eventually waits for a state the client announces by no event of its own.
func (d *device) eventually(what string, check func() error) {
	d.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-timer.C:
			d.t.Fatalf("%s on platform %d: %s: %v", d.userID, d.platform, what, err)
		}
	}
}

// sent is what a test keeps of a sent message: the client core goes on writing
// to the struct it returned.
type sent struct {
	ClientMsgID string
	ServerMsgID string
	SendTime    int64
}

func target(peer string) (userID, groupID string) {
	if groupID, ok := groupOf(peer); ok {
		return "", groupID
	}
	return peer, ""
}

// groupTarget names a group where a peer is asked for.
func groupTarget(groupID string) string { return "group:" + groupID }

func groupOf(peer string) (string, bool) {
	const prefix = "group:"
	if len(peer) > len(prefix) && peer[:len(prefix)] == prefix {
		return peer[len(prefix):], true
	}
	return "", false
}

// trySend sends m as it is, media without upload.
func (d *device) trySend(peer string, m *sdk_struct.MsgStruct, onlineOnly bool) (sent, error) {
	userID, groupID := target(peer)
	var got *sdk_struct.MsgStruct
	var err error
	switch m.ContentType {
	case constant.Picture, constant.Sound, constant.Video, constant.File:
		got, err = d.mgr.Conversation().SendMessageNotOss(d.call(), m, userID, groupID, &sdkws.OfflinePushInfo{}, onlineOnly)
	default:
		got, err = d.mgr.Conversation().SendMessage(d.call(), m, userID, groupID, &sdkws.OfflinePushInfo{}, onlineOnly)
	}
	if err != nil {
		return sent{ClientMsgID: m.ClientMsgID}, err
	}
	return sent{got.ClientMsgID, got.ServerMsgID, got.SendTime}, nil
}

func (d *device) send(peer string, m *sdk_struct.MsgStruct) sent {
	d.t.Helper()
	got, err := d.trySend(peer, m, false)
	if err != nil {
		d.t.Fatalf("%s sends content type %d: %v", d.userID, m.ContentType, err)
	}
	if got.ServerMsgID == "" || got.SendTime == 0 {
		d.t.Fatalf("the server acknowledged content type %d with %+v", m.ContentType, got)
	}
	return got
}

func (d *device) newText(text string) *sdk_struct.MsgStruct {
	d.t.Helper()
	m, err := d.mgr.Conversation().CreateTextMessage(d.ctx(), text)
	if err != nil {
		d.t.Fatal(err)
	}
	return m
}

func (d *device) text(peer, text string) sent {
	d.t.Helper()
	return d.send(peer, d.newText(text))
}

// sendRaw sends a message the client core has no function for, over its socket.
func (d *device) sendRaw(m *sdkws.MsgData) *sdkws.UserSendMsgResp {
	d.t.Helper()
	var resp sdkws.UserSendMsgResp
	if err := d.mgr.LongConnMgr().SendReqWaitResp(d.call(), m, constant.SendMsg, &resp); err != nil {
		d.t.Fatalf("%s sends content type %d: %v", d.userID, m.ContentType, err)
	}
	return &resp
}

// pull asks the server for a range of a conversation, past the local database.
func (d *device) pull(conversationID string, begin, end int64) []*sdkws.MsgData {
	d.t.Helper()
	req := &sdkws.PullMessageBySeqsReq{UserID: d.userID, SeqRanges: []*sdkws.SeqRange{
		{ConversationID: conversationID, Begin: begin, End: end, Num: end - begin + 1},
	}}
	var resp sdkws.PullMessageBySeqsResp
	if err := d.mgr.LongConnMgr().SendReqWaitResp(d.call(), req, constant.PullMsgByRange, &resp); err != nil {
		d.t.Fatalf("pull %s: %v", conversationID, err)
	}
	return resp.Msgs[conversationID].GetMsgs()
}

// awaitMessage waits for one message on the given callback.
func (d *device) awaitMessage(callback, clientMsgID string) *sdk_struct.MsgStruct {
	d.t.Helper()
	var found *sdk_struct.MsgStruct
	d.await(callback+" of "+clientMsgID, func(events []event) bool {
		i := slices.IndexFunc(events, func(e event) bool {
			return e.name == callback && e.message != nil && e.message.ClientMsgID == clientMsgID
		})
		if i >= 0 {
			found = events[i].message
		}
		return i >= 0
	})
	return found
}

// received waits for one new message.
func (d *device) received(s sent) *sdk_struct.MsgStruct {
	d.t.Helper()
	return d.awaitMessage("OnRecvNewMessage", s.ClientMsgID)
}

// page is one step of scrolling back: up to count messages before start, oldest
// first.
func (d *device) page(conversationID, start string, count int) (messages []*sdk_struct.MsgStruct, end bool, err error) {
	got, err := d.mgr.Conversation().GetAdvancedHistoryMessageList(d.call(), sdk_params_callback.GetAdvancedHistoryMessageListParams{
		ConversationID: conversationID, StartClientMsgID: start, Count: count,
	})
	if err != nil {
		return nil, false, err
	}
	if got.ErrCode != 0 {
		return nil, false, fmt.Errorf("%d %s", got.ErrCode, got.ErrMsg)
	}
	return got.MessageList, got.IsEnd, nil
}

// history is everything a user sees after scrolling a conversation to its start,
// oldest first, without the server's notices.
func (d *device) history(conversationID string) ([]line, error) {
	const count, most = 20, 200
	var all []line
	start := ""
	for range most {
		messages, end, err := d.page(conversationID, start, count)
		if err != nil {
			return nil, fmt.Errorf("history of %s: %w", conversationID, err)
		}
		var lines []line
		for _, m := range messages {
			if m.ContentType < constant.NotificationBegin {
				lines = append(lines, lineOf(m))
			}
		}
		all = append(lines, all...)
		if end || len(messages) == 0 {
			return all, nil
		}
		start = messages[0].ClientMsgID
	}
	return nil, fmt.Errorf("history of %s has no end after %d pages", conversationID, most)
}

// line is a message as both sides must see it.
type line struct {
	Seq         int64
	ClientMsgID string
	ServerMsgID string
	SendID      string
	SendTime    int64
	ContentType int32
	Content     string
}

func lineOf(m *sdk_struct.MsgStruct) line {
	return line{m.Seq, m.ClientMsgID, m.ServerMsgID, m.SendID, m.SendTime, m.ContentType, content(m)}
}

// content is the message's element as JSON, whichever it has.
func content(m *sdk_struct.MsgStruct) string {
	var elem any
	switch m.ContentType {
	case constant.Text:
		elem = m.TextElem
	case constant.Picture:
		elem = m.PictureElem
	case constant.Sound:
		elem = m.SoundElem
	case constant.Video:
		elem = m.VideoElem
	case constant.File:
		elem = m.FileElem
	case constant.AtText:
		elem = m.AtTextElem
	case constant.Merger:
		elem = m.MergeElem
	case constant.Card:
		elem = m.CardElem
	case constant.Location:
		elem = m.LocationElem
	case constant.Custom, constant.CustomMsgNotTriggerConversation, constant.CustomMsgOnlineOnly:
		elem = m.CustomElem
	case constant.Quote:
		elem = m.QuoteElem
	case constant.Face:
		elem = m.FaceElem
	case constant.AdvancedText:
		elem = m.AdvancedTextElem
	default:
		elem = m.NotificationElem
	}
	raw, err := json.Marshal(elem)
	if err != nil {
		panic(err) // plain structs of strings and numbers
	}
	return string(raw)
}

// conversation is the device's list entry, without creating one.
func (d *device) conversation(conversationID string) (*model_struct.LocalConversation, error) {
	all, err := d.mgr.Conversation().GetAllConversationList(d.ctx())
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(c *model_struct.LocalConversation) bool { return c.ConversationID == conversationID })
	if i < 0 {
		return nil, fmt.Errorf("no conversation %s among %d", conversationID, len(all))
	}
	return all[i], nil
}

// entry is what an app shows of one conversation in its list.
type entry struct {
	title  string
	face   string
	unread int32
	latest string // clientMsgID
}

// awaitEntry waits until the list shows want.
func (d *device) awaitEntry(conversationID string, want entry) {
	d.t.Helper()
	d.eventually("entry of "+conversationID, func() error {
		c, err := d.conversation(conversationID)
		if err != nil {
			return err
		}
		var latest sdk_struct.MsgStruct
		if err := json.Unmarshal([]byte(c.LatestMsg), &latest); err != nil {
			return fmt.Errorf("latest message %q: %w", c.LatestMsg, err)
		}
		got := entry{c.ShowName, c.FaceURL, c.UnreadCount, latest.ClientMsgID}
		if got != want {
			return fmt.Errorf("shows %+v, want %+v", got, want)
		}
		return nil
	})
}

// awaitUnread waits until the app's badge shows want.
func (d *device) awaitUnread(want int32) {
	d.t.Helper()
	d.eventually("total unread", func() error {
		got, err := d.mgr.Conversation().GetTotalUnreadMsgCount(d.ctx())
		if err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("is %d, want %d", got, want)
		}
		return nil
	})
}

// awaitHistory waits until the device's history is want, which says that the
// seqs of its own messages have come back, too.
func (d *device) awaitHistory(conversationID string, want []line) {
	d.t.Helper()
	d.eventually("history of "+conversationID, func() error {
		got, err := d.history(conversationID)
		if err != nil {
			return err
		}
		return sameLines(got, want)
	})
}

func sameLines(got, want []line) error {
	if len(got) != len(want) {
		return fmt.Errorf("has %d messages, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			return fmt.Errorf("message %d is %+v, want %+v", i, got[i], want[i])
		}
	}
	return nil
}

// settled is the device's history once the server has given every message in it
// a seq, and those seqs go up.
func (d *device) settled(conversationID string, count int) []line {
	d.t.Helper()
	var lines []line
	d.eventually("history of "+conversationID, func() error {
		var err error
		if lines, err = d.history(conversationID); err != nil {
			return err
		}
		if len(lines) != count {
			return fmt.Errorf("has %d messages, want %d", len(lines), count)
		}
		for i, l := range lines {
			if l.Seq == 0 {
				return fmt.Errorf("message %d has no seq", i)
			}
			if i > 0 && l.Seq <= lines[i-1].Seq {
				return fmt.Errorf("message %d has seq %d after %d", i, l.Seq, lines[i-1].Seq)
			}
		}
		return nil
	})
	return lines
}

// single is the conversation id of two users.
func single(a, b string) string {
	ids := []string{a, b}
	slices.Sort(ids)
	return "si_" + ids[0] + "_" + ids[1]
}

// users registers fresh users whose ids begin with the given names.
func users(t *testing.T, server *harness.Server, names ...string) []string {
	t.Helper()
	ids := make([]string, len(names))
	for i, name := range names {
		ids[i] = harness.UserID(name)
	}
	if err := server.Register(ids...); err != nil {
		t.Fatalf("register: %v", err)
	}
	return ids
}

// pair is two users, both logged in on a phone.
func pair(t *testing.T, server *harness.Server) (a, b *device, conversationID string) {
	t.Helper()
	ids := users(t, server, "alice", "bob")
	a = install(t, server, ids[0], ios).login()
	b = install(t, server, ids[1], ios).login()
	return a, b, single(ids[0], ids[1])
}
