package packaging

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/parley-im/parley/test/harness"
)

// The unit forbids no system call and no kind of socket that the server uses: it
// is watched while it starts, serves, is backed up, restarts and stops, as an
// ordinary user.
func TestUnitAllowsWhatTheServerCalls(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp(scratch, "watched")
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	// SQLite, as root, makes calls that it makes for nobody else.
	as := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() == 0 {
		for _, d := range []string{dir, data} {
			if err := os.Chown(d, 65532, 65532); err != nil {
				t.Fatal(err)
			}
		}
		as.Credential = &syscall.Credential{Uid: 65532, Gid: 65532}
	}
	program := binary(t, hostArch(t))
	_, u := unit(t, program, data)
	calls, readyFile := filepath.Join(dir, "calls"), filepath.Join(dir, "ready.json")
	var said output
	server := exec.CommandContext(t.Context(), "strace", "-f", "-qq", "-o", calls,
		program, "serve", "--data", data, "--api-addr", "127.0.0.1:0", "--ws-addr", "127.0.0.1:0", "--ready-file", readyFile)
	server.Dir, server.Env, server.SysProcAttr = dir, []string{}, as
	server.Stdout, server.Stderr = &said, &said
	if err := server.Start(); err != nil {
		t.Fatalf("%v; on Debian: apt-get install strace", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	ready := func() (s *harness.Server, pid int) {
		within(t, func() error {
			select {
			case err := <-ended:
				t.Fatalf("ended: %v\n%s", err, said.String())
			default:
			}
			b, err := os.ReadFile(readyFile)
			if err != nil {
				return err
			}
			var process struct{ PID int }
			if err := json.Unmarshal(b, &process); err != nil {
				return err
			}
			pid = process.PID
			s = new(harness.Server)
			return json.Unmarshal(b, s)
		})
		return s, pid
	}
	s, pid := ready()
	defer func() { _ = syscall.Kill(pid, syscall.SIGKILL) }()
	chat(t, s)
	run(t, program, "config", "reload", "--data", data)
	run(t, program, "backup", filepath.Join(t.TempDir(), "archive"), "--data", data)
	if err := os.Remove(readyFile); err != nil {
		t.Fatal(err)
	}
	if err := s.PostAdmin("/restart", struct{}{}, nil); err != nil {
		t.Fatal(err)
	}
	again, pid := ready()
	chat(t, again)
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("ended with %v\n%s", err, said.String())
	}

	log, err := os.ReadFile(calls)
	if err != nil {
		t.Fatal(err)
	}
	used, families := map[string]bool{}, map[string]bool{}
	for line := range strings.Lines(string(log)) {
		if m := regexp.MustCompile(`^\d+ +(\w+)\((AF_\w+)?`).FindStringSubmatch(line); m != nil {
			used[m[1]] = true
			if m[1] == "socket" {
				families[m[2]] = true
			}
		}
	}
	if !used["fsync"] || !used["accept4"] || !used["execve"] || !families["AF_UNIX"] {
		t.Errorf("this is not all it called: %v %v", used, families)
	}
	allowed := map[string]bool{}
	for _, filter := range u["SystemCallFilter"] {
		names, forbidden := strings.CutPrefix(filter, "~")
		for _, name := range strings.Fields(names) {
			for _, call := range syscallGroup(t, name) {
				allowed[call] = !forbidden
			}
		}
	}
	for call := range used {
		if !allowed[call] {
			t.Errorf("the unit forbids %s", call)
		}
	}
	for family := range families {
		if !slices.Contains(strings.Fields(u["RestrictAddressFamilies"][0]), family) {
			t.Errorf("the unit forbids sockets of kind %s", family)
		}
	}
}

// syscallGroup is what systemd means by a group of system calls.
func syscallGroup(t *testing.T, name string) []string {
	t.Helper()
	if !strings.HasPrefix(name, "@") {
		return []string{name}
	}
	var calls []string
	for line := range strings.Lines(run(t, "systemd-analyze", "syscall-filter", "--no-pager", name)) {
		line = strings.TrimSpace(line)
		if line == "" || line == name || strings.HasPrefix(line, "#") {
			continue
		}
		calls = append(calls, syscallGroup(t, line)...)
	}
	return calls
}
