package native

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openimsdk/openim-sdk-core/v3/pkg/constant"
	"github.com/openimsdk/openim-sdk-core/v3/pkg/db/model_struct"
	"github.com/openimsdk/openim-sdk-core/v3/pkg/sdk_params_callback"
	"github.com/openimsdk/openim-sdk-core/v3/sdk_struct"
	"github.com/parley-im/parley/test/harness"
)

// The functions below answer from, or change, the device's own database. That
// they do so rightly shows that what the server sent is stored as it should be.

// TestConversationQueries: a device with a chat and a group in its list.
func TestConversationQueries(t *testing.T) {
	a, b, c, groupID, groupChat := circle(t)
	direct := single(a.userID, b.userID)
	b.received(a.text(b.userID, "to you"))
	b.received(c.text(groupTarget(groupID), "to all"))
	unread := int32(2)

	ids := func(list []*model_struct.LocalConversation) (all []string) {
		for _, c := range list {
			all = append(all, c.ConversationID)
		}
		return all
	}
	t.Run("GetTotalUnreadMsgCount", func(t *testing.T) {
		// The line that the group was made may count, too.
		b := b.in(t)
		b.eventually("what is unread", func() error {
			n, err := b.mgr.Conversation().GetTotalUnreadMsgCount(b.ctx())
			if err == nil && n < unread {
				err = fmt.Errorf("is %d", n)
			}
			return err
		})
	})
	t.Run("GetAllConversationList", func(t *testing.T) {
		b := b.in(t)
		b.eventually("the list", func() error {
			list, err := b.mgr.Conversation().GetAllConversationList(b.ctx())
			if got := ids(list); err == nil && !slices.Equal(got, []string{groupChat, direct}) {
				err = fmt.Errorf("is %v", got)
			}
			return err
		})
	})
	t.Run("GetConversationListSplit", func(t *testing.T) {
		b := b.in(t)
		for offset, want := range []string{groupChat, direct} {
			list, err := b.mgr.Conversation().GetConversationListSplit(b.ctx(), offset, 1)
			if got := ids(list); err != nil || !slices.Equal(got, []string{want}) {
				t.Errorf("from %d: %v, %v", offset, got, err)
			}
		}
	})
	t.Run("GetMultipleConversation", func(t *testing.T) {
		b := b.in(t)
		list, err := b.mgr.Conversation().GetMultipleConversation(b.ctx(), []string{direct, groupChat, "si_x_y"})
		if err != nil || len(list) != 2 {
			t.Errorf("got %v, %v", ids(list), err)
		}
	})
	t.Run("GetOneConversation", func(t *testing.T) {
		b := b.in(t)
		got, err := b.mgr.Conversation().GetOneConversation(b.call(), constant.ReadGroupChatType, groupID)
		if err != nil || got.ConversationID != groupChat || got.ShowName != "the three" {
			t.Errorf("the group is %+v, %v", got, err)
		}
		// One that is not in the list is made from the server's profile.
		stranger := users(t, shared, "dave")[0]
		got, err = b.mgr.Conversation().GetOneConversation(b.call(), constant.SingleChatType, stranger)
		if err != nil || got.ConversationID != single(b.userID, stranger) || got.ShowName != harness.Nickname(stranger) || got.FaceURL != harness.FaceURL(stranger) {
			t.Errorf("a new one is %+v, %v", got, err)
		}
	})
	t.Run("SearchConversation", func(t *testing.T) {
		b := b.in(t)
		list, err := b.mgr.Conversation().SearchConversation(b.ctx(), "three")
		if err != nil || len(list) != 1 || list[0].ConversationID != groupChat {
			t.Errorf("found %+v, %v", list, err)
		}
	})
	t.Run("GetConversationIDBySessionType", func(t *testing.T) {
		b := b.in(t)
		if got := b.mgr.Conversation().GetConversationIDBySessionType(b.ctx(), a.userID, constant.SingleChatType); got != direct {
			t.Errorf("is %s, want %s", got, direct)
		}
	})
	t.Run("GetAtAllTag", func(t *testing.T) {
		a, b, c := a.in(t), b.in(t), c.in(t)
		tag := a.mgr.Conversation().GetAtAllTag(a.ctx())
		m, err := a.mgr.Conversation().CreateTextAtMessage(a.ctx(), "all of you", []string{tag}, nil, nil)
		a.must(err)
		s := a.send(groupTarget(groupID), m)
		for _, d := range []*device{b, c} {
			d.received(s)
			d.awaitConversation(groupChat, "the mark", func(c *model_struct.LocalConversation) bool { return c.GroupAtType == constant.AtAll })
		}
	})
}

