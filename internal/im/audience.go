package im

import (
	"iter"
	"slices"
	"strings"
)

// leafSize is the most ids in a leaf of an Audience; a fuller one is halved.
const leafSize = 512

// Audience is a set of users: whom a message goes to, or who is in a group. It
// never changes, so that whoever was handed one keeps what he was handed. With
// and Without make another that has most of its leaves in common with this one:
// their cost grows with the square root of the set, not with the set.
type Audience struct {
	leaves [][]string // each sorted, not empty, and before the next
	size   int
}

// AudienceOf returns the set of these users. The slice is the Audience's own
// from then on.
func AudienceOf(userIDs ...string) Audience {
	slices.Sort(userIDs)
	userIDs = slices.Compact(userIDs)
	a := Audience{size: len(userIDs)}
	if len(userIDs) <= leafSize {
		if len(userIDs) > 0 {
			a.leaves = [][]string{userIDs}
		}
		return a
	}
	for leaf := range slices.Chunk(userIDs, leafSize/2) {
		a.leaves = append(a.leaves, leaf)
	}
	return a
}

// Len is the number of users.
func (a Audience) Len() int { return a.size }

// leaf is the index of the leaf that holds a user, if any does.
func (a Audience) leaf(userID string) int {
	i, exact := slices.BinarySearchFunc(a.leaves, userID, func(leaf []string, id string) int { return strings.Compare(leaf[0], id) })
	if !exact && i > 0 {
		i--
	}
	return i
}

// Has reports whether a user is in the set.
func (a Audience) Has(userID string) bool {
	if a.size == 0 {
		return false
	}
	_, found := slices.BinarySearch(a.leaves[a.leaf(userID)], userID)
	return found
}

// All yields the users in order of their ids.
func (a Audience) All() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, leaf := range a.leaves {
			for _, id := range leaf {
				if !yield(id) {
					return
				}
			}
		}
	}
}

// IDs lists the users in order of their ids.
func (a Audience) IDs() []string {
	return slices.AppendSeq(make([]string, 0, a.size), a.All())
}

// With returns the set with further users.
func (a Audience) With(userIDs ...string) Audience {
	fresh := slices.DeleteFunc(slices.Compact(slices.Sorted(slices.Values(userIDs))), a.Has)
	if len(fresh) == 0 {
		return a
	}
	if a.size == 0 {
		return AudienceOf(fresh...)
	}
	out := Audience{size: a.size + len(fresh), leaves: make([][]string, 0, len(a.leaves)+1)}
	for i, leaf := range a.leaves {
		n := len(fresh)
		if i+1 < len(a.leaves) {
			n, _ = slices.BinarySearch(fresh, a.leaves[i+1][0])
		}
		if n == 0 {
			out.leaves = append(out.leaves, leaf)
			continue
		}
		merged := slices.Concat(leaf, fresh[:n])
		fresh = fresh[n:]
		slices.Sort(merged)
		if len(merged) <= leafSize {
			out.leaves = append(out.leaves, merged)
			continue
		}
		for part := range slices.Chunk(merged, leafSize/2) {
			out.leaves = append(out.leaves, part)
		}
	}
	return out
}

// Without returns the set without some users.
func (a Audience) Without(userIDs ...string) Audience {
	gone := slices.DeleteFunc(slices.Compact(slices.Sorted(slices.Values(userIDs))), func(id string) bool { return !a.Has(id) })
	if len(gone) == 0 {
		return a
	}
	out := Audience{size: a.size - len(gone), leaves: make([][]string, 0, len(a.leaves))}
	for i, leaf := range a.leaves {
		n := len(gone)
		if i+1 < len(a.leaves) {
			n, _ = slices.BinarySearch(gone, a.leaves[i+1][0])
		}
		if n > 0 {
			here := gone[:n]
			gone = gone[n:]
			leaf = slices.DeleteFunc(slices.Clone(leaf), func(id string) bool {
				_, found := slices.BinarySearch(here, id)
				return found
			})
		}
		if len(leaf) > 0 {
			out.leaves = append(out.leaves, leaf)
		}
	}
	return out
}
