package native

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/openimsdk/openim-sdk-core/v3/pkg/constant"
	"github.com/openimsdk/openim-sdk-core/v3/pkg/db/model_struct"
	"github.com/openimsdk/openim-sdk-core/v3/pkg/sdk_params_callback"
	"github.com/openimsdk/protocol/group"
	"github.com/openimsdk/protocol/sdkws"
	"github.com/openimsdk/protocol/wrapperspb"
	"github.com/parley-im/parley/test/harness"
)

// Values of OpenIM's that the client core has no names for.
const (
	asked     = 0 // needVerification: who applies is asked for
	directly  = 2 // needVerification: who applies joins
	bySearch  = 3 // joinSource
	announced = 4 // groupAtType
)

func (j *journal) OnJoinedGroupAdded(g string)         { j.add("OnJoinedGroupAdded", g) }
func (j *journal) OnJoinedGroupDeleted(g string)       { j.add("OnJoinedGroupDeleted", g) }
func (j *journal) OnGroupMemberAdded(m string)         { j.add("OnGroupMemberAdded", m) }
func (j *journal) OnGroupMemberDeleted(m string)       { j.add("OnGroupMemberDeleted", m) }
func (j *journal) OnGroupApplicationAdded(a string)    { j.add("OnGroupApplicationAdded", a) }
func (j *journal) OnGroupApplicationDeleted(a string)  { j.add("OnGroupApplicationDeleted", a) }
func (j *journal) OnGroupInfoChanged(g string)         { j.add("OnGroupInfoChanged", g) }
func (j *journal) OnGroupDismissed(g string)           { j.add("OnGroupDismissed", g) }
func (j *journal) OnGroupMemberInfoChanged(m string)   { j.add("OnGroupMemberInfoChanged", m) }
func (j *journal) OnGroupApplicationAccepted(a string) { j.add("OnGroupApplicationAccepted", a) }
func (j *journal) OnGroupApplicationRejected(a string) { j.add("OnGroupApplicationRejected", a) }

// about is satisfied by an event of that name whose data names all of these.
func about(name string, parts ...string) func([]event) bool {
	return func(events []event) bool {
		return slices.ContainsFunc(events, func(e event) bool {
			return e.name == name && !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(e.data, part) })
		})
	}
}

// callback waits for an event about all of these.
func (d *device) callback(name string, parts ...string) {
	d.t.Helper()
	d.await(fmt.Sprint(name, " about ", parts), about(name, parts...))
}

// club is a group of two members, with a third one who is offline and an
// outsider: a owns it, b and the absent one are members, c is none.
type club struct {
	t             *testing.T
	a, b, c, away *device
	groupID, chat string
}

func newClub(t *testing.T, needVerification int32) *club {
	t.Helper()
	a, b, _ := pair(t, shared)
	rest := users(t, shared, "carol", "dave")
	k := &club{t: t, a: a, b: b, c: install(t, shared, rest[0], ios).login(), away: install(t, shared, rest[1], ios).login()}
	info, err := a.mgr.Group().CreateGroup(a.call(), &group.CreateGroupReq{
		MemberUserIDs: []string{b.userID, k.away.userID},
		GroupInfo:     &sdkws.GroupInfo{GroupName: "the club", GroupType: constant.WorkingGroup, NeedVerification: needVerification},
	})
	if err != nil {
		t.Fatalf("create group: %v", err)
	}
	k.groupID, k.chat = info.GroupID, "sg_"+info.GroupID
	for _, d := range []*device{a, b, k.away} {
		d.callback("OnJoinedGroupAdded", k.groupID)
	}
	k.settle([]*device{a, b, k.away}, k.is(3, nil))
	k.away.logout()
	return k
}

// state is what a member sees of the group.
type state struct {
	group   *model_struct.LocalGroup
	members map[string]*model_struct.LocalGroupMember
}

