package message_test

import (
	"slices"
	"testing"

	"github.com/parley-im/parley/internal/im"
)

// The rows of a new chat are asked about, the sender's first. A refused one is
// left out and asked about again with the next message; nothing else is refused.
func TestAskAboutChats(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		chat := im.SingleConversation("a", "b")
		var asked []string
		refuse := map[string]bool{"b": true}
		k.hooks.chat = func(row *im.Conversation) error {
			asked = append(asked, row.OwnerID+" of "+row.UserID)
			if refuse[row.OwnerID] {
				return im.ErrCallback
			}
			row.Ex, row.Pinned = "of "+row.OwnerID, true
			return nil
		}
		expect := func(what string, want ...string) {
			t.Helper()
			if !slices.Equal(asked, want) {
				t.Errorf("%s: asked about %q, want %q", what, asked, want)
			}
			asked = nil
		}
		k.send(single("b", "a", "1"))
		expect("the first message", "b of a", "a of b")
		if row := k.row("a", chat); row.Ex != "of a" || !row.Pinned || row.UserID != "b" {
			t.Errorf("the row of a is %+v", row)
		}
		if row := k.row("b", chat); row.OwnerID != "" {
			t.Errorf("b has the row %+v", row)
		}
		k.send(single("a", "b", "2"))
		expect("the second", "b of a")
		delete(refuse, "b")
		if sent := k.send(single("a", "b", "3")); sent.Seq != 3 {
			t.Errorf("seq %d", sent.Seq)
		}
		expect("the third", "b of a")
		if row := k.row("b", chat); row.Ex != "of b" {
			t.Errorf("the row of b is %+v", row)
		}
		k.send(single("a", "b", "4"))
		expect("a chat that everybody has")

		// A repeated send does not ask.
		refuse["x"] = true
		m := single("a", "x", "once")
		m.ClientMsgID = "twice"
		k.send(m)
		expect("to another", "a of x", "x of a")
		again := single("a", "x", "once")
		again.ClientMsgID = "twice"
		if sent := k.send(again); sent.Seq != 1 {
			t.Errorf("the repeated send has seq %d", sent.Seq)
		}
		expect("a repeated send")

		// Nobody is asked about what the server does by itself.
		k.group(im.Group{GroupID: "g"})
		k.send(inGroup("a", "g"))
		expect("a message in a group")
	})
}
