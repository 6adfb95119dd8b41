package web

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/parley-im/parley/test/harness"
)

// do makes a call of the client and waits for its answer.
func (p *page) do(js string, args ...any) {
	p.t.Helper()
	eval[chromedp.Void](p, js+`.then(() => {})`, args...)
}

// refused makes a call that must fail.
func (p *page) refused(js string, args ...any) {
	p.t.Helper()
	if eval[bool](p, js+`.then(() => true, () => false)`, args...) {
		p.t.Errorf("%s may: %s", p.userID, js)
	}
}

// event waits for an event whose data, as d, satisfy a JavaScript condition.
func (p *page) event(name, condition string, args ...any) {
	p.t.Helper()
	eval[chromedp.Void](p, fmt.Sprintf(`waitFor(%q, d => %s)`, name, condition)+`.then(() => {})`, args...)
}

// until waits until what a call of the client answers, as d, satisfies a
// JavaScript condition.
func (p *page) until(call, condition string, args ...any) {
	p.t.Helper()
	eval[bool](p, `until(() => `+call+`, d => `+condition+`)`, args...)
}

// never fails if the client told of such a thing.
func (p *page) never(name string) {
	p.t.Helper()
	if seen := eval[[]string](p, `events.map(e => e.name)`); strings.Contains(" "+strings.Join(seen, " ")+" ", " "+name+" ") {
		p.t.Errorf("%s saw %s", p.userID, name)
	}
}

// TestFlows is what an app does, on three pages that stay open: each change with
// the events and the state it makes on every page concerned.
func TestFlows(t *testing.T) {
	ids := users(t, shared, "alice", "bob", "carol")
	pages := make([]*page, len(ids))
	for i, id := range ids {
		pages[i] = open(t, shared, id)
		pages[i].login()
	}
	three := func(t *testing.T) (a, b, c *page) { return pages[0].in(t), pages[1].in(t), pages[2].in(t) }
	t.Run("friends", func(t *testing.T) { friends(three(t)) })
	t.Run("messages", func(t *testing.T) { messages(three(t)) })
	t.Run("conversations", func(t *testing.T) { conversations(three(t)) })
	t.Run("groups", func(t *testing.T) { groups(three(t)) })
	t.Run("joining", func(t *testing.T) { joining(three(t)) })
	t.Run("profile", func(t *testing.T) { profile(three(t)) })
}

func friends(a, b, c *page) {
	ask := `im.addFriend({toUserID: %s, reqMsg: "let me in"})`
	a.do(ask, b.userID)
	for _, p := range []*page{a, b} {
		p.event("OnFriendApplicationAdded", `d.fromUserID === %s && d.reqMsg === "let me in" && d.handleResult === 0`, a.userID)
	}
	b.until(`im.getFriendApplicationListAsRecipient()`, `d.some(r => r.fromUserID === %s && r.handleResult === 0)`, a.userID)
	b.do(`im.acceptFriendApplication({toUserID: %s, handleMsg: "welcome"})`, a.userID)
	for p, other := range map[*page]*page{a: b, b: a} {
		p.event("OnFriendApplicationAccepted", `d.handleMsg === "welcome"`)
		p.event("OnFriendAdded", `d.userID === %s && d.nickname === %s`, other.userID, harness.Nickname(other.userID))
		p.until(`im.getFriendList()`, `d.length === 1 && d[0].userID === %s`, other.userID)
	}
	a.refused(ask, b.userID)

	a.do(`im.updateFriends({friendUserIDs: [%s], remark: "Bobby", isPinned: true})`, b.userID)
	a.event("OnFriendInfoChanged", `d.remark === "Bobby"`)
	a.until(`im.getFriendList()`, `d[0].remark === "Bobby" && d[0].isPinned`)

	c.do(ask, a.userID)
	a.event("OnFriendApplicationAdded", `d.fromUserID === %s`, c.userID)
	a.do(`im.refuseFriendApplication({toUserID: %s, handleMsg: "no"})`, c.userID)
	for _, p := range []*page{a, c} {
		p.event("OnFriendApplicationRejected", `d.handleMsg === "no"`)
	}
	c.until(`im.getFriendList()`, `d.length === 0`)

	// The client loads the list after the call and once more when it is notified,
	// and reports it as a failure if the second finds it there.
	eval[chromedp.Void](a, `im.addBlack({toUserID: %s, ex: "why"}).then(() => {}, () => {})`, b.userID)
	a.event("OnBlackAdded", `d.userID === %s`, b.userID)
	a.until(`im.getBlackList()`, `d.length === 1 && d[0].userID === %s`, b.userID)
	b.refused(`im.createTextMessage("hello?").then(m => im.sendMessageNotOss({recvID: %s, groupID: "", message: m.data}))`, a.userID)
	a.do(`im.removeBlack(%s)`, b.userID)
	a.event("OnBlackDeleted", `d.userID === %s`, b.userID)
	a.until(`im.getBlackList()`, `!d || d.length === 0`)

	a.do(`im.deleteFriend(%s)`, b.userID)
	a.event("OnFriendDeleted", `d.userID === %s`, b.userID)
	a.until(`im.getFriendList()`, `d.length === 0`)
	b.received(a.sendText(b.userID, "bye")) // comes after whatever B is told
	b.until(`im.getFriendList()`, `d.length === 1`)
	b.never("OnFriendDeleted")
	b.never("OnBlackAdded")
}

