package console

import (
	"slices"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// userPage shows a user: what he is, where he is connected, his tokens,
// conversations and groups.
func userPage(c *Console) *page {
	return &page{
		path: "chat/user", title: "user.title", section: "nav.chat", hidden: true, template: "chat_user.html",
		show: func(r *request) (any, error) { return c.showUser(r, r.FormValue("id")) },
		actions: []action{{name: "kick", do: func(r *request) (done, error) {
			id, p := r.PostFormValue("id"), im.Platform(atoi(r.PostFormValue("platform")))
			if !p.Valid() {
				return done{}, im.ErrArgs.With("%s", r.lang.text("user.platform"))
			}
			if _, err := c.knownUser(r, id); err != nil {
				return done{}, err
			}
			return done{to: "chat/user?" + idQuery(id), say: "done.kick"}, c.Chat.Logout(r.Context(), id, p)
		}}},
	}
}

type userView struct {
	User        im.User
	Connections []Connection
	Tokens      []tokenRow
	Push        []store.PushToken
	// Platforms are those he can be logged out of.
	Platforms     []im.Platform
	Friends       int64
	Blocks        int64
	Chats         []chatRow
	ChatPages     pager
	Groups        []im.Group
	GroupPages    pager
	Notifications bool // the account sends notifications and cannot log in
}

// tokenRow is an issued token and what became of it, as a key of the catalogue.
type tokenRow struct {
	store.Token
	Became string
}

func (c *Console) knownUser(r *request, id string) (im.User, error) {
	users, err := c.Chat.Users.Users(r.Context(), []string{id})
	if err != nil {
		return im.User{}, err
	}
	if len(users) == 0 {
		return im.User{}, im.ErrUserNotFound.With("%s", r.lang.text("user.unknown", id))
	}
	return users[0], nil
}

func (c *Console) showUser(r *request, id string) (v userView, err error) {
	if v.User, err = c.knownUser(r, id); err != nil {
		return v, err
	}
	ctx := r.Context()
	v.Notifications = v.User.AppLevel >= im.LevelAccount
	v.Connections = c.Chat.Connections(id)
	now := im.MillisOf(c.Now())
	if err := r.read(func(tx *store.Tx) error {
		tokens, err := tx.UserTokens(id)
		if err != nil {
			return err
		}
		for _, t := range tokens {
			v.Tokens = append(v.Tokens, tokenRow{t, stateOf(t, now)})
		}
		v.Push, err = tx.PushTokens([]string{id}, now)
		return err
	}); err != nil {
		return v, err
	}
	for _, conn := range v.Connections {
		v.Platforms = append(v.Platforms, conn.Platform)
	}
	for _, t := range v.Tokens {
		if t.Became == "token.valid" {
			v.Platforms = append(v.Platforms, t.Platform)
		}
	}
	slices.Sort(v.Platforms)
	v.Platforms = slices.Compact(v.Platforms)
	if v.Friends, _, err = c.Chat.Relations.Friends(ctx, id, 0, 1); err != nil {
		return v, err
	}
	if v.Blocks, _, err = c.Chat.Relations.Blocks(ctx, id, 0, 1); err != nil {
		return v, err
	}
	v.GroupPages = pagerOf(r, "groups")
	if v.GroupPages.Total, v.Groups, err = c.Chat.Groups.Joined(ctx, id, v.GroupPages.offset(), rows); err != nil {
		return v, err
	}
	v.ChatPages = pagerOf(r, "chats")
	var list []im.Conversation
	if v.ChatPages.Total, list, err = c.Chat.Conversations.Page(ctx, id, v.ChatPages.offset(), rows); err != nil {
		return v, err
	}
	v.Chats, err = c.chatRows(r, id, list)
	return v, err
}

func stateOf(t store.Token, now im.Millis) string {
	switch {
	case t.State != store.TokenNormal:
		return "token.kicked"
	case t.ExpiresAt <= now:
		return "token.expired"
	default:
		return "token.valid"
	}
}

// chatRow is a conversation as one user has it.
type chatRow struct {
	im.Conversation
	Max    im.Seq
	Read   im.Seq
	Unread int64
}

func (c *Console) chatRows(r *request, userID string, list []im.Conversation) (out []chatRow, err error) {
	ids := make([]im.ConversationID, len(list))
	for i, row := range list {
		ids[i] = row.ConversationID
	}
	states, _, err := c.Chat.Messages.ReadStates(r.Context(), userID, ids, false)
	if err != nil {
		return nil, err
	}
	for _, row := range list {
		st := states[row.ConversationID]
		out = append(out, chatRow{Conversation: row, Max: st.MaxSeq, Read: st.ReadSeq, Unread: max(0, int64(st.MaxSeq-st.ReadSeq))})
	}
	return out, nil
}
