package group

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/spread"
	"github.com/parley-im/parley/internal/store"
)

// founders are the members of a new group there was no room for in its first
// transaction. The cursor counts those who have come.
type founders struct {
	Caller  im.Caller
	Row     im.Conversation // how their rows of the chat begin
	Members []im.Member
}

func beginFounding(tx *store.Tx, f founders) error {
	if len(f.Members) == 0 {
		return nil
	}
	payload, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return tx.BeginSpread(store.Spread{Kind: store.SpreadFounding, Subject: f.Row.GroupID, Payload: payload})
}

// foundMore lets some more founders in. They see everything, the line that says
// the group was made included, and are told of as people who are invited.
func (s *Service) foundMore(tx *store.Tx, sp store.Spread) (r spread.Result, err error) {
	var f founders
	if err := json.Unmarshal(sp.Payload, &f); err != nil {
		return r, fmt.Errorf("founders of %s: %w", sp.Subject, err)
	}
	from := 0
	if sp.Cursor != "" {
		if from, err = strconv.Atoi(sp.Cursor); err != nil {
			return r, fmt.Errorf("founders of %s: %w", sp.Subject, err)
		}
	}
	some := f.Members[from:min(len(f.Members), from+membersAtOnce)]
	g, found, err := tx.LockGroup(sp.Subject)
	if err != nil || !found || g.Status == im.GroupDismissed || len(some) == 0 {
		return spread.Result{Done: true}, err
	}
	v, err := tx.AddMembers(sp.Subject, some)
	if err != nil {
		return r, err
	}
	ids := idsOf(some)
	if _, err := tx.SetChats(f.Row, ids, nil, nil); err != nil {
		return r, err
	}
	a := &act{tx: tx, group: g, at: s.store.Now()}
	if a.operator, err = operator(tx, f.Caller, sp.Subject); err != nil {
		return r, err
	}
	done, err := a.done(v, 0)
	if err != nil {
		return r, err
	}
	members, err := tx.Members(sp.Subject, ids)
	if err != nil {
		return r, err
	}
	return spread.Result{
		Next: strconv.Itoa(from + len(some)), Done: from+len(some) == len(f.Members),
		Tell: func(ctx context.Context) {
			quiet := false
			s.announce(im.WithCaller(ctx, f.Caller), sp.Subject, message.Notification{
				Chat: &quiet, Notice: im.MembersInvited{GroupAct: done, Members: members, Inviter: a.operator},
			})
		},
	}, nil
}

// ending is what the members of a dismissed group are told.
type ending struct {
	Caller   im.Caller
	Group    im.Group
	Operator im.Member
}

// dismissMore takes some more members out of a dismissed group and tells them.
func (s *Service) dismissMore(tx *store.Tx, sp store.Spread) (r spread.Result, err error) {
	var e ending
	if err := json.Unmarshal(sp.Payload, &e); err != nil {
		return r, fmt.Errorf("end of %s: %w", sp.Subject, err)
	}
	ids, err := tx.MemberIDPage(sp.Subject, sp.Cursor, forever, spread.Chunk)
	if err != nil || len(ids) == 0 {
		return spread.Result{Done: true}, err
	}
	if _, err := tx.RemoveMembers(sp.Subject, ids); err != nil {
		return r, err
	}
	return spread.Result{
		Next: ids[len(ids)-1], Done: len(ids) < spread.Chunk,
		Tell: func(ctx context.Context) {
			quiet := false
			s.announce(im.WithCaller(ctx, e.Caller), sp.Subject, message.Notification{
				Chat: &quiet, NoteTo: im.AudienceOf(ids...), Notice: im.GroupEnded{GroupAct: im.GroupAct{Group: e.Group, Operator: e.Operator}},
			})
		},
	}, nil
}

// forever is later than anybody joins.
const forever im.Millis = 1 << 62

// announce tells of a change that is in the store already: a failure is only
// logged.
func (s *Service) announce(ctx context.Context, groupID string, n message.Notification) {
	if err := s.tell(ctx, groupID, n); err != nil {
		s.log.WarnContext(ctx, "change in a group was not announced", "group", groupID, "error", err)
	}
}
