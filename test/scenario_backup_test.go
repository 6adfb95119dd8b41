package test

import (
	"bytes"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parley-im/parley/internal/app"
)

// upload stores a file as the administrator and returns its address.
func (n *node) upload(t *testing.T, name string, content []byte) (url string) {
	t.Helper()
	var begun struct{ ID, URL string }
	n.call(t, "/object/initiate_form_data", map[string]any{"name": name, "size": len(content), "contentType": "text/plain"}, &begun)
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", "file.txt")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := part.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, begun.URL, &body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode >= 300 {
		t.Fatalf("upload answered %d", resp.StatusCode)
	}
	var done struct{ URL string }
	n.call(t, "/object/complete_form_data", map[string]any{"id": begun.ID}, &done)
	return done.URL
}

// TestBackup makes a second server of a running one.
func TestBackup(t *testing.T) {
	t.Parallel()
	n := startNode(t, setup{})
	n.register(t, "alice", "bob")
	n.upload(t, "imAdmin/photo", bytes.Repeat([]byte("photo "), 10_000))
	n.upload(t, "imAdmin/copy", bytes.Repeat([]byte("photo "), 10_000)) // of the same content
	n.upload(t, "imAdmin/note", []byte("note"))
	lost := n.send(t, post{from: "alice", to: "bob", content: text("before"), operationID: "op"})
	if lost.ErrCode != 0 {
		t.Fatalf("%+v", lost)
	}
	backups := t.TempDir()
	said := n.run("backup", backups)
	names, err := filepath.Glob(filepath.Join(backups, "*"))
	if err != nil || len(names) != 1 || !strings.HasPrefix(said, names[0]+": ") || !strings.HasSuffix(names[0], ".tar.zst") {
		t.Fatalf("said %q; there is %v, %v", said, names, err)
	}
	archive := names[0]
	if info, err := os.Stat(archive); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if _, errs, code := parleyCommand(t, nil, "backup", "--data", n.data, archive); code == 0 || !strings.Contains(errs, "exists") {
		t.Errorf("over the first: %d %s", code, errs)
	}
	n.register(t, "carol") // too late

	data := filepath.Join(t.TempDir(), "new", "data")
	if out, errs, code := parleyCommand(t, nil, "restore", archive, "--data", data); code != 0 || !strings.HasPrefix(out, data+": ") {
		t.Fatalf("restore: %d %s%s", code, out, errs)
	}
	if info, err := os.Stat(data); err != nil || info.Mode() != os.ModeDir|0o700 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	second := startNode(t, setup{data: data})
	if second.Secret != n.Secret {
		t.Error("the secret is another one")
	}
	for name, want := range map[string][]byte{"photo": bytes.Repeat([]byte("photo "), 10_000), "copy": bytes.Repeat([]byte("photo "), 10_000), "note": []byte("note")} {
		if status, got := second.get("/object/imAdmin/" + name); status != http.StatusOK || got != string(want) {
			t.Errorf("%s: %d, %d bytes", name, status, len(got))
		}
	}
	var found struct{ UsersInfo []struct{ UserID string } }
	second.call(t, "/user/get_users_info", map[string]any{"userIDs": []string{"alice", "bob", "carol"}}, &found)
	if len(found.UsersInfo) != 2 {
		t.Errorf("users %v", found.UsersInfo)
	}
	log := second.device(t, "bob", platformMiniWeb).history(post{from: "alice", to: "bob"}.conversation())
	if len(log) != 1 || log[0].ServerMsgID != lost.serverMsgID {
		t.Errorf("history %v", log)
	}

	// What cannot be restored leaves nothing.
	whole, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Clone(whole)
	changed[len(changed)/2] ^= 1
	for name, c := range map[string]struct {
		archive []byte
		want    string
	}{
		"changed": {changed, "damaged"},
		"cut off": {whole[:len(whole)-1], "damaged"},
		"empty":   {nil, "damaged"},
	} {
		parent := t.TempDir()
		bad := filepath.Join(t.TempDir(), "bad")
		if err := os.WriteFile(bad, c.archive, 0o600); err != nil {
			t.Fatal(err)
		}
		_, errs, code := parleyCommand(t, nil, "restore", bad, "--data", filepath.Join(parent, "data"))
		if code == 0 || !strings.Contains(errs, c.want) {
			t.Errorf("%s: %d %s", name, code, errs)
		}
		if left, err := os.ReadDir(parent); err != nil || len(left) > 0 {
			t.Errorf("%s: left %v, %v", name, left, err)
		}
		if _, _, code := parleyCommand(t, nil, "restore", "--check", bad); code == 0 {
			t.Errorf("%s: the check passes", name)
		}
	}
	if _, errs, code := parleyCommand(t, nil, "restore", archive, "--data", n.data); code == 0 || !strings.Contains(errs, "not empty") {
		t.Errorf("over a server: %d %s", code, errs)
	}
	if _, errs, code := parleyCommand(t, []string{"PARLEY_STORAGE_POSTGRES_URL=postgres://127.0.0.1:1/x"}, "restore", archive, "--data", filepath.Join(t.TempDir(), "d")); code == 0 {
		t.Errorf("into PostgreSQL: %s", errs)
	}
}

// halfServer sends the beginning of an archive and then what after does.
func halfServer(t *testing.T, begin []byte, after func(http.ResponseWriter, *http.Request)) (data string) {
	t.Helper()
	data = t.TempDir()
	l, err := net.Listen("unix", app.ControlPath(data))
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{ReadHeaderTimeout: patience, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(begin)
		_ = http.NewResponseController(w).Flush()
		after(w, r)
	})}
	served := make(chan struct{})
	go func() { _ = s.Serve(l); close(served) }()
	t.Cleanup(func() {
		_ = s.Close()
		<-served
	})
	return data
}

// Whoever dies during a backup, no half archive has an archive's name.
func TestHalfBackup(t *testing.T) {
	t.Parallel()
	n := startNode(t, setup{})
	good := filepath.Join(t.TempDir(), "good")
	n.run("backup", good)
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}

	t.Run("the server", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		for name, begin := range map[string][]byte{"half": whole[:len(whole)/2], "all but a byte": whole[:len(whole)-1], "nothing": nil} {
			for how, after := range map[string]func(http.ResponseWriter, *http.Request){
				"cut": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
				"end": func(http.ResponseWriter, *http.Request) {}, // as if that were all
			} {
				data := halfServer(t, begin, after)
				if _, errs, code := parleyCommand(t, nil, "backup", "--data", data, filepath.Join(dir, "b")); code == 0 {
					t.Errorf("%s, %s: taken; %s", name, how, errs)
				}
				if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
					t.Errorf("%s, %s: left %v, %v", name, how, left, err)
				}
			}
		}
	})

	t.Run("the command", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		archive := filepath.Join(dir, "b")
		data := halfServer(t, whole[:len(whole)/2], func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		cmd := exec.Command(os.Getenv("PARLEY_BIN"), "backup", "--data", data, archive)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		late := time.After(patience)
		for size := int64(0); size == 0; {
			select {
			case <-tick.C:
			case <-late:
				_ = cmd.Process.Kill()
				t.Fatal("nothing is written")
			}
			if info, err := os.Stat(archive + ".partial"); err == nil {
				size = info.Size()
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // killed
		if _, err := os.Stat(archive); err == nil {
			t.Error("there is an archive")
		}
		// The next one is not disturbed by what is left.
		n.run("backup", archive)
		n.run("restore", "--check", archive)
		if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
			t.Errorf("left %v, %v", left, err)
		}
	})
}
