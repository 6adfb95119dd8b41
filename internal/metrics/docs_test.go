package metrics_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/parley-im/parley/internal/metrics"
)

var update = flag.Bool("update", false, "write the table of docs/operations.md")

const (
	docs      = "../../docs/operations.md"
	tableFrom = "<!-- metrics: made by `make gen` -->\n"
	tableTo   = "<!-- end of metrics -->\n"
)

// TestDocs: the page for operators lists every figure, as it is here.
func TestDocs(t *testing.T) {
	raw, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(raw), tableFrom)
	have, after, ok2 := strings.Cut(rest, tableTo)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", docs)
	}
	var want strings.Builder
	want.WriteString("\n| Metric | Kind | Labels | Meaning |\n|---|---|---|---|\n")
	for _, f := range metrics.Figures() {
		labels := ""
		if len(f.Labels) > 0 {
			labels = "`" + strings.Join(f.Labels, "`, `") + "`"
		}
		fmt.Fprintf(&want, "| `%s` | %s | %s | %s |\n", f.Name, f.Kind(), labels, f.Help)
	}
	want.WriteString("\n")
	if have == want.String() {
		return
	}
	if !*update {
		t.Fatalf("%s is out of date: make gen", docs)
	}
	if err := os.WriteFile(docs, []byte(before+tableFrom+want.String()+tableTo+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
