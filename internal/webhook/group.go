package webhook

import (
	"encoding/json"
	"strconv"

	"github.com/parley-im/parley/hooks/payload"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/webhook/registry"
)

func groupBody(g im.Group) payload.Group {
	return payload.Group{
		GroupID: g.GroupID, GroupName: g.Name, Notification: g.Notification, Introduction: g.Introduction, FaceURL: g.FaceURL,
		OwnerUserID: g.OwnerID, CreateTime: int64(g.CreatedAt), MemberCount: g.MemberCount, Ex: g.Ex, Status: g.Status, CreatorUserID: g.CreatorID,
		GroupType: g.Type, NeedVerification: g.NeedVerification, LookMemberInfo: g.LookMemberInfo, ApplyMemberFriend: g.ApplyMemberFriend,
		NotificationUpdateTime: int64(g.NotificationUpdatedAt), NotificationUserID: g.NotificationUserID,
	}
}

func (q asking) createGroup(m *im.MayCreateGroup) error {
	body := payload.GroupCreation{OperationID: im.OperationOf(q.ctx), CallbackCommand: q.cb.Command, Group: groupBody(m.Group)}
	body.OwnerUserID = m.WrittenOwnerID
	add := func(role int32, ids ...string) {
		for _, id := range ids {
			body.InitMembers = append(body.InitMembers, payload.FirstMember{UserID: id, RoleLevel: role})
		}
	}
	add(im.RoleOwner, m.Group.OwnerID)
	add(im.RoleAdmin, m.AdminIDs...)
	add(im.RoleMember, m.MemberIDs...)
	return put(q, m.Group.GroupID, body, func(a *payload.GroupCreationAnswer) {
		g := &m.Group
		replaceBy(&g.GroupID, a.GroupID)
		replaceBy(&g.Name, a.GroupName)
		replaceBy(&g.Notification, a.Notification)
		replaceBy(&g.Introduction, a.Introduction)
		replaceBy(&g.FaceURL, a.FaceURL)
		replaceBy(&g.Ex, a.Ex)
		replaceBy(&g.CreatorID, a.CreatorUserID)
		replaceBy(&g.Type, a.GroupType)
		replaceBy(&g.NeedVerification, a.NeedVerification)
		replaceBy(&g.LookMemberInfo, a.LookMemberInfo)
		replaceBy(&g.ApplyMemberFriend, a.ApplyMemberFriend)
		if a.OwnerUserID != nil && *a.OwnerUserID != "" { // a handler that echoes the request leaves it as it is
			g.OwnerID = *a.OwnerUserID
		}
		m.Status = a.Status
	})
}

func founded(command string, ev im.GroupFounded) payload.GroupCreated {
	body := payload.GroupCreated{CallbackCommand: command, Group: groupBody(ev.Group), InitMembers: make([]payload.FirstMember, len(ev.Members))}
	for i, m := range ev.Members {
		body.InitMembers[i] = payload.FirstMember{UserID: m.UserID, RoleLevel: m.Role}
	}
	return body
}

// addMembers takes settings of single members from the answer. Bad ones are
// passed over: of nobody who joins, of the owner's role, of a role that is not
// given this way.
func (q asking) addMembers(m *im.MayAddMembers) error {
	body := payload.MembersJoin{CallbackCommand: q.cb.Command, GroupID: m.GroupID, GroupEx: m.GroupEx, Members: make([]payload.NewMember, len(m.Members))}
	for i, member := range m.Members {
		body.Members[i] = payload.NewMember{UserID: member.UserID, Ex: member.Ex}
	}
	return put(q, m.GroupID, body, func(a *joinAnswer) {
		for _, raw := range a.Members {
			item, ok := objectOf(raw)
			if !ok {
				q.e.warnDropped(q.ctx, q.cb, []string{"memberCallbackList"})
				continue
			}
			var c payload.MemberSettings
			dropped := item.into(&c)
			for i := range m.Members {
				if c.UserID == nil || m.Members[i].UserID != *c.UserID {
					continue
				}
				to := &m.Members[i]
				replaceBy(&to.Nickname, c.Nickname)
				replaceBy(&to.FaceURL, c.FaceURL)
				replaceBy(&to.Ex, c.Ex)
				if c.MuteEndTime != nil {
					to.MuteUntil = im.Millis(*c.MuteEndTime)
				}
				if c.RoleLevel != nil && givenRole(*c.RoleLevel) && to.Role != im.RoleOwner {
					to.Role = *c.RoleLevel
				} else if c.RoleLevel != nil {
					dropped = append(dropped, "roleLevel")
				}
			}
			if len(dropped) > 0 {
				q.e.warnDropped(q.ctx, q.cb, dropped)
			}
		}
	})
}

// joinAnswer is payload.MembersJoinAnswer, whose items are read one by one.
type joinAnswer struct {
	Members []json.RawMessage `json:"memberCallbackList"`
}

// givenRole reports whether handlers may give a role.
func givenRole(role int32) bool { return role == im.RoleAdmin || role == im.RoleMember }

