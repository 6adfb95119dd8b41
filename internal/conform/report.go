package conform

import (
	"fmt"
	"io"
	"strings"
)

var marks = map[Outcome]string{Passed: "ok", Failed: "FAIL", NotObservable: "?", NotJudged: "-"}

// WriteTo writes the report for people: a line for each check, and under a failed
// one what was sent, what came back, why it matters and how to mend it.
func (r *Report) WriteTo(w io.Writer) (int64, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", r.URL)
	other := 0
	for _, c := range r.Results {
		fmt.Fprintf(&b, "%-4s  %-23s  %s", marks[c.Outcome], c.Check, c.Rule)
		switch c.Outcome {
		case Failed:
			fmt.Fprintf(&b, "\n        sent  %s\n        got   %s\n        why   %s\n        mend  %s\n", c.Sent, c.Got, c.Why, c.Mend)
			continue
		case NotObservable, NotJudged:
			other++
			fmt.Fprintf(&b, "\n        %s: %s", c.Outcome, c.Note)
		case Passed:
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "\nscore %d of %d", r.Passed, r.Judged)
	if other > 0 {
		fmt.Fprintf(&b, "; %d checks could not be judged", other)
	}
	b.WriteByte('\n')
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}
