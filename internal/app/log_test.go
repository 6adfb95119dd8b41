package app

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/im"
)

// The levels of log.yml show what OpenIM's show.
func TestLogLevels(t *testing.T) {
	t.Parallel()
	for level, want := range []string{"error", "error", "error", "warn error", "info warn error", "debug info warn error", "debug info warn error"} {
		var out bytes.Buffer
		l, err := OpenLogs(config.Log{Level: level, Stdout: true, JSON: true}, &out)
		if err != nil {
			t.Fatal(err)
		}
		ctx := im.WithCaller(im.WithOperation(t.Context(), "op"), im.Caller{UserID: "alice"})
		log := l.Logger().With("part", "test")
		log.DebugContext(ctx, "debug")
		log.InfoContext(ctx, "info")
		log.WarnContext(ctx, "warn")
		log.ErrorContext(ctx, "error")
		var shown []string
		for line := range strings.Lines(out.String()) {
			_, rest, _ := strings.Cut(line, `"msg":"`)
			msg, rest, _ := strings.Cut(rest, `"`)
			shown = append(shown, msg)
			if !strings.Contains(rest, `"part":"test","operation_id":"op","user_id":"alice"}`) {
				t.Errorf("level %d: %s", level, line)
			}
		}
		if got := strings.Join(shown, " "); got != want {
			t.Errorf("level %d shows %q, want %q", level, got, want)
		}
		lines := l.Lines()
		for i, name := range []string{"error", "warn", "info", "debug"} {
			if shows := strings.Contains(want, name); (lines[lineLevels[i]] == 1) != shows {
				t.Errorf("level %d: counted %v", level, lines)
			}
		}
		l.Close()
	}
}

func TestSimplifiedLog(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 1000)
	for simplify, want := range map[bool]int{true: 512, false: 1000} {
		var out bytes.Buffer
		l, err := OpenLogs(config.Log{Level: 4, Stdout: true, Simplify: simplify}, &out)
		if err != nil {
			t.Fatal(err)
		}
		l.Logger().Info("x", "value", long)
		if got := strings.Count(out.String(), "é"); got != want || strings.Contains(out.String(), "…") != simplify {
			t.Errorf("simplify %v leaves %d letters", simplify, got)
		}
		out.Reset()
		l.Logger().Error("x", "stack", long)
		if got := strings.Count(out.String(), "é"); got != 1000 {
			t.Errorf("a stack is cut to %d letters", got)
		}
		l.Close()
	}
}

// A log file is for one period, whoever writes to it, and old ones go.
func TestLogRotation(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	day := time.Date(2026, 3, 1, 23, 59, 0, 0, time.UTC)
	path := filepath.Join(dir, logFile)
	open := func(now time.Time) *rotatingFile {
		t.Helper()
		r := &rotatingFile{path: path, every: 24 * time.Hour, keep: 2, now: func() time.Time { return now }}
		if err := r.open(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = r.Close() })
		return r
	}
	write := func(r *rotatingFile, text string) {
		t.Helper()
		if _, err := r.Write([]byte(text + "\n")); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, r.now(), r.now()); err != nil { // as if it were written at that time
			t.Fatal(err)
		}
	}
	content := func() string {
		t.Helper()
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	r := open(day)
	write(r, "one")
	write(open(day.Add(time.Second)), "two") // another process, the same day
	if got := content(); got != "one\ntwo\n" {
		t.Errorf("the first day: %q", got)
	}
	r = open(day.Add(time.Hour)) // started after midnight, an hour later
	write(r, "three")
	if got := content(); got != "three\n" {
		t.Errorf("the second day: %q", got)
	}
	for i := range 4 {
		now := day.Add(time.Duration(i+2) * 24 * time.Hour)
		r.now = func() time.Time { return now }
		write(r, "later")
	}
	old, err := filepath.Glob(path + ".*")
	if err != nil || len(old) != 2 || content() != "later\n" {
		t.Errorf("kept %v, %v; %q", old, err, content())
	}
}

func TestLogWithoutAFile(t *testing.T) {
	t.Parallel()
	taken := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(taken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	l, err := OpenLogs(config.Log{Level: 4, Stdout: true, StorageLocation: taken}, &out)
	if err != nil || !strings.Contains(out.String(), "log file not used") {
		t.Errorf("%v, %q", err, &out)
	}
	l.Logger().Info("still here")
	if !strings.Contains(out.String(), "still here") {
		t.Errorf("%q", &out)
	}
	if _, err := OpenLogs(config.Log{Level: 4, StorageLocation: taken}, &out); err == nil {
		t.Error("a log that goes nowhere")
	}
}