func (q asking) invite(m *im.MayInvite) error {
	return put(q, m.GroupID, payload.Invitation{
		CallbackCommand: q.cb.Command, OperationID: im.OperationOf(q.ctx), GroupID: m.GroupID, Reason: m.Reason, InvitedUserIDs: list(m.UserIDs),
	}, func(a *payload.InvitationAnswer) { m.UserIDs = without(m.UserIDs, a.RefusedUserIDs) })
}

func without(ids, refused []string) []string {
	if len(refused) == 0 {
		return ids
	}
	out := make(map[string]bool, len(refused))
	for _, id := range refused {
		out[id] = true
	}
	var left []string
	for _, id := range ids {
		if !out[id] {
			left = append(left, id)
		}
	}
	return left
}

// groupType is a number where OpenIM sends a control character.
func groupType(t int32) string { return strconv.Itoa(int(t)) }

func (q asking) setGroup(m *im.MaySetGroup) error {
	i := &m.Info
	var body any = groupInfoChange(q.cb.Command, m.GroupID, i)
	if i.Older {
		body = payload.GroupInfo{
			CallbackCommand: q.cb.Command, GroupID: m.GroupID, GroupName: valueOf(i.Name), Notification: valueOf(i.Notification),
			Introduction: valueOf(i.Introduction), FaceURL: valueOf(i.FaceURL), Ex: valueOf(i.Ex),
			NeedVerification: valueOf(i.NeedVerification), LookMemberInfo: valueOf(i.LookMemberInfo), ApplyMemberFriend: valueOf(i.ApplyMemberFriend),
		}
	}
	return put(q, m.GroupID, body, func(a *groupInfoAnswer) {
		var nested payload.GroupInfoAnswer
		if item, ok := objectOf(a.ForSet); ok {
			if dropped := item.into(&nested); len(dropped) > 0 {
				q.e.warnDropped(q.ctx, q.cb, dropped)
			}
		}
		for _, from := range []*payload.GroupInfoAnswer{&nested, &a.GroupInfoAnswer} {
			give(&i.Name, from.GroupName)
			give(&i.Notification, from.Notification)
			give(&i.Introduction, from.Introduction)
			give(&i.FaceURL, from.FaceURL)
			give(&i.Ex, from.Ex)
			give(&i.NeedVerification, from.NeedVerification)
			give(&i.LookMemberInfo, from.LookMemberInfo)
			give(&i.ApplyMemberFriend, from.ApplyMemberFriend)
		}
	})
}

// groupInfoAnswer adds the object that the public documentation prints the
// fields in.
type groupInfoAnswer struct {
	payload.GroupInfoAnswer
	ForSet json.RawMessage `json:"groupInfoForSet"`
}

func groupInfoChange(command, groupID string, i *im.GroupInfo) payload.GroupInfoChange {
	return payload.GroupInfoChange{
		CallbackCommand: command, GroupID: groupID, GroupName: i.Name, Notification: i.Notification, Introduction: i.Introduction,
		FaceURL: i.FaceURL, Ex: i.Ex, NeedVerification: i.NeedVerification, LookMemberInfo: i.LookMemberInfo, ApplyMemberFriend: i.ApplyMemberFriend,
	}
}

func (e *Engine) groupSet(p *plan, ev im.GroupInfoReported) []store.OutboxEvent {
	i := &ev.Info
	if !i.Older {
		return e.tell(p, registry.AfterSetGroupInfoEx, ev.GroupID, ev.OperationID, func(command string) any { return groupInfoChange(command, ev.GroupID, i) })
	}
	return e.tell(p, registry.AfterSetGroupInfo, ev.GroupID, ev.OperationID, func(command string) any {
		return payload.GroupInfoSet{
			CallbackCommand: command, GroupID: ev.GroupID, GroupName: valueOf(i.Name), Notification: valueOf(i.Notification),
			Introduction: valueOf(i.Introduction), FaceURL: valueOf(i.FaceURL), Ex: i.Ex,
			NeedVerification: i.NeedVerification, LookMemberInfo: i.LookMemberInfo, ApplyMemberFriend: i.ApplyMemberFriend,
		}
	})
}

func memberInfo(command string, i *im.MemberInfo) payload.MemberInfo {
	return payload.MemberInfo{
		CallbackCommand: command, GroupID: i.GroupID, UserID: i.UserID, Nickname: i.Nickname, FaceURL: i.FaceURL, RoleLevel: i.Role, Ex: i.Ex,
	}
}

func (q asking) setMember(m *im.MaySetMember) error {
	i := &m.Info
	return put(q, i.GroupID, memberInfo(q.cb.Command, i), func(a *payload.MemberInfoAnswer) {
		give(&i.Nickname, a.Nickname)
		give(&i.FaceURL, a.FaceURL)
		give(&i.Ex, a.Ex)
		if a.RoleLevel != nil && !givenRole(*a.RoleLevel) {
			q.e.warnDropped(q.ctx, q.cb, []string{"roleLevel"})
			return
		}
		give(&i.Role, a.RoleLevel)
	})
}
