package native

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/openimsdk/openim-sdk-core/v3/pkg/constant"
	"github.com/openimsdk/openim-sdk-core/v3/pkg/db/model_struct"
	"github.com/openimsdk/openim-sdk-core/v3/pkg/sdk_params_callback"
	"github.com/openimsdk/protocol/relation"
	"github.com/openimsdk/protocol/sdkws"
	"github.com/openimsdk/protocol/wrapperspb"
	"github.com/parley-im/parley/test/harness"
)

// stranger is somebody everyone in these tests asked, was asked by, and blocks.
var stranger = sync.OnceValues(func() (string, error) {
	id := harness.UserID("stranger")
	return id, shared.Register(id)
})

// people are fresh users, each on a phone.
func people(t *testing.T, names ...string) []*device {
	t.Helper()
	other, err := stranger()
	if err != nil {
		t.Fatal(err)
	}
	devices := make([]*device, len(names))
	for i, id := range users(t, shared, names...) {
		for path, body := range map[string]map[string]any{
			"/friend/add_friend": {"fromUserID": id, "toUserID": other},
			"/friend/add_black":  {"ownerUserID": id, "blackUserID": other},
		} {
			if err := shared.PostAdmin(path, body, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := shared.PostAdmin("/friend/add_friend", map[string]any{"fromUserID": other, "toUserID": id}, nil); err != nil {
			t.Fatal(err)
		}
		devices[i] = install(t, shared, id, ios).ready()
	}
	return devices
}

// ready logs in on a new device and waits until its requests and blocks are
// there. The client loads them without callbacks, and goes on with that after it
// said that it was in step: what happens meanwhile may get no callback either.
func (d *device) ready() *device {
	d.t.Helper()
	d.login()
	d.eventually("requests and blocks", func() error {
		r, err := d.relations()
		if err == nil && (len(r.Received) == 0 || len(r.Sent) == 0 || len(r.Blocked) == 0) {
			err = fmt.Errorf("has %v", r)
		}
		return err
	})
	return d
}

// relations is all a device knows of its user's relations, for comparing
// devices: friends in their order, requests and blocks as JSON.
type relations struct {
	Friends, Order, Received, Sent, Blocked []string
}

func (d *device) relations() (r relations, err error) {
	rel := d.mgr.Relation()
	friends, err := rel.GetFriendList(d.ctx(), false)
	if err != nil {
		return r, err
	}
	page, err := rel.GetFriendListPage(d.call(), 0, 1000, false)
	if err != nil {
		return r, err
	}
	received, err := rel.GetFriendApplicationListAsRecipient(d.ctx())
	if err != nil {
		return r, err
	}
	sent, err := rel.GetFriendApplicationListAsApplicant(d.ctx())
	if err != nil {
		return r, err
	}
	blocked, err := rel.GetBlackList(d.ctx())
	if err != nil {
		return r, err
	}
	for _, f := range page {
		r.Order = append(r.Order, f.FriendUserID)
	}
	r.Friends, r.Received, r.Sent, r.Blocked = asJSON(friends), asJSON(received), asJSON(sent), asJSON(blocked)
	return r, nil
}

// asJSON is a list without its order.
func asJSON[T any](list []T) []string {
	var out []string
	for _, v := range list {
		raw, err := json.Marshal(v)
		if err != nil {
			panic(err) // plain structs of strings and numbers
		}
		out = append(out, string(raw))
	}
	slices.Sort(out)
	return out
}

func (r relations) String() string {
	return fmt.Sprintf("friends %v in order %v, received %v, sent %v, blocked %v", r.Friends, r.Order, r.Received, r.Sent, r.Blocked)
}

// awaitRelations waits until the device knows what another one does.
func (d *device) awaitRelations(want *device) {
	d.t.Helper()
	d.eventually("relations", func() error {
		there, err := want.relations()
		if err != nil {
			return err
		}
		here, err := d.relations()
		if err != nil {
			return err
		}
		if here.String() != there.String() {
			return fmt.Errorf("has %v, want %v", here, there)
		}
		return nil
	})
}

// awaitFriends waits until the user's friends are exactly these, in this order.
func (d *device) awaitFriends(want ...string) {
	d.t.Helper()
	d.eventually("friends", func() error {
		r, err := d.relations()
		if err != nil {
			return err
		}
		if !slices.Equal(r.Order, want) || len(r.Friends) != len(want) {
			return fmt.Errorf("has %v, want %v", r, want)
		}
		return nil
	})
}

// awaitFriend waits until an entry of the friend list satisfies ok.
func (d *device) awaitFriend(userID, what string, ok func(*model_struct.LocalFriend) bool) {
	d.t.Helper()
	d.eventually(what, func() error {
		list, err := d.mgr.Relation().GetFriendList(d.ctx(), false)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(list, func(f *model_struct.LocalFriend) bool { return f.FriendUserID == userID })
		if i < 0 {
			return fmt.Errorf("%s is not a friend", userID)
		}
		if !ok(list[i]) {
			return fmt.Errorf("is %+v", list[i])
		}
		return nil
	})
}

// holds is satisfied by an event of that name whose data contain every part.
func holds(name string, parts ...string) func([]event) bool {
	return func(events []event) bool {
		return slices.ContainsFunc(events, func(e event) bool {
			return e.name == name && !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(e.data, p) })
		})
	}
}

