package store

import (
	"fmt"
	"testing"
)

// Groups may be large: what is remembered of them is bounded by their members,
// not by their number.
func TestMemberCacheIsBounded(t *testing.T) {
	c := newRuleCache()
	group := make([]string, 10_000)
	const groups = 1000
	for i := range groups {
		c.members.put(uint64(i), fmt.Sprint(i), group, 0, 0)
		if _, ok := c.members.get(uint64(i), fmt.Sprint(i), 0, 0); !ok {
			t.Fatalf("group %d was not kept", i)
		}
		c.members.put(uint64(i), fmt.Sprint(i), group[:10], 1, 0) // it shrinks …
		c.members.put(uint64(i), fmt.Sprint(i), group, 2, 0)      // … and grows
	}
	kept := 0
	for i := range groups {
		if ids, ok := c.members.get(uint64(i), fmt.Sprint(i), 2, 0); ok {
			kept += len(ids)
		}
	}
	if limit := memberCacheShard * len(c.members.shards); kept > limit || kept < limit/4 {
		t.Errorf("%d user ids are kept, want up to %d", kept, limit)
	}
}
