package webhook

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/webhook/payload"
	"github.com/parley-im/parley/internal/webhook/registry"
)

// read decodes a body into its own type: unknown fields fail.
func read[T any](t *testing.T, body map[string]any) T {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	var v T
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%T: %v in %s", v, err, text)
	}
	return v
}

func usersOf(users []payload.User) (out []im.User) {
	for _, u := range users {
		out = append(out, im.User{UserID: u.UserID, Nickname: u.Nickname, FaceURL: u.FaceURL, Ex: u.Ex, AppLevel: u.AppManagerLevel, RecvOpt: im.RecvOpt(u.GlobalRecvMsgOpt)})
	}
	return out
}

func unless(empty string) *string {
	if empty == "" {
		return nil
	}
	return &empty
}

// questionOf is the question that a recorded before-call was about; nil for those
// about messages.
func questionOf(t *testing.T, id registry.ID, body map[string]any) im.Question {
	switch id {
	case registry.BeforeUserRegister:
		return &im.MayRegister{Users: usersOf(read[payload.Registration](t, body).Users)}
	case registry.BeforeUpdateUserInfo:
		b := read[payload.Profile](t, body)
		return &im.MayUpdateProfile{UserID: b.UserID, Change: im.UserChange{Nickname: unless(b.Nickname), FaceURL: unless(b.FaceURL), Ex: new("x"), Older: true}}
	case registry.BeforeUpdateUserInfoEx:
		b := read[payload.ProfileChange](t, body)
		return &im.MayUpdateProfile{UserID: b.UserID, Change: im.UserChange{Nickname: b.Nickname, FaceURL: b.FaceURL}}
	case registry.BeforeAddFriend:
		b := read[payload.FriendRequest](t, body)
		return &im.MayRequestFriend{FromID: b.FromUserID, ToID: b.ToUserID, Message: b.Message, Ex: b.Ex}
	case registry.BeforeAddFriendAgree:
		b := read[payload.FriendAgreement](t, body)
		return &im.MayAgreeFriend{FromID: b.FromUserID, ToID: b.BlackUserID, Answer: b.HandleMessage}
	case registry.BeforeSetFriendRemark:
		b := read[payload.FriendRemark](t, body)
		return &im.MaySetRemark{OwnerID: b.OwnerUserID, FriendID: b.FriendUserID, Remark: b.Remark}
	case registry.BeforeImportFriends:
		b := read[payload.FriendImport](t, body)
		return &im.MayImportFriends{OwnerID: b.OwnerUserID, FriendIDs: b.FriendUserIDs}
	case registry.BeforeAddBlack:
		b := read[payload.Block](t, body)
		return &im.MayBlock{OwnerID: b.OwnerUserID, BlockedID: b.BlackUserID}
	}
	return nil
}

// reportOf is the event that a recorded after-call told of; nil for those about
// messages and presence.
func reportOf(t *testing.T, id registry.ID, body map[string]any) im.Event {
	switch id {
	case registry.AfterUserRegister:
		return im.UsersRegistered{Users: usersOf(read[payload.Registration](t, body).Users)}
	case registry.AfterUpdateUserInfo:
		b := read[payload.ProfileSet](t, body)
		return im.ProfileUpdated{UserID: b.UserID, Change: im.UserChange{Nickname: unless(b.Nickname), FaceURL: unless(b.FaceURL), Ex: new("x"), Older: true}}
	case registry.AfterUpdateUserInfoEx:
		b := read[payload.ProfileChange](t, body)
		return im.ProfileUpdated{UserID: b.UserID, Change: im.UserChange{Nickname: b.Nickname, FaceURL: b.FaceURL}}
	case registry.AfterAddFriend:
		b := read[payload.FriendRequested](t, body)
		return im.FriendAsked{FromID: b.FromUserID, ToID: b.ToUserID, Message: b.Message}
	case registry.AfterAddFriendAgree:
		b := read[payload.FriendAgreement](t, body)
		return im.FriendAgreed{FromID: b.FromUserID, ToID: b.BlackUserID, Answer: b.HandleMessage}
	case registry.AfterDeleteFriend:
		b := read[payload.FriendRemoval](t, body)
		return im.FriendRemoved{OwnerID: b.OwnerUserID, FriendID: b.FriendUserID}
	case registry.AfterSetFriendRemark:
		b := read[payload.FriendRemark](t, body)
		return im.RemarkSet{OwnerID: b.OwnerUserID, FriendID: b.FriendUserID, Remark: b.Remark}
	case registry.AfterImportFriends:
		b := read[payload.FriendImport](t, body)
		return im.FriendsImported{OwnerID: b.OwnerUserID, FriendIDs: b.FriendUserIDs}
	case registry.AfterRemoveBlack:
		b := read[payload.Block](t, body)
		return im.BlockRemoved{OwnerID: b.OwnerUserID, BlockedID: b.BlackUserID}
	}
	return nil
}

// differs makes of a recorded body the one that is sent instead, for callbacks
// that differ on purpose by more than added keys.
var differs = map[registry.ID]func(body map[string]any){}

// asks returns the body of the before-call for a question.
func asks(t *testing.T, q im.Question) []byte {
	t.Helper()
	h := serve(t, says(approval))
	cfg := Config{URL: h.URL, Callbacks: map[string]Callback{}}
	for _, c := range registry.All() {
		cfg.Callbacks[c.Key] = Callback{Enable: true, Timeout: 30 * time.Second}
	}
	e := newEngine(t, cfg, Options{})
	if !e.Wants(q.QuestionKind()) {
		t.Errorf("nobody wants %T", q)
	}
	if err := e.Ask(im.WithOperation(t.Context(), "op"), q); err != nil {
		t.Fatal(err)
	}
	calls := h.got()
	if len(calls) != 1 {
		t.Fatalf("%d calls", len(calls))
	}
	return calls[0].body
}
