package test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/parley-im/parley/internal/webhook/registry"
)

// exerciser makes one operation that a before-callback is asked about, between
// users a, b, c and d of a cell of its own.
type exerciser struct {
	group   string                             // settings of a group of a and b, "" for none
	prepare func(t *testing.T, c *cell)        // what must be there besides
	path    string                             // the operation by REST
	body    func(c *cell) map[string]any       // of the request
	socket  bool                               // the operation is a send, which goes over the socket too
	change  func(c *cell) string               // what an approving answer overrides, as members of an object
	state   func(t *testing.T, c *cell) string // what is to be seen of the operation
	// asked and changed are the state after the operation as it was asked for,
	// and as the answer changed it.
	asked, changed func(c *cell) string
	// after are the callbacks that report the operation, changedAfter instead
	// those of the changed one.
	after, changedAfter []string
	watcher             string // the user who is told, "" for nobody
	// soft: a refusal does not refuse the operation, only a part of it that the
	// caller does not see; refusedAfter report the rest.
	soft         bool
	refusedAfter []string
}

// cell is one place of the matrix: a callback, a kind of answer, failedContinue
// and a way to call.
type cell struct {
	n              *node
	key            string
	x              *exerciser
	row            matrixRow
	failedContinue bool
	way            string // REST or socket
	id             string // part of the ids of all that belongs to the cell
	armed          atomic.Bool
	asks           atomic.Int32

	before string
	seqs   string
	sender *device
	watch  *device
	got    refusal
	err    error
}

func (c *cell) a() string         { return c.id + "a" }
func (c *cell) b() string         { return c.id + "b" }
func (c *cell) c() string         { return c.id + "c" }
func (c *cell) d() string         { return c.id + "d" }
func (c *cell) g() string         { return c.id + "g" }
func (c *cell) operation() string { return "act-" + c.id }

// answer is one that overrides something.
func (c *cell) answer(actionCode int) answerer {
	body := fmt.Sprintf(`{"actionCode":%d,"errCode":5001,"errMsg":"no","errDlt":"because","nextCode":0`, actionCode)
	if c.x.change != nil {
		body += "," + c.x.change(c)
	}
	return says(body + "}")
}

func constant(s string) func(*cell) string { return func(*cell) string { return s } }

// rowOf is the row of a conversation in a user's list: its ex, or nothing.
func rowOf(t *testing.T, c *cell, owner, conversation string) string {
	var got struct{ Conversations []struct{ Ex string } }
	c.n.call(t, "/conversation/get_conversations", map[string]any{"ownerUserID": owner, "conversationIDs": []string{conversation}}, &got)
	if len(got.Conversations) == 0 {
		return ""
	}
	return "row " + got.Conversations[0].Ex
}

func nickname(t *testing.T, c *cell, userID string) string {
	var got struct{ UsersInfo []struct{ Nickname string } }
	c.n.call(t, "/user/get_users_info", map[string]any{"userIDs": []string{userID}}, &got)
	if len(got.UsersInfo) == 0 {
		return ""
	}
	return got.UsersInfo[0].Nickname
}

func remark(t *testing.T, c *cell) string {
	var got struct{ FriendsInfo []struct{ Remark string } }
	c.n.call(t, "/friend/get_designated_friends", map[string]any{"ownerUserID": c.a(), "friendUserIDs": []string{c.b()}}, &got)
	return got.FriendsInfo[0].Remark
}

func groupName(t *testing.T, c *cell) string {
	var got struct{ GroupInfos []struct{ GroupName string } }
	c.n.call(t, "/group/get_groups_info", map[string]any{"groupIDs": []string{c.g()}}, &got)
	if len(got.GroupInfos) == 0 {
		return ""
	}
	return got.GroupInfos[0].GroupName
}

