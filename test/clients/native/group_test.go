package native

import (
	"fmt"
	"testing"

	"github.com/openimsdk/openim-sdk-core/v3/pkg/constant"
	"github.com/openimsdk/openim-sdk-core/v3/sdk_struct"
	"github.com/openimsdk/protocol/group"
	"github.com/openimsdk/protocol/sdkws"
)

// circle is three users, all logged in, and a group the first one made.
func circle(t *testing.T) (a, b, c *device, groupID, conversationID string) {
	t.Helper()
	a, b, _ = pair(t, shared)
	c = install(t, shared, users(t, shared, "carol")[0], ios).login()
	info, err := a.mgr.Group().CreateGroup(a.call(), &group.CreateGroupReq{
		MemberUserIDs: []string{b.userID, c.userID},
		GroupInfo:     &sdkws.GroupInfo{GroupName: "the three", GroupType: constant.WorkingGroup},
	})
	if err != nil {
		t.Fatalf("create group: %v", err)
	}
	return a, b, c, info.GroupID, "sg_" + info.GroupID
}

func TestGroup(t *testing.T) {
	a, b, c, groupID, conversationID := circle(t)
	everybody := []*device{a, b, c}

	count := 0
	for i, from := range everybody {
		s := from.text(groupTarget(groupID), fmt.Sprint("hello ", i))
		count++
		for _, d := range everybody {
			if d == from {
				continue
			}
			got := d.received(s)
			if got.SendID != from.userID || got.GroupID != groupID || got.SessionType != constant.ReadGroupChatType ||
				content(got) != fmt.Sprintf(`{"content":"hello %d"}`, i) {
				t.Errorf("%s was shown %s of %s in group %q", d.userID, content(got), got.SendID, got.GroupID)
			}
		}
	}

	t.Run("mentions", func(t *testing.T) {
		a, b, c := a.in(t), b.in(t), c.in(t)
		m, err := a.mgr.Conversation().CreateTextAtMessage(a.ctx(), "@bob please", []string{b.userID},
			[]*sdk_struct.AtInfo{{AtUserID: b.userID, GroupNickname: "bob"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		want := content(m)
		s := a.send(groupTarget(groupID), m)
		count++
		for _, d := range []*device{b, c} {
			if got := d.received(s); content(got) != want {
				t.Errorf("%s was shown %s, want %s", d.userID, content(got), want)
			}
		}
		mention := func(d *device, want int32) {
			d.eventually("the mention mark", func() error {
				entry, err := d.conversation(conversationID)
				if err != nil {
					return err
				}
				if entry.GroupAtType != want {
					return fmt.Errorf("is %d, want %d", entry.GroupAtType, want)
				}
				return nil
			})
		}
		mention(b, constant.AtMe)
		mention(c, constant.AtNormal)
	})

	t.Run("histories and lists are equal, also on new devices", func(t *testing.T) {
		a, b, c := a.in(t), b.in(t), c.in(t)
		want := a.settled(conversationID, count)
		b.awaitHistory(conversationID, want)
		c.awaitHistory(conversationID, want)
		fresh := install(t, shared, c.userID, windows).login()
		fresh.awaitHistory(conversationID, want)
		entry, err := fresh.conversation(conversationID)
		if err != nil {
			t.Fatal(err)
		}
		if entry.ShowName != "the three" || entry.ConversationType != constant.ReadGroupChatType || entry.GroupID != groupID {
			t.Errorf("listed as %q, type %d, group %q", entry.ShowName, entry.ConversationType, entry.GroupID)
		}
		// C sent the last plain message and was then sent the mention.
		if entry.UnreadCount != 1 {
			t.Errorf("%d unread, want 1", entry.UnreadCount)
		}
	})

	t.Run("a stranger is refused", func(t *testing.T) {
		d := install(t, shared, users(t, shared, "dave")[0], ios).login()
		if _, err := d.trySend(groupTarget(groupID), d.newText("let me in"), false); err == nil {
			t.Error("a stranger's message was taken")
		}
		if got := len(a.in(t).settled(conversationID, count)); got != count {
			t.Errorf("the group has %d messages, want %d", got, count)
		}
	})
}