func (d *device) groupState(groupID string) (s state, err error) {
	groups, err := d.mgr.Group().GetJoinedGroupList(d.call())
	if err != nil {
		return s, err
	}
	i := slices.IndexFunc(groups, func(g *model_struct.LocalGroup) bool { return g.GroupID == groupID })
	if i < 0 {
		return s, fmt.Errorf("no group %s among %d", groupID, len(groups))
	}
	members, err := d.mgr.Group().GetGroupMemberList(d.call(), groupID, constant.GroupFilterAll, 0, 100)
	if err != nil {
		return s, err
	}
	s = state{groups[i], make(map[string]*model_struct.LocalGroupMember)}
	for _, m := range members {
		s.members[m.UserID] = m
	}
	return s, nil
}

// is a check of how many members there are, and more.
func (k *club) is(members int, more func(state) error) func(state) error {
	return func(s state) error {
		if len(s.members) != members || int(s.group.MemberCount) != members {
			return fmt.Errorf("%d members, counted as %d, want %d", len(s.members), s.group.MemberCount, members)
		}
		if more == nil {
			return nil
		}
		return more(s)
	}
}

// settle waits until the devices see the group so.
func (k *club) settle(devices []*device, check func(state) error) {
	k.t.Helper()
	for _, d := range devices {
		d.eventually("the group", func() error {
			s, err := d.groupState(k.groupID)
			if err != nil {
				return err
			}
			return check(s)
		})
	}
}

// settleAll does so for the members who are online, the one who comes back, and
// a new installation of it.
func (k *club) settleAll(online []*device, check func(state) error) {
	k.t.Helper()
	k.settle(online, check)
	k.away.login()
	fresh := install(k.t, shared, k.away.userID, android).login()
	k.settle([]*device{k.away, fresh}, check)
}

// gone waits until the devices have the group no longer.
func (k *club) gone(devices ...*device) {
	k.t.Helper()
	for _, d := range devices {
		d.eventually("the group's absence", func() error {
			joined, err := d.mgr.Group().IsJoinGroup(d.call(), k.groupID)
			if err == nil && joined {
				err = fmt.Errorf("it is there")
			}
			return err
		})
	}
}

func (k *club) must(err error) {
	k.t.Helper()
	if err != nil {
		k.t.Fatal(err)
	}
}

func TestInviteUserToGroup(t *testing.T) {
	k := newClub(t, 0)
	k.must(k.b.mgr.Group().InviteUserToGroup(k.b.call(), k.groupID, "come", []string{k.c.userID}))
	k.c.callback("OnJoinedGroupAdded", k.groupID)
	k.a.callback("OnGroupMemberAdded", k.c.userID)
	k.b.callback("OnGroupMemberAdded", k.c.userID)
	k.settleAll([]*device{k.a, k.b, k.c}, k.is(4, func(s state) error {
		if m := s.members[k.c.userID]; m == nil || m.InviterUserID != k.b.userID || m.RoleLevel != constant.GroupOrdinaryUsers {
			return fmt.Errorf("the new one is %+v", m)
		}
		return nil
	}))
	k.c.received(k.a.text(groupTarget(k.groupID), "welcome"))
}

func TestKickGroupMember(t *testing.T) {
	k := newClub(t, 0)
	k.b.received(k.a.text(groupTarget(k.groupID), "before"))
	k.must(k.a.mgr.Group().KickGroupMember(k.a.call(), k.groupID, "out", []string{k.b.userID}))
	k.b.callback("OnJoinedGroupDeleted", k.groupID)
	k.a.callback("OnGroupMemberDeleted", k.b.userID)
	k.gone(k.b)
	k.settleAll([]*device{k.a}, k.is(2, nil))
	if _, err := k.b.trySend(groupTarget(k.groupID), k.b.newText("still here?"), false); err == nil {
		t.Error("who was kicked can write")
	}
	after := k.a.text(groupTarget(k.groupID), "after")
	k.away.received(after)
	for _, m := range k.b.pull(k.chat, 1, 100) {
		if m.ClientMsgID == after.ClientMsgID {
			t.Error("who was kicked reads on")
		}
	}
	k.must(k.a.mgr.Group().InviteUserToGroup(k.a.call(), k.groupID, "", []string{k.b.userID}))
	k.b.await("joining twice", times("OnJoinedGroupAdded", 2))
	k.settle([]*device{k.a, k.b, k.away}, k.is(3, nil))
	k.b.received(k.a.text(groupTarget(k.groupID), "again"))
}

