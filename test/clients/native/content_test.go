package native

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/openimsdk/openim-sdk-core/v3/pkg/constant"
	"github.com/openimsdk/openim-sdk-core/v3/sdk_struct"
	"github.com/openimsdk/protocol/sdkws"
)

// markdown is a content type newer than the client core: the core delivers such
// messages without reading them.
const markdown = 118

// TestContentTypes sends every kind of user message that needs no upload. B must
// be shown exactly what A made, and the histories of both must be equal.
func TestContentTypes(t *testing.T) {
	a, b, conversationID := pair(t, shared)
	// Quotes and merged records carry other messages; these two are quoted.
	quoted := []sent{a.text(b.userID, "quote me"), b.text(a.userID, "and me")}
	b.received(quoted[0])
	a.received(quoted[1])

	makers := []struct {
		name        string
		contentType int32
		make        func(d *device) (*sdk_struct.MsgStruct, error)
	}{
		{"CreateTextMessage", constant.Text, func(d *device) (*sdk_struct.MsgStruct, error) {
			return d.mgr.Conversation().CreateTextMessage(d.ctx(), "hello <b>&</b> \"你好\" \u2028 🙂")
		}},
		{"CreateImageMessageByURL", constant.Picture, func(d *device) (*sdk_struct.MsgStruct, error) {
			picture := sdk_struct.PictureBaseInfo{UUID: "p1", Type: "image/png", Size: 1 << 33, Width: 640, Height: 480, Url: "http://files.test/p.png?a=1&b=2"}
			return d.mgr.Conversation().CreateImageMessageByURL(d.ctx(), "", picture, picture, picture)
		}},
		{"CreateSoundMessageByURL", constant.Sound, func(d *device) (*sdk_struct.MsgStruct, error) {
			return d.mgr.Conversation().CreateSoundMessageByURL(d.ctx(), &sdk_struct.SoundBaseInfo{
				UUID: "s1", SourceURL: "http://files.test/s.mp3", DataSize: 1234, Duration: 7, SoundType: "audio/mp3",
			})
		}},
		{"CreateVideoMessageByURL", constant.Video, func(d *device) (*sdk_struct.MsgStruct, error) {
			return d.mgr.Conversation().CreateVideoMessageByURL(d.ctx(), sdk_struct.VideoBaseInfo{
				VideoUUID: "v1", VideoURL: "http://files.test/v.mp4", VideoType: "video/mp4", VideoSize: 99, Duration: 12,
				SnapshotUUID: "v1s", SnapshotSize: 5, SnapshotURL: "http://files.test/v.png", SnapshotWidth: 16, SnapshotHeight: 9, SnapshotType: "image/png",
			})
		}},
		{"CreateFileMessageByURL", constant.File, func(d *device) (*sdk_struct.MsgStruct, error) {
			return d.mgr.Conversation().CreateFileMessageByURL(d.ctx(), sdk_struct.FileBaseInfo{
				UUID: "f1", SourceURL: "http://files.test/f.pdf", FileName: "plan.pdf", FileSize: 42, FileType: "application/pdf",
			})
		}},
		{"CreateTextAtMessage", constant.AtText, func(d *device) (*sdk_struct.MsgStruct, error) {
			return d.mgr.Conversation().CreateTextAtMessage(d.ctx(), "@bob look", []string{b.userID},
				[]*sdk_struct.AtInfo{{AtUserID: b.userID, GroupNickname: "bob"}}, nil)
		}},
		{"CreateMergerMessage", constant.Merger, func(d *device) (*sdk_struct.MsgStruct, error) {
			return d.mgr.Conversation().CreateMergerMessage(d.ctx(), d.stored(conversationID, quoted), "Alice and Bob",
				[]string{"alice: quote me", "bob: and me"})
		}},
		{"CreateCardMessage", constant.Card, func(d *device) (*sdk_struct.MsgStruct, error) {
			return d.mgr.Conversation().CreateCardMessage(d.ctx(), &sdk_struct.CardElem{UserID: b.userID, Nickname: "Bob", FaceURL: "http://faces.test/b.png", Ex: "{}"})
		}},
		{"CreateLocationMessage", constant.Location, func(d *device) (*sdk_struct.MsgStruct, error) {
			return d.mgr.Conversation().CreateLocationMessage(d.ctx(), "Brandenburger Tor", 13.377704, 52.516275)
		}},
		{"CreateCustomMessage", constant.Custom, func(d *device) (*sdk_struct.MsgStruct, error) {
			return d.mgr.Conversation().CreateCustomMessage(d.ctx(), `{"kind":"poll","of":[1,2]}`, "ext", "a poll")
		}},
		{"CreateQuoteMessage", constant.Quote, func(d *device) (*sdk_struct.MsgStruct, error) {
			return d.mgr.Conversation().CreateQuoteMessage(d.ctx(), "I agree", d.stored(conversationID, quoted)[1])
		}},
		{"CreateAdvancedQuoteMessage", constant.Quote, func(d *device) (*sdk_struct.MsgStruct, error) {
			return d.mgr.Conversation().CreateAdvancedQuoteMessage(d.ctx(), "I agree, see parley.test", d.stored(conversationID, quoted)[0],
				[]*sdk_struct.MessageEntity{{Type: "url", Offset: 13, Length: 11, Url: "http://parley.test"}})
		}},
		{"CreateForwardMessage", constant.Text, func(d *device) (*sdk_struct.MsgStruct, error) {
			return d.mgr.Conversation().CreateForwardMessage(d.ctx(), d.stored(conversationID, quoted)[1])
		}},
		{"CreateFaceMessage", constant.Face, func(d *device) (*sdk_struct.MsgStruct, error) {
			return d.mgr.Conversation().CreateFaceMessage(d.ctx(), 3, "smile")
		}},
		{"CreateAdvancedTextMessage", constant.AdvancedText, func(d *device) (*sdk_struct.MsgStruct, error) {
			return d.mgr.Conversation().CreateAdvancedTextMessage(d.ctx(), "see parley.test", []*sdk_struct.MessageEntity{
				{Type: "url", Offset: 4, Length: 11, Url: "http://parley.test", Ex: "x"},
			})
		}},
	}
	for _, c := range makers {
		t.Run(c.name, func(t *testing.T) {
			a, b := a.in(t), b.in(t)
			m, err := c.make(a)
			if err != nil {
				t.Fatal(err)
			}
			if m.ContentType != c.contentType {
				t.Fatalf("made content type %d, want %d", m.ContentType, c.contentType)
			}
			want := content(m)
			got := b.received(a.send(b.userID, m))
			if got.ContentType != c.contentType || content(got) != want {
				t.Errorf("B was shown type %d %s\nA made type %d %s", got.ContentType, content(got), c.contentType, want)
			}
			if got.SendID != a.userID || got.RecvID != b.userID || got.SenderPlatformID != ios || got.SessionType != constant.SingleChatType {
				t.Errorf("B was told it is from %s (platform %d) to %s, session type %d", got.SendID, got.SenderPlatformID, got.RecvID, got.SessionType)
			}
		})
	}
	t.Run("both histories are equal", func(t *testing.T) {
		a, b := a.in(t), b.in(t)
		count := len(makers) + len(quoted)
		b.awaitHistory(conversationID, a.settled(conversationID, count))
	})
}

