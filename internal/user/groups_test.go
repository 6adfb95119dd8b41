package user_test

import (
	"log/slog"
	"slices"
	"testing"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/store/storetest"
	"github.com/parley-im/parley/internal/user"
)

// crier remembers what groups are told, and who hears it.
type crier struct {
	told  []im.MemberChanged
	heard [][]string
}

func (c *crier) RenderNotice(n im.Notice) (im.ContentType, []byte) {
	if changed, ok := n.(im.MemberChanged); ok {
		c.told = append(c.told, changed)
		return 1516, nil
	}
	return 1303, nil
}

func (c *crier) Deliver(m *im.Message, to im.Audience, _ string) {
	if m.ContentType == 1516 {
		c.heard = append(c.heard, to.IDs())
	}
}

// A new name reaches the groups in which the user has none of his own, with the
// version that counts it.
func TestProfileInGroups(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open storetest.Open) {
		s := open(store.Options{})
		cry := &crier{}
		users := user.New(s, message.New(s, nil, cry, cry, message.Options{}), im.NoHooks{}, slog.New(slog.DiscardHandler))
		before := map[string]im.Version{}
		if err := s.Write(t.Context(), func(tx *store.Tx) error {
			for _, id := range []string{"u", "v"} {
				if err := tx.InsertUser(im.User{UserID: id, Nickname: "old"}); err != nil {
					return err
				}
			}
			for _, g := range []struct{ id, nickname, face string }{{"plain", "", ""}, {"half", "own", ""}, {"own", "own", "own"}} {
				if err := tx.InsertGroup(im.Group{GroupID: g.id, OwnerID: "v"}); err != nil {
					return err
				}
				if _, err := tx.AddMembers(g.id, []im.Member{
					{GroupID: g.id, UserID: "u", Role: im.RoleMember, Nickname: g.nickname, FaceURL: g.face},
					{GroupID: g.id, UserID: "v", Role: im.RoleOwner},
				}); err != nil {
					return err
				}
				var err error
				if before[g.id], err = tx.Version(im.VersionGroupMembers, g.id); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		name := "new"
		for _, caller := range []im.Caller{{UserID: "u"}, {UserID: "v", Admin: true}} {
			cry.told, cry.heard = nil, nil
			name += "er"
			if err := users.Update(im.WithCaller(t.Context(), caller), "u", im.UserChange{Nickname: &name}); err != nil {
				t.Fatal(err)
			}
			var told []string
			for i, n := range cry.told {
				id := n.Group.GroupID
				told = append(told, id)
				before[id] = im.Version{ID: before[id].ID, Version: before[id].Version + 1}
				if n.Version != before[id] || n.Member.UserID != "u" || n.Operator.UserID != caller.UserID || n.Facet != im.MemberProfile || n.At == 0 {
					t.Errorf("%s is told %+v", id, n)
				}
				if want := map[string]string{"plain": name, "half": "own"}[id]; n.Member.Nickname != want {
					t.Errorf("%s: he is called %q, want %q", id, n.Member.Nickname, want)
				}
				if !slices.Equal(cry.heard[i], []string{"u", "v"}) {
					t.Errorf("%s: heard by %v", id, cry.heard[i])
				}
			}
			if slices.Sort(told); !slices.Equal(told, []string{"half", "plain"}) {
				t.Errorf("told %v", told)
			}
		}
	})
}