func TestQuitGroup(t *testing.T) {
	k := newClub(t, 0)
	k.must(k.b.mgr.Group().QuitGroup(k.b.call(), k.groupID))
	k.b.callback("OnJoinedGroupDeleted", k.groupID)
	k.a.callback("OnGroupMemberDeleted", k.b.userID)
	k.gone(k.b)
	k.settleAll([]*device{k.a}, k.is(2, nil))
	if err := k.a.mgr.Group().QuitGroup(k.a.call(), k.groupID); err == nil {
		t.Error("the owner can quit")
	}
}

func TestDismissGroup(t *testing.T) {
	k := newClub(t, 0)
	k.must(k.a.mgr.Group().DismissGroup(k.a.call(), k.groupID))
	k.a.callback("OnGroupDismissed", k.groupID)
	k.b.callback("OnGroupDismissed", k.groupID)
	k.away.login()
	k.gone(k.a, k.b, k.away, install(t, shared, k.away.userID, android).login())
	if _, err := k.a.trySend(groupTarget(k.groupID), k.a.newText("anybody?"), false); err == nil {
		t.Error("a dismissed group takes messages")
	}
}

func TestJoinGroup(t *testing.T) {
	t.Run("without asking", func(t *testing.T) {
		k := newClub(t, directly)
		k.must(k.c.mgr.Group().JoinGroup(k.c.call(), k.groupID, "me", bySearch, ""))
		k.c.callback("OnJoinedGroupAdded", k.groupID)
		k.a.callback("OnGroupMemberAdded", k.c.userID)
		k.settleAll([]*device{k.a, k.b, k.c}, k.is(4, nil))
	})
	t.Run("AcceptGroupApplication", func(t *testing.T) {
		k := newClub(t, asked)
		k.apply()
		k.must(k.a.mgr.Group().AcceptGroupApplication(k.a.call(), k.groupID, k.c.userID, "welcome"))
		k.c.callback("OnGroupApplicationAccepted", k.groupID)
		k.c.callback("OnJoinedGroupAdded", k.groupID)
		k.answered(constant.GroupResponseAgree, "welcome")
		k.settleAll([]*device{k.a, k.b, k.c}, k.is(4, nil))
	})
	t.Run("RefuseGroupApplication", func(t *testing.T) {
		k := newClub(t, asked)
		k.apply()
		k.must(k.a.mgr.Group().RefuseGroupApplication(k.a.call(), k.groupID, k.c.userID, "no"))
		k.c.callback("OnGroupApplicationRejected", k.groupID)
		k.answered(constant.GroupResponseRefuse, "no")
		k.settleAll([]*device{k.a, k.b}, k.is(3, nil))
	})
}

// ask lets c ask to join. The client core fetches its requests after the call
// and when it is notified, and now and then stores the same one twice.
func (k *club) ask() {
	k.t.Helper()
	err := k.c.mgr.Group().JoinGroup(k.c.call(), k.groupID, "let me in", bySearch, "")
	if err != nil && !strings.Contains(err.Error(), "UNIQUE constraint failed: local_group_requests") {
		k.t.Fatal(err)
	}
}

// apply lets c ask to join; both sides have the request in their lists.
func (k *club) apply() {
	k.t.Helper()
	k.ask()
	k.a.callback("OnGroupApplicationAdded", k.groupID, k.c.userID)
	k.answered(0, "")
}