// never fails if there was such an event.
func (d *device) never(name string) {
	d.t.Helper()
	if events, _ := d.journal.read(); named(name)(events) {
		d.t.Errorf("%s saw %s: %s", d.userID, name, names(events))
	}
}

func (d *device) addFriend(other *device, text string) {
	d.t.Helper()
	if err := d.mgr.Relation().AddFriend(d.call(), &relation.ApplyToAddFriendReq{ToUserID: other.userID, ReqMsg: text, Ex: "ex"}); err != nil {
		d.t.Fatalf("%s adds %s: %v", d.userID, other.userID, err)
	}
}

func (d *device) accept(other *device) {
	d.t.Helper()
	if err := d.mgr.Relation().AcceptFriendApplication(d.call(), answerTo(other)); err != nil {
		d.t.Fatalf("%s accepts %s: %v", d.userID, other.userID, err)
	}
}

func (d *device) refuse(other *device) {
	d.t.Helper()
	if err := d.mgr.Relation().RefuseFriendApplication(d.call(), answerTo(other)); err != nil {
		d.t.Fatalf("%s refuses %s: %v", d.userID, other.userID, err)
	}
}

func answerTo(other *device) *sdk_params_callback.ProcessFriendApplicationParams {
	return &sdk_params_callback.ProcessFriendApplicationParams{ToUserID: other.userID, HandleMsg: "my answer"}
}

func (d *device) update(c *relation.UpdateFriendsReq) {
	d.t.Helper()
	if err := d.mgr.Relation().UpdateFriends(d.call(), c); err != nil {
		d.t.Fatalf("%s updates friends: %v", d.userID, err)
	}
}

// block blocks a user. The client then loads the whole list, and does so once
// more for the notification of it: whichever comes second may find the entry made
// meanwhile and report that, although all is well.
func (d *device) block(other *device, ex string) {
	d.t.Helper()
	if err := d.mgr.Relation().AddBlack(d.call(), other.userID, ex); err != nil && !strings.Contains(err.Error(), "UNIQUE constraint failed") {
		d.t.Fatalf("%s blocks %s: %v", d.userID, other.userID, err)
	}
}

// importFriends makes friends of a's as an administrator does.
func importFriends(t *testing.T, a *device, others ...string) {
	t.Helper()
	if err := shared.PostAdmin("/friend/import_friend", map[string]any{"ownerUserID": a.userID, "friendUserIDs": others}, nil); err != nil {
		t.Fatal(err)
	}
}

