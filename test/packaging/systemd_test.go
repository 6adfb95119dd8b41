package packaging

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// unit is the systemd unit, with other paths in place of those of an installed
// machine.
func unit(t *testing.T, program, data string) (file string, settings map[string][]string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, "deploy/systemd/parley.service"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("/usr/local/bin/parley", program, "/var/lib/parley", data).Replace(string(b))
	file = filepath.Join(t.TempDir(), "parley.service")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	settings = map[string][]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(line, "#") {
			settings[name] = append(settings[name], value)
		}
	}
	return file, settings
}

// systemd finds nothing to complain of, and grades the protection.
func TestUnitIsValid(t *testing.T) {
	t.Parallel()
	file, _ := unit(t, binary(t, hostArch(t)), "/var/lib/parley")
	if said := run(t, "systemd-analyze", "verify", "--man=no", "--recursive-errors=no", file); said != "" {
		t.Errorf("systemd-analyze verify: %s", said)
	}
	security := run(t, "systemd-analyze", "security", "--offline=true", "--no-pager", file)
	grade := regexp.MustCompile(`Overall exposure level for parley.service: ([\d.]+)`).FindStringSubmatch(security)
	if grade == nil {
		t.Fatalf("no grade in\n%s", security)
	}
	t.Logf("systemd's exposure level, 0 to 10: %s", grade[1])
	if level, err := strconv.ParseFloat(grade[1], 64); err != nil || level > 2 {
		t.Errorf("exposed at level %s:\n%s", grade[1], security)
	}
}

// The unit's commands do what systemd expects of them: starting tells when it is
// ready, reloading says whether the configuration was taken, stopping is clean.
func TestUnitCommands(t *testing.T) {
	t.Parallel()
	program, data, conf := binary(t, hostArch(t)), t.TempDir(), configDir(t)
	_, u := unit(t, program, data)
	socket := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = manager.Close() }()
	told := func() string {
		if err := manager.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 256)
		n, err := manager.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
	env := slices.Concat(strings.Fields(u["Environment"][0]), []string{"CONFIG_PATH=" + conf, "NOTIFY_SOCKET=" + socket})
	command := func(setting string, more ...string) *exec.Cmd {
		if len(u[setting]) != 1 {
			t.Fatalf("%s is %q", setting, u[setting])
		}
		argv := append(strings.Fields(u[setting][0]), more...)
		cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
		cmd.Env = env
		return cmd
	}
	if got := u["Type"]; !slices.Equal(got, []string{"notify"}) {
		t.Errorf("Type is %v", got)
	}

	var said output
	server := command("ExecStart", "--api-addr", "127.0.0.1:0", "--ws-addr", "127.0.0.1:0")
	server.Stdout, server.Stderr = &said, &said
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	defer func() { _ = server.Process.Kill() }()
	if state := told(); state != "READY=1" {
		t.Fatalf("systemd is told %q:\n%s", state, said.String())
	}

	webhooks := filepath.Join(conf, "webhooks.yml")
	edit := func(text string) {
		if err := os.WriteFile(webhooks, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	edit("url: http://127.0.0.1:10006/callbackExample\nbeforeSendSingleMsg:\n  enabel: true\n")
	if out, err := command("ExecReload").CombinedOutput(); err == nil || !strings.Contains(string(out), "webhooks.yml:3") {
		t.Errorf("reload of a mistake: %v\n%s", err, out)
	}
	edit("url: http://127.0.0.1:10006/another\n")
	if out, err := command("ExecReload").CombinedOutput(); err != nil {
		t.Errorf("reload: %v\n%s", err, out)
	}

	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if state := told(); state != "STOPPING=1" {
		t.Errorf("systemd is told %q", state)
	}
	if err := <-ended; err != nil {
		t.Errorf("ended with %v\n%s", err, said.String())
	}
	stop, err := strconv.Atoi(u["TimeoutStopSec"][0])
	if err != nil || time.Duration(stop)*time.Second <= drainTime(t) {
		t.Errorf("is killed after %v", u["TimeoutStopSec"])
	}
	// The interfaces of the machine are asked for over netlink.
	if !strings.Contains(u["RestrictAddressFamilies"][0], "AF_NETLINK") {
		t.Error("webhooks cannot tell the machine's own addresses")
	}
}