// answered waits until both sides have the request with this result.
func (k *club) answered(result int32, message string) {
	k.t.Helper()
	check := func(r *model_struct.LocalGroupRequest) error {
		if r.UserID != k.c.userID || r.GroupID != k.groupID || r.HandleResult != result || r.HandledMsg != message || r.ReqMsg != "let me in" {
			return fmt.Errorf("the request is %+v", r)
		}
		return nil
	}
	k.c.eventually("its request", func() error {
		list, err := k.c.mgr.Group().GetGroupApplicationListAsApplicant(k.c.call())
		if err != nil || len(list) != 1 {
			return fmt.Errorf("%d requests, %w", len(list), err)
		}
		return check(list[0])
	})
	k.a.eventually("the request", func() error {
		list, err := k.a.mgr.Group().GetGroupApplicationListAsRecipient(k.a.call())
		if err != nil || len(list) != 1 {
			return fmt.Errorf("%d requests, %w", len(list), err)
		}
		return check(&list[0].LocalGroupRequest)
	})
}

func TestChangeGroupMute(t *testing.T) {
	k := newClub(t, 0)
	k.must(k.a.mgr.Group().ChangeGroupMute(k.a.call(), k.groupID, true))
	k.b.callback("OnGroupInfoChanged", k.groupID)
	muted := k.is(3, func(s state) error {
		if s.group.Status != constant.GroupStatusMuted {
			return fmt.Errorf("status %d", s.group.Status)
		}
		return nil
	})
	k.settleAll([]*device{k.a, k.b}, muted)
	if _, err := k.b.trySend(groupTarget(k.groupID), k.b.newText("mm"), false); err == nil {
		t.Error("a member writes to a muted group")
	}
	k.must(k.a.mgr.Group().ChangeGroupMute(k.a.call(), k.groupID, false))
	k.settle([]*device{k.a, k.b, k.away}, k.is(3, func(s state) error {
		if s.group.Status != constant.GroupOk {
			return fmt.Errorf("status %d", s.group.Status)
		}
		return nil
	}))
	k.a.received(k.b.text(groupTarget(k.groupID), "phew"))
}

func TestChangeGroupMemberMute(t *testing.T) {
	k := newClub(t, 0)
	until := func(muted bool) func(state) error {
		return k.is(3, func(s state) error {
			if end := s.members[k.b.userID].MuteEndTime; (end > 0) != muted {
				return fmt.Errorf("muted until %d", end)
			}
			return nil
		})
	}
	k.must(k.a.mgr.Group().ChangeGroupMemberMute(k.a.call(), k.groupID, k.b.userID, 600))
	k.b.callback("OnGroupMemberInfoChanged", k.b.userID)
	k.settleAll([]*device{k.a, k.b}, until(true))
	if _, err := k.b.trySend(groupTarget(k.groupID), k.b.newText("mm"), false); err == nil {
		t.Error("a muted member writes")
	}
	k.must(k.a.mgr.Group().ChangeGroupMemberMute(k.a.call(), k.groupID, k.b.userID, 0))
	k.settle([]*device{k.a, k.b, k.away}, until(false))
	k.a.received(k.b.text(groupTarget(k.groupID), "phew"))
}

func TestTransferGroupOwner(t *testing.T) {
	k := newClub(t, 0)
	k.must(k.a.mgr.Group().TransferGroupOwner(k.a.call(), k.groupID, k.b.userID))
	k.b.callback("OnGroupMemberInfoChanged", k.b.userID)
	k.settleAll([]*device{k.a, k.b}, k.is(3, func(s state) error {
		if s.group.OwnerUserID != k.b.userID || s.members[k.b.userID].RoleLevel != constant.GroupOwner || s.members[k.a.userID].RoleLevel != constant.GroupOrdinaryUsers {
			return fmt.Errorf("the owner is %s, roles %d and %d", s.group.OwnerUserID, s.members[k.a.userID].RoleLevel, s.members[k.b.userID].RoleLevel)
		}
		return nil
	}))
	for _, d := range []*device{k.a, k.b, k.away} {
		d.eventually("the order of members", func() error {
			list, err := d.mgr.Group().GetGroupMemberList(d.call(), k.groupID, constant.GroupFilterAll, 0, 10)
			if err == nil && (len(list) == 0 || list[0].UserID != k.b.userID) {
				err = fmt.Errorf("the owner is not first")
			}
			return err
		})
	}
}