// unhandled is the number of requests the app shows on its badge.
func (d *device) unhandled() int {
	d.t.Helper()
	var got struct{ Count int }
	if err := shared.Post("/friend/get_self_unhandled_apply_count", d.token, map[string]any{"userID": d.userID, "time": 0}, &got); err != nil {
		d.t.Fatal(err)
	}
	return got.Count
}

func TestAddFriend(t *testing.T) {
	both := people(t, "alice", "bob")
	a, b, conversationID := both[0], both[1], single(both[0].userID, both[1].userID)
	a.addFriend(b, "let me in")
	pending := []string{a.userID, b.userID, "let me in", `"handleResult":0`, `"ex":"ex"`, harness.Nickname(a.userID), harness.FaceURL(b.userID)}
	for _, d := range []*device{a, b} {
		d.await("the request", holds("OnFriendApplicationAdded", pending...))
	}
	b.eventually("the request in the list", func() error {
		got, err := b.mgr.Relation().GetFriendApplicationListAsRecipient(b.ctx())
		if err == nil && !slices.ContainsFunc(got, func(r *model_struct.LocalFriendRequest) bool {
			return r.FromUserID == a.userID && r.ReqMsg == "let me in"
		}) {
			err = fmt.Errorf("%v", asJSON(got))
		}
		return err
	})
	if sent, err := a.mgr.Relation().GetFriendApplicationListAsApplicant(a.ctx()); err != nil || len(sent) != 2 || sent[0].ToUserID != b.userID || sent[0].HandleResult != 0 {
		t.Errorf("sent %v, %v", asJSON(sent), err)
	}
	if n := b.unhandled(); n != 2 { // the other one is the stranger's
		t.Errorf("%d unhandled, want 2", n)
	}
	a.awaitFriends()

	b.accept(a)
	agreed := []string{a.userID, b.userID, `"handleResult":1`, "my answer"}
	for _, d := range []*device{a, b} {
		d.await("the agreement", holds("OnFriendApplicationAccepted", agreed...))
	}
	a.await("a new friend", holds("OnFriendAdded", b.userID, harness.Nickname(b.userID)))
	b.await("a new friend", holds("OnFriendAdded", a.userID, harness.FaceURL(a.userID)))
	a.awaitFriends(b.userID)
	b.awaitFriends(a.userID)
	if n := b.unhandled(); n != 1 {
		t.Errorf("%d unhandled after the answer, want 1", n)
	}
	for _, side := range [][2]*device{{a, b}, {b, a}} {
		d, other := side[0], side[1]
		d.eventually("the line in the chat", func() error {
			c, err := d.conversation(conversationID)
			if err == nil && !strings.Contains(c.LatestMsg, "1201") {
				err = fmt.Errorf("shows %s", c.LatestMsg)
			}
			return err
		})
		got, err := d.mgr.Relation().CheckFriend(d.ctx(), []string{other.userID, "stranger"})
		if err != nil || len(got) != 2 || got[0].Result != 1 || got[1].Result != 0 {
			t.Errorf("%s checks %+v, %v", d.userID, got, err)
		}
	}

	t.Run("again", func(t *testing.T) {
		a := a.in(t)
		if err := a.mgr.Relation().AddFriend(a.call(), &relation.ApplyToAddFriendReq{ToUserID: b.userID}); err == nil {
			t.Error("a friend was asked again")
		}
		if err := a.mgr.Relation().AddFriend(a.call(), &relation.ApplyToAddFriendReq{ToUserID: a.userID}); err == nil {
			t.Error("asked oneself")
		}
	})
	t.Run("on new devices", func(t *testing.T) {
		a, b := a.in(t), b.in(t)
		install(t, shared, a.userID, android).login().awaitRelations(a)
		install(t, shared, b.userID, android).login().awaitRelations(b)
	})
}

