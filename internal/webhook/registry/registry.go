// Package registry is the one table of the 53 webhook callbacks: the key that
// webhooks.yml uses, the command that goes over the wire, and what kind of
// event it is. Configuration, dispatch, documentation and tests are all made
// from this table, so a fact about a callback is written down once.
//
// It knows names, classes and the types of bodies. Delivery and configured values
// belong to others, and every one of them may import it.
package registry

import (
	"maps"
	"reflect"
	"slices"

	"github.com/parley-im/parley/hooks/payload"
)

// Kind says when a callback runs and whether its answer matters.
type Kind uint8

const (
	// Before callbacks run before any state changes and may refuse or change
	// the operation.
	Before Kind = iota + 1
	// After callbacks report what was committed; the answer is only logged.
	After
)

func (k Kind) String() string {
	switch k {
	case Before:
		return "before"
	case After:
		return "after"
	default:
		return "unknown"
	}
}

// Lane names the subject within which after-events keep their order.
type Lane uint8

const (
	// Conversation orders messages, reads, revokes, pushes and conversation
	// rows by conversation.
	Conversation Lane = iota + 1
	// User orders presence, profiles and relations by user.
	User
	// GroupLane orders group settings and membership by group.
	GroupLane
)

func (l Lane) String() string {
	switch l {
	case Conversation:
		return "conversation"
	case User:
		return "user"
	case GroupLane:
		return "group"
	default:
		return "unknown"
	}
}

// Filters says which filter options of webhooks.yml a callback obeys.
type Filters struct {
	Types     bool // allowedTypes, deniedTypes
	Attention bool // attentionIds
}

// Callback describes one entry of webhooks.yml.
type Callback struct {
	ID      ID
	Key     string // top-level key in webhooks.yml
	Command string // last path segment and callbackCommand, unless overridden
	Kind    Kind
	Group   string // message, push, presence, user, relation, group or conversation
	Lane    Lane
	Filters Filters
	// Versions is the first OpenIM release whose webhooks.yml has the key:
	// "3.7.0", "3.8.1", or "main" for the development head after 3.8.3.
	Versions string
	// NeverUpstream marks keys that OpenIM accepts and never fires.
	NeverUpstream bool
	// Aliases are commands that an older release sent, or that the public
	// documentation prints, for the same event. They are never sent unless the
	// operator sets one as the callback's command.
	Aliases []string
	// LegacyOf is the key of the endpoint that current clients use instead,
	// for the keys that only a deprecated endpoint fires.
	LegacyOf string
	// Request and Answer are the types of the two bodies: structs of payload.
	Request, Answer reflect.Type
	Doc             string
}

// All returns the callbacks in the order of the catalogue. The caller owns
// the slice; Aliases are shared and must not be changed.
func All() []Callback { return slices.Clone(table[1:]) }

// Of returns a callback by its number.
func Of(id ID) Callback { return table[id] }

// Lookup finds a callback by its exact key.
func Lookup(key string) (Callback, bool) {
	i, ok := byKey[key]
	if !ok {
		return Callback{}, false
	}
	return table[i], true
}

// ByCommand finds a callback by the command it sends. Aliases do not count.
func ByCommand(command string) (Callback, bool) {
	i, ok := byCommand[command]
	if !ok {
		return Callback{}, false
	}
	return table[i], true
}

// OldNames maps the keys that releases up to 3.6 used under `callback:` to
// today's keys. The value is "" for a callback that no longer exists.
func OldNames() map[string]string { return maps.Clone(oldNames) }

var byKey, byCommand = index()

// index completes the table and makes its indexes.
func index() (keys, commands map[string]int) {
	keys = make(map[string]int, len(table))
	commands = make(map[string]int, len(table))
	for i := 1; i < len(table); i++ {
		c, body := &table[i], bodies[i]
		if body.answer == nil {
			body.answer = payload.Answer{}
		}
		c.ID, c.Request, c.Answer = ID(i), reflect.TypeOf(body.sample), reflect.TypeOf(body.answer)
		keys[c.Key] = i
		commands[c.Command] = i
	}
	return keys, commands
}
