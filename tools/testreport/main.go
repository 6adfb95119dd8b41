// Command testreport reads the events of `go test -json` on standard input and
// prints what a person wants to see: one line per package, and everything a
// failed test wrote. Of passing tests it shows attributes (testing.T.Attr) only.
// It fails on what go test lets through: a skipped test, and a run of no tests
// at all.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

func main() {
	counts := flag.String("counts", "", "append a line with the numbers of passed and failed tests to this `file`")
	flag.Parse()
	r := newReport(os.Stdout)
	if err := r.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		os.Exit(2)
	}
	ok := r.finish()
	if *counts != "" {
		if err := appendLine(*counts, fmt.Sprintf("%d %d\n", r.passed, r.failed)); err != nil {
			fmt.Fprintln(os.Stderr, "testreport:", err)
			os.Exit(2)
		}
	}
	if !ok {
		os.Exit(1)
	}
}

func appendLine(name, line string) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(line); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}

// event is what `go doc cmd/test2json` and `go help buildjson` describe.
type event struct {
	Action     string
	Package    string
	ImportPath string // instead of Package in build events
	Test       string
	Elapsed    float64
	Output     string
	Key, Value string // of an attribute
}

type report struct {
	out            io.Writer
	passed, failed int
	packages       map[string]*pkg
}

type pkg struct {
	passed, failed int
	output         strings.Builder             // of no test in particular
	running        map[string]*strings.Builder // by test
}

func newReport(out io.Writer) *report {
	return &report{out: out, packages: map[string]*pkg{}}
}

func (r *report) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			r.line(line)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read events: %w", err)
		}
	}
}

func (r *report) line(line string) {
	var e event
	if err := json.Unmarshal([]byte(line), &e); err != nil || e.Action == "" {
		fmt.Fprint(r.out, line) // not an event: go test itself has something to say
		return
	}
	switch {
	case e.Action == "build-output":
		fmt.Fprint(r.out, e.Output)
	case e.Action == "build-fail": // the package's own fail event follows
	case e.Test != "":
		r.test(r.pkg(e.Package), e)
	default:
		r.packageEvent(r.pkg(e.Package), e)
	}
}

func (r *report) pkg(name string) *pkg {
	p := r.packages[name]
	if p == nil {
		p = &pkg{running: map[string]*strings.Builder{}}
		r.packages[name] = p
	}
	return p
}

func (r *report) test(p *pkg, e event) {
	switch e.Action {
	case "run":
		p.running[e.Test] = &strings.Builder{}
	case "output":
		if out := p.running[e.Test]; out != nil {
			out.WriteString(e.Output)
		}
	case "attr": // what a test says of itself even if it passes
		fmt.Fprintf(r.out, "     %s: %s: %s\n", e.Test, e.Key, e.Value)
	case "pass":
		p.passed++
		delete(p.running, e.Test)
	case "fail":
		r.fail(p, e.Package, e.Test, "FAILED")
	case "skip":
		r.fail(p, e.Package, e.Test, "SKIPPED, and no test may be")
	}
}

func (r *report) fail(p *pkg, name, test, how string) {
	p.failed++
	fmt.Fprintf(r.out, "---- %s %s: %s\n", name, test, how)
	if out := p.running[test]; out != nil {
		fmt.Fprint(r.out, out.String())
	}
	delete(p.running, test)
}

func (r *report) packageEvent(p *pkg, e event) {
	switch e.Action {
	case "output":
		p.output.WriteString(e.Output)
	case "pass", "fail":
		r.close(p, e)
	}
}

// close ends a package. A test still running then took the process down with
// it; a package that failed without a failed test did not build, or its TestMain
// gave up.
func (r *report) close(p *pkg, e event) {
	verdict := "ok  "
	if e.Action == "fail" {
		verdict = "FAIL"
		unfinished := make([]string, 0, len(p.running))
		for test := range p.running {
			unfinished = append(unfinished, test)
		}
		slices.Sort(unfinished)
		for _, test := range unfinished {
			r.fail(p, e.Package, test, "NOT FINISHED")
		}
		if p.failed == 0 {
			p.failed = 1
		}
		fmt.Fprint(r.out, p.output.String())
	}
	fmt.Fprintf(r.out, "%s %s %.1fs: %d passed, %d failed\n", verdict, e.Package, e.Elapsed, p.passed, p.failed)
	r.passed += p.passed
	r.failed += p.failed
	delete(r.packages, e.Package)
}

// finish accounts for packages whose end was never reported and says whether
// the run was good.
func (r *report) finish() bool {
	for name, p := range r.packages {
		if len(p.running) > 0 || p.passed+p.failed > 0 {
			r.close(p, event{Action: "fail", Package: name})
		}
	}
	if r.passed+r.failed == 0 {
		r.failed = 1
		fmt.Fprintln(r.out, "FAIL: no test was run")
	}
	return r.failed == 0
}