func TestRefuseFriendApplication(t *testing.T) {
	both := people(t, "alice", "bob")
	a, b := both[0], both[1]
	a.addFriend(b, "please")
	b.await("the request", named("OnFriendApplicationAdded"))
	b.refuse(a)
	for _, d := range []*device{a, b} {
		d.await("the refusal", holds("OnFriendApplicationRejected", a.userID, b.userID, `"handleResult":-1`, "my answer"))
		d.awaitFriends()
		d.never("OnFriendAdded")
	}
	if err := b.mgr.Relation().RefuseFriendApplication(b.call(), answerTo(a)); err == nil {
		t.Error("refused twice")
	}

	t.Run("asking again", func(t *testing.T) {
		a, b := a.in(t), b.in(t)
		a.addFriend(b, "please, please")
		b.await("the second request", holds("OnFriendApplicationAdded", "please, please", `"handleResult":0`))
		b.accept(a)
		a.awaitFriends(b.userID)
		b.awaitFriends(a.userID)
		install(t, shared, a.userID, android).login().awaitRelations(a)
	})
}

func TestCrossingFriendRequests(t *testing.T) {
	both := people(t, "alice", "bob")
	a, b := both[0], both[1]
	a.addFriend(b, "from a")
	b.addFriend(a, "from b")
	for _, d := range []*device{a, b} {
		d.await("both requests", times("OnFriendApplicationAdded", 2))
		d.awaitFriends()
	}
	b.accept(a)
	a.awaitFriends(b.userID)
	b.awaitFriends(a.userID)
	for _, d := range []*device{a, b} {
		if n := d.unhandled(); n != 1 {
			t.Errorf("%s has %d unhandled requests, want the stranger's", d.userID, n)
		}
	}
}

// TestAcceptFriendApplication: from then on each is in the other's list, on every
// device.
func TestAcceptFriendApplication(t *testing.T) {
	both := people(t, "alice", "bob")
	a, b, conversationID := both[0], both[1], single(both[0].userID, both[1].userID)
	desk := install(t, shared, a.userID, windows).ready()
	away := install(t, shared, b.userID, windows).ready()
	away.logout()
	a.addFriend(b, "let me in")
	b.await("the request", holds("OnFriendApplicationAdded", a.userID))
	b.accept(a)
	for _, d := range []*device{a, desk, b} {
		d.await("the agreement", holds("OnFriendApplicationAccepted", a.userID, b.userID, "my answer"))
		d.await("a new friend", named("OnFriendAdded"))
	}
	for _, d := range []*device{a, desk, install(t, shared, a.userID, android).login()} {
		d.awaitFriends(b.userID)
		d.awaitRelations(a)
	}
	for _, d := range []*device{b, away.login(), install(t, shared, b.userID, android).login()} {
		d.awaitFriends(a.userID)
		d.awaitRelations(b)
		d.eventually("the conversation", func() error { _, err := d.conversation(conversationID); return err })
	}
	if err := b.mgr.Relation().AcceptFriendApplication(b.call(), answerTo(a)); err == nil {
		t.Error("accepted twice")
	}
}

func TestDeleteFriend(t *testing.T) {
	both := people(t, "alice", "bob")
	a, b := both[0], both[1]
	importFriends(t, a, b.userID)
	desk := install(t, shared, a.userID, windows).ready()
	for _, d := range []*device{a, desk} {
		d.awaitFriends(b.userID)
	}
	b.awaitFriends(a.userID)

	if err := a.mgr.Relation().DeleteFriend(a.call(), b.userID); err != nil {
		t.Fatal(err)
	}
	for _, d := range []*device{a, desk} {
		d.await("the end", holds("OnFriendDeleted", b.userID))
		d.awaitFriends()
		d.in(t).awaitRelations(a)
	}
	// The other side keeps its entry, and does not learn of it: a message from A
	// comes after whatever B was told.
	b.received(a.text(b.userID, "bye"))
	b.never("OnFriendDeleted")
	b.awaitFriends(a.userID)
	if err := a.mgr.Relation().DeleteFriend(a.call(), b.userID); err != nil {
		t.Errorf("again: %v", err)
	}

	t.Run("and friends again", func(t *testing.T) {
		a, b := a.in(t), b.in(t)
		a.addFriend(b, "sorry")
		b.await("the request", named("OnFriendApplicationAdded"))
		b.accept(a)
		a.awaitFriends(b.userID)
		install(t, shared, a.userID, android).login().awaitRelations(a)
	})
}

