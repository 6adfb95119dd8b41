package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/openimsdk/protocol/constant"
	"github.com/openimsdk/protocol/conversation"
	"github.com/openimsdk/protocol/group"
	"github.com/openimsdk/protocol/sdkws"
	"github.com/openimsdk/protocol/user"
	"github.com/openimsdk/protocol/wrapperspb"
)

// Work groups leads groups of several sizes through their lives: built by
// invitations, written to, joined and left, synchronised, and ended. What a step
// costs should not depend on the size, unless it concerns every member. Others,
// who have nothing to do with the group, write to each other all the while: they
// must not notice.

const (
	inviteAtOnce  = 1000 // members in one invitation
	othersUsers   = 20
	othersRate    = 100 // messages per second
	groupMessages = 200
	comings       = 20 // joins, and as many leaves
	memberPage    = 500
	othersWarmUp  = 2 * time.Second
	spreadPoll    = 10 * time.Millisecond
	spreadLimit   = 5 * time.Minute
)

// Phase is one step in the life of a group.
type Phase struct {
	Name string `json:"name"`
	// Millis is what one call took; of several the percentiles.
	Millis *Percentiles `json:"ms"`
	// Complete is when what concerns every member had reached the last of them.
	Complete float64 `json:"completeMs,omitempty"`
	// Others is what people outside the group waited for their acknowledgements
	// meanwhile.
	Others *Percentiles `json:"othersToAckMs,omitempty"`
}

// life is one group's run.
type life struct {
	o       *Options
	api     *rest
	size    int
	userIDs []string // members to be, in the order of their ids; two more come and go
	groupID string
	load    *load                     // the others
	others  atomic.Pointer[histogram] // of the phase
	phases  []Phase
}

func runGroups(ctx context.Context, o *Options, emit func(Result) error) error {
	for _, size := range o.Sizes {
		r, err := runLife(ctx, o, size)
		if err != nil {
			return fmt.Errorf("%d members: %w", size, err)
		}
		if err := emit(r); err != nil {
			return err
		}
	}
	return nil
}

func runLife(ctx context.Context, o *Options, size int) (Result, error) {
	run := "b" + strconv.FormatInt(time.Now().UnixMilli(), 36)
	api, err := newREST(ctx, o, run)
	if err != nil {
		return Result{}, err
	}
	defer api.close()
	g := &life{o: o, api: api, size: size}
	for i := range size + 1 {
		g.userIDs = append(g.userIDs, fmt.Sprintf("%sm%06d", run, i))
	}
	if err := api.enrol(ctx, g.userIDs); err != nil {
		return Result{}, err
	}
	outside := *o
	outside.Work, outside.Users, outside.Rate, outside.Count = Open, othersUsers, othersRate, 0
	who, err := register(ctx, &outside)
	if err != nil {
		return Result{}, err
	}
	g.load = &load{o: &outside, begin: time.Now(), receivers: 1, exhausted: make(chan struct{})}
	g.others.Store(new(histogram))
	g.load.onAck = func(_ *client, id messageID) { g.others.Load().add(g.load.now() - id.due) }
	result, err := g.load.connected(ctx, who, func() (Result, error) {
		if err := g.load.equip(who); err != nil {
			return Result{}, err
		}
		sending, stop := context.WithCancel(ctx)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			g.load.pace(sending)
		}()
		err := g.live(ctx)
		stop()
		<-ended
		g.load.stopped.Store(true)
		g.load.drain(ctx)
		return Result{Work: Groups, Users: size, Phases: g.phases}, err
	})
	if err != nil {
		return Result{}, err
	}
	result.Violations = g.load.evaluate()
	return result, nil
}

