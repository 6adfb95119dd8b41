package packaging

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"

	"github.com/parley-im/parley/test/harness"
)

// dockerfile reads the Dockerfile with BuildKit's parser; what its linter says
// fails the test.
func dockerfile(t *testing.T) []instructions.Stage {
	t.Helper()
	f, err := os.Open(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	ast, err := parser.Parse(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range ast.Warnings {
		t.Errorf("Dockerfile: %s", w.Short)
	}
	lint := linter.New(&linter.Config{Warn: func(rule, _, _, msg string, at []parser.Range) {
		t.Errorf("Dockerfile %v: %s: %s", at, rule, msg)
	}})
	stages, args, err := instructions.Parse(ast.AST, lint)
	if err != nil {
		t.Fatal(err)
	}
	if len(args) > 0 {
		t.Errorf("the test knows no ARG before FROM: %v", args)
	}
	return stages
}

// image is what a build makes: a directory and what is said beside it.
type image struct {
	dir    string
	env    []string
	cwd    string
	config struct {
		user, stopSignal        string
		volumes, ports          []string
		entrypoint, cmd, health []string
	}
}

// build carries out the Dockerfile as `docker build` would, with this machine in
// place of the images that stages start from.
func build(t *testing.T, buildArgs map[string]string) *image {
	t.Helper()
	context := buildContext(t)
	stages := map[string]*image{}
	var last *image
	for _, stage := range dockerfile(t) {
		b := builder{t: t, context: context, stages: stages, image: &image{dir: t.TempDir(), cwd: "/"}, args: map[string]string{}, given: buildArgs}
		b.scratch = stage.BaseName == "scratch"
		if !b.scratch {
			b.env = []string{"PATH=" + os.Getenv("PATH")}
		}
		for _, c := range stage.Commands {
			b.step(c)
		}
		stages[stage.Name], last = b.image, b.image
	}
	return last
}

// buildContext is a copy of what .dockerignore lets through.
func buildContext(t *testing.T) string {
	t.Helper()
	f, err := os.Open(filepath.Join(root, ".dockerignore"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	patterns, err := ignorefile.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	ignored, err := patternmatcher.New(patterns)
	if err != nil {
		t.Fatal(err)
	}
	all, dir := t.TempDir(), t.TempDir()
	copyTree(t, all)
	err = filepath.WalkDir(all, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		relative, err := filepath.Rel(all, name)
		if err != nil {
			return err
		}
		skip, err := ignored.MatchesOrParentMatches(relative)
		if err != nil || skip {
			return err
		}
		dest := filepath.Join(dir, relative)
		if err := os.MkdirAll(filepath.Dir(dest), 0o755); err != nil {
			return err
		}
		return os.Rename(name, dest)
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// builder carries out one stage.
type builder struct {
	*image
	t       *testing.T
	context string
	scratch bool
	stages  map[string]*image
	args    map[string]string // in scope
	given   map[string]string // by --build-arg
}

// platformArgs are set by every build.
var platformArgs = map[string]string{"TARGETOS": "linux", "TARGETARCH": runtime.GOARCH}

// expand replaces variables; an unknown one fails the test.
func (b *builder) expand(word string) (string, error) {
	env := slices.Clone(b.env)
	for name, value := range b.args {
		env = append(env, name+"="+value)
	}
	got, unmatched, err := shell.NewLex('\\').ProcessWord(word, shell.EnvsFromSlice(env))
	for name := range unmatched {
		b.t.Errorf("%q uses %s, which is not set there", word, name)
	}
	return got, err
}

func (b *builder) step(c instructions.Command) {
	b.t.Helper()
	if e, ok := c.(instructions.SupportsSingleWordExpansion); ok {
		if err := e.Expand(b.expand); err != nil {
			b.t.Fatal(err)
		}
	}
	switch c := c.(type) {
	case *instructions.ArgCommand:
		for _, a := range c.Args {
			if value, ok := b.given[a.Key]; ok {
				b.args[a.Key] = value
			} else if value, ok := platformArgs[a.Key]; ok {
				b.args[a.Key] = value
			} else if a.Value != nil {
				b.args[a.Key] = *a.Value
			}
		}
	case *instructions.EnvCommand:
		for _, kv := range c.Env {
			b.env = append(b.env, kv.Key+"="+kv.Value)
		}
	case *instructions.WorkdirCommand:
		b.cwd = path.Join("/", b.cwd, c.Path)
		if !path.IsAbs(c.Path) {
			b.t.Errorf("WORKDIR %s is relative", c.Path)
		}
		b.mkdir(b.cwd)
	case *instructions.CopyCommand:
		b.copy(c)
	case *instructions.RunCommand:
		b.run(c)
	case *instructions.UserCommand:
		b.config.user = c.User
	case *instructions.VolumeCommand:
		b.config.volumes = append(b.config.volumes, c.Volumes...)
	case *instructions.ExposeCommand:
		b.config.ports = append(b.config.ports, c.Ports...)
	case *instructions.StopSignalCommand:
		b.config.stopSignal = c.Signal
	case *instructions.HealthCheckCommand:
		b.config.health = c.Health.Test
	case *instructions.EntrypointCommand:
		b.exec("ENTRYPOINT", c.ShellDependantCmdLine)
		b.config.entrypoint = c.CmdLine
	case *instructions.CmdCommand:
		b.exec("CMD", c.ShellDependantCmdLine)
		b.config.cmd = c.CmdLine
	case *instructions.LabelCommand:
	default:
		b.t.Fatalf("the test does not know %s", c.Name())
	}
}

func (b *builder) exec(what string, c instructions.ShellDependantCmdLine) {
	if c.PrependShell {
		b.t.Errorf("%s needs a shell, which the image has not: write a JSON list", what)
	}
}

// mkdir makes a directory with its parents, as root's and for all to read.
func (b *builder) mkdir(name string) {
	b.t.Helper()
	if err := os.MkdirAll(filepath.Join(b.dir, name), 0o755); err != nil {
		b.t.Fatal(err)
	}
}

func (b *builder) copy(c *instructions.CopyCommand) {
	b.t.Helper()
	dest := c.DestPath
	if !path.IsAbs(dest) {
		dest = path.Join(b.cwd, dest) + strings.Repeat("/", strings.Count(dest[len(dest)-1:], "/"))
	}
	for _, source := range c.SourcePaths {
		from := filepath.Join(b.context, source)
		if c.From != "" {
			stage := b.stages[c.From]
			if stage == nil {
				b.t.Fatalf("COPY --from=%s: no such stage", c.From)
			}
			from = filepath.Join(stage.dir, source)
			if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
				from = source // of the image the stage starts from
			}
		}
		info, err := os.Stat(from)
		if err != nil {
			b.t.Fatalf("COPY: %v", err)
		}
		to := filepath.Join(b.dir, dest)
		if !info.IsDir() && (strings.HasSuffix(dest, "/") || strings.HasSuffix(dest, "/.") || dest == b.cwd) {
			to = filepath.Join(to, filepath.Base(source))
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			b.t.Fatal(err)
		}
		if err := merge(from, to); err != nil {
			b.t.Fatal(err)
		}
		if c.Chown != "" && os.Geteuid() == 0 {
			uid, gid := numeric(b.t, c.Chown)
			if err := os.Chown(to, uid, gid); err != nil {
				b.t.Fatal(err)
			}
		}
	}
}

// merge copies a file, or a directory into one that may be there already.
func merge(from, to string) error {
	return filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		dest := to + strings.TrimPrefix(name, from)
		if d.IsDir() {
			return os.MkdirAll(dest, 0o755)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(dest, content, info.Mode().Perm())
	})
}

// run carries out a RUN here, with the image's directories in place of this
// machine's, and Go's caches in place of those that are mounted.
func (b *builder) run(c *instructions.RunCommand) {
	b.t.Helper()
	if b.scratch {
		b.t.Fatalf("an empty image has no shell for RUN %v", c.CmdLine)
	}
	var shared []string
	for _, m := range instructions.GetMounts(c) {
		shared = append(shared, m.Target)
	}
	script := regexp.MustCompile(`(^|[\s=])(/[\w./-]+)`).ReplaceAllStringFunc(strings.Join(c.CmdLine, " "), func(word string) string {
		lead, name := word[:strings.Index(word, "/")], word[strings.Index(word, "/"):]
		if slices.Contains(shared, name) {
			return lead + goEnv(b.t, "GOCACHE")
		}
		return lead + filepath.Join(b.dir, name)
	})
	cmd := exec.CommandContext(b.t.Context(), "sh", "-c", script)
	cmd.Dir = filepath.Join(b.dir, b.cwd)
	cmd.Env = append(os.Environ(), b.env...)
	for name, value := range b.args {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		b.t.Fatalf("RUN %s: %v\n%s", script, err, out)
	}
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	return strings.TrimSpace(run(t, "go", "env", name))
}

// numeric splits "uid:gid". Names would need files that the image has not, and
// hide from Kubernetes that the user is not root.
func numeric(t *testing.T, owner string) (uid, gid int) {
	t.Helper()
	u, g, _ := strings.Cut(owner, ":")
	uid, err := strconv.Atoi(u)
	if err == nil {
		gid, err = strconv.Atoi(g)
	}
	if err != nil {
		t.Fatalf("%q is not two numbers", owner)
	}
	return uid, gid
}

// command runs in the image as a container does: nothing but its files, its user,
// its variables.
func (i *image) command(t *testing.T, ctx context.Context, argv []string, env ...string) *exec.Cmd {
	t.Helper()
	uid, gid := numeric(t, i.config.user)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = i.cwd, append(slices.Clone(i.env), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: i.dir, Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}} //nolint:gosec // small numbers
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		cmd.SysProcAttr.Credential.NoSetGroups = true
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: os.Getgid(), Size: 1}}
	}
	return cmd
}