// memberNames are the names in the group of those who are not there from the
// beginning, and of b if he is asked for.
func memberNames(t *testing.T, c *cell, userIDs ...string) string {
	var got struct {
		Members []struct{ UserID, Nickname string }
	}
	c.n.call(t, "/group/get_group_members_info", map[string]any{"groupID": c.g(), "userIDs": userIDs}, &got)
	var names []string
	for _, m := range got.Members {
		names = append(names, strings.ReplaceAll(m.Nickname, c.id, ""))
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// written is the content of the newest message of a chat of a's.
func written(t *testing.T, c *cell, conversation string) string {
	var newest struct{ MaxSeqs map[string]int64 }
	c.n.call(t, "/msg/newest_seq", map[string]any{"userID": c.b()}, &newest)
	end := newest.MaxSeqs[conversation]
	if end == 0 {
		return ""
	}
	var pulled struct {
		Msgs map[string]struct {
			Msgs []struct {
				ContentType int
				Content     []byte
			}
		}
	}
	c.n.call(t, "/msg/pull_msg_by_seq", map[string]any{"userID": c.b(), "seqRanges": []map[string]any{
		{"conversationID": conversation, "begin": end, "end": end, "num": 1},
	}}, &pulled)
	for _, m := range pulled.Msgs[conversation].Msgs {
		if m.ContentType < 1000 {
			return string(m.Content)
		}
	}
	return ""
}

func (c *cell) single() string { return "si_" + c.a() + "_" + c.b() }

// sending is the exerciser of a message of a type to b, or into the group.
func sending(contentType int, content string, group bool, after ...string) exerciser {
	conversation := (*cell).single
	if group {
		conversation = func(c *cell) string { return "sg_" + c.g() }
	}
	return exerciser{
		path: "/msg/send_msg", socket: true, watcher: "b", after: after,
		body: func(c *cell) map[string]any {
			body := map[string]any{
				"sendID": c.a(), "senderPlatformID": platformIOS, "content": json.RawMessage(content), "contentType": contentType, "sessionType": singleChat,
			}
			if group {
				body["groupID"], body["sessionType"] = c.g(), groupChat
			} else {
				body["recvID"] = c.b()
			}
			return body
		},
		state: func(t *testing.T, c *cell) string { return written(t, c, conversation(c)) },
		asked: constant(content), changed: constant(content),
	}
}

// exercisers has one for every before-callback but those named in elsewhere.
func exercisers() map[string]exerciser {
	single := sending(contentText, text("asked"), false, "afterSendSingleMsg", "afterMsgSaveDB",
		"afterCreateSingleChatConversations", "afterCreateSingleChatConversations")
	inGroup := sending(contentText, text("asked"), true, "afterSendGroupMsg", "afterMsgSaveDB")
	inGroup.group = "0"
	modify := sending(contentText, text("asked"), false, single.after...)
	modify.change = constant(`"content":` + fmt.Sprintf("%q", modified))
	modify.changed = constant(modified)

	row := sending(contentText, text("asked"), false, single.after...)
	row.soft, row.refusedAfter = true, []string{"afterSendSingleMsg", "afterMsgSaveDB"}
	row.state = func(t *testing.T, c *cell) string {
		return rowOf(t, c, c.a(), c.single()) + rowOf(t, c, c.b(), c.single())
	}
	row.change, row.asked, row.changed = constant(`"ex":"changed"`), constant("row row "), constant("row changedrow changed")

	invitation := exerciser{
		group: "0", watcher: "a", path: "/group/invite_user_to_group",
		body: func(c *cell) map[string]any {
			return map[string]any{"groupID": c.g(), "reason": "come", "invitedUserIDs": []string{c.c(), c.d()}}
		},
		state: func(t *testing.T, c *cell) string { return memberNames(t, c, c.c(), c.d()) },
		asked: constant("nick c nick d"),
		after: []string{"afterJoinGroup", "afterJoinGroup", "afterCreateGroupChatConversations"},
	}
	refusing := invitation
	refusing.change = func(c *cell) string { return fmt.Sprintf(`"refusedMembersAccount":[%q]`, c.d()) }
	refusing.changed, refusing.changedAfter = constant("nick c"), invitation.after[1:]
	groupRow := invitation
	groupRow.change, groupRow.changed = constant(`"ex":"changed"`), constant("row changed")
	groupRow.state = func(t *testing.T, c *cell) string { return rowOf(t, c, c.c(), "sg_"+c.g()) }
	groupRow.asked = constant("row ")

	join := exerciser{
		group: "2", watcher: "a", path: "/group/join_group",
		body: func(c *cell) map[string]any {
			return map[string]any{"groupID": c.g(), "reqMessage": "please", "joinSource": 3, "inviterUserID": c.c()}
		},
		change: func(c *cell) string {
			return fmt.Sprintf(`"memberCallbackList":[{"nickname":"nobody"},{"userID":%q,"nickname":"changed","roleLevel":100}]`, c.c())
		},
		state: func(t *testing.T, c *cell) string { return memberNames(t, c, c.c()) },
		asked: constant("nick c"), changed: constant("changed"),
		after: []string{"afterJoinGroup", "afterCreateGroupChatConversations"},
	}

	profile := exerciser{
		watcher: "a",
		body: func(c *cell) map[string]any {
			return map[string]any{"userInfo": map[string]any{"userID": c.a(), "nickname": "asked"}}
		},
		change: constant(`"nickName":"changed","ex":{"value":"wrapped"}`),
		state:  func(t *testing.T, c *cell) string { return nickname(t, c, c.a()) },
		asked:  constant("asked"), changed: constant("changed"),
	}
	profileOlder, profileEx := profile, profile
	profileOlder.path, profileOlder.after = "/user/update_user_info", []string{"afterUpdateUserInfo"}
	profileEx.path, profileEx.after = "/user/update_user_info_ex", []string{"afterUpdateUserInfoEx"}

	rename := exerciser{
		group: "0", watcher: "b", change: constant(`"groupID":"","groupName":"changed"`),
		state: groupName, asked: constant("asked"), changed: constant("changed"),
	}
	renameOlder, renameEx := rename, rename
	renameOlder.path, renameOlder.after = "/group/set_group_info", []string{"afterSetGroupInfo"}
	renameOlder.body = func(c *cell) map[string]any {
		return map[string]any{"groupInfoForSet": map[string]any{"groupID": c.g(), "groupName": "asked"}}
	}
	renameEx.path, renameEx.after = "/group/set_group_info_ex", []string{"afterSetGroupInfoEx"}
	renameEx.body = func(c *cell) map[string]any { return map[string]any{"groupID": c.g(), "groupName": "asked"} }

	befriend := func(t *testing.T, c *cell) {
		c.n.call(t, "/friend/import_friend", map[string]any{"ownerUserID": c.a(), "friendUserIDs": []string{c.b()}}, nil)
	}
	friends := func(t *testing.T, c *cell) string {
		var got struct{ FriendIDs []string }
		c.n.call(t, "/friend/get_friend_id", map[string]any{"userID": c.a()}, &got)
		return strings.ReplaceAll(strings.Join(got.FriendIDs, " "), c.id, "")
	}
	return map[string]exerciser{
		"beforeSendSingleMsg": single,
		"beforeSendGroupMsg":  inGroup,
		"beforeMsgModify":     modify,
		"beforeUserRegister": {
			path: "/user/user_register",
			body: func(c *cell) map[string]any {
				return map[string]any{"users": []map[string]any{{"userID": c.id + "new", "nickname": "asked"}}}
			},
			change: func(c *cell) string { return fmt.Sprintf(`"users":[{"userID":%q,"nickname":"changed"}]`, c.id+"new") },
			state:  func(t *testing.T, c *cell) string { return nickname(t, c, c.id+"new") },
			asked:  constant("asked"), changed: constant("changed"), after: []string{"afterUserRegister"},
		},
		"beforeUpdateUserInfo":   profileOlder,
		"beforeUpdateUserInfoEx": profileEx,
		"beforeAddFriend": {
			watcher: "b", path: "/friend/add_friend",
			body: func(c *cell) map[string]any {
				return map[string]any{"fromUserID": c.a(), "toUserID": c.b(), "reqMsg": "asked"}
			},
			state: func(t *testing.T, c *cell) string {
				var got struct{ FriendRequests []struct{ ReqMsg string } }
				c.n.call(t, "/friend/get_designated_friend_apply", map[string]any{"fromUserID": c.a(), "toUserID": c.b()}, &got)
				if len(got.FriendRequests) == 0 {
					return ""
				}
				return got.FriendRequests[0].ReqMsg
			},
			asked: constant("asked"), changed: constant("asked"), after: []string{"afterAddFriend"},
		},
		"beforeAddFriendAgree": {
			watcher: "a", path: "/friend/add_friend_response",
			prepare: func(t *testing.T, c *cell) {
				c.n.call(t, "/friend/add_friend", map[string]any{"fromUserID": c.a(), "toUserID": c.b()}, nil)
			},
			body: func(c *cell) map[string]any {
				return map[string]any{"fromUserID": c.a(), "toUserID": c.b(), "handleResult": 1, "handleMsg": "yes"}
			},
			state: friends, asked: constant("b"), changed: constant("b"),
			after: []string{"afterAddFriendAgree", "afterCreateSingleChatConversations", "afterCreateSingleChatConversations"},
		},
		"beforeSetFriendRemark": {
			watcher: "a", path: "/friend/set_friend_remark", prepare: befriend,
			body: func(c *cell) map[string]any {
				return map[string]any{"ownerUserID": c.a(), "friendUserID": c.b(), "remark": "asked"}
			},
			change: constant(`"remark":"changed"`), state: remark, asked: constant("asked"), changed: constant("changed"),
			after: []string{"afterSetFriendRemark"},
		},
		"beforeImportFriends": {
			watcher: "a", path: "/friend/import_friend",
			body: func(c *cell) map[string]any {
				return map[string]any{"ownerUserID": c.a(), "friendUserIDs": []string{c.b()}}
			},
			change: func(c *cell) string { return fmt.Sprintf(`"friendUserIDs":[%q]`, c.c()) },
			state:  friends, asked: constant("b"), changed: constant("c"),
			after: []string{"afterImportFriends", "afterCreateSingleChatConversations", "afterCreateSingleChatConversations"},
		},
		"beforeAddBlack": {
			watcher: "a", path: "/friend/add_black",
			body: func(c *cell) map[string]any { return map[string]any{"ownerUserID": c.a(), "blackUserID": c.b()} },
			state: func(t *testing.T, c *cell) string {
				var got struct{ Total int }
				c.n.call(t, "/friend/get_specified_blacks", map[string]any{"ownerUserID": c.a(), "userIDList": []string{c.b()}}, &got)
				return fmt.Sprint(got.Total)
			},
			asked: constant("1"), changed: constant("1"),
		},
		"beforeCreateGroup": {
			watcher: "b", path: "/group/create_group",
			body: func(c *cell) map[string]any {
				return map[string]any{
					"ownerUserID": c.a(), "memberUserIDs": []string{c.b()},
					"groupInfo": map[string]any{"groupID": c.g(), "groupName": "asked", "groupType": 2},
				}
			},
			change: constant(`"groupName":"changed"`), state: groupName, asked: constant("asked"), changed: constant("changed"),
			after: []string{"afterCreateGroup", "afterCreateGroupChatConversations"},
		},
		"beforeMemberJoinGroup":   join,
		"beforeInviteUserToGroup": refusing,
		"beforeApplyJoinGroup": {
			group: "1", watcher: "a", path: join.path, body: join.body,
			state: func(t *testing.T, c *cell) string {
				var got struct{ GroupRequests []struct{ ReqMsg string } }
				c.n.call(t, "/group/get_group_users_req_application_list", map[string]any{"groupID": c.g(), "userIDs": []string{c.c()}}, &got)
				if len(got.GroupRequests) == 0 {
					return ""
				}
				return got.GroupRequests[0].ReqMsg
			},
			asked: constant("please"), changed: constant("please"),
		},
		"beforeSetGroupInfo":   renameOlder,
		"beforeSetGroupInfoEx": renameEx,
		"beforeSetGroupMemberInfo": {
			group: "0", watcher: "a", path: "/group/set_group_member_info",
			body: func(c *cell) map[string]any {
				return map[string]any{"members": []map[string]any{{"groupID": c.g(), "userID": c.b(), "nickname": "asked"}}}
			},
			change: constant(`"nickName":"changed","roleLevel":100`),
			state:  func(t *testing.T, c *cell) string { return memberNames(t, c, c.b()) },
			asked:  constant("asked"), changed: constant("changed"), after: []string{"afterSetGroupMemberInfo"},
		},
		"beforeCreateSingleChatConversations": row,
		"beforeCreateGroupChatConversations":  groupRow,
	}
}

// elsewhere are the before-callbacks that refuse no operation.
var elsewhere = map[string]string{
	"beforeOfflinePush":     "refuses a push, after the commit",
	"beforeOnlinePush":      "refuses a delivery, after the commit",
	"beforeGroupOnlinePush": "refuses a delivery, after the commit",
}

// TestS16Matrix: every kind of answer, with failedContinue and without, for every
// before-callback of the registry, by REST and, for sends, over the socket. Each
// cell checks what the caller is told, what became of the operation, and that
// nothing is left of a refused one: no state, no seq, no notice, no after-event.
func TestS16Matrix(t *testing.T) {
	t.Parallel()
	known := exercisers()
	cells, want := make(map[string]int), make(map[string]int)
	var mu sync.Mutex
	t.Run("cells", func(t *testing.T) {
		for _, callback := range registry.All() {
			if callback.Kind != registry.Before || elsewhere[callback.Key] != "" {
				continue
			}
			x, ok := known[callback.Key]
			if !ok {
				t.Errorf("%s has no exerciser", callback.Key)
				continue
			}
			ways := []string{"REST"}
			if x.socket {
				ways = append(ways, "socket")
			}
			want[callback.Key] = len(matrixRows()) * 2 * len(ways)
			t.Run(callback.Key, func(t *testing.T) {
				t.Parallel()
				n := exercise(t, callback, &x, ways)
				mu.Lock()
				defer mu.Unlock()
				cells[callback.Key] = n
			})
		}
	})
	total := 0
	for key, n := range want {
		if cells[key] != n {
			t.Errorf("%s has %d cells, want %d", key, cells[key], n)
		}
		total += cells[key]
	}
	t.Logf("%d cells of %d callbacks", total, len(want))
}

// exercise runs all cells of a callback, on two nodes that ask nothing else, and
// returns their number.
func exercise(t *testing.T, desc registry.Callback, x *exerciser, ways []string) int {
	told := startBusiness(t)
	var cells []*cell
	ask := func(w http.ResponseWriter, r *http.Request, got callback) {
		for _, c := range cells {
			if !c.armed.Load() || !strings.Contains(string(got.Raw), c.id) {
				continue
			}
			c.asks.Add(1)
			if c.row.approves() {
				c.answer(map[string]int{"0 0": 0, "1 0": 1}[c.row.name])(w, r, got)
			} else {
				c.row.answer(w, r, got)
			}
			return
		}
		says(approval)(w, r, got)
	}
	asked := startBusiness(t)
	asked.on(desc.Command, ask)
	var nodes []*node
	for _, failedContinue := range []bool{true, false} {
		n := startNode(t, setup{files: onlyAsking(desc.Key, asked.URL, told.URL, failedContinue)})
		nodes = append(nodes, n)
		for i, row := range matrixRows() {
			for j, way := range ways {
				cells = append(cells, &cell{
					n: n, key: desc.Key, x: x, row: row, failedContinue: failedContinue, way: way,
					id: fmt.Sprintf("m%t%dx%dm", failedContinue, i, j),
				})
			}
		}
	}
	for _, c := range cells {
		c.prepare(t)
	}
	act := func(down bool) {
		var wait sync.WaitGroup
		for _, c := range cells {
			if (c.row.name == "refused") == down {
				wait.Go(c.act)
			}
		}
		wait.Wait()
	}
	act(false)
	_ = asked.Listener.Close()
	asked.CloseClientConnections()
	act(true)
	for _, n := range nodes {
		n.awaitEmptyOutbox(t)
	}
	for _, c := range cells {
		t.Run(fmt.Sprintf("%s/failedContinue %t/%s", c.row.name, c.failedContinue, c.way), func(t *testing.T) { c.check(t, told) })
	}
	return len(cells)
}

// onlyAsking is a configuration with one before-callback and all after-callbacks.
func onlyAsking(key, asked, told string, failedContinue bool) map[string]string {
	var b strings.Builder
	fmt.Fprintf(&b, "url: %s/webhook\n%s", told, neverDown)
	for _, c := range registry.All() {
		switch {
		case c.Key == key:
			types := ""
			if c.Filters.Types {
				types = ", allowedTypes: [101]" // not the fence
			}
			fmt.Fprintf(&b, "%s: {enable: true, timeout: 1, failedContinue: %t, url: '%s/webhook'%s}\n", key, failedContinue, asked, types)
		case c.Kind == registry.After && c.Group != "presence":
			fmt.Fprintf(&b, "%s: {enable: true}\n", c.Key)
		}
	}
	return map[string]string{"webhooks.yml": b.String(), "log.yml": "isStdout: true\nremainLogLevel: 2\nstorageLocation: \"\"\n"}
}

// prepare makes the cell's users, and what the operation needs, and looks at the
// state before it.
func (c *cell) prepare(t *testing.T) {
	t.Helper()
	c.n.register(t, c.a(), c.b(), c.c(), c.d())
	if c.x.group != "" {
		c.n.call(t, "/group/create_group", map[string]any{
			"ownerUserID": c.a(), "memberUserIDs": []string{c.b()},
			"groupInfo": map[string]any{"groupID": c.g(), "groupName": "before", "groupType": 2, "needVerification": json.RawMessage(c.x.group)},
		}, nil)
	}
	if c.x.prepare != nil {
		c.x.prepare(t, c)
	}
	c.before, c.seqs = c.x.state(t, c), c.allSeqs(t)
	if c.x.watcher != "" {
		c.watch = c.n.device(t, c.id+c.x.watcher, platformWeb)
	}
	if c.way == "socket" {
		c.sender = c.n.device(t, c.a(), platformMiniWeb)
	}
}

// allSeqs is how far the logs of the cell's users are.
func (c *cell) allSeqs(t *testing.T) string {
	t.Helper()
	var all []string
	for _, id := range []string{c.a(), c.b(), c.c()} {
		var newest struct{ MaxSeqs map[string]int64 }
		c.n.call(t, "/msg/newest_seq", map[string]any{"userID": id}, &newest)
		text, _ := json.Marshal(newest.MaxSeqs) // keys are sorted
		all = append(all, string(text))
	}
	return strings.Join(all, " ")
}

// act makes the operation. It may be called beside others.
func (c *cell) act() {
	c.armed.Store(true)
	if c.way == "REST" {
		c.got, c.err = c.n.rest(context.Background(), c.operation(), c.x.path, c.x.body(c), nil)
		return
	}
	p := post{from: c.a(), to: c.b(), content: text("asked"), operationID: c.operation()}
	if c.x.group != "" {
		p.to, p.group = "", c.g()
	}
	c.got = c.sender.send(p).refusal
}

// check compares what came of the operation with what the rule says.
func (c *cell) check(t *testing.T, told *business) {
	if c.err != nil {
		t.Fatal(c.err)
	}
	want := c.row.want(c.failedContinue)
	refused := want.ErrCode != 0
	if asked := c.asks.Load() > 0; asked == (c.row.name == "refused") {
		t.Errorf("asked %d times", c.asks.Load())
	}
	state, after := c.x.asked(c), c.x.after
	switch {
	case refused && c.x.soft:
		want, state, after = refusal{}, c.before, c.x.refusedAfter
	case refused:
		state, after = c.before, nil
	case c.row.approves() && c.x.change != nil:
		state = c.x.changed(c)
		if c.x.changedAfter != nil {
			after = c.x.changedAfter
		}
	}
	checkRefusal(t, c.got, want, c.way == "REST", c.key)
	if got := c.x.state(t, c); got != state {
		t.Errorf("the state is %q, want %q", got, state)
	}
	if seqs := c.allSeqs(t); want.ErrCode != 0 && seqs != c.seqs {
		t.Errorf("seqs are %s, they were %s", seqs, c.seqs)
	}
	var events []string
	for _, e := range told.events() {
		if e.Header.Get("operationID") == c.operation() {
			if d, ok := registry.ByCommand(e.Command); ok {
				events = append(events, d.Key)
			}
		}
	}
	slices.Sort(events)
	wantEvents := slices.Sorted(slices.Values(after))
	if !slices.Equal(events, wantEvents) {
		t.Errorf("told of %v, want %v", events, wantEvents)
	}
	if c.watch == nil {
		return
	}
	// What the watcher gets is in order: the fence comes behind it.
	fence := c.n.send(t, post{from: c.d(), to: c.watch.userID, content: text("fence"), contentType: contentMarkdown, operationID: "fence-" + c.id})
	if fence.ErrCode != 0 {
		t.Fatalf("fence: %+v", fence)
	}
	pushed := 0
	for c.watch.next().ServerMsgID != fence.serverMsgID {
		pushed++
	}
	pushed += c.watch.notices
	if told := pushed > 0; told != (want.ErrCode == 0) {
		t.Errorf("%s was pushed %d messages", c.watch.userID, pushed)
	}
}
