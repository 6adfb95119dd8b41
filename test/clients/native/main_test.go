// Package native drives a parley server with the official Go client core, the
// one inside the mobile and desktop SDKs, unmodified: real sockets, its own
// SQLite database per device. The tests assert what an app would see.
//
// The core races with itself, so this binary runs without the race detector;
// TestRaceSmoke puts it into the server instead.
package native

import (
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/openimsdk/tools/log"
	"github.com/parley-im/parley/test/harness"
)

// shared is the server of all tests that do not need one of their own.
var shared *harness.Server

// sharedData is its data directory.
var sharedData string

// binaries is where tests build further servers.
var binaries string

// s3 is the S3 server of the tests that need one; the first starts it.
var s3 = sync.OnceValues(func() (*harness.S3, error) { return harness.StartS3(binaries) })

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "parley-native-")
	if err != nil {
		return failed(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binaries = dir

	// Without a logger the client core writes everything to standard output. An
	// app's own lines go there, too.
	if err := log.InitLoggerFromConfig("sdk", "", "test", "Linux", log.LevelError, false, false, dir, 1, 24, "v", true); err != nil {
		return failed(err)
	}
	binary, err := harness.Build(dir, false)
	if err != nil {
		return failed(err)
	}
	if sharedData, err = os.MkdirTemp(dir, "data-"); err != nil {
		return failed(err)
	}
	if shared, err = harness.Start(harness.Options{Binary: binary, DataDir: sharedData}); err != nil {
		return failed(err)
	}
	taps, err := tap(shared)
	if err != nil {
		return failed(err)
	}
	code := m.Run()
	for _, t := range taps {
		if err := t.Close(); err != nil {
			return failed(err)
		}
	}
	if err := shared.Stop(); err != nil {
		return failed(err)
	}
	if code == 0 && everything() {
		if err := observed.settle(); err != nil {
			return failed(err)
		}
	}
	if code != 0 {
		fmt.Fprintf(os.Stderr, "the shared server wrote:\n%s\n", shared.Output())
	}
	return code
}

// tap lets every client of the server pass by the ledger.
func tap(server *harness.Server) (taps []*harness.Tap, err error) {
	for _, at := range []*string{&server.API, &server.WS} {
		t, err := harness.NewTap(*at, observed.saw)
		if err != nil {
			return taps, err
		}
		*at, taps = t.URL, append(taps, t)
	}
	return taps, nil
}

// everything: no flag leaves tests out of this run.
func everything() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != "" {
			return false
		}
	}
	return true
}

func failed(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}