// messages sends the main types; the last ones are revoked, deleted and read.
func messages(a, b, _ *page) {
	conversationID := single(a.userID, b.userID)
	picture := `{uuid: "p", type: "image/png", size: 5, width: 6, height: 7, url: "http://files.test/p.png"}`
	for _, create := range []string{
		`im.createTextMessage("text")`,
		`im.createTextAtMessage({text: "@bob", atUserIDList: [` + quote(b.userID) + `], atUsersInfo: []})`,
		`im.createImageMessageByURL({sourcePath: "", sourcePicture: ` + picture + `, bigPicture: ` + picture + `, snapshotPicture: ` + picture + `})`,
		`im.createSoundMessageByURL({uuid: "s", soundPath: "", sourceUrl: "http://files.test/s.mp3", dataSize: 1, duration: 2})`,
		`im.createVideoMessageByURL({videoPath: "", duration: 1, videoType: "video/mp4", snapshotPath: "", videoUUID: "v", videoUrl: "http://files.test/v.mp4", videoSize: 2, snapshotUUID: "w", snapshotSize: 3, snapshotUrl: "http://files.test/w.png", snapshotWidth: 4, snapshotHeight: 5})`,
		`im.createFileMessageByURL({filePath: "", fileName: "plan.pdf", uuid: "f", sourceUrl: "http://files.test/f.pdf", fileSize: 9})`,
		`im.createCardMessage({userID: ` + quote(b.userID) + `, nickname: "Bob", faceURL: "", ex: ""})`,
		`im.createLocationMessage({description: "here", longitude: 13.4, latitude: 52.5})`,
		`im.createCustomMessage({data: "{}", extension: "e", description: "d"})`,
		`im.createFaceMessage({index: 2, data: "smile"})`,
		`im.createMergerMessage({title: "what was said", summaryList: ["text"], messageList: (await im.getAdvancedHistoryMessageList(` +
			`{count: 1, viewType: 0, startClientMsgID: "", conversationID: ` + quote(conversationID) + `})).data.messageList})`,
	} {
		said := a.send(b.userID, create)
		if got := b.received(said); got.ContentType != said.ContentType || got.Text != said.Text || got.SendID != a.userID {
			b.t.Errorf("B was shown %+v of %+v", got, said)
		}
	}

	list := `im.getAdvancedHistoryMessageList({count: 3, viewType: 0, startClientMsgID: "", conversationID: ` + quote(conversationID) + `})`
	last := func(condition string) string { return `d.messageList.length > 0 && ` + condition }
	taken, kept := a.sendText(b.userID, "taken back"), a.sendText(b.userID, "kept by A")
	for _, p := range []*page{a, b} {
		p.until(list, last(`d.messageList.every(m => m.seq > 0) && d.messageList.at(-1).clientMsgID === %s`), kept.ClientMsgID)
	}
	a.do(`im.revokeMessage({conversationID: %s, clientMsgID: %s})`, conversationID, taken.ClientMsgID)
	for _, p := range []*page{a, b} {
		p.event("OnNewRecvMessageRevoked", `d.clientMsgID === %s && d.revokerID === %s`, taken.ClientMsgID, a.userID)
		p.until(list, last(`d.messageList.some(m => m.clientMsgID === %s && m.contentType === 2101)`), taken.ClientMsgID)
	}

	b.do(`im.deleteMessage({conversationID: %s, clientMsgID: %s})`, conversationID, kept.ClientMsgID)
	b.event("OnMsgDeleted", `d.clientMsgID === %s`, kept.ClientMsgID)
	b.until(list, last(`!d.messageList.some(m => m.clientMsgID === %s)`), kept.ClientMsgID)
	a.until(list, last(`d.messageList.some(m => m.clientMsgID === %s)`), kept.ClientMsgID)

	read := a.sendText(b.userID, "read me")
	b.received(read)
	b.until(`im.getTotalUnreadMsgCount()`, `Number(d) > 0`)
	b.do(`im.markConversationMessageAsRead(%s)`, conversationID)
	b.until(`im.getTotalUnreadMsgCount()`, `Number(d) === 0`)
	a.event("OnRecvC2CReadReceipt", `d.some(r => r.userID === %s && r.msgIDList.includes(%s))`, b.userID, read.ClientMsgID)
	a.until(list, last(`d.messageList.at(-1).clientMsgID === %s && d.messageList.at(-1).isRead`), read.ClientMsgID)

	a.do(`im.typingStatusUpdate({recvID: %s, msgTip: "yes"})`, b.userID)
	b.event("OnConversationUserInputStatusChanged", `d.userID === %s && d.platformIDs.includes(5)`, a.userID)
}

