package webhook

import (
	"github.com/parley-im/parley/hooks/payload"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
	"github.com/parley-im/parley/internal/webhook/registry"
)

func (q asking) register(m *im.MayRegister) error {
	return put(q, m.Users[0].UserID, registration(q.cb.Command, m.Users), func(a *payload.RegistrationAnswer) {
		if len(a.Users) == 0 {
			return
		}
		m.Users = make([]im.User, len(a.Users))
		for i, u := range a.Users {
			m.Users[i] = im.User{
				UserID: u.UserID, Nickname: u.Nickname, FaceURL: u.FaceURL, Ex: u.Ex, AppLevel: u.AppManagerLevel, RecvOpt: im.RecvOpt(u.GlobalRecvMsgOpt),
			}
		}
	})
}

func registration(command string, users []im.User) payload.Registration {
	out := payload.Registration{CallbackCommand: command, Users: make([]payload.User, len(users))}
	for i, u := range users {
		out.Users[i] = payload.User{
			UserID: u.UserID, Nickname: u.Nickname, FaceURL: u.FaceURL, Ex: u.Ex, CreateTime: int64(u.CreatedAt),
			AppManagerLevel: u.AppLevel, GlobalRecvMsgOpt: int32(u.RecvOpt),
		}
	}
	return out
}

func (q asking) updateProfile(m *im.MayUpdateProfile) error {
	c := &m.Change
	var body any = profileChange(q.cb.Command, m.UserID, c)
	if c.Older {
		body = payload.Profile{CallbackCommand: q.cb.Command, UserID: m.UserID, Nickname: valueOf(c.Nickname), FaceURL: valueOf(c.FaceURL)}
	}
	return put(q, m.UserID, body, func(a *payload.ProfileAnswer) {
		give(&c.Nickname, a.Nickname)
		give(&c.FaceURL, a.FaceURL)
		give(&c.Ex, a.Ex)
	})
}

func profileChange(command, userID string, c *im.UserChange) payload.ProfileChange {
	return payload.ProfileChange{CallbackCommand: command, UserID: userID, Nickname: c.Nickname, FaceURL: c.FaceURL, Ex: c.Ex}
}

func (e *Engine) profileUpdated(p *plan, ev im.ProfileUpdated) []store.OutboxEvent {
	c := &ev.Change
	if !c.Older {
		return e.tell(p, registry.AfterUpdateUserInfoEx, ev.UserID, ev.OperationID, func(command string) any { return profileChange(command, ev.UserID, c) })
	}
	return e.tell(p, registry.AfterUpdateUserInfo, ev.UserID, ev.OperationID, func(command string) any {
		return payload.ProfileSet{CallbackCommand: command, UserID: ev.UserID, Nickname: valueOf(c.Nickname), FaceURL: valueOf(c.FaceURL)}
	})
}

func agreement(command, fromID, toID, answer string) payload.FriendAgreement {
	return payload.FriendAgreement{
		CallbackCommand: command, FromUserID: fromID, BlackUserID: toID, HandleResult: int32(im.RequestAgreed), HandleMessage: answer, ToUserID: toID,
	}
}

// valueOf is what a pointer points to, or nothing.
func valueOf[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// replaceBy takes over an override.
func replaceBy[T any](field *T, override *T) {
	if override != nil {
		*field = *override
	}
}

// give replaces what an operation sets by what an answer does.
func give[T any](field **T, override *T) {
	if override != nil {
		*field = override
	}
}