func TestUpdateFriends(t *testing.T) {
	three := people(t, "alice", "bob", "carol")
	a, b, c := three[0], three[1], three[2]
	importFriends(t, a, b.userID, c.userID)
	desk := install(t, shared, a.userID, windows).ready()
	for _, d := range []*device{a, desk} {
		d.awaitFriends(b.userID, c.userID)
	}

	a.update(&relation.UpdateFriendsReq{FriendUserIDs: []string{b.userID}, Remark: wrapperspb.String("Bobby")})
	for _, d := range []*device{a, desk} {
		d.await("the remark", holds("OnFriendInfoChanged", b.userID, `"remark":"Bobby"`))
	}
	a.update(&relation.UpdateFriendsReq{FriendUserIDs: []string{c.userID}, IsPinned: wrapperspb.Bool(true)})
	for _, d := range []*device{a, desk} {
		d.await("the pin", holds("OnFriendInfoChanged", c.userID, `"isPinned":true`))
		d.awaitFriends(c.userID, b.userID)
	}
	a.update(&relation.UpdateFriendsReq{FriendUserIDs: []string{b.userID, c.userID}, Ex: wrapperspb.String("both")})
	for _, d := range []*device{a, desk} {
		for _, other := range []*device{b, c} {
			d.await("ex", holds("OnFriendInfoChanged", other.userID, `"ex":"both"`))
		}
		d.awaitFriend(b.userID, "the remark kept", func(f *model_struct.LocalFriend) bool { return f.Remark == "Bobby" && !f.IsPinned && f.Ex == "both" })
		d.awaitFriend(c.userID, "the pin kept", func(f *model_struct.LocalFriend) bool { return f.Remark == "" && f.IsPinned && f.Ex == "both" })
	}
	a.update(&relation.UpdateFriendsReq{FriendUserIDs: []string{c.userID}, IsPinned: wrapperspb.Bool(false)})
	for _, d := range []*device{a, desk} {
		d.awaitFriends(b.userID, c.userID)
	}
	desk.awaitRelations(a)
	install(t, shared, a.userID, android).login().awaitRelations(a)
	// What one does to one's own list, the others do not learn.
	b.received(a.text(b.userID, "hello"))
	b.never("OnFriendInfoChanged")
}

// TestSetFriendRemark: the older route, which no function of this client calls,
// reaches the client's devices too.
func TestSetFriendRemark(t *testing.T) {
	both := people(t, "alice", "bob")
	a, b := both[0], both[1]
	importFriends(t, a, b.userID)
	a.awaitFriends(b.userID)
	if err := shared.Post("/friend/set_friend_remark", a.token, map[string]any{"ownerUserID": a.userID, "friendUserID": b.userID, "remark": "Bobby"}, nil); err != nil {
		t.Fatal(err)
	}
	a.await("the remark", holds("OnFriendInfoChanged", b.userID, `"remark":"Bobby"`))
	b.received(a.text(b.userID, "hello"))
	b.never("OnFriendInfoChanged")
	install(t, shared, a.userID, android).login().awaitRelations(a)
}

