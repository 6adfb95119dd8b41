package packaging

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-im/parley/test/harness"
)

// A released program needs no file of the machine it runs on: neither a loader
// nor libraries.
func TestReleasedProgramsAreStatic(t *testing.T) {
	t.Parallel()
	for arch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		t.Run(arch, func(t *testing.T) {
			t.Parallel()
			f, err := elf.Open(binary(t, arch))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = f.Close() }()
			if f.Machine != machine {
				t.Errorf("made for %v", f.Machine)
			}
			for _, p := range f.Progs {
				if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
					t.Errorf("has a segment %v", p.Type)
				}
			}
			if libs, err := f.ImportedLibraries(); err == nil && len(libs) > 0 {
				t.Errorf("needs %v", libs)
			}
		})
	}
}

// The same source gives the same archives, in whatever directory it lies.
func TestReleaseIsReproducible(t *testing.T) {
	t.Parallel()
	dist, err := built()
	if err != nil {
		t.Fatal(err)
	}
	again := t.TempDir()
	copyTree(t, again)
	second := t.TempDir()
	if err := release(again, second, hostArch(t)); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join(dist, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(second, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Count(got, []byte("\n")) != 1 || !bytes.Contains(want, got) {
		t.Errorf("the first time\n%sthe second time\n%s", want, got)
	}
	// The sums are those of the files.
	check := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", "SHA256SUMS")
	check.Dir = dist
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// copyTree copies the files of the repository that git knows or would take.
func copyTree(t *testing.T, to string) {
	t.Helper()
	list := run(t, "git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	for name := range strings.SplitSeq(strings.TrimSuffix(list, "\x00"), "\x00") {
		info, err := os.Lstat(filepath.Join(root, name))
		if errors.Is(err, os.ErrNotExist) {
			continue // removed, not yet committed
		}
		if err != nil {
			t.Fatal(err)
		}
		if !info.Mode().IsRegular() {
			continue
		}
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		dest := filepath.Join(to, name)
		if err := os.MkdirAll(filepath.Dir(dest), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dest, b, info.Mode().Perm()); err != nil {
			t.Fatal(err)
		}
	}
}

// An archive has what one needs to run the server and may pass it on, with the
// rights of published files and no traces of who made it.
func TestArchive(t *testing.T) {
	t.Parallel()
	dist, err := built()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(dist, "parley_9.8.7_linux_amd64.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	missing := map[string]int64{
		"parley": 0o755, "LICENSE": 0o644, "THIRD_PARTY_LICENSES": 0o644, "README.md": 0o644, "CHANGELOG.md": 0o644, "docs/deploy.md": 0o644,
		"deploy/systemd/parley.service": 0o644, "deploy/compose/docker-compose.yml": 0o644, "deploy/kubernetes/parley.yaml": 0o644,
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 || h.Uname != "" || h.Gname != "" || h.ModTime.Unix() != 1700000000 {
			t.Errorf("%s: owner %d %s, group %d %s, time %v", h.Name, h.Uid, h.Uname, h.Gid, h.Gname, h.ModTime)
		}
		name := strings.TrimPrefix(h.Name, "parley_9.8.7_linux_amd64/")
		if mode, listed := missing[name]; listed {
			if h.Mode != mode {
				t.Errorf("%s has the rights %o", name, h.Mode)
			}
			delete(missing, name)
		}
		if name == "THIRD_PARTY_LICENSES" {
			text, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			for _, module := range []string{"github.com/gorilla/websocket ", "modernc.org/sqlite ", "the Go standard library"} {
				if !bytes.Contains(text, []byte("==== "+module)) {
					t.Errorf("no licence of %s", module)
				}
			}
		}
	}
	if len(missing) > 0 {
		t.Errorf("missing: %v", missing)
	}
}

// The program for the other platform works there.
func TestReleasedProgramsRun(t *testing.T) {
	t.Parallel()
	for _, arch := range []string{"amd64", "arm64"} {
		t.Run(arch, func(t *testing.T) {
			t.Parallel()
			program := emulated(t, arch)
			if got := run(t, program, "version"); !strings.Contains(got, releaseVersion) || !strings.Contains(got, releaseCommit) {
				t.Errorf("calls itself %q", got)
			}
			data := t.TempDir()
			s, err := harness.Start(harness.Options{Binary: program, DataDir: data})
			if err != nil {
				t.Fatal(err)
			}
			stopped := false
			defer func() {
				if !stopped {
					_ = s.Kill()
				}
			}()
			chat(t, s)
			run(t, program, "health", "--data", data, "--timeout", "1m")
			stopped = true
			if err := s.Stop(); err != nil {
				t.Error(err)
			}
			if out, err := exec.CommandContext(t.Context(), program, "health", "--data", data).CombinedOutput(); err == nil {
				t.Errorf("healthy when stopped: %s", out)
			}
		})
	}
}

// emulated is the released program of a platform, run by QEMU where this machine
// is another one.
func emulated(t *testing.T, arch string) string {
	t.Helper()
	program := binary(t, arch)
	if hostArch(t) == arch {
		return program
	}
	machine := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[arch]
	qemu, err := exec.LookPath("qemu-" + machine)
	if err != nil {
		qemu, err = exec.LookPath("qemu-" + machine + "-static")
	}
	if err != nil {
		t.Fatalf("%v; on Debian: apt-get install qemu-user", err)
	}
	script := filepath.Join(t.TempDir(), "parley")
	text := fmt.Sprintf("#!/bin/sh\nexec %s %s \"$@\"\n", qemu, program)
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil { //nolint:gosec // it is to be run
		t.Fatal(err)
	}
	return script
}

// hostArch is the platform of this machine.
func hostArch(t *testing.T) string {
	t.Helper()
	return goEnv(t, "GOHOSTARCH")
}