// TestMessageQueries: a device with a few messages.
func TestMessageQueries(t *testing.T) {
	a, b, conversationID := pair(t, shared)
	var said []sent
	for i := range 6 {
		said = append(said, a.text(b.userID, fmt.Sprint("number ", i)))
	}
	b.received(said[len(said)-1])
	b.settled(conversationID, len(said))
	texts := func(list []*sdk_struct.MsgStruct) (all []string) {
		for _, m := range list {
			all = append(all, strings.TrimPrefix(m.TextElem.Content, "number "))
		}
		return all
	}
	t.Run("GetAdvancedHistoryMessageList", func(t *testing.T) {
		for _, d := range []*device{a.in(t), b.in(t), install(t, shared, b.userID, android).login()} {
			var got []string
			start := ""
			for range 3 {
				page, err := d.mgr.Conversation().GetAdvancedHistoryMessageList(d.call(), sdk_params_callback.GetAdvancedHistoryMessageListParams{
					ConversationID: conversationID, StartClientMsgID: start, Count: 2,
				})
				d.must(err)
				got = append(texts(page.MessageList), got...)
				start = page.MessageList[0].ClientMsgID
			}
			if !slices.Equal(got, []string{"0", "1", "2", "3", "4", "5"}) {
				t.Errorf("scrolled through %v", got)
			}
		}
	})
	t.Run("GetAdvancedHistoryMessageListReverse", func(t *testing.T) {
		b := b.in(t)
		page, err := b.mgr.Conversation().GetAdvancedHistoryMessageListReverse(b.call(), sdk_params_callback.GetAdvancedHistoryMessageListParams{
			ConversationID: conversationID, StartClientMsgID: said[1].ClientMsgID, Count: 2,
		})
		b.must(err)
		if got := texts(page.MessageList); !slices.Equal(got, []string{"2", "3"}) {
			t.Errorf("after number 1 came %v", got)
		}
	})
	t.Run("FindMessageList", func(t *testing.T) {
		b := b.in(t)
		got, err := b.mgr.Conversation().FindMessageList(b.ctx(), []*sdk_params_callback.ConversationArgs{
			{ConversationID: conversationID, ClientMsgIDList: []string{said[4].ClientMsgID, said[2].ClientMsgID, "none"}},
		})
		b.must(err)
		if got.TotalCount != 2 || len(got.FindResultItems) != 1 || len(got.FindResultItems[0].MessageList) != 2 {
			t.Errorf("found %+v", got)
		}
	})
	t.Run("SearchLocalMessages", func(t *testing.T) {
		// The core searches up to the last full second.
		b, soon := b.in(t), time.Now().Unix()+10
		got, err := b.mgr.Conversation().SearchLocalMessages(b.ctx(), &sdk_params_callback.SearchLocalMessagesParams{
			ConversationID: conversationID, KeywordList: []string{"number 3"}, MessageTypeList: []int{constant.Text}, PageIndex: 1, Count: 10, SearchTimePosition: soon,
		})
		b.must(err)
		if got.TotalCount != 1 || texts(got.SearchResultItems[0].MessageList)[0] != "3" {
			t.Errorf("found %+v", got)
		}
	})
}

// TestLocalMessages: what an app adds to, notes on and drops from its own
// database stays there.
func TestLocalMessages(t *testing.T) {
	a, b, c, groupID, groupChat := circle(t)
	direct := single(a.userID, b.userID)
	said := a.text(b.userID, "sent")
	b.received(said)
	b.settled(direct, 1)
	c.settled(groupChat, 0)

	t.Run("InsertSingleMessageToLocalStorage", func(t *testing.T) {
		b := b.in(t)
		_, err := b.mgr.Conversation().InsertSingleMessageToLocalStorage(b.call(), b.newText("inserted"), b.userID, a.userID)
		b.must(err)
		b.awaitView(direct, "sent", "inserted")
		b.awaitConversation(direct, "the newest", func(c *model_struct.LocalConversation) bool { return strings.Contains(c.LatestMsg, "inserted") })
		if log := a.in(t).pull(direct, 1, 100); len(log) != 1 {
			t.Errorf("the server has %d messages, want 1", len(log))
		}
	})
	t.Run("InsertGroupMessageToLocalStorage", func(t *testing.T) {
		b := b.in(t)
		before := len(a.in(t).pull(groupChat, 1, 100))
		_, err := b.mgr.Conversation().InsertGroupMessageToLocalStorage(b.call(), b.newText("inserted, too"), groupID, c.userID)
		b.must(err)
		b.eventually("the message", func() error {
			lines, err := b.view(groupChat)
			if err == nil && !slices.Contains(lines, "inserted, too") {
				err = fmt.Errorf("shows %q", lines)
			}
			return err
		})
		if log := a.in(t).pull(groupChat, 1, 100); len(log) != before {
			t.Errorf("the server has %d messages, want %d", len(log), before)
		}
	})
	t.Run("SetMessageLocalEx", func(t *testing.T) {
		b := b.in(t)
		b.must(b.mgr.Conversation().SetMessageLocalEx(b.ctx(), direct, said.ClientMsgID, "my note"))
		if got := b.stored(direct, []sent{said})[0].LocalEx; got != "my note" {
			t.Errorf("notes %q", got)
		}
		if got := a.in(t).stored(direct, []sent{said})[0].LocalEx; got != "" {
			t.Errorf("A was told of the note %q", got)
		}
	})
	t.Run("DeleteAllMsgFromLocal", func(t *testing.T) {
		b := b.in(t)
		b.must(b.mgr.Conversation().DeleteAllMessageFromLocalStorage(b.ctx()))
		b.awaitView(direct)
		b.awaitUnread(0)
		b.fresh().awaitView(direct, "sent")
		a.in(t).awaitView(direct, "sent")
	})
}

