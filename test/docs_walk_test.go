package test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// fixedPort is a free port for programs whose port is written down: below those
// that the system gives to connections, so that none of them takes it meanwhile.
func fixedPort(t *testing.T) string {
	t.Helper()
	for range 1000 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 12_000+rand.IntN(20_000)))
		if err != nil {
			continue
		}
		_, port, _ := net.SplitHostPort(l.Addr().String())
		_ = l.Close()
		return port
	}
	t.Fatal("no free port")
	return ""
}

// TestFirstCallbackAsInTheDocs runs the first shell block of the page on webhooks as
// it stands there, in both languages, on other ports.
func TestFirstCallbackAsInTheDocs(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range []string{"webhooks.md", "webhooks.zh-CN.md"} {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(filepath.Join(root, "docs", page))
			if err != nil {
				t.Fatal(err)
			}
			block := regexp.MustCompile("(?s)```sh\n(.*?)```").FindSubmatch(text)
			if block == nil {
				t.Fatal("no shell block")
			}
			api, ws, handler := fixedPort(t), fixedPort(t), fixedPort(t)
			script := strings.NewReplacer(
				"10002", api, "10006", handler, "handler.py", "handler.py --port "+handler,
				"parley serve", "parley serve --api-addr 127.0.0.1:"+api+" --ws-addr 127.0.0.1:"+ws,
			).Replace(string(block[1]))
			dir, bin := t.TempDir(), t.TempDir()
			for to, from := range map[string]string{filepath.Join(dir, "examples"): filepath.Join(root, "examples"), filepath.Join(bin, "parley"): os.Getenv("PARLEY_BIN")} {
				if err := os.Symlink(from, to); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			// The report comes behind the answer; the last line looks for it.
			const end = "\nuntil parley webhook deliveries | grep -q delivered; do sleep 0.1; done; parley webhook deliveries; cat audit.jsonl; kill $(jobs -p); wait\n"
			cmd := exec.CommandContext(ctx, "bash", "-c", script+end)
			cmd.Dir, cmd.Env = dir, append(cleanEnv(), "PATH="+bin+":"+os.Getenv("PATH"))
			// What it starts ends with it.
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
			out, err := cmd.CombinedOutput()
			if err != nil && ctx.Err() != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			for _, parts := range [][]string{
				{`"errCode":0`, `"serverMsgID"`},
				{`"errCode":5001`, "the message was refused"},
				{"beforeSendSingleMsg", "approve"},
				{"beforeSendSingleMsg", "reject"},
				{"afterSendSingleMsg", "delivered"},
				{`"command": "` + cmdAfterSingle + `"`, "alice"},
			} {
				if lineWith(string(out), parts...) == "" {
					t.Errorf("no line has %q:\n%s", parts, out)
				}
			}
		})
	}
}
