package webhook

import (
	"fmt"
	"math"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/store"
)

// Trial sets two made-up users apart, so that somebody can see callbacks at work
// in a server that real users are on. What concerns nobody but them is put to a
// handler of its own, or to nobody; no handler of the real users hears of it, and
// nothing else is put to this one.
type Trial struct {
	Users [2]string
	// Endpoint names the handler and URL is its address; without them nobody is
	// asked or told. It has no breaker: failing is what it may be there for.
	Endpoint, URL string
	Callbacks     map[string]Callback
	// Real sends what concerns messages between the two where everybody's goes.
	// It does not change who hears of the users themselves.
	Real bool
	// Saw is told of every call about their messages or to the endpoint, once it
	// is over. It must not wait.
	Saw func(Call)
}

// Call is a call that was made, with what was posted.
type Call struct {
	store.Delivery
	Body []byte
}

// trial is a Trial made ready for use.
type trial struct {
	users        [2]string
	conversation im.ConversationID
	endpoint     string
	real         bool
	saw          func(Call)
	plan         *plan // of what concerns only the users
}

// setApart adds the trial to a plan that is otherwise complete.
func (p *plan) setApart(cfg Config, o Options, old *plan) error {
	given := cfg.Trial
	if given == nil {
		return nil
	}
	if given.URL != "" && (!endpointName.MatchString(given.Endpoint) || p.endpoints[given.Endpoint] != nil) {
		return fmt.Errorf("webhook trial: the name %q of its endpoint cannot be used", given.Endpoint)
	}
	t := &trial{
		users: given.Users, conversation: im.SingleConversation(given.Users[0], given.Users[1]),
		endpoint: given.Endpoint, real: given.Real, saw: given.Saw,
	}
	was := &plan{reach: p.reach, client: p.client}
	if old != nil {
		was.endpoints = old.endpoints
	}
	own, err := newPlan(Config{
		URL: given.URL, name: given.Endpoint, Callbacks: given.Callbacks, BeforeDeadline: cfg.BeforeDeadline, StrictActionCode: cfg.StrictActionCode,
		CommandInQuery: cfg.CommandInQuery, Strict: cfg.Strict, InsecureSkipVerify: cfg.InsecureSkipVerify,
		Breaker: Breaker{Failures: math.MaxInt, Rate: -1},
	}, o, was)
	if err != nil {
		return fmt.Errorf("webhook trial: %w", err)
	}
	for name, ep := range own.endpoints {
		p.endpoints[name] = ep
	}
	t.plan, own.trial, p.trial = own, t, t
	p.asks = p.asks || own.asks
	for kind, wanted := range own.wanted {
		p.wanted[kind] = p.wanted[kind] || wanted
	}
	return nil
}

func (t *trial) has(userID string) bool { return userID == t.users[0] || userID == t.users[1] }

// of is the plan for what concerns the users given and nobody else.
func (p *plan) of(userIDs ...string) *plan {
	if p.trial == nil || len(userIDs) == 0 {
		return p
	}
	for _, userID := range userIDs {
		if !p.trial.has(userID) {
			return p
		}
	}
	return p.trial.plan
}

// ofMessage is the plan for what concerns a message.
func (p *plan) ofMessage(m *im.Message) *plan {
	if p.trial == nil || p.trial.real || m.SessionType == im.GroupChat {
		return p
	}
	return p.of(m.SendID, m.RecvID)
}

// ofEvent is the plan that an event is reported by.
func (p *plan) ofEvent(event im.Event) *plan {
	if p.trial == nil {
		return p
	}
	switch ev := event.(type) {
	case im.MessageSent:
		return p.ofMessage(ev.Message)
	case *im.MessageSent:
		return p.ofMessage(ev.Message)
	case im.RevokeReported:
		return p.ofMessage(ev.Message)
	case im.ReadReported:
		if !p.trial.real && ev.ConversationID == p.trial.conversation {
			return p.trial.plan
		}
	case im.UserOnline:
		return p.of(ev.Session.UserID)
	case im.UserOffline:
		return p.of(ev.Session.UserID)
	case im.UserKicked:
		return p.of(ev.Session.UserID)
	case im.UsersRegistered:
		return p.of(idsOf(ev.Users)...)
	case im.FriendsImported:
		return p.of(append([]string{ev.OwnerID}, ev.FriendIDs...)...)
	case im.ChatOpened:
		return p.of(ev.Row.OwnerID, ev.Row.UserID)
	}
	return p
}

// ofQuestion is the plan that a question is put by.
func (p *plan) ofQuestion(q im.Question) *plan {
	if p.trial == nil {
		return p
	}
	switch q := q.(type) {
	case *im.MayRegister:
		return p.of(idsOf(q.Users)...)
	case *im.MayImportFriends:
		return p.of(append([]string{q.OwnerID}, q.FriendIDs...)...)
	case *im.MayOpenChat:
		return p.of(q.Row.OwnerID, q.Row.UserID)
	case *im.MayPush:
		return p.ofMessage(q.Message)
	case *im.MayDeliver:
		return p.ofMessage(q.Message)
	}
	return p
}

func idsOf(users []im.User) []string {
	ids := make([]string, len(users))
	for i, u := range users {
		ids[i] = u.UserID
	}
	return ids
}

// saw tells a trial of a call that it shows.
func (p *plan) saw(row store.Delivery, body []byte) {
	t := p.trial
	if t == nil || t.saw == nil || row.Endpoint != t.endpoint && row.Subject != string(t.conversation) {
		return
	}
	t.saw(Call{row, body})
}