func conversations(a, b, _ *page) {
	conversationID := single(a.userID, b.userID)
	one := `im.getOneConversation({sessionType: 1, sourceID: ` + quote(b.userID) + `})`
	for _, set := range []struct{ js, state string }{
		{`im.setConversation({conversationID: %s, isPinned: true})`, `d.isPinned`},
		{`im.setConversation({conversationID: %s, recvMsgOpt: 2})`, `d.recvMsgOpt === 2`},
		{`im.setConversation({conversationID: %s, ex: "a note"})`, `d.ex === "a note"`},
		{`im.setConversationDraft({conversationID: %s, draftText: "not yet"})`, `d.draftText === "not yet"`},
	} {
		a.do(set.js, conversationID)
		a.event("OnConversationChanged", `d.some(d => d.conversationID === %s && `+set.state+`)`, conversationID)
		a.until(one, set.state)
	}
	// A new page knows what the server keeps, and not the draft.
	if _, err := shared.AnotherToken(a.userID, platformWeb, a.token); err != nil {
		a.t.Fatal(err)
	}
	a.reload()
	a.login()
	a.until(one, `d.isPinned && d.recvMsgOpt === 2 && d.ex === "a note" && d.draftText === "not yet"`)
	b.until(`im.getOneConversation({sessionType: 1, sourceID: %s})`, `!d.isPinned && d.recvMsgOpt === 0 && d.ex === ""`, a.userID)
	a.do(`im.setConversation({conversationID: %s, isPinned: false})`, conversationID)
	a.do(`im.setConversation({conversationID: %s, recvMsgOpt: 0})`, conversationID)
	a.until(one, `!d.isPinned && d.recvMsgOpt === 0`)

	a.do(`im.clearConversationAndDeleteAllMsg(%s)`, conversationID)
	list := `im.getAdvancedHistoryMessageList({count: 5, viewType: 0, startClientMsgID: "", conversationID: ` + quote(conversationID) + `})`
	a.until(list, `d.messageList.length === 0`)
	b.until(list, `d.messageList.length > 0`)
	after := b.sendText(a.userID, "after")
	a.received(after)
	a.until(list, `d.messageList.length === 1`)
	a.do(`im.deleteConversationAndDeleteAllMsg(%s)`, conversationID)
	a.until(`im.getAllConversationList()`, `!d.some(c => c.conversationID === %s)`, conversationID)
}