func TestAddBlack(t *testing.T) {
	both := people(t, "alice", "bob")
	a, b := both[0], both[1]
	importFriends(t, a, b.userID)
	desk := install(t, shared, a.userID, windows).ready()
	for _, d := range []*device{a, desk} {
		d.awaitFriends(b.userID)
	}

	a.block(b, "why")
	for _, d := range []*device{a, desk} {
		d.await("the block", holds("OnBlackAdded", b.userID, "why"))
		d.eventually("the block in the list", func() error {
			got, err := d.mgr.Relation().GetBlackList(d.ctx())
			if err == nil && !slices.ContainsFunc(got, func(x *model_struct.LocalBlack) bool {
				return x.BlockUserID == b.userID && x.Ex == "why" && x.Nickname == harness.Nickname(b.userID)
			}) {
				err = fmt.Errorf("%v", asJSON(got))
			}
			return err
		})
		d.awaitFriends(b.userID) // still a friend
		if list, err := d.mgr.Relation().GetFriendList(d.ctx(), true); err != nil || len(list) != 0 {
			t.Errorf("without the blocked: %v, %v", asJSON(list), err)
		}
		if list, err := d.mgr.Relation().GetFriendListPage(d.call(), 0, 10, true); err != nil || len(list) != 0 {
			t.Errorf("page without the blocked: %v, %v", asJSON(list), err)
		}
		if got, err := d.mgr.Relation().CheckFriend(d.ctx(), []string{b.userID}); err != nil || len(got) != 1 || got[0].Result != 0 {
			t.Errorf("checks %+v, %v", got, err)
		}
	}
	if _, err := b.trySend(a.userID, b.newText("hello?"), false); err == nil {
		t.Error("a blocked user's message was taken")
	}
	b.received(a.text(b.userID, "I may write"))
	b.never("OnBlackAdded")
	install(t, shared, a.userID, android).login().awaitRelations(a)
}

func TestRemoveBlack(t *testing.T) {
	both := people(t, "alice", "bob")
	a, b := both[0], both[1]
	importFriends(t, a, b.userID)
	a.block(b, "why")
	desk := install(t, shared, a.userID, windows).ready()
	for _, d := range []*device{a, desk} {
		d.awaitFriends(b.userID)
		d.eventually("two blocked users", func() error {
			got, err := d.mgr.Relation().GetBlackList(d.ctx())
			if err == nil && len(got) != 2 { // the other one is the stranger
				err = fmt.Errorf("%v", asJSON(got))
			}
			return err
		})
	}
	if err := a.mgr.Relation().RemoveBlack(a.call(), b.userID); err != nil {
		t.Fatal(err)
	}
	for _, d := range []*device{a, desk} {
		d.await("the end of the block", holds("OnBlackDeleted", b.userID))
		d.awaitRelations(a)
	}
	a.received(b.text(a.userID, "hello"))
	b.never("OnBlackDeleted")
	if list, err := a.mgr.Relation().GetFriendList(a.ctx(), true); err != nil || len(list) != 1 {
		t.Errorf("without the blocked: %v, %v", asJSON(list), err)
	}
}

func TestSearchFriends(t *testing.T) {
	three := people(t, "alice", "bob", "carol")
	a, b, c := three[0], three[1], three[2]
	importFriends(t, a, b.userID, c.userID)
	a.awaitFriends(b.userID, c.userID)
	a.update(&relation.UpdateFriendsReq{FriendUserIDs: []string{b.userID}, Remark: wrapperspb.String("my plumber")})
	a.awaitFriend(b.userID, "the remark", func(f *model_struct.LocalFriend) bool { return f.Remark == "my plumber" })
	a.block(c, "")
	for _, s := range []struct {
		keyword string
		by      sdk_params_callback.SearchFriendsParam
		want    *device
		is      int
	}{
		{"plumber", sdk_params_callback.SearchFriendsParam{IsSearchRemark: true}, b, constant.FriendRelationship},
		{b.userID[:6], sdk_params_callback.SearchFriendsParam{IsSearchUserID: true}, b, constant.FriendRelationship},
		{harness.Nickname(c.userID), sdk_params_callback.SearchFriendsParam{IsSearchNickname: true}, c, constant.BlackRelationship},
	} {
		s.by.KeywordList = []string{s.keyword}
		got, err := a.mgr.Relation().SearchFriends(a.ctx(), &s.by)
		if err != nil || len(got) != 1 || got[0].FriendUserID != s.want.userID || got[0].Relationship != s.is {
			t.Errorf("%q: %v, %v", s.keyword, asJSON(got), err)
		}
	}
	some, err := a.mgr.Relation().GetSpecifiedFriendsInfo(a.call(), []string{b.userID, c.userID}, true)
	if err != nil || len(some) != 1 || some[0].FriendUserID != b.userID || some[0].Remark != "my plumber" {
		t.Errorf("specified: %v, %v", asJSON(some), err)
	}
}

