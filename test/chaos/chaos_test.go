// Package chaos kills the server with SIGKILL under load, again and again on the
// same data, and checks with a simple model that it kept its promises: what was
// acked is stored once and as it was acked; seqs have no gaps; what a client was
// shown is in the log; every stored message is told to the business server, in
// order and under one id, and nothing else is; refused messages leave no trace.
//
// That the model can find such faults is tested too: servers that were built
// with one promise taken out must fail.
//
// PARLEY_CHAOS_ROUNDS sets the number of crashes, PARLEY_CHAOS_SEED repeats one
// seed, PARLEY_BIN names a server that is built already. A seed fixes what clients send, how the business server behaves and what
// each crash waits for; the operating system's scheduling stays random.
package chaos

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/parley-im/parley/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// fixedSeeds are run besides a random one.
var fixedSeeds = []uint64{1, 2, 3}

// postgresShare of the rounds, at least postgresLeast, run on PostgreSQL.
const (
	postgresShare = 5
	postgresLeast = 3
)

func TestCrash(t *testing.T) {
	t.Parallel()
	rounds := rounds(t)
	seeds := append(fixedSeeds, rand.Uint64N(1<<32))
	if given := os.Getenv("PARLEY_CHAOS_SEED"); given != "" {
		seed, err := strconv.ParseUint(given, 10, 64)
		if err != nil {
			t.Fatalf("PARLEY_CHAOS_SEED: %v", err)
		}
		seeds = []uint64{seed}
	}
	random := seeds[len(seeds)-1]
	binary := os.Getenv("PARLEY_BIN")
	if binary == "" {
		binary = build(t, t.TempDir())
	}
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		campaign{binary: binary, postgresURL: storetest.PostgresURL(t), seed: random, rounds: max(rounds/postgresShare, postgresLeast)}.mustPass(t)
	})
	for _, seed := range seeds {
		t.Run("sqlite "+strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			campaign{binary: binary, seed: seed, rounds: (rounds + len(seeds) - 1) / len(seeds)}.mustPass(t)
		})
	}
}

func rounds(t *testing.T) int {
	t.Helper()
	given := os.Getenv("PARLEY_CHAOS_ROUNDS")
	if given == "" {
		return 20
	}
	n, err := strconv.Atoi(given)
	if err != nil || n < 1 {
		t.Fatalf("PARLEY_CHAOS_ROUNDS: %q is not a number of rounds", given)
	}
	return n
}

// faultsShown bounds the report: after the first fault the others are mostly
// its consequences.
const faultsShown = 5

func (k campaign) mustPass(t *testing.T) {
	t.Helper()
	faults := k.run(t)
	for _, f := range faults[:min(len(faults), faultsShown)] {
		t.Error(f)
	}
	if len(faults) > 0 {
		t.Errorf("%d faults; PARLEY_CHAOS_SEED=%d repeats the seed", len(faults), k.seed)
	}
}

// build makes a server from the repository, with more flags if given.
func build(t *testing.T, dir string, flags ...string) (binary string) {
	t.Helper()
	binary = filepath.Join(dir, "parley")
	args := append(append([]string{"build", "-o", binary}, flags...), "github.com/parley-im/parley/cmd/parley")
	if out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}