func TestSetGroupInfo(t *testing.T) {
	k := newClub(t, 0)
	k.must(k.a.mgr.Group().SetGroupInfo(k.a.call(), &group.SetGroupInfoExReq{
		GroupID: k.groupID, GroupName: wrapperspb.String("a name"), Notification: wrapperspb.String("read this"),
		Introduction: wrapperspb.String("who we are"), FaceURL: wrapperspb.String("http://face/club.png"), Ex: wrapperspb.String("ex"),
		NeedVerification: wrapperspb.Int32(2), LookMemberInfo: wrapperspb.Int32(1), ApplyMemberFriend: wrapperspb.Int32(1),
	}))
	k.b.callback("OnGroupInfoChanged", "a name")
	k.settleAll([]*device{k.a, k.b}, k.is(3, func(s state) error {
		g := s.group
		if g.GroupName != "a name" || g.Notification != "read this" || g.Introduction != "who we are" || g.FaceURL != "http://face/club.png" ||
			g.Ex != "ex" || g.NeedVerification != 2 || g.LookMemberInfo != 1 || g.ApplyMemberFriend != 1 || g.NotificationUserID != k.a.userID {
			return fmt.Errorf("it is %+v", g)
		}
		return nil
	}))
	for _, d := range []*device{k.b, k.away} {
		d.eventually("the mark of an announcement", func() error {
			c, err := d.conversation(k.chat)
			if err == nil && c.GroupAtType != announced {
				err = fmt.Errorf("is %d", c.GroupAtType)
			}
			return err
		})
	}
}

func TestSetGroupMemberInfo(t *testing.T) {
	k := newClub(t, 0)
	k.must(k.a.mgr.Group().SetGroupMemberInfo(k.a.call(), &group.SetGroupMemberInfo{
		GroupID: k.groupID, UserID: k.b.userID, Nickname: wrapperspb.String("Bobby"), FaceURL: wrapperspb.String("http://face/bobby.png"),
		Ex: wrapperspb.String("ex"), RoleLevel: wrapperspb.Int32(constant.GroupAdmin),
	}))
	k.b.callback("OnGroupMemberInfoChanged", "Bobby")
	k.settleAll([]*device{k.a, k.b}, k.is(3, func(s state) error {
		if m := s.members[k.b.userID]; m.Nickname != "Bobby" || m.FaceURL != "http://face/bobby.png" || m.Ex != "ex" || m.RoleLevel != constant.GroupAdmin {
			return fmt.Errorf("he is %+v", m)
		}
		return nil
	}))
	found, err := k.b.mgr.Group().GetGroupMemberOwnerAndAdmin(k.b.call(), k.groupID)
	if err != nil || len(found) != 2 {
		t.Errorf("%d manage the group, %v", len(found), err)
	}
	// As an administrator he may answer, and lays his role down himself.
	k.ask()
	k.b.callback("OnGroupApplicationAdded", k.c.userID)
	k.must(k.b.mgr.Group().SetGroupMemberInfo(k.b.call(), &group.SetGroupMemberInfo{
		GroupID: k.groupID, UserID: k.b.userID, RoleLevel: wrapperspb.Int32(constant.GroupOrdinaryUsers),
	}))
	k.settle([]*device{k.a, k.b, k.away}, k.is(3, func(s state) error {
		if role := s.members[k.b.userID].RoleLevel; role != constant.GroupOrdinaryUsers {
			return fmt.Errorf("his role is %d", role)
		}
		return nil
	}))
}

