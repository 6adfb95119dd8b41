package im

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// An Audience does what a set does, and earlier ones stay as they were.
func TestAudience(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	id := func() string { return fmt.Sprintf("u%05d", r.IntN(5000)) }
	model := map[string]bool{}
	a := AudienceOf()
	var before Audience
	var beforeIDs []string
	for step := range 400 {
		some := make([]string, 1+r.IntN(1+step%700))
		for i := range some {
			some[i] = id()
		}
		if step%50 == 0 {
			before, beforeIDs = a, a.IDs()
		}
		if r.IntN(2) == 0 || len(model) < 500 {
			a = a.With(some...)
			for _, u := range some {
				model[u] = true
			}
		} else {
			a = a.Without(some...)
			for _, u := range some {
				delete(model, u)
			}
		}
		ids := a.IDs()
		if len(ids) != len(model) || a.Len() != len(model) || !slices.IsSorted(ids) {
			t.Fatalf("step %d: %d ids, length %d, want %d", step, len(ids), a.Len(), len(model))
		}
		for _, u := range some {
			if a.Has(u) != model[u] {
				t.Fatalf("step %d: has %s is %v", step, u, a.Has(u))
			}
		}
		for _, leaf := range a.leaves {
			if len(leaf) == 0 || len(leaf) > leafSize {
				t.Fatalf("step %d: a leaf of %d", step, len(leaf))
			}
		}
		if !slices.Equal(before.IDs(), beforeIDs) {
			t.Fatalf("step %d changed an earlier set", step)
		}
	}
	if got := AudienceOf("b", "a", "b").IDs(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("of b, a, b: %v", got)
	}
}
