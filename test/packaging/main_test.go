package packaging

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-im/parley/test/harness"
)

// root is the repository.
const root = "../.."

// scratch is removed at the end.
var scratch string

func TestMain(m *testing.M) {
	var err error
	if scratch, err = os.MkdirTemp("", "parley-packaging-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	// Another user runs what lies in it.
	if err := os.Chmod(scratch, 0o711); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(scratch)
	os.Exit(code)
}

// What the tests call the version they make.
const (
	releaseVersion = "v9.8.7"
	releaseCommit  = "0123456789abcdef0123456789abcdef01234567"
)

// built is the release, made once for all tests.
var built = sync.OnceValues(func() (string, error) {
	dist := filepath.Join(scratch, "dist")
	return dist, release(root, dist, "amd64 arm64")
})

// release runs scripts/release.sh of a working tree.
func release(tree, dist, archs string) error {
	cmd := exec.Command("scripts/release.sh", dist)
	cmd.Dir = tree
	cmd.Env = append(os.Environ(), "VERSION="+releaseVersion, "COMMIT="+releaseCommit, "SOURCE_DATE_EPOCH=1700000000", "ARCHS="+archs)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("release.sh: %w\n%s", err, out)
	}
	return nil
}

// binary is the released program of a platform, unpacked.
func binary(t *testing.T, arch string) string {
	t.Helper()
	unpacked, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(unpacked, "parley_"+strings.TrimPrefix(releaseVersion, "v")+"_linux_"+arch, "parley")
}

// programs is where the archives are unpacked, once for all tests.
var programs = sync.OnceValues(func() (string, error) {
	dist, err := built()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(scratch, "programs")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	archives, err := filepath.Glob(filepath.Join(dist, "*.tar.gz"))
	if err != nil {
		return "", err
	}
	for _, archive := range archives {
		if out, err := exec.Command("tar", "-C", dir, "-xzf", archive).CombinedOutput(); err != nil {
			return "", fmt.Errorf("tar: %w\n%s", err, out)
		}
	}
	return dir, nil
})

// run is a command that must succeed; it returns what it wrote.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// chat has a server make two users, send from one to the other and show the other
// what came.
func chat(t *testing.T, s *harness.Server) {
	t.Helper()
	alice, bob := harness.UserID("alice"), harness.UserID("bob")
	if err := s.Register(alice, bob); err != nil {
		t.Fatal(err)
	}
	text := "hello " + rand.Text()
	var sent struct{ ServerMsgID string }
	if err := s.PostAdmin("/msg/send_msg", map[string]any{
		"sendID": alice, "recvID": bob, "senderPlatformID": 5, "contentType": 101, "sessionType": 1,
		"content": map[string]any{"content": text},
	}, &sent); err != nil {
		t.Fatal(err)
	}
	token, err := s.UserToken(bob, 5)
	if err != nil {
		t.Fatal(err)
	}
	conversation := "si_" + alice + "_" + bob
	var pulled struct {
		Msgs map[string]struct {
			Msgs []struct{ ServerMsgID, Content string }
		}
	}
	if err := s.Post("/msg/pull_msg_by_seq", token, map[string]any{
		"userID": bob, "seqRanges": []any{map[string]any{"conversationID": conversation, "begin": 1, "end": 1, "num": 1}},
	}, &pulled); err != nil {
		t.Fatal(err)
	}
	got := pulled.Msgs[conversation].Msgs
	if len(got) != 1 || got[0].ServerMsgID != sent.ServerMsgID {
		t.Fatalf("pulled %+v, sent %s", got, sent.ServerMsgID)
	}
}

// within calls f until it returns nil, for a minute at most.
func within(t *testing.T, f func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal(errors.Join(ctx.Err(), err))
		}
	}
}