// TestGroupQueries: lists and searches that ask the server, or what was
// synchronised from it.
func TestGroupQueries(t *testing.T) {
	k := newClub(t, 0)
	t.Run("GetSpecifiedGroupsInfo", func(t *testing.T) {
		// The second time the outsider's device asks again: it is in none.
		for _, d := range []*device{k.c.in(t), k.b.in(t)} {
			groups, err := d.mgr.Group().GetSpecifiedGroupsInfo(d.call(), []string{k.groupID})
			if err != nil || len(groups) != 1 || groups[0].GroupName != "the club" || groups[0].MemberCount != 3 || groups[0].OwnerUserID != k.a.userID {
				t.Errorf("%s sees %+v, %v", d.userID, groups, err)
			}
		}
	})
	t.Run("GetJoinedGroupList", func(t *testing.T) {
		for d, want := range map[*device]int{k.b.in(t): 1, k.c.in(t): 0} {
			list, err := d.mgr.Group().GetJoinedGroupList(d.call())
			if err != nil || len(list) != want || want == 1 && list[0].GroupID != k.groupID {
				t.Errorf("%s is in %+v, %v", d.userID, list, err)
			}
		}
	})
	t.Run("GetJoinedGroupListPage", func(t *testing.T) {
		b := k.b.in(t)
		page, err := b.mgr.Group().GetJoinedGroupListPage(b.call(), 0, 10)
		if err != nil || len(page) != 1 || page[0].GroupID != k.groupID {
			t.Errorf("a page of groups is %+v, %v", page, err)
		}
	})
	t.Run("SearchGroups", func(t *testing.T) {
		b := k.b.in(t)
		found, err := b.mgr.Group().SearchGroups(b.ctx(), sdk_params_callback.SearchGroupsParam{KeywordList: []string{"club"}, IsSearchGroupName: true})
		if err != nil || len(found) != 1 || found[0].GroupID != k.groupID {
			t.Errorf("found %+v, %v", found, err)
		}
	})
	t.Run("GetGroupMemberList", func(t *testing.T) {
		b := k.b.in(t)
		for filter, want := range map[int32]int{constant.GroupFilterAll: 3, constant.GroupFilterOwner: 1, constant.GroupFilterOrdinaryUsers: 2} {
			list, err := b.mgr.Group().GetGroupMemberList(b.call(), k.groupID, filter, 0, 10)
			if err != nil || len(list) != want {
				t.Errorf("filter %d: %d members, %v", filter, len(list), err)
			}
		}
	})
	t.Run("GetGroupMemberOwnerAndAdmin", func(t *testing.T) {
		b := k.b.in(t)
		list, err := b.mgr.Group().GetGroupMemberOwnerAndAdmin(b.call(), k.groupID)
		if err != nil || len(list) != 1 || list[0].UserID != k.a.userID {
			t.Errorf("it is managed by %+v, %v", list, err)
		}
	})
	t.Run("GetSpecifiedGroupMembersInfo", func(t *testing.T) {
		b := k.b.in(t)
		some, err := b.mgr.Group().GetSpecifiedGroupMembersInfo(b.call(), k.groupID, []string{k.a.userID, k.c.userID})
		if err != nil || len(some) != 1 || some[0].UserID != k.a.userID || some[0].Nickname != harness.Nickname(k.a.userID) {
			t.Errorf("some members are %+v, %v", some, err)
		}
	})
	t.Run("SearchGroupMembers", func(t *testing.T) {
		b := k.b.in(t)
		found, err := b.mgr.Group().SearchGroupMembers(b.ctx(), &sdk_params_callback.SearchGroupMembersParam{
			GroupID: k.groupID, KeywordList: []string{k.away.userID}, IsSearchUserID: true, IsSearchMemberNickname: true, Count: 10,
		})
		if err != nil || len(found) != 1 || found[0].UserID != k.away.userID {
			t.Errorf("found %+v, %v", found, err)
		}
	})
	t.Run("GetUsersInGroup", func(t *testing.T) {
		b := k.b.in(t)
		in, err := b.mgr.Group().GetUsersInGroup(b.call(), k.groupID, []string{k.a.userID, k.c.userID, k.away.userID})
		if err != nil || !slices.Equal(in, []string{k.a.userID, k.away.userID}) {
			t.Errorf("in the group are %v, %v", in, err)
		}
	})
	t.Run("IsJoinGroup", func(t *testing.T) {
		for d, want := range map[*device]bool{k.b.in(t): true, k.c.in(t): false} {
			if in, err := d.mgr.Group().IsJoinGroup(d.call(), k.groupID); err != nil || in != want {
				t.Errorf("%s is in: %t, %v", d.userID, in, err)
			}
		}
	})
}

