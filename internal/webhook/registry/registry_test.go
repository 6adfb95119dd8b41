package registry

import (
	"slices"
	"strings"
	"testing"
)

// Commands that do not follow from their key. Handlers route on these exact
// strings, so each one is pinned here.
var irregular = map[string]string{
	"afterRevokeMsg":          "callbackBeforeAfterMsgCommand",
	"beforeMemberJoinGroup":   "callbackBeforeMembersJoinGroupCommand",
	"beforeInviteUserToGroup": "callbackBeforeInviteJoinGroupCommand",
	"beforeApplyJoinGroup":    "callbackBeforeJoinGroupCommand",
	"afterKickGroupMember":    "callbackAfterKickGroupCommand",
	"afterDismissGroup":       "callbackAfterDisMissGroupCommand",
}

func regular(key string) string {
	return "callback" + strings.ToUpper(key[:1]) + key[1:] + "Command"
}

func TestTable(t *testing.T) {
	t.Parallel()
	all := All()
	if len(all) != 53 {
		t.Fatalf("%d callbacks, want 53", len(all))
	}
	groups := []string{"message", "push", "presence", "user", "relation", "group", "conversation"}
	commands := make(map[string]string)
	for _, c := range all {
		want, odd := irregular[c.Key]
		if !odd {
			want = regular(c.Key)
		}
		if c.Command != want {
			t.Errorf("%s sends %q, want %q", c.Key, c.Command, want)
		}
		if other, taken := commands[c.Command]; taken {
			t.Errorf("%s and %s share the command %s", other, c.Key, c.Command)
		}
		commands[c.Command] = c.Key
		if got := strings.HasPrefix(c.Key, "before"); got != (c.Kind == Before) {
			t.Errorf("%s has kind %s", c.Key, c.Kind)
		}
		if !slices.Contains(groups, c.Group) {
			t.Errorf("%s is in unknown group %q", c.Key, c.Group)
		}
		if c.Lane < Conversation || c.Lane > GroupLane {
			t.Errorf("%s has no lane", c.Key)
		}
		if !slices.Contains([]string{"3.7.0", "3.8.1", "main"}, c.Versions) {
			t.Errorf("%s has version %q", c.Key, c.Versions)
		}
		if name := strings.ToUpper(c.Key[:1]) + c.Key[1:]; Of(c.ID).Key != c.Key || idNames[c.ID] != name {
			t.Errorf("%s has the number of %s", c.Key, idNames[c.ID])
		}
		if c.Doc == "" {
			t.Errorf("%s is not described", c.Key)
		}
		if c.LegacyOf != "" {
			if _, ok := Lookup(c.LegacyOf); !ok {
				t.Errorf("%s points to unknown key %s", c.Key, c.LegacyOf)
			}
		}
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	for _, c := range All() {
		byKey, ok := Lookup(c.Key)
		if !ok || byKey.Command != c.Command {
			t.Errorf("Lookup(%s) = %v, %v", c.Key, byKey, ok)
		}
		byCommand, ok := ByCommand(c.Command)
		if !ok || byCommand.Key != c.Key {
			t.Errorf("ByCommand(%s) = %v, %v", c.Command, byCommand, ok)
		}
	}
	if _, ok := Lookup("callbackBeforeSendSingleMsgCommand"); ok {
		t.Error("a command was accepted as a key")
	}
	if _, ok := ByCommand("callbackAfterRevokeMsgCommand"); ok {
		t.Error("an alias was accepted as a command")
	}
}

func TestAliasesAreNotSent(t *testing.T) {
	t.Parallel()
	seen := make(map[string]string)
	for _, c := range All() {
		for _, a := range c.Aliases {
			if sent, ok := ByCommand(a); ok {
				t.Errorf("alias %s of %s is what %s sends", a, c.Key, sent.Key)
			}
			if other, ok := seen[a]; ok {
				t.Errorf("alias %s belongs to both %s and %s", a, other, c.Key)
			}
			seen[a] = c.Key
		}
	}
}

func TestOldNames(t *testing.T) {
	t.Parallel()
	for old, current := range OldNames() {
		if _, ok := Lookup(old); ok {
			t.Errorf("old name %s is still a key", old)
		}
		if current == "" {
			continue
		}
		if _, ok := Lookup(current); !ok {
			t.Errorf("old name %s leads to unknown key %s", old, current)
		}
	}
}

func TestCopiesAreIndependent(t *testing.T) {
	t.Parallel()
	All()[0].Key = "changed"
	OldNames()["userOnline"] = "changed"
	if All()[0].Key != "beforeSendSingleMsg" || OldNames()["userOnline"] != "afterUserOnline" {
		t.Error("a caller changed the table")
	}
}
