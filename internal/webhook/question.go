package webhook

import (
	"context"
	"log/slog"

	"github.com/parley-im/parley/hooks/payload"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/webhook/registry"
)

// questions are the callbacks that questions of a kind are put by.
var questions = [im.QuestionKinds]registry.ID{
	im.AskRegister:           registry.BeforeUserRegister,
	im.AskUpdateProfile:      registry.BeforeUpdateUserInfoEx,
	im.AskUpdateProfileOlder: registry.BeforeUpdateUserInfo,
	im.AskRequestFriend:      registry.BeforeAddFriend,
	im.AskAgreeFriend:        registry.BeforeAddFriendAgree,
	im.AskSetRemark:          registry.BeforeSetFriendRemark,
	im.AskImportFriends:      registry.BeforeImportFriends,
	im.AskBlock:              registry.BeforeAddBlack,
	im.AskCreateGroup:        registry.BeforeCreateGroup,
	im.AskAddMembers:         registry.BeforeMemberJoinGroup,
	im.AskInvite:             registry.BeforeInviteUserToGroup,
	im.AskApply:              registry.BeforeApplyJoinGroup,
	im.AskSetGroup:           registry.BeforeSetGroupInfoEx,
	im.AskSetGroupOlder:      registry.BeforeSetGroupInfo,
	im.AskSetMember:          registry.BeforeSetGroupMemberInfo,
	im.AskOpenChat:           registry.BeforeCreateSingleChatConversations,
	im.AskOpenGroupChat:      registry.BeforeCreateGroupChatConversations,
	im.AskPushOffline:        registry.BeforeOfflinePush,
	im.AskDeliver:            registry.BeforeOnlinePush,
	im.AskDeliverGroup:       registry.BeforeGroupOnlinePush,
}

// Wants implements im.Hooks.
func (e *Engine) Wants(kind im.QuestionKind) bool {
	p, id := e.plan.Load(), questions[kind]
	return p.on[id] != nil || p.trial != nil && p.trial.plan.on[id] != nil
}

// Ask implements im.Hooks.
func (e *Engine) Ask(ctx context.Context, q im.Question) error {
	p := e.plan.Load().ofQuestion(q)
	cb := p.on[questions[q.QuestionKind()]]
	if cb == nil {
		return nil
	}
	asked := asking{e, ctx, p, cb}
	switch q := q.(type) {
	case *im.MayRegister:
		return asked.register(q)
	case *im.MayUpdateProfile:
		return asked.updateProfile(q)
	case *im.MayRequestFriend:
		return put(asked, q.FromID, payload.FriendRequest{
			CallbackCommand: cb.Command, FromUserID: q.FromID, ToUserID: q.ToID, Message: q.Message, Ex: q.Ex,
		}, verdictOnly)
	case *im.MayAgreeFriend:
		return put(asked, q.FromID, agreement(cb.Command, q.FromID, q.ToID, q.Answer), verdictOnly)
	case *im.MaySetRemark:
		return put(asked, q.OwnerID, payload.FriendRemark{
			CallbackCommand: cb.Command, OwnerUserID: q.OwnerID, FriendUserID: q.FriendID, Remark: q.Remark,
		}, func(a *payload.FriendRemarkAnswer) {
			if a.Remark != nil && *a.Remark != "" {
				q.Remark = *a.Remark
			}
		})
	case *im.MayImportFriends:
		return put(asked, q.OwnerID, payload.FriendImport{
			CallbackCommand: cb.Command, OwnerUserID: q.OwnerID, FriendUserIDs: list(q.FriendIDs),
		}, func(a *payload.FriendImportAnswer) {
			if len(a.FriendUserIDs) > 0 {
				q.FriendIDs = a.FriendUserIDs
			}
		})
	case *im.MayBlock:
		return put(asked, q.OwnerID, payload.Block{CallbackCommand: cb.Command, OwnerUserID: q.OwnerID, BlackUserID: q.BlockedID}, verdictOnly)
	case *im.MayCreateGroup:
		return asked.createGroup(q)
	case *im.MayAddMembers:
		return asked.addMembers(q)
	case *im.MayInvite:
		return asked.invite(q)
	case *im.MayApply:
		return put(asked, q.Group.GroupID, payload.Application{
			CallbackCommand: cb.Command, GroupID: q.Group.GroupID, GroupType: groupType(q.Group.Type), ApplyID: q.UserID, Message: q.Message, Ex: q.Ex,
		}, verdictOnly)
	case *im.MaySetGroup:
		return asked.setGroup(q)
	case *im.MaySetMember:
		return asked.setMember(q)
	case *im.MayOpenChat:
		return asked.openChat(q)
	case *im.MayPush:
		return asked.push(q)
	case *im.MayDeliver:
		return asked.deliver(q)
	}
	return nil
}

// asking is one question on its way.
type asking struct {
	e   *Engine
	ctx context.Context
	p   *plan
	cb  *callback
}

// put makes the call, about a subject, and hands over what its answer changes.
func put[A any](q asking, subjectID string, body any, apply func(*A)) error {
	a, err := q.e.ask(q.ctx, q.p, q.cb, subject{id: subjectID}, render(body))
	if err != nil || a == nil {
		return err
	}
	var changes A
	if dropped := a.into(&changes); len(dropped) > 0 {
		q.e.warnDropped(q.ctx, q.cb, dropped)
	}
	apply(&changes)
	return nil
}

// verdictOnly takes nothing from an answer that can change nothing.
func verdictOnly(*payload.Answer) {}

func (e *Engine) warnDropped(ctx context.Context, cb *callback, fields []string) {
	e.log.WarnContext(ctx, "webhook answer has overrides of the wrong type, which were not applied",
		slog.String("callback", cb.Key), slog.Any("fields", fields))
}

// list is null when empty: handlers test for it.
func list(ids []string) []string {
	if len(ids) == 0 {
		return nil
	}
	return ids
}

var _ im.Hooks = (*Engine)(nil)
