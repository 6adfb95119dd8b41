package console

import (
	"context"
	"slices"
	"strconv"

	"github.com/parley-im/parley/internal/conversation"
	"github.com/parley-im/parley/internal/group"
	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/message"
	"github.com/parley-im/parley/internal/relation"
	"github.com/parley-im/parley/internal/user"
)

// Chat is what the pages about users, groups and conversations work with.
type Chat struct {
	Users         *user.Service
	Relations     *relation.Service
	Groups        *group.Service
	Conversations *conversation.Service
	Messages      *message.Service
	Connections   func(userID string) []Connection
	// Logout ends the tokens and connections of a user's platform, as the REST
	// API does.
	Logout func(ctx context.Context, userID string, p im.Platform) error
}

// Connection is one of a user's.
type Connection struct {
	ID         string
	Platform   im.Platform
	Background bool
}

// rows is how many rows a page of a list has.
const rows = 50

// pager is a place in a list whose pages are numbered from 1.
type pager struct {
	Page  int
	Total int64
}

func pagerOf(r *request, name string) pager {
	n, err := strconv.Atoi(r.FormValue(name))
	if err != nil || n < 1 || n > 1_000_000 {
		n = 1
	}
	return pager{Page: n}
}

func (p pager) offset() int { return (p.Page - 1) * rows }

// Before and After are the neighbouring pages, 0 for none.
func (p pager) Before() int64 { return int64(p.Page - 1) }

func (p pager) After() int64 {
	if int64(p.Page*rows) < p.Total {
		return int64(p.Page + 1)
	}
	return 0
}

// platformName is how a platform is shown.
func platformName(p im.Platform) string {
	if name := p.String(); name != "" {
		return name
	}
	return number(int(p))
}

// findPage looks for users, groups and conversations.
func findPage(c *Console) *page {
	return &page{
		path: "chat", title: "find.title", section: "nav.chat", template: "chat_find.html",
		show: func(r *request) (any, error) {
			v := findView{Query: r.FormValue("q"), Kind: r.FormValue("kind")}
			if !slices.Contains(findKinds, v.Kind) {
				v.Kind = ""
			}
			for _, find := range []struct {
				kind string
				f    func(*request, *findView) error
			}{{"users", c.findUsers}, {"groups", c.findGroups}, {"conversations", c.findConversations}} {
				if v.Kind != "" && v.Kind != find.kind {
					continue
				}
				if err := find.f(r, &v); err != nil {
					return v, err
				}
			}
			return v, nil
		},
	}
}

var findKinds = []string{"users", "groups", "conversations"}

// fewRows is how many of each kind are shown when all kinds are.
const fewRows = 10

type findView struct {
	Query, Kind   string
	Users         []im.User
	UserPages     pager
	Groups        []im.Group
	GroupPages    pager
	Conversations []logRow
	Next          im.ConversationID // where the list goes on, "" for nowhere
}

// limit is how many rows of a kind are shown.
func (v *findView) limit() int {
	if v.Kind == "" {
		return fewRows
	}
	return rows
}

// findUsers finds people by a part of id or name, and anybody by his id.
func (c *Console) findUsers(r *request, v *findView) (err error) {
	v.UserPages = pagerOf(r, "page")
	if v.UserPages.Total, v.Users, err = c.Chat.Users.Find(r.Context(), v.Query, v.Query, v.UserPages.offset(), v.limit()); err != nil || v.Query == "" || v.UserPages.Page > 1 {
		return err
	}
	exact, err := c.Chat.Users.Users(r.Context(), []string{v.Query})
	if err != nil {
		return err
	}
	for _, u := range exact {
		v.Users = append([]im.User{u}, slices.DeleteFunc(v.Users, func(o im.User) bool { return o.UserID == u.UserID })...)
		v.UserPages.Total = max(v.UserPages.Total, int64(len(v.Users)))
	}
	return nil
}

// findGroups finds groups by a part of the name, and one by its id.
func (c *Console) findGroups(r *request, v *findView) (err error) {
	v.GroupPages = pagerOf(r, "page")
	if v.GroupPages.Total, v.Groups, err = c.Chat.Groups.Find(r.Context(), v.Query, v.GroupPages.offset(), v.limit()); err != nil || v.Query == "" || v.GroupPages.Page > 1 {
		return err
	}
	exact, err := c.Chat.Groups.Groups(r.Context(), []string{v.Query})
	if err != nil {
		return err
	}
	for _, g := range exact {
		v.Groups = append([]im.Group{g}, slices.DeleteFunc(v.Groups, func(o im.Group) bool { return o.GroupID == g.GroupID })...)
		v.GroupPages.Total = max(v.GroupPages.Total, int64(len(v.Groups)))
	}
	return nil
}
