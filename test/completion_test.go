package test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// TestCompletion lets each shell complete with its script.
func TestCompletion(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	if err := os.Symlink(os.Getenv("PARLEY_BIN"), filepath.Join(bin, "parley")); err != nil {
		t.Fatal(err)
	}
	for shell, how := range map[string]struct {
		args []string
		// asks completes $line with the script in $script and prints the words.
		asks string
	}{
		"bash": {[]string{"--norc", "-c"}, `
			source "$script" || exit 3
			complete -p parley >/dev/null || exit 4
			IFS=' ' read -ra COMP_WORDS <<<"$line"
			[[ $line != *' ' ]] || COMP_WORDS+=('')
			COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
			_parley
			printf '%s\n' "${COMPREPLY[@]}"`},
		"zsh": {[]string{"-f", "-c"}, `
			compdef() { [[ $2 == parley ]] || exit 4 }
			_describe() { local entry; for entry in "${(@P)4}"; do print -r -- "${entry%%:*}"; done }
			_files() { }
			source "$script" || exit 3
			words=("${(@s: :)line}")
			CURRENT=$#words
			_parley`},
		"fish": {[]string{"--no-config", "-c"}, `
			source "$script"; or exit 3
			complete -C "$line" | string split -f1 \t; true`},
	} {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			script, errs, code := parleyCommand(t, nil, "completion", shell)
			if code != 0 {
				t.Fatal(errs)
			}
			file := filepath.Join(t.TempDir(), "script")
			if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.CommandContext(t.Context(), shell, "-n", file).CombinedOutput(); err != nil {
				t.Fatalf("the script is not valid: %v\n%s", err, out)
			}
			for line, want := range map[string][]string{
				"parley webho":        {"webhook"},
				"parley webhook rep":  {"replay"},
				"parley completion z": {"zsh"},
				"parley backup --da":  {"--data"},
			} {
				cmd := exec.CommandContext(t.Context(), shell, append(how.args, how.asks)...)
				cmd.Env = append(cleanEnv(), "PATH="+bin+":"+os.Getenv("PATH"), "script="+file, "line="+line, "HOME="+t.TempDir())
				cmd.Dir = t.TempDir()
				out, err := cmd.CombinedOutput()
				if got := strings.Fields(string(out)); err != nil || !slices.Equal(got, want) {
					t.Errorf("%q: %q, %v; want %q", line, got, err, want)
				}
			}
		})
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	text, _, code := parleyCommand(t, nil, "version")
	platform := runtime.GOOS + "/" + runtime.GOARCH
	if !regexp.MustCompile(`^parley \S+\n  commit    \S.*\n  go        go\S+\n  platform  `+platform+`\n$`).MatchString(text) || code != 0 {
		t.Errorf("%d %q", code, text)
	}
	var b struct{ Version, Commit, Go, Platform string }
	object, _, code := parleyCommand(t, nil, "version", "--json")
	if err := json.Unmarshal([]byte(object), &b); err != nil || code != 0 || b.Platform != platform || !strings.HasPrefix(text, "parley "+b.Version+"\n") {
		t.Errorf("%d %q, %v", code, object, err)
	}
	linked := filepath.Join(t.TempDir(), "parley")
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-X main.release=v1.2.3 -X main.commit=abc123", "-o", linked, "../cmd/parley")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), linked, "version").Output()
	if err != nil || !strings.HasPrefix(string(out), "parley v1.2.3\n  commit    abc123\n") {
		t.Errorf("%q, %v", out, err)
	}
}