// groups is the life of a group: A makes it with B, C comes and goes.
func groups(a, b, c *page) {
	groupID := eval[string](a, `im.createGroup({memberUserIDs: [%s], groupInfo: {groupName: "the club", groupType: 2}}).then(r => r.data.groupID)`, b.userID)
	members := `im.getGroupMemberList({groupID: ` + quote(groupID) + `, filter: 0, offset: 0, count: 10})`
	const write = `im.createTextMessage("to all").then(m => im.sendMessageNotOss({recvID: "", groupID: %s, message: m.data}))`
	said := func(from *page, to ...*page) {
		from.t.Helper()
		id := eval[string](from, write+`.then(r => r.data.clientMsgID)`, groupID)
		for _, p := range to {
			p.received(message{ClientMsgID: id})
		}
	}
	// This core looks a group up to show its first line in the chat, and then tells
	// the app that it has joined only if it heard of the group otherwise before. Who
	// makes it always does.
	joined := func(p *page) {
		p.t.Helper()
		p.until(`im.getJoinedGroupList()`, `d.some(g => g.groupID === %s && g.groupName === "the club")`, groupID)
	}
	a.event("OnJoinedGroupAdded", `d.groupID === %s && d.groupName === "the club"`, groupID)
	for _, p := range []*page{a, b} {
		joined(p)
		p.until(members, `d.length === 2 && d[0].userID === %s && d[0].roleLevel === 100`, a.userID)
	}
	said(a, b)
	c.refused(write, groupID)

	b.do(`im.inviteUserToGroup({groupID: %s, reason: "come", userIDList: [%s]})`, groupID, c.userID)
	joined(c)
	for _, p := range []*page{a, b} {
		p.event("OnGroupMemberAdded", `d.userID === %s`, c.userID)
	}
	for _, p := range []*page{a, b, c} {
		p.until(members, `d.length === 3`)
	}
	said(c, a, b)

	// The package's own function for this passes one argument more than its core takes.
	a.do(`window.changeGroupMute("mute", %s, true)`, groupID)
	for _, p := range []*page{a, b, c} {
		p.event("OnGroupInfoChanged", `d.groupID === %s && d.status === 3`, groupID)
	}
	b.refused(write, groupID)
	a.do(`window.changeGroupMute("unmute", %s, false)`, groupID)
	for _, p := range []*page{a, b, c} {
		p.until(`im.getSpecifiedGroupsInfo([%s])`, `d[0].status === 0`, groupID)
	}
	a.do(`im.changeGroupMemberMute({groupID: %s, userID: %s, mutedSeconds: 600})`, groupID, b.userID)
	for _, p := range []*page{a, b, c} {
		p.event("OnGroupMemberInfoChanged", `d.userID === %s && d.muteEndTime > 0`, b.userID)
	}
	b.refused(write, groupID)
	a.do(`im.changeGroupMemberMute({groupID: %s, userID: %s, mutedSeconds: 0})`, groupID, b.userID)
	for _, p := range []*page{a, b, c} {
		p.until(members, `d.find(m => m.userID === %s).muteEndTime === 0`, b.userID)
	}
	said(b, a, c)

	a.do(`im.setGroupInfo({groupID: %s, groupName: "a name", introduction: "who we are"})`, groupID)
	for _, p := range []*page{a, b, c} {
		p.event("OnGroupInfoChanged", `d.groupID === %s && d.groupName === "a name"`, groupID)
		p.until(`im.getSpecifiedGroupsInfo([%s])`, `d[0].groupName === "a name" && d[0].introduction === "who we are"`, groupID)
	}

	a.do(`im.kickGroupMember({groupID: %s, reason: "out", userIDList: [%s]})`, groupID, c.userID)
	c.event("OnJoinedGroupDeleted", `d.groupID === %s`, groupID)
	c.until(`im.getJoinedGroupList()`, `!d.some(g => g.groupID === %s)`, groupID)
	for _, p := range []*page{a, b} {
		p.event("OnGroupMemberDeleted", `d.userID === %s`, c.userID)
		p.until(members, `d.length === 2`)
	}
	c.refused(write, groupID)

	a.do(`im.transferGroupOwner({groupID: %s, newOwnerUserID: %s})`, groupID, b.userID)
	for _, p := range []*page{a, b} {
		p.until(`im.getSpecifiedGroupsInfo([%s])`, `d[0].ownerUserID === %s`, groupID, b.userID)
		p.until(members, `d[0].userID === %s && d[0].roleLevel === 100 && d[1].roleLevel === 20`, b.userID)
	}
	a.refused(`im.dismissGroup(%s)`, groupID)
	b.do(`im.dismissGroup(%s)`, groupID)
	for _, p := range []*page{a, b} {
		p.event("OnGroupDismissed", `d.groupID === %s`, groupID)
		p.until(`im.getJoinedGroupList()`, `!d.some(g => g.groupID === %s)`, groupID)
		p.refused(write, groupID)
	}
}

