package store

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/parley-im/parley/internal/im"
)

// What is remembered of groups is bounded by their members, not by their number.
func TestRostersAreBounded(t *testing.T) {
	var c rosters
	members := make([]string, 10_000)
	for i := range members {
		members[i] = fmt.Sprint(i)
	}
	for i := range 1000 {
		id := fmt.Sprint(i)
		_, r, mine := c.get(id)
		if !mine {
			t.Fatalf("group %s is known", id)
		}
		if _, err := c.keep(id, r, members, 1, nil); err != nil {
			t.Fatal(err)
		}
		if got, loading, _ := c.get(id); loading != nil || got.Len() != len(members) {
			t.Fatalf("group %s was not kept", id)
		}
	}
	if kept := len(c.groups) * len(members); kept > rosterLimit || kept < rosterLimit/4 || c.size != kept+len(c.groups) {
		t.Errorf("%d members are kept, counted as %d", kept, c.size)
	}
}

// A roster is what was read and every later change, whichever is heard of first;
// what cannot be told is read anew.
func TestRosterChanges(t *testing.T) {
	change := func(version uint64, joined, left string) []rosterChange {
		c := rosterChange{groupID: "g", version: version}
		if joined != "" {
			c.joined = []string{joined}
		}
		if left != "" {
			c.left = []string{left}
		}
		return []rosterChange{c}
	}
	var c rosters
	load := func(version uint64, ids ...string) {
		t.Helper()
		_, r, mine := c.get("g")
		if !mine {
			t.Fatal("it is known already")
		}
		if _, err := c.keep("g", r, ids, version, nil); err != nil {
			t.Fatal(err)
		}
	}
	want := func(ids ...string) {
		t.Helper()
		got, loading, _ := c.get("g")
		if loading != nil || !slices.Equal(got.IDs(), ids) {
			t.Errorf("members %v, want %v", got.IDs(), ids)
		}
	}
	c.committed(change(1, "x", "")) // of a group nobody asked for
	_, r, _ := c.get("g")
	c.committed(change(2, "b", "")) // while it is read, and it is in what was read
	c.committed(change(3, "c", "")) // while it is read, too late to be in it
	if _, err := c.keep("g", r, []string{"a", "b"}, 2, nil); err != nil {
		t.Fatal(err)
	}
	want("a", "b", "c")
	held, _, _ := c.get("g")
	c.committed(change(2, "", "a")) // reported late, it was read
	c.committed(change(5, "d", "a"))
	c.committed(change(6, "a", "b"))
	want("a", "c", "d")
	if got := held.IDs(); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("what was handed out became %v", got)
	}
	c.committed(change(9, "e", ""))
	c.committed(change(8, "f", "")) // in the wrong order
	load(9, "a", "c", "d", "e", "f")
	want("a", "c", "d", "e", "f")
	c.lost(change(10, "g", ""))
	if _, r, mine := c.get("g"); mine {
		c.lost(change(11, "h", ""))
		if _, err := c.keep("g", r, []string{"a"}, 10, nil); err != nil {
			t.Fatal(err)
		}
	} else {
		t.Error("a lost commit left the roster as it was")
	}
	if _, r, mine := c.get("g"); mine {
		if _, err := c.keep("g", r, nil, 0, errors.New("no database")); err == nil {
			t.Error("no error")
		}
	} else {
		t.Error("a commit lost while it was read left the roster as it was")
	}
	load(11, im.AudienceOf("a", "h").IDs()...)
	want("a", "h")
	if c.size != 3 {
		t.Errorf("counted %d", c.size)
	}
}
