package test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/parley-im/parley/internal/bench"
)

// runBench runs a work that starts its own servers, with next to no load: what is
// checked is what was counted, never a time.
func runBench(t *testing.T, args ...string) bench.Result {
	t.Helper()
	// Any of the caller's own server is not the one that is measured.
	env := []string{"IMENV_WEBHOOKS_URL=http://127.0.0.1:1"}
	out, errs, code := parleyCommand(t, env, slices.Concat([]string{"bench"}, args, []string{"--warm-up", "50ms", "--rate", "100", "--drain", "50s"})...)
	if code != 0 {
		t.Fatalf("ended with %d: %s", code, errs)
	}
	var r bench.Result
	if err := json.Unmarshal([]byte(out), &r); err != nil || strings.Count(out, "\n") != 1 {
		t.Fatalf("%q: %v", out, err)
	}
	if *r.Violations != (bench.Violations{}) || !strings.Contains(errs, "clean") {
		t.Errorf("not clean: %s\n%s", r.Violations, errs)
	}
	t.Log(errs)
	return r
}

func TestBenchHooks(t *testing.T) {
	t.Parallel()
	r := runBench(t, "hooks", "--users", "4", "--rounds", "2", "--duration", "300ms")
	if len(r.Variants) != 3 || r.Rounds != 2 {
		t.Fatalf("%+v", r)
	}
	for i, c := range []struct{ asked, told bool }{{}, {told: true}, {asked: true}} {
		v := r.Variants[i]
		count := func(yes bool) int64 {
			if yes {
				return v.Messages
			}
			return 0
		}
		if v.Messages == 0 || v.Asked != count(c.asked) || v.Told != count(c.told) || v.ToAck == nil || (v.ToTold != nil) != c.told || (v.Against != nil) != (i > 0) {
			t.Errorf("%+v", v)
		}
	}
}

func TestBenchIsolation(t *testing.T) {
	t.Parallel()
	r := runBench(t, "isolation", "--users", "4", "--rounds", "1", "--duration", "300ms")
	if len(r.Variants) != 2 {
		t.Fatalf("%+v", r)
	}
	for _, v := range r.Variants {
		if v.Messages == 0 || v.Told != v.Messages || v.ToTold == nil {
			t.Errorf("%+v", v)
		}
	}
}

func TestBenchOutage(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"503", "refuse"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			r := runBench(t, "outage", "--users", "40", "--duration", "200ms", "--outage", "1s", "--probe", "200ms", "--fault", fault)
			o := r.Outage
			if o == nil || o.Fault != fault || o.Detected == 0 || o.Probes == 0 || o.Backlog == 0 || o.Drained == 0 || o.Told < o.Backlog {
				t.Fatalf("%+v", o)
			}
			var names []string
			for _, p := range o.Phases {
				names = append(names, p.Name)
			}
			if !slices.Equal(names, []string{"before", "during", "drain", "after"}) || o.Phases[1].ToAck == nil || o.Phases[1].ToTold != nil {
				t.Errorf("phases %v: %+v", names, o.Phases)
			}
		})
	}
}
