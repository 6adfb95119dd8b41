package main

import (
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	t.Parallel()
	const prefix = `{"Action":"run","Package":"p","Test":"TestA"}` + "\n" +
		`{"Action":"output","Package":"p","Test":"TestA","Output":"written by A\n"}` + "\n"
	for _, tc := range []struct {
		name           string
		in             string
		passed, failed int
		says, hides    string
	}{
		{
			name: "passed tests are counted and their output is not shown",
			in: prefix + `{"Action":"run","Package":"p","Test":"TestA/sub"}` + "\n" +
				`{"Action":"pass","Package":"p","Test":"TestA/sub"}` + "\n" +
				`{"Action":"pass","Package":"p","Test":"TestA"}` + "\n" +
				`{"Action":"pass","Package":"p","Elapsed":1.5}` + "\n",
			passed: 2, says: "ok   p 1.5s: 2 passed, 0 failed", hides: "written by A",
		},
		{
			name: "a passed test's attributes are shown",
			in: prefix + `{"Action":"attr","Package":"p","Test":"TestA","Key":"cells","Value":"5 of 6"}` + "\n" +
				`{"Action":"pass","Package":"p","Test":"TestA"}` + "\n" + `{"Action":"pass","Package":"p"}` + "\n",
			passed: 1, says: "TestA: cells: 5 of 6", hides: "written by A",
		},
		{
			name:   "a failed test shows its output",
			in:     prefix + `{"Action":"fail","Package":"p","Test":"TestA"}` + "\n" + `{"Action":"fail","Package":"p"}` + "\n",
			failed: 1, says: "written by A",
		},
		{
			name:   "a skipped test is a failure",
			in:     prefix + `{"Action":"skip","Package":"p","Test":"TestA"}` + "\n" + `{"Action":"pass","Package":"p"}` + "\n",
			failed: 1, says: "SKIPPED",
		},
		{
			name:   "a test that took the process down is a failure",
			in:     prefix + `{"Action":"fail","Package":"p"}` + "\n",
			failed: 1, says: "TestA: NOT FINISHED",
		},
		{
			name: "a package that does not build is a failure",
			in: `{"Action":"build-output","ImportPath":"p","Output":"p.go:1: nonsense\n"}` + "\n" +
				`{"Action":"build-fail","ImportPath":"p"}` + "\n" + `{"Action":"fail","Package":"p"}` + "\n",
			failed: 1, says: "p.go:1: nonsense",
		},
		{
			name:   "a stream that ends early is a failure",
			in:     prefix,
			failed: 1, says: "NOT FINISHED",
		},
		{
			name:   "a package without test files alone is a run of no tests",
			in:     `{"Action":"output","Package":"p","Output":"?  p [no test files]\n"}` + "\n" + `{"Action":"skip","Package":"p"}` + "\n",
			failed: 1, says: "no test was run",
		},
		{name: "no input is a run of no tests", failed: 1, says: "no test was run"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			r := newReport(&out)
			if err := r.read(strings.NewReader(tc.in)); err != nil {
				t.Fatal(err)
			}
			ok := r.finish()
			if r.passed != tc.passed || r.failed != tc.failed {
				t.Errorf("counted %d passed, %d failed; want %d, %d", r.passed, r.failed, tc.passed, tc.failed)
			}
			if ok != (tc.failed == 0) {
				t.Errorf("good = %v", ok)
			}
			if !strings.Contains(out.String(), tc.says) {
				t.Errorf("wrote %q without %q", out.String(), tc.says)
			}
			if tc.hides != "" && strings.Contains(out.String(), tc.hides) {
				t.Errorf("wrote %q, which holds %q", out.String(), tc.hides)
			}
		})
	}
}