// TestRelationQueries: lists that the server filled and the device answers from.
func TestRelationQueries(t *testing.T) {
	four := people(t, "alice", "bob", "carol", "dave")
	a, b, c, d := four[0], four[1], four[2], four[3]
	importFriends(t, a, b.userID, c.userID)
	a.awaitFriends(b.userID, c.userID)
	a.block(c, "why")
	d.addFriend(a, "hello")
	a.await("the request", holds("OnFriendApplicationAdded", d.userID))
	fresh := install(t, shared, a.userID, android).ready()
	fresh.awaitRelations(a)
	on := func(name string, check func(t *testing.T, d *device)) {
		t.Run(name, func(t *testing.T) {
			check(t, a.in(t))
			check(t, fresh.in(t))
		})
	}
	on("GetFriendList", func(t *testing.T, d *device) {
		for withoutBlocked, want := range map[bool]int{false: 2, true: 1} {
			if list, err := d.mgr.Relation().GetFriendList(d.ctx(), withoutBlocked); err != nil || len(list) != want {
				t.Errorf("without blocked %t: %v, %v", withoutBlocked, asJSON(list), err)
			}
		}
	})
	on("GetFriendListPage", func(t *testing.T, d *device) {
		for offset, want := range []string{b.userID, c.userID} {
			list, err := d.mgr.Relation().GetFriendListPage(d.call(), int32(offset), 1, false)
			if err != nil || len(list) != 1 || list[0].FriendUserID != want {
				t.Errorf("from %d: %v, %v", offset, asJSON(list), err)
			}
		}
	})
	on("GetSpecifiedFriendsInfo", func(t *testing.T, d *device) {
		list, err := d.mgr.Relation().GetSpecifiedFriendsInfo(d.call(), []string{b.userID, c.userID, "nobody"}, false)
		if err != nil || len(list) != 2 {
			t.Errorf("are %v, %v", asJSON(list), err)
		}
	})
	on("CheckFriend", func(t *testing.T, d *device) {
		got, err := d.mgr.Relation().CheckFriend(d.ctx(), []string{b.userID, c.userID, "nobody"})
		if err != nil || len(got) != 3 || got[0].Result != 1 || got[1].Result != 0 || got[2].Result != 0 {
			t.Errorf("checks %+v, %v", got, err)
		}
	})
	on("GetBlackList", func(t *testing.T, d *device) {
		got, err := d.mgr.Relation().GetBlackList(d.ctx())
		if err != nil || !slices.ContainsFunc(got, func(x *model_struct.LocalBlack) bool { return x.BlockUserID == c.userID && x.Ex == "why" }) {
			t.Errorf("is %v, %v", asJSON(got), err)
		}
	})
	on("GetFriendApplicationListAsRecipient", func(t *testing.T, dev *device) {
		got, err := dev.mgr.Relation().GetFriendApplicationListAsRecipient(dev.ctx())
		if err != nil || !slices.ContainsFunc(got, func(r *model_struct.LocalFriendRequest) bool { return r.FromUserID == d.userID && r.ReqMsg == "hello" }) {
			t.Errorf("is %v, %v", asJSON(got), err)
		}
	})
	t.Run("GetFriendApplicationListAsApplicant", func(t *testing.T) {
		d := d.in(t)
		d.eventually("what it sent", func() error {
			got, err := d.mgr.Relation().GetFriendApplicationListAsApplicant(d.ctx())
			if err == nil && !slices.ContainsFunc(got, func(r *model_struct.LocalFriendRequest) bool { return r.ToUserID == a.userID && r.ReqMsg == "hello" }) {
				err = fmt.Errorf("%v", asJSON(got))
			}
			return err
		})
	})
}

