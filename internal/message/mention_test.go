package message_test

import (
	"maps"
	"testing"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

func TestMentions(t *testing.T) {
	each(t, func(t *testing.T, k *kit) {
		k.group(im.Group{GroupID: "g"})
		const conversation = im.ConversationID("sg_g")
		marks := func() map[string]int32 {
			t.Helper()
			all := map[string]int32{}
			k.write(func(tx *store.Tx) error {
				for _, owner := range []string{"a", "b", "c", "x"} {
					row, found, err := tx.Conversation(owner, conversation)
					if err != nil {
						return err
					}
					if found && row.GroupAtType != 0 {
						all[owner] = row.GroupAtType
					}
				}
				return nil
			})
			return all
		}
		announced := func() map[string]int32 {
			k.mu.Lock()
			defer k.mu.Unlock()
			all := map[string]int32{}
			for _, d := range k.delivered {
				if d.message.MsgFrom == im.FromSystem {
					all[d.message.RecvID]++
				}
			}
			k.delivered = nil
			return all
		}
		at := func(contentType im.ContentType, userIDs ...string) *im.Message {
			m := inGroup("a", "g")
			m.ContentType, m.AtUserIDs = contentType, userIDs
			return m
		}
		k.write(func(tx *store.Tx) error {
			for _, owner := range []string{"a", "b", "c", "x"} {
				row := im.Conversation{OwnerID: owner, ConversationID: conversation, Type: im.GroupChat, GroupID: "g"}
				if _, err := tx.InsertConversation(row); err != nil {
					return err
				}
			}
			return nil
		})

		for _, step := range []struct {
			name      string
			message   *im.Message
			marks     map[string]int32 // of all so far
			announced map[string]int32
		}{
			{"only mentions mark", at(im.ContentText, "b"), map[string]int32{}, map[string]int32{}},
			{"members, not strangers", at(im.ContentAtText, "b", "z"), map[string]int32{"b": 1}, map[string]int32{"b": 1}},
			{"a mark that is there is not announced again", at(im.ContentAtText, "b"), map[string]int32{"b": 1}, map[string]int32{}},
			{
				"everybody but the sender", at(im.ContentAtText, im.AtAll, "x"),
				map[string]int32{"b": 2, "c": 2, "x": 3},
				map[string]int32{"b": 1, "c": 1, "x": 1},
			},
		} {
			k.send(step.message)
			if got := marks(); !maps.Equal(got, step.marks) {
				t.Errorf("%s: marked %v, want %v", step.name, got, step.marks)
			}
			if got := announced(); !maps.Equal(got, step.announced) {
				t.Errorf("%s: announced %v, want %v", step.name, got, step.announced)
			}
		}
	})
}