// TestGroupApplicationLists: who asked to join, and who is asked, see the same
// request, on devices installed later too.
func TestGroupApplicationLists(t *testing.T) {
	k := newClub(t, asked)
	k.apply()
	is := func(r *model_struct.LocalGroupRequest) error {
		if r.UserID != k.c.userID || r.GroupID != k.groupID || r.GroupName != "the club" || r.Nickname != harness.Nickname(k.c.userID) ||
			r.ReqMsg != "let me in" || r.JoinSource != bySearch || r.HandleResult != 0 || r.ReqTime == 0 {
			return fmt.Errorf("the request is %+v", r)
		}
		return nil
	}
	t.Run("GetGroupApplicationListAsApplicant", func(t *testing.T) {
		for _, d := range []*device{k.c.in(t), install(t, shared, k.c.userID, android).login()} {
			d.eventually("what it sent", func() error {
				list, err := d.mgr.Group().GetGroupApplicationListAsApplicant(d.call())
				if err != nil || len(list) != 1 {
					return fmt.Errorf("%d requests, %w", len(list), err)
				}
				return is(list[0])
			})
		}
	})
	t.Run("GetGroupApplicationListAsRecipient", func(t *testing.T) {
		for _, d := range []*device{k.a.in(t), install(t, shared, k.a.userID, android).login()} {
			d.eventually("what it received", func() error {
				list, err := d.mgr.Group().GetGroupApplicationListAsRecipient(d.call())
				if err != nil || len(list) != 1 {
					return fmt.Errorf("%d requests, %w", len(list), err)
				}
				return is(&list[0].LocalGroupRequest)
			})
		}
		b := k.b.in(t)
		if list, err := b.mgr.Group().GetGroupApplicationListAsRecipient(b.call()); err != nil || len(list) != 0 {
			t.Errorf("a plain member is asked: %+v, %v", list, err)
		}
	})
}