// TestFriendsProfile: a friend's new name and picture reach the friend list and
// the conversation list.
func TestFriendsProfile(t *testing.T) {
	both := people(t, "alice", "bob")
	a, b, conversationID := both[0], both[1], single(both[0].userID, both[1].userID)
	importFriends(t, a, b.userID)
	a.awaitFriends(b.userID)
	a.eventually("the conversation", func() error { _, err := a.conversation(conversationID); return err })
	away := install(t, shared, a.userID, windows).ready()
	away.awaitFriends(b.userID)
	away.logout()

	if err := b.mgr.User().SetSelfInfo(b.call(), &sdkws.UserInfoWithEx{Nickname: wrapperspb.String("Robert"), FaceURL: wrapperspb.String("http://faces.test/new.png")}); err != nil {
		t.Fatal(err)
	}
	a.await("the new name", holds("OnFriendInfoChanged", b.userID, "Robert", "http://faces.test/new.png"))
	a.eventually("the conversation's title", func() error {
		c, err := a.conversation(conversationID)
		if err == nil && (c.ShowName != "Robert" || c.FaceURL != "http://faces.test/new.png") {
			err = fmt.Errorf("shows %s %s", c.ShowName, c.FaceURL)
		}
		return err
	})
	away.login().awaitRelations(a)
	away.await("the new name", holds("OnFriendInfoChanged", b.userID, "Robert"))
	install(t, shared, a.userID, android).login().awaitRelations(a)
}

// TestRelationsAfterAbsence: a device that was away while everything happened,
// and one installed afterwards, end where the one that stayed is.
func TestRelationsAfterAbsence(t *testing.T) {
	all := people(t, "alice", "bob", "carol", "dave", "erin")
	a, b, c, d, e := all[0], all[1], all[2], all[3], all[4]
	importFriends(t, a, b.userID, c.userID)
	away := install(t, shared, a.userID, windows).ready()
	awayB := install(t, shared, b.userID, windows).ready()
	away.awaitFriends(b.userID, c.userID)
	awayB.awaitFriends(a.userID)
	away.logout()
	awayB.logout()

	d.addFriend(a, "agreed to")
	a.await("the request of d", holds("OnFriendApplicationAdded", d.userID))
	a.accept(d)
	e.addFriend(a, "refused")
	a.await("the request of e", holds("OnFriendApplicationAdded", e.userID))
	a.refuse(e)
	a.addFriend(e, "pending")
	a.update(&relation.UpdateFriendsReq{FriendUserIDs: []string{d.userID}, IsPinned: wrapperspb.Bool(true)})
	a.update(&relation.UpdateFriendsReq{FriendUserIDs: []string{c.userID}, Remark: wrapperspb.String("Caro"), Ex: wrapperspb.String("ex")})
	if err := a.mgr.Relation().DeleteFriend(a.call(), b.userID); err != nil {
		t.Fatal(err)
	}
	a.block(e, "")
	a.awaitFriends(d.userID, c.userID)
	e.await("the request of a", holds("OnFriendApplicationAdded", "pending"))

	away.login().awaitRelations(a)
	away.await("the friend that went", holds("OnFriendDeleted", b.userID))
	away.await("the friend that came", holds("OnFriendAdded", d.userID))
	away.await("the friend that changed", holds("OnFriendInfoChanged", c.userID, "Caro"))
	awayB.login().awaitRelations(b)
	for _, live := range []*device{a, b, c, d, e} {
		install(t, shared, live.userID, android).login().awaitRelations(live)
	}
}

// TestImportFriends: both see an administrator's import at once.
func TestImportFriends(t *testing.T) {
	both := people(t, "alice", "bob")
	a, b, conversationID := both[0], both[1], single(both[0].userID, both[1].userID)
	importFriends(t, a, b.userID)
	a.await("the friend", holds("OnFriendAdded", b.userID))
	b.await("the friend", holds("OnFriendAdded", a.userID))
	for _, d := range []*device{a, b} {
		d.eventually("the conversation", func() error { _, err := d.conversation(conversationID); return err })
		install(t, shared, d.userID, android).login().awaitRelations(d)
	}
}
