package user

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/spread"
	"github.com/parley-im/parley/internal/store"
)

// A changed name or picture is counted in every list that shows it, and its
// owner told: the friend lists with the user in them, and the groups in which he
// has no name or face of his own.

// groupsAtOnce is how many groups count a changed profile in one transaction:
// changes of their members wait for it.
const groupsAtOnce = 50

// changedBy is who changed a profile; a spread carries it.
type changedBy struct {
	OperatorID string
	Admin      bool
}

// beginSpread notes a changed profile as not counted anywhere yet, also if an
// earlier change is still being spread.
func beginSpread(tx *store.Tx, caller im.Caller, userID string) error {
	by := changedBy{OperatorID: caller.UserID, Admin: caller.Admin}
	if by.OperatorID == "" {
		by.OperatorID = userID
	}
	payload, err := json.Marshal(by)
	if err != nil {
		return err
	}
	for _, kind := range []store.SpreadKind{store.SpreadToFriends, store.SpreadToGroups} {
		if err := tx.BeginSpread(store.Spread{Kind: kind, Subject: userID, Payload: payload}); err != nil {
			return err
		}
	}
	return nil
}

func operatorOf(sp store.Spread) (by changedBy, err error) {
	by.OperatorID = sp.Subject
	if len(sp.Payload) > 0 { // nothing in those of earlier versions
		err = json.Unmarshal(sp.Payload, &by)
	}
	return by, err
}

// toFriends counts a changed profile in some more friend lists.
func (s *Service) toFriends(tx *store.Tx, sp store.Spread) (spread.Result, error) {
	by, err := operatorOf(sp)
	if err != nil {
		return spread.Result{}, fmt.Errorf("profile of %s: %w", sp.Subject, err)
	}
	friends, err := tx.SpreadToFriendLists(sp.Subject, sp.Cursor, spread.Chunk)
	if err != nil || len(friends) == 0 {
		return spread.Result{Done: true}, err
	}
	return spread.Result{
		Next: friends[len(friends)-1], Done: len(friends) < spread.Chunk,
		Tell: func(ctx context.Context) {
			for _, id := range friends {
				s.tell(ctx, message.Notification{SendID: by.OperatorID, RecvID: id, Notice: im.FriendProfileChanged{UserID: sp.Subject}})
			}
		},
	}, nil
}

// toGroups counts a changed profile in some more groups.
func (s *Service) toGroups(tx *store.Tx, sp store.Spread) (spread.Result, error) {
	by, err := operatorOf(sp)
	if err != nil {
		return spread.Result{}, fmt.Errorf("profile of %s: %w", sp.Subject, err)
	}
	changes, err := tx.SpreadToMemberships(sp.Subject, sp.Cursor, groupsAtOnce)
	if err != nil || len(changes) == 0 {
		return spread.Result{Done: true}, err
	}
	operator, _, err := tx.User(by.OperatorID)
	if err != nil {
		return spread.Result{}, err
	}
	at := s.store.Now()
	return spread.Result{
		Next: changes[len(changes)-1].Group.GroupID, Done: len(changes) < groupsAtOnce,
		Tell: func(ctx context.Context) {
			for _, c := range changes {
				if c.Group.Status == im.GroupDismissed {
					continue
				}
				as := c.Member // he changed it himself
				if by.OperatorID != sp.Subject {
					as = im.Member{GroupID: c.Group.GroupID, UserID: operator.UserID, Nickname: operator.Nickname, FaceURL: operator.FaceURL}
					if by.Admin {
						as.Role, as.AppLevel = im.RoleAdmin, im.LevelAdmin
					}
				}
				s.tell(ctx, message.Notification{SendID: by.OperatorID, GroupID: c.Group.GroupID, Notice: im.MemberChanged{
					GroupAct: im.GroupAct{Group: c.Group, Operator: as, At: at, Version: c.Version}, Member: c.Member,
				}})
			}
		},
	}, nil
}

func (s *Service) tell(ctx context.Context, n message.Notification) {
	if err := s.messages.Notify(ctx, n); err != nil {
		s.log.WarnContext(ctx, "profile change was not announced", "user", n.RecvID, "group", n.GroupID, "error", err)
	}
}