// TestCreateGroup: all who are in it have it, with everything that was said of
// it, and so have their devices that were away or are new.
func TestCreateGroup(t *testing.T) {
	a, b, _ := pair(t, shared)
	rest := users(t, shared, "carol", "dave")
	c, away := install(t, shared, rest[0], ios).login(), install(t, shared, rest[1], ios).login()
	desk := install(t, shared, a.userID, windows).login()
	away.logout()
	info, err := a.mgr.Group().CreateGroup(a.call(), &group.CreateGroupReq{
		MemberUserIDs: []string{away.userID}, AdminUserIDs: []string{b.userID},
		GroupInfo: &sdkws.GroupInfo{
			GroupName: "founders", GroupType: constant.WorkingGroup, FaceURL: "http://face/founders.png", Introduction: "who we are",
			Notification: "read this", Ex: "ex", NeedVerification: directly, LookMemberInfo: 1, ApplyMemberFriend: 1,
		},
	})
	a.must(err)
	if info.GroupID == "" || info.MemberCount != 3 || info.OwnerUserID != a.userID || info.CreatorUserID != a.userID {
		t.Errorf("made %v", info)
	}
	k := &club{t: t, groupID: info.GroupID, chat: "sg_" + info.GroupID}
	for _, d := range []*device{a, desk, b} {
		d.callback("OnJoinedGroupAdded", k.groupID)
	}
	check := k.is(3, func(s state) error {
		g := s.group
		if g.GroupName != "founders" || g.FaceURL != "http://face/founders.png" || g.Introduction != "who we are" || g.Notification != "read this" || g.Ex != "ex" ||
			g.NeedVerification != directly || g.LookMemberInfo != 1 || g.ApplyMemberFriend != 1 || g.OwnerUserID != a.userID || g.Status != constant.GroupOk {
			return fmt.Errorf("it is %+v", g)
		}
		for userID, role := range map[string]int32{a.userID: constant.GroupOwner, b.userID: constant.GroupAdmin, away.userID: constant.GroupOrdinaryUsers} {
			if m := s.members[userID]; m == nil || m.RoleLevel != role || m.Nickname != harness.Nickname(userID) {
				return fmt.Errorf("%s is %+v", userID, m)
			}
		}
		return nil
	})
	k.settle([]*device{a, desk, b}, check)
	k.settle([]*device{away.login(), install(t, shared, away.userID, android).login(), a.fresh()}, check)
	for _, d := range []*device{desk, b} {
		d.awaitShown(k.chat, "founders", "http://face/founders.png")
		d.awaitView(k.chat, "type 1501", "type 1519")
	}
	c.received(desk.text(c.userID, "not for you"))
	c.never("OnJoinedGroupAdded")
}

// TestGetGroupMemberListByJoinTimeFilter: of a big group a device keeps the first
// 1,000 members and asks for the others when it shows them. This function works
// only on those: it asks for members it has as if it had not, and fails to store
// them twice.
func TestGetGroupMemberListByJoinTimeFilter(t *testing.T) {
	const synchronised, more = 1000, 5
	ids := users(t, shared, "alice")
	crowd := make([]string, synchronised+more)
	for i := range crowd {
		crowd[i] = harness.UserID("m")
	}
	for half := range slices.Chunk(crowd, 600) {
		if err := shared.Register(half...); err != nil {
			t.Fatal(err)
		}
	}
	a := install(t, shared, ids[0], ios).login()
	info, err := a.mgr.Group().CreateGroup(a.call(), &group.CreateGroupReq{GroupInfo: &sdkws.GroupInfo{GroupName: "the crowd", GroupType: constant.WorkingGroup}})
	a.must(err)
	a.callback("OnJoinedGroupAdded", info.GroupID)
	for half := range slices.Chunk(crowd, 600) {
		a.must(a.mgr.Group().InviteUserToGroup(a.call(), info.GroupID, "", half))
	}
	d := a.fresh()
	d.eventually("the group's size", func() error {
		list, err := d.mgr.Group().GetJoinedGroupList(d.call())
		if err == nil && (len(list) != 1 || int(list[0].MemberCount) != len(crowd)+1) {
			err = fmt.Errorf("groups %+v", list)
		}
		return err
	})
	seen := map[string]bool{}
	d.eventually("the last members", func() error {
		list, err := d.mgr.Group().GetGroupMemberListByJoinTimeFilter(d.call(), info.GroupID, synchronised+1, more, 0, 0, nil)
		for _, m := range list {
			seen[m.UserID] = true
			if m.GroupID != info.GroupID || m.Nickname != harness.Nickname(m.UserID) || m.JoinTime == 0 {
				t.Errorf("a member is %+v", m)
			}
		}
		if err == nil && len(list) != more {
			err = fmt.Errorf("are %d", len(list))
		}
		return err
	})
	for id := range seen {
		if !slices.Contains(crowd, id) {
			t.Errorf("%s is no member", id)
		}
	}
}
