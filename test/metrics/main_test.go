package metrics

import (
	"fmt"
	"os"
	"testing"

	"github.com/parley-im/parley/test/harness"
)

var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "parley-metrics-")
	if err == nil {
		defer func() { _ = os.RemoveAll(dir) }()
		binary, err = harness.Build(dir, false)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}
