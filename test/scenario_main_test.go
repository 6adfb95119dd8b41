package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/parley-im/parley/internal/store/storetest"
)

// Tests whose names begin with S and a number are acceptance scenarios of the
// webhooks, from what people who ran OpenIM's callbacks complained about. The
// numbers are those of the requirements; TestEveryScenarioHasATest holds them
// together.

// TestMain builds the server once for all tests of this package, unless
// PARLEY_BIN names one.
func TestMain(m *testing.M) { storetest.Main(withBinary{m}) }

type withBinary struct{ *testing.M }

func (m withBinary) Run() int {
	if os.Getenv("PARLEY_BIN") == "" {
		dir, err := os.MkdirTemp("", "parley-test-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(dir) }()
		binary := filepath.Join(dir, "parley")
		if out, err := exec.Command("go", "build", "-o", binary, "github.com/parley-im/parley/cmd/parley").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
			return 1
		}
		if err := os.Setenv("PARLEY_BIN", binary); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.M.Run()
}