// joining: C asks to join; A answers; C leaves again.
func joining(a, _, c *page) {
	groupID := eval[string](a, `im.createGroup({memberUserIDs: [], groupInfo: {groupName: "the circle", groupType: 2, needVerification: 0}}).then(r => r.data.groupID)`)
	a.event("OnJoinedGroupAdded", `d.groupID === %s`, groupID)
	c.do(`im.joinGroup({groupID: %s, reqMsg: "let me in", joinSource: 3})`, groupID)
	a.event("OnGroupApplicationAdded", `d.groupID === %s && d.userID === %s && d.reqMsg === "let me in"`, groupID, c.userID)
	a.until(`im.getGroupApplicationListAsRecipient()`, `d.some(r => r.groupID === %s && r.handleResult === 0)`, groupID)
	c.until(`im.getGroupApplicationListAsApplicant()`, `d.some(r => r.groupID === %s && r.handleResult === 0)`, groupID)
	a.do(`im.acceptGroupApplication({groupID: %s, fromUserID: %s, handleMsg: "welcome"})`, groupID, c.userID)
	c.event("OnGroupApplicationAccepted", `d.groupID === %s && d.handledMsg === "welcome"`, groupID)
	c.until(`im.getJoinedGroupList()`, `d.some(g => g.groupID === %s)`, groupID)
	a.event("OnGroupMemberAdded", `d.groupID === %s && d.userID === %s`, groupID, c.userID)
	c.do(`im.quitGroup(%s)`, groupID)
	c.event("OnJoinedGroupDeleted", `d.groupID === %s`, groupID)
	a.event("OnGroupMemberDeleted", `d.groupID === %s && d.userID === %s`, groupID, c.userID)
	a.until(`im.getSpecifiedGroupsInfo([%s])`, `d[0].memberCount === 1`, groupID)
}

func profile(a, b, _ *page) {
	a.do(`im.setSelfInfo({nickname: "Alicia", ex: "my ex"})`)
	a.event("OnSelfInfoUpdated", `d.nickname === "Alicia" && d.ex === "my ex"`)
	a.until(`im.getSelfUserInfo()`, `d.nickname === "Alicia"`)
	b.event("OnFriendInfoChanged", `d.userID === %s && d.nickname === "Alicia"`, a.userID)
	b.until(`im.getFriendList()`, `d[0].nickname === "Alicia"`)
	b.do(`im.subscribeUsersStatus([%s])`, a.userID)
	a.do(`im.logout()`)
	b.event("OnUserStatusChanged", `d.userID === %s && d.status === 0`, a.userID)
}
