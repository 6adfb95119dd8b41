package test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestS28Filters: which messages the filters let through, to before- and to
// after-callbacks.
func TestS28Filters(t *testing.T) {
	t.Parallel()
	const (
		picture = 102
		file    = 105
	)
	messages := []struct {
		name     string
		from, to string // to "" is the group
		kind     int
	}{
		{"text", "alice", "bob", contentText},
		{"picture", "alice", "bob", picture},
		{"file", "alice", "bob", file},
		{"markdown", "alice", "bob", contentMarkdown},
		{"text in the group", "alice", "", contentText},
		{"text of others", "carol", "dave", contentText},
	}
	all := []string{"text", "picture", "file", "markdown", "text in the group", "text of others"}
	for _, c := range []struct {
		options   string
		asked     []string // by the before-callbacks, which obey no attentionIds
		told      []string
		attention bool
	}{
		{"deniedTypes: [102]", []string{"text", "file", "markdown", "text in the group", "text of others"}, nil, false},
		{"deniedTypes: ['101-105']", []string{"markdown"}, nil, false},
		{"allowedTypes: [101]", []string{"text", "text in the group", "text of others"}, nil, false},
		{"allowedTypes: ['101-105'], deniedTypes: ['102']", []string{"text", "file", "text in the group", "text of others"}, nil, false},
		{"attentionIds: [bob]", all, []string{"text", "picture", "file", "markdown"}, true},
		{"attentionIds: [alice]", all, []string{"text", "picture", "file", "markdown", "text in the group"}, true},
		{"attentionIds: [alice], allowedTypes: [101]", []string{"text", "text in the group", "text of others"}, []string{"text", "text in the group"}, true},
		{"attentionIds: [g]", all, []string{"text in the group"}, true},
		{"attentionIds: []", all, all, true},
	} {
		t.Run(c.options, func(t *testing.T) {
			t.Parallel()
			if !c.attention {
				c.told = c.asked
			}
			b := startBusiness(t)
			before := c.options
			if i := strings.Index(before, "allowedTypes"); c.attention && i < 0 {
				before = "timeout: 5"
			} else if c.attention {
				before = before[i:]
			}
			n := startNode(t, setup{files: map[string]string{"webhooks.yml": fmt.Sprintf(`url: %s/webhook
beforeSendSingleMsg: {enable: true, %[2]s}
beforeSendGroupMsg: {enable: true, %[2]s}
beforeMsgModify: {enable: true, %[2]s}
afterSendSingleMsg: {enable: true, %[3]s}
afterSendGroupMsg: {enable: true, %[3]s}
afterMsgSaveDB: {enable: true, %[3]s}
`, b.URL, before, c.options)}})
			n.register(t, "alice", "bob", "carol", "dave")
			n.found(t, "s28", "g", 0, "alice", "bob")
			devices := map[string]*device{"alice": n.device(t, "alice", platformMiniWeb), "carol": n.device(t, "carol", platformMiniWeb)}
			names := map[string]string{} // by server id
			for _, m := range messages {
				p := post{from: m.from, to: m.to, contentType: m.kind, content: text(m.name), operationID: "s28-" + m.name}
				if m.to == "" {
					p.group = "g"
				}
				got := devices[m.from].send(p)
				if got.ErrCode != 0 {
					t.Fatalf("%s: %+v", m.name, got)
				}
				names[got.serverMsgID] = m.name
			}
			n.awaitEmptyOutbox(t)
			for _, set := range []struct {
				commands []string
				want     []string
			}{
				{[]string{cmdBeforeSingle, cmdBeforeGroup}, c.asked},
				{[]string{cmdModify}, c.asked},
				{[]string{cmdAfterSingle, cmdAfterGroup}, c.told},
				{[]string{cmdSaved}, c.told},
			} {
				var got []string
				for _, call := range b.got(set.commands...) {
					got = append(got, names[call.Event.ServerMsgID])
				}
				slices.Sort(got)
				if want := slices.Sorted(slices.Values(set.want)); !slices.Equal(got, want) {
					t.Errorf("%v: %q, want %q", set.commands, got, want)
				}
			}
		})
	}
}

// TestS23Isolation: a handler that hangs for every after-callback keeps nobody
// from sending, and gets everything in order once it works.
func TestS23Isolation(t *testing.T) {
	t.Parallel()
	const chats, each = 5, 40
	b := startBusiness(t)
	released := make(chan struct{})
	for _, command := range afterCommands {
		b.on(command, hangsUntil(released, approval))
	}
	n := startNode(t, setup{files: map[string]string{"webhooks.yml": fmt.Sprintf(`url: %s/webhook
afterSendSingleMsg: {enable: true, timeout: 60}
afterMsgSaveDB: {enable: true, timeout: 60}
`, b.URL)}})
	n.register(t, "alice")
	alice := n.device(t, "alice", platformMiniWeb)
	want := map[string][]string{}
	for chat := range chats {
		n.register(t, fmt.Sprint("peer", chat))
	}
	for i := range each {
		for chat := range chats {
			to := fmt.Sprint("peer", chat)
			got := alice.send(post{from: "alice", to: to, content: text(fmt.Sprint(i)), operationID: "s23"})
			if got.ErrCode != 0 {
				t.Fatalf("message %d: %+v", i, got)
			}
			want[to] = append(want[to], got.serverMsgID)
		}
	}
	if done := b.got(afterCommands...); len(done) > chats { // one lane each, all waiting
		t.Errorf("%d calls at once for %d conversations", len(done), chats)
	}
	close(released)
	n.awaitEmptyOutbox(t)
	got := map[string][]string{}
	for _, c := range b.events(cmdAfterSingle) {
		got[c.Event.RecvID] = append(got[c.Event.RecvID], c.Event.ServerMsgID)
	}
	for to, ids := range want {
		if !slices.Equal(got[to], ids) {
			t.Errorf("%s: told of %d messages, or in another order; want %d", to, len(got[to]), len(ids))
		}
	}
}
