package user

import (
	"context"
	"maps"
	"slices"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/store"
)

// inGroups counts a changed profile in the groups that show it, and returns what
// each of them is told.
func (s *Service) inGroups(ctx context.Context, tx *store.Tx, userID string) ([]im.MemberChanged, error) {
	versions, err := tx.MemberProfileChanged(userID)
	if err != nil || len(versions) == 0 {
		return nil, err
	}
	groups, err := tx.Groups(slices.Collect(maps.Keys(versions)))
	if err != nil {
		return nil, err
	}
	caller := im.CallerOf(ctx)
	var told []im.MemberChanged
	for _, g := range groups {
		members, err := tx.Members(g.GroupID, []string{userID})
		if err != nil {
			return nil, err
		}
		if g.Status == im.GroupDismissed || len(members) == 0 {
			continue
		}
		operator := members[0]
		if caller.UserID != userID { // an administrator
			u, _, err := tx.User(caller.UserID)
			if err != nil {
				return nil, err
			}
			operator = im.Member{
				GroupID: g.GroupID, UserID: caller.UserID, Nickname: u.Nickname, FaceURL: u.FaceURL, Role: im.RoleAdmin, AppLevel: im.LevelAdmin,
			}
		}
		told = append(told, im.MemberChanged{
			GroupAct: im.GroupAct{Group: g, Operator: operator, At: s.store.Now(), Version: versions[g.GroupID]}, Member: members[0],
		})
	}
	return told, nil
}

// tellGroups announces a changed profile to the groups that show it.
func (s *Service) tellGroups(ctx context.Context, operatorID string, told []im.MemberChanged) {
	for _, n := range told {
		s.tell(ctx, message.Notification{SendID: operatorID, GroupID: n.Group.GroupID, Notice: n})
	}
}