// TestSetConversationDraft: the user's other devices and the peer know nothing
// of it.
func TestSetConversationDraft(t *testing.T) {
	s, _ := stage(t, "one")
	draft := func(want string) func(*model_struct.LocalConversation) bool {
		return func(c *model_struct.LocalConversation) bool {
			return c.DraftText == want && (c.DraftTextTime > 0) == (want != "")
		}
	}
	for _, text := range []string{"not yet", ""} {
		s.a.must(s.a.mgr.Conversation().SetConversationDraft(s.a.ctx(), s.conversationID, text))
		s.a.awaitConversation(s.conversationID, "the draft", draft(text))
	}
	s.a.must(s.a.mgr.Conversation().SetConversationDraft(s.a.ctx(), s.conversationID, "later"))
	s.a.await("the draft", holds("OnConversationChanged", s.conversationID, "later"))
	s.a.logout()
	s.a.login().awaitConversation(s.conversationID, "the draft", draft("later"))
	for _, d := range []*device{s.aDesk, s.b} {
		d.awaitConversation(s.conversationID, "no draft", draft(""))
	}
}

// TestHideAllConversations is for this device, until the next message.
func TestHideAllConversations(t *testing.T) {
	s, _ := stage(t, "one")
	c := install(t, shared, users(t, shared, "carol")[0], ios).login()
	other := single(s.b.userID, c.userID)
	s.b.received(c.text(s.b.userID, "hi"))
	s.b.awaitUnread(2)
	s.b.must(s.b.mgr.Conversation().HideAllConversations(s.b.ctx()))
	for _, id := range []string{s.conversationID, other} {
		s.b.awaitUnlisted(id)
	}
	s.b.awaitUnread(0)
	s.bDesk.awaitView(s.conversationID, "one")
	s.bDesk.awaitUnread(2)
	s.a.text(s.b.userID, "two")
	s.b.awaitView(s.conversationID, "one", "two")
	s.b.awaitUnlisted(other)
}

// TestInputStates: who is typing, in a chat and in a group.
func TestInputStates(t *testing.T) {
	a, b, c, groupID, groupChat := circle(t)
	direct := single(a.userID, b.userID)
	b.received(a.text(b.userID, "hello"))
	b.received(a.text(groupTarget(groupID), "hello"))
	typing := func(d *device, conversationID string, platforms string) {
		d.t.Helper()
		d.await("typing "+platforms, holds("OnConversationUserInputStatusChanged",
			`"conversationID":"`+conversationID+`"`, `"userID":"`+a.userID+`"`, `"platformIDs":`+platforms))
	}
	t.Run("ChangeInputStates", func(t *testing.T) {
		a, b, c := a.in(t), b.in(t), c.in(t)
		for _, focus := range []bool{true, false} {
			want := map[bool]string{true: "[1]", false: "[]"}[focus]
			a.must(a.mgr.Conversation().ChangeInputStates(a.call(), direct, focus))
			typing(b, direct, want)
			a.must(a.mgr.Conversation().ChangeInputStates(a.call(), groupChat, focus))
			typing(b, groupChat, want)
			typing(c, groupChat, want)
		}
		if log := b.pull(direct, 1, 10); len(log) != 1 {
			t.Errorf("the log has %d messages, want 1", len(log))
		}
	})
	t.Run("GetInputStates", func(t *testing.T) {
		a, c := a.in(t), c.in(t)
		a.must(a.mgr.Conversation().ChangeInputStates(a.call(), groupChat, true))
		c.eventually("the state", func() error {
			got, err := c.mgr.Conversation().GetInputStates(c.ctx(), groupChat, a.userID)
			if err == nil && !slices.Equal(got, []int32{ios}) {
				err = fmt.Errorf("is %v", got)
			}
			return err
		})
		if got, err := a.mgr.Conversation().GetInputStates(a.ctx(), groupChat, c.userID); err != nil || len(got) != 0 {
			t.Errorf("who is not typing is on %v, %v", got, err)
		}
	})
}