// phase measures one step; do calls once for each call it makes.
func (g *life) phase(name string, do func(once func(func() error) error) (complete time.Duration, err error)) error {
	h, others := new(histogram), new(histogram)
	g.others.Store(others)
	complete, err := do(func(call func() error) error {
		begin := time.Now()
		err := call()
		h.add(time.Since(begin))
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	g.phases = append(g.phases, Phase{Name: name, Millis: h.percentiles(), Complete: millis(complete), Others: others.percentiles()})
	return nil
}

// live is the life of the group.
func (g *life) live(ctx context.Context) error {
	if err := sleep(ctx, othersWarmUp); err != nil {
		return err
	}
	members, newcomer := g.userIDs[:g.size], g.userIDs[g.size]
	steps := []struct {
		name string
		do   func(once func(func() error) error) (time.Duration, error)
	}{
		{"alone", func(once func(func() error) error) (time.Duration, error) { // for comparison
			return 0, once(func() error { return sleep(ctx, othersWarmUp) })
		}},
		{"build", func(once func(func() error) error) (time.Duration, error) { return g.build(ctx, members, once) }},
		{"message", func(once func(func() error) error) (time.Duration, error) {
			return 0, g.messages(ctx, once, constant.Text)
		}},
		{"join and leave", func(once func(func() error) error) (time.Duration, error) {
			for range comings {
				if err := once(func() error {
					return g.api.post(ctx, "/group/join_group", &group.JoinGroupReq{GroupID: g.groupID, JoinSource: constant.JoinBySearch, InviterUserID: newcomer}, nil)
				}); err != nil {
					return 0, err
				}
				if err := once(func() error {
					return g.api.post(ctx, "/group/quit_group", &group.QuitGroupReq{GroupID: g.groupID, UserID: newcomer}, nil)
				}); err != nil {
					return 0, err
				}
			}
			return 0, nil
		}},
		{"sync of a change", func(once func(func() error) error) (time.Duration, error) { return 0, g.syncChange(ctx, once) }},
		{"sync of all ids", func(once func(func() error) error) (time.Duration, error) {
			return 0, once(func() error {
				return g.api.post(ctx, "/group/get_full_group_member_user_ids", &group.GetFullGroupMemberUserIDsReq{GroupID: g.groupID}, nil)
			})
		}},
		{"page of members", func(once func(func() error) error) (time.Duration, error) { return 0, g.pages(ctx, once) }},
		{"mention of all", func(once func(func() error) error) (time.Duration, error) {
			return g.until(ctx, func() error { return g.messages(ctx, once, constant.AtText) }, func() (bool, error) { return g.marked(ctx, 2) })
		}},
		{"announcement", func(once func(func() error) error) (time.Duration, error) {
			return g.until(ctx, func() error {
				return once(func() error {
					return g.api.post(ctx, "/group/set_group_info_ex", &group.SetGroupInfoExReq{GroupID: g.groupID, Notification: wrapperspb.String("read this")}, nil)
				})
			}, func() (bool, error) { return g.marked(ctx, 4) })
		}},
		{"end", func(once func(func() error) error) (time.Duration, error) {
			return g.until(ctx, func() error {
				return once(func() error {
					return g.api.post(ctx, "/group/dismiss_group", &group.DismissGroupReq{GroupID: g.groupID}, nil)
				})
			}, func() (bool, error) { return g.empty(ctx) })
		}},
	}
	for _, s := range steps {
		if err := g.phase(s.name, s.do); err != nil {
			return err
		}
	}
	return nil
}

// build makes the group by invitations.
func (g *life) build(ctx context.Context, members []string, once func(func() error) error) (time.Duration, error) {
	begin := time.Now()
	var answer group.CreateGroupResp
	if err := g.api.post(ctx, "/group/create_group", &group.CreateGroupReq{
		OwnerUserID: members[0], GroupInfo: &sdkws.GroupInfo{GroupName: "bench", GroupType: constant.WorkingGroup, NeedVerification: constant.Directly},
	}, &answer); err != nil {
		return 0, err
	}
	if answer.GroupInfo == nil {
		return 0, errors.New("create_group: no group in the answer")
	}
	g.groupID = answer.GroupInfo.GroupID
	for rest := members[1:]; len(rest) > 0; {
		n := min(len(rest), inviteAtOnce)
		if err := once(func() error {
			return g.api.post(ctx, "/group/invite_user_to_group", &group.InviteUserToGroupReq{GroupID: g.groupID, InvitedUserIDs: rest[:n]}, nil)
		}); err != nil {
			return 0, err
		}
		rest = rest[n:]
	}
	return time.Since(begin), nil
}

// messages lets a member write, while some are connected; the last in the order
// of ids among them. A mention is one message.
func (g *life) messages(ctx context.Context, once func(func() error) error, contentType int32) error {
	inside := *g.o
	inside.Work, inside.Users = Group, min(g.size, g.o.Users)
	who := &accounts{userIDs: g.userIDs[g.size-inside.Users : g.size], groupID: g.groupID}
	var err error
	if who.tokens, err = g.api.logIn(ctx, who.userIDs); err != nil {
		return err
	}
	l := &load{o: &inside, begin: time.Now(), receivers: int32(inside.Users) - 1, exhausted: make(chan struct{})}
	if _, err := l.connected(ctx, who, func() (Result, error) {
		sender, count := l.clients[0], groupMessages
		m := &sdkws.MsgData{
			SendID: sender.userID, GroupID: g.groupID, SessionType: constant.ReadGroupChatType, SenderPlatformID: platformAndroid,
			MsgFrom: constant.UserMsgType, ContentType: contentType, Content: randomText(rand.New(rand.NewPCG(g.o.Seed, 0)), g.o.Size), //nolint:gosec // no secret
			Status: constant.MsgStatusSending, AttachedInfo: "{}", OfflinePushInfo: &sdkws.OfflinePushInfo{},
		}
		if contentType == constant.AtText {
			m.AtUserIDList, count = []string{constant.AtAllString}, 1
		}
		if sender.frame, err = newSendFrame(who.tokens[0], m); err != nil {
			return Result{}, err
		}
		l.senders = []*client{sender}
		for n := range int64(count) {
			if err := once(func() error {
				sender.send(l.now())
				return l.await(ctx, &l.answered, n+1)
			}); err != nil {
				return Result{}, err
			}
			if err := l.await(ctx, &l.delivered, (n+1)*int64(l.receivers)); err != nil {
				return Result{}, err
			}
		}
		return Result{}, nil
	}); err != nil {
		return err
	}
	if v := l.evaluate(); v.any() {
		return fmt.Errorf("%w: %s %s", ErrViolation, v, l.firstRefusal)
	}
	return nil
}

// await waits until a count is reached.
func (l *load) await(ctx context.Context, count *atomic.Int64, want int64) error {
	ctx, cancel := context.WithTimeout(ctx, l.o.Drain)
	defer cancel()
	for count.Load() < want {
		if err := sleep(ctx, 100*time.Microsecond); err != nil {
			return fmt.Errorf("%d of %d: %w", count.Load(), want, err)
		}
	}
	return nil
}

// syncChange asks for what a client missed that was away for one change.
func (g *life) syncChange(ctx context.Context, once func(func() error) error) error {
	var before group.GetIncrementalGroupMemberResp
	if err := g.api.post(ctx, "/group/get_incremental_group_members", &group.GetIncrementalGroupMemberReq{GroupID: g.groupID}, &before); err != nil {
		return err
	}
	if err := g.api.post(ctx, "/group/set_group_member_info", &group.SetGroupMemberInfoReq{
		Members: []*group.SetGroupMemberInfo{{GroupID: g.groupID, UserID: g.userIDs[1], Nickname: wrapperspb.String("other")}},
	}, nil); err != nil {
		return err
	}
	for range comings {
		var after group.GetIncrementalGroupMemberResp
		if err := once(func() error {
			return g.api.post(ctx, "/group/get_incremental_group_members", &group.GetIncrementalGroupMemberReq{
				GroupID: g.groupID, VersionID: before.VersionID, Version: before.Version,
			}, &after)
		}); err != nil {
			return err
		}
		if len(after.Update) != 1 {
			return fmt.Errorf("%d members changed, not one", len(after.Update))
		}
	}
	return nil
}

// pages reads the whole list of members.
func (g *life) pages(ctx context.Context, once func(func() error) error) error {
	seen := 0
	for page := int32(1); seen < g.size; page++ {
		var answer group.GetGroupMemberListResp
		if err := once(func() error {
			return g.api.post(ctx, "/group/get_group_member_list", &group.GetGroupMemberListReq{
				GroupID: g.groupID, Pagination: &sdkws.RequestPagination{PageNumber: page, ShowNumber: memberPage},
			}, &answer)
		}); err != nil {
			return err
		}
		if len(answer.Members) == 0 {
			return fmt.Errorf("%d of %d members are listed", seen, g.size)
		}
		seen += len(answer.Members)
	}
	return nil
}

// until makes a change that concerns every member and waits until it has reached
// the last.
func (g *life) until(ctx context.Context, change func() error, reached func() (bool, error)) (time.Duration, error) {
	begin := time.Now()
	if err := change(); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, spreadLimit)
	defer cancel()
	for {
		switch ok, err := reached(); {
		case err != nil:
			return 0, err
		case ok:
			return time.Since(begin), nil
		}
		if err := sleep(ctx, spreadPoll); err != nil {
			return 0, err
		}
	}
}

// marked reports whether the last member's list shows a mark.
func (g *life) marked(ctx context.Context, mark int32) (bool, error) {
	var answer conversation.GetConversationResp
	err := g.api.post(ctx, "/conversation/get_conversation", &conversation.GetConversationReq{
		ConversationID: "sg_" + g.groupID, OwnerUserID: g.userIDs[g.size-1],
	}, &answer)
	return answer.Conversation.GetGroupAtType() == mark, err
}

func (g *life) empty(ctx context.Context) (bool, error) {
	var answer group.GetGroupsInfoResp
	if err := g.api.post(ctx, "/group/get_groups_info", &group.GetGroupsInfoReq{GroupIDs: []string{g.groupID}}, &answer); err != nil {
		return false, err
	}
	return len(answer.GroupInfos) == 1 && answer.GroupInfos[0].MemberCount == 0, nil
}

// enrol makes users who need not log in.
func (r *rest) enrol(ctx context.Context, userIDs []string) error {
	for begin := 0; begin < len(userIDs); begin += registerAtOnce {
		var users []*sdkws.UserInfo
		for _, userID := range userIDs[begin:min(begin+registerAtOnce, len(userIDs))] {
			users = append(users, &sdkws.UserInfo{UserID: userID, Nickname: userID})
		}
		if err := r.post(ctx, "/user/user_register", &user.UserRegisterReq{Users: users}, nil); err != nil {
			return err
		}
	}
	return nil
}
