package console

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/parley-im/parley/internal/im"
)

// mostReceivers bounds whom one form sends to; the API is for more.
const mostReceivers = 50

// sendPage sends as a notification account.
func sendPage(c *Console) *page {
	return &page{
		path: "chat/send", title: "send.title", section: "nav.chat", template: "chat_send.html",
		show: func(r *request) (any, error) {
			v := sendView{Most: mostReceivers, Account: r.FormValue("account"), To: r.FormValue("to")}
			var err error
			_, v.Accounts, err = c.Chat.Users.Accounts(r.Context(), "", nil, 0, rows)
			return v, err
		},
		actions: []action{{name: "send", private: []string{"text", "url"}, do: c.sendNotice}},
	}
}

type sendView struct {
	Accounts    []im.User
	Account, To string
	Most        int64
}

// sent is what became of a notice, for each receiver.
type sent struct {
	UserID       string
	Conversation im.ConversationID
	ServerMsgID  string
	Problem      string
}

// notice is the content of a message from a notification account, as apps show
// it.
type notice struct {
	Name    string `json:"notificationName"`
	FaceURL string `json:"notificationFaceURL"`
	Type    int    `json:"notificationType"`
	Text    string `json:"text"`
	URL     string `json:"url"`
	MixType int    `json:"mixType"`
}

// sendNotice goes through the same door as every message: handlers are asked and
// told.
func (c *Console) sendNotice(r *request) (done, error) {
	text := strings.TrimSpace(r.PostFormValue("text"))
	if text == "" {
		return done{}, im.ErrArgs.With("%s", r.lang.text("send.empty"))
	}
	to := strings.FieldsFunc(r.PostFormValue("to"), func(letter rune) bool { return letter == ',' || letter <= ' ' || letter == '，' })
	slices.Sort(to)
	if to = slices.Compact(to); len(to) == 0 || len(to) > mostReceivers {
		return done{}, im.ErrArgs.With("%s", r.lang.text("send.receivers", mostReceivers))
	}
	account, err := c.knownUser(r, r.PostFormValue("account"))
	if err != nil {
		return done{}, err
	}
	if account.AppLevel < im.LevelAccount {
		return done{}, im.ErrNoPermission.With("%s", r.lang.text("send.noaccount"))
	}
	body, err := json.Marshal(notice{Name: account.Nickname, FaceURL: account.FaceURL, Type: 1, Text: text, URL: strings.TrimSpace(r.PostFormValue("url"))})
	if err != nil {
		return done{}, err
	}
	content, err := json.Marshal(map[string]string{"detail": string(body)})
	if err != nil {
		return done{}, err
	}
	known, err := c.Chat.Users.Registered(r.Context(), to)
	if err != nil {
		return done{}, err
	}
	var results []sent
	for i, userID := range to {
		if !known[i] {
			results = append(results, sent{UserID: userID, Problem: r.lang.text("user.unknown", userID)})
			continue
		}
		m := &im.Message{
			ClientMsgID: im.NewMessageID(), SendID: account.UserID, RecvID: userID, SenderPlatform: int32(im.PlatformAdmin),
			SenderNickname: account.Nickname, SenderFaceURL: account.FaceURL, SessionType: im.AccountChat, MsgFrom: im.FromSystem,
			ContentType: im.ContentAccountNotice, Content: content, CreateTime: im.MillisOf(c.Now()),
		}
		one := sent{UserID: userID, Conversation: m.LogID()}
		answer, err := c.Chat.Messages.Send(r.Context(), m)
		if err != nil {
			refusal, ok := errors.AsType[*im.Error](err)
			if !ok {
				return done{}, err
			}
			one.Problem = refusal.Error()
		}
		one.ServerMsgID = answer.ServerMsgID
		results = append(results, one)
	}
	return done{result: results}, nil
}
