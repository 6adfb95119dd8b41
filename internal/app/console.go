package app

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/parley-im/parley/internal/console"
	"github.com/parley-im/parley/internal/im"
)

// openConsole builds the operator's page, unless it is off.
func (s *server) openConsole() {
	c := s.options.Config.Console
	if !c.Enable {
		return
	}
	s.console = console.New(console.Options{
		Store: s.store, Auth: s.auth, Peers: s.front.peers, Desk: s.desk, Calls: &s.calls,
		History: s.history, Health: s.health, Warnings: &s.warnings, Version: s.options.Version, SessionLife: c.SessionLife, Logger: s.log,
		Chat: s.consoleChat(), Trial: s.trial,
		ReadsContent: func(userID string) bool {
			return slices.Contains(c.ContentReaders, "*") || slices.Contains(c.ContentReaders, userID)
		},
	})
}

// listenConsole opens the page's own address, if it has one.
func (s *server) listenConsole() ([]net.Listener, error) {
	at := s.options.Config.Console.Listen
	if s.console == nil || at == "" {
		return nil, nil
	}
	return s.listen([]string{at}, "", nil, "console")
}

// withConsole serves the page beside the API, unless it has an address of its
// own.
func (s *server) withConsole(rest http.Handler) http.Handler {
	if s.console == nil || s.options.Config.Console.Listen != "" {
		return rest
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == console.Base || strings.HasPrefix(r.URL.Path, console.Base+"/") {
			s.console.ServeHTTP(w, r)
			return
		}
		rest.ServeHTTP(w, r)
	})
}

// consoleURL is where the page is found from this machine, "" when it is off.
func (s *server) consoleURL(apiL, own []net.Listener) string {
	switch {
	case s.console == nil:
		return ""
	case len(own) > 0:
		return s.scheme("http") + reachable(own[0]) + console.Base
	default:
		return s.scheme("http") + reachable(apiL[0]) + console.Base
	}
}

// health is what /readyz says, for people.
func (s *server) health(ctx context.Context) []console.Check {
	var out []console.Check
	for name, check := range s.ready.look(ctx).Checks {
		out = append(out, console.Check{Name: name, State: string(check.State), Reason: check.Reason})
	}
	slices.SortFunc(out, func(a, b console.Check) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// consoleChat hands the page the nouns that the API calls.
func (s *server) consoleChat() console.Chat {
	o := s.services
	return console.Chat{
		Users: o.Users, Relations: o.Relations, Groups: o.Groups, Conversations: o.Conversations, Messages: o.Messages,
		Connections: func(userID string) (out []console.Connection) {
			for _, c := range o.Online.Sessions(userID) {
				out = append(out, console.Connection{ID: c.ConnID, Platform: c.Platform, Background: c.Background})
			}
			return out
		},
		Logout: func(ctx context.Context, userID string, p im.Platform) error {
			if err := o.Auth.ForceLogout(ctx, userID, p); err != nil { // first, so that nobody reconnects between
				return err
			}
			o.Kick(ctx, userID, p)
			return nil
		},
	}
}