// The image is built, started with a configuration mounted as OpenIM's users do,
// asked for its health, used and stopped.
func TestImage(t *testing.T) {
	t.Parallel()
	i := build(t, map[string]string{"VERSION": releaseVersion, "COMMIT": releaseCommit})
	c := i.config

	if uid, gid := numeric(t, c.user); uid == 0 || gid == 0 {
		t.Errorf("runs as %s", c.user)
	}
	if got, err := os.ReadDir(i.dir); err != nil || len(got) != 3 {
		t.Errorf("the image has %v %v", got, err)
	}
	roots, err := os.ReadFile(filepath.Join(i.dir, "etc/ssl/certs/ca-certificates.crt"))
	if err != nil || !x509.NewCertPool().AppendCertsFromPEM(roots) {
		t.Errorf("no certificates: %v", err)
	}
	if want := []string{"10001", "10002"}; !slices.Equal(c.ports, want) {
		t.Errorf("exposes %v", c.ports)
	}
	if c.stopSignal != "SIGTERM" {
		t.Errorf("is stopped by %s", c.stopSignal)
	}
	data := "/var/lib/parley"
	if !slices.Equal(c.volumes, []string{data}) {
		t.Errorf("volumes %v", c.volumes)
	}

	mounted := filepath.Join(i.dir, "openim-server/config")
	if err := os.CopyFS(mounted, os.DirFS(filepath.Join(root, "internal/config/testdata/openim/v3.8.3-patch.16"))); err != nil {
		t.Fatal(err)
	}
	var said output
	server := i.command(t, t.Context(), slices.Concat(c.entrypoint, c.cmd, []string{
		"--api-addr", "127.0.0.1:0", "--ws-addr", "127.0.0.1:0", "--ready-file", data + "/ready.json",
	}), "TZ=Asia/Shanghai", "IMENV_LOG_REMAINLOGLEVEL=4")
	server.Stdout, server.Stderr = &said, &said
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	defer func() { _ = server.Process.Kill() }()
	var s harness.Server
	within(t, func() error {
		select {
		case err := <-ended:
			t.Fatalf("ended: %v\n%s", err, said.String())
		default:
		}
		b, err := os.ReadFile(filepath.Join(i.dir, data, "ready.json"))
		if err != nil {
			return err
		}
		return json.Unmarshal(b, &s)
	})

	healthy := func() ([]byte, error) {
		if len(c.health) < 2 || c.health[0] != "CMD" {
			t.Fatalf("HEALTHCHECK %v", c.health)
		}
		return i.command(t, t.Context(), c.health[1:]).CombinedOutput()
	}
	if out, err := healthy(); err != nil {
		t.Errorf("not healthy: %v\n%s", err, out)
	}
	chat(t, &s)
	m, _ := readManifest(t)
	for _, probe := range m.probes() {
		if err := get(t, s.API+probe.HTTPGet.Path); err != nil {
			t.Errorf("Kubernetes would find that %v", err)
		}
	}
	token, err := i.command(t, t.Context(), []string{"/usr/local/bin/parley", "token"}).Output()
	if err != nil || bytes.Count(token, []byte(".")) != 2 {
		t.Errorf("token: %v %q", err, token)
	}

	archive := data + "/friday.tar.zst"
	for _, args := range [][]string{{"backup", archive}, {"restore", archive, "--data", data + "/restored"}} {
		if out, err := i.command(t, t.Context(), append(slices.Clone(c.entrypoint), args...)).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", args[0], err, out)
		}
	}

	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("ended with %v\n%s", err, said.String())
	}
	if out, err := healthy(); err == nil {
		t.Errorf("healthy when stopped: %s", out)
	}
	for _, want := range []string{"Parley " + releaseVersion, "configuration: /openim-server/config", "+08:00"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("did not write %q:\n%s", want, said.String())
		}
	}
}

// get is a request that must be answered with 200.
func get(t *testing.T, url string) error {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		body, err := io.ReadAll(resp.Body)
		return errors.Join(fmt.Errorf("%s is answered with %s: %s", url, resp.Status, body), err)
	}
	return nil
}

// output collects what a process writes.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
