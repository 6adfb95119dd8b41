package test

import (
	"encoding/json"
	"strings"
	"testing"
)

// Groups are led through their lives by the benchmark, which checks what it is
// shown: everybody's mark, page and end, and that those outside the group lose
// nothing meanwhile. What it measured is nobody's business here.
func TestGroupLives(t *testing.T) {
	c := startChild(t)
	out, problems, code := parleyCommand(t, []string{"PARLEY_BENCH_SECRET=" + c.Secret},
		"bench", "groups", "--sizes", "30,1300", "--users", "20", "--api", c.API, "--ws", c.WS)
	if code != 0 {
		t.Fatalf("ended with %d: %s", code, problems)
	}
	decoder := json.NewDecoder(strings.NewReader(out))
	for _, size := range []int{30, 1300} {
		var result struct {
			Users  int
			Phases []struct{ Name string }
		}
		if err := decoder.Decode(&result); err != nil {
			t.Fatal(err)
		}
		if result.Users != size || len(result.Phases) != 10 {
			t.Errorf("%d members went through %d steps", result.Users, len(result.Phases))
		}
	}
}