// stored is what the device has in its history of messages it knows.
func (d *device) stored(conversationID string, ids []sent) []*sdk_struct.MsgStruct {
	d.t.Helper()
	messages, _, err := d.page(conversationID, "", 50)
	if err != nil {
		d.t.Fatal(err)
	}
	found := make([]*sdk_struct.MsgStruct, len(ids))
	for i, id := range ids {
		for _, m := range messages {
			if m.ClientMsgID == id.ClientMsgID {
				found[i] = m
			}
		}
		if found[i] == nil {
			d.t.Fatalf("%s is not in the history of %s", id.ClientMsgID, d.userID)
		}
	}
	return found
}

// TestContentTypesWithoutFunction sends the types an app can only receive with
// this core. What it does not show is compared as the server gives it out.
func TestContentTypesWithoutFunction(t *testing.T) {
	a, b, conversationID := pair(t, shared)
	first := a.text(b.userID, "makes the conversation")
	b.received(first)
	custom := `{"data":"{\"n\":1}","description":"d","extension":"e"}`

	raw := func(a *device, contentType int32, content string, options map[string]bool) sent {
		a.t.Helper()
		// A message of the client core gives the ids; the rest is ours.
		m := a.newText("")
		resp := a.sendRaw(&sdkws.MsgData{
			SendID: a.userID, RecvID: b.userID, ClientMsgID: m.ClientMsgID, SenderPlatformID: ios, SenderNickname: m.SenderNickname,
			SessionType: constant.SingleChatType, MsgFrom: constant.UserMsgType, ContentType: contentType,
			Content: []byte(content), CreateTime: m.CreateTime, Status: constant.MsgStatusSending, Options: options,
		})
		return sent{resp.ClientMsgID, resp.ServerMsgID, resp.SendTime}
	}
	stored := func(b *device, s sent, contentType int32, want string) {
		b.t.Helper()
		for _, m := range b.pull(conversationID, 1, 100) {
			if m.ClientMsgID == s.ClientMsgID {
				if m.ContentType != contentType || string(m.Content) != want {
					b.t.Errorf("stored as type %d %s, want type %d %s", m.ContentType, m.Content, contentType, want)
				}
				return
			}
		}
		b.t.Errorf("%s is not stored", s.ClientMsgID)
	}

	t.Run("markdown", func(t *testing.T) {
		a, b := a.in(t), b.in(t)
		want := `{"content":"# Title\n* one"}`
		s := raw(a, markdown, want, nil)
		if got := b.received(s); got.ContentType != markdown {
			t.Errorf("B was shown type %d", got.ContentType)
		}
		stored(b, s, markdown, want)
	})
	t.Run("custom that leaves the conversation list alone", func(t *testing.T) {
		a, b := a.in(t), b.in(t)
		before, err := b.conversation(conversationID)
		if err != nil {
			t.Fatal(err)
		}
		s := raw(a, constant.CustomMsgNotTriggerConversation, custom, map[string]bool{
			constant.IsConversationUpdate: false, constant.IsSenderConversationUpdate: false, constant.IsUnreadCount: false,
		})
		// The core tells the app nothing of it, it is just in the history.
		b.eventually("the message in the history", func() error {
			lines, err := b.history(conversationID)
			if err != nil {
				return err
			}
			for _, l := range lines {
				if l.ClientMsgID == s.ClientMsgID {
					return nil
				}
			}
			return fmt.Errorf("not among %d", len(lines))
		})
		stored(b, s, constant.CustomMsgNotTriggerConversation, custom)
		after, err := b.conversation(conversationID)
		if err != nil {
			t.Fatal(err)
		}
		if after.LatestMsg != before.LatestMsg || after.UnreadCount != before.UnreadCount {
			t.Errorf("the list entry changed from %d unread, %s to %d unread, %s", before.UnreadCount, before.LatestMsg, after.UnreadCount, after.LatestMsg)
		}
	})
	t.Run("custom for those online", func(t *testing.T) {
		a, b := a.in(t), b.in(t)
		s := raw(a, constant.CustomMsgOnlineOnly, custom, onlineOnly())
		got := b.awaitMessage("OnRecvOnlineOnlyMessage", s.ClientMsgID)
		if content(got) != `{"data":"{\"n\":1}","description":"d","extension":"e"}` {
			t.Errorf("B was shown %s", content(got))
		}
		notStored(b, conversationID, s)
	})
	t.Run("text for those online", func(t *testing.T) {
		a, b := a.in(t), b.in(t)
		s, err := a.trySend(b.userID, a.newText("now or never"), true)
		if err != nil {
			t.Fatal(err)
		}
		if got := b.awaitMessage("OnRecvOnlineOnlyMessage", s.ClientMsgID); content(got) != `{"content":"now or never"}` {
			t.Errorf("B was shown %s", content(got))
		}
		notStored(b, conversationID, s)
	})
	t.Run("TypingStatusUpdate", func(t *testing.T) {
		a, b := a.in(t), b.in(t)
		if err := a.mgr.Conversation().TypingStatusUpdate(a.call(), b.userID, "yes"); err != nil {
			t.Fatal(err)
		}
		b.await("that A is typing", func(events []event) bool {
			for _, e := range events {
				if e.name != "OnConversationUserInputStatusChanged" {
					continue
				}
				var change struct {
					ConversationID string
					UserID         string
					PlatformIDs    []int32
				}
				if err := json.Unmarshal([]byte(e.data), &change); err != nil {
					t.Errorf("%s: %v", e.data, err)
				}
				if change.ConversationID == conversationID && change.UserID == a.userID && len(change.PlatformIDs) == 1 && change.PlatformIDs[0] == ios {
					return true
				}
			}
			return false
		})
		// One stored message follows: had the typing notice taken a seq, this
		// one would not be next.
		before := b.pull(conversationID, 1, 100)
		s := a.text(b.userID, "typed")
		b.received(s)
		after := b.pull(conversationID, 1, 100)
		if len(after) != len(before)+1 || after[len(after)-1].ClientMsgID != s.ClientMsgID {
			t.Errorf("the log went from %d to %d messages with one sent", len(before), len(after))
		}
		for _, m := range after {
			if m.ContentType == constant.Typing {
				t.Error("a typing notice is stored")
			}
		}
	})
}

func onlineOnly() map[string]bool {
	options := map[string]bool{}
	for _, key := range []string{
		constant.IsHistory, constant.IsPersistent, constant.IsSenderSync, constant.IsConversationUpdate,
		constant.IsSenderConversationUpdate, constant.IsUnreadCount, constant.IsOfflinePush,
	} {
		options[key] = false
	}
	return options
}

func notStored(d *device, conversationID string, s sent) {
	d.t.Helper()
	for _, m := range d.pull(conversationID, 1, 100) {
		if m.ClientMsgID == s.ClientMsgID {
			d.t.Errorf("%s is stored with seq %d", s.ClientMsgID, m.Seq)
		}
	}
}
